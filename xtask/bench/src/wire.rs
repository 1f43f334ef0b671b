//! What events cost on the wire: alone, in hundreds, in thousands, between two phones that know
//! each other.
//!
//! Must not know: what a pack looks like inside.

use tuquan_core::domain::DORMITORY;
use tuquan_core::door::Tuquan;
use tuquan_core::error::Result;
use tuquan_core::sync::session::{Options, Session, Side};

use crate::Scale;
use crate::data;
use crate::store::{self, Folder};
use crate::sync::join;
use crate::table::{Row, median};

/// The type number of a pack among the frames of a session.
const PACK: u8 = 4;

/// Measures the packs of a session after 1, 100 and 1,000 new events.
pub(crate) fn packs(scale: &Scale) -> Result<Vec<Row>> {
    let source = data::campus();
    let (a, b) = (Folder::new("wire-a")?, Folder::new("wire-b")?);
    let left = store::open_with(a.path(), 1, DORMITORY)?;
    left.found()?;
    let places = store::places(&left)?;
    let right = store::open_with(b.path(), 2, DORMITORY)?;
    join(&left, &right, true)?;
    let mut events = source.events.iter().cycle();
    let mut rows = Vec::new();
    let thousands = if scale.repeats > 1 { 5 } else { 2 };
    for (count, runs, goal) in
        [(1, scale.taps.min(1_000), 250.0), (100, 10, 60.0), (1_000, thousands, 45.0)]
    {
        let mut sizes = Vec::with_capacity(runs);
        for _ in 0..runs {
            let commands: Vec<_> =
                events.by_ref().take(count).map(|event| store::command(event, &places)).collect();
            left.apply_many(&commands, &mut |_| {})?;
            sizes.push(pack_bytes(&left, &right)? as f64 / count as f64);
        }
        let measured = median(&sizes);
        rows.push(Row {
            id: format!("W {count} events in a session ({})", source.name),
            goal: format!("<= {goal} B each, median of {runs}"),
            limit: "-".into(),
            measured: format!("{measured:.1} B"),
            ratio: Some(measured / goal),
            pass: measured <= goal,
        });
    }
    Ok(rows)
}

/// Syncs two stores in memory; returns the bytes of all pack frames.
fn pack_bytes(left: &Tuquan, right: &Tuquan) -> Result<usize> {
    let mut sessions = [
        Session::new(Side::Initiator, 0, Options::default()),
        Session::new(Side::Responder, 0, Options::default()),
    ];
    let stores = [left, right];
    let mut bytes = 0;
    loop {
        let mut moved = false;
        for from in 0..2 {
            while let Some(frame) = stores[from].bulk(|r| sessions[from].poll_transmit(r))? {
                moved = true;
                if frame.get(4) == Some(&PACK) {
                    bytes += frame.len();
                }
                let to = 1 - from;
                stores[to].bulk(|r| sessions[to].handle_message(r, &frame, 0))?;
            }
        }
        if !moved {
            return Ok(bytes);
        }
    }
}
