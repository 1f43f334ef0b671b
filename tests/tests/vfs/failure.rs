//! The N-th call fails, for every N until the script passes.

use rusqlite::Result;
use tuquan_tests::vfs::{Fault, FaultDisk, Permanence};

use super::support::{Outcome, STORE, examine, insert};

const ROWS_BEFORE: i64 = 4;

/// Opens, commits five rows one by one with checkpoints in between; counts the acknowledged ones.
fn script(disk: &FaultDisk, acknowledged: &mut i64) -> Result<()> {
    let conn = STORE.open(disk)?;
    for id in ROWS_BEFORE + 1..=ROWS_BEFORE + 5 {
        insert(&conn, id)?;
        *acknowledged = id;
    }
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))?;
    insert(&conn, ROWS_BEFORE + 6)?;
    *acknowledged = ROWS_BEFORE + 6;
    Ok(())
}

/// Fails the N-th call for N = 1, 2, …; returns how many N it took until no fault came up.
fn fail_every_call(base: &FaultDisk, fault: Fault, permanence: Permanence) -> u64 {
    for n in 1.. {
        let disk = base.fork();
        let mut acknowledged = ROWS_BEFORE;
        disk.fail_nth(n, fault, permanence);
        let result = script(&disk, &mut acknowledged);
        let has_struck = disk.stats().faults > 0;
        disk.heal();
        if n % 2 == 0 {
            disk.kill();
        } else {
            disk.cut(n);
        }
        let place = format!("{fault:?}, {permanence:?}, call {n}");
        match examine(STORE, &disk) {
            Outcome::Rows(rows) => {
                let attempted = (acknowledged + 1).min(ROWS_BEFORE + 6);
                assert!((acknowledged..=attempted).contains(&rows), "{place}: {rows} rows");
            }
            Outcome::Corrupt(reason) => panic!("{place}: {reason}"),
        }
        if !has_struck {
            result.expect("the script passes when nothing fails");
            return n;
        }
    }
    unreachable!("the script has an end");
}

#[test]
fn a_row_is_there_or_not_whichever_call_fails() {
    let base = FaultDisk::new(3);
    let conn = STORE.open(&base).unwrap();
    (1..=ROWS_BEFORE).for_each(|id| insert(&conn, id).unwrap());
    for fault in Fault::ALL {
        for permanence in [Permanence::Transient, Permanence::Permanent] {
            let calls = fail_every_call(&base, fault, permanence);
            println!("{fault:?}, {permanence:?}: {} calls failed in turn", calls - 1);
            assert!(calls > 1, "{fault:?} never came up");
        }
    }
}

#[test]
fn every_call_of_the_first_opening_may_fail() {
    let base = FaultDisk::new(4);
    for fault in Fault::ALL {
        for n in 1.. {
            let disk = base.fork();
            disk.fail_nth(n, fault, Permanence::Transient);
            let _ = STORE.open(&disk).and_then(|conn| insert(&conn, 1));
            let has_struck = disk.stats().faults > 0;
            disk.heal();
            disk.cut(n);
            let outcome = examine(STORE, &disk);
            assert!(
                matches!(outcome, Outcome::Rows(0 | 1)),
                "{fault:?}, call {n}: {outcome:?}, {:?}",
                disk.file_names()
            );
            if !has_struck {
                break;
            }
        }
    }
}

/// Linux forgets dirty pages after a failed write-back and reports success next time. SQLite in WAL
/// mode writes the frames anew when the commit is repeated, so nothing is lost even then.
#[test]
fn a_commit_repeated_after_a_forgetful_sync_is_durable() {
    for n in 1..=40 {
        let disk = FaultDisk::new(n);
        let conn = STORE.open(&disk).unwrap();
        disk.fail_nth(n, Fault::FsyncForgets, Permanence::Transient);
        for id in 1..=40 {
            if insert(&conn, id).is_err() {
                insert(&conn, id).unwrap();
            }
        }
        assert_eq!(disk.stats().faults, 1);
        disk.cut(n);
        drop(conn);
        assert_eq!(examine(STORE, &disk), Outcome::Rows(40), "sync {n}");
    }
}
