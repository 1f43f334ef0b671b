//! Logs with two histories (T-FORK, promise of rows 11 and 16): a phone is copied whole, fence and
//! all, and both copies write before they meet anybody; or a member signs two entries under one
//! number. Whoever met which first, in the end all hold all notes and show the same, and all say
//! whose device it is.

use tuquan_core::door::Tuquan;
use tuquan_core::door::command::Command;
use tuquan_core::ids::{LogId, RecordId};
use tuquan_core::record::declare::Role;
use tuquan_core::sync::session::Event;
use tuquan_tests::copy::Copyable;
use tuquan_tests::meeting::meet;
use tuquan_tests::phone::{incident, note, request};
use tuquan_tests::team::{join, vector};

/// A founder, a phone that was copied whole, its copy, and two colleagues.
struct Team {
    phones: Vec<Copyable>,
    shared: RecordId,
    former: LogId,
    said: Vec<(RecordId, String)>,
}

const FOUNDER: usize = 0;
const ONE: usize = 1;
const COLLEAGUE: usize = 2;
const OTHER: usize = 3;

impl Team {
    fn new(seed: u64) -> Self {
        let mut phones: Vec<Copyable> = (0..3).map(|n| Copyable::new(seed * 10 + n)).collect();
        phones[FOUNDER].store().found().expect("founded");
        for phone in &phones[1..] {
            join(phones[FOUNDER].store(), phone.store(), Role::R3).expect("joined");
        }
        let shared = phones[ONE].store().apply(request(1), &incident("Chung")).expect("written");
        for at in [ONE, COLLEAGUE, ONE] {
            meet(phones[at].store(), phones[FOUNDER].store()).expect("met");
        }
        let former = phones[ONE].store().device().expect("device").log.expect("open");
        let other = phones[ONE].copy((seed * 10 + 5, seed * 10 + 6));
        phones.push(other);
        let said = vec![(shared.record, "Chung".to_owned())];
        Self { phones, shared: shared.record, former, said }
    }

    fn store(&self, at: usize) -> &Tuquan {
        self.phones[at].store()
    }

    /// Writes a note to the shared record, a record, and a note to that.
    fn write(&mut self, at: usize) {
        let number = self.said.len() as u64 + 10;
        let text = |part: u64| format!("lời {number} {part}");
        self.phones[at].clock.advance(1_000 + number as i64);
        let apply = |part, command: Command| {
            self.store(at).apply(request(number * 10 + part), &command).expect("written")
        };
        apply(0, note(self.shared, &text(0)));
        let own = apply(1, incident(&text(1))).record;
        apply(2, note(own, &text(2)));
        self.said.extend([(self.shared, text(0)), (own, text(1)), (own, text(2))]);
    }

    fn meet(&self, a: usize, b: usize) -> bool {
        let events = meet(self.store(a), self.store(b)).expect("met");
        for event in events.iter().flatten() {
            assert!(
                !matches!(event, Event::Refused { .. } | Event::Failed { .. }),
                "{a} meets {b}: {event:?}"
            );
        }
        events.iter().flatten().any(|event| matches!(event, Event::Forked { .. }))
    }

    fn heal(&self) {
        let count = self.phones.len();
        for _ in 0..3 {
            for at in 0..count {
                for other in (0..count).filter(|other| *other != at) {
                    // The copies are one device, which holds no session with itself.
                    if [at, other].iter().any(|at| ![ONE, OTHER].contains(at)) {
                        self.meet(at, other);
                    }
                }
            }
        }
    }

    fn check(&self) {
        let hash = self.store(FOUNDER).view_hash().expect("hash");
        let held = vector(self.store(FOUNDER)).expect("vector").hash();
        for at in 0..self.phones.len() {
            let store = self.store(at);
            for (record, text) in &self.said {
                let shown = store.get(record).expect("read").map(|found| format!("{found:?}"));
                let shown = shown.unwrap_or_else(|| panic!("phone {at} lacks {text}"));
                assert!(shown.contains(text), "phone {at} lacks {text}: {shown}");
            }
            assert_eq!(vector(store).expect("vector").hash(), held, "phone {at} holds other entries");
            assert_eq!(store.view_hash().expect("hash"), hash, "phone {at} shows other views");
            let forked = store.forked();
            assert_eq!(forked.len(), 1, "phone {at}: {forked:?}");
            assert_eq!((forked[0].log, forked[0].histories), (self.former, 2), "phone {at}");
            let stats = store.stats().expect("stats");
            assert_eq!((stats.damaged, stats.pending, stats.held), (0, 0, 0), "phone {at}");
            let safe = store.safe_to_reset().expect("checked");
            assert!(safe.safe, "phone {at}: {safe:?}");
            let checked = store.doctor(&mut |_, _| {}).expect("checked");
            assert!(checked.pages_ok && checked.views_ok, "phone {at}: {checked:?}");
        }
    }
}

#[test]
fn two_copies_that_wrote_lose_nothing_and_go_on_in_logs_of_their_own() {
    for seed in 1..5 {
        let mut team = Team::new(seed);
        team.write(ONE);
        team.write(OTHER);
        team.meet(ONE, FOUNDER);
        team.meet(OTHER, COLLEAGUE);
        assert!(team.meet(FOUNDER, COLLEAGUE), "the fork is told");
        team.heal();
        team.check();
        for at in [ONE, OTHER] {
            let store = team.store(at);
            assert_ne!(store.device().expect("device").log, Some(team.former));
            assert!(store.take_restored().expect("asked").is_some());
            team.write(at);
        }
        team.heal();
        team.check();
    }
}
