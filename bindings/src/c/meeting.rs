//! Two devices over a stream of the caller's, in C: bytes in, bytes out.
//!
//! Must not know: which stream it is.

use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, PoisonError};

use tuquan_core::boundary::TuquanError;
use tuquan_core::sync::session::{Side, Stats};

use super::guard::{Fault, bytes, guard, invalid, null};
use super::{tq_bytes, tq_core, tq_meeting, tq_status, tq_string};
use crate::verbs::json;

/// The side that connected.
const TQ_INITIATOR: i32 = 1;
/// The side that was connected to.
const TQ_RESPONDER: i32 = 2;

/// Send what came out, then give what comes in.
const TQ_MEETING_WAITS: i32 = 0;
/// Send what came out, then pump again with nothing: there is more to do.
const TQ_MEETING_GOES_ON: i32 = 1;
/// Send what came out; it is over.
const TQ_MEETING_ENDED: i32 = 2;
/// Send what came out; it is over, early: tq_meeting_report says why. What came stays.
const TQ_MEETING_FAILED: i32 = 3;

/// What a meeting came to so far.
#[derive(Default)]
pub(super) struct Report(Mutex<Said>);

#[derive(Default, Clone, serde::Serialize)]
struct Said {
    failed: Option<TuquanError>,
    stats: Stats,
}

/// Begins a meeting with the device at the other end of a stream: `side` is TQ_INITIATOR at one end,
/// TQ_RESPONDER at the other. Fast.
#[unsafe(no_mangle)]
extern "C" fn tq_meet(
    core: Option<&tq_core>,
    side: i32,
    out: Option<&mut MaybeUninit<Box<tq_meeting>>>,
) -> tq_status {
    guard!(core, out => {
        let side = match side {
            TQ_INITIATOR => Side::Initiator,
            TQ_RESPONDER => Side::Responder,
            _ => return Err(invalid("no such side")),
        };
        let meeting = Arc::clone(&core.store).meet(side)?;
        let fault = Arc::clone(&core.fault);
        Ok(Box::new(tq_meeting { meeting, fault, report: Report::default() }))
    })
}

/// Takes bytes that came in, however they were cut (none at the start, or to go on), and gives bytes
/// to send, all of them and in order, and the state: a TQ_MEETING_ number. Threads take turns. Disk.
#[unsafe(no_mangle)]
extern "C" fn tq_meeting_pump(
    meeting: Option<&tq_meeting>,
    incoming: *const u8,
    incoming_len: usize,
    outgoing: Option<&mut MaybeUninit<tq_bytes>>,
    state: Option<&mut MaybeUninit<i32>>,
) -> tq_status {
    guard!(meeting, outgoing => {
        let state = state.ok_or_else(|| null("state"))?;
        // SAFETY: the header asks for so many bytes, which stay through the call.
        let incoming = unsafe { bytes(incoming, incoming_len) }?;
        let pumped = meeting.meeting.pump(incoming.to_vec())?;
        state.write(match &pumped.failed {
            Some(_) if pumped.ended => TQ_MEETING_FAILED,
            _ if pumped.ended => TQ_MEETING_ENDED,
            _ if pumped.again => TQ_MEETING_GOES_ON,
            _ => TQ_MEETING_WAITS,
        });
        let mut said = meeting.report.0.lock().unwrap_or_else(PoisonError::into_inner);
        *said = Said { failed: pumped.failed.or(said.failed.take()), stats: pumped.stats };
        Ok(pumped.outgoing.into())
    })
}

/// Gives what a meeting came to so far: `{"failed":null,"stats":{"sent":1,"received":2,...}}`, where
/// `failed` is as tq_last_error gives it. Fast.
#[unsafe(no_mangle)]
extern "C" fn tq_meeting_report(
    meeting: Option<&tq_meeting>,
    out: Option<&mut MaybeUninit<tq_string>>,
) -> tq_status {
    guard!(meeting, out => {
        let said = meeting.report.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        json(&said).map(Into::into)
    })
}

/// Frees a meeting, which no thread uses any more, over or not; NULL is nothing to do. What came
/// stays. Fast.
#[unsafe(no_mangle)]
extern "C" fn tq_meeting_free(meeting: Option<Box<tq_meeting>>) {
    Fault::default().guarded(|| {
        drop(meeting);
        Ok(())
    });
}
