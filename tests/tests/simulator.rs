//! Whole teams from seeds: 200 unless `TUQUAN_SEEDS` says otherwise (CI asks for 2,000), and one
//! fresh seed each run. A failure prints its seed; `TUQUAN_SEED` runs that one alone.

#![allow(clippy::print_stdout, reason = "seeds and sums are what people look for")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tuquan_tests::simulator::{Lab, Report};

/// Seeds that found something once. With later steps of the simulator they may take another way;
/// the causes have tests of their own in `regressions.rs`.
const CORPUS: &[u64] = &[
    5,    // own packs that came back moved the own log ahead of its tail
    16,   // packs held when a crash came before the retry
    20,   // a rebuild took items before those that they build on
    25,   // items over the bounds were forgotten by the next merge
    31,   // a record of another type took an incident's id
    49,   // items that waited for a place that its entry does not have
    55,   // a creation whose id was written to before it came
    391,  // a damaged item brought back what was kept apart, but only when it came last
    1110, // an own write that another's item waited for was not yet there to be merged
];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

/// Runs the seeds on as many threads as there are cores; returns the sums.
fn run_all(seeds: &[u64]) -> Report {
    let next = AtomicU64::new(0);
    let lanes = std::thread::available_parallelism().map_or(1, usize::from);
    let mut sum = Report::default();
    std::thread::scope(|scope| {
        let run = || {
            let lab = Lab::new().expect("the lab is set up");
            let mut reports = Vec::new();
            while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                reports.push(lab.run(*seed));
            }
            reports
        };
        let lanes: Vec<_> = (0..lanes).map(|_| scope.spawn(run)).collect();
        for report in lanes.into_iter().flat_map(|lane| lane.join().expect("an invariant holds")) {
            sum.written += report.written;
            sum.crashes += report.crashes;
            sum.carried += report.carried;
            sum.restored += report.restored;
            sum.conflicts += report.conflicts;
            sum.damaged += report.damaged;
            sum.removed.0 += report.removed.0;
            sum.removed.1 += report.removed.1;
            for (name, count) in report.steps {
                *sum.steps.entry(name).or_default() += count;
            }
        }
    });
    sum
}

#[test]
fn teams_from_seeds_lose_nothing_and_end_equal() {
    let mut seeds: Vec<u64> = match number("TUQUAN_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("TUQUAN_SEEDS").unwrap_or(200)).collect(),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let fresh = u64::from(now.subsec_nanos()) << 32 | now.as_secs() & 0xffff_ffff;
    println!("the fresh seed is {fresh}");
    if number("TUQUAN_SEED").is_none() {
        seeds.extend_from_slice(CORPUS);
        seeds.push(fresh);
    }
    let start = Instant::now();
    let sum = run_all(&seeds);
    println!("{} seeds in {:.1} s: {sum:?}", seeds.len(), start.elapsed().as_secs_f64());
    let busy = seeds.len() as u64;
    if busy > 50 {
        assert!(
            sum.conflicts > busy / 10
                && sum.crashes > busy
                && sum.damaged > busy / 10
                && sum.restored > busy / 4
                && sum.removed.0 > busy / 2
                && sum.removed.1 > busy / 10,
            "idle seeds: {sum:?}"
        );
    }
}

#[test]
fn equal_seeds_give_equal_traces() {
    let lab = Lab::new().expect("the lab is set up");
    for seed in 0..8 {
        let (one, two) = (lab.run(seed), lab.run(seed));
        println!("seed {seed}: trace {:016x}", one.trace);
        assert_eq!(one, two, "seed {seed}");
    }
}
