//! Trains the dictionary on what the core itself writes for made-up events, and measures it.
//!
//! Teams live in temporary stores behind the real door, so samples have exactly the shapes that
//! phones send. Teams that train and teams that are measured have different seeds.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tuquan_core::clock::{Clock, Env};
use tuquan_core::door::command::Command;
use tuquan_core::door::{Config, Tuquan};
use tuquan_core::error::Error;
use tuquan_core::ids::{EpochId, RecordId, RequestId, SpaceId};
use tuquan_core::log::dictionary::{DICTIONARY_BYTES_MAX, LEVEL, dictionary};
use tuquan_core::log::pack::{self, Layout, Mode, Packing, Range, Trim};
use tuquan_core::record::plain::{Draft, Plain};
use tuquan_core::replica::outgoing::{self, Vector};
use tuquan_core::store::open::{Durability, Location};

use crate::Outcome;
use crate::cargo::root;
// The generator of the command line, as it is: the texts stay in one place.
use crate::sample::{SampleEvent, sample_events};

const TRAIN_SEEDS: std::ops::Range<u64> = 100..108;
const TEST_SEEDS: std::ops::Range<u64> = 200..203;
const EVENTS: usize = 700;
const START_MS: i64 = 1_793_854_800_000;

/// Trains, measures, and replaces the dictionary when asked.
pub(crate) fn run(write: bool) -> Outcome {
    let train = teams(TRAIN_SEEDS)?;
    let mut samples = Vec::new();
    for (space, range) in &train {
        // One event alone gains most, so most samples are of one.
        for (count, step) in [(1, 1), (5, 25), (40, 120)] {
            for at in (0..range.entries.len().saturating_sub(count)).step_by(step) {
                samples.extend(contents(space, &slice(range, at, count))?);
            }
        }
    }
    let bytes = zstd::dict::from_samples(&samples, DICTIONARY_BYTES_MAX)
        .map_err(|error| format!("training failed: {error}"))?;
    println!("{} samples, {} bytes", samples.len(), bytes.len());
    table("made-up events", &teams(TEST_SEEDS)?, &bytes)?;
    if let Some(path) = std::env::var_os("TUQUAN_DATA") {
        // Rows of a collected log are measured and dropped; nothing is trained on them.
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let team = team(300, collected(&text)).map_err(|error| format!("{error:?}"))?;
        table("collected rows", &[team], &bytes)?;
    }
    if write {
        replace(&bytes)?;
    }
    Ok(())
}

fn table(name: &str, teams: &[(SpaceId, Range)], trained: &[u8]) -> Outcome {
    println!("\nbytes of the frame an event, trimmed packs of {name}, the smaller layout:");
    println!("events      none   now in   trained");
    for count in [1, 10, 100, 1_000] {
        let [none, now, new] = [&[][..], dictionary(), trained].map(|d| measure(teams, count, d));
        println!("{count:>6} {:>9.1} {:>8.1} {:>9.1}", none?, now?, new?);
    }
    Ok(())
}

/// Returns rows of a collected log as events; commas are enough to tell columns roughly.
fn collected(text: &str) -> Vec<SampleEvent> {
    let rows = text.lines().skip(1).take(4 * EVENTS).enumerate();
    let event = |(number, row): (usize, &str)| {
        let mut columns: Vec<&str> = row.split(',').collect();
        columns.sort_by_key(|column| std::cmp::Reverse(column.len()));
        SampleEvent {
            t_occ_ms: START_MS + number as i64 * 1_800_000,
            category: "theft",
            place: columns.get(2).copied().unwrap_or_default().to_owned(),
            text: columns.iter().take(2).copied().collect::<Vec<_>>().join(" "),
            note: None,
            urgent: false,
        }
    };
    rows.map(event).collect()
}

fn replace(bytes: &[u8]) -> Outcome {
    let folder = root().join("core/src/log");
    let source = folder.join("dictionary.rs");
    let told = |error: std::io::Error| error.to_string();
    let text = fs::read_to_string(&source).map_err(told)?;
    let old = blake3::hash(dictionary()).to_hex().to_string();
    let new = blake3::hash(bytes).to_hex().to_string();
    if !text.contains(&old) {
        return Err("this program was built with another dictionary: build it again".to_owned());
    }
    fs::write(folder.join("dictionary_v1.bin"), bytes).map_err(told)?;
    fs::write(&source, text.replace(&old, &new)).map_err(told)?;
    println!("\nwritten; now bless the golden files:");
    println!("  TUQUAN_BLESS=1 cargo test --package tuquan-core --test golden");
    Ok(())
}

struct HandClock(Arc<AtomicI64>);

impl Clock for HandClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Lets one team per seed write, and returns all that each wrote.
fn teams(seeds: std::ops::Range<u64>) -> Result<Vec<(SpaceId, Range)>, String> {
    seeds
        .map(|seed| {
            let events = sample_events(seed, EVENTS, START_MS).collect();
            team(seed, events).map_err(|error| format!("team {seed}: {error:?}"))
        })
        .collect()
}

fn team(seed: u64, events: Vec<SampleEvent>) -> Result<(SpaceId, Range), Error> {
    let name = format!("tuquan-train-{}-{seed}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    let now = Arc::new(AtomicI64::new(START_MS));
    let env = Env {
        clock: Box::new(HandClock(Arc::clone(&now))),
        rng: Box::new(ChaCha8Rng::seed_from_u64(seed)),
    };
    let mut location = Location::new(&folder, [7; 32]);
    location.durability = Durability::Normal;
    let store = Tuquan::open(Config::new(location), env)?;
    store.found()?;
    for (number, event) in (0..).zip(&events) {
        now.store(event.t_occ_ms + 90_000, Ordering::Relaxed);
        tell(&store, number, event)?;
    }
    let read = store.bulk(|replica| {
        replica.seal()?;
        let (connection, mind) = (&replica.connection, &replica.mind);
        let stretches = outgoing::lacking(connection, mind, &Vector::default())?;
        let ranges: Result<Vec<Range>, Error> = stretches
            .into_iter()
            .map(|stretch| outgoing::range(connection, mind, stretch))
            .collect();
        Ok((mind.space()?, ranges?))
    });
    drop(store);
    let _ = fs::remove_dir_all(&folder);
    let (space, ranges) = read?;
    let longest = ranges.into_iter().max_by_key(|range| range.entries.len());
    longest
        .map(|range| (space, range))
        .ok_or_else(|| Error::new(tuquan_core::error::Kind::NotFound, "a log"))
}

/// Writes an event the way a phone, an import or a desk would.
fn tell(store: &Tuquan, number: u64, event: &SampleEvent) -> Result<(), Error> {
    let mut taps = 0;
    let mut tap = |command: &Command| {
        taps += 1;
        let mut request = [0; 16];
        request[..8].copy_from_slice(&(number * 8 + taps).to_le_bytes());
        store.apply(RequestId(request), command)
    };
    let place = place(store, &event.place, &mut tap)?;
    let common = |kind: &str, text: &str, said: Plain| {
        Draft::new(kind)
            .with("t_occ", Plain::Int(event.t_occ_ms))
            .with("category", event.category.into())
            .with("place", Plain::Text(place.to_string()))
            .with(text, said)
    };
    let summary = || common("incident", "summary", Plain::Text(event.text.clone()));
    let refused = match number % 4 {
        // A row of another log, by its own number.
        0 => {
            let (draft, key) = (summary(), format!("2026-{number:06}"));
            tap(&Command::Import { draft, key }).map(|_| ())
        }
        1 => {
            let lines = [Some(&event.text), event.note.as_ref()].into_iter().flatten();
            let lines = lines.map(|line| Plain::Text(line.clone())).collect();
            let draft = common("log_entry", "note", Plain::Many(lines));
            tap(&Command::Create { draft, key: None }).map(|_| ())
        }
        _ => incident(event, summary(), &mut tap),
    };
    // A sealed kind refuses its text: such an event is no sample.
    match refused {
        Err(error) if error.kind == tuquan_core::error::Kind::Invalid => Ok(()),
        other => other,
    }
}

type Tap<'a> = &'a mut dyn FnMut(&Command) -> Result<tuquan_core::door::Applied, Error>;

/// An incident and what happens to it in its first hour.
fn incident(event: &SampleEvent, draft: Draft, tap: Tap<'_>) -> Result<(), Error> {
    let record = tap(&Command::Create { draft, key: None })?.record;
    let step = |to: &str, set: &[(&str, Plain)]| Command::Transition {
        record,
        to: to.to_owned(),
        t_event: None,
        reason: None,
        set: set.iter().map(|(name, value)| ((*name).to_owned(), Some(value.clone()))).collect(),
    };
    if event.urgent {
        let urgent = [("priority".to_owned(), Some(Plain::from("urgent")))];
        let set = urgent.into_iter().collect();
        tap(&Command::Edit { record, set })?;
    }
    if event.t_occ_ms % 3 == 0 {
        tap(&step("acknowledged", &[]))?;
    }
    if event.t_occ_ms % 6 == 0 {
        tap(&step("in_progress", &[]))?;
        tap(&step("resolved", &[("outcome", "handled_on_spot".into())]))?;
    }
    Ok(())
}

/// Returns the place of this name, which the first event there makes.
fn place(store: &Tuquan, name: &str, tap: Tap<'_>) -> Result<RecordId, Error> {
    let id = store.natural("place", name)?;
    if store.get(&id)?.is_none() {
        let draft = Draft::new("place").with("name", name.into()).with("kind", "zone".into());
        let key = name.to_owned();
        tap(&Command::Import { draft, key })?;
    }
    Ok(id)
}

/// Returns `count` entries of a range as a range of their own; its seal is not checked here.
fn slice(range: &Range, at: usize, count: usize) -> Range {
    let end = (at + count).min(range.entries.len());
    let first = range.first + at as u64;
    let past = range.first + end as u64;
    let runs = range.runs.iter().filter_map(|run| {
        let (from, to) = (run.first.max(first), (run.first + run.count).min(past));
        let mut run = run.clone();
        run.first = from;
        run.count = to.checked_sub(from).filter(|count| *count > 0)?;
        Some(run)
    });
    Range { first, runs: runs.collect(), entries: range.entries[at..end].to_vec(), ..range.clone() }
}

/// Returns what the frame of a trimmed pack holds, in both layouts.
fn contents(space: &SpaceId, range: &Range) -> Result<Vec<Vec<u8>>, String> {
    let mode = Mode::Sealed { epoch: EpochId([0; 16]), key: [0; 32] };
    let trim = Trim { index: 0, with_link: false, with_epoch: false };
    let content = |layout| {
        let packing = Packing { level: LEVEL, layout: Some(layout), trim: Some(trim) };
        pack::content(space, &mode, std::slice::from_ref(range), &packing)
            .map_err(|error| format!("{error:?}"))
    };
    Ok(vec![content(Layout::Entries)?, content(Layout::Columns)?])
}

/// Returns the median bytes an event over packs of `count` events.
fn measure(teams: &[(SpaceId, Range)], count: usize, dictionary: &[u8]) -> Result<f64, String> {
    let told = |error: std::io::Error| error.to_string();
    let mut compressor =
        zstd::bulk::Compressor::with_dictionary(LEVEL, dictionary).map_err(told)?;
    let mut sizes = Vec::new();
    for (space, range) in teams {
        for at in (0..range.entries.len().saturating_sub(count)).step_by(count) {
            let mut smallest = usize::MAX;
            for content in contents(space, &slice(range, at, count))? {
                smallest = smallest.min(compressor.compress(&content).map_err(told)?.len());
            }
            sizes.push(smallest as f64 / count as f64);
        }
    }
    sizes.sort_by(f64::total_cmp);
    let middle = sizes.get(sizes.len() / 2).copied();
    middle.ok_or_else(|| format!("no pack of {count} events"))
}
