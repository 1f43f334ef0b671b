//! Suite 1: BLAKE3, Ed25519, XChaCha20-Poly1305, HPKE (X25519, HKDF-SHA256, ChaCha20Poly1305).
//!
//! Thin names over well-kept crates, so that no other module picks an algorithm (protocol section
//! 14, RFC 8032, RFC 9180). Lines between phones have a suite of their own, in [`noise`], long bytes in
//! chunks are in [`stream`]. Must not
//! know: what the bytes mean.

pub mod noise;
pub mod stream;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::codec::Writer;
use crate::error::{Error, Kind, Result};
use crate::ids::{BoxKey, DeviceKey};

/// The number of the only suite so far.
pub const SUITE: u8 = 1;
/// Bytes of an authentication tag.
pub const TAG_LEN: usize = 16;
/// Bytes of a signature.
pub const SIGNATURE_LEN: usize = 64;

type HpkeAead = hpke::aead::ChaCha20Poly1305;
type HpkeKdf = hpke::kdf::HkdfSha256;
type HpkeKem = hpke::kem::X25519HkdfSha256;

/// Hashes `args`, a CBOR array, under `context`: BLAKE3-256 of (u8 length, context, args).
#[must_use]
pub fn hash(context: &str, args: &Writer) -> [u8; 32] {
    hash_bytes(context, args.as_slice())
}

/// Hashes encoded bytes under `context`.
#[must_use]
pub fn hash_bytes(context: &str, args: &[u8]) -> [u8; 32] {
    let context_len = [u8::try_from(context.len()).unwrap_or(u8::MAX)];
    let parts = [&context_len[..], context.as_bytes(), args];
    // One short slice hashes in a third of the time of a hasher fed in parts, and this is the
    // hot path of receiving: four such hashes per entry.
    let mut short = [0_u8; 512];
    let mut len = 0;
    for part in parts {
        let Some(room) = short.get_mut(len..len + part.len()) else {
            let mut hashing = Hashing::new(context);
            hashing.update(args);
            return hashing.finish();
        };
        room.copy_from_slice(part);
        len += part.len();
    }
    *blake3::hash(&short[..len]).as_bytes()
}

/// Hashes bytes that come in parts, to the same value as [`hash_bytes`] of all of them.
#[derive(Debug, Clone)]
pub struct Hashing(blake3::Hasher);

impl Hashing {
    /// Starts under `context`.
    #[must_use]
    pub fn new(context: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[u8::try_from(context.len()).unwrap_or(u8::MAX)]);
        hasher.update(context.as_bytes());
        Self(hasher)
    }

    /// Takes the next part.
    pub fn update(&mut self, part: &[u8]) {
        self.0.update(part);
    }

    /// Returns the hash of what came so far.
    #[must_use]
    pub fn finish(&self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }
}

/// Returns the first 16 bytes of a hash: the form of every id.
#[must_use]
pub fn short(hash: &[u8; 32]) -> [u8; 16] {
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    id
}

/// Derives a key for `context` from key material (BLAKE3 `derive_key`).
#[must_use]
pub fn derive_key(context: &str, material: &[u8]) -> [u8; 32] {
    blake3::derive_key(context, material)
}

/// The secrets of one device: an Ed25519 signing key and an X25519 key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DeviceSecret {
    /// The Ed25519 seed.
    pub sign: [u8; 32],
    /// The X25519 scalar.
    pub unbox: [u8; 32],
}

impl std::fmt::Debug for DeviceSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeviceSecret")
    }
}

impl DeviceSecret {
    /// Makes new secrets.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut secret = Self { sign: [0; 32], unbox: [0; 32] };
        rng.fill_bytes(&mut secret.sign);
        rng.fill_bytes(&mut secret.unbox);
        secret
    }

    /// Returns the public signing key.
    #[must_use]
    pub fn device_key(&self) -> DeviceKey {
        DeviceKey(SigningKey::from_bytes(&self.sign).verifying_key().to_bytes())
    }

    /// Returns the public key for lockboxes.
    #[must_use]
    pub fn box_key(&self) -> BoxKey {
        let secret = x25519_dalek::StaticSecret::from(self.unbox);
        BoxKey(x25519_dalek::PublicKey::from(&secret).to_bytes())
    }

    /// Signs a hash (15 to 23 microseconds).
    #[must_use]
    pub fn sign(&self, hash: &[u8; 32]) -> [u8; SIGNATURE_LEN] {
        SigningKey::from_bytes(&self.sign).sign(hash).to_bytes()
    }
}

/// Checks that a device key is canonical and not weak; done when it is granted.
///
/// # Errors
/// `E-KEY`.
pub fn check_device_key(key: &DeviceKey) -> Result<VerifyingKey> {
    let bad = || Error::new(Kind::DeviceKey, format!("device {key}"));
    let parsed = VerifyingKey::from_bytes(&key.0).map_err(|_| bad())?;
    if parsed.is_weak() || parsed.to_bytes() != key.0 {
        return Err(bad());
    }
    Ok(parsed)
}

/// Checks that a key for lockboxes is no point of small order, which would give no secret.
///
/// # Errors
/// `E-KEY`.
pub fn check_box_key(key: &BoxKey) -> Result<()> {
    if x25519_dalek::x25519([0x5a; 32], key.0) == [0; 32] {
        return Err(Error::new(Kind::DeviceKey, format!("box key {key}")));
    }
    Ok(())
}

/// Verifies a signature of a hash, strictly; batch verification is never used (it can disagree
/// with itself on weak keys).
///
/// # Errors
/// `E-KEY` for a bad key, `E-SIG` for a bad signature.
pub fn verify(key: &DeviceKey, hash: &[u8; 32], signature: &[u8; SIGNATURE_LEN]) -> Result<()> {
    let parsed = check_device_key(key)?;
    parsed
        .verify_strict(hash, &Signature::from_bytes(signature))
        .map_err(|_| Error::new(Kind::Signature, format!("device {key}")))
}

/// Seals `plain` under `key` with `nonce`, binding `header` to it.
///
/// # Errors
/// `E-SIZE` when the cipher cannot take so much.
pub fn seal(key: &[u8; 32], nonce: &[u8; 24], header: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
    XChaCha20Poly1305::new(&Key::from(*key))
        .encrypt(&XNonce::from(*nonce), Payload { msg: plain, aad: header })
        .map_err(|_| Error::new(Kind::Size, "too much to seal at once"))
}

/// Opens what [`seal`] made.
///
/// # Errors
/// `E-BODY` when key, nonce, header or bytes differ.
pub fn open(key: &[u8; 32], nonce: &[u8; 24], header: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
    XChaCha20Poly1305::new(&Key::from(*key))
        .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: header })
        .map_err(|_| Error::new(Kind::Body, "authentication of a sealed body failed"))
}

/// Seals a short secret to one device: HPKE base mode, no additional data.
///
/// # Errors
/// `E-KEY` when the recipient's key is not usable.
pub fn lock(
    recipient: &BoxKey,
    info: &[u8],
    secret: &[u8],
    rng: &mut dyn CryptoRng,
) -> Result<Vec<u8>> {
    let bad = |_| Error::new(Kind::DeviceKey, "a recipient's box key");
    let key = <HpkeKem as Kem>::PublicKey::from_bytes(&recipient.0).map_err(bad)?;
    let (encapped, sealed) = hpke::single_shot_seal_with_rng::<HpkeAead, HpkeKdf, HpkeKem>(
        &OpModeS::Base,
        &key,
        info,
        secret,
        &[],
        &mut &mut *rng,
    )
    .map_err(bad)?;
    let mut lockbox = encapped.to_bytes().to_vec();
    lockbox.extend_from_slice(&sealed);
    Ok(lockbox)
}

/// Opens a lockbox that was sealed to this device.
///
/// # Errors
/// `E-LOCKBOX` when it does not open.
pub fn unlock(secret: &DeviceSecret, info: &[u8], lockbox: &[u8]) -> Result<Vec<u8>> {
    let bad = || Error::new(Kind::Lockbox, "a lockbox does not open");
    let (encapped, sealed) = lockbox.split_at_checked(32).ok_or_else(bad)?;
    let encapped = <HpkeKem as Kem>::EncappedKey::from_bytes(encapped).map_err(|_| bad())?;
    let key = <HpkeKem as Kem>::PrivateKey::from_bytes(&secret.unbox).map_err(|_| bad())?;
    hpke::single_shot_open::<HpkeAead, HpkeKdf, HpkeKem>(
        &OpModeR::Base,
        &key,
        &encapped,
        info,
        sealed,
        &[],
    )
    .map_err(|_| bad())
}
