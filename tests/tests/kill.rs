//! `kill -9` at any moment: what a real process said is saved is there after it.
//!
//! The number of kills is 50 unless `TUQUAN_KILLS` says otherwise; CI asks for 1,000.

#![allow(clippy::print_stdout, reason = "seeds and sums are what people look for")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tuquan_core::error::Kind;
use tuquan_core::ids::RecordId;
use tuquan_tests::phone::{Folder, HandClock, NOON_MS, location, open};

/// A store grows over so many kills, then a fresh one begins.
const KILLS_PER_FOLDER: u64 = 100;
/// Every so many kills the doctor looks too.
const KILLS_PER_DOCTOR: u64 = 50;

/// What the writer said is saved: records, and the length of its log.
#[derive(Debug, Default)]
struct Saved {
    records: Vec<RecordId>,
    entries: u64,
    said: u64,
}

impl Saved {
    fn note(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let [ack, record, _log, seq] = words[..] else {
            panic!("the writer said {line}");
        };
        assert_eq!(ack, "ack", "the writer said {line}");
        self.records.push(record.parse().expect("a record id"));
        self.entries = self.entries.max(seq.parse::<u64>().expect("a number") + 1);
        self.said += 1;
    }
}

/// Starts the writer and kills it after `lines` lines and a while that is counted, not slept.
fn write_until_killed(folder: &Path, seed: u64, lines: u64, spins: u64, saved: &mut Saved) {
    let mut child: Child = Command::new(env!("CARGO_BIN_EXE_writer"))
        .arg(folder)
        .arg(seed.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the writer starts");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    for _ in 0..lines {
        line.clear();
        out.read_line(&mut line).expect("a line");
        saved.note(line.trim_end());
    }
    (0..spins).for_each(|_| std::hint::spin_loop());
    child.kill().expect("killed");
    child.wait().expect("gone");
    // What it said before it died counts too; a line that was cut off does not.
    loop {
        line.clear();
        if out.read_line(&mut line).expect("a line") == 0 || !line.ends_with('\n') {
            break;
        }
        saved.note(line.trim_end());
    }
}

/// Reopens the store and looks for everything that was said to be saved.
fn examine(folder: &Path, seed: u64, saved: &Saved, doctor: bool) {
    let clock = HandClock::at(NOON_MS);
    let store = open(location(folder, None), seed, &clock).expect("the store opens");
    let device = match store.device() {
        Ok(device) => device,
        Err(error) => {
            assert_eq!((error.kind, saved.entries), (Kind::NotReady, 0));
            return;
        }
    };
    let next = store
        .bulk(|replica| {
            Ok(replica.mind.own.as_ref().map(|own| replica.mind.logs[own.index].row.next))
        })
        .expect("the own log's end");
    assert!(next.unwrap_or(0) >= saved.entries, "{next:?} of {} entries", saved.entries);
    for record in &saved.records {
        assert!(store.get(record).expect("read").is_some(), "record {record} is gone");
    }
    if doctor && device.space.is_some() {
        let checked = store.doctor(&mut |_, _| {}).expect("checked");
        assert!(checked.pages_ok && checked.views_ok, "{checked:?}");
        assert_eq!((checked.pending, checked.damaged), (0, 0));
    }
}

#[test]
fn a_killed_writer_loses_nothing_that_it_said_is_saved() {
    let wanted = std::env::var("TUQUAN_KILLS").ok().and_then(|kills| kills.parse().ok());
    let kills: u64 = wanted.unwrap_or(50);
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut folder = Folder::new("kill");
    let (mut saved, mut said) = (Saved::default(), 0);
    for kill in 0..kills {
        if kill % KILLS_PER_FOLDER == 0 && kill > 0 {
            folder = Folder::new("kill");
            said += std::mem::take(&mut saved).said;
        }
        // One in eight dies while it opens, before it can have said anything.
        let lines = (rng.next_u64() % 8).saturating_sub(1) * (rng.next_u64() % 3);
        let spins = rng.next_u64() % 400_000;
        write_until_killed(folder.path(), kill, lines, spins, &mut saved);
        let doctor = kill % KILLS_PER_DOCTOR == KILLS_PER_DOCTOR - 1;
        examine(folder.path(), kill, &saved, doctor);
    }
    println!("{kills} kills, {} acknowledged entries, none lost", said + saved.said);
    assert!(said + saved.said > kills);
}
