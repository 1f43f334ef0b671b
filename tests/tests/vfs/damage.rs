//! Pages flipped, zeroed and swapped at rest are found.

use rusqlite::{Connection, OptionalExtension, Result};
use tuquan_tests::vfs::{CutMode, Damage, FaultDisk};

use super::support::{Outcome, PATH, STORE, body, examine, insert};

const PAGE_SIZE: usize = 4096;
const CHECKPOINT: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

#[test]
fn every_damaged_page_is_detected() {
    let base = FaultDisk::new(5);
    let conn = STORE.open(&base).unwrap();
    (1..=60).for_each(|id| insert(&conn, id).unwrap());
    conn.query_row(CHECKPOINT, (), |_| Ok(())).unwrap();
    let pages = base.file(PATH).unwrap().len() / PAGE_SIZE;
    for page in 0..pages {
        let damages = [
            Damage::Flip { page, bit: page * 577 },
            Damage::Flip { page, bit: 4095 * 8 },
            Damage::Zero { page },
            Damage::Swap { first: page, second: (page + 1) % pages },
        ];
        for damage in damages {
            let disk = base.fork();
            assert!(disk.damage(PATH, PAGE_SIZE, damage));
            let outcome = examine(STORE, &disk);
            assert!(matches!(outcome, Outcome::Corrupt(_)), "{damage:?}: {outcome:?}");
        }
    }
    drop(conn);
}

#[test]
fn an_older_copy_of_the_file_can_be_brought_back() {
    let disk = FaultDisk::new(6);
    let conn = STORE.open(&disk).unwrap();
    insert(&conn, 1).unwrap();
    drop(conn);
    let older = disk.file(PATH).unwrap();
    let conn = STORE.open(&disk).unwrap();
    insert(&conn, 2).unwrap();
    drop(conn);
    assert_eq!(examine(STORE, &disk), Outcome::Rows(2));
    disk.kill();
    disk.put_file(PATH, older);
    assert_eq!(examine(STORE, &disk), Outcome::Rows(1));
}

/// Reads one row with a fresh connection.
fn read_body(disk: &FaultDisk, id: i64) -> Result<Vec<u8>> {
    let select = "SELECT body FROM entry WHERE id = ?1";
    STORE.open_bare(disk)?.query_row(select, [id], |row| row.get(0))
}

/// A query whose last page fetched is a damaged one gets zeros and no error: SQLCipher wipes the
/// page and puts the error off to the next page it decrypts. Leaves and inner pages of zeros are
/// malformed; the end of an overflow chain is not. A further query in the same transaction does
/// not show it either if its pages are cached. Long rows therefore need a hash of their own.
#[test]
fn a_damaged_overflow_page_is_read_as_zeros_without_an_error() {
    let base = FaultDisk::new(5);
    let conn = STORE.open(&base).unwrap();
    (1..=60).for_each(|id| insert(&conn, id).unwrap());
    conn.query_row(CHECKPOINT, (), |_| Ok(())).unwrap();
    let pages = base.file(PATH).unwrap().len() / PAGE_SIZE;
    let (mut silent, mut refused) = (0, 0);
    for page in 1..pages {
        let disk = base.fork();
        assert!(disk.damage(PATH, PAGE_SIZE, Damage::Flip { page, bit: 999 }));
        for id in 1..=60 {
            match read_body(&disk, id) {
                Ok(bytes) if bytes == body(id) => {}
                Ok(bytes) => {
                    silent += 1;
                    assert!(id % 7 == 0 && bytes.ends_with(&[0; 1000]), "page {page}, row {id}");
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(silent > 0 && refused > silent, "{silent} rows wrong, {refused} refused");
}

/// The check reads the main file alone, where a cut may have torn a page in the middle of a
/// checkpoint; the WAL still has it whole.
#[test]
fn cipher_integrity_check_raises_false_alarms_before_a_checkpoint() {
    let mut false_alarms = 0;
    for seed in 0..100 {
        let disk = FaultDisk::new(seed);
        disk.cut_at(60 + seed, seed, CutMode::Ordered);
        let writer = STORE.open(&disk).unwrap();
        let _ = (1..=60).try_for_each(|id| insert(&writer, id));
        disk.reopen().expect("the script is longer than the cut");
        let conn = STORE.open_bare(&disk).unwrap();
        let check = |conn: &Connection| {
            let pragma = "PRAGMA cipher_integrity_check";
            conn.query_row(pragma, (), |row| row.get::<_, String>(0)).optional().unwrap()
        };
        false_alarms += u32::from(check(&conn).is_some());
        conn.query_row(CHECKPOINT, (), |_| Ok(())).unwrap();
        assert_eq!(check(&conn), None, "seed {seed}");
    }
    assert!(false_alarms > 0);
}
