//! The clear header of a pack: who may open it, which stretches of which logs it carries.
//!
//! Invariant: every count is bounded before anything is allocated, and the additional data of
//! the seal is always the full header, also where a session leaves most of it out. Must not
//! know: keys, entries.

use crate::codec::{Reader, Writer};
use crate::crypto::SUITE;
use crate::error::{Error, Kind, Result};
use crate::ids::{EpochId, Link, LogId, SpaceId};
use crate::log::chain::{Sort, log_id};
use crate::log::pack::range::ENTRIES_MAX;
use crate::log::pack::{Known, Layout, MAGIC, NONCE_LEN, SEALED_BYTES_MAX};

const FLAG_OPEN: u8 = 1;
const FLAG_COLUMNS: u8 = 2;
const FLAG_TRIMMED: u8 = 4;
const FLAG_EPOCH: u8 = 8;
const FLAG_NO_LINK: u8 = 16;

/// Which entries of which log a pack carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Extent {
    /// The log.
    pub log: LogId,
    /// The first sequence number.
    pub first: u64,
    /// How many entries.
    pub count: u64,
}

/// What a trimmed pack left out, from the receiver's own knowledge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Left {
    /// The log's index in the sender's vector.
    pub(super) index: u64,
    /// What the receiver knows of the log.
    pub(super) known: Known,
    /// Whether link and heads are left out too.
    pub(super) link: bool,
    /// Whether the epoch is spelled out.
    pub(super) epoch: bool,
}

/// The clear part of a pack, checked within all bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Whether the body is not encrypted: control entries.
    pub open: bool,
    /// How the entries are laid out.
    pub layout: Layout,
    /// The space; the caller compares it (`E-SPACE`).
    pub space: SpaceId,
    /// The epoch whose pack key opens it; zero when open.
    pub epoch: EpochId,
    /// What it carries.
    pub ranges: Vec<Extent>,
    /// The nonce of the seal; zero when open.
    pub nonce: [u8; NONCE_LEN],
    pub(super) left: Option<Left>,
    pub(super) body_at: usize,
}

impl Header {
    /// Reads the header of a whole pack.
    ///
    /// # Errors
    /// `E-MAGIC`, `E-NEWER` for another suite or unknown flags, `E-SIZE` over a bound,
    /// `E-TRUNC`, `E-FORMAT`.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        check_size(bytes.len())?;
        let mut from = Reader::new(bytes);
        let magic_len = MAGIC.len().min(bytes.len());
        if bytes[..magic_len] != MAGIC[..magic_len] || bytes.is_empty() {
            return Err(Error::new(Kind::Magic, "not a pack"));
        }
        from.raw(MAGIC.len())?;
        check_suite(take::<1>(&mut from)?[0])?;
        let flags = take::<1>(&mut from)?[0];
        if flags & !(FLAG_OPEN | FLAG_COLUMNS) != 0 {
            return Err(Error::new(Kind::Newer, format!("pack flags {flags}")));
        }
        let space = SpaceId(take(&mut from)?);
        let epoch = EpochId(take(&mut from)?);
        let ranges = read_extents(&mut from)?;
        let nonce = take(&mut from)?;
        let header = Self {
            open: flags & FLAG_OPEN != 0,
            layout: Layout::from_columns(flags & FLAG_COLUMNS != 0),
            space,
            epoch,
            ranges,
            nonce,
            left: None,
            body_at: from.position(),
        };
        if header.open && (epoch != EpochId::default() || nonce != [0; NONCE_LEN]) {
            return Err(Error::new(Kind::Format, "an open pack with epoch or nonce"));
        }
        Ok(header)
    }

    /// Reads the header of a trimmed pack inside a session of `space`.
    ///
    /// `epoch` is that of the last sealed pack in this direction of the session; `known` tells
    /// what the receiver knows of the log at an index of the sender's vector, before entry
    /// `first`, and may leave link and heads out (then so must not the pack).
    ///
    /// # Errors
    /// As [`Header::read`]; `E-FORMAT` when the epoch or the link is neither given nor known;
    /// `E-NOTFOUND` when nothing is known of the log.
    pub fn read_trimmed(
        bytes: &[u8],
        space: &SpaceId,
        epoch: Option<EpochId>,
        known: impl FnOnce(u64, u64) -> Option<Known>,
    ) -> Result<Self> {
        check_size(bytes.len())?;
        let mut from = Reader::new(bytes);
        let flags = take::<1>(&mut from)?[0];
        let all = FLAG_OPEN | FLAG_COLUMNS | FLAG_TRIMMED | FLAG_EPOCH | FLAG_NO_LINK;
        let open = flags & FLAG_OPEN != 0;
        if flags & !all != 0 || flags & FLAG_TRIMMED == 0 {
            return Err(Error::new(Kind::Newer, format!("pack flags {flags}")));
        }
        from.tuple(3)?;
        let index = from.uint_max(u64::from(u32::MAX))?;
        let (first, count) = read_stretch(&mut from)?;
        from.end();
        let given = flags & FLAG_EPOCH != 0;
        let epoch = match (open, given) {
            (true, false) => EpochId::default(),
            (false, true) => EpochId(take(&mut from)?),
            (false, false) => {
                epoch.ok_or_else(|| Error::new(Kind::Format, "a trimmed pack without epoch"))?
            }
            (true, true) => return Err(Error::new(Kind::Format, "an open pack with epoch")),
        };
        let nonce = if open { [0; NONCE_LEN] } else { take(&mut from)? };
        let known = known(index, first)
            .ok_or_else(|| Error::new(Kind::NotFound, format!("log {index} of the vector")))?;
        let no_link = flags & FLAG_NO_LINK != 0;
        if (known.sort == Sort::Control) != open || (no_link && known.before.is_none()) {
            return Err(Error::new(
                Kind::Format,
                format!("trimmed too far, log {index} entry {first}"),
            ));
        }
        let log = log_id(space, &known.device, known.sort, &known.nonce);
        Ok(Self {
            open,
            layout: Layout::from_columns(flags & FLAG_COLUMNS != 0),
            space: *space,
            epoch,
            ranges: vec![Extent { log, first, count }],
            nonce,
            left: Some(Left { index, known, link: no_link, epoch: given }),
            body_at: from.position(),
        })
    }

    /// Returns how many entries the pack carries.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.ranges.iter().map(|extent| extent.count).sum()
    }

    /// Tells whether a session left parts of the pack out.
    #[must_use]
    pub fn is_trimmed(&self) -> bool {
        self.left.is_some()
    }

    /// Returns which of a device's logs the pack is about.
    #[must_use]
    pub fn sort(&self) -> Sort {
        if self.open { Sort::Control } else { Sort::Data }
    }

    /// Encodes the full header: the additional data of the seal in every form.
    #[must_use]
    pub(super) fn full(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[SUITE, self.flags()]);
        bytes.extend_from_slice(&self.space.0);
        bytes.extend_from_slice(&self.epoch.0);
        let mut to = Writer::after(bytes);
        to.array(self.ranges.len());
        for extent in &self.ranges {
            to.array(3).bytes(&extent.log.0).uint(extent.first).uint(extent.count);
        }
        to.raw(&self.nonce);
        to.into_bytes()
    }

    /// Encodes the header as it is sent.
    #[must_use]
    pub(super) fn sent(&self) -> Vec<u8> {
        let Some(left) = &self.left else {
            return self.full();
        };
        let mut to = Writer::after(vec![self.flags()]);
        to.array(3).uint(left.index);
        if let Some(extent) = self.ranges.first() {
            to.uint(extent.first).uint(extent.count);
        }
        if left.epoch {
            to.raw(&self.epoch.0);
        }
        if !self.open {
            to.raw(&self.nonce);
        }
        to.into_bytes()
    }

    /// Returns what the peer knows, where link and heads are left out.
    pub(super) fn link_known(&self) -> Option<&(Link, Vec<Link>)> {
        let left = self.left.as_ref().filter(|left| left.link)?;
        left.known.before.as_ref()
    }

    fn flags(&self) -> u8 {
        let mut flags = 0;
        let mut raise = |when: bool, flag: u8| flags |= if when { flag } else { 0 };
        raise(self.open, FLAG_OPEN);
        raise(self.layout == Layout::Columns, FLAG_COLUMNS);
        if let Some(left) = &self.left {
            raise(true, FLAG_TRIMMED);
            raise(left.epoch, FLAG_EPOCH);
            raise(left.link, FLAG_NO_LINK);
        }
        flags
    }
}

/// Takes the next `N` raw bytes.
pub(super) fn take<const N: usize>(from: &mut Reader<'_>) -> Result<[u8; N]> {
    let bytes = from.raw(N)?;
    <[u8; N]>::try_from(bytes).map_err(|_| Error::new(Kind::Truncated, "bytes end too early"))
}

fn check_size(len: usize) -> Result<()> {
    if len > SEALED_BYTES_MAX {
        return Err(Error::new(Kind::Size, format!("a pack of {len} bytes")));
    }
    Ok(())
}

fn check_suite(suite: u8) -> Result<()> {
    if suite != SUITE {
        return Err(Error::new(Kind::Newer, format!("suite {suite}")));
    }
    Ok(())
}

fn read_extents(from: &mut Reader<'_>) -> Result<Vec<Extent>> {
    let mut ranges = Vec::new();
    let mut total = 0;
    let cut_or_bomb = from.clone();
    let count = from.array(ENTRIES_MAX).map_err(|error| name_cut(error, &cut_or_bomb))?;
    for _ in 0..count {
        let cut_or_bomb = from.clone();
        from.tuple(3).map_err(|error| name_cut(error, &cut_or_bomb))?;
        let log = LogId(from.array_bytes()?);
        let (first, count) = read_stretch(from)?;
        from.end();
        total += count;
        if total > ENTRIES_MAX as u64 {
            return Err(Error::new(Kind::Size, "more entries than a pack may have"));
        }
        ranges.push(Extent { log, first, count });
    }
    from.end();
    if ranges.is_empty() {
        return Err(Error::new(Kind::Format, "a pack without ranges"));
    }
    Ok(ranges)
}

/// Tells a header that was cut off after the head of an array from a count that cannot be.
fn name_cut(error: Error, at: &Reader<'_>) -> Error {
    let plausible = match (at.clone().raw(1), at.clone().raw(3)) {
        (_, Ok([0x99, high, low])) => usize::from(u16::from_be_bytes([*high, *low])) <= ENTRIES_MAX,
        (Ok([head]), _) => *head <= 0x98,
        _ => false,
    };
    match error.kind {
        Kind::Size if plausible => Error::new(Kind::Truncated, "bytes end too early"),
        _ => error,
    }
}

fn read_stretch(from: &mut Reader<'_>) -> Result<(u64, u64)> {
    let first = from.uint()?;
    let count = from.uint_max(ENTRIES_MAX as u64)?;
    if count == 0 {
        return Err(Error::new(Kind::Format, "an empty range"));
    }
    if first.checked_add(count).is_none() {
        return Err(Error::new(Kind::Size, "a sequence number too high"));
    }
    Ok((first, count))
}
