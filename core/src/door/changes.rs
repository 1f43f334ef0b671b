//! What changed and was not asked for yet: record by record, each once, within bounds.
//!
//! A screen that falls too far behind is told to read everything anew instead of being sent more
//! than it would. Must not know: who waits, how.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ids::RecordId;
use crate::replica::Changed;

/// How many changed records wait to be asked for.
const RECORDS_MAX: usize = 4_096;

/// One thing that changed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum Change {
    /// One record: read it again where it is shown.
    Record {
        /// Which one.
        changed: Changed,
    },
    /// More than is kept count of: read every list anew.
    Everything,
}

/// Who is told that something waits.
type Waker = Box<dyn Fn() + Send + Sync>;

/// The changes that wait, and who is told of them.
#[derive(Default)]
pub(super) struct Changes {
    waiting: Mutex<Waiting>,
    waker: Mutex<Option<Waker>>,
}

#[derive(Default)]
struct Waiting {
    queue: VecDeque<Changed>,
    known: HashSet<RecordId>,
    overflowed: bool,
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Changes")
    }
}

impl Changes {
    /// Adds changes; a record that waits already is not added again.
    pub(super) fn add(&self, changed: Vec<Changed>) {
        if changed.is_empty() {
            return;
        }
        let mut waiting = lock(&self.waiting);
        for changed in changed {
            if waiting.overflowed {
                break;
            }
            if waiting.known.insert(changed.record) {
                waiting.queue.push_back(changed);
            }
            if waiting.queue.len() > RECORDS_MAX {
                *waiting = Waiting { overflowed: true, ..Waiting::default() };
            }
        }
        drop(waiting);
        if let Some(waker) = lock(&self.waker).as_ref() {
            waker();
        }
    }

    /// Takes the oldest.
    pub(super) fn take(&self) -> Option<Change> {
        let mut waiting = lock(&self.waiting);
        if std::mem::take(&mut waiting.overflowed) {
            return Some(Change::Everything);
        }
        let changed = waiting.queue.pop_front()?;
        waiting.known.remove(&changed.record);
        Some(Change::Record { changed })
    }

    /// Sets who is told.
    pub(super) fn tell(&self, waker: Waker) {
        *lock(&self.waker) = Some(waker);
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(number: usize) -> Changed {
        let mut record = RecordId::default();
        record.0[..8].copy_from_slice(&number.to_be_bytes());
        Changed { kind: "incident".to_owned(), record }
    }

    #[test]
    fn a_record_that_changes_twice_before_it_is_asked_for_is_told_once() {
        let changes = Changes::default();
        changes.add(vec![changed(1), changed(2)]);
        changes.add(vec![changed(1)]);
        assert_eq!(changes.take(), Some(Change::Record { changed: changed(1) }));
        changes.add(vec![changed(1)]);
        assert_eq!(changes.take(), Some(Change::Record { changed: changed(2) }));
        assert_eq!(changes.take(), Some(Change::Record { changed: changed(1) }));
        assert_eq!(changes.take(), None);
    }

    #[test]
    fn more_than_is_kept_becomes_one_word_to_read_everything() {
        let changes = Changes::default();
        changes.add((0..=RECORDS_MAX).map(changed).collect());
        changes.add(vec![changed(7)]);
        assert_eq!(changes.take(), Some(Change::Everything));
        assert_eq!(changes.take(), None);
        changes.add(vec![changed(8)]);
        assert_eq!(changes.take(), Some(Change::Record { changed: changed(8) }));
    }

    #[test]
    fn whoever_waits_is_told_of_every_change_and_of_nothing_else() {
        let told = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
        let changes = Changes::default();
        let count = std::sync::Arc::clone(&told);
        changes.tell(Box::new(move || {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }));
        changes.add(Vec::new());
        changes.add(vec![changed(1)]);
        assert_eq!(told.load(std::sync::atomic::Ordering::Relaxed), 1);
    }
}
