//! The state of one simulated disk: files, names, the call counter and the armed faults.
//!
//! Invariant: every handle carries the generation it was opened in; after a cut the generation is
//! another one and old handles reach nothing. Knows nothing of FFI.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::c_int,
    sync::Weak,
};

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use rusqlite::ffi;

use super::{
    CutMode, CutReport, Fault, Permanence, Stats, SyncMode,
    fault::{Call, FNV_OFFSET, fnv},
    image::{Image, below},
    lock::LockTable,
    shm::Shm,
};

/// A file, with or without a name.
#[derive(Debug, Default)]
pub(super) struct Inode {
    pub(super) image: Image,
    pub(super) locks: LockTable,
    pub(super) shm: Weak<Shm>,
    pub(super) open_handles: u32,
}

/// A creation (`Some`) or deletion (`None`) whose directory has not been synced.
#[derive(Clone, Debug)]
struct NameChange {
    name: String,
    inode: Option<u64>,
}

/// A fault waiting for its call.
#[derive(Clone, Copy, Debug)]
pub(super) struct ArmedFault {
    pub(super) fault: Fault,
    pub(super) permanence: Permanence,
    /// Matching calls to let through first.
    pub(super) skip: u64,
}

/// A power cut waiting for its call.
#[derive(Clone, Copy, Debug)]
pub(super) struct ArmedCut {
    pub(super) seed: u64,
    pub(super) mode: CutMode,
    /// Calls to let through first.
    pub(super) skip: u64,
}

/// What the disk decides about a call before it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    /// Fails with this fault.
    Fail(Fault),
    /// The power goes during this call; see [`Disk::lose_power`].
    PowerLoss,
}

/// One simulated disk.
#[derive(Debug, Default)]
pub(super) struct Disk {
    seed: u64,
    pub(super) generation: u64,
    pub(super) is_off: bool,
    pub(super) inodes: BTreeMap<u64, Inode>,
    pub(super) names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    name_log: Vec<NameChange>,
    next_number: u64,
    pub(super) sync_mode: SyncMode,
    pub(super) armed_fault: Option<ArmedFault>,
    pub(super) armed_cut: Option<ArmedCut>,
    pub(super) last_cut: Option<CutReport>,
    pub(super) stats: Stats,
}

impl Disk {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Copies content, names and pending changes; not handles, locks or armed faults.
    pub(super) fn fork(&self) -> Self {
        let fork_inode = |(number, inode): (&u64, &Inode)| {
            (*number, Inode { image: inode.image.clone(), ..Inode::default() })
        };
        Self {
            seed: self.seed,
            inodes: self.inodes.iter().map(fork_inode).collect(),
            names: self.names.clone(),
            durable_names: self.durable_names.clone(),
            name_log: self.name_log.clone(),
            next_number: self.next_number,
            sync_mode: self.sync_mode,
            ..Self::default()
        }
    }

    /// Counts a call and decides its fate.
    pub(super) fn admit(&mut self, call: Call, generation: u64) -> Result<Verdict, c_int> {
        if self.is_off || generation != self.generation {
            return Err(call.error_code());
        }
        self.stats.calls += 1;
        match call {
            Call::Read => self.stats.reads += 1,
            Call::Write | Call::Truncate => self.stats.writes += 1,
            Call::Sync => self.stats.syncs += 1,
            _ => {}
        }
        if let Some(cut) = &mut self.armed_cut {
            if cut.skip == 0 {
                return Ok(Verdict::PowerLoss);
            }
            cut.skip -= 1;
        }
        let Some(armed) = &mut self.armed_fault else {
            return Ok(Verdict::Pass);
        };
        if !armed.fault.applies_to(call) {
            return Ok(Verdict::Pass);
        }
        if armed.skip > 0 {
            armed.skip -= 1;
            return Ok(Verdict::Pass);
        }
        let fault = armed.fault;
        if armed.permanence == Permanence::Transient {
            self.armed_fault = None;
        }
        self.stats.faults += 1;
        Ok(Verdict::Fail(fault))
    }

    /// Admits a call that has no effect of its own when it fails.
    pub(super) fn admit_plain(&mut self, call: Call, generation: u64) -> Result<(), c_int> {
        match self.admit(call, generation)? {
            Verdict::Pass => Ok(()),
            Verdict::Fail(fault) => Err(fault.code(call)),
            Verdict::PowerLoss => Err(self.lose_power(call)),
        }
    }

    /// Executes the armed cut and returns the code for the call it happened in. The disk stays
    /// off, so that nobody reopens it before the test knows.
    pub(super) fn lose_power(&mut self, call: Call) -> c_int {
        if let Some(cut) = self.armed_cut.take() {
            let report = self.cut(cut.seed, cut.mode);
            self.last_cut = Some(report);
            self.is_off = true;
        }
        call.error_code()
    }

    /// Finds or makes a file; returns its number and that of the new handle.
    pub(super) fn open(&mut self, name: Option<&str>, flags: c_int) -> Result<(u64, u64), c_int> {
        let power_loss = match self.admit(Call::Open, self.generation)? {
            Verdict::Fail(fault) => return Err(fault.code(Call::Open)),
            verdict => verdict == Verdict::PowerLoss,
        };
        let known = name.and_then(|name| self.names.get(name).copied());
        let inode = match known {
            Some(_) if flags & ffi::SQLITE_OPEN_EXCLUSIVE != 0 => return Err(ffi::SQLITE_CANTOPEN),
            Some(inode) => inode,
            None if flags & ffi::SQLITE_OPEN_CREATE == 0 => return Err(ffi::SQLITE_CANTOPEN),
            None => self.create(name),
        };
        if power_loss {
            return Err(self.lose_power(Call::Open));
        }
        if let Some(inode) = self.inodes.get_mut(&inode) {
            inode.open_handles += 1;
        }
        Ok((inode, self.number()))
    }

    fn create(&mut self, name: Option<&str>) -> u64 {
        let number = self.number();
        self.inodes.insert(number, Inode::default());
        if let Some(name) = name {
            self.names.insert(name.to_owned(), number);
            self.name_log.push(NameChange { name: name.to_owned(), inode: Some(number) });
        }
        number
    }

    /// Removes a name; the bytes stay for open handles and for an undone deletion.
    pub(super) fn delete(&mut self, name: &str, sync_directory: bool) -> Result<(), c_int> {
        let power_loss = match self.admit(Call::Delete, self.generation)? {
            Verdict::Fail(fault) => return Err(fault.code(Call::Delete)),
            verdict => verdict == Verdict::PowerLoss,
        };
        if self.names.remove(name).is_none() {
            return Err(ffi::SQLITE_IOERR_DELETE_NOENT);
        }
        self.name_log.push(NameChange { name: name.to_owned(), inode: None });
        if power_loss {
            return Err(self.lose_power(Call::Delete));
        }
        if sync_directory {
            self.sync_directory(name);
        }
        Ok(())
    }

    /// Makes the creations and deletions in the directory of `name` durable.
    pub(super) fn sync_directory(&mut self, name: &str) {
        if self.sync_mode == SyncMode::Lying {
            return;
        }
        let directory = directory_of(name);
        for change in std::mem::take(&mut self.name_log) {
            if directory_of(&change.name) == directory {
                self.make_durable(&change);
            } else {
                self.name_log.push(change);
            }
        }
    }

    fn make_durable(&mut self, change: &NameChange) {
        match change.inode {
            Some(inode) => self.durable_names.insert(change.name.clone(), inode),
            None => self.durable_names.remove(&change.name),
        };
    }

    /// Gives a handle back and frees files nothing refers to.
    pub(super) fn close(&mut self, inode: u64) {
        let Some(file) = self.inodes.get_mut(&inode) else {
            return;
        };
        file.open_handles = file.open_handles.saturating_sub(1);
        let is_named = self.names.values().chain(self.durable_names.values()).any(|n| *n == inode);
        let is_logged = self.name_log.iter().any(|change| change.inode == Some(inode));
        if file.open_handles == 0 && !is_named && !is_logged {
            self.inodes.remove(&inode);
        }
    }

    /// Loses power: names first, then the content of every file that still has one.
    pub(super) fn cut(&mut self, seed: u64, mode: CutMode) -> CutReport {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed.rotate_left(32) ^ seed);
        let mut report = CutReport::default();
        self.cut_names(&mut rng, &mut report);
        let kept: BTreeSet<u64> = self.durable_names.values().copied().collect();
        self.inodes.retain(|number, _| kept.contains(number));
        for inode in self.inodes.values_mut() {
            let mut image = std::mem::take(&mut inode.image);
            image.cut(&mut rng, mode, &mut report);
            *inode = Inode { image, ..Inode::default() };
        }
        self.names = self.durable_names.clone();
        self.generation += 1;
        self.stats.cuts += 1;
        self.stats.dropped += report.dropped;
        self.stats.torn += report.torn;
        report.image_hash = self.image_hash();
        report
    }

    /// Keeps a prefix of the changes of each name: directories are journalled, but nothing orders
    /// one name after another.
    fn cut_names(&mut self, rng: &mut ChaCha8Rng, report: &mut CutReport) {
        let mut by_name = BTreeMap::<String, Vec<NameChange>>::new();
        for change in std::mem::take(&mut self.name_log) {
            by_name.entry(change.name.clone()).or_default().push(change);
        }
        for changes in by_name.values() {
            let kept = below(rng, changes.len() + 1);
            report.plan(kept as u64);
            report.names_undone += (changes.len() - kept) as u64;
            if let Some(last) = changes[..kept].last() {
                self.make_durable(last);
            }
        }
    }

    /// Ends the process but not the machine: handles and locks go, the page cache stays.
    pub(super) fn kill(&mut self) {
        self.generation += 1;
        for inode in self.inodes.values_mut() {
            let image = std::mem::take(&mut inode.image);
            *inode = Inode { image, ..Inode::default() };
        }
    }

    /// Puts a file on the disk, durably, in place of any other of that name.
    pub(super) fn place(&mut self, name: &str, bytes: Vec<u8>) {
        let number = self.number();
        let image = Image::from_durable(bytes);
        self.inodes.insert(number, Inode { image, ..Inode::default() });
        self.name_log.retain(|change| change.name != name);
        self.names.insert(name.to_owned(), number);
        self.durable_names.insert(name.to_owned(), number);
    }

    /// Takes a file off the disk, durably.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.name_log.retain(|change| change.name != name);
        self.durable_names.remove(name);
        self.names.remove(name).is_some()
    }

    /// Hashes what would be left if every pending change were lost.
    pub(super) fn image_hash(&self) -> u64 {
        self.durable_names.iter().fold(FNV_OFFSET, |hash, (name, number)| {
            let content = self.inodes.get(number).map_or(&[][..], |inode| inode.image.durable());
            fnv(fnv(hash, name.as_bytes()), content)
        })
    }

    pub(super) fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }
}

fn directory_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(directory, _)| directory)
}
