//! Ranges: a stretch of one log with all that is needed to verify it on its own.
//!
//! Invariant: what [`Range::verify`] accepts was signed, as a whole chain up to here, by the
//! device that the range names. Must not know: membership, epochs, bytes of packs.

use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::ids::{DeviceKey, Digest, Link, LogId, SpaceId};
use crate::log::chain::{self, RUN_ENTRIES_MAX, Run, Salts, Sort};
use crate::log::entry::{Body, CONTROL_HEADS_MAX, ENTRY_BYTES_MAX, Entry, ITEMS_MAX, entry_digest};
use crate::log::item::{ITEM_BYTES_MAX, item_digest};
use crate::log::pack::header::Extent;

/// The most entries in a pack, and so in a range.
pub const ENTRIES_MAX: usize = 4_096;

/// Consecutive entries of one log, ending at an entry that has its own seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The author.
    pub device: DeviceKey,
    /// The log's nonce; with device, sort and space it gives the log's id.
    pub nonce: [u8; 16],
    /// Which of the device's logs.
    pub sort: Sort,
    /// The sequence number of the first entry.
    pub first: u64,
    /// The chain hash before the first entry.
    pub link_before: Link,
    /// The control heads in force before the first entry changes them; vouched for by nobody
    /// when it does change them.
    pub heads: Vec<Link>,
    /// The seal of the last entry.
    pub seal: [u8; 64],
    /// The salt runs; they cover exactly the entries, and there are none in a control log.
    pub runs: Vec<Run>,
    /// The entries.
    pub entries: Vec<Entry>,
}

/// What verifying found out about one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The sequence number.
    pub seq: u64,
    /// The chain hash up to and including the entry.
    pub link: Link,
    /// The entry's digest.
    pub digest: Digest,
    /// The digests of its items.
    pub item_digests: Vec<Digest>,
    /// The control heads in force at the entry; one allocation serves all until they change.
    pub heads: Arc<[Link]>,
}

impl Range {
    /// Returns the id of the log.
    #[must_use]
    pub fn log_id(&self, space: &SpaceId) -> LogId {
        chain::log_id(space, &self.device, self.sort, &self.nonce)
    }

    /// Returns the sequence number of the last entry.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.first + (self.entries.len() as u64).saturating_sub(1)
    }

    /// Returns what the header of a pack says of the range.
    #[must_use]
    pub fn extent(&self, space: &SpaceId) -> Extent {
        Extent { log: self.log_id(space), first: self.first, count: self.entries.len() as u64 }
    }

    /// Recomputes salts, digests and links, and checks the seal of the last entry.
    ///
    /// # Errors
    /// `E-SIZE` over a bound; `E-FORMAT` when runs do not cover exactly or heads are out of order; `E-BODY` when an entry 0
    /// does not start its log; `E-SIG` or `E-KEY` when the seal does not hold.
    pub fn verify(&self, space: &SpaceId) -> Result<Vec<Verified>> {
        self.check_shape()?;
        let log = self.log_id(space);
        if self.first == 0 && self.link_before != chain::first_link(space, &log) {
            return Err(self.fault(Kind::Body, self.first, "another start link"));
        }
        if self.first == 0 && !self.heads.is_empty() {
            return Err(self.fault(Kind::Format, self.first, "heads before the start"));
        }
        let mut salts = SaltCursor::new(&self.runs);
        let mut heads: Arc<[Link]> = self.heads.as_slice().into();
        let mut link = self.link_before;
        let mut verified = Vec::with_capacity(self.entries.len());
        for (seq, entry) in (self.first..).zip(&self.entries) {
            if let Some(changed) = &entry.control_heads {
                heads = changed.as_slice().into();
            }
            let item_digests = self.item_digests(entry, seq, &mut salts)?;
            let digest = entry_digest(entry.kind, entry.hlc, &heads, &item_digests);
            link = chain::next_link(&link, seq, &digest);
            verified.push(Verified { seq, link, digest, item_digests, heads: Arc::clone(&heads) });
        }
        salts.finish()?;
        chain::check_seal(&self.device, space, &log, self.last(), &link, &self.seal)?;
        Ok(verified)
    }

    fn item_digests(
        &self,
        entry: &Entry,
        seq: u64,
        salts: &mut SaltCursor<'_>,
    ) -> Result<Vec<Digest>> {
        let oversized = |item: &Body| matches!(item, Body::Bytes(b) if b.len() > ITEM_BYTES_MAX);
        let too_many = entry.items.len() > ITEMS_MAX;
        if too_many || entry.encoded_len() > ENTRY_BYTES_MAX || entry.items.iter().any(oversized) {
            return Err(self.fault(Kind::Size, seq, "an entry or item over its cap"));
        }
        let mut digests = Vec::with_capacity(entry.items.len());
        for (index, item) in (0_u32..).zip(&entry.items) {
            digests.push(match item {
                Body::Absent(digest) => *digest,
                Body::Bytes(bytes) if self.sort == Sort::Control => item_digest(&[], bytes),
                Body::Bytes(bytes) => item_digest(&salts.salt(seq, index)?, bytes),
            });
        }
        Ok(digests)
    }

    /// Checks counts, order and cover before anything is hashed.
    fn check_shape(&self) -> Result<()> {
        let count = self.entries.len() as u64;
        if self.entries.is_empty() || self.entries.len() > ENTRIES_MAX {
            return Err(self.fault(Kind::Size, self.first, "a wrong number of entries"));
        }
        if self.first.checked_add(count).is_none() {
            return Err(self.fault(Kind::Size, self.first, "a sequence number too high"));
        }
        check_heads(&self.heads).map_err(|kind| self.fault(kind, self.first, "control heads"))?;
        for (seq, entry) in (self.first..).zip(&self.entries) {
            let heads = entry.control_heads.as_deref().unwrap_or_default();
            check_heads(heads).map_err(|kind| self.fault(kind, seq, "control heads"))?;
        }
        check_cover(&self.runs, self.sort, self.first, count)
    }

    fn fault(&self, kind: Kind, seq: u64, what: &str) -> Error {
        Error::new(kind, format!("{what}, device {} entry {seq}", self.device))
    }
}

fn check_heads(heads: &[Link]) -> Result<(), Kind> {
    if heads.len() > CONTROL_HEADS_MAX {
        return Err(Kind::Size);
    }
    if !heads.is_sorted_by(|a, b| a < b) {
        return Err(Kind::Format);
    }
    Ok(())
}

/// Checks that `runs` cover exactly `count` entries from `first`, and nothing in a control log.
pub(super) fn check_cover(runs: &[Run], sort: Sort, first: u64, count: u64) -> Result<()> {
    let wrong = || Error::new(Kind::Format, format!("salt runs from entry {first}"));
    if sort == Sort::Control {
        return if runs.is_empty() { Ok(()) } else { Err(wrong()) };
    }
    let mut next = first;
    for run in runs {
        let fits = run.first == next && (1..=RUN_ENTRIES_MAX).contains(&run.count);
        if !fits || run.salts == Salts::Empty {
            return Err(wrong());
        }
        next = next.checked_add(run.count).ok_or_else(wrong)?;
        if let Salts::Kept(kept) = &run.salts {
            let inside = kept.iter().all(|(seq, _, _)| run.covers(*seq));
            if !inside || !kept.is_sorted_by(|a, b| (a.0, a.1) < (b.0, b.1)) {
                return Err(wrong());
            }
        }
    }
    if first.checked_add(count) != Some(next) {
        return Err(wrong());
    }
    Ok(())
}

/// Walks the runs alongside the entries, so that each salt is found in constant time.
struct SaltCursor<'a> {
    runs: &'a [Run],
    kept: usize,
}

impl<'a> SaltCursor<'a> {
    fn new(runs: &'a [Run]) -> Self {
        Self { runs, kept: 0 }
    }

    fn salt(&mut self, seq: u64, index: u32) -> Result<[u8; 16]> {
        let missing = || Error::new(Kind::Format, format!("no salt for item {index} of {seq}"));
        loop {
            let (run, rest) = self.runs.split_first().ok_or_else(missing)?;
            if run.covers(seq) {
                return match &run.salts {
                    Salts::Seed(seed) => Ok(chain::seed_salt(seed, seq, index)),
                    Salts::Kept(kept) => match kept.get(self.kept) {
                        Some((s, i, salt)) if (*s, *i) == (seq, index) => {
                            self.kept += 1;
                            Ok(*salt)
                        }
                        _ => Err(missing()),
                    },
                    Salts::Empty => Err(missing()),
                };
            }
            self.leave(run)?;
            self.runs = rest;
        }
    }

    /// Refuses kept salts that no item used: an erased item could be guessed from its salt.
    fn leave(&mut self, run: &Run) -> Result<()> {
        if matches!(&run.salts, Salts::Kept(kept) if kept.len() != self.kept) {
            return Err(Error::new(
                Kind::Format,
                format!("a salt without its item, run from {}", run.first),
            ));
        }
        self.kept = 0;
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        for run in std::mem::take(&mut self.runs) {
            self.leave(run)?;
        }
        Ok(())
    }
}
