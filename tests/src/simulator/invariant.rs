//! What must hold in the end: equal entries give equal teams and views, and nothing is lost.

use rand_core::Rng as _;
use tuquan_core::record::declare::Role;
use tuquan_core::replica::outgoing::Vector;

use super::Report;
use super::world::{World, holds};
use crate::team::{join_bare, packs, vector};

impl World<'_> {
    /// Ends partitions and syncs until all are equal, within a bounded number of rounds.
    pub(super) fn heal(&mut self) {
        // What a removed phone wrote is handed in, so that no gap of it stays open.
        for at in 0..self.devices.len() {
            if self.devices[at].is_removed {
                self.post(at, &Vector::default())
                    .unwrap_or_else(|error| panic!("seed {}: handing in: {error}", self.seed));
            }
        }
        let active = self.active();
        let count = active.len();
        self.mail.append(&mut self.lies);
        while !self.mail.is_empty() {
            let at = active[self.below(count as u64) as usize];
            let pack = self.mail.swap_remove(0);
            self.deliver(at, &pack)
                .unwrap_or_else(|error| panic!("seed {}: mail: {error}", self.seed));
        }
        self.heal_by_the_hub();
        for round in 0.. {
            if round > 0 && self.are_equal() {
                break;
            }
            assert!(round <= count, "seed {}: still not equal after {round} rounds", self.seed);
            for at in 0..count {
                self.meet(active[at], active[(at + 1) % count], None)
                    .unwrap_or_else(|error| panic!("seed {}: healing: {error}", self.seed));
            }
        }
    }

    /// Tells whether all members hold the same.
    pub(super) fn are_equal(&self) -> bool {
        let hash = |at: &usize| vector(self.devices[*at].store()).expect("vector").hash();
        let hashes: Vec<_> = self.active().iter().map(hash).collect();
        hashes.iter().all(|hash| *hash == hashes[0])
    }

    /// Compares all phones, looks for everything that was acknowledged, and lets a newcomer build
    /// the same from packs in another order.
    pub(super) fn finish(mut self) -> Report {
        self.compare();
        self.look_for_what_was_said();
        let active = self.active();
        let at = active[self.below(active.len() as u64) as usize];
        let checked = self.devices[at].store().doctor(&mut |_, _| {}).expect("checked");
        assert!(
            checked.pages_ok && checked.views_ok,
            "seed {}: phone {at}: {checked:?}",
            self.seed
        );
        if self.below(4) == 0 {
            self.welcome_a_newcomer(at);
        }
        let stats = self.devices[at].store().stats().expect("stats");
        (self.report.conflicts, self.report.damaged) = (stats.conflicts, stats.damaged);
        self.report.removed.1 = stats.quarantined;
        self.report.trace = self.trace.hash();
        self.report
    }

    fn compare(&mut self) {
        let seed = self.seed;
        let first = self.devices[0].store();
        let (hash, stats) = (first.view_hash().expect("hash"), first.stats().expect("stats"));
        let members = first.bulk(|replica| Ok(replica.mind.members.clone())).expect("members");
        assert_eq!(stats.held, 0, "seed {seed}: packs still held");
        let apart = first.quarantined();
        for device in self.devices[1..].iter().filter(|device| !device.is_removed) {
            let (store, number) = (device.store(), device.number);
            assert_eq!(
                store.quarantined(),
                apart,
                "seed {seed}: phone {number} keeps others apart"
            );
            let other = store.bulk(|replica| Ok(replica.mind.members.clone())).expect("members");
            assert_eq!(other, members, "seed {seed}: phone {number} sees other members");
            let other = store.stats().expect("stats");
            let counts = |stats: &tuquan_core::door::Stats| {
                let waiting = (stats.pending, stats.held, stats.quarantined);
                (stats.entries, waiting, stats.damaged, stats.conflicts)
            };
            assert_eq!(
                counts(&other),
                counts(&stats),
                "seed {seed}: phone {number} counts otherwise"
            );
            assert_eq!(
                other.records, stats.records,
                "seed {seed}: phone {number} has other records"
            );
            assert_eq!(
                store.view_hash().expect("hash"),
                hash,
                "seed {seed}: phone {number} shows other views"
            );
        }
        let sql = "SELECT count(*) FROM damaged WHERE code IN ('E-DBPAGE', 'E-CHANGE')";
        let failed = first
            .read(|connection, _| Ok(connection.query_row(sql, [], |row| row.get::<_, i64>(0))?))
            .expect("damaged items");
        assert_eq!(failed, 0, "seed {seed}: merges that could not be made");
        self.trace.note(format_args!("{hash} {:?}", stats.records));
    }

    fn look_for_what_was_said(&self) {
        for device in &self.devices {
            let store = device.store();
            let own = store.device().expect("device").log;
            let next = own.map_or(0, |log| {
                vector(store).expect("vector").get(&log).map_or(0, |entry| entry.next)
            });
            assert!(
                next >= device.own_next,
                "seed {}: phone {} lost own entries",
                self.seed,
                device.number
            );
        }
        let store = self.devices[0].store();
        for (by, record, _) in &self.records {
            if self.devices[*by].is_removed {
                continue;
            }
            assert!(
                store.get(record).expect("read").is_some(),
                "seed {}: record {record} is gone",
                self.seed
            );
        }
        for (by, record, list, text, _) in &self.said {
            if self.devices[*by].is_removed {
                continue;
            }
            let shown = store.get(record).expect("read").expect("there");
            let all = shown.lists.get(*list).map(Vec::as_slice).unwrap_or_default();
            let there = all.iter().any(|one| holds(&one.value, text));
            assert!(there, "seed {}: {text} is gone from {record}", self.seed);
        }
    }

    /// P3: any packaging, order and repetition gives the same.
    fn welcome_a_newcomer(&mut self, host: usize) {
        let number = self.devices.len();
        let mut newcomer = self.lab.device(number, crate::phone::NOON_MS);
        newcomer.open(self.rng.next_u64()).expect("opened");
        let mut all = packs(self.devices[host].store(), &Vector::default()).expect("packed");
        join_bare(self.devices[0].store(), newcomer.store(), Role::R1).expect("joined");
        let store = newcomer.store();
        while !all.is_empty() {
            let at = self.rng.next_u64() as usize % all.len();
            let again = self.rng.next_u32().is_multiple_of(4);
            let pack = if again { all[at].clone() } else { all.swap_remove(at) };
            store
                .bulk(|replica| replica.ingest(&pack))
                .unwrap_or_else(|error| panic!("seed {}: newcomer: {error}", self.seed));
        }
        let hash = self.devices[host].store().view_hash().expect("hash");
        assert_eq!(
            store.view_hash().expect("hash"),
            hash,
            "seed {}: a newcomer shows other views",
            self.seed
        );
    }
}
