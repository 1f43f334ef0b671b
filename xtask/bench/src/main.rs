//! Measures the core against raw SQLite (and a plain log) in the same run, and prints the table of
//! goals: goal, limit, measured, ratio, pass or short.
//!
//! Ratios hold on a noisy machine where seconds do not: every limit is measured right beside what
//! it limits. Run it through `cargo xtask bench`, which builds it in release. Must not know: how
//! the core does it.

#![allow(clippy::print_stdout)]

mod data;
mod floor;
mod hub;
mod pipes;
mod raw;
mod read;
mod store;
mod sync;
mod table;
mod wire;
mod write;

use std::process::ExitCode;

use table::Row;
use tuquan_core::error::Result;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// Events of the large store.
    large: usize,
    /// Taps that are timed.
    taps: usize,
    /// Events that each side of the sync job logs.
    job: usize,
    /// Sizes of the growth table.
    growth: &'static [usize],
    /// How often a sync is run; the median counts.
    repeats: usize,
}

const FULL: Scale = Scale {
    large: 100_000,
    taps: 1_500,
    job: 10_000,
    growth: &[10_000, 100_000, 1_000_000],
    repeats: 5,
};
const QUICK: Scale =
    Scale { large: 20_000, taps: 300, job: 10_000, growth: &[2_000, 20_000], repeats: 1 };

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if arguments.first().is_some_and(|first| first == "child") {
        return pipes::child(&arguments[1..]);
    }
    let scale = if has("--quick") { QUICK } else { FULL };
    let only =
        arguments.iter().find(|argument| argument.starts_with(['S', 'H', 'T', 'W'])).cloned();
    match measure(&scale, only.as_deref()) {
        Ok(rows) if has("--json") => {
            println!("{}", table::json(&rows));
            ExitCode::SUCCESS
        }
        Ok(rows) => {
            table::print(&rows);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures every row, or those whose id begins with `only`.
fn measure(scale: &Scale, only: Option<&str>) -> Result<Vec<Row>> {
    let wanted = |id: &str| only.is_none_or(|only| only == id);
    let mut rows = Vec::new();
    if wanted("S1") {
        rows.extend(write::taps(scale)?);
    }
    if wanted("S2") || wanted("S9") {
        rows.extend(write::bulk(scale)?);
    }
    if wanted("S3") || wanted("S7") {
        rows.extend(sync::job(scale)?);
    }
    if wanted("S4") || wanted("S8") {
        rows.extend(sync::join_large(scale)?);
    }
    if wanted("H") {
        rows.extend(hub::join_through(scale)?);
    }
    if wanted("S5") || wanted("S6") || wanted("S12") {
        rows.extend(read::growth(scale)?);
    }
    if wanted("T") {
        rows.extend(write::taps_beside_import(scale)?);
    }
    if wanted("W") {
        rows.extend(wire::packs(scale)?);
    }
    rows.retain(|row| wanted(row.id.split(' ').next().unwrap_or_default()));
    Ok(rows)
}
