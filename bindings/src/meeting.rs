//! Two phones over a stream that the shell brings: Bluetooth, Multipeer, a pipe. Bytes in, bytes
//! out.
//!
//! Must not know: which stream it is.

use std::sync::{Arc, Mutex, PoisonError};

use tuquan_core::boundary::TuquanError;
use tuquan_core::error::{Error, Kind};
use tuquan_core::sync::meeting;
use tuquan_core::sync::session::{Event, Side, Stats};

use crate::store::Tuquan;

/// How many bytes are made before the caller gets to send some.
const OUTGOING_BYTES: usize = 256 << 10;

/// What a pump brought up.
#[derive(Debug, Clone, Default, PartialEq, Eq, uniffi::Record)]
pub struct Pumped {
    /// Bytes to send to the other side, all of them and in order; may be none.
    pub outgoing: Vec<u8>,
    /// Whether there is more to do before bytes come: pump again at once, with nothing.
    pub again: bool,
    /// Whether the meeting is over, once `outgoing` is sent.
    pub ended: bool,
    /// Why it ended early, if it did; what came is kept.
    pub failed: Option<TuquanError>,
    /// What was sent and received so far.
    pub stats: Stats,
}

/// One meeting with another phone, on one store. One thread at a time pumps it; others wait.
#[derive(Debug, uniffi::Object)]
pub struct Meeting {
    store: Arc<Tuquan>,
    state: Mutex<Option<meeting::Meeting>>,
}

#[uniffi::export]
impl Tuquan {
    /// Begins a meeting with the phone at the other end of a stream. One side is the initiator,
    /// the other the responder: usually whoever connected, and whoever was connected to. Fast.
    ///
    /// # Errors
    /// `NotReady` without an identity.
    pub fn meet(self: Arc<Self>, side: Side) -> Result<Arc<Meeting>, TuquanError> {
        let begin = |replica: &mut _| meeting::Meeting::new(replica, side);
        let state = self.with(|core| core.bulk(begin))?;
        Ok(Arc::new(Meeting { store: self, state: Mutex::new(Some(state)) }))
    }
}

#[uniffi::export]
impl Meeting {
    /// Takes bytes that came in, however they were cut (none at the start, or to go on), does what
    /// follows, and returns bytes to send. Disk.
    ///
    /// # Errors
    /// `NotReady` once it is over, or the store closed; of the store. What was altered on the way,
    /// and who is no member, end the meeting: that is in the answer.
    pub fn pump(&self, incoming: Vec<u8>) -> Result<Pumped, TuquanError> {
        let mut slot = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let over = || Error::new(Kind::NotReady, "the meeting is over");
        let mut meeting = slot.take().ok_or_else(over)?;
        let (meeting, pumped) = self.store.with(|core| {
            let mut pumped = Pumped::default();
            if !incoming.is_empty()
                && let Err(error) = meeting.handle_bytes(&incoming)
            {
                (pumped.failed, pumped.ended) = (Some(error.into()), true);
                return Ok((meeting, pumped));
            }
            loop {
                let turn = core.bulk(|replica| meeting.turn(replica));
                let (moved, events) = match turn {
                    Ok(turn) => (turn.moved, turn.events),
                    Err(error) if error.kind.is_of_storage() => return Err(error),
                    Err(error) => {
                        (pumped.failed, pumped.ended) = (Some(error.into()), true);
                        (false, Vec::new())
                    }
                };
                for event in events {
                    match event {
                        Event::Received { ingested } => core.note_changes(ingested.changed),
                        Event::Failed { error, .. } => pumped.failed = Some(error.into()),
                        _ => {}
                    }
                }
                while let Some(bytes) = meeting.poll_transmit() {
                    pumped.outgoing.extend(bytes);
                }
                pumped.ended |= meeting.has_ended();
                pumped.again = moved && !pumped.ended;
                if !pumped.again || pumped.outgoing.len() >= OUTGOING_BYTES {
                    pumped.stats = meeting.stats();
                    return Ok((meeting, pumped));
                }
            }
        })?;
        if !pumped.ended {
            *slot = Some(meeting);
        }
        Ok(pumped)
    }
}
