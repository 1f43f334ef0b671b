//! Entries: one atomic act of writing in a log, a header and its items.
//!
//! Stored and carried as `[kind, hlc, control heads | null, item...]`; an item is a byte string,
//! so that a damaged one stops only itself, or `[digest]` where its content is absent. Null heads
//! mean "as before in this log". Must not know: what the items say.

use crate::clock::Hlc;
use crate::codec::{Reader, Writer, head_len};
use crate::crypto;
use crate::error::{Error, Kind, Result};
use crate::ids::{Digest, Link};
use crate::log::item::{ITEM_BYTES_MAX, item_digest};

/// The most bytes of an entry.
pub const ENTRY_BYTES_MAX: usize = 256 << 10;
/// The most items in an entry.
pub const ITEMS_MAX: usize = 256;
/// The most control heads that an entry may cite.
pub const CONTROL_HEADS_MAX: usize = 64;

/// The kinds of entry: data kinds below 16, control kinds from 16.
pub mod kind {
    /// Opens a data log.
    pub const LOG_OPEN: u64 = 0;
    /// Writes to records.
    pub const WRITE: u64 = 1;
    /// Opens a control log.
    pub const CONTROL_LOG_OPEN: u64 = 16;
    /// Founds a space.
    pub const GENESIS: u64 = 17;
    /// Makes a device a member.
    pub const GRANT: u64 = 18;
    /// Ends a device's membership.
    pub const REVOKE: u64 = 19;
    /// Gives a member other rights.
    pub const SET_ROLE: u64 = 20;
    /// Moves the cuts of a removal further.
    pub const EXTEND_CUT: u64 = 21;
    /// Makes a new epoch key.
    pub const EPOCH: u64 = 23;
    /// Gives an existing epoch key to a device.
    pub const SHARE: u64 = 24;
}

/// The content of an item, or what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// The bytes as the author wrote them.
    Bytes(Vec<u8>),
    /// Only the digest: the content was erased, or has not come yet.
    Absent(Digest),
}

/// One atomic act of writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What sort of act, see [`kind`].
    pub kind: u64,
    /// When the author says it wrote it.
    pub hlc: Hlc,
    /// The control heads in force when they changed in this entry, sorted; else none.
    pub control_heads: Option<Vec<Link>>,
    /// The items.
    pub items: Vec<Body>,
}

impl Entry {
    /// Encodes the entry.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::after(Vec::with_capacity(self.encoded_len()));
        to.array(3 + self.items.len()).uint(self.kind).uint(self.hlc.0);
        match &self.control_heads {
            None => to.null(),
            Some(heads) => write_heads(&mut to, heads),
        };
        for item in &self.items {
            match item {
                Body::Bytes(bytes) => to.bytes(bytes),
                Body::Absent(digest) => to.array(1).bytes(&digest.0),
            };
        }
        to.into_bytes()
    }

    /// Returns how many bytes [`Entry::encode`] gives.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let heads = self
            .control_heads
            .as_ref()
            .map_or(1, |heads| head_len(heads.len() as u64) + heads.len() * (2 + Link::LEN));
        let items = self.items.iter().map(|item| match item {
            Body::Bytes(bytes) => head_len(bytes.len() as u64) + bytes.len(),
            Body::Absent(_) => 3 + Digest::LEN,
        });
        let header =
            head_len(3 + self.items.len() as u64) + head_len(self.kind) + head_len(self.hlc.0);
        header + heads + items.sum::<usize>()
    }

    /// Decodes one entry, which may be followed by more bytes.
    ///
    /// # Errors
    /// `E-FORMAT`, `E-SIZE`, `E-TRUNC` by the bounds of protocol section 2.
    pub fn read(from: &mut Reader<'_>) -> Result<Self> {
        let start = from.position();
        let count = from.array(3 + ITEMS_MAX)?;
        if count < 3 {
            return Err(Error::new(Kind::Format, "an entry without a header"));
        }
        let kind = from.uint()?;
        let hlc = Hlc(from.uint()?);
        let control_heads = if from.null()? { None } else { Some(read_heads(from)?) };
        let mut items = Vec::with_capacity(count - 3);
        for _ in 3..count {
            if from.is_bytes() {
                items.push(Body::Bytes(from.bytes(ITEM_BYTES_MAX)?.to_vec()));
            } else {
                from.tuple(1)?;
                items.push(Body::Absent(Digest(from.array_bytes()?)));
                from.end();
            }
        }
        from.end();
        if from.position() - start > ENTRY_BYTES_MAX {
            return Err(Error::new(Kind::Size, "an entry over 256 KiB"));
        }
        Ok(Self { kind, hlc, control_heads, items })
    }

    /// Decodes an entry that takes all of `bytes`.
    ///
    /// # Errors
    /// As [`Entry::read`], and `E-TRAIL`.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut from = Reader::new(bytes);
        let entry = Self::read(&mut from)?;
        from.finish()?;
        Ok(entry)
    }

    /// Returns the digest of the entry: the header with the heads in force, then item digests.
    #[must_use]
    pub fn digest(&self, heads_in_force: &[Link], salt: impl Fn(u32) -> Vec<u8>) -> Digest {
        let digests: Vec<Digest> = (0_u32..)
            .zip(&self.items)
            .map(|(index, item)| match item {
                Body::Bytes(bytes) => item_digest(&salt(index), bytes),
                Body::Absent(digest) => *digest,
            })
            .collect();
        entry_digest(self.kind, self.hlc, heads_in_force, &digests)
    }
}

/// Returns the digest of an entry from its header and the digests of its items.
#[must_use]
pub fn entry_digest(kind: u64, hlc: Hlc, heads: &[Link], items: &[Digest]) -> Digest {
    let mut args = Writer::new();
    args.array(2).array(4).uint(kind).uint(hlc.0);
    write_heads(&mut args, heads);
    args.uint(items.len() as u64).array(items.len());
    for digest in items {
        args.bytes(&digest.0);
    }
    Digest(crypto::hash("tuquan/1 entry", &args))
}

/// Writes control heads: an array of links.
pub fn write_heads<'w>(to: &'w mut Writer, heads: &[Link]) -> &'w mut Writer {
    to.array(heads.len());
    for head in heads {
        to.bytes(&head.0);
    }
    to
}

/// Reads control heads: sorted links without repeats.
///
/// # Errors
/// `E-SIZE` over the cap, `E-FORMAT` when out of order.
pub fn read_heads(from: &mut Reader<'_>) -> Result<Vec<Link>> {
    let count = from.array(CONTROL_HEADS_MAX)?;
    let mut heads = Vec::with_capacity(count);
    for _ in 0..count {
        heads.push(Link(from.array_bytes()?));
    }
    from.end();
    if !heads.is_sorted_by(|a: &Link, b| a < b) {
        return Err(Error::new(Kind::Format, "control heads out of order"));
    }
    Ok(heads)
}
