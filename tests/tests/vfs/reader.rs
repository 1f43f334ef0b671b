//! Several connections of one process over one simulated file.

use std::{
    sync::atomic::{AtomicBool, AtomicI64, Ordering},
    thread,
};

use rusqlite::Connection;
use tuquan_tests::vfs::FaultDisk;

use super::support::{Outcome, STORE, body, examine, insert};

#[test]
fn readers_see_whole_growing_snapshots_while_a_writer_writes() {
    const ROWS: i64 = 300;
    let disk = FaultDisk::new(8);
    let writer = STORE.open(&disk).unwrap();
    writer.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    let committed = AtomicI64::new(0);
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let reader = STORE.open_bare(&disk).unwrap();
                let mut reads = 0;
                while !is_done.load(Ordering::SeqCst) || reads < 10 {
                    let floor = committed.load(Ordering::SeqCst);
                    assert!(read_snapshot(&reader) >= floor, "a committed row is not visible");
                    reads += 1;
                }
            });
        }
        for id in 1..=ROWS {
            insert(&writer, id).unwrap();
            committed.store(id, Ordering::SeqCst);
        }
        is_done.store(true, Ordering::SeqCst);
    });
    disk.cut(8);
    drop(writer);
    assert_eq!(examine(STORE, &disk), Outcome::Rows(ROWS));
}

/// Reads count and newest row in one transaction, which must agree; returns the count.
fn read_snapshot(reader: &Connection) -> i64 {
    let snapshot = reader.unchecked_transaction().unwrap();
    let count: i64 = snapshot.query_row("SELECT count(*) FROM entry", (), |r| r.get(0)).unwrap();
    if count > 0 {
        let newest = "SELECT id, body FROM entry ORDER BY id DESC LIMIT 1";
        let (id, bytes): (i64, Vec<u8>) =
            snapshot.query_row(newest, (), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!((id, bytes), (count, body(count)));
    }
    count
}

#[test]
fn a_second_writer_waits_for_the_first() {
    let disk = FaultDisk::new(10);
    let (one, two) = (STORE.open(&disk).unwrap(), STORE.open(&disk).unwrap());
    two.busy_timeout(std::time::Duration::ZERO).unwrap();
    one.execute_batch("BEGIN IMMEDIATE").unwrap();
    insert(&one, 1).unwrap();
    assert!(two.execute_batch("BEGIN IMMEDIATE").is_err());
    one.execute_batch("COMMIT").unwrap();
    insert(&two, 2).unwrap();
    assert_eq!(examine(STORE, &disk), Outcome::Rows(2));
}

#[test]
fn the_disk_can_be_dropped_before_its_connections() {
    let disk = FaultDisk::new(11);
    let conn = STORE.open(&disk).unwrap();
    drop(disk);
    let _ = insert(&conn, 1);
    drop(conn);
}
