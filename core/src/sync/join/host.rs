//! The admin's end of a joining over a line: a state machine over bytes.
//!
//! Invariant: the request is taken only from the device that holds the line's other end. Must not
//! know: sockets, screens.

use super::talk::{JoinEvent, REQUEST, REVEAL, Talk, WELCOME, out_of_place};
use super::{Compared, Request};
use crate::error::{Error, Kind, Result};
use crate::replica::Replica;
use crate::sync::line::Line;
use crate::sync::session::Side;

/// The admin's end; see the module.
#[derive(Debug)]
pub struct JoinHost {
    talk: Talk,
    invitation: [u8; 16],
    /// Whether the digits were shown.
    asked: bool,
}

impl JoinHost {
    /// Waits for the newcomer who answers an invitation.
    ///
    /// # Errors
    /// `E-INVITE` when the invitation cannot be answered any more; of the store.
    pub fn new(replica: &mut Replica, invitation: [u8; 16]) -> Result<Self> {
        let psk = replica.open_invitation(&invitation)?.psk();
        let Replica { mind, env, .. } = replica;
        let line = Line::new(Side::Responder, &mind.identity()?.secret, Some(&psk), env)?;
        Ok(Self { talk: Talk::new(line), invitation, asked: false })
    }

    /// Takes bytes of the stream, cut anywhere.
    ///
    /// # Errors
    /// Why it failed: those of [`Line::handle_bytes`]; `E-PEER` when the card is not that of the
    /// line's other end; those of [`Replica::take_request`]; the other side's own reason. The other
    /// side is told by what [`JoinHost::poll_transmit`] still gives.
    pub fn handle_bytes(&mut self, replica: &mut Replica, bytes: &[u8]) -> Result<()> {
        let outcome = self.talk.hear(bytes).and_then(|()| self.listen(replica));
        outcome.inspect_err(|error| {
            if error.kind == Kind::Mitm {
                // The newcomer's person said so; a failing store changes nothing about that.
                let _ = replica.decline(&self.invitation);
            }
            self.talk.fail(error);
        })
    }

    fn listen(&mut self, replica: &mut Replica) -> Result<()> {
        while !self.talk.ended
            && let Some((number, payload)) = self.talk.next()?
        {
            if number != REQUEST || self.asked {
                return Err(out_of_place());
            }
            let line = &self.talk.line;
            let (remote, hash) = (line.remote_static(), line.handshake_hash());
            let secret = replica.open_invitation(&self.invitation)?;
            let request = Request::open(&secret, &payload)?;
            if remote != Some(request.card.unbox) {
                let what = format!("the line is not that of device {}", request.card.device);
                return Err(Error::new(Kind::Peer, what));
            }
            let taken = replica.take_request(&payload, hash)?;
            self.talk.say(REVEAL, &taken.reveal)?;
            self.asked = true;
            let (device, digits) = (taken.device, taken.digits);
            self.talk.events.push_back(JoinEvent::Digits { device, digits });
        }
        Ok(())
    }

    /// Says what the admin saw of the digits: admits the newcomer, or ends.
    ///
    /// # Errors
    /// `E-NOTREADY` before the digits were shown or after the end; those of [`Replica::admit`].
    pub fn answer(&mut self, replica: &mut Replica, compared: Compared) -> Result<()> {
        if !self.asked || self.talk.ended {
            return Err(Error::new(Kind::NotReady, "no digits are shown"));
        }
        let admitted = replica.admit(&self.invitation, compared, false);
        let outcome = admitted.and_then(|admitted| {
            self.talk.say(WELCOME, &admitted.welcome)?;
            let (device, rights) = (admitted.device, admitted.rights);
            self.talk.end(JoinEvent::Admitted { device, rights });
            Ok(())
        });
        outcome.inspect_err(|error| self.talk.fail(error))
    }

    /// Returns the next bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.talk.line.poll_transmit()
    }

    /// Returns the next thing to tell.
    pub fn poll_event(&mut self) -> Option<JoinEvent> {
        self.talk.events.pop_front()
    }

    /// Tells whether it is over; bytes may still wait to be sent.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.talk.ended
    }

    /// Returns the line, for a session as responder.
    #[must_use]
    pub fn into_line(self) -> Line {
        self.talk.line
    }
}
