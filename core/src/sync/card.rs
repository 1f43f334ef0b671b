//! Device cards: the keys of a device that wants to join, signed by itself.
//!
//! `card = "TQD1", suite u8, CBOR [Ed25519 key, X25519 key, signature]`; the signature is over
//! H(`tuquan/1 card`; Ed25519 key, X25519 key). A card proves that its sender holds the signing
//! key and chose the other, not who the sender is. Must not know: members, spaces.

use crate::codec::{Reader, Writer};
use crate::crypto::{self, DeviceSecret, SIGNATURE_LEN, SUITE};
use crate::error::{Error, Kind, Result};
use crate::ids::{BoxKey, DeviceKey};

/// The first bytes of a card.
pub const MAGIC: [u8; 4] = *b"TQD1";

/// The public keys of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Card {
    /// The signing key: the device itself.
    pub device: DeviceKey,
    /// Where lockboxes for it are sealed to.
    pub unbox: BoxKey,
}

impl Card {
    /// Makes the card of the device that holds `secret`, signed.
    #[must_use]
    pub fn encode(secret: &DeviceSecret) -> Vec<u8> {
        let card = Self { device: secret.device_key(), unbox: secret.box_key() };
        let mut head = MAGIC.to_vec();
        head.push(SUITE);
        let mut to = Writer::after(head);
        to.array(3).bytes(&card.device.0).bytes(&card.unbox.0).bytes(&secret.sign(&card.hash()));
        to.into_bytes()
    }

    /// Reads a card and checks its keys and signature.
    ///
    /// # Errors
    /// `E-MAGIC`, `E-NEWER`, `E-TRUNC`, `E-TRAIL`, `E-FORMAT`; `E-KEY` for a weak key; `E-SIG`.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let present = MAGIC.len().min(bytes.len());
        if bytes.is_empty() || bytes[..present] != MAGIC[..present] {
            return Err(Error::new(Kind::Magic, "not a device card"));
        }
        let mut from = Reader::new(bytes);
        from.raw(MAGIC.len())?;
        let suite = from.raw(1)?;
        if suite != [SUITE] {
            return Err(Error::new(Kind::Newer, format!("suite {}", suite[0])));
        }
        if from.remaining() == 0 {
            return Err(Error::new(Kind::Truncated, "bytes end too early"));
        }
        from.tuple(3).map_err(|error| match error.kind {
            // A count over what remains is a short card here, not a bomb.
            Kind::Size => Error::new(Kind::Truncated, error.context),
            _ => error,
        })?;
        let card =
            Self { device: DeviceKey(from.array_bytes()?), unbox: BoxKey(from.array_bytes()?) };
        let signature: [u8; SIGNATURE_LEN] = from.array_bytes()?;
        from.end();
        from.finish()?;
        crypto::check_box_key(&card.unbox)?;
        crypto::verify(&card.device, &card.hash(), &signature)?;
        Ok(card)
    }

    fn hash(&self) -> [u8; 32] {
        let mut args = Writer::new();
        args.array(2).bytes(&self.device.0).bytes(&self.unbox.0);
        crypto::hash("tuquan/1 card", &args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> DeviceSecret {
        DeviceSecret { sign: [3; 32], unbox: [4; 32] }
    }

    #[test]
    fn a_card_comes_back_with_both_keys() {
        let card = Card::decode(&Card::encode(&secret())).expect("decoded");
        assert_eq!(card.device, secret().device_key());
        assert_eq!(card.unbox, secret().box_key());
    }

    #[test]
    fn a_card_that_is_cut_followed_or_altered_says_so() {
        let bytes = Card::encode(&secret());
        let kind = |bytes: &[u8]| Card::decode(bytes).expect_err("refused").kind;
        assert_eq!(kind(b""), Kind::Magic);
        assert_eq!(kind(b"TQB1"), Kind::Magic);
        for len in 1..bytes.len() {
            assert_eq!(kind(&bytes[..len]), Kind::Truncated, "{len}");
        }
        assert_eq!(kind(&[&bytes[..], &[0]].concat()), Kind::Trailing);
        let altered = |at: usize| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 4;
            kind(&bytes)
        };
        assert_eq!(altered(4), Kind::Newer);
        assert_eq!(altered(5), Kind::Format);
        assert_eq!(altered(bytes.len() - 1), Kind::Signature);
        assert_eq!(altered(45), Kind::Signature);
    }

    #[test]
    fn weak_keys_are_refused() {
        let mut bytes = Card::encode(&secret());
        bytes[8..40].fill(0);
        bytes[8] = 1;
        assert_eq!(Card::decode(&bytes).expect_err("weak").kind, Kind::DeviceKey);
        let mut bytes = Card::encode(&secret());
        bytes[42..74].fill(0);
        assert_eq!(Card::decode(&bytes).expect_err("weak").kind, Kind::DeviceKey);
    }
}
