//! Tables, settings and identity of the file.
//!
//! Invariant: a connection that does not sync every commit is never handed out. Must not know:
//! what the rows mean.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, params};
use tuquan_core::error::{Error, Kind, Result};

const FORM: i64 = 1;
const TABLES: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE space (
  id BLOB PRIMARY KEY, change INTEGER NOT NULL, control INTEGER NOT NULL,
  packs INTEGER NOT NULL, last INTEGER NOT NULL, bytes INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE share (
  space BLOB NOT NULL, device BLOB NOT NULL, bytes INTEGER NOT NULL,
  PRIMARY KEY (space, device)
) WITHOUT ROWID;
CREATE TABLE pack (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, space BLOB NOT NULL, id BLOB NOT NULL,
  open INTEGER NOT NULL, device BLOB NOT NULL, person BLOB, size INTEGER NOT NULL,
  ranges BLOB NOT NULL, bytes BLOB NOT NULL
);
CREATE UNIQUE INDEX pack_id ON pack (space, id);
CREATE INDEX pack_seq ON pack (space, seq);
CREATE INDEX pack_open ON pack (space, seq) WHERE open = 1;
CREATE TABLE opened (
  space BLOB NOT NULL, pack BLOB NOT NULL, person BLOB NOT NULL, at_ms INTEGER NOT NULL,
  PRIMARY KEY (space, pack, person)
) WITHOUT ROWID;
CREATE TABLE erased (space BLOB NOT NULL, id BLOB NOT NULL, PRIMARY KEY (space, id)) WITHOUT ROWID;
CREATE TABLE ack (
  space BLOB NOT NULL, device BLOB NOT NULL, log BLOB NOT NULL, counter INTEGER NOT NULL,
  hash BLOB NOT NULL, at_ms INTEGER NOT NULL, bytes BLOB NOT NULL
);
CREATE UNIQUE INDEX ack_of ON ack (space, device, log);
CREATE TABLE chunk (
  no INTEGER PRIMARY KEY, space BLOB NOT NULL, id BLOB NOT NULL, device BLOB NOT NULL,
  person BLOB NOT NULL, size INTEGER NOT NULL, bytes BLOB NOT NULL
);
CREATE UNIQUE INDEX chunk_id ON chunk (space, id);
CREATE TABLE nonce (
  nonce BLOB PRIMARY KEY, space BLOB NOT NULL, device BLOB NOT NULL,
  expires_ms INTEGER NOT NULL, used INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE token (
  hash BLOB PRIMARY KEY, space BLOB NOT NULL, device BLOB NOT NULL, expires_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE slot (
  mailbox BLOB NOT NULL, number INTEGER NOT NULL, expires_ms INTEGER NOT NULL,
  bytes BLOB NOT NULL, PRIMARY KEY (mailbox, number)
);
";

/// Opens the file with the settings that durability and erasing rest on, and reads them back.
pub(super) fn connect(file: &Path, vfs: Option<&str>) -> Result<Connection> {
    let flags = OpenFlags::default();
    let connection = match vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(file, flags, vfs)?,
        None => Connection::open_with_flags(file, flags)?,
    };
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; \
         PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192; PRAGMA trusted_schema = OFF;",
    )?;
    let number = |name: &str| connection.query_row(name, [], |row| row.get::<_, i64>(0));
    let journal: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let (synchronous, secure) = (number("PRAGMA synchronous")?, number("PRAGMA secure_delete")?);
    if (journal.as_str(), synchronous, secure) != ("wal", 2, 1) {
        return Err(Error::new(Kind::Io, "the database does not take its settings"));
    }
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Makes the tables of a new file, and gives a new or copied file its random id.
pub(super) fn prepare(connection: &mut Connection, file: &Path) -> Result<()> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let form: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match form {
        0 => {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "user_version", FORM)?;
        }
        FORM => {}
        other => return Err(Error::new(Kind::DbNewer, format!("database form {other}"))),
    }
    let place = place(file)?;
    if meta(&transaction, "place")?.as_deref() != Some(&place) {
        let mut epoch = [0; 16];
        getrandom::fill(&mut epoch).map_err(|_| Error::new(Kind::Io, "no random bytes"))?;
        set_meta(&transaction, "epoch", &epoch)?;
        set_meta(&transaction, "place", &place)?;
    }
    transaction.commit()?;
    Ok(())
}

/// Says which file this is: a copy that was put back has another number on its disk.
#[cfg(unix)]
fn place(file: &Path) -> Result<Vec<u8>> {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(file)?;
    Ok([found.dev().to_le_bytes(), found.ino().to_le_bytes()].concat())
}

#[cfg(not(unix))]
fn place(_file: &Path) -> Result<Vec<u8>> {
    Ok(b"here".to_vec())
}

pub(super) fn epoch(transaction: &Transaction<'_>) -> Result<[u8; 16]> {
    let found = meta(transaction, "epoch")?.unwrap_or_default();
    <[u8; 16]>::try_from(found.as_slice())
        .map_err(|_| Error::new(Kind::DbPage, "the id of the database"))
}

fn meta(transaction: &Transaction<'_>, name: &str) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT value FROM meta WHERE name = ?";
    Ok(transaction.query_row(sql, [name], |row| row.get(0)).optional()?)
}

fn set_meta(transaction: &Transaction<'_>, name: &str, value: &[u8]) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)";
    transaction.execute(sql, params![name, value])?;
    Ok(())
}

/// Moves the write-ahead log into the file and empties it.
pub(super) fn empty_log(connection: &Connection) -> Result<()> {
    // A reader in the middle of something holds a part of it back until the next time.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}
