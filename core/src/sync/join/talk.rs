//! What both ends of a joining over a line have in common: the line, frames of joining, events.
//!
//! ```text
//! frame = u32 length of what follows, u8 type, payload
//! request 16, reveal 17, welcome 18: the message's bytes; error 8: CBOR [code]
//! ```
//!
//! Must not know: what is said in which order.

use std::collections::VecDeque;

use crate::error::{Error, Kind, Result};
use crate::ids::DeviceKey;
use crate::sync::courier::BundleOutcome;
use crate::sync::line::Line;
use crate::sync::session::Message;
use crate::team::control::Rights;

pub(super) const REQUEST: u8 = 16;
pub(super) const REVEAL: u8 = 17;
pub(super) const WELCOME: u8 = 18;
const ERROR: u8 = 8;
const LEN_BYTES: usize = 4;

/// What a joining over a line tells its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JoinEvent {
    /// Show these digits; the admin is asked whether they are those on the other screen.
    Digits {
        /// The device at the other end.
        device: DeviceKey,
        /// The six digits.
        digits: String,
    },
    /// The newcomer was admitted; a session may follow on the line.
    Admitted {
        /// Its device.
        device: DeviceKey,
        /// What it may do.
        rights: Rights,
    },
    /// This device has joined; a session may follow on the line.
    Joined {
        /// What the bundle brought.
        outcome: BundleOutcome,
    },
    /// It ended without that.
    Failed {
        /// Why.
        error: Error,
    },
}

/// A line on which a joining is talked about.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) line: Line,
    pub(super) events: VecDeque<JoinEvent>,
    pub(super) ended: bool,
}

impl Talk {
    pub(super) fn new(line: Line) -> Self {
        Self { line, events: VecDeque::new(), ended: false }
    }

    /// Sends a frame of joining.
    pub(super) fn say(&mut self, number: u8, payload: &[u8]) -> Result<()> {
        let len = u32::try_from(payload.len() + 1)
            .map_err(|_| Error::new(Kind::Size, "a frame over its cap"))?;
        let frame = [&len.to_le_bytes()[..], &[number], payload].concat();
        self.line.send(&frame)
    }

    /// Takes bytes of the stream.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Result<()> {
        if self.ended {
            return Err(Error::new(Kind::NotReady, "the joining has ended"));
        }
        self.line.handle_bytes(bytes)
    }

    /// Returns the next frame as type and payload.
    ///
    /// # Errors
    /// The other side's reason for ending, when that is what it says.
    pub(super) fn next(&mut self) -> Result<Option<(u8, Vec<u8>)>> {
        let Some(frame) = self.line.next_frame() else {
            return Ok(None);
        };
        let number = frame.get(LEN_BYTES).copied().unwrap_or_default();
        if number == ERROR {
            let Message::Error(code) = Message::decode(&frame)? else {
                return Err(out_of_place());
            };
            let kinds = [Kind::Invite, Kind::Mitm, Kind::Peer, Kind::NotMember];
            let kind = kinds.into_iter().find(|kind| kind.code() == code);
            let kind = kind.unwrap_or(Kind::Io);
            return Err(Error::new(kind, "the other side ended the joining"));
        }
        let payload = frame.get(LEN_BYTES + 1..).unwrap_or_default().to_vec();
        Ok(Some((number, payload)))
    }

    /// Ends the joining, telling the other side why unless the line is dead.
    pub(super) fn fail(&mut self, error: &Error) {
        if self.ended {
            return;
        }
        self.ended = true;
        let frame = Message::Error(error.code().to_owned()).encode();
        // On a dead line there is nobody to tell.
        let _ = self.line.send(&frame);
        self.events.push_back(JoinEvent::Failed { error: error.clone() });
    }

    pub(super) fn end(&mut self, event: JoinEvent) {
        self.ended = true;
        self.events.push_back(event);
    }
}

pub(super) fn out_of_place() -> Error {
    Error::new(Kind::Format, "a message out of its place")
}
