//! Layout 1: the entries of a pack by column, so that like stands beside like.
//!
//! ```text
//! entries = [stream...], byte strings of varints (LEB128) unless said otherwise:
//!   forms    kind, heads (0 none, n + 1), items; each form of entry once, in order of first use
//!   shapes   each shape of item once, see `shape`
//!   entries  a form per entry          items  per item: 0 raw, 1 absent, 2 + shape
//!   ms, counter  the clock, as integer columns
//!   deps     own: entries back, index; other: log as a reference, seq, index
//!   then one small stream per slot that has one: an integer column, lengths, or references
//!   heads    links of 32 bytes         checks  4 bytes of foreign deps
//!   refs     each distinct 16-byte value once
//!   side     items that are not canonical (length, bytes), digests of absent ones
//!   then one large stream per slot that has one: texts or bytes end to end, CBOR lists
//! integer column = mode (0 plain, 1 from the clock in ms, 2 from the value before), scale,
//!   zigzag of each difference / scale
//! reference = 0 the next of refs, 1 a record created in this pack (how many creations back),
//!   2 + index in refs
//! ```
//!
//! A slot is what one op of one record kind writes to one field, by type. Invariant: the writer
//! compares what is rebuilt, and the reader bounds it like layout 0; whether it is what the
//! author wrote is checked by the digests. Must not know: what kinds and fields mean.

mod reading;
mod shape;
mod stream;
mod writing;

use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::ids::SpaceId;
use crate::log::pack::INFLATED_BYTES_MAX;
use crate::log::pack::header::{Extent, Header};
use crate::log::pack::range::Range;

/// Writes the entries of `ranges` as columns and notes where new blocks should start; false,
/// with nothing of use written, when they do not rebuild.
pub(super) fn write(
    to: &mut Writer,
    cuts: &mut Vec<usize>,
    space: &SpaceId,
    ranges: &[Range],
) -> bool {
    let extents: Vec<Extent> = ranges.iter().map(|range| range.extent(space)).collect();
    let mut columns = writing::Columns::default();
    for (range, extent) in ranges.iter().zip(&extents) {
        for (seq, entry) in (range.first..).zip(&range.entries) {
            columns.entry(extent.log, seq, entry);
        }
    }
    let start = to.as_slice().len();
    columns.finish(to, cuts);
    let written = to.as_slice().get(start..).unwrap_or_default();
    let mut from = Reader::new(written);
    let rebuilt = reading::read(&mut from, &extents, INFLATED_BYTES_MAX);
    from.remaining() == 0
        && rebuilt.is_ok_and(|rebuilt| {
            rebuilt.iter().zip(ranges).all(|(entries, range)| *entries == range.entries)
        })
}

/// Rebuilds the entries of `ranges`.
pub(super) fn read(from: &mut Reader<'_>, ranges: &mut [Range], header: &Header) -> Result<()> {
    let rebuilt = reading::read(from, &header.ranges, INFLATED_BYTES_MAX)?;
    for (range, entries) in ranges.iter_mut().zip(rebuilt) {
        range.entries = entries;
    }
    Ok(())
}
