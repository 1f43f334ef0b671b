//! Phones of one team, simulated from a seed: real stores on faulty disks, lying clocks, a network
//! that loses, repeats and reorders, one member that may lie; with or without a hub.
//!
//! All chance comes from the seed, so a failure is repeated by its number: every run returns a
//! hash over all that happened. Must not know: time, threads, the system's disk (but for locks).

mod act;
mod device;
mod govern;
mod hub;
mod invariant;
mod lie;
mod network;
mod trace;
mod world;

use std::collections::BTreeMap;

use tuquan_core::error::Result;

use self::device::Device;
use self::world::World;
use crate::phone::{Folder, HandClock, NOON_MS, location, open};
use crate::vfs::FaultDisk;

/// The most phones of a team.
pub const PHONES_MAX: usize = 6;

/// What is made once for many runs: folders for locks, and the disk of a phone that was opened
/// for the first time.
#[derive(Debug)]
pub struct Lab {
    phones: Vec<(Folder, String, Vec<u8>)>,
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// A hash over every step, frame and view.
    pub trace: u64,
    /// Entries that were acknowledged.
    pub written: u64,
    /// Crashes and power cuts.
    pub crashes: u64,
    /// Phones that were put back in time.
    pub restored: u64,
    /// Frames and packs that travelled.
    pub carried: u64,
    /// Records that ended in conflict.
    pub conflicts: u64,
    /// Items that were damaged, on every phone alike.
    pub damaged: u64,
    /// Devices that the founder removed, and entries kept apart in the end.
    pub removed: (u64, u64),
    /// Steps by name.
    pub steps: BTreeMap<&'static str, u64>,
}

impl Lab {
    /// Prepares the folders and the fresh disk.
    ///
    /// # Errors
    /// Of the store.
    pub fn new() -> Result<Self> {
        let (disk, clock) = (FaultDisk::new(0), HandClock::at(NOON_MS));
        let mut phones = Vec::new();
        for _ in 0..=PHONES_MAX {
            let folder = Folder::new("sim");
            let at = location(folder.path(), Some(disk.vfs_name()));
            open(at, 0, &clock)?.pause()?;
            let file = folder.path().join("store.db").display().to_string();
            let bytes = disk.file(&file).unwrap_or_default();
            phones.push((folder, file, bytes));
        }
        Ok(Self { phones })
    }

    /// Runs one seed to its end, without a hub or with one. What the hub does has chance of its
    /// own, so that a seed without one stays what it was.
    ///
    /// # Panics
    /// When an invariant does not hold; the message names it.
    #[must_use]
    pub fn run(&self, seed: u64, with_hub: bool) -> Report {
        let mut world = World::new(self, seed);
        if with_hub {
            world.open_a_hub();
        }
        world.live();
        world.heal();
        world.finish()
    }

    fn device(&self, number: usize, clock_ms: i64) -> Device {
        let (folder, file, bytes) = &self.phones[number];
        let disk = FaultDisk::new(number as u64);
        disk.put_file(file, bytes.clone());
        Device::new(number, folder.path().to_owned(), disk, HandClock::at(clock_ms))
    }
}
