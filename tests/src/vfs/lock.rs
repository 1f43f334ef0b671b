//! The file locks of SQLite's rollback protocol, among the handles of one process.
//!
//! Knows the five levels and who holds them, nothing of content.

use std::{ffi::c_int, sync::Arc};

use rusqlite::ffi;

/// The holders of one file's locks, by handle number.
#[derive(Clone, Debug, Default)]
pub(super) struct LockTable {
    shared: Vec<u64>,
    reserved: Option<u64>,
    pending: Option<u64>,
    exclusive: Option<u64>,
}

impl LockTable {
    /// Raises the lock of `handle` and returns an SQLite result code.
    pub(super) fn raise(&mut self, handle: u64, level: c_int) -> c_int {
        let free = |slot: Option<u64>| slot.is_none_or(|holder| holder == handle);
        if level >= ffi::SQLITE_LOCK_SHARED && !self.shared.contains(&handle) {
            if !free(self.pending) || !free(self.exclusive) {
                return ffi::SQLITE_BUSY;
            }
            self.shared.push(handle);
        }
        if level == ffi::SQLITE_LOCK_RESERVED {
            if !free(self.reserved) {
                return ffi::SQLITE_BUSY;
            }
            self.reserved = Some(handle);
        }
        if level >= ffi::SQLITE_LOCK_PENDING {
            if !free(self.pending) {
                return ffi::SQLITE_BUSY;
            }
            // Kept when others still read: no new reader comes in, so the writer is not starved.
            self.pending = Some(handle);
        }
        if level == ffi::SQLITE_LOCK_EXCLUSIVE {
            if self.shared.len() > 1 {
                return ffi::SQLITE_BUSY;
            }
            self.exclusive = Some(handle);
        }
        ffi::SQLITE_OK
    }

    /// Lowers the lock of `handle` to shared or none.
    pub(super) fn lower(&mut self, handle: u64, level: c_int) {
        for slot in [&mut self.reserved, &mut self.pending, &mut self.exclusive] {
            if *slot == Some(handle) {
                *slot = None;
            }
        }
        if level == ffi::SQLITE_LOCK_NONE {
            self.shared.retain(|holder| *holder != handle);
        }
    }

    /// Returns whether any handle means to write.
    pub(super) fn is_reserved(&self) -> bool {
        self.reserved.is_some() || self.pending.is_some() || self.exclusive.is_some()
    }
}

/// A lock on one slot of the shared WAL index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Slot {
    #[default]
    Free,
    Shared(u32),
    Exclusive,
}

/// The eight lock slots of the shared WAL index.
#[derive(Debug, Default)]
pub(super) struct SlotTable {
    slots: [Slot; ffi::SQLITE_SHM_NLOCK as usize],
}

/// The slots one handle holds, as bit masks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HeldSlots {
    shared: u32,
    exclusive: u32,
}

impl SlotTable {
    /// Takes or gives back `count` slots from `first` for the handle that owns `held`.
    pub(super) fn change(
        &mut self,
        held: &mut HeldSlots,
        first: usize,
        count: usize,
        flags: c_int,
    ) -> c_int {
        let range = first.min(self.slots.len())..(first + count).min(self.slots.len());
        if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
            range.for_each(|slot| self.release(held, slot));
            return ffi::SQLITE_OK;
        }
        let exclusive = flags & ffi::SQLITE_SHM_EXCLUSIVE != 0;
        let blocked = range.clone().any(|slot| {
            let own = (held.shared | held.exclusive) >> slot & 1 == 1;
            match (&self.slots[slot], exclusive) {
                (Slot::Free, _) => false,
                (Slot::Shared(1), true) => !own,
                (Slot::Shared(_), true) => true,
                (Slot::Shared(_), false) => false,
                (Slot::Exclusive, _) => !own,
            }
        });
        if blocked {
            return ffi::SQLITE_BUSY;
        }
        for slot in range {
            self.release(held, slot);
            if exclusive {
                self.slots[slot] = Slot::Exclusive;
                held.exclusive |= 1 << slot;
            } else {
                self.slots[slot] = match self.slots[slot] {
                    Slot::Shared(holders) => Slot::Shared(holders + 1),
                    Slot::Free | Slot::Exclusive => Slot::Shared(1),
                };
                held.shared |= 1 << slot;
            }
        }
        ffi::SQLITE_OK
    }

    fn release(&mut self, held: &mut HeldSlots, slot: usize) {
        let bit = 1 << slot;
        if held.exclusive & bit != 0 {
            self.slots[slot] = Slot::Free;
        } else if held.shared & bit != 0 {
            self.slots[slot] = match self.slots[slot] {
                Slot::Shared(holders) if holders > 1 => Slot::Shared(holders - 1),
                _ => Slot::Free,
            };
        }
        held.exclusive &= !bit;
        held.shared &= !bit;
    }
}

/// What one handle has to do with a shared WAL index: the index itself and the slots it holds.
#[derive(Debug)]
pub(super) struct ShmLink {
    /// The index, alive as long as any handle has it.
    pub(super) shm: Arc<super::shm::Shm>,
    /// The slots of this handle.
    pub(super) held: HeldSlots,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_writer_keeps_new_readers_out() {
        let mut table = LockTable::default();
        assert_eq!(table.raise(1, ffi::SQLITE_LOCK_SHARED), ffi::SQLITE_OK);
        assert_eq!(table.raise(2, ffi::SQLITE_LOCK_SHARED), ffi::SQLITE_OK);
        assert_eq!(table.raise(2, ffi::SQLITE_LOCK_RESERVED), ffi::SQLITE_OK);
        assert_eq!(table.raise(1, ffi::SQLITE_LOCK_RESERVED), ffi::SQLITE_BUSY);
        assert_eq!(table.raise(2, ffi::SQLITE_LOCK_EXCLUSIVE), ffi::SQLITE_BUSY);
        assert_eq!(table.raise(3, ffi::SQLITE_LOCK_SHARED), ffi::SQLITE_BUSY);
        table.lower(1, ffi::SQLITE_LOCK_NONE);
        assert_eq!(table.raise(2, ffi::SQLITE_LOCK_EXCLUSIVE), ffi::SQLITE_OK);
        table.lower(2, ffi::SQLITE_LOCK_SHARED);
        assert!(!table.is_reserved());
        assert_eq!(table.raise(3, ffi::SQLITE_LOCK_SHARED), ffi::SQLITE_OK);
    }

    #[test]
    fn an_exclusive_slot_shuts_out_the_others_until_it_is_given_back() {
        let (mut table, mut one, mut two) =
            (SlotTable::default(), HeldSlots::default(), HeldSlots::default());
        let take = ffi::SQLITE_SHM_LOCK;
        let give = ffi::SQLITE_SHM_UNLOCK;
        let (exclusive, shared) = (ffi::SQLITE_SHM_EXCLUSIVE, ffi::SQLITE_SHM_SHARED);
        assert_eq!(table.change(&mut one, 1, 3, take | exclusive), ffi::SQLITE_OK);
        assert_eq!(table.change(&mut two, 3, 1, take | shared), ffi::SQLITE_BUSY);
        assert_eq!(table.change(&mut one, 1, 3, give | exclusive), ffi::SQLITE_OK);
        assert_eq!(table.change(&mut two, 3, 1, take | shared), ffi::SQLITE_OK);
        assert_eq!(table.change(&mut one, 3, 1, take | shared), ffi::SQLITE_OK);
        assert_eq!(table.change(&mut two, 3, 1, take | exclusive), ffi::SQLITE_BUSY);
    }
}
