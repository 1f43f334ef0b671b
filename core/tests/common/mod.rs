//! What the tests of the core share: stores in a folder of their own, a clock that is set by hand.
#![allow(dead_code, unreachable_pub)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use tuquan_core::clock::{Clock, Env};
use tuquan_core::door::{Config, Tuquan};
use tuquan_core::store::open::Location;

/// Noon of 5 November 2026 in Vietnam.
pub const NOON_MS: i64 = 1_793_854_800_000;

/// A clock that stands still until it is moved.
#[derive(Debug, Clone)]
pub struct HandClock(pub Arc<AtomicI64>);

impl HandClock {
    pub fn at(ms: i64) -> Self {
        Self(Arc::new(AtomicI64::new(ms)))
    }

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
    pub fn new(name: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let path =
            std::env::temp_dir().join(format!("tuquan-{name}-{}-{number}", std::process::id()));
        // A run that was killed may have left one of the same name: process numbers come round.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("the temporary folder can be made");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn env(seed: u64, clock: &HandClock) -> Env {
    Env { clock: Box::new(clock.clone()), rng: Box::new(ChaCha8Rng::seed_from_u64(seed)) }
}

pub fn location(folder: &Folder) -> Location {
    Location::new(folder.path(), [7; 32])
}

pub fn open(folder: &Folder, seed: u64, clock: &HandClock) -> Tuquan {
    Tuquan::open(Config::new(location(folder)), env(seed, clock)).expect("the store opens")
}
