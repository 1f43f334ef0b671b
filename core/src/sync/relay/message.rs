//! What a phone asks of a hub, and what the hub answers, without saying how it travels.

use crate::ids::{DeviceKey, Digest};
use crate::log::pack::Extent;

/// The most packs that one request names.
pub const BATCH_PACKS_MAX: usize = 256;

/// Which hub this is: its key signs receipts, its origin is signed at login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hub {
    /// The hub's Ed25519 key.
    pub key: DeviceKey,
    /// Its public base address without a slash at the end.
    pub origin: String,
}

/// What is asked of a hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Has anything changed since these digests of its listing and its acknowledgements?
    State {
        /// The listing's digest as it is known here.
        listing: Digest,
        /// That of the acknowledgements.
        acks: Digest,
    },
    /// The listing after a sequence number.
    List {
        /// The hub's sequence number; 0 for all.
        after: u64,
    },
    /// Packs.
    Get {
        /// Their ids, at most [`BATCH_PACKS_MAX`].
        ids: Vec<Digest>,
    },
    /// Here are packs, of at most [`super::BATCH_BYTES_MAX`] together or a single one.
    Put {
        /// The packs, whole.
        packs: Vec<Vec<u8>>,
    },
    /// This device opened these packs whole.
    Opened {
        /// Their ids.
        ids: Vec<Digest>,
    },
    /// The device's signed acknowledgement.
    PutAck {
        /// See [`super::SignedAck`].
        bytes: Vec<u8>,
    },
    /// The acknowledgements of all devices.
    GetAcks,
}

/// One line of a hub's listing: a claim, but for the receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The hub's own number.
    pub seq: u64,
    /// The pack.
    pub id: Digest,
    /// Its bytes.
    pub size: u64,
    /// What its header says that it carries.
    pub ranges: Vec<Extent>,
    /// The hub's signature under having it.
    pub receipt: Vec<u8>,
}

/// What a hub answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// Nothing has changed.
    Same,
    /// Something has: the digests as they are there.
    Changed {
        /// Of the listing.
        listing: Digest,
        /// Of the acknowledgements.
        acks: Digest,
    },
    /// A part of the listing.
    Listing {
        /// Names the hub's database; another one after a restore.
        instance: Vec<u8>,
        /// The lines, oldest first.
        packs: Vec<Listed>,
        /// Whether there are more.
        more: bool,
    },
    /// Packs, some of those that were asked for.
    Packs(Vec<Vec<u8>>),
    /// The hub's signatures under the packs that came, by id.
    Receipts(Vec<(Digest, Vec<u8>)>),
    /// Done.
    Noted,
    /// Acknowledgements.
    Acks(Vec<Vec<u8>>),
}
