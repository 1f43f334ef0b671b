//! STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015): long bytes sealed in chunks.
//!
//! Each chunk has its number and the mark of the last one in its nonce, so that a chunk that was
//! moved, left out, repeated or cut off does not open. A key seals one sequence only, so the rest
//! of the nonce is zero. Must not know: what the bytes are, how long a chunk should be.

use aead_stream::{DecryptorBE32, EncryptorBE32};
use chacha20poly1305::aead::KeyInit;
use chacha20poly1305::{Key, XChaCha20Poly1305};

use crate::error::{Error, Kind, Result};

/// The part of the nonce before number and mark.
const PREFIX: [u8; 19] = [0; 19];

/// Seals `plain` in chunks of `len` bytes; the last is shorter, and never empty but for no bytes
/// at all. The key must be new.
///
/// # Errors
/// `E-SIZE` when the cipher cannot take so much.
pub fn seal(key: &[u8; 32], plain: &[u8], len: usize) -> Result<Vec<Vec<u8>>> {
    let over = |_| Error::new(Kind::Size, "too much to seal in chunks");
    let cipher = XChaCha20Poly1305::new(&Key::from(*key));
    let mut sealing = EncryptorBE32::from_aead(cipher, &PREFIX.into());
    let mut chunks = Vec::with_capacity(plain.len().div_ceil(len.max(1)));
    let mut rest = plain;
    while let Some((chunk, more)) = rest.split_at_checked(len).filter(|(_, more)| !more.is_empty())
    {
        chunks.push(sealing.encrypt_next(chunk).map_err(over)?);
        rest = more;
    }
    chunks.push(sealing.encrypt_last(rest).map_err(over)?);
    Ok(chunks)
}

/// Opens what [`seal`] made, all chunks in their order.
///
/// # Errors
/// `E-CHUNK` when a chunk is altered, out of its place, or the last is missing.
pub fn open<'a>(key: &[u8; 32], chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>> {
    let bad = |_| Error::new(Kind::Chunk, "a chunk that does not open");
    let cipher = XChaCha20Poly1305::new(&Key::from(*key));
    let mut opening = DecryptorBE32::from_aead(cipher, &PREFIX.into());
    let mut plain = Vec::new();
    let mut chunks = chunks.into_iter().peekable();
    while let Some(chunk) = chunks.next() {
        if chunks.peek().is_none() {
            plain.extend(opening.decrypt_last(chunk).map_err(bad)?);
            return Ok(plain);
        }
        plain.extend(opening.decrypt_next(chunk).map_err(bad)?);
    }
    Err(Error::new(Kind::Chunk, "no chunk at all"))
}
