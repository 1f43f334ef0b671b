//! The newcomer's end of a joining over a line: a state machine over bytes.
//!
//! Nothing of it is kept in the store until the welcome: on another line it is another joining,
//! with another nonce. Must not know: sockets, screens.

use super::message::Invite;
use super::talk::{JoinEvent, REQUEST, REVEAL, Talk, WELCOME, out_of_place};
use crate::error::{Error, Kind, Result};
use crate::replica::Replica;
use crate::sync::line::Line;
use crate::sync::session::Side;

/// The newcomer's end; see the module.
#[derive(Debug)]
pub struct JoinGuest {
    talk: Talk,
    invite: Invite,
    nonce: [u8; 32],
    revealed: bool,
}

impl JoinGuest {
    /// Begins to answer an invitation.
    ///
    /// # Errors
    /// As [`Replica::accept_invitation`].
    pub fn new(replica: &mut Replica, invite: &[u8]) -> Result<Self> {
        let invite = replica.check_joinable(invite)?;
        let (nonce, request) = replica.request(&invite)?;
        let psk = invite.secret.psk();
        let Replica { mind, env, .. } = replica;
        let line = Line::new(Side::Initiator, &mind.identity()?.secret, Some(&psk), env)?;
        let mut talk = Talk::new(line);
        // It leaves with the end of the handshake, so nobody can fit a handshake to the nonce.
        talk.say(REQUEST, &request)?;
        Ok(Self { talk, invite, nonce, revealed: false })
    }

    /// Takes bytes of the stream, cut anywhere.
    ///
    /// # Errors
    /// Why it failed: those of [`Line::handle_bytes`]; `E-MITM` for a nonce that was not committed
    /// to; `E-PEER` when the line's other end is not the inviter; those of
    /// [`Replica::take_welcome`]; the other side's own reason.
    pub fn handle_bytes(&mut self, replica: &mut Replica, bytes: &[u8]) -> Result<()> {
        let outcome = self.talk.hear(bytes).and_then(|()| self.listen(replica));
        outcome.inspect_err(|error| self.talk.fail(error))
    }

    fn listen(&mut self, replica: &mut Replica) -> Result<()> {
        while !self.talk.ended
            && let Some((number, payload)) = self.talk.next()?
        {
            match number {
                REVEAL if !self.revealed => {
                    let binding = self.talk.line.handshake_hash();
                    let revealed =
                        replica.digits_of(&self.invite, &self.nonce, &payload, binding)?;
                    self.revealed = true;
                    let (device, digits) = (revealed.inviter, revealed.digits);
                    self.talk.events.push_back(JoinEvent::Digits { device, digits });
                }
                WELCOME if self.revealed => {
                    let remote = self.talk.line.remote_static();
                    let outcome = replica.enter(&self.invite, &payload, remote, &mut |_, _| {})?;
                    self.talk.end(JoinEvent::Joined { outcome });
                }
                _ => return Err(out_of_place()),
            }
        }
        Ok(())
    }

    /// Ends because the digits differ from those on the other screen; the other side closes the
    /// invitation.
    pub fn differ(&mut self) {
        self.talk.fail(&Error::new(Kind::Mitm, "the digits differ"));
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

    /// Returns the line, for a session as initiator.
    #[must_use]
    pub fn into_line(self) -> Line {
        self.talk.line
    }
}
