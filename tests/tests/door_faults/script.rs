//! A phone on a faulty disk, the script it goes through, and the questions after a fault.

use std::path::PathBuf;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tuquan_core::door::Tuquan;
use tuquan_core::door::command::Command;
use tuquan_core::error::{Kind, Result};
use tuquan_core::ids::{LogId, RecordId};
use tuquan_core::record::declare::Role;
use tuquan_core::record::plain::Plain;
use tuquan_core::replica::outgoing::Vector;
use tuquan_core::store::open::{Durability, Location};
use tuquan_tests::phone::{
    Folder, HandClock, NOON_MS, edit, incident, location, note, open, request, transition,
};
use tuquan_tests::team::{join, join_bare, packs, vector, verify};
use tuquan_tests::vfs::FaultDisk;

/// A founder's phone with a team, and packs of a colleague that it has not met yet.
pub(crate) struct Base {
    folder: Folder,
    pub(crate) disk: Arc<FaultDisk>,
    packs: Vec<Vec<u8>>,
    colleague: LogId,
    own_next: u64,
}

impl Base {
    /// Founds a team of two; the colleague writes 60 entries in 20 packs, some on each other.
    pub(crate) fn new() -> Self {
        let (folder, clock) = (Folder::new("faults"), HandClock::at(NOON_MS));
        let disk = FaultDisk::new(1);
        let founder =
            open(location(folder.path(), Some(disk.vfs_name())), 1, &clock).expect("opened");
        founder.found().expect("founded");
        let (other, desk) = (Folder::new("colleague"), FaultDisk::new(2));
        let colleague =
            open(location(other.path(), Some(desk.vfs_name())), 2, &clock).expect("opened");
        join(&founder, &colleague, Role::R2).expect("joined");
        let (mut bundle, mut known) = (Vec::new(), Vec::new());
        let mut sent = vector(&colleague).expect("vector");
        for number in 0..60_u64 {
            let command = match known.last() {
                Some(record) if number % 3 == 1 => note(*record, "Đã gọi bảo vệ"),
                Some(record) if number % 3 == 2 => transition(*record, "acknowledged"),
                _ => incident(&format!("Vụ của đồng đội {number}")),
            };
            known.push(colleague.apply(request(number), &command).expect("written").record);
            if number % 3 == 2 {
                bundle.extend(packs(&colleague, &sent).expect("packed"));
                sent = vector(&colleague).expect("vector");
            }
        }
        let log = colleague.device().expect("device").log.expect("a log");
        founder.apply(request(999), &incident("Trước khi hỏng")).expect("written");
        founder.pause().expect("paused");
        drop(founder);
        disk.cut(0);
        Self { folder, disk, packs: bundle, colleague: log, own_next: 2 }
    }

    /// Returns a phone like this one, on a disk of its own.
    pub(crate) fn phone(&self, seed: u64) -> Phone<'_> {
        Phone {
            base: self,
            disk: self.disk.fork(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            clock: HandClock::at(NOON_MS),
            durability: Durability::Full,
            records: Vec::new(),
            own_next: self.own_next,
            taken: 0,
            number: 1_000,
        }
    }
}

/// A phone, and what it has acknowledged so far.
pub(crate) struct Phone<'a> {
    base: &'a Base,
    pub(crate) disk: Arc<FaultDisk>,
    pub(crate) rng: ChaCha8Rng,
    clock: HandClock,
    pub(crate) durability: Durability,
    records: Vec<RecordId>,
    pub(crate) own_next: u64,
    taken: usize,
    number: u64,
}

/// What is wrong after a fault.
#[derive(Debug)]
pub(crate) enum Found {
    /// All that was acknowledged is there.
    Whole,
    /// Something acknowledged is gone.
    Lost,
}

impl Phone<'_> {
    pub(crate) fn open(&self) -> Result<Tuquan> {
        let folder: PathBuf = self.base.folder.path().to_owned();
        let location = Location {
            durability: self.durability,
            ..location(&folder, Some(self.disk.vfs_name()))
        };
        open(location, self.number, &self.clock)
    }

    /// Does one thing that people and apps do; notes what was acknowledged.
    pub(crate) fn step(&mut self, store: &Tuquan) -> Result<()> {
        self.clock.advance(i64::from(self.rng.next_u32() % 60_000));
        match self.rng.next_u32() % 16 {
            0 => store.pause(),
            1 => store.bulk(|replica| replica.seal()),
            2 | 3 => self.take_in(store),
            4 => self.many(store),
            5 => store.view_hash().map(drop),
            _ => self.tap(store),
        }
    }

    fn tap(&mut self, store: &Tuquan) -> Result<()> {
        self.number += 1;
        let request = request(self.number);
        let command = self.command();
        let applied = match store.apply(request, &command) {
            Err(error) if matches!(error.kind, Kind::Invalid | Kind::Role) => return Ok(()),
            other => other?,
        };
        if let Some(entry) = applied.entry {
            self.own_next = self.own_next.max(entry.seq + 1);
            self.records.push(applied.record);
        }
        Ok(())
    }

    fn command(&mut self) -> Command {
        let text = format!("Ghi chú {}", self.rng.next_u32());
        let at = self.rng.next_u32() as usize % (self.records.len() + 3);
        match (self.records.get(at), self.rng.next_u32() % 3) {
            (Some(record), 0) => note(*record, &text),
            (Some(record), 1) => edit(*record, "summary", Plain::from(text.as_str())),
            (Some(record), _) => transition(*record, "acknowledged"),
            (None, _) => incident(&text),
        }
    }

    fn many(&mut self, store: &Tuquan) -> Result<()> {
        let commands: Vec<Command> = (0..20).map(|_| self.command()).collect();
        for applied in store.apply_many(&commands, &mut |_| {})?.into_iter().flatten() {
            if let Some(entry) = applied.entry {
                self.own_next = self.own_next.max(entry.seq + 1);
                self.records.push(applied.record);
            }
        }
        Ok(())
    }

    /// Takes in the colleague's next pack, or one of before once more.
    fn take_in(&mut self, store: &Tuquan) -> Result<()> {
        let again = self.rng.next_u32().is_multiple_of(4) || self.taken == self.base.packs.len();
        let at = if again { self.rng.next_u32() as usize % (self.taken + 1) } else { self.taken };
        if let Some(pack) = self.base.packs.get(at) {
            store.bulk(|replica| replica.ingest(pack))?;
            self.taken = self.taken.max(at + 1);
        }
        Ok(())
    }

    /// Looks for everything that was acknowledged, verifies all chains, compares the views with
    /// a rebuild.
    pub(crate) fn examine(&mut self, store: &Tuquan, place: &str) -> Found {
        let vector = vector(store).expect("vector");
        let next = |log: &LogId| vector.get(log).map_or(0, |entry| entry.next);
        let own = store.device().expect("a device").log.expect("a log");
        let whole = next(&own) >= self.own_next
            && next(&self.base.colleague) >= self.expected()
            && self.records.iter().all(|record| store.get(record).expect("read").is_some());
        let entries = verify(store).unwrap_or_else(|error| panic!("{place}: {error}"));
        let counted: u64 = vector.entries.iter().map(|entry| entry.next).sum();
        assert_eq!(entries, counted, "{place}: the chain has fewer entries than it says");
        let checked = store.doctor(&mut |_, _| {}).expect("checked");
        assert!(checked.pages_ok && checked.views_ok, "{place}: {checked:?}");
        self.own_next = next(&own);
        if whole { Found::Whole } else { Found::Lost }
    }

    fn expected(&self) -> u64 {
        // The first pack opens the log too.
        if self.taken == 0 { 0 } else { self.taken as u64 * 3 + 1 }
    }

    /// Brings all that is left to a phone that has nothing, and compares the views.
    pub(crate) fn compare_with_a_newcomer(&self, store: &Tuquan) {
        let all = packs(store, &Vector::default()).expect("packed");
        let (folder, disk) = (Folder::new("newcomer"), FaultDisk::new(5));
        let newcomer =
            open(location(folder.path(), Some(disk.vfs_name())), 77, &self.clock).expect("opened");
        join_bare(store, &newcomer, Role::R1).expect("joined");
        for pack in all {
            newcomer.bulk(|replica| replica.ingest(&pack)).expect("taken in");
        }
        assert_eq!(newcomer.view_hash().expect("hash"), store.view_hash().expect("hash"));
    }
}
