//! Two real stores hold a session over a line without faults.
//!
//! Must not know: what the stores hold.

use tuquan_core::door::Tuquan;
use tuquan_core::error::Result;
use tuquan_core::sync::session::{Event, Options, Session, Side};

/// Lets `a` call `b`; returns what each of them tells. A session that failed is told there too.
///
/// # Errors
/// Of the stores, and why a message was refused.
pub fn meet(a: &Tuquan, b: &Tuquan) -> Result<[Vec<Event>; 2]> {
    let stores = [a, b];
    let mut sides =
        [Side::Initiator, Side::Responder].map(|side| Session::new(side, 0, Options::default()));
    let mut is_quiet = [false; 2];
    while is_quiet != [true; 2] {
        for from in 0..2 {
            let session = &mut sides[from];
            let frame = stores[from].bulk(|replica| session.poll_transmit(replica))?;
            is_quiet[from] = frame.is_none();
            let Some(frame) = frame else { continue };
            is_quiet = [false; 2];
            let session = &mut sides[1 - from];
            stores[1 - from].bulk(|replica| session.handle_message(replica, &frame, 0))?;
        }
    }
    Ok(sides.map(|mut session| std::iter::from_fn(|| session.poll_event()).collect()))
}
