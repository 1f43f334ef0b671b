//! Varints, integer columns and a bounded reader of streams.
//!
//! Must not know: entries, items.

use crate::error::{Error, Kind, Result};

const PLAIN: u8 = 0;
const FROM_BASE: u8 = 1;
const FROM_LAST: u8 = 2;

/// Appends `value` as LEB128.
pub(super) fn put(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// Returns the defect of a stream.
pub(super) fn malformed(what: &str) -> Error {
    Error::new(Kind::Format, format!("columns: {what}"))
}

/// Reads one stream, never past its end.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stream<'a> {
    bytes: &'a [u8],
}

impl<'a> Stream<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// Refuses a stream over `max` bytes.
    pub(super) fn check_len(&self, max: usize) -> Result<()> {
        if self.bytes.len() > max {
            return Err(Error::new(Kind::Size, format!("columns: a stream over {max}")));
        }
        Ok(())
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let parts = self.bytes.split_at_checked(len);
        let (taken, rest) = parts.ok_or_else(|| malformed("a stream ends too early"))?;
        self.bytes = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        <[u8; N]>::try_from(self.take(N)?).map_err(|_| malformed("a stream ends too early"))
    }

    pub(super) fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for (at, byte) in self.bytes.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.bytes = &self.bytes[at + 1..];
                return Ok(value);
            }
        }
        Err(malformed("a number without an end"))
    }

    /// Reads a number of at most `max`.
    pub(super) fn count(&mut self, max: usize) -> Result<usize> {
        let value = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        if value > max {
            return Err(Error::new(Kind::Size, format!("columns: {value} is over {max}")));
        }
        Ok(value)
    }
}

/// Maps small magnitudes of both signs to small numbers.
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// Undoes [`zigzag`].
pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// Encodes integers, each with its base, in the mode that takes the fewest bytes.
pub(super) fn put_ints(values: &[(i64, i64)]) -> Vec<u8> {
    if values.is_empty() {
        return Vec::new();
    }
    [PLAIN, FROM_BASE, FROM_LAST]
        .map(|mode| put_ints_as(mode, values))
        .into_iter()
        .min_by_key(Vec::len)
        .unwrap_or_default()
}

fn put_ints_as(mode: u8, values: &[(i64, i64)]) -> Vec<u8> {
    let mut last = 0;
    let differences = values.iter().map(|(value, base)| {
        let difference = match mode {
            FROM_BASE => value.wrapping_sub(*base),
            FROM_LAST => value.wrapping_sub(last),
            _ => *value,
        };
        last = *value;
        difference
    });
    let differences: Vec<i64> = differences.collect();
    let divisor = differences.iter().fold(0, |divisor, value| gcd(value.unsigned_abs(), divisor));
    let scale = i64::try_from(divisor).unwrap_or(1).max(1);
    let mut to = Vec::with_capacity(values.len() * 2 + 10);
    to.push(mode);
    put(&mut to, scale.cast_unsigned());
    for difference in differences {
        put(&mut to, zigzag(difference / scale));
    }
    to
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Reads an integer column.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ints<'a> {
    stream: Stream<'a>,
    mode: u8,
    scale: i64,
    last: i64,
}

impl<'a> Ints<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self> {
        let mut ints = Self { stream: Stream::new(bytes), ..Self::default() };
        if !bytes.is_empty() {
            [ints.mode] = ints.stream.array()?;
            ints.scale = ints.stream.varint()?.cast_signed();
        }
        if ints.mode > FROM_LAST {
            return Err(malformed("an unknown mode of an integer column"));
        }
        Ok(ints)
    }

    pub(super) fn next(&mut self, base: i64) -> Result<i64> {
        let difference = unzigzag(self.stream.varint()?).wrapping_mul(self.scale);
        let value = match self.mode {
            FROM_BASE => base.wrapping_add(difference),
            FROM_LAST => self.last.wrapping_add(difference),
            _ => difference,
        };
        self.last = value;
        Ok(value)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stream.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_come_back_in_whatever_mode_is_smallest() {
        let times: Vec<_> = (0..9).map(|n| (1_700_000_040_000 + n * 60_000, n)).collect();
        let near: Vec<_> = (0..9).map(|n| (n * n * 7_919 + 3, n * n * 7_919)).collect();
        let wild = vec![(i64::MIN, 0), (i64::MAX, -1), (0, i64::MIN), (-1, i64::MAX)];
        let least = vec![(i64::MIN, 0)];
        for (values, mode) in [(times, 2), (near, 1), (wild, 0), (least, 0)] {
            let bytes = put_ints(&values);
            assert_eq!(bytes[0], mode);
            let mut ints = Ints::new(&bytes).expect("column");
            for (value, base) in values {
                assert_eq!(ints.next(base).expect("value"), value);
            }
            assert!(ints.is_empty() && ints.next(0).is_err());
        }
    }

    #[test]
    fn a_number_without_an_end_is_refused() {
        assert!(Stream::new(&[0xff; 20]).varint().is_err());
        assert!(Stream::new(&[0x80]).varint().is_err());
        assert!(Stream::new(&[9]).count(8).is_err());
    }
}
