//! Negative controls: a store that syncs too little must be seen to lose rows or to break.
//! A disk on which these pass is a disk that tests nothing.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use tuquan_tests::vfs::{CutMode, FaultDisk, SyncMode};

use super::support::{KEY_AND_SALT, Outcome, STORE, Setup, examine, insert};

#[derive(Debug, Default)]
struct Tally {
    intact: u32,
    lost: u32,
    corrupt: u32,
    reasons: BTreeSet<String>,
}

/// Commits 30 rows with a cut during a random call after the tenth, over and over.
fn tally(setup: Setup, sync_mode: SyncMode, mode: CutMode, cuts: u64) -> Tally {
    let mut tally = Tally::default();
    for seed in 0..cuts {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let disk = FaultDisk::new(seed);
        disk.set_sync_mode(sync_mode);
        let conn = setup.open(&disk).unwrap();
        let mut acknowledged = 0;
        for id in 1..=30 {
            if id == 10 {
                disk.cut_at(1 + rng.next_u64() % 120, seed, mode);
            }
            if insert(&conn, id).is_err() {
                break;
            }
            acknowledged = id;
        }
        if disk.reopen().is_none() {
            disk.cut_with(seed, mode);
        }
        drop(conn);
        match examine(setup, &disk) {
            Outcome::Rows(rows) if rows >= acknowledged => tally.intact += 1,
            Outcome::Rows(_) => tally.lost += 1,
            Outcome::Corrupt(reason) => {
                tally.corrupt += 1;
                tally.reasons.insert(reason);
            }
        }
    }
    println!(
        "{} {}, {sync_mode:?} sync, {mode:?} cut: {} intact, {} lost rows, {} corrupt",
        setup.journal_mode, setup.synchronous, tally.intact, tally.lost, tally.corrupt
    );
    tally
}

#[test]
fn wal_with_synchronous_normal_loses_rows_but_stays_sound() {
    let setup = Setup { synchronous: "NORMAL", ..STORE };
    let tally = tally(setup, SyncMode::Honest, CutMode::Reordered, 200);
    assert!(tally.lost > 0, "{tally:?}");
    assert_eq!(tally.corrupt, 0, "{tally:?}");
}

#[test]
fn wal_with_synchronous_off_breaks() {
    let setup = Setup { synchronous: "OFF", ..STORE };
    let tally = tally(setup, SyncMode::Honest, CutMode::Reordered, 200);
    assert!(tally.lost > 0 && tally.corrupt > 0, "{tally:?}");
}

#[test]
fn rollback_journal_with_synchronous_off_breaks() {
    let setup = Setup { synchronous: "OFF", journal_mode: "DELETE", ..STORE };
    let tally = tally(setup, SyncMode::Honest, CutMode::Reordered, 200);
    assert!(tally.corrupt > 0, "{tally:?}");
}

#[test]
fn rollback_journal_needs_extra_to_keep_the_last_row() {
    let setup = |synchronous| Setup { synchronous, journal_mode: "DELETE", ..STORE };
    let full = tally(setup("FULL"), SyncMode::Honest, CutMode::Reordered, 200);
    assert!(full.lost > 0 && full.corrupt == 0, "{full:?}");
    let extra = tally(setup("EXTRA"), SyncMode::Honest, CutMode::Reordered, 200);
    assert_eq!((extra.lost, extra.corrupt), (0, 0), "{extra:?}");
}

#[test]
fn a_disk_that_lies_about_syncs_loses_rows() {
    let tally = tally(STORE, SyncMode::Lying, CutMode::Reordered, 100);
    assert!(tally.lost + tally.corrupt > 0, "{tally:?}");
}

/// Even with FULL: the next commit tears the block that holds the end of the last one.
#[test]
fn a_disk_without_powersafe_overwrite_loses_rows_of_a_well_synced_store() {
    let setup = Setup { key: KEY_AND_SALT, ..STORE };
    let tally = tally(setup, SyncMode::Honest, CutMode::Neighbour, 200);
    assert!(tally.lost > 0, "{tally:?}");
}

/// A key alone makes SQLCipher read the salt from the first 16 bytes of the file. A checkpoint
/// writes them again, and noise there locks everyone out although the WAL has page 1 whole.
#[test]
fn noise_in_the_salt_locks_out_a_key_without_salt() {
    let without = tally(STORE, SyncMode::Honest, CutMode::Noise, 600);
    assert!(without.corrupt > 0 && without.lost == 0, "{without:?}");
    let reasons: Vec<_> = without.reasons.into_iter().collect();
    assert_eq!(reasons, ["file is not a database"]);
    let with = Setup { key: KEY_AND_SALT, ..STORE };
    let with = tally(with, SyncMode::Honest, CutMode::Noise, 600);
    assert_eq!((with.lost, with.corrupt), (0, 0), "{with:?}");
}
