//! A process to be killed: opens an encrypted store and taps for ever.
//!
//! Prints one line for each tap after `apply` has returned, and nothing before. Arguments: the
//! folder, a seed. Must not know: when it will be killed.

use std::io::{Error, Write as _, stdout};
use std::process::ExitCode;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tuquan_core::door::Tuquan;
use tuquan_core::door::command::Command;
use tuquan_core::error::{Kind, Result};
use tuquan_core::ids::RecordId;
use tuquan_core::record::plain::Plain;
use tuquan_tests::phone::{HandClock, NOON_MS, edit, incident, location, note, open, request};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(seed)) = (arguments.next(), arguments.next()) else {
        return ExitCode::FAILURE;
    };
    let seed = seed.parse().unwrap_or_default();
    match run(&folder, seed) {
        Ok(never) => match never {},
        Err(error) => {
            let _ = writeln!(stdout(), "error {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(folder: &str, seed: u64) -> Result<std::convert::Infallible> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let clock = HandClock::at(NOON_MS + i64::from(rng.next_u32()));
    let store = open(location(folder.as_ref(), None), seed, &clock)?;
    if store
        .device()
        .map_or_else(|error| error.kind == Kind::NotReady, |device| device.space.is_none())
    {
        store.found()?;
    }
    let mut known = Vec::new();
    loop {
        clock.advance(i64::from(rng.next_u32() % 90_000));
        let number = rng.next_u64();
        let several = rng.next_u32().is_multiple_of(9);
        if several {
            let commands: Vec<Command> = (0..40).map(|_| command(&mut rng, &known)).collect();
            for applied in store.apply_many(&commands, &mut |_| {})?.into_iter().flatten() {
                if let Some(entry) = applied.entry {
                    say(&format!("ack {} {} {}", applied.record, entry.log, entry.seq))?;
                }
            }
            continue;
        }
        let applied = store.apply(request(number), &command(&mut rng, &known))?;
        if let Some(entry) = applied.entry {
            say(&format!("ack {} {} {}", applied.record, entry.log, entry.seq))?;
            known.push(applied.record);
        }
        rest(&store, &mut rng)?;
    }
}

fn command(rng: &mut ChaCha8Rng, known: &[RecordId]) -> Command {
    let which = rng.next_u32() as usize % (known.len() + 4);
    let text = format!("Ghi chú số {}", rng.next_u32());
    match known.get(which) {
        Some(record) if which.is_multiple_of(2) => note(*record, &text),
        Some(record) => edit(*record, "summary", Plain::from(text.as_str())),
        None => incident(&text),
    }
}

/// Now and then does what an app does between taps.
fn rest(store: &Tuquan, rng: &mut ChaCha8Rng) -> Result<()> {
    match rng.next_u32() % 40 {
        0 => store.pause(),
        1 => store.bulk(|replica| replica.seal()),
        2 => store.view_hash().map(drop),
        _ => Ok(()),
    }
}

fn say(line: &str) -> Result<(), Error> {
    let mut out = stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
