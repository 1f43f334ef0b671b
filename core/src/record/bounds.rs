//! The bounds of a record, and the one rule of what is over them.
//!
//! A merge and a linear fold ask the same [`Size`], item by item in the order of (depth, digest),
//! so that the same items give the same view whichever way they were taken in. Invariant: what is
//! counted follows from operations alone, never from a declaration: an older and a newer app agree.
//! Must not know: the graph, the state, the database.

use std::collections::BTreeMap;

use crate::log::item::Op;

/// The most items of a record that are merged.
pub const ITEMS_MAX: usize = 2_000;
/// The most heads that a record may have at any point of the order.
pub const BRANCHES_MAX: usize = 256;
/// The most bytes of operations of a record that are merged.
pub const OPS_BYTES_MAX: usize = 8 << 20;
/// The most bytes that edits may ever insert into one text field of a record, deleted ones too.
pub const TEXT_INSERTED_MAX: usize = 1 << 20;

/// How much of its bounds a record has used up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Size {
    /// The bytes of its operations.
    pub ops: usize,
    /// For each text field, the bytes that edits have inserted.
    pub texts: BTreeMap<u16, usize>,
}

impl Size {
    /// Counts the operations of one more item. Tells whether they are within the bounds; when not,
    /// nothing is counted.
    #[must_use]
    pub fn take(&mut self, ops: &[Op]) -> bool {
        let all = self.ops + ops.iter().map(Op::size).sum::<usize>();
        if all > OPS_BYTES_MAX {
            return false;
        }
        let mut texts = BTreeMap::new();
        for op in ops {
            if let Op::Splice(field, _, _, text) = op {
                let held = || self.texts.get(field).copied().unwrap_or(0);
                let inserted = texts.entry(*field).or_insert_with(held);
                *inserted += text.len();
                if *inserted > TEXT_INSERTED_MAX {
                    return false;
                }
            }
        }
        self.ops = all;
        self.texts.append(&mut texts);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Value;

    #[test]
    fn what_is_over_a_bound_counts_nothing() {
        let long = |bytes: usize| "x".repeat(bytes);
        let mut size = Size::default();
        let half = Op::Splice(23, 0, 0, long(TEXT_INSERTED_MAX / 2));
        assert!(size.take(&[half.clone(), half.clone()]));
        let before = size.clone();
        assert!(!size.take(&[Op::Splice(24, 0, 0, long(9)), Op::Splice(23, 0, 9, long(1))]));
        assert_eq!(size, before);
        assert!(size.take(&[Op::Splice(23, 0, 9, String::new()), Op::Splice(24, 0, 0, long(9))]));
        assert_eq!((size.texts[&23], size.texts[&24]), (TEXT_INSERTED_MAX, 9));
        let rest = OPS_BYTES_MAX - size.ops;
        let fill = |bytes: usize| Op::Set(99, Value::Text(long(bytes)));
        let head = fill(rest).size() - rest;
        assert!(!size.take(&[fill(rest - head + 1)]));
        assert!(size.take(&[fill(rest - head)]));
        assert_eq!(size.ops, OPS_BYTES_MAX);
        assert!(size.take(&[]));
    }
}
