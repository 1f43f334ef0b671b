//! A phone whose whole folder, fence and all, can be copied: nothing on either copy can tell.
//!
//! Must not know: what the copies write.

use std::fs;
use std::path::{Path, PathBuf};

use tuquan_core::door::Tuquan;
use tuquan_core::store::open::Location;

use crate::phone::{Folder, HandClock, NOON_MS, location, open};

/// A phone with a fence beside its store.
#[derive(Debug)]
pub struct Copyable {
    folder: Folder,
    store: Option<Tuquan>,
    /// Its clock.
    pub clock: HandClock,
}

impl Copyable {
    /// Makes a phone.
    ///
    /// # Panics
    /// If the store cannot be made.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let clock = HandClock::at(NOON_MS);
        let mut phone = Self { folder: Folder::new("copy"), store: None, clock };
        phone.open(seed);
        phone
    }

    fn location(&self) -> Location {
        let fence = Some(self.folder.path().join("fence"));
        Location { fence, ..location(&self.folder.path().join("store"), None) }
    }

    /// Opens the store, again.
    ///
    /// # Panics
    /// If it cannot be opened.
    pub fn open(&mut self, seed: u64) {
        self.store = None;
        self.store = Some(open(self.location(), seed, &self.clock).expect("opened"));
    }

    /// Returns the store.
    ///
    /// # Panics
    /// Never between two calls.
    #[must_use]
    pub fn store(&self) -> &Tuquan {
        self.store.as_ref().expect("open")
    }

    /// Copies the phone as it is, fence and all, to another one with a clock of its own.
    ///
    /// # Panics
    /// If a file cannot be copied.
    pub fn copy(&mut self, seeds: (u64, u64)) -> Self {
        self.store = None;
        let clock = HandClock::at(tuquan_core::clock::Clock::now_ms(&self.clock));
        let mut other = Self { folder: Folder::new("copy"), store: None, clock };
        copy_folder(self.folder.path(), other.folder.path());
        self.open(seeds.0);
        other.open(seeds.1);
        other
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("read") {
        let path = entry.expect("entry").path();
        let target: PathBuf = to.join(path.file_name().expect("named"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}
