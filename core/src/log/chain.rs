//! The hash chain of a log, its seals, and the salts that keep erased items from being guessed.
//!
//! `link(n) = H(link(n-1), n, entry digest)`, `link(-1) = H(space, log)`; a seal is one Ed25519
//! signature of a link and so of everything before it. Must not know: the database.

use crate::codec::Writer;
use crate::crypto::{self, DeviceSecret, SIGNATURE_LEN};
use crate::error::Result;
use crate::ids::{DeviceKey, Digest, Link, LogId, SpaceId};

/// The most entries that share one salt seed.
pub const RUN_ENTRIES_MAX: u64 = 64;
/// A seal is due at least every so many entries.
pub const SEAL_ENTRIES_MAX: u64 = 256;
/// A seal is due at least every so many bytes of entries.
pub const SEAL_BYTES_MAX: u64 = 256 << 10;

/// Which of a device's two logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// Keys and rights; readable by a hub, not encrypted.
    Control,
    /// Records; sealed under epoch keys.
    Data,
}

impl Sort {
    /// Returns the number on the wire.
    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            Self::Control => 0,
            Self::Data => 1,
        }
    }

    /// Reads the number on the wire.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Control),
            1 => Some(Self::Data),
            _ => None,
        }
    }
}

/// Returns the id of a log: bound to its space, key and sort.
#[must_use]
pub fn log_id(space: &SpaceId, device: &DeviceKey, sort: Sort, nonce: &[u8; 16]) -> LogId {
    let mut args = Writer::new();
    args.array(4).bytes(&space.0).bytes(&device.0).uint(sort.number()).bytes(nonce);
    LogId(crypto::short(&crypto::hash("tuquan/1 log", &args)))
}

/// Returns the id of a branch of a forked log: `parent` has the entries before it, `link` is that
/// of its first entry.
#[must_use]
pub fn branch_id(parent: &LogId, link: &Link) -> LogId {
    let mut args = Writer::new();
    args.array(2).bytes(&parent.0).bytes(&link.0);
    LogId(crypto::short(&crypto::hash("tuquan/1 branch", &args)))
}

/// Returns the link before the first entry of a log.
#[must_use]
pub fn first_link(space: &SpaceId, log: &LogId) -> Link {
    let mut args = Writer::new();
    args.array(2).bytes(&space.0).bytes(&log.0);
    Link(crypto::hash("tuquan/1 start", &args))
}

/// Returns the link of entry `seq`.
#[must_use]
pub fn next_link(before: &Link, seq: u64, digest: &Digest) -> Link {
    let mut args = Writer::new();
    args.array(3).bytes(&before.0).uint(seq).bytes(&digest.0);
    Link(crypto::hash("tuquan/1 link", &args))
}

fn seal_hash(space: &SpaceId, log: &LogId, seq: u64, link: &Link) -> [u8; 32] {
    let mut args = Writer::new();
    args.array(4).bytes(&space.0).bytes(&log.0).uint(seq).bytes(&link.0);
    crypto::hash("tuquan/1 seal", &args)
}

/// Signs the link of entry `seq`.
#[must_use]
pub fn make_seal(
    secret: &DeviceSecret,
    space: &SpaceId,
    log: &LogId,
    seq: u64,
    link: &Link,
) -> [u8; SIGNATURE_LEN] {
    secret.sign(&seal_hash(space, log, seq, link))
}

/// Verifies a seal, strictly.
///
/// # Errors
/// `E-SIG`, `E-KEY`.
pub fn check_seal(
    device: &DeviceKey,
    space: &SpaceId,
    log: &LogId,
    seq: u64,
    link: &Link,
    seal: &[u8; SIGNATURE_LEN],
) -> Result<()> {
    crypto::verify(device, &seal_hash(space, log, seq, link), seal)
}

/// Where the salts of a stretch of entries come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Salts {
    /// A control log: none.
    Empty,
    /// A seed for every item of the run.
    Seed([u8; 16]),
    /// One salt per kept item, in order: (seq, index, salt); the seed was destroyed by an erase.
    Kept(Vec<(u64, u32, [u8; 16])>),
}

/// A stretch of at most 64 entries of a data log that share one seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The first sequence number.
    pub first: u64,
    /// How many entries.
    pub count: u64,
    /// Where their salts come from.
    pub salts: Salts,
}

impl Run {
    /// Returns the salt of item `index` of entry `seq`, empty where there is none.
    #[must_use]
    pub fn salt(&self, seq: u64, index: u32) -> Vec<u8> {
        match &self.salts {
            Salts::Empty => Vec::new(),
            Salts::Seed(seed) => seed_salt(seed, seq, index).to_vec(),
            Salts::Kept(kept) => kept
                .iter()
                .find(|(s, i, _)| (*s, *i) == (seq, index))
                .map_or_else(Vec::new, |(_, _, salt)| salt.to_vec()),
        }
    }

    /// Tells whether the run covers entry `seq`.
    #[must_use]
    pub fn covers(&self, seq: u64) -> bool {
        seq >= self.first && seq - self.first < self.count
    }

    /// Returns the part of a run that is about one entry.
    #[must_use]
    pub fn part(&self, seq: u64) -> Self {
        let salts = match &self.salts {
            Salts::Kept(kept) => {
                Salts::Kept(kept.iter().filter(|(of, ..)| *of == seq).copied().collect())
            }
            other => other.clone(),
        };
        Self { first: seq, count: 1, salts }
    }

    /// Tells whether `next` may be sent as one run with this one: the same seed, and not too long.
    #[must_use]
    pub fn continues(&self, next: &Self) -> bool {
        matches!(self.salts, Salts::Seed(_))
            && self.salts == next.salts
            && self.first + self.count == next.first
            && self.count < RUN_ENTRIES_MAX
    }
}

/// Returns the salt that `seed` gives item `index` of entry `seq`.
#[must_use]
pub fn seed_salt(seed: &[u8; 16], seq: u64, index: u32) -> [u8; 16] {
    let mut args = Writer::new();
    args.array(3).bytes(seed).uint(seq).uint(u64::from(index));
    crypto::short(&crypto::hash("tuquan/1 salt", &args))
}
