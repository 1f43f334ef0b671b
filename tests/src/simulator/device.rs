//! One phone of a simulated team: its disk, its clock, and what it has acknowledged.

use std::path::PathBuf;
use std::sync::Arc;

use tuquan_core::door::Tuquan;
use tuquan_core::error::Result;
use tuquan_core::replica::outgoing::Vector;
use tuquan_core::store::open::Location;

use crate::phone::{HandClock, location, open};
use crate::team::vector;
use crate::vfs::FaultDisk;

#[derive(Debug)]
pub(super) struct Device {
    pub(super) number: usize,
    folder: PathBuf,
    pub(super) disk: Arc<FaultDisk>,
    pub(super) clock: HandClock,
    store: Option<Tuquan>,
    /// The disk as it was once, to be put back.
    kept: Option<Arc<FaultDisk>>,
    /// The end of the own log, as far as it was acknowledged.
    pub(super) own_next: u64,
    /// Who may meet whom: only phones of one group.
    pub(super) group: u64,
    /// Whether the founder removed it.
    pub(super) is_removed: bool,
}

/// What a phone showed before it went down.
#[derive(Debug)]
pub(super) struct Before {
    vector: Vector,
    hash: String,
}

impl Device {
    pub(super) fn new(
        number: usize,
        folder: PathBuf,
        disk: Arc<FaultDisk>,
        clock: HandClock,
    ) -> Self {
        let device = Self {
            number,
            folder,
            disk,
            clock,
            store: None,
            kept: None,
            own_next: 0,
            group: 0,
            is_removed: false,
        };
        // That of an earlier run; the file lives on the system's disk, which loses nothing.
        let _ = std::fs::remove_file(device.fence());
        device
    }

    pub(super) fn open(&mut self, seed: u64) -> Result<()> {
        self.store = None;
        let at = location(&self.folder, Some(self.disk.vfs_name()));
        let at = Location { fence: Some(self.fence()), ..at };
        self.store = Some(open(at, seed, &self.clock)?);
        Ok(())
    }

    fn fence(&self) -> PathBuf {
        self.folder.join("fence")
    }

    /// Puts the disk back as it was when this was called before, and tells whether it did; the
    /// fence stays or is lost.
    pub(super) fn restore(&mut self, has_fence: bool, seed: u64) -> Result<bool> {
        let Some(kept) = self.kept.take() else {
            self.kept = Some(self.disk.fork());
            return Ok(false);
        };
        self.store = None;
        self.disk = kept;
        self.disk.kill();
        if !has_fence {
            let _ = std::fs::remove_file(self.fence());
        }
        self.open(seed)?;
        self.own_next = 0;
        Ok(true)
    }

    pub(super) fn store(&self) -> &Tuquan {
        self.store.as_ref().expect("a simulated phone is open between steps")
    }

    pub(super) fn close(&mut self) {
        self.store = None;
    }

    pub(super) fn before(&self) -> Before {
        Before {
            vector: vector(self.store()).expect("the vector can be read"),
            hash: self.store().view_hash().expect("the views can be read"),
        }
    }

    /// After a restart nothing may be less than it was; with nothing under way, nothing differs.
    pub(super) fn check_restarted(&self, before: &Before, was_busy: bool) {
        let now = vector(self.store()).expect("the vector can be read");
        for entry in &before.vector.entries {
            let next = now.get(&entry.log).map_or(0, |found| found.next);
            assert!(
                next >= entry.next,
                "phone {}: log {} went back from {} to {next}",
                self.number,
                entry.log,
                entry.next
            );
        }
        let device = self.store().device().expect("the identity is there");
        let own = device.log.and_then(|log| now.get(&log).map(|found| found.next));
        assert!(
            own.unwrap_or(0) >= self.own_next,
            "phone {}: {own:?} of {} own entries",
            self.number,
            self.own_next
        );
        if !was_busy {
            let hash = self.store().view_hash().expect("the views can be read");
            assert_eq!(hash, before.hash, "phone {}: the views jumped at a restart", self.number);
        }
    }
}
