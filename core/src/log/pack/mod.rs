//! Packs: the unit in which ranges of logs travel and are kept, compressed and sealed.
//!
//! ```text
//! pack    = header, body
//! header  = "TQP1", suite u8, flags u8, space 16, epoch 16, CBOR [[log, first, count]...],
//!           nonce 24                      (epoch and nonce are zero in an open pack)
//! trimmed = flags u8, CBOR [index, first, count], (epoch 16), (nonce 24)
//! flags   = 1 open, 2 columns, 4 trimmed, 8 epoch spelled out, 16 link and heads left out
//! body    = u32 frame length, zstd frame, zeros up to Padmé of the whole; in a sealed pack
//!           under XChaCha20-Poly1305 with the full header, flags as sent, as additional data
//! content = [[range...], entries]         (what the frame holds, canonical CBOR)
//! range   = [device key, log nonce, link before, control heads, seal, [run...]];
//!           trimmed without the first two, or without the first four
//! run     = [count, seed | [[seq - first of the run, index, salt]...]]
//! entries = [entry...] over all ranges in order, or [stream...], see `columns`
//! ```
//!
//! Only the frame's content size is declared, neither its dictionary nor a checksum. An open
//! pack holds control logs and a sealed pack data logs, so the sort is not sent. Decoding is
//! two steps, so that a pack whose key is missing can be kept whole: [`Header::read`], then
//! [`open`]; then [`Range::verify`] for each range. Invariant: whatever [`open`] gives has the
//! extents that the header declares. Must not know: who is a member, where packs are kept.

mod body;
mod columns;
mod header;
mod range;

pub use self::body::{content, encode, open};
pub use self::header::{Extent, Header};
pub use self::range::{ENTRIES_MAX, Range, Verified};

use crate::crypto;
use crate::ids::{DeviceKey, Digest, EpochId, Link};
use crate::log::chain::Sort;
use crate::log::dictionary;

/// The first bytes of a pack.
pub const MAGIC: [u8; 4] = *b"TQP1";
/// The most bytes of a pack.
pub const SEALED_BYTES_MAX: usize = 1 << 20;
/// The most bytes of its content, and of the entries rebuilt from it.
pub const INFLATED_BYTES_MAX: usize = 8 << 20;
/// The length of the nonce.
pub const NONCE_LEN: usize = 24;

/// Who can read a pack.
#[derive(Clone, PartialEq, Eq)]
pub enum Mode {
    /// Everybody: control logs.
    Open,
    /// Holders of an epoch's key: data logs.
    Sealed {
        /// The epoch.
        epoch: EpochId,
        /// Its pack key.
        key: [u8; 32],
    },
}

impl std::fmt::Debug for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open => f.write_str("Open"),
            Self::Sealed { epoch, .. } => write!(f, "Sealed({epoch})"),
        }
    }
}

/// How the entries are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Layout 0: one after the other.
    Entries,
    /// Layout 1: by column.
    Columns,
}

impl Layout {
    fn from_columns(columns: bool) -> Self {
        if columns { Self::Columns } else { Self::Entries }
    }
}

/// How to make a pack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packing {
    /// The zstd level; 3 in passing, 9 and more in snapshots. Zero means 3.
    pub level: i32,
    /// The layout; when absent columns are taken for more than 64 entries, and for fewer the
    /// smaller of both. Columns that do not rebuild the same bytes are never used.
    pub layout: Option<Layout>,
    /// What a session leaves out; absent in whole packs.
    pub trim: Option<Trim>,
}

impl Packing {
    fn level(&self) -> i32 {
        if self.level == 0 { dictionary::LEVEL } else { self.level }
    }
}

/// What a session leaves out of a pack of one range. Device and nonce are always left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trim {
    /// The log's index in the sender's vector.
    pub index: u64,
    /// Whether link and heads are in the pack: unless the range follows the peer's last entry.
    pub with_link: bool,
    /// Whether the epoch is in the pack: unless it is that of the sealed pack sent before.
    pub with_epoch: bool,
}

/// What the receiver of a trimmed pack knows of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The author.
    pub device: DeviceKey,
    /// The log's nonce.
    pub nonce: [u8; 16],
    /// Which of the device's logs.
    pub sort: Sort,
    /// The link before the first entry and the control heads in force there; absent when the
    /// receiver does not hold the entry before it.
    pub before: Option<(Link, Vec<Link>)>,
}

/// Returns the id of a pack: a hash of all its bytes.
#[must_use]
pub fn pack_id(bytes: &[u8]) -> Digest {
    Digest(crypto::hash_bytes("tuquan/1 pack", bytes))
}

/// Returns the length to which `len` bytes are padded (Padmé): at most 12 % more, and only
/// O(log log) of the length shows.
#[must_use]
pub fn padded_len(len: usize) -> usize {
    if len < 2 {
        return len;
    }
    let e = len.ilog2();
    let s = e.max(1).ilog2() + 1;
    let step = 1_usize << e.saturating_sub(s);
    len.next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::padded_len;

    #[test]
    fn padding_costs_at_most_twelve_percent_and_is_stable() {
        for len in (0..5_000).chain((5_000..2_000_000).step_by(997)) {
            let padded = padded_len(len);
            assert!(padded >= len && padded - len <= 1.max(len * 12 / 100));
            assert_eq!(padded_len(padded), padded);
        }
        assert_eq!([padded_len(9), padded_len(240), padded_len(241)], [10, 240, 256]);
    }
}
