//! The floor of the sync job: the same rows as JSON in a plain log, zstd level 3, no CRDT, no
//! cryptography, no search.
//!
//! Two replicas in one process, one direction after the other: each side's log has its rows by id,
//! sends them as one segment, and takes the other's in, durably, a thousand rows a transaction.
//! Must not know: the core.

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, params};
use serde_json::{Value, json};
use tuquan_core::error::Result;

use crate::store::Folder;

const LEVEL: i32 = 3;
const ROWS_PER_COMMIT: usize = 1_000;

/// What the floor took.
pub(crate) struct Floor {
    pub(crate) seconds: f64,
    pub(crate) bytes: u64,
}

/// Syncs two plain logs of `count` rows, and the edits, both ways.
pub(crate) fn sync(rows: &[Vec<String>], count: usize) -> Result<Floor> {
    let (a, b) = (Folder::new("floor-a")?, Folder::new("floor-b")?);
    let (mut left, mut right) = (open(a.path())?, open(b.path())?);
    fill(&mut left, 0, rows, count)?;
    fill(&mut right, 1, rows, count)?;
    let begin = Instant::now();
    let there = segment(&left, 0)?;
    take_in(&mut right, &there)?;
    let back = segment(&right, 1)?;
    take_in(&mut left, &back)?;
    let seconds = begin.elapsed().as_secs_f64();
    Ok(Floor { seconds, bytes: (there.len() + back.len()) as u64 })
}

fn open(folder: &Path) -> Result<Connection> {
    let connection = Connection::open(folder.join("log.db"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(
        "CREATE TABLE log (at INTEGER PRIMARY KEY, side INTEGER, record INTEGER, row TEXT);
         CREATE INDEX log_by_record ON log (record);",
    )?;
    Ok(connection)
}

fn fill(
    connection: &mut Connection,
    side: usize,
    rows: &[Vec<String>],
    count: usize,
) -> Result<()> {
    let seeds = count / 20;
    let from = seeds + side * (rows.len() / 9);
    let created = (from..from + count).map(|n| {
        let row = &rows[n % rows.len()];
        let mut fields: serde_json::Map<String, Value> = row
            .iter()
            .enumerate()
            .map(|(column, text)| (format!("c{column}"), json!(text)))
            .collect();
        fields.insert("record".to_owned(), json!(side * 1_000_000 + n));
        Value::Object(fields)
    });
    let edited = (0..seeds).map(|n| json!({"record": n, "c9": format!("edited by {side}: {n}")}));
    let transaction = connection.transaction()?;
    for row in created.chain(edited) {
        insert(&transaction, side, &row.to_string())?;
    }
    transaction.commit()?;
    Ok(())
}

fn insert(connection: &Connection, side: usize, row: &str) -> Result<()> {
    let parsed: Value = serde_json::from_str(row).unwrap_or_default();
    let record = parsed["record"].as_i64();
    connection
        .prepare_cached("INSERT INTO log (side, record, row) VALUES (?, ?, ?)")?
        .execute(params![i64::try_from(side).unwrap_or_default(), record, row])?;
    Ok(())
}

fn segment(connection: &Connection, side: i64) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    let mut statement = connection.prepare("SELECT row FROM log WHERE side = ? ORDER BY at")?;
    let mut rows = statement.query([side])?;
    while let Some(row) = rows.next()? {
        body.extend_from_slice(row.get_ref(0)?.as_bytes().unwrap_or_default());
        body.push(b'\n');
    }
    Ok(zstd::bulk::compress(&body, LEVEL)?)
}

fn take_in(connection: &mut Connection, segment: &[u8]) -> Result<()> {
    let body = zstd::bulk::decompress(segment, 64 << 20)?;
    let text = String::from_utf8_lossy(&body);
    let lines: Vec<&str> = text.lines().collect();
    for part in lines.chunks(ROWS_PER_COMMIT) {
        let transaction = connection.transaction()?;
        for row in part {
            insert(&transaction, 2, row)?;
        }
        transaction.commit()?;
    }
    Ok(())
}
