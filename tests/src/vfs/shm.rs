//! The shared memory of the WAL index, in the heap of this process.
//!
//! It is never written to the disk: a cut always loses it, as SQLite expects of `-shm`. Rust only
//! allocates the regions; SQLite reads and writes them with its own atomics, hence `AtomicU64`
//! (interior mutability, alignment 8) behind an `Arc` (no claim of uniqueness).

use std::{
    ffi::c_void,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering, fence},
    },
};

use super::lock::{HeldSlots, SlotTable};

/// One WAL index, shared by all handles of one database file.
#[derive(Debug, Default)]
pub(super) struct Shm {
    regions: Mutex<Vec<Arc<[AtomicU64]>>>,
    slots: Mutex<SlotTable>,
}

impl Shm {
    /// Returns the address of region `index`, or `None` if it does not exist and may not be made.
    /// The address holds as long as `self` lives.
    pub(super) fn region(&self, index: usize, size: usize, extend: bool) -> Option<*mut c_void> {
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        while extend && regions.len() <= index {
            regions.push((0..size.div_ceil(8)).map(|_| AtomicU64::new(0)).collect());
        }
        regions.get(index).map(|region| region.as_ptr().cast_mut().cast())
    }

    /// Takes or gives back lock slots and returns an SQLite result code.
    pub(super) fn change_slots(
        &self,
        held: &mut HeldSlots,
        first: usize,
        count: usize,
        flags: i32,
    ) -> i32 {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.change(held, first, count, flags)
    }

    /// Orders all memory access before it against all after it.
    pub(super) fn barrier(&self) {
        fence(Ordering::SeqCst);
        drop(self.slots.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
