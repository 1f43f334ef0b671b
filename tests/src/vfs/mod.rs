//! A disk that loses power, fails and rots, under the real SQLite and SQLCipher.
//!
//! [`FaultDisk`] registers a VFS whose files live in memory. Writes reach a page cache that
//! readers see at once; a sync moves them to a durable image; [`FaultDisk::cut`] throws away, tears
//! and reorders what was not synced, as a power cut does. All connections that open one path with
//! [`FaultDisk::vfs_name`] share its files, locks and WAL index.
//!
//! Invariant: with honest syncs, no synced byte is changed by a cut (except in
//! [`CutMode::Neighbour`], whose purpose that is), and equal seeds over equal writes leave equal
//! images. Must not know any schema of ours.
//!
//! ```
//! use rusqlite::{Connection, OpenFlags};
//! use tuquan_tests::vfs::FaultDisk;
//!
//! let disk = FaultDisk::new(1);
//! let open = || {
//!     Connection::open_with_flags_and_vfs("/team.db", OpenFlags::default(), disk.vfs_name())
//! };
//! let writer = open()?;
//! writer.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
//! writer.execute_batch("CREATE TABLE note(text); INSERT INTO note VALUES ('kept');")?;
//! disk.cut(7);
//! assert!(writer.execute("INSERT INTO note VALUES ('lost')", ()).is_err());
//! let rows: i64 = open()?.query_row("SELECT count(*) FROM note", (), |row| row.get(0))?;
//! assert_eq!(rows, 1);
//! # Ok::<(), rusqlite::Error>(())
//! ```

mod abi;
mod disk;
mod fault;
mod handle;
mod image;
mod lock;
mod shm;

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
};

pub use fault::{CutMode, CutReport, Damage, Fault, Permanence, Stats, SyncMode};

use self::{
    abi::Registration,
    disk::{ArmedCut, ArmedFault, Disk},
};

/// A simulated disk, known to SQLite by [`vfs_name`](Self::vfs_name) until dropped.
#[derive(Debug)]
pub struct FaultDisk {
    name: String,
    disk: Arc<Mutex<Disk>>,
    _registration: Registration,
}

impl FaultDisk {
    /// Makes an empty disk. The seed goes into every later cut.
    ///
    /// # Panics
    /// If SQLite refuses to register the VFS, which it does only when it is out of memory.
    #[must_use]
    pub fn new(seed: u64) -> Arc<Self> {
        Self::register(Disk::new(seed))
    }

    /// Makes a second disk with the same files and the same unsynced writes, on which nothing is
    /// open: to cut one state in several ways.
    #[must_use]
    pub fn fork(&self) -> Arc<Self> {
        let copy = self.lock().fork();
        Self::register(copy)
    }

    fn register(disk: Disk) -> Arc<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("tuquan-cut-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let disk = Arc::new(Mutex::new(disk));
        let registration = Registration::new(&name, &disk).expect("SQLite takes another VFS");
        Arc::new(Self { name, disk, _registration: registration })
    }

    /// Loses power now and comes back: old handles fail from here on, new ones open what survived.
    pub fn cut(&self, seed: u64) -> CutReport {
        self.cut_with(seed, CutMode::default())
    }

    /// As [`cut`](Self::cut), in a chosen mode.
    pub fn cut_with(&self, seed: u64, mode: CutMode) -> CutReport {
        let mut disk = self.lock();
        disk.armed_cut = None;
        disk.is_off = false;
        disk.cut(seed, mode)
    }

    /// Loses power during the `n`-th call from now (1 is the next). The disk then stays off, and
    /// everything fails, until [`reopen`](Self::reopen).
    pub fn cut_at(&self, n: u64, seed: u64, mode: CutMode) {
        let mut disk = self.lock();
        disk.last_cut = None;
        disk.armed_cut = Some(ArmedCut { seed, mode, skip: n.saturating_sub(1) });
    }

    /// Switches the disk on again and disarms cuts and faults. Returns the report of the cut set
    /// by [`cut_at`](Self::cut_at), or `None` if it has not happened.
    pub fn reopen(&self) -> Option<CutReport> {
        let mut disk = self.lock();
        disk.armed_cut = None;
        disk.armed_fault = None;
        disk.is_off = false;
        disk.last_cut.take()
    }

    /// Ends the process but not the machine: old handles fail, unsynced writes stay readable and
    /// stay unsynced.
    pub fn kill(&self) {
        self.lock().kill();
    }

    /// Fails the `n`-th call from now that the fault applies to (1 is the next such call).
    pub fn fail_nth(&self, n: u64, fault: Fault, permanence: Permanence) {
        let skip = n.saturating_sub(1);
        self.lock().armed_fault = Some(ArmedFault { fault, permanence, skip });
    }

    /// Disarms the fault. A permanent one ends, one that has not happened does not come.
    pub fn heal(&self) {
        self.lock().armed_fault = None;
    }

    /// Chooses what syncs do from now on.
    pub fn set_sync_mode(&self, mode: SyncMode) {
        self.lock().sync_mode = mode;
    }

    /// Damages a file at rest, durably; its unsynced writes are synced first. Returns whether a
    /// byte changed. Open connections may not notice before their caches are cold.
    pub fn damage(&self, path: &str, page_size: usize, damage: Damage) -> bool {
        let mut disk = self.lock();
        let Some(number) = disk.names.get(path).copied() else {
            return false;
        };
        let changed = std::cell::Cell::new(false);
        if let Some(file) = disk.inodes.get_mut(&number) {
            file.image.edit(|image| changed.set(damage.apply(image, page_size)));
        }
        changed.get()
    }

    /// Puts a file on the disk, durably: to bring back an older copy or to plant a damaged one.
    /// Connections that have the old file open keep it.
    pub fn put_file(&self, path: &str, bytes: Vec<u8>) {
        self.lock().place(path, bytes);
    }

    /// Takes a file off the disk, durably. Returns whether it was there.
    pub fn remove_file(&self, path: &str) -> bool {
        self.lock().remove(path)
    }

    /// Returns the name to open connections with.
    #[must_use]
    pub fn vfs_name(&self) -> &str {
        &self.name
    }

    /// Returns a file as readers see it.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        let disk = self.lock();
        let number = disk.names.get(path)?;
        disk.inodes.get(number).map(|file| file.image.live().to_vec())
    }

    /// Returns the names of the files on the disk.
    #[must_use]
    pub fn file_names(&self) -> Vec<String> {
        self.lock().names.keys().cloned().collect()
    }

    /// Returns a hash over the names and bytes that survive if every unsynced write is lost.
    #[must_use]
    pub fn image_hash(&self) -> u64 {
        self.lock().image_hash()
    }

    /// Returns the number of calls so far, without locks.
    #[must_use]
    pub fn io_count(&self) -> u64 {
        self.lock().stats.calls
    }

    /// Returns the totals so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.lock().stats
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        handle::lock(&self.disk)
    }
}
