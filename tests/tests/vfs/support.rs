//! A small encrypted table of checkable rows, and the questions put to it after a fault.

use rusqlite::{Connection, OpenFlags, OptionalExtension, Result};
use tuquan_tests::vfs::FaultDisk;

pub(crate) const PATH: &str = "/team/store.db";

/// How a connection writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) journal_mode: &'static str,
    pub(crate) synchronous: &'static str,
    pub(crate) checkpoint_pages: u32,
    /// The key, or the key and the salt.
    pub(crate) key: &'static str,
}

/// The key alone: SQLCipher takes the salt from the first 16 bytes of the file.
pub(crate) const KEY: &str = "2dd29ca851e7b56e4697b0e1f08507293d761a05ce4d1b628663f411a8086d99";
/// The key with the salt.
pub(crate) const KEY_AND_SALT: &str = "2dd29ca851e7b56e4697b0e1f08507293d761a05ce4d1b628663f411a8086d99\
     00112233445566778899aabbccddeeff";

/// What the store uses.
pub(crate) const STORE: Setup =
    Setup { journal_mode: "WAL", synchronous: "FULL", checkpoint_pages: 12, key: KEY };

impl Setup {
    pub(crate) fn open(self, disk: &FaultDisk) -> Result<Connection> {
        let conn = self.open_bare(disk)?;
        conn.execute_batch(
            "CREATE TABLE IF NOT EXISTS entry(id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT",
        )?;
        Ok(conn)
    }

    pub(crate) fn open_bare(self, disk: &FaultDisk) -> Result<Connection> {
        let flags = OpenFlags::default();
        let conn = Connection::open_with_flags_and_vfs(PATH, flags, disk.vfs_name())?;
        conn.execute_batch(&format!(
            "PRAGMA cipher_log = 'off';
             PRAGMA key = \"x'{}'\";
             PRAGMA journal_mode = {};
             PRAGMA synchronous = {};
             PRAGMA wal_autocheckpoint = {};
             PRAGMA temp_store = MEMORY;",
            self.key, self.journal_mode, self.synchronous, self.checkpoint_pages
        ))?;
        Ok(conn)
    }
}

/// Commits one row.
pub(crate) fn insert(conn: &Connection, id: i64) -> Result<()> {
    conn.prepare_cached("INSERT INTO entry(id, body) VALUES (?1, ?2)")?
        .execute((id, body(id)))
        .map(drop)
}

/// Returns the one right body of a row; some bodies need overflow pages.
pub(crate) fn body(id: i64) -> Vec<u8> {
    let len = match id % 7 {
        0 => 9_000,
        3 => 3_000,
        rest => 20 + rest as usize * 60,
    };
    (0..len).map(|at| (id.wrapping_mul(31) ^ at as i64) as u8).collect()
}

/// What is left of the table after a fault.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Sound, and rows 1 to this one are there, whole, without a gap.
    Rows(i64),
    /// Not sound, or not readable, for this reason.
    Corrupt(String),
}

/// Opens and checks everything: both integrity checks, and every byte of every row.
pub(crate) fn examine(setup: Setup, disk: &FaultDisk) -> Outcome {
    fn rows(conn: &Connection) -> Result<Outcome> {
        let verdict: String = conn.query_row("PRAGMA integrity_check", (), |row| row.get(0))?;
        if verdict != "ok" {
            return Ok(Outcome::Corrupt(verdict));
        }
        let mut last = 0;
        let mut select = conn.prepare("SELECT id, body FROM entry ORDER BY id")?;
        let mut rows = select.query(())?;
        while let Some(row) = rows.next()? {
            last += 1;
            if row.get::<_, i64>(0)? != last || row.get::<_, Vec<u8>>(1)? != body(last) {
                return Ok(Outcome::Corrupt(format!("row {last} is missing or wrong")));
            }
        }
        // This check reads the main file alone. A page that a cut tore in the middle of a
        // checkpoint is whole in the WAL, so without a checkpoint first it raises a false alarm.
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))?;
        let complaint = conn
            .query_row("PRAGMA cipher_integrity_check", (), |row| row.get::<_, String>(0))
            .optional()?;
        Ok(complaint.map_or(Outcome::Rows(last), Outcome::Corrupt))
    }
    match setup.open(disk).and_then(|conn| rows(&conn)) {
        Ok(outcome) => outcome,
        Err(error) => Outcome::Corrupt(error.to_string()),
    }
}
