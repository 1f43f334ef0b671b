//! A sync session between two replicas: a state machine without sockets and without a clock.
//!
//! ```text
//! initiator                      responder
//! hello            ->
//!                  <-            hello            equal hashes: both acknowledged, the end
//! vector           ->   <-       vector
//! want             ->   <-       want             sending starts when the other side's came
//! pack, credit...  ->   <-       pack, credit...  control logs first
//! done             ->   <-       done
//! lack, chunk...   ->   <-       lack, chunk...   only where chunks of photos are missing
//! ack              ->   <-       ack              over the new vectors
//! ```
//!
//! With equal hashes and missing chunks it goes on with `lack`. Who does not know the device of a hello asks `who`, and judges the hello again with the
//! `introduction` that answers: so members meet whoever joined first.
//!
//! The responder says nothing else before a good hello. A session that is cut off anywhere leaves both
//! replicas intact, and the next one goes on from the vectors. A pack that cannot be used (a missing
//! key) stops only its own log; of a log with two histories all goes that the other side lacks. Must not know: transports, encryption of the line; the
//! signed hello is the authentication, and the line's key where there is one must be the member's.

pub(in crate::sync) mod ack;
mod event;
mod fetch;
mod introduce;
mod message;
mod plan;
mod receive;
mod reset;

use std::collections::{HashSet, VecDeque};

pub use self::ack::{Acknowledged, acked_floor, all, held_elsewhere};
pub use self::event::{Event, Options, Stats};
use self::fetch::Fetching;
use self::introduce::Introduction;
pub use self::message::{
    Claim, FRAME_BYTES_MAX, FRAME_HEAD_LEN, Framer, Hello, INTRODUCTION_MAX, LACK_MAX, Message,
    VERSION, WANT_HELD_MAX, Want,
};
use self::plan::Plan;
pub(in crate::sync) use self::reset::covered;
pub use self::reset::{EntriesOf, ResetCheck, reset_check};
use crate::error::{Error, Kind, Result};
use crate::ids::{DeviceKey, EpochId, LogId};
use crate::replica::Replica;
use crate::replica::outgoing::{self, Vector};
use crate::store::chunks;

/// How long a session waits for the other side, in milliseconds.
pub const IDLE_MS_MAX: i64 = 30_000;
/// How many bytes of packs may be on their way before the receiver grants more.
pub const CREDIT_BYTES: u64 = 4 << 20;
/// Who lags by more entries than this is sent the newest first, unless it says otherwise.
pub const LAG_ENTRIES: u64 = 4_096;

/// Which side of a session this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum Side {
    /// Speaks first.
    Initiator,
    /// Answers.
    Responder,
}

/// How far the session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Hellos go out and come in.
    Greeting,
    /// Hashes differed: vectors, packs, acknowledgements.
    Exchanging,
    /// Over, well or not.
    Ended,
}

/// The other side, as its hello said.
#[derive(Debug)]
struct Peer {
    device: DeviceKey,
    claim: Claim,
    vector_hash: [u8; 32],
    vector: Option<Vector>,
}

/// Which closing messages went out and came in.
#[derive(Debug, Default)]
struct Closing {
    done_sent: bool,
    done_received: bool,
    ack_sent: bool,
    ack_received: bool,
}

/// One session; see the module.
#[derive(Debug)]
pub struct Session {
    side: Side,
    options: Options,
    state: State,
    heard_ms: i64,
    out: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
    /// The vector that the own hello signed.
    mine: Option<Vector>,
    peer: Option<Peer>,
    introduction: Introduction,
    want: Option<Want>,
    plan: Option<Plan>,
    fetching: Fetching,
    forked: HashSet<LogId>,
    /// The last epoch by the control logs in the own vector, and that of the last sealed pack that
    /// came, which starts as the same.
    epochs: (Option<EpochId>, Option<EpochId>),
    /// Bytes of packs and chunks that may be sent, that may come, and that came since the last grant.
    credit: (u64, u64, u64),
    closing: Closing,
    stats: Stats,
}

impl Session {
    /// Starts a session at `now_ms`.
    #[must_use]
    pub fn new(side: Side, now_ms: i64, options: Options) -> Self {
        Self {
            side,
            options,
            state: State::Greeting,
            heard_ms: now_ms,
            out: VecDeque::new(),
            events: VecDeque::new(),
            mine: None,
            peer: None,
            introduction: Introduction::default(),
            want: None,
            plan: None,
            fetching: Fetching::default(),
            forked: HashSet::new(),
            epochs: (None, None),
            credit: (CREDIT_BYTES, CREDIT_BYTES, 0),
            closing: Closing::default(),
            stats: Stats::default(),
        }
    }

    /// Takes one whole frame from the other side.
    ///
    /// # Errors
    /// Why the session failed now: `E-TRUNC`, `E-TRAIL`, `E-SIZE`, `E-NEWER`, `E-FORMAT` for bad
    /// frames; `E-SPACE`, `E-NOTMEMBER`, `E-PEER`, `E-SIG`; what a pack's checks give; of the store. The
    /// replica stays intact, and [`Session::poll_transmit`] still gives the last frame to send.
    /// `E-NOTREADY` when it had ended before.
    pub fn handle_message(
        &mut self,
        replica: &mut Replica,
        frame: &[u8],
        now_ms: i64,
    ) -> Result<()> {
        if self.state == State::Ended {
            return Err(Error::new(Kind::NotReady, "the session has ended"));
        }
        self.heard_ms = now_ms;
        self.stats.received_bytes += frame.len() as u64;
        let outcome = Message::decode(frame).and_then(|message| self.receive(replica, message));
        outcome.inspect_err(|error| self.fail(error, true))
    }

    /// Returns the next frame to send; none when there is nothing to send now.
    ///
    /// # Errors
    /// As [`Session::handle_message`], for what was to be read of the store.
    pub fn poll_transmit(&mut self, replica: &mut Replica) -> Result<Option<Vec<u8>>> {
        if self.out.is_empty() && self.state != State::Ended {
            let outcome = self.produce(replica);
            outcome.inspect_err(|error| self.fail(error, true))?;
        }
        let frame = self.out.pop_front();
        self.stats.sent_bytes += frame.as_ref().map_or(0, |frame| frame.len() as u64);
        Ok(frame)
    }

    /// Returns the next thing to tell.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Returns when [`Session::handle_timeout`] is to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<i64> {
        (self.state != State::Ended).then(|| self.heard_ms.saturating_add(IDLE_MS_MAX))
    }

    /// Ends the session when the other side has said nothing for too long.
    pub fn handle_timeout(&mut self, now_ms: i64) {
        // A clock that was set back must not stretch the wait.
        self.heard_ms = self.heard_ms.min(now_ms);
        if self.poll_timeout().is_some_and(|deadline| now_ms >= deadline) {
            let what = format!("nothing from the other side for {IDLE_MS_MAX} ms");
            self.fail(&Error::new(Kind::Io, what), true);
        }
    }

    /// Tells whether the session is over; frames may still be waiting to be sent.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Returns what was sent and received so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Makes the next frame, if one is due.
    fn produce(&mut self, replica: &mut Replica) -> Result<()> {
        if self.state == State::Greeting {
            if self.side == Side::Initiator && self.mine.is_none() {
                self.greet(replica)?;
            }
            return Ok(());
        }
        if self.plan.is_some() && !self.closing.done_sent {
            return self.send_pack(replica);
        }
        if !self.closing.done_sent || !self.closing.done_received {
            return Ok(());
        }
        if !self.closing.ack_sent && !self.fetching.is_asking() && !self.ask_for_chunks(replica)? {
            replica.seal()?;
            let vector = outgoing::vector(&replica.connection, &replica.mind)?;
            let claim = ack::sign(replica, &vector.hash())?;
            self.send(&Message::Ack(claim, vector));
            self.closing.ack_sent = true;
            self.finish();
        }
        if self.out.is_empty() {
            self.send_chunk(replica)?;
        }
        Ok(())
    }

    /// Seals the own log and signs its vector: the hello.
    fn greet(&mut self, replica: &mut Replica) -> Result<()> {
        replica.seal()?;
        let vector = outgoing::vector(&replica.connection, &replica.mind)?;
        let vector_hash = vector.hash();
        let claim = ack::sign(replica, &vector_hash)?;
        self.fetching.lacks = chunks::lacks_any(&replica.connection)?;
        let hello = Hello {
            space: replica.mind.space()?,
            device: replica.mind.identity()?.secret.device_key(),
            claim,
            vector_hash,
            lacks: self.fetching.lacks,
        };
        self.send(&Message::Hello(hello));
        let epoch = replica.mind.members.current();
        self.epochs = (epoch, epoch);
        self.mine = Some(vector);
        Ok(())
    }

    /// Sends the next pack if there is credit for it, or `done` after the last.
    fn send_pack(&mut self, replica: &mut Replica) -> Result<()> {
        let (Some(mine), Some(plan)) = (&self.mine, &mut self.plan) else {
            return Ok(());
        };
        let theirs =
            self.peer.as_ref().and_then(|peer| Some((&peer.device, peer.vector.as_ref()?)));
        let Some(theirs) = theirs else {
            return Ok(());
        };
        let log = plan.next_log(replica);
        match plan.peek(replica, mine, theirs) {
            Ok(Some(ready)) if ready.bytes.len() as u64 > self.credit.0 => return Ok(()),
            Ok(Some(_)) => {}
            Ok(None) => {
                self.closing.done_sent = true;
                self.send(&Message::Done(self.stats.sent));
                return Ok(());
            }
            Err(error) => {
                let Some(log) = log.filter(|_| is_of_one_log(error.kind)) else {
                    return Err(error);
                };
                plan.skip(replica, &log);
                self.note_refused(log, error);
                return self.send_pack(replica);
            }
        }
        if let Some(ready) = plan.take() {
            self.credit.0 -= ready.bytes.len() as u64;
            self.stats.sent += ready.entries;
            self.send(&Message::Pack(&ready.bytes));
            self.events.push_back(Event::Progress(self.stats));
        }
        Ok(())
    }

    fn note_refused(&mut self, log: LogId, error: Error) {
        if error.kind != Kind::Fork {
            self.events.push_back(Event::Refused { error });
        } else if self.forked.insert(log) {
            self.events.push_back(Event::Forked { log });
        }
    }

    fn send(&mut self, message: &Message<'_>) {
        self.out.push_back(message.encode());
    }

    /// Ends the session when both acknowledgements are there.
    fn finish(&mut self) {
        if self.closing.ack_sent && self.closing.ack_received {
            self.end();
        }
    }

    fn end(&mut self) {
        self.state = State::Ended;
        let sent_bytes = self.out.iter().map(|frame| frame.len() as u64);
        let stats =
            Stats { sent_bytes: self.stats.sent_bytes + sent_bytes.sum::<u64>(), ..self.stats };
        self.events.push_back(Event::Done { stats });
    }

    fn fail(&mut self, error: &Error, tell: bool) {
        if self.state == State::Ended {
            return;
        }
        self.state = State::Ended;
        self.out.clear();
        if tell {
            self.send(&Message::Error(error.code().to_owned()));
        }
        self.events.push_back(Event::Failed {
            error: error.clone(),
            retryable: error.kind.is_retryable(),
        });
    }
}

/// Tells whether an error is about one log only, so that the others go on.
fn is_of_one_log(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Fork
            | Kind::NotMember
            | Kind::WaitMembers
            | Kind::WaitKey
            | Kind::Role
            | Kind::BodyMissing
    )
}
