//! Which entries a set of packs covers, as intervals per log.
//!
//! Must not know: where the packs are.

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
        for range in ranges {
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
        entries.sort_by_key(|entry| entry.log);
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
    }
}
