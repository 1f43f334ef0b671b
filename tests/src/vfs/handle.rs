//! One open file of a simulated disk: SQLite's file methods, in safe Rust.
//!
//! All methods return SQLite result codes. None may panic: a panic in a callback of SQLite aborts
//! the process.

use std::{
    ffi::{c_int, c_void},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rusqlite::ffi;

use super::{
    SyncMode,
    disk::{Disk, Verdict},
    fault::{Call, Fault},
    lock::{HeldSlots, ShmLink},
};

/// Locks a disk. A poisoned one is used as it is: the panic that poisoned it has been reported.
pub(super) fn lock(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One open file.
#[derive(Debug)]
pub(super) struct Handle {
    disk: Arc<Mutex<Disk>>,
    name: Option<String>,
    inode: u64,
    number: u64,
    generation: u64,
    /// Set as in the unix VFS: the first sync of a journal or WAL also syncs the directory.
    must_sync_directory: bool,
    deletes_on_close: bool,
    shm: Option<ShmLink>,
}

impl Handle {
    pub(super) fn open(
        disk: Arc<Mutex<Disk>>,
        name: Option<String>,
        flags: c_int,
    ) -> Result<Self, c_int> {
        const JOURNALS: c_int =
            ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL | ffi::SQLITE_OPEN_WAL;
        let mut guard = lock(&disk);
        let (inode, number) = guard.open(name.as_deref(), flags)?;
        let generation = guard.generation;
        drop(guard);
        Ok(Self {
            disk,
            name,
            inode,
            number,
            generation,
            must_sync_directory: flags & ffi::SQLITE_OPEN_CREATE != 0 && flags & JOURNALS != 0,
            deletes_on_close: flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0,
            shm: None,
        })
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: usize) -> Result<(), c_int> {
        let mut disk = lock(&self.disk);
        let verdict = disk.admit(Call::Read, self.generation)?;
        let wanted = match verdict {
            Verdict::Pass => buffer.len(),
            Verdict::Fail(Fault::ShortRead) => buffer.len() / 2,
            Verdict::Fail(fault) => return Err(fault.code(Call::Read)),
            Verdict::PowerLoss => return Err(disk.lose_power(Call::Read)),
        };
        let live = disk.inodes.get(&self.inode).map_or(&[][..], |inode| inode.image.live());
        let rest = live.get(offset..).unwrap_or_default();
        let given = wanted.min(rest.len());
        buffer[..given].copy_from_slice(&rest[..given]);
        buffer[given..].fill(0);
        if given < buffer.len() { Err(ffi::SQLITE_IOERR_SHORT_READ) } else { Ok(()) }
    }

    pub(super) fn write(&self, bytes: &[u8], offset: usize) -> Result<(), c_int> {
        let mut disk = lock(&self.disk);
        let verdict = disk.admit(Call::Write, self.generation)?;
        let written = match verdict {
            Verdict::Pass | Verdict::PowerLoss => bytes.len(),
            Verdict::Fail(Fault::Write | Fault::Full) => bytes.len() / 2,
            Verdict::Fail(fault) => return Err(fault.code(Call::Write)),
        };
        disk.stats.bytes_written += written as u64;
        let file = disk.inodes.get_mut(&self.inode).ok_or(ffi::SQLITE_IOERR_WRITE)?;
        file.image.write(offset, &bytes[..written]);
        match verdict {
            Verdict::Pass => Ok(()),
            Verdict::Fail(fault) => Err(fault.code(Call::Write)),
            Verdict::PowerLoss => Err(disk.lose_power(Call::Write)),
        }
    }

    pub(super) fn truncate(&self, len: usize) -> Result<(), c_int> {
        let mut disk = lock(&self.disk);
        let verdict = disk.admit(Call::Truncate, self.generation)?;
        if let Verdict::Fail(fault) = verdict {
            return Err(fault.code(Call::Truncate));
        }
        let file = disk.inodes.get_mut(&self.inode).ok_or(ffi::SQLITE_IOERR_TRUNCATE)?;
        file.image.truncate(len);
        if verdict == Verdict::PowerLoss {
            return Err(disk.lose_power(Call::Truncate));
        }
        Ok(())
    }

    pub(super) fn sync(&mut self) -> Result<(), c_int> {
        let mut disk = lock(&self.disk);
        match disk.admit(Call::Sync, self.generation)? {
            Verdict::Pass => {}
            Verdict::Fail(Fault::FsyncForgets) => {
                let forgotten =
                    disk.inodes.get_mut(&self.inode).map_or(0, |file| file.image.forget_pending());
                disk.stats.dropped += forgotten;
                return Err(ffi::SQLITE_IOERR_FSYNC);
            }
            Verdict::Fail(fault) => return Err(fault.code(Call::Sync)),
            Verdict::PowerLoss => return Err(disk.lose_power(Call::Sync)),
        }
        if disk.sync_mode == SyncMode::Lying {
            return Ok(());
        }
        if let Some(file) = disk.inodes.get_mut(&self.inode) {
            file.image.sync();
        }
        if let (true, Some(name)) = (self.must_sync_directory, &self.name) {
            disk.sync_directory(name);
        }
        self.must_sync_directory = false;
        Ok(())
    }

    pub(super) fn size(&self) -> Result<usize, c_int> {
        let mut disk = lock(&self.disk);
        disk.admit_plain(Call::Size, self.generation)?;
        Ok(disk.inodes.get(&self.inode).map_or(0, |file| file.image.live().len()))
    }

    pub(super) fn raise_lock(&self, level: c_int) -> c_int {
        self.with_current(ffi::SQLITE_IOERR_LOCK, |disk| match disk.inodes.get_mut(&self.inode) {
            Some(file) => file.locks.raise(self.number, level),
            None => ffi::SQLITE_IOERR_LOCK,
        })
    }

    pub(super) fn lower_lock(&self, level: c_int) {
        self.with_current((), |disk| {
            if let Some(file) = disk.inodes.get_mut(&self.inode) {
                file.locks.lower(self.number, level);
            }
        });
    }

    pub(super) fn is_reserved(&self) -> bool {
        self.with_current(false, |disk| {
            disk.inodes.get(&self.inode).is_some_and(|file| file.locks.is_reserved())
        })
    }

    pub(super) fn map_shm(
        &mut self,
        region: usize,
        size: usize,
        extend: bool,
    ) -> Result<Option<*mut c_void>, c_int> {
        let mut disk = lock(&self.disk);
        disk.admit_plain(Call::ShmMap, self.generation)?;
        let link = match &self.shm {
            Some(link) => link,
            None => {
                let file = disk.inodes.get_mut(&self.inode).ok_or(ffi::SQLITE_IOERR_SHMOPEN)?;
                let shm = file.shm.upgrade().unwrap_or_default();
                file.shm = Arc::downgrade(&shm);
                self.shm.insert(ShmLink { shm, held: HeldSlots::default() })
            }
        };
        Ok(link.shm.region(region, size, extend))
    }

    pub(super) fn change_shm_slots(&mut self, first: usize, count: usize, flags: c_int) -> c_int {
        // Not refused after a cut: the memory is still there, and SQLite expects giving a lock
        // back to work.
        match &mut self.shm {
            Some(link) => link.shm.change_slots(&mut link.held, first, count, flags),
            None => ffi::SQLITE_IOERR_SHMLOCK,
        }
    }

    pub(super) fn shm_barrier(&self) {
        if let Some(link) = &self.shm {
            link.shm.barrier();
        }
    }

    pub(super) fn unmap_shm(&mut self) {
        if let Some(mut link) = self.shm.take() {
            let all = ffi::SQLITE_SHM_NLOCK as usize;
            link.shm.change_slots(&mut link.held, 0, all, ffi::SQLITE_SHM_UNLOCK);
        }
    }

    fn with_current<R>(&self, stale: R, act: impl FnOnce(&mut Disk) -> R) -> R {
        let mut disk = lock(&self.disk);
        if disk.generation == self.generation { act(&mut disk) } else { stale }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.unmap_shm();
        self.lower_lock(ffi::SQLITE_LOCK_NONE);
        self.with_current((), |disk| {
            if let (true, Some(name)) = (self.deletes_on_close, &self.name) {
                disk.remove(name);
            }
            disk.close(self.inode);
        });
    }
}
