//! The newcomer's side: an accepted invitation in the store until the welcome comes.
//!
//! Must not know: how messages travel.

use super::message::{Invite, Request, Reveal};
use super::{Binding, digits};
use crate::codec::{Reader, Writer};
use crate::error::{Error, Kind, Result};
use crate::ids::{BoxKey, DeviceKey};
use crate::replica::Replica;
use crate::store::logs;
use crate::sync::bundle::Bundle;
use crate::sync::card::Card;
use crate::sync::courier::{BundleOutcome, TEAM_BYTES_MAX, extend_control};
use crate::team::members::Members;

/// The store's setting that holds the accepted invitation.
const JOINING: &str = "joining";
const BYTES_MAX: usize = 1_024;

/// What a reveal showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revealed {
    /// The device that invited.
    pub inviter: DeviceKey,
    /// The six digits to compare with those on its screen.
    pub digits: String,
}

/// An invitation that was accepted.
struct Joining {
    invite: Vec<u8>,
    nonce: [u8; 32],
    request: Vec<u8>,
}

impl Joining {
    fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.array(3).bytes(&self.invite).bytes(&self.nonce).bytes(&self.request);
        to.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut from = Reader::new(bytes);
        from.tuple(3)?;
        let invite = from.bytes(BYTES_MAX)?.to_vec();
        let nonce = from.array_bytes()?;
        Ok(Self { invite, nonce, request: from.bytes(BYTES_MAX)?.to_vec() })
    }
}

impl Replica {
    /// Accepts an invitation and returns the request that answers it. The same invitation again
    /// gets the same request; another one takes its place.
    ///
    /// # Errors
    /// `E-INVITE` for another version and the other codes of [`Invite::decode`]; `E-INVALID` when
    /// this device is in a team already; `E-NOTREADY` without an identity; of the store.
    pub fn accept_invitation(&mut self, bytes: &[u8]) -> Result<Vec<u8>> {
        let invite = self.check_joinable(bytes)?;
        if let Some(joining) = self.joining()?
            && joining.invite == bytes
        {
            return Ok(joining.request);
        }
        let (nonce, request) = self.request(&invite)?;
        let joining = Joining { invite: bytes.to_vec(), nonce, request };
        self.transact(|transaction, _, _| logs::set_meta(transaction, JOINING, &joining.encode()))?;
        Ok(joining.request)
    }

    /// Reads an invitation that this device may answer.
    pub(super) fn check_joinable(&self, bytes: &[u8]) -> Result<Invite> {
        let invite = Invite::decode(bytes)?;
        if self.mind.identity()?.space.is_some() {
            return Err(Error::new(Kind::Invalid, "this device is in a team already"));
        }
        Ok(invite)
    }

    /// Makes a request with a nonce of its own.
    pub(super) fn request(&mut self, invite: &Invite) -> Result<([u8; 32], Vec<u8>)> {
        let card = Card::encode(&self.mind.identity()?.secret);
        let nonce = self.env.random();
        Ok((nonce, Request::seal(&invite.secret, &card, &nonce, &mut self.env)?))
    }

    /// Takes the admin's answer to the request and returns the digits to compare.
    ///
    /// # Errors
    /// `E-NOTREADY` when no invitation was accepted; what [`Reveal::open`] gives: after `E-MITM`
    /// the invitation is given up; of the store.
    pub fn take_reveal(&mut self, bytes: &[u8]) -> Result<Revealed> {
        let joining = self.joining()?.ok_or_else(none)?;
        let invite = Invite::decode(&joining.invite)?;
        match self.digits_of(&invite, &joining.nonce, bytes, None) {
            Err(error) if error.kind == Kind::Mitm => {
                self.give_up_joining()?;
                Err(error)
            }
            outcome => outcome,
        }
    }

    /// Opens a reveal; returns the digits of this side.
    pub(super) fn digits_of(
        &self,
        invite: &Invite,
        nonce: &[u8; 32],
        reveal: &[u8],
        binding: Binding,
    ) -> Result<Revealed> {
        let reveal = Reveal::open(invite, reveal)?;
        let secret = &self.mind.identity()?.secret;
        let card = Card { device: secret.device_key(), unbox: secret.box_key() };
        let nonces = (&reveal.nonce, nonce);
        let digits = digits(&invite.space, &invite.inviter, &card, nonces, &binding);
        Ok(Revealed { inviter: invite.inviter, digits })
    }

    /// Joins by the welcome that answers the accepted invitation; `progress` as for bundles.
    ///
    /// # Errors
    /// `E-NOTREADY` when no invitation was accepted; `E-SPACE` for another team's bundle;
    /// `E-TRUNC`, `E-BODY` and the like unless it came whole and unaltered; `E-NOTMEMBER` when it
    /// does not grant this device or does not know the inviter; of the store.
    pub fn take_welcome(
        &mut self,
        bytes: &[u8],
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<BundleOutcome> {
        let joining = self.joining()?.ok_or_else(none)?;
        let invite = Invite::decode(&joining.invite)?;
        let outcome = self.enter(&invite, bytes, None, progress)?;
        self.give_up_joining()?;
        Ok(outcome)
    }

    /// Joins by a welcome; over a line, its other end must be the inviter's device.
    pub(super) fn enter(
        &mut self,
        invite: &Invite,
        bytes: &[u8],
        line: Option<BoxKey>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<BundleOutcome> {
        let parsed = Bundle::read(bytes)?;
        parsed.complete.clone()?;
        if parsed.space != invite.space {
            return Err(Error::new(Kind::Space, "a welcome of another team"));
        }
        let packs = parsed.packs.iter().copied();
        let entries = extend_control(&parsed.space, Vec::new(), packs, TEAM_BYTES_MAX)?;
        let members = Members::of(&parsed.space, &entries);
        let inviter = members.member(&invite.inviter)?;
        if line.is_some_and(|line| line != inviter.box_key) {
            return Err(Error::new(Kind::Peer, "the line is not that of the inviter"));
        }
        self.import_bundle(bytes, progress)
    }

    /// Gives up an accepted invitation, as when the digits differ.
    ///
    /// # Errors
    /// Of the store.
    pub fn give_up_joining(&mut self) -> Result<()> {
        self.transact(|transaction, _, _| logs::set_meta(transaction, JOINING, &[]))
    }

    fn joining(&self) -> Result<Option<Joining>> {
        let bytes = logs::meta(&self.connection, JOINING)?.filter(|bytes| !bytes.is_empty());
        bytes.map(|bytes| Joining::decode(&bytes)).transpose()
    }
}

fn none() -> Error {
    Error::new(Kind::NotReady, "this device has accepted no invitation")
}
