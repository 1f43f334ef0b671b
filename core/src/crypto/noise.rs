//! The handshake of a line between two phones: Noise XX and `XXpsk3` with X25519,
//! ChaCha20-Poly1305 and BLAKE2s (Noise specification, revision 34).
//!
//! The state machine is the crate `snow`; the primitives are those that the other suite uses, and
//! the one ephemeral key comes from the caller, so that a seed decides a whole handshake. Must not
//! know: what is sent over a line.

use blake2::{Blake2s256, Digest as _};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::CryptoResolver;
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{HandshakeState, TransportState};
use zeroize::Zeroize;

use super::TAG_LEN;
use crate::error::{Error, Kind, Result};
use crate::ids::BoxKey;

/// The most bytes of one message.
pub const MESSAGE_BYTES_MAX: usize = 65_535;
/// The most content of one message.
pub const CONTENT_BYTES_MAX: usize = MESSAGE_BYTES_MAX - TAG_LEN;

const XX: &str = "Noise_XX_25519_ChaChaPoly_BLAKE2s";
const XX_PSK3: &str = "Noise_XXpsk3_25519_ChaChaPoly_BLAKE2s";

/// A handshake under way.
pub struct Handshake(HandshakeState);

/// A line whose handshake is done; messages must be opened in the order they were sealed.
pub struct Transport(TransportState);

impl std::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handshake")
    }
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Transport")
    }
}

/// What one side brings to a handshake.
pub struct Side<'a> {
    /// Whether it speaks first.
    pub initiator: bool,
    /// Its static X25519 secret.
    pub secret: &'a [u8; 32],
    /// Its ephemeral secret: fresh random bytes, used once.
    pub ephemeral: [u8; 32],
    /// The key that both must have; with it the pattern is `XXpsk3`.
    pub psk: Option<&'a [u8; 32]>,
    /// What both must agree on.
    pub prologue: &'a [u8],
}

impl std::fmt::Debug for Side<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Side").field("initiator", &self.initiator).finish_non_exhaustive()
    }
}

impl Handshake {
    /// Starts a handshake.
    ///
    /// # Errors
    /// `E-INVALID` when the library refuses the parameters.
    pub fn new(side: &Side<'_>) -> Result<Self> {
        let refused = |error: snow::Error| Error::new(Kind::Invalid, format!("a line: {error:?}"));
        let name = if side.psk.is_some() { XX_PSK3 } else { XX };
        let resolver = Box::new(Primitives { ephemeral: side.ephemeral });
        let mut builder = snow::Builder::with_resolver(name.parse().map_err(refused)?, resolver)
            .local_private_key(side.secret)
            .and_then(|builder| builder.prologue(side.prologue))
            .map_err(refused)?;
        if let Some(psk) = side.psk {
            builder = builder.psk(3, psk).map_err(refused)?;
        }
        let built =
            if side.initiator { builder.build_initiator() } else { builder.build_responder() };
        built.map(Self).map_err(refused)
    }

    /// Tells whether this side is to write the next message.
    #[must_use]
    pub fn is_my_turn(&self) -> bool {
        !self.is_finished() && self.0.is_my_turn()
    }

    /// Tells whether all messages went out and came in.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.is_handshake_finished()
    }

    /// Writes the next message, with `content` in it.
    ///
    /// # Errors
    /// `E-KEY` when the other side's key gives no secret; `E-SIZE`.
    pub fn write(&mut self, content: &[u8]) -> Result<Vec<u8>> {
        let mut message = vec![0; MESSAGE_BYTES_MAX];
        let len = self.0.write_message(content, &mut message).map_err(|e| failed(&e))?;
        message.truncate(len);
        Ok(message)
    }

    /// Reads the other side's next message; returns its content.
    ///
    /// # Errors
    /// `E-BODY` when it was altered or the other side has another key; `E-KEY`; `E-FORMAT`.
    pub fn read(&mut self, message: &[u8]) -> Result<Vec<u8>> {
        let mut content = vec![0; MESSAGE_BYTES_MAX];
        let len = self.0.read_message(message, &mut content).map_err(|e| failed(&e))?;
        content.truncate(len);
        Ok(content)
    }

    /// Ends the handshake: the line, the other side's static key, and the hash that both share.
    ///
    /// # Errors
    /// `E-NOTREADY` before the last message.
    pub fn finish(self) -> Result<(Transport, BoxKey, [u8; 32])> {
        let early = || Error::new(Kind::NotReady, "the handshake is not done");
        let remote = self.0.get_remote_static().ok_or_else(early)?;
        let remote = BoxKey::from_slice(remote)?;
        let hash = self.0.get_handshake_hash();
        let hash = hash.get(..32).and_then(|hash| hash.try_into().ok()).ok_or_else(early)?;
        let transport = self.0.into_transport_mode().map_err(|_| early())?;
        Ok((Transport(transport), remote, hash))
    }
}

impl Transport {
    /// Seals content of at most [`CONTENT_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// `E-SIZE`.
    pub fn seal(&mut self, content: &[u8]) -> Result<Vec<u8>> {
        if content.len() > CONTENT_BYTES_MAX {
            return Err(Error::new(Kind::Size, format!("{} bytes in a message", content.len())));
        }
        let mut message = vec![0; content.len() + TAG_LEN];
        let len = self.0.write_message(content, &mut message).map_err(|e| failed(&e))?;
        message.truncate(len);
        Ok(message)
    }

    /// Opens the next message.
    ///
    /// # Errors
    /// `E-BODY` when it was altered, left out or repeated.
    pub fn open(&mut self, message: &[u8]) -> Result<Vec<u8>> {
        if message.len() < TAG_LEN {
            return Err(Error::new(Kind::Format, "a message without a tag"));
        }
        let mut content = vec![0; message.len()];
        let len = self.0.read_message(message, &mut content).map_err(|e| failed(&e))?;
        content.truncate(len);
        Ok(content)
    }
}

fn failed(error: &snow::Error) -> Error {
    match error {
        snow::Error::Decrypt => Error::new(Kind::Body, "authentication of a line failed"),
        snow::Error::Dh => Error::new(Kind::DeviceKey, "a key of the line gives no secret"),
        _ => Error::new(Kind::Format, "a message of the line of a wrong length or order"),
    }
}

/// Suite 1's primitives as the library asks for them.
struct Primitives {
    ephemeral: [u8; 32],
}

impl Drop for Primitives {
    fn drop(&mut self) {
        self.ephemeral.zeroize();
    }
}

impl CryptoResolver for Primitives {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Once(Some(self.ephemeral))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        matches!(choice, DHChoice::Curve25519).then(|| Box::new(X25519::default()) as Box<dyn Dh>)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        matches!(choice, HashChoice::Blake2s)
            .then(|| Box::new(Blake2s(Blake2s256::default())) as Box<dyn Hash>)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        matches!(choice, CipherChoice::ChaChaPoly)
            .then(|| Box::new(ChaChaPoly([0; 32])) as Box<dyn Cipher>)
    }
}

/// The random bytes of the one ephemeral key of a handshake; more are never asked for.
struct Once(Option<[u8; 32]>);

impl Random for Once {
    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), snow::Error> {
        let mut bytes = self.0.take().ok_or(snow::Error::Rng)?;
        if to.len() != bytes.len() {
            return Err(snow::Error::Rng);
        }
        to.copy_from_slice(&bytes);
        bytes.zeroize();
        Ok(())
    }
}

#[derive(Default)]
struct X25519 {
    secret: [u8; 32],
    public: [u8; 32],
}

impl X25519 {
    fn keep(&mut self, secret: [u8; 32]) {
        self.secret = secret;
        let secret = x25519_dalek::StaticSecret::from(secret);
        self.public = x25519_dalek::PublicKey::from(&secret).to_bytes();
    }
}

impl Drop for X25519 {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    fn set(&mut self, secret: &[u8]) {
        let mut bytes = [0; 32];
        let len = secret.len().min(32);
        bytes[..len].copy_from_slice(&secret[..len]);
        self.keep(bytes);
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), snow::Error> {
        let mut bytes = [0; 32];
        rng.try_fill_bytes(&mut bytes)?;
        self.keep(bytes);
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        &self.secret
    }

    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        // The library hands over a buffer that is longer than the key.
        let public = public.first_chunk::<32>().ok_or(snow::Error::Dh)?;
        let shared = x25519_dalek::x25519(self.secret, *public);
        if shared == [0; 32] {
            return Err(snow::Error::Dh);
        }
        out.get_mut(..32).ok_or(snow::Error::Dh)?.copy_from_slice(&shared);
        Ok(())
    }
}

struct Blake2s(Blake2s256);

impl Hash for Blake2s {
    fn name(&self) -> &'static str {
        "BLAKE2s"
    }

    fn block_len(&self) -> usize {
        64
    }

    fn hash_len(&self) -> usize {
        32
    }

    fn reset(&mut self) {
        self.0 = Blake2s256::default();
    }

    fn input(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        let hash = std::mem::take(&mut self.0).finalize();
        if let Some(out) = out.get_mut(..32) {
            out.copy_from_slice(&hash);
        }
    }
}

struct ChaChaPoly([u8; 32]);

impl ChaChaPoly {
    fn nonce(count: u64) -> Nonce {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&count.to_le_bytes());
        Nonce::from(nonce)
    }
}

impl Drop for ChaChaPoly {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Cipher for ChaChaPoly {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.0 = *key;
    }

    fn encrypt(&self, count: u64, header: &[u8], plain: &[u8], out: &mut [u8]) -> usize {
        let len = plain.len() + TAG_LEN;
        let sealed = ChaCha20Poly1305::new(&Key::from(self.0))
            .encrypt(&Self::nonce(count), Payload { msg: plain, aad: header });
        // It fails for content over 256 GiB only; what is left in the buffer is refused there.
        if let (Some(out), Ok(sealed)) = (out.get_mut(..len), sealed) {
            out.copy_from_slice(&sealed);
        }
        len
    }

    fn decrypt(
        &self,
        count: u64,
        header: &[u8],
        sealed: &[u8],
        out: &mut [u8],
    ) -> Result<usize, snow::Error> {
        let plain = ChaCha20Poly1305::new(&Key::from(self.0))
            .decrypt(&Self::nonce(count), Payload { msg: sealed, aad: header })
            .map_err(|_| snow::Error::Decrypt)?;
        out.get_mut(..plain.len()).ok_or(snow::Error::Input)?.copy_from_slice(&plain);
        Ok(plain.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{from_hex, to_hex};

    /// The published vectors of the Haskell implementation `cacophony`: keys, then for each message
    /// its content and its bytes.
    const STATIC: [&str; 2] = [
        "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
        "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
    ];
    const EPHEMERAL: [&str; 2] = [
        "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
        "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
    ];
    const PROLOGUE: &str = "4a6f686e2047616c74";
    const PSK: &str = "54686973206973206d7920417573747269616e20706572737065637469766521";
    const CONTENT: [&str; 6] = [
        "4c756477696720766f6e204d69736573",
        "4d757272617920526f746862617264",
        "462e20412e20486179656b",
        "4361726c204d656e676572",
        "4a65616e2d426170746973746520536179",
        "457567656e2042f6686d20766f6e2042617765726b",
    ];
    const PLAIN: ([&str; 6], &str) = (
        [
            "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444c756477696720766f6e204d69736573",
            "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088437c365eb362a1c991b0557fe8a7fb187d99346765d93ec63db6c1b01504ebeec55a2298d2dbff80eff034d20595153f63a196a6cead1e11b2bb13e336fa13616dd3e8b0a070c882ed3f1a78c7c06c93",
            "46c3307de83b014258717d97781c1f50936d8b7d50c0722a1739654d10392d415b670c114f79b9a4f80541570f77ce88802efa4220cff733e7b5668ba38059ec904b4b8eef9448085faf51",
            "d5e83adfaac5dc324a68f1862df54549e56d209fba707205f328b2",
            "d102c9029b1f55c788f561ba7737afbccef9c9f1bf2f238167fd40ba9c1c134867",
            "cb1ce80960382c6d5d5e740ffb724d1432f0310b200fb6f8424120f506092744baa415e155",
        ],
        "6c4c56cf71612f72d05ceb96c0155e6f4ea54a26b504c93de632a2db4a49d200",
    );
    const WITH_PSK: ([&str; 6], &str) = (
        [
            "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944325ea71699951ece20f284b6ad9604a029eb335bf84564c308b6ade90ae45078",
            "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088432645535233ffe1432564d66a85227b677ced6fc2730ae0998ff49aa1dc56b8186e31b16e416f5d9c03c71f6c34fd37ec013105020070a8b00c000ce7ed56629c119795f96463274bc05519d5c24dc1",
            "adf16c5375ec4172576783fd59f2bfa5c7a320d0a13b759592e1a2ddf5524cce59ccbb92ff5d321fced3bdb2840596df562c0e68aad41b090abd285f6d300130072e06964a6ba494e58d47",
            "dcdc045c8e9ec36c8ea4078552e5849f87cb9bdfbd2a4eee3baaf6",
            "4d11ed1f242e199dbcbc9773495834a95e8a6109e2b555aeb50780e69b152821e4",
            "4d1e6873ffcc88490be6914928590f63253c2db434f1f206f083f89ca559a3e60a8dcc4f12",
        ],
        "fc0819f08aebc23de9a783653d8d7d6395b7d243d9deec12f5d6fe2f4c206673",
    );

    fn bytes(text: &str) -> Vec<u8> {
        from_hex(text).expect("hexadecimal")
    }

    fn key(text: &str) -> [u8; 32] {
        bytes(text).try_into().expect("32 bytes")
    }

    fn check(psk: Option<[u8; 32]>, expected: &[&str; 6], hash: &str) {
        let [mut one, mut two] = [0, 1].map(|index| {
            Handshake::new(&Side {
                initiator: index == 0,
                secret: &key(STATIC[index]),
                ephemeral: key(EPHEMERAL[index]),
                psk: psk.as_ref(),
                prologue: &bytes(PROLOGUE),
            })
            .expect("started")
        });
        for index in 0..3 {
            let (from, to) =
                if index % 2 == 0 { (&mut one, &mut two) } else { (&mut two, &mut one) };
            assert!(from.is_my_turn() && !to.is_my_turn());
            let message = from.write(&bytes(CONTENT[index])).expect("written");
            assert_eq!(to_hex(&message), expected[index], "message {index}");
            assert_eq!(to.read(&message).expect("read"), bytes(CONTENT[index]));
        }
        let (mut one, remote, one_hash) = one.finish().expect("done");
        let (mut two, _, two_hash) = two.finish().expect("done");
        assert_eq!((to_hex(&one_hash), to_hex(&two_hash)), (hash.to_owned(), hash.to_owned()));
        let secret = x25519_dalek::StaticSecret::from(key(STATIC[1]));
        assert_eq!(remote.0, x25519_dalek::PublicKey::from(&secret).to_bytes());
        for index in 3..6 {
            let (from, to) =
                if index % 2 == 0 { (&mut one, &mut two) } else { (&mut two, &mut one) };
            let message = from.seal(&bytes(CONTENT[index])).expect("sealed");
            assert_eq!(to_hex(&message), expected[index], "message {index}");
            assert_eq!(to.open(&message).expect("opened"), bytes(CONTENT[index]));
        }
    }

    #[test]
    fn handshakes_are_those_of_the_published_vectors() {
        check(None, &PLAIN.0, PLAIN.1);
        check(Some(key(PSK)), &WITH_PSK.0, WITH_PSK.1);
    }
}
