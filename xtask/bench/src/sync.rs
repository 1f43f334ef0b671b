//! S3, S4, S7 and S8: two processes that sync over pipes, beside a plain log that does the same.
//!
//! The parent prepares the stores, starts one process per replica, carries their bytes and counts
//! them. Must not know: what a session says.

use std::path::Path;
use std::time::Instant;

use tuquan_core::door::Tuquan;
use tuquan_core::door::command::Command;
use tuquan_core::door::query::{List, Search};
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::ids::RecordId;
use tuquan_core::record;
use tuquan_core::record::declare::{Declaration, Role};
use tuquan_core::record::plain::{Draft, Plain};
use tuquan_core::sync::card::Card;

use crate::Scale;
use crate::data;
use crate::floor;
use crate::pipes::{self, Outcome};
use crate::raw;
use crate::store::{self, Folder};
use crate::table::{Row, median};

record! {
    /// A row of ten texts, as the sync job logs them.
    pub struct BenchRow = 900, "bench_row" {
        writers: [R1, R2, R3],
        /// Column 1.
        16 c0: String, MV t,
        /// Column 2.
        17 c1: String, MV t,
        /// Column 3.
        18 c2: String, MV t,
        /// Column 4.
        19 c3: String, MV t,
        /// Column 5.
        20 c4: String, MV t,
        /// Column 6.
        21 c5: String, MV t,
        /// Column 7.
        22 c6: String, MV t,
        /// Column 8.
        23 c7: String, MV t,
        /// Column 9.
        24 c8: String, MV t; searched,
        /// Column 10.
        25 c9: String, MV t,
    }
}

/// The record types of the sync job.
pub(crate) const JOB: &[&Declaration] = &[BenchRow::DECLARATION];

/// Runs the job J: each side logs events offline, both edit common records, then they sync.
pub(crate) fn job(scale: &Scale) -> Result<Vec<Row>> {
    let rows = data::campus_rows();
    let (mut ours, mut limits) = (Vec::new(), Vec::new());
    let mut cpu = 0.0;
    let (mut bytes, mut floor_bytes, mut conflicts, mut identical) = (0, 0, 0, true);
    let mut quiet = None;
    for repeat in 0..scale.repeats {
        let (a, b) = (Folder::new("job-a")?, Folder::new("job-b")?);
        prepare(a.path(), b.path(), &rows, scale.job, repeat as u64)?;
        let outcome = pipes::sync(a.path(), b.path(), "job")?;
        ours.push(outcome.seconds);
        cpu = outcome.cpu_seconds;
        bytes = outcome.bytes;
        let (left, right) =
            (store::open_with(a.path(), 8, JOB)?, store::open_with(b.path(), 9, JOB)?);
        identical &= left.view_hash()? == right.view_hash()?;
        conflicts = left.stats()?.conflicts;
        drop((left, right));
        quiet = Some(pipes::sync(a.path(), b.path(), "job")?);
        let outcome = floor::sync(&rows, scale.job)?;
        limits.push(outcome.seconds);
        floor_bytes = outcome.bytes;
    }
    if !identical || conflicts != (scale.job / 40) as u64 {
        let what = format!("identical {identical}, conflicts {conflicts}");
        return Err(Error::new(Kind::Invalid, format!("the sync job went wrong: {what}")));
    }
    let quiet = quiet.ok_or_else(|| Error::new(Kind::Invalid, "no run"))?;
    let (ours, limit) = (median(&ours), median(&limits));
    let wire = bytes as f64 / floor_bytes as f64;
    Ok(vec![
        Row {
            id: format!("S3 sync of {} + {} events, time", scale.job, scale.job),
            goal: "<= 4x a plain log and < 0.4 s".into(),
            limit: format!("{limit:.3} s"),
            measured: format!("{ours:.3} s (processor {cpu:.2} s)"),
            ratio: Some(ours / limit),
            pass: ours / limit <= 4.0 && ours < 0.4,
        },
        Row {
            id: "S3 wire".into(),
            goal: "<= 1.0x a plain log (aim 0.7x)".into(),
            limit: format!("{:.2} MB", floor_bytes as f64 / 1e6),
            measured: format!("{:.2} MB", bytes as f64 / 1e6),
            ratio: Some(wire),
            pass: wire <= 1.0,
        },
        quiet_row(&quiet),
    ])
}

fn quiet_row(quiet: &Outcome) -> Row {
    let most = quiet.a_to_b.max(quiet.b_to_a);
    Row {
        id: "S7 nothing to sync".into(),
        goal: "1 round trip, < 200 bytes each way".into(),
        limit: "-".into(),
        measured: format!(
            "{} and {} frames, {} and {} bytes",
            quiet.a_frames, quiet.b_frames, quiet.a_to_b, quiet.b_to_a
        ),
        ratio: None,
        pass: most < 200 && quiet.a_frames == 1 && quiet.b_frames == 1,
    }
}

/// Makes two stores of one team that know 1/20 of the events in common and have the rest offline.
fn prepare(a: &Path, b: &Path, rows: &[Vec<String>], count: usize, seed: u64) -> Result<()> {
    let left = store::open_with(a, seed * 2 + 1, JOB)?;
    left.found()?;
    let seeds = count / 20;
    let drafts = |from: usize, count: usize| -> Vec<Command> {
        (from..from + count).map(|n| create(&rows[n % rows.len()])).collect()
    };
    let common: Vec<RecordId> = left
        .apply_many(&drafts(0, seeds), &mut |_| {})?
        .into_iter()
        .map(|applied| applied.map(|applied| applied.record))
        .collect::<Result<_>>()?;
    let right = store::open_with(b, seed * 2 + 2, JOB)?;
    join(&left, &right, true)?;
    for (side, store) in [(0, &left), (1, &right)] {
        store.apply_many(&drafts(seeds + side * (rows.len() / 9), count), &mut |_| {})?;
        let edits: Vec<Command> = common
            .iter()
            .enumerate()
            .map(|(n, record)| {
                // Even records: both edit one field; odd ones: another field each.
                let field = if n % 2 == 0 { "c9" } else { ["c6", "c9"][side] };
                let value = Plain::Text(format!("edited by {side}: {n}"));
                let set = [(field.to_owned(), Some(value))].into();
                Command::Edit { record: *record, set }
            })
            .collect();
        store.apply_many(&edits, &mut |_| {})?;
        store.pause()?;
    }
    Ok(())
}

fn create(row: &[String]) -> Command {
    let mut draft = Draft::new("bench_row");
    for (n, text) in row.iter().take(10).enumerate() {
        draft = draft.with(&format!("c{n}"), Plain::Text(text.clone()));
    }
    Command::Create { draft, key: None }
}

/// Grants `right` and brings it the team; with the history or without.
pub(crate) fn join(left: &Tuquan, right: &Tuquan, with_history: bool) -> Result<()> {
    right.init()?;
    let card = right.bulk(|replica| Ok(Card::encode(&replica.mind.identity()?.secret)))?;
    let card = Card::decode(&card)?;
    let bundle = left.bulk(|replica| replica.grant_bundle(&card, Role::R2, with_history))?;
    right.bulk(|replica| replica.import_bundle(&bundle, &mut |_, _| {}))?;
    Ok(())
}

/// Times a new device that joins a large space, until its list can be read.
pub(crate) fn join_large(scale: &Scale) -> Result<Vec<Row>> {
    let source = data::many(scale.large);
    let (a, b) = (Folder::new("join-a")?, Folder::new("join-b")?);
    let places = {
        let left = store::open(a.path(), 1)?;
        left.found()?;
        let places = store::places(&left)?;
        for part in source.events.chunks(50_000) {
            let commands: Vec<_> = part.iter().map(|e| store::command(e, &places)).collect();
            left.apply_many(&commands, &mut |_| {})?;
        }
        let right = store::open(b.path(), 2)?;
        join(&left, &right, false)?;
        left.pause()?;
        places
    };
    let outcome = pipes::sync(a.path(), b.path(), "join")?;
    let (left, right) = (store::open(a.path(), 3)?, store::open(b.path(), 4)?);
    let identical = left.view_hash()? == right.view_hash()?;
    if !identical {
        return Err(Error::new(Kind::Invalid, "the new device differs"));
    }
    let raw_folder = Folder::new("join-raw")?;
    let start = Instant::now();
    let mut connection = raw::open(raw_folder.path())?;
    let transaction = connection.transaction()?;
    {
        let mut inserts = raw::Inserts::new(&transaction)?;
        for (number, event) in source.events.iter().enumerate() {
            inserts.insert(&transaction, number, event, &places)?;
        }
    }
    transaction.commit()?;
    let floor = start.elapsed().as_secs_f64();
    let (seconds, first) = (outcome.seconds, outcome.first_page_seconds);
    Ok(vec![
        Row {
            id: format!("S4 join {} records ({})", scale.large, source.name),
            goal: "<= 2.5x raw bulk insert and < 5 s".into(),
            limit: format!("{floor:.2} s"),
            measured: format!("{seconds:.2} s, {:.1} MB", outcome.bytes as f64 / 1e6),
            ratio: Some(seconds / floor),
            pass: seconds / floor <= 2.5 && seconds < 5.0,
        },
        Row {
            id: "S4 first page of the list".into(),
            goal: "< 0.5 s".into(),
            limit: "-".into(),
            measured: format!("{first:.2} s"),
            ratio: None,
            pass: first < 0.5,
        },
        memory_row("S8 peak memory, phone that has all", outcome.a_peak_kib),
        memory_row("S8 peak memory, phone that joins", outcome.b_peak_kib),
    ])
}

fn memory_row(id: &str, peak_kib: u64) -> Row {
    let peak = peak_kib as f64 / 1024.0;
    Row {
        id: id.to_owned(),
        goal: "< 48 MiB: open, list, search, sync".into(),
        limit: "-".into(),
        measured: format!("{peak:.1} MiB"),
        ratio: None,
        pass: peak < 48.0,
    }
}

/// Reads as a screen does, before and while a large store syncs.
pub(crate) fn look(store: &Tuquan) -> Result<usize> {
    let list = List { kind: "incident".into(), limit: 50, ..List::default() };
    let rows = store.list(&list)?.rows.len();
    let text = "vehicle accident".to_owned();
    store.search(&Search { text, kind: None, limit: 50 })?;
    Ok(rows)
}
