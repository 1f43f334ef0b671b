//! Sealing a photo into chunks, and the manifest that opens them again.
//!
//! ```text
//! manifest = [size, [H("tuquan/1 chunk"; sealed chunk) ...], key 32]
//! ```
//!
//! Invariant: nothing is opened before every chunk was compared with its hash. Must not know:
//! records, images.

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::codec::{Reader, Value, Writer};
use crate::crypto::{self, TAG_LEN, stream};
use crate::error::{Error, Kind, Result};
use crate::ids::ChunkHash;
use crate::record::declare::{FieldType, Type};

/// The most bytes of an attachment.
pub const BYTES_MAX: usize = 10 << 20;
/// Bytes of a chunk before it is sealed; only the last one is shorter.
pub const CHUNK_LEN: usize = 256 << 10;
/// The most chunks of an attachment.
pub const CHUNKS_MAX: usize = BYTES_MAX / CHUNK_LEN;
/// The most bytes of a sealed chunk.
pub const SEALED_CHUNK_LEN_MAX: usize = CHUNK_LEN + TAG_LEN;
/// The most bytes of an encoded manifest: heads, size, 40 hashes, key.
pub const MANIFEST_BYTES_MAX: usize = 1 + 5 + 2 + CHUNKS_MAX * 34 + 34;

/// What a record keeps of an attachment: how to find its chunks, and the key that opens them.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Manifest {
    size: u32,
    #[zeroize(skip)]
    chunks: Vec<ChunkHash>,
    key: [u8; 32],
}

impl std::fmt::Debug for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Manifest({} bytes, {} chunks)", self.size, self.chunks.len())
    }
}

impl Manifest {
    /// Returns how many bytes the attachment has.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Returns the names of its sealed chunks, in order.
    #[must_use]
    pub fn chunks(&self) -> &[ChunkHash] {
        &self.chunks
    }

    /// Encodes the manifest, key and all.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.array(3).uint(u64::from(self.size)).array(self.chunks.len());
        for chunk in &self.chunks {
            to.bytes(&chunk.0);
        }
        to.bytes(&self.key);
        to.into_bytes()
    }

    /// Reads a manifest within all bounds.
    ///
    /// # Errors
    /// `E-SIZE` over a bound; `E-FORMAT`, also when size and chunks do not fit; `E-TRUNC`,
    /// `E-TRAIL`.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut from = Reader::new(bytes);
        from.tuple(3)?;
        let size = from.uint_max(BYTES_MAX as u64)?;
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let count = from.array(CHUNKS_MAX)?;
        if size == 0 || count != (size as usize).div_ceil(CHUNK_LEN) {
            return Err(Error::new(Kind::Format, "an attachment of another number of chunks"));
        }
        let mut chunks = Vec::with_capacity(count);
        for _ in 0..count {
            chunks.push(ChunkHash(from.array_bytes()?));
        }
        from.end();
        let key = from.array_bytes()?;
        from.end();
        from.finish()?;
        Ok(Self { size, chunks, key })
    }
}

impl FieldType for Manifest {
    const TYPE: Type = Type::Manifest(MANIFEST_BYTES_MAX);

    fn to_value(&self) -> Value {
        Value::Bytes(self.encode())
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Bytes(bytes) => Self::decode(bytes).ok(),
            _ => None,
        }
    }
}

// Serialised forms are for programs, which get no key: a manifest says nothing and is never read.
impl serde::Serialize for Manifest {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_none()
    }
}

impl<'de> serde::Deserialize<'de> for Manifest {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("what opens an attachment is not read"))
    }
}

/// A sealed attachment.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// What the record keeps.
    pub manifest: Manifest,
    /// The chunks, in the order of their hashes in the manifest.
    pub chunks: Vec<Vec<u8>>,
}

/// Returns the name of a sealed chunk.
#[must_use]
pub fn chunk_hash(sealed: &[u8]) -> ChunkHash {
    ChunkHash(crypto::hash_bytes("tuquan/1 chunk", sealed))
}

/// Seals bytes under a new random key.
///
/// # Errors
/// `E-SIZE` for no bytes or more than [`BYTES_MAX`].
pub fn seal(bytes: &[u8], key: [u8; 32]) -> Result<Sealed> {
    let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    if bytes.is_empty() || bytes.len() > BYTES_MAX {
        return Err(Error::new(Kind::Size, format!("an attachment of {size} bytes")));
    }
    let chunks = stream::seal(&key, bytes, CHUNK_LEN)?;
    let hashes = chunks.iter().map(|chunk| chunk_hash(chunk)).collect();
    Ok(Sealed { manifest: Manifest { size, chunks: hashes, key }, chunks })
}

/// Opens an attachment from all of its sealed chunks.
///
/// # Errors
/// `E-CHUNK` when a chunk is not the one that the manifest names at its place, one is missing or
/// too many, or what opens has another size.
pub fn open<C: AsRef<[u8]>>(manifest: &Manifest, chunks: &[C]) -> Result<Vec<u8>> {
    let bad = |what: &str| Error::new(Kind::Chunk, what);
    if chunks.len() != manifest.chunks.len() {
        return Err(bad("another number of chunks"));
    }
    let is_named = |(chunk, hash): (&C, &ChunkHash)| chunk_hash(chunk.as_ref()) == *hash;
    if !chunks.iter().zip(&manifest.chunks).all(is_named) {
        return Err(bad("a chunk that is not the one named"));
    }
    let plain = stream::open(&manifest.key, chunks.iter().map(AsRef::as_ref))?;
    if plain.len() != manifest.size as usize {
        return Err(bad("an attachment of another size"));
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|at| u8::try_from(at * 31 % 251).expect("small")).collect()
    }

    #[test]
    fn an_attachment_of_any_size_opens_to_the_same_bytes() {
        for len in [1, CHUNK_LEN - 1, CHUNK_LEN, CHUNK_LEN + 1, 2 * CHUNK_LEN, BYTES_MAX] {
            let plain = bytes(len);
            let sealed = seal(&plain, [3; 32]).expect("sealed");
            assert_eq!(sealed.chunks.len(), len.div_ceil(CHUNK_LEN), "{len}");
            assert!(sealed.chunks.iter().all(|chunk| chunk.len() <= SEALED_CHUNK_LEN_MAX));
            let encoded = sealed.manifest.encode();
            assert!(encoded.len() <= MANIFEST_BYTES_MAX, "{len}: {}", encoded.len());
            let manifest = Manifest::decode(&encoded).expect("decoded");
            assert_eq!(manifest, sealed.manifest);
            assert!(open(&manifest, &sealed.chunks).expect("opened") == plain, "{len}");
        }
        for len in [0, BYTES_MAX + 1] {
            assert_eq!(seal(&bytes(len), [3; 32]).expect_err("refused").kind, Kind::Size);
        }
    }

    #[test]
    fn a_chunk_that_is_altered_moved_cut_or_left_out_is_refused() {
        let plain = bytes(3 * CHUNK_LEN + 5);
        let Sealed { manifest, chunks } = seal(&plain, [4; 32]).expect("sealed");
        let refused = |chunks: &[Vec<u8>]| {
            assert_eq!(open(&manifest, chunks).expect_err("refused").kind, Kind::Chunk);
            // A manifest that names just these chunks: what is left are tags, order and last mark.
            let hashes = chunks.iter().map(|chunk| chunk_hash(chunk)).collect();
            let liar = Manifest { size: manifest.size, chunks: hashes, key: manifest.key };
            assert_eq!(open(&liar, chunks).expect_err("refused").kind, Kind::Chunk);
        };
        for count in 0..chunks.len() {
            refused(&chunks[..count]);
        }
        for (one, two) in [(0, 1), (1, 2), (2, 3), (0, 3)] {
            let mut moved = chunks.clone();
            moved.swap(one, two);
            refused(&moved);
        }
        let mut twice = chunks.clone();
        twice.insert(1, chunks[1].clone());
        refused(&twice);
        for at in 0..chunks.len() {
            let end = chunks[at].len();
            for byte in [0, end / 2, end - 1] {
                let mut altered = chunks.clone();
                altered[at][byte] ^= 1;
                refused(&altered);
            }
            for len in [0, 1, TAG_LEN, end - 1] {
                let mut cut = chunks.clone();
                cut[at].truncate(len);
                refused(&cut);
            }
            let mut longer = chunks.clone();
            longer[at].push(0);
            refused(&longer);
        }
        let mut other = manifest.clone();
        other.key = [5; 32];
        assert_eq!(open(&other, &chunks).expect_err("refused").kind, Kind::Chunk);
        let mut longer = manifest.clone();
        longer.size += 1;
        assert_eq!(open(&longer, &chunks).expect_err("refused").kind, Kind::Chunk);
    }

    #[test]
    fn a_manifest_that_lies_about_itself_is_not_read() {
        let Sealed { manifest, .. } = seal(&bytes(CHUNK_LEN + 1), [6; 32]).expect("sealed");
        let encoded = manifest.encode();
        for len in 0..encoded.len() {
            Manifest::decode(&encoded[..len]).expect_err("cut off");
        }
        let kind = |size: u64, count: usize| {
            let mut to = Writer::new();
            to.array(3).uint(size).array(count);
            for _ in 0..count {
                to.bytes(&[1; 32]);
            }
            to.bytes(&[2; 32]);
            Manifest::decode(to.as_slice()).map(|_| ()).map_err(|error| error.kind)
        };
        assert_eq!(kind(CHUNK_LEN as u64, 1), Ok(()));
        assert_eq!(kind(BYTES_MAX as u64, CHUNKS_MAX), Ok(()));
        assert_eq!(kind(BYTES_MAX as u64 + 1, CHUNKS_MAX), Err(Kind::Size));
        assert_eq!(kind(BYTES_MAX as u64, CHUNKS_MAX + 1), Err(Kind::Size));
        for (size, count) in [(0, 0), (0, 1), (1, 0), (1, 2), (CHUNK_LEN as u64 + 1, 1)] {
            assert_eq!(kind(size, count), Err(Kind::Format), "{size} {count}");
        }
    }
}
