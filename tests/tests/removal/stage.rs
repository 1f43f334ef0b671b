//! A team for removal tests: founder, a member who is removed, one who builds on it, and observers
//! that are copies of one phone, so that each may hear the same in another order.

use std::collections::BTreeSet;
use std::path::Path;

use tuquan_core::door::Tuquan;
use tuquan_core::ids::{DeviceKey, LogId, RecordId};
use tuquan_core::record::declare::Role;
use tuquan_core::replica::outgoing::Vector;
use tuquan_core::store::logs;
use tuquan_tests::phone::{Folder, HandClock, NOON_MS, incident, location, note, open, request};
use tuquan_tests::team::{give, join, packs, vector};

/// One phone.
pub(crate) struct Phone {
    folder: Folder,
    pub(crate) store: Tuquan,
    clock: HandClock,
    seed: u64,
}

/// What a phone shows: members and keys, views, and what is kept apart.
#[derive(PartialEq, Eq)]
pub(crate) struct Shown {
    members: std::sync::Arc<tuquan_core::team::members::Members>,
    views: String,
    pub(crate) apart: BTreeSet<(LogId, u64)>,
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {:?}", self.views, self.apart, self.members.heads)
    }
}

impl Phone {
    pub(crate) fn new(seed: u64) -> Self {
        let (folder, clock) =
            (Folder::new("removal"), HandClock::at(NOON_MS + seed as i64 * 7_000));
        let store = open(location(folder.path(), None), seed, &clock).expect("opened");
        Self { folder, store, clock, seed }
    }

    pub(crate) fn founder(seed: u64) -> Self {
        let phone = Self::new(seed);
        phone.store.found().expect("founded");
        phone
    }

    pub(crate) fn member(seed: u64, founder: &Self) -> Self {
        let phone = Self::new(seed);
        join(&founder.store, &phone.store, Role::R1).expect("joined");
        phone
    }

    /// A copy of the phone as it is now.
    pub(crate) fn copy(&self) -> Self {
        self.store.pause().expect("paused");
        let folder = Folder::new("observer");
        copy_files(self.folder.path(), folder.path());
        let clock = self.clock.clone();
        let store = open(location(folder.path(), None), self.seed, &clock).expect("opened");
        Self { folder, store, clock, seed: self.seed }
    }

    pub(crate) fn reopen(self) -> Self {
        let Self { folder, store, clock, seed } = self;
        drop(store);
        let store = open(location(folder.path(), None), seed + 1, &clock).expect("opened");
        Self { folder, store, clock, seed }
    }

    pub(crate) fn key(&self) -> DeviceKey {
        self.store.device().expect("a device").device
    }

    pub(crate) fn log(&self) -> LogId {
        self.store.device().expect("a device").log.expect("a data log")
    }

    pub(crate) fn say(&self, number: u64, text: &str) -> RecordId {
        self.clock.advance(1_000);
        self.store.apply(request(number), &incident(text)).expect("saved").record
    }

    pub(crate) fn add(&self, number: u64, record: RecordId, text: &str) {
        self.clock.advance(1_000);
        self.store.apply(request(number), &note(record, text)).expect("saved");
    }

    /// Takes packs in, in this order; the same again changes nothing.
    pub(crate) fn hear(&self, packs: &[Vec<u8>]) {
        for pack in packs {
            self.store.bulk(|replica| replica.ingest(pack)).expect("taken in");
        }
    }

    pub(crate) fn hears_from(&self, other: &Self) {
        give(&other.store, &self.store).expect("given");
    }

    /// Returns the packs of what is new since `before`, and where it is now.
    pub(crate) fn news(&self, before: &mut Vector) -> Vec<Vec<u8>> {
        let packs = packs(&self.store, before).expect("packed");
        *before = vector(&self.store).expect("a vector");
        packs
    }

    pub(crate) fn shown(&self) -> Shown {
        let members = self.store.bulk(|replica| Ok(replica.mind.members.clone())).expect("members");
        let apart = self.store.bulk(|replica| {
            let mind = &replica.mind;
            Ok(mind
                .quarantine
                .iter()
                .map(|at| {
                    let (no, seq) = logs::parts(*at);
                    (mind.log_numbered(no).expect("a log").row.id, seq)
                })
                .collect())
        });
        Shown {
            members,
            views: self.store.view_hash().expect("hashed"),
            apart: apart.expect("listed"),
        }
    }

    /// How many notes the timeline of an incident has; none when the incident is not shown.
    pub(crate) fn notes(&self, record: RecordId) -> Option<usize> {
        let shown = self.store.get(&record).expect("read")?;
        Some(shown.lists.get("timeline").map_or(0, Vec::len))
    }

    pub(crate) fn is_sound(&self) {
        let checked = self.store.doctor(&mut |_, _| {}).expect("checked");
        assert!(checked.pages_ok && checked.views_ok, "{checked:?}");
    }
}

fn copy_files(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).expect("a folder") {
        let file = file.expect("a file");
        std::fs::copy(file.path(), to.join(file.file_name())).expect("copied");
    }
}

/// Every order of `count` things.
pub(crate) fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut orders = vec![Vec::new()];
    for next in 0..count {
        orders = orders
            .into_iter()
            .flat_map(|order| {
                (0..=order.len()).map(move |at| {
                    let mut longer = order.clone();
                    longer.insert(at, next);
                    longer
                })
            })
            .collect();
    }
    orders
}
