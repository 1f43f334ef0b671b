//! Which entries are somewhere, as intervals per log.
//!
//! Must not know: where that is.

use std::collections::HashMap;

use crate::ids::{Link, LogId};
use crate::log::pack::Extent;
use crate::replica::mind::extend;
use crate::replica::outgoing::{Vector, VectorEntry};

/// Entries (first, end) per log, in order and without overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cover {
    logs: HashMap<LogId, Vec<(u64, u64)>>,
}

impl Cover {
    /// Adds what a pack carries.
    pub(super) fn add(&mut self, ranges: &[Extent]) {
        for range in ranges.iter().filter(|range| range.count > 0) {
            let end = range.first.saturating_add(range.count);
            extend(self.logs.entry(range.log).or_default(), range.first, end);
        }
    }

    /// Tells whether all of a pack's entries are covered.
    pub(super) fn holds(&self, ranges: &[Extent]) -> bool {
        ranges.iter().all(|range| {
            let end = range.first.saturating_add(range.count);
            let stretches = self.logs.get(&range.log).map(Vec::as_slice).unwrap_or_default();
            stretches.iter().any(|(first, stop)| *first <= range.first && end <= *stop)
        })
    }

    /// Adds what a vector says, but for what it excepts.
    pub(super) fn add_vector(&mut self, vector: &Vector) {
        for entry in &vector.entries {
            let mut first = 0;
            for (hole, count) in &entry.excepted {
                self.add(&[Extent { log: entry.log, first, count: hole - first }]);
                first = hole + count;
            }
            self.add(&[Extent { log: entry.log, first, count: entry.next - first }]);
        }
    }

    /// Returns how many entries of a log before `end` are covered.
    pub(super) fn count(&self, log: &LogId, end: u64) -> u64 {
        let stretches = self.logs.get(log).map(Vec::as_slice).unwrap_or_default();
        stretches.iter().map(|(first, stop)| end.min(*stop).saturating_sub(*first)).sum()
    }

    /// Adds what another one covers.
    pub(super) fn join(&mut self, other: &Self) {
        for (log, stretches) in &other.logs {
            let mine = self.logs.entry(*log).or_default();
            stretches.iter().for_each(|(first, end)| extend(mine, *first, *end));
        }
    }

    /// Returns the logs.
    pub(super) fn logs(&self) -> impl Iterator<Item = &LogId> {
        self.logs.keys()
    }

    /// Tells whether one entry is covered.
    pub(super) fn holds_entry(&self, log: LogId, seq: u64) -> bool {
        self.holds(&[Extent { log, first: seq, count: 1 }])
    }

    /// Says the same as a version vector with its gaps excepted: what a peer would have to hold.
    ///
    /// The links are empty: nobody compares them here.
    pub(super) fn vector(&self) -> Vector {
        let mut entries: Vec<VectorEntry> = Vec::with_capacity(self.logs.len());
        for (log, stretches) in &self.logs {
            let (mut excepted, mut at) = (Vec::new(), 0);
            for (first, end) in stretches {
                if *first > at {
                    excepted.push((at, first - at));
                }
                at = *end;
            }
            let link = Link::default();
            entries.push(VectorEntry { log: *log, next: at, link, excepted });
        }
        entries.sort_unstable_by_key(|entry| entry.log);
        Vector { entries }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: u64, count: u64) -> Extent {
        Extent { log: LogId([7; 16]), first, count }
    }

    #[test]
    fn neighbours_join_and_gaps_are_excepted() {
        let mut cover = Cover::default();
        cover.add(&[range(10, 5), range(2, 3)]);
        cover.add(&[range(5, 1)]);
        assert!(cover.holds(&[range(2, 4), range(11, 2)]));
        assert!(!cover.holds(&[range(5, 6)]));
        assert!(!cover.holds_entry(LogId([8; 16]), 2));
        let vector = cover.vector();
        assert_eq!(vector.entries[0].next, 15);
        assert_eq!(vector.entries[0].excepted, [(0, 2), (6, 4)]);
        let mut same = Cover::default();
        same.add_vector(&vector);
        assert_eq!(same, cover);
        assert_eq!(cover.count(&LogId([7; 16]), 12), 6);
        same.join(&cover);
        assert_eq!(same, cover);
    }
}
