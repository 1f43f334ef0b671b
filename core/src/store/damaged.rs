//! Reading what is left of a store with damaged pages.
//!
//! After one bad page SQLCipher fails every further read of the connection, so each read has a
//! connection of its own: up to the damage, down to it from the other end, and then into the gap
//! by halves. The file is opened for reading only and never changed. Must not know: what is done
//! with the rows; whether they are true, which chains and seals tell.

use std::collections::{BTreeMap, BinaryHeap};
use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Row};

use super::logs::{at, meta, parts};
use super::open::{DATABASE, Location, SCHEMA_VERSION, StoreKey, initialize, raw_key, writer};
use crate::error::{Error, Kind, Result};

const PAGE_LEN: usize = 4_096;
/// The most reads into the gaps of one table; each takes under a millisecond.
const PROBES_MAX: u32 = 256;
/// How far beyond what is known a table is searched: entries of a log, and logs.
const ENTRIES_BEYOND: u64 = 4_096;
const LOGS_BEYOND: i64 = 64;

/// A store with damaged pages.
#[derive(Debug)]
pub struct Damaged {
    path: PathBuf,
    key: StoreKey,
}

/// A table whose rows are found by an integer.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its integer key.
    pub key: &'static str,
    /// The other columns to read.
    pub columns: &'static str,
}

impl Damaged {
    /// Opens what is left of the store at `location`; `scratch` is an empty folder for a copy,
    /// made when the first page or the list of tables cannot be read.
    ///
    /// # Errors
    /// `E-DBPAGE` when nothing can be read at all, `E-NOTFOUND` without a file, `E-FULL`, `E-IO`.
    pub fn open(location: &Location, scratch: &Path) -> Result<Self> {
        let whole = Self { path: location.dir.join(DATABASE), key: location.key.clone() };
        if !whole.path.is_file() {
            return Err(Error::new(Kind::NotFound, "there is no store to salvage"));
        }
        if whole.has_tables() {
            let version = whole
                .connect()?
                .query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))?;
            return match version > SCHEMA_VERSION {
                true => Err(Error::new(Kind::DbNewer, format!("store version {version}"))),
                false => Ok(whole),
            };
        }
        let copy = Self { path: scratch.join("damaged.db"), key: location.key.clone() };
        graft(location, &whole.path, &copy.path, scratch)?;
        let (log, copied) = (log_of(&whole.path), log_of(&copy.path));
        if log.is_file() {
            fs::copy(&log, &copied)?;
            if copy.has_tables() {
                return Ok(copy);
            }
            // The damaged page may be in there; what the file itself says is older and better.
            fs::remove_file(&copied)?;
        }
        if copy.has_tables() {
            return Ok(copy);
        }
        Err(Error::new(Kind::DbPage, "no table of the store can be found"))
    }

    fn has_tables(&self) -> bool {
        let sql = "SELECT count(*) FROM sqlite_master WHERE name IN ('meta', 'log', 'segment')";
        let count = |connection: Connection| -> Result<i64> {
            Ok(connection.query_row(sql, [], |row| row.get(0))?)
        };
        self.connect().and_then(count).is_ok_and(|count| count == 3)
    }

    fn connect(&self) -> Result<Connection> {
        initialize();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.pragma_update(None, "key", raw_key(&self.key).as_str())?;
        connection.pragma_update(None, "cipher_log_level", "NONE").ok();
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        // Lets a file be read that is shorter than its first page says.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, true)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        Ok(connection)
    }

    /// Reads a value of the store's own settings.
    ///
    /// # Errors
    /// `E-DBPAGE` where it cannot be read.
    pub fn meta(&self, key: &str) -> Result<Option<Vec<u8>>> {
        meta(&self.connect()?, key)
    }

    /// Reads a small table from both ends, up to the damage; rows in no order.
    pub fn ends<T>(
        &self,
        table: &str,
        columns: &str,
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Vec<T> {
        let mut found = Vec::new();
        for order in ["", " DESC"] {
            let sql = format!("SELECT {columns} FROM {table} ORDER BY 1{order}");
            let whole = self.each(&sql, &[], |row| {
                found.extend(read(row).ok());
                Ok(())
            });
            if whole {
                break;
            }
        }
        found
    }

    /// Reads a table by ranges; a row that does not read as it should is left out. `next` says how
    /// long each log is at least, which bounds the search behind damage; for the table of logs
    /// itself it is none.
    pub fn rows<T>(
        &self,
        table: Table,
        next: Option<&BTreeMap<i64, u64>>,
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> BTreeMap<i64, T> {
        let mut found = BTreeMap::new();
        let mut walk = |low: i64, high: i64, up: bool| {
            self.walk(table, (low, high), up, &mut found, &mut read)
        };
        let (low, high) = match walk(0, i64::MAX, true) {
            Reached::End => return found,
            Reached::Until(last) => (last.map_or(0, |last| last + 1), i64::MAX),
        };
        let high = match walk(low, high, false) {
            Reached::End => return found,
            Reached::Until(last) => last.unwrap_or(high),
        };
        let mut gaps: BinaryHeap<(i64, i64, i64)> = BinaryHeap::new();
        let add = |gaps: &mut BinaryHeap<_>, low: i64, high: i64| {
            if high > low {
                gaps.push((high - low, low, high));
            }
        };
        for (low, high) in pieces(low, high, next) {
            add(&mut gaps, low, high);
        }
        for _ in 0..PROBES_MAX {
            let Some((_, low, high)) = gaps.pop() else {
                break;
            };
            let middle = low + (high - low) / 2;
            if let Reached::Until(last) = walk(middle, high, true) {
                add(&mut gaps, last.unwrap_or(middle) + 1, high);
            }
            if let Reached::Until(last) = walk(low, middle, false) {
                add(&mut gaps, low, last.unwrap_or(middle));
            }
        }
        found
    }

    /// Reads the rows of a range in one direction with a connection of its own.
    fn walk<T>(
        &self,
        table: Table,
        (low, high): (i64, i64),
        up: bool,
        found: &mut BTreeMap<i64, T>,
        read: &mut impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Reached {
        if low >= high {
            return Reached::End;
        }
        let Table { name, key, columns } = table;
        let order = if up { "" } else { " DESC" };
        let sql = format!(
            "SELECT {columns}, {key} FROM {name} WHERE {key} >= ? AND {key} < ? ORDER BY {key}{order}"
        );
        let mut last = None;
        let whole = self.each(&sql, &[low, high], |row| {
            let at: i64 = row.get(key)?;
            last = Some(at);
            if let Ok(value) = read(row) {
                found.insert(at, value);
            }
            Ok(())
        });
        if whole { Reached::End } else { Reached::Until(last) }
    }

    /// Calls `each` for the rows of a query; tells whether all could be read.
    fn each(
        &self,
        sql: &str,
        values: &[i64],
        mut each: impl FnMut(&Row<'_>) -> Result<()>,
    ) -> bool {
        let mut all = || -> Result<()> {
            let connection = self.connect()?;
            let mut statement = connection.prepare(sql)?;
            let mut rows = statement.query(rusqlite::params_from_iter(values))?;
            while let Some(row) = rows.next()? {
                each(row)?;
            }
            Ok(())
        };
        all().is_ok()
    }
}

/// How far a read came.
enum Reached {
    /// To the end of its range.
    End,
    /// Up to damage behind this key, if it found any row at all.
    Until(Option<i64>),
}

/// Cuts a gap where logs end: most row numbers in it belong to no entry.
fn pieces(low: i64, high: i64, next: Option<&BTreeMap<i64, u64>>) -> Vec<(i64, i64)> {
    let Some(next) = next else {
        return vec![(low, high.min(low.saturating_add(LOGS_BEYOND)))];
    };
    let (first, _) = parts(low);
    let (last, _) = parts(high - 1);
    let known = next.keys().next_back().copied().unwrap_or_default();
    let last = last.min(known.max(first).saturating_add(1));
    let piece = |no: i64| {
        let end = next.get(&no).copied().unwrap_or(ENTRIES_BEYOND);
        (low.max(at(no, 0)), high.min(at(no, end)))
    };
    (first.max(1)..=last).map(piece).collect()
}

fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// Copies the file with the first page of a new store of the same key: the tables that hold the
/// truth are made first and so have the same places in every store.
fn graft(location: &Location, from: &Path, to: &Path, scratch: &Path) -> Result<()> {
    let bytes = fs::metadata(from)?.len();
    let donor = Location { dir: scratch.join("donor"), vfs: None, ..location.clone() };
    fs::create_dir_all(&donor.dir)?;
    let connection = writer(&donor)?;
    // The first page also says how many pages there are.
    let filler = i64::try_from(bytes).unwrap_or(i64::MAX);
    connection.execute("INSERT INTO meta VALUES ('filler', zeroblob(?))", [filler])?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    drop(connection);
    let mut page = [0; PAGE_LEN];
    OpenOptions::new().read(true).open(donor.dir.join(DATABASE))?.read_exact(&mut page)?;
    fs::copy(from, to)?;
    OpenOptions::new().write(true).open(to)?.write_all(&page)?;
    fs::remove_dir_all(&donor.dir)?;
    Ok(())
}
