//! Power cuts over a store that syncs as it should.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use tuquan_tests::vfs::{CutMode, FaultDisk, Stats};

use super::support::{KEY_AND_SALT, Outcome, STORE, Setup, examine, insert};

const CUTS_PER_DISK: u64 = 10;

/// Cuts one disk ten times, at random calls of random transactions, and goes on with what is left.
/// Returns the totals.
fn live_through_ten_cuts(setup: Setup, seed: u64, mode: CutMode) -> Stats {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let disk = FaultDisk::new(seed);
    let mut acknowledged = 0;
    for life in 0..CUTS_PER_DISK {
        let (call, cut_seed) = (1 + rng.next_u64() % 80, rng.next_u64());
        let mut attempted = acknowledged;
        disk.cut_at(call, cut_seed, mode);
        let conn = setup.open(&disk);
        if let Ok(conn) = &conn {
            for id in acknowledged + 1..=acknowledged + 8 {
                attempted = id;
                if insert(conn, id).is_err() {
                    break;
                }
                acknowledged = id;
            }
        }
        if disk.reopen().is_none() {
            disk.cut_with(cut_seed, mode);
        }
        drop(conn);
        match examine(setup, &disk) {
            Outcome::Rows(rows) => {
                assert!(
                    (acknowledged..=attempted).contains(&rows),
                    "seed {seed}, life {life}: {rows} rows, {acknowledged} acknowledged"
                );
                acknowledged = rows;
            }
            Outcome::Corrupt(reason) => {
                panic!("seed {seed}, life {life}, cut at call {call}: {reason}")
            }
        }
    }
    disk.stats()
}

/// The number of cuts is 2,000 unless `TUQUAN_CUTS` says otherwise.
#[test]
fn two_thousand_cuts_lose_no_acknowledged_row() {
    let wanted = std::env::var("TUQUAN_CUTS").ok().and_then(|cuts| cuts.parse().ok());
    let disks = wanted.unwrap_or(2_000_u64).div_ceil(CUTS_PER_DISK);
    let (mut cuts, mut dropped, mut torn) = (0, 0, 0);
    for seed in 0..disks {
        let mode = if seed % 4 == 0 { CutMode::Ordered } else { CutMode::Reordered };
        let stats = live_through_ten_cuts(STORE, seed, mode);
        cuts += stats.cuts;
        dropped += stats.dropped;
        torn += stats.torn;
    }
    println!("{cuts} cuts: {dropped} writes dropped, {torn} torn");
    assert_eq!(cuts, disks * CUTS_PER_DISK);
    assert!(dropped > cuts / 2 && torn > cuts / 4, "idle cuts: {dropped} dropped, {torn} torn");
}

#[test]
fn a_cut_at_every_single_call_loses_no_acknowledged_row() {
    for call in 1.. {
        let mut is_over = false;
        for seed in 0..6 {
            let disk = FaultDisk::new(seed);
            disk.cut_at(call, seed, CutMode::Reordered);
            let conn = STORE.open(&disk);
            let mut acknowledged = 0;
            if let Ok(conn) = &conn {
                acknowledged = (1..=24).take_while(|id| insert(conn, *id).is_ok()).count() as i64;
            }
            is_over = disk.reopen().is_none();
            drop(conn);
            let outcome = examine(STORE, &disk);
            assert!(
                matches!(outcome, Outcome::Rows(rows) if rows >= acknowledged),
                "call {call}, seed {seed}: {acknowledged} acknowledged, {outcome:?}"
            );
        }
        if is_over {
            println!("{} calls cut six times each", call - 1);
            assert!(call > 100);
            break;
        }
    }
}

#[test]
fn noise_in_unsynced_sectors_is_survived_when_the_salt_is_part_of_the_key() {
    for seed in 0..60 {
        live_through_ten_cuts(Setup { key: KEY_AND_SALT, ..STORE }, seed, CutMode::Noise);
    }
}

#[test]
fn equal_seeds_leave_equal_images() {
    let disk = FaultDisk::new(9);
    let conn = STORE.open(&disk).unwrap();
    for id in 1..=6 {
        insert(&conn, id).unwrap();
    }
    conn.execute_batch("PRAGMA synchronous = OFF").unwrap();
    for id in 7..=20 {
        insert(&conn, id).unwrap();
    }
    let mut images = Vec::new();
    for seed in 0..50 {
        let (one, two) = (disk.fork(), disk.fork());
        let report = one.cut_with(seed, CutMode::Noise);
        assert_eq!(report, two.cut_with(seed, CutMode::Noise));
        assert_eq!(one.image_hash(), two.image_hash());
        assert_eq!(one.image_hash(), report.image_hash);
        images.push(report.image_hash);
    }
    images.sort_unstable();
    images.dedup();
    assert!(images.len() > 30, "only {} different images from 50 seeds", images.len());
}

#[test]
fn two_runs_of_one_script_are_cut_alike_although_nonces_differ() {
    let run = |seed| {
        let disk = FaultDisk::new(seed);
        disk.cut_at(60 + seed * 7, seed, CutMode::Noise);
        if let Ok(conn) = STORE.open(&disk) {
            let _ = (1..=40).try_for_each(|id| insert(&conn, id));
        }
        let report = disk.reopen().expect("the script is longer than the cut");
        (report.plan_hash, report.kept, report.dropped, report.torn, disk.stats().bytes_written)
    };
    for seed in 0..20 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}
