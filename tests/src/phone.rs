//! A phone for tests: a real store in a folder, a clock that is set by hand, seeded randomness,
//! and the commands that people tap most.
//!
//! Must not know: which fault is tried.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use tuquan_core::clock::{Clock, Env};
use tuquan_core::domain::category::Category;
use tuquan_core::domain::incident::Incident;
use tuquan_core::door::command::Command;
use tuquan_core::door::{Config, Tuquan};
use tuquan_core::error::Result;
use tuquan_core::ids::{RecordId, RequestId};
use tuquan_core::record::plain::Plain;
use tuquan_core::store::open::Location;

/// Noon of 5 November 2026 in Vietnam.
pub const NOON_MS: i64 = 1_793_854_800_000;
/// The key of every store in tests.
pub const KEY: [u8; 32] = [7; 32];

/// A clock that stands still until it is moved.
#[derive(Debug, Clone)]
pub struct HandClock(Arc<AtomicI64>);

impl HandClock {
    /// Starts at a time, in ms.
    #[must_use]
    pub fn at(ms: i64) -> Self {
        Self(Arc::new(AtomicI64::new(ms)))
    }

    /// Moves by so many ms, also back.
    pub fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A folder that goes when the test ends.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes an empty folder with `name` in its name.
    ///
    /// # Panics
    /// If the system's temporary folder cannot be written.
    #[must_use]
    pub fn new(name: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let unique = format!("tuquan-{name}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(unique);
        // A run that was killed may have left one of the same name: process numbers come round.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("the temporary folder can be made");
        Self(path)
    }

    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Returns an environment with this clock and randomness from `seed`.
#[must_use]
pub fn env(seed: u64, clock: &HandClock) -> Env {
    Env { clock: Box::new(clock.clone()), rng: Box::new(ChaCha8Rng::seed_from_u64(seed)) }
}

/// Names the store in `folder`, on the system's disk or on a VFS.
#[must_use]
pub fn location(folder: &Path, vfs: Option<&str>) -> Location {
    Location { vfs: vfs.map(str::to_owned), ..Location::new(folder, KEY) }
}

/// Opens the store at `location`.
///
/// # Errors
/// What [`Tuquan::open`] returns.
pub fn open(location: Location, seed: u64, clock: &HandClock) -> Result<Tuquan> {
    Tuquan::open(Config::new(location), env(seed, clock))
}

/// Returns a request id made of a number.
#[must_use]
pub fn request(number: u64) -> RequestId {
    let mut id = [0x9e; 16];
    id[..8].copy_from_slice(&number.to_le_bytes());
    RequestId(id)
}

/// The first tap: an incident with one line of text.
#[must_use]
pub fn incident(summary: &str) -> Command {
    let incident = Incident {
        category: Some(Category::Theft),
        summary: Some(summary.to_owned()),
        ..Incident::default()
    };
    let draft = incident.draft();
    Command::Create { draft, key: None }
}

/// A note on an incident's timeline.
#[must_use]
pub fn note(record: RecordId, body: &str) -> Command {
    let parts = [("kind", Plain::from("note")), ("body", Plain::from(body))];
    Command::Add {
        record,
        field: "timeline".to_owned(),
        element: Plain::Parts(BTreeMap::from(parts.map(|(name, value)| (name.to_owned(), value)))),
    }
}

/// Sets one field of a record.
#[must_use]
pub fn edit(record: RecordId, field: &str, value: Plain) -> Command {
    let set = BTreeMap::from([(field.to_owned(), Some(value))]);
    Command::Edit { record, set }
}

/// Moves a record to another state.
#[must_use]
pub fn transition(record: RecordId, to: &str) -> Command {
    Command::Transition {
        record,
        to: to.to_owned(),
        t_event: None,
        reason: None,
        set: BTreeMap::new(),
    }
}
