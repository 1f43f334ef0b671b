//! What can go wrong on a [`FaultDisk`](super::FaultDisk), and the reports of what did.
//!
//! Plain values; knows SQLite's result codes, nothing of files.

use std::ffi::c_int;

use rusqlite::ffi;

/// A call of SQLite into the disk. Locks are not counted: they are memory, not I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Open,
    Read,
    Write,
    Truncate,
    Sync,
    Size,
    Delete,
    Access,
    ShmMap,
}

impl Call {
    /// Returns the result code the unix VFS gives when this call fails.
    pub(super) fn error_code(self) -> c_int {
        match self {
            Self::Open => ffi::SQLITE_CANTOPEN,
            Self::Read => ffi::SQLITE_IOERR_READ,
            Self::Write => ffi::SQLITE_IOERR_WRITE,
            Self::Truncate => ffi::SQLITE_IOERR_TRUNCATE,
            Self::Sync => ffi::SQLITE_IOERR_FSYNC,
            Self::Size => ffi::SQLITE_IOERR_FSTAT,
            Self::Delete => ffi::SQLITE_IOERR_DELETE,
            Self::Access => ffi::SQLITE_IOERR_ACCESS,
            Self::ShmMap => ffi::SQLITE_IOERR_SHMMAP,
        }
    }
}

/// An error to inject into a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A read fails with `SQLITE_IOERR_READ`.
    Read,
    /// A read gives the first half, fills the rest with zeros and says `SQLITE_IOERR_SHORT_READ`.
    ShortRead,
    /// A write or truncation fails with `SQLITE_IOERR_WRITE`; half of the bytes are written.
    Write,
    /// A write fails with `SQLITE_FULL`; half of the bytes are written.
    Full,
    /// A sync fails with `SQLITE_IOERR_FSYNC`; a later one may still save the writes.
    Fsync,
    /// A sync fails with `SQLITE_IOERR_FSYNC`, the unsynced writes stay readable but never reach
    /// the disk, and the next sync succeeds: Linux after a failed write-back.
    FsyncForgets,
    /// Any call fails for want of memory.
    NoMemory,
    /// Any call fails with the code the unix VFS gives for it.
    Any,
}

impl Fault {
    /// Every fault, for loops over all of them.
    pub const ALL: [Self; 8] = [
        Self::Read,
        Self::ShortRead,
        Self::Write,
        Self::Full,
        Self::Fsync,
        Self::FsyncForgets,
        Self::NoMemory,
        Self::Any,
    ];

    pub(super) fn applies_to(self, call: Call) -> bool {
        match self {
            Self::Read | Self::ShortRead => call == Call::Read,
            Self::Write => matches!(call, Call::Write | Call::Truncate),
            Self::Full => call == Call::Write,
            Self::Fsync | Self::FsyncForgets => call == Call::Sync,
            Self::NoMemory | Self::Any => true,
        }
    }

    pub(super) fn code(self, call: Call) -> c_int {
        match self {
            Self::ShortRead => ffi::SQLITE_IOERR_SHORT_READ,
            Self::Write => ffi::SQLITE_IOERR_WRITE,
            Self::Full => ffi::SQLITE_FULL,
            Self::NoMemory if call == Call::Open => ffi::SQLITE_NOMEM,
            Self::NoMemory => ffi::SQLITE_IOERR_NOMEM,
            Self::Read | Self::Fsync | Self::FsyncForgets | Self::Any => call.error_code(),
        }
    }
}

/// How long an injected fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permanence {
    /// One call fails, the next ones work.
    Transient,
    /// All calls the fault applies to fail until [`FaultDisk::heal`](super::FaultDisk::heal).
    Permanent,
}

/// How cruel a power cut is. Synced writes survive in the first three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CutMode {
    /// Unsynced writes are kept, dropped or torn; what is kept lands in the order of writing.
    Ordered,
    /// As `Ordered`, and what is kept may land in any order.
    #[default]
    Reordered,
    /// As `Reordered`, and pieces of torn writes may hold noise.
    Noise,
    /// As `Noise`, and torn writes spoil synced bytes in the same 4 KiB block. SQLite does not
    /// promise to survive this; damage must only be detected.
    Neighbour,
}

/// What a sync does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncMode {
    /// Moves the writes to the durable image.
    #[default]
    Honest,
    /// Says it did. No database can be durable on such a disk.
    Lying,
}

/// Damage to a file at rest. Pages count from 0; the page size is an argument of
/// [`FaultDisk::damage`](super::FaultDisk::damage).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// Flips one bit of a page.
    Flip {
        /// The page.
        page: usize,
        /// The bit within the page.
        bit: usize,
    },
    /// Fills a page with zeros.
    Zero {
        /// The page.
        page: usize,
    },
    /// Exchanges two pages: a misdirected write.
    Swap {
        /// One page.
        first: usize,
        /// The other page.
        second: usize,
    },
    /// Cuts the file down to so many pages.
    Truncate {
        /// Pages that stay.
        pages: usize,
    },
}

impl Damage {
    /// Applies the damage and returns whether a byte changed.
    pub(super) fn apply(self, image: &mut Vec<u8>, page_size: usize) -> bool {
        let pages = image.len() / page_size;
        match self {
            Self::Flip { page, bit } if page < pages => {
                let bit = bit % (page_size * 8);
                image[page * page_size + bit / 8] ^= 1 << (bit % 8);
                true
            }
            Self::Zero { page } if page < pages => {
                let page = &mut image[page * page_size..][..page_size];
                let changed = page.iter().any(|byte| *byte != 0);
                page.fill(0);
                changed
            }
            Self::Swap { first, second } if first.max(second) < pages && first != second => {
                let (low, high) = image.split_at_mut(first.max(second) * page_size);
                let low = &mut low[first.min(second) * page_size..][..page_size];
                low.swap_with_slice(&mut high[..page_size]);
                true
            }
            Self::Truncate { pages: kept } if kept < pages => {
                image.truncate(kept * page_size);
                true
            }
            _ => false,
        }
    }
}

/// What one power cut did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutReport {
    /// Unsynced writes and truncations that survived whole.
    pub kept: u64,
    /// Those that were lost.
    pub dropped: u64,
    /// Those that survived in part.
    pub torn: u64,
    /// Creations and deletions of files that were undone.
    pub names_undone: u64,
    /// A hash over names and bytes of all that survived.
    pub image_hash: u64,
    /// A hash over what was decided about which write, without the bytes: equal for two runs of
    /// one script although SQLCipher draws fresh nonces each time.
    pub plan_hash: u64,
}

impl Default for CutReport {
    fn default() -> Self {
        Self {
            kept: 0,
            dropped: 0,
            torn: 0,
            names_undone: 0,
            image_hash: FNV_OFFSET,
            plan_hash: FNV_OFFSET,
        }
    }
}

impl CutReport {
    pub(super) fn plan(&mut self, value: u64) {
        self.plan_hash = fnv(self.plan_hash, &value.to_le_bytes());
    }
}

/// Totals over the life of a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Calls of all kinds, without locks.
    pub calls: u64,
    /// Reads.
    pub reads: u64,
    /// Writes and truncations.
    pub writes: u64,
    /// Syncs of files.
    pub syncs: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Power cuts.
    pub cuts: u64,
    /// Unsynced writes lost in cuts or forgotten by failed syncs.
    pub dropped: u64,
    /// Unsynced writes torn in cuts.
    pub torn: u64,
    /// Faults injected.
    pub faults: u64,
}

pub(super) const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// Continues an FNV-1a hash; good enough to compare images, and without another dependency.
pub(super) fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}
