//! What a session is told to do and what it tells.
//!
//! Must not know: how it does it.

use crate::error::Error;
use crate::ids::{BoxKey, DeviceKey, LogId};
use crate::replica::ingest::Ingested;

/// What a caller may choose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether to be sent the newest entries first; by default when nothing is here yet or more
    /// than [`super::LAG_ENTRIES`] are missing.
    pub newest_first: Option<bool>,
    /// The static key at the other end of the line that carries the session, where there is one:
    /// the device that the other side says it is must have it as its box key.
    pub line: Option<BoxKey>,
}

/// What was sent and received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "SessionStats"))]
pub struct Stats {
    /// Entries sent.
    pub sent: u64,
    /// Entries to be sent in all, once known.
    pub to_send: u64,
    /// Entries received.
    pub received: u64,
    /// Entries to be received in all, once known.
    pub to_receive: u64,
    /// Chunks of photos sent.
    pub chunks_sent: u64,
    /// Chunks of photos received.
    pub chunks_received: u64,
    /// Bytes of all frames sent.
    pub sent_bytes: u64,
    /// Bytes of all frames received.
    pub received_bytes: u64,
}

/// What a session tells its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The other side is this member.
    PeerKnown {
        /// Its device.
        device: DeviceKey,
    },
    /// A pack was taken in.
    Received {
        /// What became of it.
        ingested: Ingested,
    },
    /// A device has signed what it holds.
    Acknowledged {
        /// The device.
        device: DeviceKey,
    },
    /// How far it is.
    Progress(Stats),
    /// A log has two histories: both are kept, and its device is to be replaced.
    Forked {
        /// The log.
        log: LogId,
    },
    /// The other side sent more of this phone's own log than this phone had: a restored copy, which
    /// goes on in another log.
    Restored {
        /// The log.
        log: LogId,
    },
    /// A pack or a chunk could not be used; the others go on.
    Refused {
        /// Why.
        error: Error,
    },
    /// The session ended well.
    Done {
        /// What it did.
        stats: Stats,
    },
    /// The session ended early; what came is kept.
    Failed {
        /// Why.
        error: Error,
        /// Whether another session may end well without any change.
        retryable: bool,
    },
}
