//! The floor of the sync job: the same rows as JSON in a plain log, zstd level 3, no CRDT, no
//! cryptography, one process per side.
//!
//! Must not know: the core.

use std::io::{Read, Write};
use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};
use tuquan_core::error::Result;

use crate::pipes::{self, Outcome};
use crate::store::Folder;

const LEVEL: i32 = 3;

/// Syncs two plain logs of `count` rows, and the edits, both ways.
pub(crate) fn sync(rows: &[Vec<String>], count: usize) -> Result<Outcome> {
    let (a, b) = (Folder::new("floor-a")?, Folder::new("floor-b")?);
    let seeds = count / 20;
    for (side, folder) in [(0, &a), (1, &b)] {
        let mut connection = open(folder.path())?;
        let transaction = connection.transaction()?;
        let from = seeds + side * (rows.len() / 9);
        for n in from..from + count {
            let row = &rows[n % rows.len()];
            let fields: serde_json::Map<String, Value> = row
                .iter()
                .enumerate()
                .map(|(column, text)| (format!("c{column}"), json!(text)))
                .collect();
            insert(&transaction, &Value::Object(fields).to_string())?;
        }
        for n in 0..seeds {
            let edit = json!({"record": n, "c9": format!("edited by {side}: {n}")});
            insert(&transaction, &edit.to_string())?;
        }
        transaction.commit()?;
    }
    pipes::run(&["floor"], a.path(), &["floor"], b.path())
}

fn open(folder: &Path) -> Result<Connection> {
    let connection = Connection::open(folder.join("log.db"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection
        .execute_batch("CREATE TABLE IF NOT EXISTS log (at INTEGER PRIMARY KEY, row TEXT)")?;
    Ok(connection)
}

fn insert(connection: &Connection, row: &str) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO log (row) VALUES (?)")?
        .execute([row])?;
    Ok(())
}

/// One side: sends its log as one segment, takes the other's in, in one durable transaction.
pub(crate) fn child(folder: &Path) -> Result<Value> {
    let mut connection = open(folder)?;
    let begin = pipes::ready()?;
    let mut body = Vec::new();
    {
        let mut statement = connection.prepare("SELECT row FROM log ORDER BY at")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            body.extend_from_slice(row.get_ref(0)?.as_bytes().unwrap_or_default());
            body.push(b'\n');
        }
    }
    let segment = zstd::bulk::compress(&body, LEVEL)?;
    let mut output = std::io::stdout().lock();
    output.write_all(&(segment.len() as u64).to_le_bytes())?;
    output.write_all(&segment)?;
    output.flush()?;
    let mut input = std::io::stdin().lock();
    let mut len = [0; 8];
    input.read_exact(&mut len)?;
    let mut segment = vec![0; usize::try_from(u64::from_le_bytes(len)).unwrap_or_default()];
    input.read_exact(&mut segment)?;
    let body = zstd::bulk::decompress(&segment, 64 << 20)?;
    let transaction = connection.transaction()?;
    for row in String::from_utf8_lossy(&body).lines() {
        insert(&transaction, row)?;
    }
    transaction.commit()?;
    Ok(json!({ "seconds": begin.elapsed().as_secs_f64(), "frames": 1, "peak_kib": 0 }))
}
