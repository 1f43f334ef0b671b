//! Two phones over any stream of bytes, without the stream: the line, and the session on it.
//!
//! Whoever carries bytes calls three verbs in a loop: bytes that came in, one turn of work, bytes that
//! go out. Must not know: sockets, pipes, time-outs of them.

use super::line::Line;
use super::session::{Event, Options, Session, Side, Stats};
use crate::error::Result;
use crate::replica::Replica;

/// One meeting with another phone.
#[derive(Debug)]
pub struct Meeting {
    side: Side,
    line: Line,
    session: Option<Session>,
}

/// What one turn did.
#[derive(Debug, Default)]
pub struct Turn {
    /// What the session tells.
    pub events: Vec<Event>,
    /// Whether anything moved; if not, nothing will until more bytes come.
    pub moved: bool,
}

impl Meeting {
    /// Begins a meeting on a line of its own.
    ///
    /// # Errors
    /// `E-NOTREADY` without an identity.
    pub fn new(replica: &mut Replica, side: Side) -> Result<Self> {
        let secret = replica.mind.identity()?.secret.clone();
        let line = Line::new(side, &secret, None, &mut replica.env)?;
        Ok(Self::on_line(line, side))
    }

    /// Begins a meeting on a line that stands already: after a joining.
    #[must_use]
    pub fn on_line(line: Line, side: Side) -> Self {
        Self { side, line, session: None }
    }

    /// Takes bytes that came in, however they were cut.
    ///
    /// # Errors
    /// `E-BODY` for bytes that were altered on the way, `E-SIZE`; the meeting is over then.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.line.handle_bytes(bytes)
    }

    /// Does one step of work: at most one message in and one out.
    ///
    /// # Errors
    /// Of the store, and of the line. What ends a session early is an event, and a last message
    /// to the other side goes out.
    pub fn turn(&mut self, replica: &mut Replica) -> Result<Turn> {
        let now_ms = replica.env.clock.now_ms();
        if self.session.is_none() {
            let Some(remote) = self.line.remote_static() else {
                return Ok(Turn::default());
            };
            let options = Options { line: Some(remote), ..Options::default() };
            self.session = Some(Session::new(self.side, now_ms, options));
        }
        let Some(session) = &mut self.session else {
            return Ok(Turn::default());
        };
        let frame = self.line.next_frame();
        let came = frame.map(|frame| session.handle_message(replica, &frame, now_ms));
        let goes = session.poll_transmit(replica);
        let moved = came.is_some() || matches!(goes, Ok(Some(_)));
        if let Ok(Some(frame)) = &goes {
            self.line.send(frame)?;
        }
        while session.has_ended()
            && let Some(frame) = session.poll_transmit(replica)?
        {
            self.line.send(&frame)?;
        }
        let events: Vec<Event> = std::iter::from_fn(|| session.poll_event()).collect();
        if !events.iter().any(|event| matches!(event, Event::Failed { .. })) {
            came.transpose()?;
            goes?;
        }
        Ok(Turn { moved: moved || !events.is_empty(), events })
    }

    /// Returns the next bytes for the other side.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.line.poll_transmit()
    }

    /// Tells whether the session is over; what [`Meeting::poll_transmit`] still has is to be sent.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.session.as_ref().is_some_and(Session::has_ended)
    }

    /// Tells what is wrong with a stream that ends here, if anything.
    ///
    /// # Errors
    /// `E-TRUNC` in the middle of a message.
    pub fn finish(&self) -> Result<()> {
        self.line.finish()
    }

    /// Returns what was sent and received.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.session.as_ref().map(Session::stats).unwrap_or_default()
    }
}
