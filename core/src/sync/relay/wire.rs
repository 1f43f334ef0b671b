//! What devices and a hub say to each other, apart from how it is carried: what is signed and
//! hashed, frames, and acknowledgements as the relay keeps them (protocol section 12).
//!
//! ```text
//! frames = (u32 length, bytes)*
//! ack    = CBOR [device, data log | null, counter, vector, signature]
//! ```
//!
//! Invariant: both sides take these from here, so that they cannot differ. Must not know: HTTP,
//! sockets, how a relay keeps things.

use crate::codec::{Reader, Writer};
use crate::crypto;
use crate::error::{Error, Kind, Result};
use crate::ids::{DeviceKey, Digest, LogId, SpaceId};
use crate::replica::Replica;
use crate::replica::outgoing::{self, Vector};
use crate::sync::session::{Claim, ack};

/// The most bytes of packs in one upload, and of a message in a mailbox's largest slot.
pub const BATCH_BYTES_MAX: usize = 1 << 20;
/// The most bytes of a sealed chunk of an attachment: 256 KiB and a tag.
pub const CHUNK_BYTES_MAX: usize = (256 << 10) + crypto::TAG_LEN;
const LEN_BYTES: usize = 4;

/// Returns what a device signs to log in: the relay's origin as its settings say it, the space, and
/// the nonce that the relay gave.
#[must_use]
pub fn login_hash(origin: &str, space: &SpaceId, nonce: &[u8; 32]) -> [u8; 32] {
    let mut args = Writer::new();
    args.array(3).text(origin).bytes(&space.0).bytes(nonce);
    crypto::hash("tuquan/1 hub login", &args)
}

/// Returns what the relay signs once a pack is on its disk.
#[must_use]
pub fn receipt_hash(space: &SpaceId, pack: &Digest) -> [u8; 32] {
    let mut args = Writer::new();
    args.array(2).bytes(&space.0).bytes(&pack.0);
    crypto::hash("tuquan/1 receipt", &args)
}

/// Returns the digest of a listing, from the ids of its packs in any order.
#[must_use]
pub fn listing_digest(ids: &[Digest]) -> Digest {
    Digest(hash_of_ids("tuquan/1 hub listing", None, ids))
}

/// Returns the digest of the acknowledgements that a relay keeps, from their hashes in any order.
#[must_use]
pub fn acks_digest(hashes: &[Digest]) -> Digest {
    Digest(hash_of_ids("tuquan/1 hub acks", None, hashes))
}

/// Returns the hash of one acknowledgement, over its raw bytes.
#[must_use]
pub fn ack_hash(ack: &[u8]) -> Digest {
    Digest(crypto::hash_bytes("tuquan/1 hub ack", ack))
}

/// Returns the name of a sealed chunk: the hash of its raw bytes.
#[must_use]
pub fn chunk_hash(chunk: &[u8]) -> Digest {
    Digest(crypto::hash_bytes("tuquan/1 chunk", chunk))
}

/// Returns what a device signs to have chunks erased, in any order.
#[must_use]
pub fn chunk_delete_hash(space: &SpaceId, chunks: &[Digest]) -> [u8; 32] {
    hash_of_ids("tuquan/1 chunk delete", Some(space), chunks)
}

/// Returns what a device signs to have packs erased, in any order.
#[must_use]
pub fn pack_delete_hash(space: &SpaceId, packs: &[Digest]) -> [u8; 32] {
    hash_of_ids("tuquan/1 pack delete", Some(space), packs)
}

/// Hashes a set of ids, after the space where there is one.
fn hash_of_ids(context: &str, space: Option<&SpaceId>, ids: &[Digest]) -> [u8; 32] {
    let mut ids: Vec<&Digest> = ids.iter().collect();
    ids.sort_unstable();
    ids.dedup();
    let mut args = Writer::new();
    match space {
        None => args.array(1),
        Some(space) => args.array(2).bytes(&space.0),
    };
    args.array(ids.len());
    for id in ids {
        args.bytes(&id.0);
    }
    crypto::hash(context, &args)
}

/// Writes byte strings as frames.
#[must_use]
pub fn write_frames<B: AsRef<[u8]>>(parts: &[B]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        let part = part.as_ref();
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// Reads frames of at most `max` bytes each.
///
/// # Errors
/// `E-SIZE` for a frame over `max`; `E-TRUNC` when the last one is not whole.
pub fn read_frames(mut bytes: &[u8], max: usize) -> Result<Vec<&[u8]>> {
    let short = || Error::new(Kind::Truncated, "frames end too early");
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let (len, rest) = bytes.split_first_chunk::<LEN_BYTES>().ok_or_else(short)?;
        let len = usize::try_from(u32::from_le_bytes(*len)).unwrap_or(usize::MAX);
        if len > max {
            return Err(Error::new(Kind::Size, format!("a frame of {len} bytes")));
        }
        let (part, rest) = rest.split_at_checked(len).ok_or_else(short)?;
        parts.push(part);
        bytes = rest;
    }
    Ok(parts)
}

/// An acknowledgement of one device, as a relay keeps it for the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedAck {
    /// The device.
    pub device: DeviceKey,
    /// Its data log, counter and signature.
    pub claim: Claim,
    /// What it holds.
    pub vector: Vector,
}

impl SignedAck {
    /// Encodes the acknowledgement.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.array(5).bytes(&self.device.0);
        match &self.claim.log {
            None => to.null(),
            Some(log) => to.bytes(&log.0),
        };
        to.uint(self.claim.counter);
        self.vector.write(&mut to);
        to.bytes(&self.claim.signature);
        to.into_bytes()
    }

    /// Decodes an acknowledgement; [`SignedAck::check`] comes next.
    ///
    /// # Errors
    /// `E-FORMAT`, `E-SIZE`, `E-TRUNC`, `E-TRAIL`.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut from = Reader::new(bytes);
        from.tuple(5)?;
        let device = DeviceKey(from.array_bytes()?);
        let log = if from.null()? { None } else { Some(LogId(from.array_bytes()?)) };
        let counter = from.uint()?;
        let vector = Vector::read(&mut from)?;
        let signature = from.array_bytes()?;
        from.end();
        from.finish()?;
        Ok(Self { device, claim: Claim { log, counter, signature }, vector })
    }

    /// Checks the signature; whether the device is a member is for the caller.
    ///
    /// # Errors
    /// `E-SIG`, `E-KEY`.
    pub fn check(&self, space: &SpaceId) -> Result<()> {
        let hash = self.vector.hash();
        let hash = ack::claim_hash(space, self.claim.log.as_ref(), self.claim.counter, &hash);
        crypto::verify(&self.device, &hash, &self.claim.signature)
    }
}

/// Signs what this replica holds, for the relay to keep.
///
/// # Errors
/// `E-NOTREADY` without a team; of the store.
pub fn own_ack(replica: &mut Replica) -> Result<Vec<u8>> {
    replica.seal()?;
    let vector = outgoing::vector(&replica.connection, &replica.mind)?;
    let claim = ack::sign(replica, &vector.hash())?;
    let device = replica.mind.identity()?.secret.device_key();
    Ok(SignedAck { device, claim, vector }.encode())
}

/// Takes an acknowledgement that a relay kept; returns false when a newer one is here already.
///
/// # Errors
/// Of the bytes; `E-NOTMEMBER`, `E-SIG`, `E-FORMAT` as in a session; of the store.
pub fn take_ack(replica: &mut Replica, bytes: &[u8]) -> Result<bool> {
    let SignedAck { device, claim, vector } = SignedAck::decode(bytes)?;
    ack::check(&replica.mind, &device, &claim, &vector.hash())?;
    ack::keep(replica, &device, &claim, &vector)
}
