//! Opening the store: key, key check, pragmas read back, lock, migrations.
//!
//! Every pragma that safety rests on is asserted by reading it back; opening fails closed. Must
//! not know: what the tables hold.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::crypto;
use crate::error::{Error, Kind, Result};
use crate::ids::to_hex;

/// The version of the truth tables; views have a hash of their own.
pub const SCHEMA_VERSION: i64 = 6;
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/001_init.sql"),
    include_str!("migrations/002_joining.sql"),
    include_str!("migrations/003_quarantine.sql"),
    include_str!("migrations/004_attachments.sql"),
    include_str!("migrations/005_branches.sql"),
    include_str!("migrations/006_statements.sql"),
];
pub(super) const DATABASE: &str = "store.db";
const KEY_CHECK: &str = "store.check";
const LOCK: &str = "store.lock";
/// A page that is not in the cache is decrypted and checked anew, which costs more than writing
/// it: bulk work on 100,000 records needs its indexes at hand.
const WRITER_CACHE_KIB: i64 = 16 << 10;
const READER_CACHE_KIB: i64 = 6 << 10;

/// The store's key: 32 bytes from the caller, who keeps them in the phone's keystore.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct StoreKey(pub [u8; 32]);

impl std::fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreKey")
    }
}

/// How durable a commit is. Only tests ask for less than [`Durability::Full`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// A commit survives power loss.
    #[default]
    Full,
    /// A commit may be rolled back by power loss: a control for fault tests, never for people.
    Normal,
}

/// Where the store is and how to open it.
#[derive(Debug, Clone)]
pub struct Location {
    /// The folder that holds the store's files and nothing else.
    pub dir: PathBuf,
    /// The key.
    pub key: StoreKey,
    /// A registered SQLite VFS to use instead of the system's; for fault tests.
    pub vfs: Option<String>,
    /// How durable a commit is.
    pub durability: Durability,
    /// The file that says how much of the own logs has left the phone: outside of `dir`, and of
    /// every backup, so that a store that was put back is found out. Without one nothing is.
    pub fence: Option<PathBuf>,
}

impl Location {
    /// Names a store in `dir` that opens with `key`.
    pub fn new(dir: impl Into<PathBuf>, key: [u8; 32]) -> Self {
        let (vfs, durability, fence) = (None, Durability::Full, None);
        Self { dir: dir.into(), key: StoreKey(key), vfs, durability, fence }
    }

    fn database(&self) -> PathBuf {
        self.dir.join(DATABASE)
    }
}

/// The lock that keeps a second process out for as long as it lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Takes the lock of the store's folder, which is made if it does not exist.
///
/// # Errors
/// `E-BUSY` when another program has it, `E-IO`.
pub fn lock(location: &Location) -> Result<Lock> {
    std::fs::create_dir_all(&location.dir)?;
    let path = location.dir.join(LOCK);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => {
            Err(Error::new(Kind::Busy, "the store is open in another program"))
        }
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Checks the key against the value kept beside the file, which is made with a new store.
///
/// Wrong key, no key and a damaged first page all look alike to SQLCipher; this tells them apart.
///
/// # Errors
/// `E-DBKEY` when the key is another one; the files are left as they are.
pub fn check_key(location: &Location) -> Result<()> {
    let path = location.dir.join(KEY_CHECK);
    let expected = crypto::derive_key("tuquan/1 store key check", &location.key.0);
    match std::fs::read(&path) {
        Ok(found) if found == expected => Ok(()),
        Ok(_) => Err(Error::new(Kind::DbKey, "this key does not open this store")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            write_durably(&path, &expected)
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn write_durably(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Opens the one connection that writes, and brings the truth tables up to date.
///
/// # Errors
/// `E-DBPAGE`, `E-DBNEWER`, `E-IO`.
pub fn writer(location: &Location) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = connect(location, flags)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version > SCHEMA_VERSION {
        return Err(Error::new(Kind::DbNewer, format!("store version {version}")));
    }
    for (number, sql) in (1..).zip(MIGRATIONS).filter(|(number, _)| *number > version) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(connection)
}

/// Opens a connection that only reads.
///
/// # Errors
/// As [`writer`].
pub fn reader(location: &Location) -> Result<Connection> {
    let connection = connect(location, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Makes the first connection of the process alone. SQLite calls itself ready before SQLCipher has
/// registered its cipher, so a second thread that opens meanwhile is told that its key is none.
pub fn initialize() {
    static FIRST: Once = Once::new();
    FIRST.call_once(|| {
        std::hint::black_box(tuquan_cipher::name());
        drop(Connection::open_in_memory());
    });
}

fn connect(location: &Location, flags: OpenFlags) -> Result<Connection> {
    initialize();
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let path = location.database();
    let connection = match &location.vfs {
        None => Connection::open_with_flags(path, flags)?,
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str())?,
    };
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(256);
    connection.pragma_update(None, "key", raw_key(&location.key).as_str())?;
    connection.pragma_update(None, "cipher_log_level", "NONE").ok();
    // The first read decrypts page 1: damage shows here, for the key was checked before.
    connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))?;
    set_pragmas(&connection, location.durability)?;
    // Else a bound LIMIT makes SQLite plan a prepared query anew each time it is asked: a quarter
    // of the time of a page. No plan here depends on a bound value.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

/// Returns SQLCipher's raw key with its salt, 96 hexadecimal digits.
///
/// With the salt in the key, noise in the first sector of the file (which a checkpoint rewrites)
/// cannot make the store unreadable: 9 of 600 power cuts did so with the 64-digit form.
pub(super) fn raw_key(key: &StoreKey) -> zeroize::Zeroizing<String> {
    let salt = crypto::derive_key("tuquan/1 store salt", &key.0);
    zeroize::Zeroizing::new(format!("x'{}{}'", to_hex(&key.0), to_hex(&salt[..16])))
}

fn set_pragmas(connection: &Connection, durability: Durability) -> Result<()> {
    let synchronous = match durability {
        Durability::Full => 2,
        Durability::Normal => 1,
    };
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Error::new(Kind::Io, format!("journal mode {mode} instead of wal")));
    }
    let wanted: &[(&str, i64)] = &[
        ("synchronous", synchronous),
        ("fullfsync", 1),
        ("checkpoint_fullfsync", 1),
        ("trusted_schema", 0),
        ("cell_size_check", 1),
        ("secure_delete", 1),
        ("foreign_keys", 1),
        ("mmap_size", 0),
        ("temp_store", 2),
    ];
    for (name, value) in wanted {
        connection.pragma_update(None, name, value)?;
        let found = connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
        match found {
            Ok(found) if found == *value => {}
            // Where memory mapping was left out of the build there is nothing to read back.
            Err(rusqlite::Error::QueryReturnedNoRows) if *name == "mmap_size" => {}
            _ => return Err(Error::new(Kind::Io, format!("pragma {name} did not hold"))),
        }
    }
    connection.pragma_update(None, "wal_autocheckpoint", 2_000)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    Ok(())
}
