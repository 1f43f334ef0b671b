//! What a hub keeps, behind one trait: everything that must outlive a process, and nothing else.
//!
//! [`sqlite`] keeps it in one file. Any other implementation passes the same suite of tests
//! (`hub/tests/relay/conformance.rs`). Several processes may share one storage, so what is decided on what
//! is stored is decided inside one call. Invariant: what a call of this trait says it stored has
//! reached the disk. Must not know: HTTP, who is a member, the time (it is an argument, in ms).

pub mod sqlite;

use std::future::Future;
use std::pin::Pin;

use tuquan_core::error::Result;
use tuquan_core::ids::{DeviceKey, Digest, LogId, PersonId, SpaceId};
use tuquan_core::log::pack::Extent;

/// An answer that comes later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Who brings something: its bytes count as this device's share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bearer {
    /// The device.
    pub device: DeviceKey,
    /// Its person.
    pub person: PersonId,
}

/// How much may be kept, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Of the space.
    pub space: u64,
    /// Of the bearer, or of all that came without one.
    pub share: u64,
}

/// A pack to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPack {
    /// Its id.
    pub id: Digest,
    /// Whether it holds control logs.
    pub open: bool,
    /// What its header says that it carries.
    pub ranges: Vec<Extent>,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// What became of something that was brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It was new and is kept.
    New,
    /// It was here.
    Known,
    /// It was erased by a signed list and is not taken again.
    Erased,
}

/// How far the listing of a space is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// Rises with every pack that comes or goes.
    pub change: u64,
    /// Rises with every open pack that comes or goes.
    pub control: u64,
    /// How many packs there are.
    pub packs: u64,
    /// The sequence number of the pack that came last.
    pub last: u64,
}

/// One pack of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Rises from pack to pack; never given twice by one database.
    pub seq: u64,
    /// Its id.
    pub id: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Whether it holds control logs.
    pub open: bool,
    /// What its header says that it carries.
    pub ranges: Vec<Extent>,
}

/// A sealed pack and who said that they opened it whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The pack.
    pub id: Digest,
    /// Whose device brought it.
    pub bearer: Option<PersonId>,
    /// What its header says that it carries.
    pub ranges: Vec<Extent>,
    /// Each person once, and when it said so first, in ms.
    pub by: Vec<(PersonId, i64)>,
}

/// An acknowledgement to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// Who signed it.
    pub device: DeviceKey,
    /// Its data log, if it has one.
    pub log: Option<LogId>,
    /// Its counter.
    pub counter: u64,
    /// Its hash.
    pub hash: Digest,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// What is erased by a signed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erasable {
    /// Sealed packs.
    Packs,
    /// Chunks of attachments.
    Chunks,
}

/// What became of a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nonce {
    /// It was there and is used now.
    Fresh,
    /// It was used before.
    Used,
    /// It is unknown, of another device, or too old.
    Unknown,
}

/// What a token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// The space.
    pub space: SpaceId,
    /// The device.
    pub device: DeviceKey,
    /// When it stops to be good, in ms.
    pub expires_ms: i64,
}

/// A slot of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot {
    /// The mailbox.
    pub mailbox: [u8; 16],
    /// 0 to 7.
    pub number: u8,
}

/// Counts and sizes over all, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Spaces.
    pub spaces: u64,
    /// Packs.
    pub packs: u64,
    /// Their bytes.
    pub pack_bytes: u64,
    /// Chunks.
    pub chunks: u64,
    /// Their bytes.
    pub chunk_bytes: u64,
    /// Filled slots of mailboxes.
    pub slots: u64,
}

/// What a hub keeps. Every call fails with `E-IO` and its like when the storage does not answer.
pub trait Storage: Send + Sync + std::fmt::Debug + 'static {
    /// Returns the random id of this database: another one for a new or copied one.
    fn epoch(&self) -> Later<'_, [u8; 16]>;
    /// Returns counts and sizes; a sign of life too.
    fn usage(&self) -> Later<'_, Usage>;
    /// Returns how much room is left on the disk, where that is known.
    fn free_bytes(&self) -> Later<'_, Option<u64>>;

    /// Keeps packs, all or none; the space is there from then on.
    ///
    /// # Errors
    /// `E-FULL` over the quota.
    fn put_packs(
        &self,
        space: SpaceId,
        packs: Vec<NewPack>,
        bearer: Option<Bearer>,
        quota: Quota,
    ) -> Later<'_, Vec<Kept>>;
    /// Returns all spaces.
    fn spaces(&self) -> Later<'_, Vec<SpaceId>>;
    /// Returns how far the listing of a space is; none for an unknown space.
    fn version(&self, space: SpaceId) -> Later<'_, Option<Version>>;
    /// Returns the ids of all packs, and the version that they are of.
    fn ids(&self, space: SpaceId) -> Later<'_, (Version, Vec<Digest>)>;
    /// Lists at most `limit` packs after a sequence number, oldest first.
    fn list(&self, space: SpaceId, after: u64, limit: u32) -> Later<'_, Vec<Listed>>;
    /// Returns packs in the order of `ids` without missing ones, until `bytes_max` is passed.
    fn packs(&self, space: SpaceId, ids: Vec<Digest>, bytes_max: usize) -> Later<'_, Vec<Vec<u8>>>;
    /// Returns all open packs, and the version that they are of.
    fn open_packs(&self, space: SpaceId) -> Later<'_, (Version, Vec<Vec<u8>>)>;

    /// Notes that a person's device opened packs whole; the first time counts.
    fn put_opened(
        &self,
        space: SpaceId,
        ids: Vec<Digest>,
        person: PersonId,
        now_ms: i64,
    ) -> Later<'_, ()>;
    /// Returns sealed packs with who opened them.
    fn opened(&self, space: SpaceId) -> Later<'_, Vec<Opened>>;
    /// Drops a pack if the one that covers it is still there.
    fn drop_covered(&self, space: SpaceId, id: Digest, by: Digest) -> Later<'_, bool>;
    /// Erases for good what is there of `ids` and takes none of them again; returns how many were
    /// there. With `only`, what that person's devices did not bring is left alone.
    fn erase(
        &self,
        space: SpaceId,
        what: Erasable,
        ids: Vec<Digest>,
        only: Option<PersonId>,
    ) -> Later<'_, u64>;

    /// Keeps an acknowledgement unless one of the same device and log with this or a higher
    /// counter is there; tells whether. Of one device the latest few are kept.
    fn put_ack(&self, space: SpaceId, ack: Ack, now_ms: i64) -> Later<'_, bool>;
    /// Returns the hashes of all acknowledgements.
    fn ack_hashes(&self, space: SpaceId) -> Later<'_, Vec<Digest>>;
    /// Returns all acknowledgements.
    fn acks(&self, space: SpaceId) -> Later<'_, Vec<Vec<u8>>>;

    /// Keeps a chunk.
    ///
    /// # Errors
    /// `E-FULL` over the quota.
    fn put_chunk(
        &self,
        space: SpaceId,
        id: Digest,
        bytes: Vec<u8>,
        bearer: Bearer,
        quota: Quota,
    ) -> Later<'_, Kept>;
    /// Returns a chunk.
    fn chunk(&self, space: SpaceId, id: Digest) -> Later<'_, Option<Vec<u8>>>;
    /// Returns which chunks are not here.
    fn missing_chunks(&self, space: SpaceId, ids: Vec<Digest>) -> Later<'_, Vec<Digest>>;

    /// Keeps a nonce for one device until a time.
    fn put_nonce(
        &self,
        nonce: [u8; 32],
        space: SpaceId,
        device: DeviceKey,
        expires_ms: i64,
    ) -> Later<'_, ()>;
    /// Uses up a nonce.
    fn take_nonce(
        &self,
        nonce: [u8; 32],
        space: SpaceId,
        device: DeviceKey,
        now_ms: i64,
    ) -> Later<'_, Nonce>;
    /// Keeps what a token stands for, by the token's hash.
    fn put_token(&self, hash: [u8; 32], token: Token) -> Later<'_, ()>;
    /// Returns what a token stands for.
    fn token(&self, hash: [u8; 32]) -> Later<'_, Option<Token>>;

    /// Fills a slot; other bytes never replace what is there. None over `bytes_max` in all
    /// mailboxes; else whether these bytes are there now.
    fn put_slot(
        &self,
        slot: Slot,
        bytes: Vec<u8>,
        now_ms: i64,
        expires_ms: i64,
        bytes_max: u64,
    ) -> Later<'_, Option<bool>>;
    /// Returns what is in a slot.
    fn slot(&self, slot: Slot, now_ms: i64) -> Later<'_, Option<Vec<u8>>>;

    /// Drops nonces, tokens and slots whose time is over.
    fn purge(&self, now_ms: i64) -> Later<'_, ()>;
}
