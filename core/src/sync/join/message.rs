//! The joining messages and their bytes.
//!
//! ```text
//! message = version u8 (1), kind u8, rest
//! INVITE  1 = CBOR [space, inviter's device key, secret, commitment, expires ms, hub | null]
//! REQUEST 2 = nonce 24, sealed CBOR [device card, newcomer's nonce]
//! REVEAL  3 = nonce 24, sealed CBOR [admin's nonce]
//! ```
//!
//! The seal is XChaCha20-Poly1305 under a key derived from the secret, with version and kind as
//! additional data. Must not know: the store.

use super::{Secret, commitment};
use crate::clock::Env;
use crate::codec::{Reader, Writer};
use crate::crypto;
use crate::error::{Error, Kind, Result};
use crate::ids::{DeviceKey, SpaceId};
use crate::sync::card::Card;

/// The version of the joining messages.
const VERSION: u8 = 1;
const INVITE: u8 = 1;
const REQUEST: u8 = 2;
const REVEAL: u8 = 3;
const NONCE_LEN: usize = 24;
const HEAD_LEN: usize = 2;
const HUB_BYTES_MAX: usize = 256;
const CARD_BYTES_MAX: usize = 256;
/// The most bytes of any of the messages.
pub(super) const MESSAGE_BYTES_MAX: usize = 1_024;

/// What the admin shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// The team.
    pub space: SpaceId,
    /// The device that invites.
    pub inviter: DeviceKey,
    /// The one-time secret.
    pub secret: Secret,
    /// The hash of the admin's nonce.
    pub commit: [u8; 32],
    /// Until when it may be used, by the admin's clock.
    pub expires_ms: i64,
    /// The relay where both may meet.
    pub hub: Option<String>,
}

/// What the newcomer answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The newcomer's device card.
    pub card: Card,
    /// Its nonce.
    pub nonce: [u8; 32],
}

/// What the admin reveals then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reveal {
    /// The admin's nonce.
    pub nonce: [u8; 32],
}

impl Invite {
    /// Encodes the invitation.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::after(vec![VERSION, INVITE]);
        to.array(6).bytes(&self.space.0).bytes(&self.inviter.0).bytes(&self.secret.0);
        to.bytes(&self.commit).uint(self.expires_ms.max(0).cast_unsigned());
        match &self.hub {
            None => to.null(),
            Some(hub) => to.text(hub),
        };
        to.into_bytes()
    }

    /// Decodes an invitation.
    ///
    /// # Errors
    /// `E-INVITE` for another version, `E-MAGIC` for another message, `E-SIZE`, `E-TRUNC`,
    /// `E-TRAIL`, `E-FORMAT`; `E-KEY` for a weak key.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        check_head(bytes, INVITE)?;
        let mut from = Reader::new(bytes);
        from.raw(HEAD_LEN)?;
        from.tuple(6)?;
        let space = SpaceId(from.array_bytes()?);
        let inviter = DeviceKey(from.array_bytes()?);
        let secret = Secret(from.array_bytes()?);
        let commit = from.array_bytes()?;
        let expires_ms = from.uint_max(i64::MAX.cast_unsigned())?.cast_signed();
        let hub = match from.null()? {
            true => None,
            false => Some(from.text(HUB_BYTES_MAX)?.to_owned()),
        };
        from.end();
        from.finish()?;
        crypto::check_device_key(&inviter)?;
        Ok(Self { space, inviter, secret, commit, expires_ms, hub })
    }
}

impl Request {
    /// Encodes the request with the bytes of the card, sealed.
    ///
    /// # Errors
    /// `E-SIZE`.
    pub fn seal(secret: &Secret, card: &[u8], nonce: &[u8; 32], env: &mut Env) -> Result<Vec<u8>> {
        let mut to = Writer::new();
        to.array(2).bytes(card).bytes(nonce);
        seal(REQUEST, secret, to.as_slice(), env)
    }

    /// Opens a request.
    ///
    /// # Errors
    /// `E-INVITE` for another version, `E-MAGIC` for another message, `E-BODY` when it was sealed
    /// with another secret or altered, `E-SIZE`, `E-TRUNC`, `E-FORMAT`; what the card's checks give.
    pub fn open(secret: &Secret, bytes: &[u8]) -> Result<Self> {
        let plain = open(REQUEST, secret, bytes)?;
        let mut from = Reader::new(&plain);
        from.tuple(2)?;
        let card = from.bytes(CARD_BYTES_MAX)?;
        let nonce = from.array_bytes()?;
        from.end();
        from.finish()?;
        Ok(Self { card: Card::decode(card)?, nonce })
    }
}

impl Reveal {
    /// Encodes the reveal, sealed.
    ///
    /// # Errors
    /// `E-SIZE`.
    pub fn seal(secret: &Secret, nonce: &[u8; 32], env: &mut Env) -> Result<Vec<u8>> {
        let mut to = Writer::new();
        to.array(1).bytes(nonce);
        seal(REVEAL, secret, to.as_slice(), env)
    }

    /// Opens a reveal and compares it with what the invitation committed to.
    ///
    /// # Errors
    /// As [`Request::open`]; `E-MITM` for another nonce than was committed to: whoever sent it
    /// knows the secret and is not the inviter.
    pub fn open(invite: &Invite, bytes: &[u8]) -> Result<Self> {
        let plain = open(REVEAL, &invite.secret, bytes)?;
        let mut from = Reader::new(&plain);
        from.tuple(1)?;
        let nonce = from.array_bytes()?;
        from.end();
        from.finish()?;
        if commitment(&nonce) != invite.commit {
            return Err(Error::new(Kind::Mitm, "another nonce than was committed to"));
        }
        Ok(Self { nonce })
    }
}

/// Judges size, version and kind before anything is opened.
fn check_head(bytes: &[u8], kind: u8) -> Result<()> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(Error::new(Kind::Size, format!("a joining message of {} bytes", bytes.len())));
    }
    match bytes {
        [VERSION, found, ..] if *found == kind => Ok(()),
        [VERSION, ..] | [] => Err(Error::new(Kind::Magic, "another joining message")),
        [other, ..] => Err(Error::new(Kind::Invite, format!("version {other}"))),
    }
}

fn seal(kind: u8, secret: &Secret, plain: &[u8], env: &mut Env) -> Result<Vec<u8>> {
    let head = [VERSION, kind];
    let nonce: [u8; NONCE_LEN] = env.random();
    let sealed = crypto::seal(&secret.key(), &nonce, &head, plain)?;
    Ok([&head[..], &nonce, &sealed].concat())
}

fn open(kind: u8, secret: &Secret, bytes: &[u8]) -> Result<Vec<u8>> {
    check_head(bytes, kind)?;
    let short = || Error::new(Kind::Truncated, "a joining message ends too early");
    let (head, rest) = bytes.split_at_checked(HEAD_LEN).ok_or_else(short)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(short)?;
    crypto::open(&secret.key(), nonce, head, sealed)
}
