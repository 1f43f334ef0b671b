//! S1, S2 and S9: one tap, a bulk import, and what an event takes on disk.
//!
//! Must not know: how events are read back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use tuquan_core::error::{Error, Kind, Result};

use crate::Scale;
use crate::data::{self, Source};
use crate::raw;
use crate::store::{self, Folder};
use crate::table::{Row, median, quantile};

/// Times single durable taps beside raw inserts, one of each in turn.
pub(crate) fn taps(scale: &Scale) -> Result<Vec<Row>> {
    let source = data::campus();
    let (ours, limit) = (Folder::new("taps")?, Folder::new("raw-taps")?);
    let tuquan = store::open(ours.path(), 1)?;
    tuquan.found()?;
    let places = store::places(&tuquan)?;
    let connection = raw::open(limit.path())?;
    let mut inserts = raw::Inserts::new(&connection)?;
    let (mut taps_us, mut raw_us) = (Vec::new(), Vec::new());
    for number in 0..scale.taps + 100 {
        let event = &source.events[number % source.events.len()];
        let command = store::command(event, &places);
        let start = Instant::now();
        tuquan.apply(store::request(number as u64), &command)?;
        let tap = start.elapsed();
        let start = Instant::now();
        connection.execute_batch("BEGIN IMMEDIATE")?;
        inserts.insert(&connection, number, event, &places)?;
        connection.execute_batch("COMMIT")?;
        let raw = start.elapsed();
        // The first hundred warm the caches of both.
        if number >= 100 {
            taps_us.push(tap.as_secs_f64() * 1e6);
            raw_us.push(raw.as_secs_f64() * 1e6);
        }
    }
    let row = |what: &str, goal: f64, ours: f64, limit: f64| Row {
        id: format!("S1 {what}"),
        goal: format!("<= {goal}x raw {what}"),
        limit: format!("{limit:.0} us"),
        measured: format!("{ours:.0} us"),
        ratio: Some(ours / limit),
        pass: ours / limit <= goal,
    };
    Ok(vec![
        row("median", 1.3, median(&taps_us), median(&raw_us)),
        row("p99", 2.0, quantile(&taps_us, 0.99), quantile(&raw_us, 0.99)),
    ])
}

/// Times bulk imports beside raw ones of the same rows, in turn, and weighs the store.
pub(crate) fn bulk(scale: &Scale) -> Result<Vec<Row>> {
    let source = data::many(scale.large);
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    for _ in 0..scale.repeats {
        ours.push(import(&source)?);
        limits.push(import_raw(&source)?);
    }
    let (measured, floor) = (median(&ours), median(&limits));
    Ok(vec![
        Row {
            id: format!("S2 bulk import of {} ({})", scale.large, source.name),
            goal: "<= 2.5x raw bulk insert".into(),
            limit: format!("{floor:.2} s"),
            measured: format!("{measured:.2} s"),
            ratio: Some(measured / floor),
            pass: measured / floor <= 2.5,
        },
        disk_row()?,
    ])
}

fn import(source: &Source) -> Result<f64> {
    let folder = Folder::new("bulk")?;
    let tuquan = store::open(folder.path(), 1)?;
    tuquan.found()?;
    let places = store::places(&tuquan)?;
    let commands: Vec<_> =
        source.events.iter().map(|event| store::command(event, &places)).collect();
    let start = Instant::now();
    for applied in tuquan.apply_many(&commands, &mut |_| {})? {
        applied?;
    }
    tuquan.pause()?;
    Ok(start.elapsed().as_secs_f64())
}

fn import_raw(source: &Source) -> Result<f64> {
    let (folder, start) = (Folder::new("raw-bulk")?, Instant::now());
    raw::insert_all(&folder, source)?;
    Ok(start.elapsed().as_secs_f64())
}

/// Weighs a store of the campus log against its rows.
fn disk_row() -> Result<Row> {
    let campus = data::campus();
    let disk = Folder::new("disk")?;
    let tuquan = store::open(disk.path(), 1)?;
    tuquan.found()?;
    let places = store::places(&tuquan)?;
    let commands: Vec<_> =
        campus.events.iter().map(|event| store::command(event, &places)).collect();
    tuquan.apply_many(&commands, &mut |_| {})?;
    tuquan.pause()?;
    drop(tuquan);
    let count = campus.events.len() as f64;
    let per_event = store::bytes_on_disk(disk.path())? as f64 / count;
    let per_row = campus.events.iter().map(|event| event.row_bytes).sum::<usize>() as f64 / count;
    Ok(Row {
        id: format!("S9 disk per event ({})", campus.name),
        goal: "<= 3x the CSV row".into(),
        limit: format!("{per_row:.0} B"),
        measured: format!("{per_event:.0} B"),
        ratio: Some(per_event / per_row),
        pass: per_event / per_row <= 3.0,
    })
}

/// Times taps while a bulk import runs: a tap waits for one step of it at most.
pub(crate) fn taps_beside_import(scale: &Scale) -> Result<Vec<Row>> {
    let source = data::many(scale.large / 2);
    let folder = Folder::new("beside")?;
    let tuquan = store::open(folder.path(), 1)?;
    tuquan.found()?;
    let places = store::places(&tuquan)?;
    let commands: Vec<_> =
        source.events.iter().map(|event| store::command(event, &places)).collect();
    let tap = store::command(&source.events[0], &places);
    let is_done = AtomicBool::new(false);
    let waits_ms = thread::scope(|scope| -> Result<Vec<f64>> {
        let import = scope.spawn(|| {
            let outcome = tuquan.apply_many(&commands, &mut |_| {});
            is_done.store(true, Ordering::SeqCst);
            outcome
        });
        let mut waits_ms = Vec::new();
        while !is_done.load(Ordering::SeqCst) {
            let start = Instant::now();
            tuquan.apply(store::request(waits_ms.len() as u64), &tap)?;
            waits_ms.push(start.elapsed().as_secs_f64() * 1e3);
        }
        import.join().map_err(|_| Error::new(Kind::Io, "the import failed"))??;
        Ok(waits_ms)
    })?;
    let p99 = quantile(&waits_ms, 0.99);
    Ok(vec![Row {
        id: "T tap beside a bulk import".into(),
        goal: "p99 of wait and write together <= 50 ms".into(),
        limit: "-".into(),
        measured: format!(
            "p99 {p99:.0} ms, worst {:.0} ms of {}",
            quantile(&waits_ms, 1.0),
            waits_ms.len()
        ),
        ratio: None,
        pass: p99 <= 50.0,
    }])
}
