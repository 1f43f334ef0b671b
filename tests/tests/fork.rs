//! Logs with two histories (T-FORK, promise of rows 11 and 16): a phone is copied whole, fence and
//! all, and both copies write before they meet anybody; or a member signs two entries under one
//! number. Whoever met which first, in the end all hold all notes and show the same, and all say
//! whose device it is.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tuquan_core::clock::Clock as _;
use tuquan_core::codec::Value;
use tuquan_core::door::Tuquan;
use tuquan_core::door::command::Command;
use tuquan_core::ids::RecordId;
use tuquan_core::log::item::{Item, Op, Target};
use tuquan_core::record::declare::Role;
use tuquan_core::replica::branch::Forked;
use tuquan_core::sync::relay::RelayEvent;
use tuquan_core::sync::session::Event;
use tuquan_tests::copy::Copyable;
use tuquan_tests::meeting::meet;
use tuquan_tests::phone::{Folder, HandClock, NOON_MS, incident, location, note, open, request};
use tuquan_tests::relay::{ModelHub, meet as meet_hub};
use tuquan_tests::rogue::Rogue;
use tuquan_tests::team::{give, join, vector};
use tuquan_tests::vfs::{CutMode, FaultDisk};

/// How two phones, or a phone and all others, exchange what they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Session,
    Bundle,
    Hub,
}

/// A founder, a phone that was copied whole, a colleague, and the copies.
struct Team {
    phones: Vec<Copyable>,
    /// The phones that are one device.
    copies: Vec<usize>,
    shared: RecordId,
    said: Vec<(RecordId, String)>,
    hub: ModelHub,
    seed: u64,
}

/// Seeds that found something once.
const CORPUS: &[u64] = &[
    66, 134,
    255, // of two phones that are one device only the one with the higher counter was heard
    92,  // what filled a gap was of another history than what lay beyond it
];

const FOUNDER: usize = 0;
const ONE: usize = 1;
const COLLEAGUE: usize = 2;
const OTHER: usize = 3;

impl Team {
    /// Makes a team in which phone `copied` was copied.
    fn of(copied: usize, seed: u64) -> Self {
        let phones: Vec<Copyable> = (0..3).map(|n| Copyable::new(seed * 10 + n)).collect();
        phones[FOUNDER].store().found().expect("founded");
        for phone in &phones[1..] {
            join(phones[FOUNDER].store(), phone.store(), Role::R3).expect("joined");
        }
        let shared =
            phones[copied].store().apply(request(1), &incident("Chung.")).expect("written");
        for at in [ONE, COLLEAGUE, ONE] {
            meet(phones[at].store(), phones[FOUNDER].store()).expect("met");
        }
        let space = phones[FOUNDER].store().device().expect("device").space.expect("space");
        let said = vec![(shared.record, "Chung.".to_owned())];
        let (shared, hub) = (shared.record, ModelHub::new(space, seed));
        let mut team = Self { phones, copies: vec![copied], shared, said, hub, seed };
        team.copy(copied);
        team
    }

    fn new(seed: u64) -> Self {
        Self::of(ONE, seed)
    }

    /// Copies a phone once more.
    fn copy(&mut self, at: usize) {
        let seed = self.seed * 100 + self.phones.len() as u64 * 10;
        let other = self.phones[at].copy((seed + 1, seed + 2));
        self.copies.push(self.phones.len());
        self.phones.push(other);
    }

    fn store(&self, at: usize) -> &Tuquan {
        self.phones[at].store()
    }

    fn say(&mut self, at: usize, record: Option<RecordId>) -> RecordId {
        let number = self.said.len() as u64 + 10;
        let text = format!("lời {number}.");
        // No two phones write in the same millisecond: their records would be one.
        let clock = &self.phones[at].clock;
        let (pace, count) = (1_000, 10);
        clock.advance(pace + (at as i64 - clock.now_ms()).rem_euclid(count));
        let command: Command = match record {
            Some(record) => note(record, &text),
            None => incident(&text),
        };
        let record = self.store(at).apply(request(number), &command).expect("written").record;
        self.said.push((record, text));
        record
    }

    /// Writes a note to the shared record, a record, and a note to that.
    fn write(&mut self, at: usize) {
        self.say(at, Some(self.shared));
        let own = self.say(at, None);
        self.say(at, Some(own));
    }

    fn meet(&self, a: usize, b: usize) -> bool {
        let seed = self.seed;
        let events = meet(self.store(a), self.store(b)).expect("met");
        for event in events.iter().flatten() {
            assert!(
                !matches!(event, Event::Refused { .. } | Event::Failed { .. }),
                "seed {seed}: {a} meets {b}: {event:?}"
            );
        }
        events.iter().flatten().any(|event| matches!(event, Event::Forked { .. }))
    }

    fn carry(&self, from: usize, to: usize) {
        let bundle = self.store(from).bulk(|replica| replica.export_bundle(None, false, 3));
        let bundle = bundle.expect("made");
        let outcome = self.store(to).bulk(|replica| replica.import_bundle(&bundle, &mut |_, _| {}));
        let outcome = outcome.expect("taken in");
        assert!(outcome.refused.is_empty(), "seed {}: {:?}", self.seed, outcome.refused);
    }

    fn visit(&mut self, at: usize) {
        let store = self.phones[at].store();
        let (_, events) = meet_hub(store, &mut self.hub, NOON_MS).expect("met");
        for event in events {
            assert!(!matches!(event, RelayEvent::Refused(_)), "seed {}: {event:?}", self.seed);
        }
    }

    fn exchange(&mut self, way: Way, a: usize, b: usize) {
        let are_one = self.copies.contains(&a) && self.copies.contains(&b);
        match way {
            // The copies are one device, which holds no session with itself.
            Way::Session if are_one => {}
            Way::Session => drop(self.meet(a, b)),
            Way::Bundle => self.carry(a, b),
            Way::Hub => self.visit(a),
        }
    }

    /// Lets all exchange all, until everybody holds the same.
    fn heal(&mut self, way: Way) {
        let count = self.phones.len();
        for round in 0.. {
            let held = |at| vector(self.store(at)).expect("vector").hash();
            let first = held(0);
            if round > 1 && (1..count).all(|at| held(at) == first) {
                break;
            }
            assert!(round < 8, "seed {}: still not equal", self.seed);
            for at in 0..count {
                for other in (0..count).filter(|other| *other != at) {
                    self.exchange(way, at, other);
                }
            }
        }
    }

    /// Everybody holds, shows and tells the same, and all that was said.
    fn check(&self) -> Vec<Forked> {
        let seed = self.seed;
        let hash = self.store(FOUNDER).view_hash().expect("hash");
        let held = vector(self.store(FOUNDER)).expect("vector").hash();
        let forked = self.store(FOUNDER).forked();
        for at in 0..self.phones.len() {
            let store = self.store(at);
            for (record, text) in &self.said {
                let shown = store.get(record).expect("read").map(|found| format!("{found:?}"));
                let shown = shown.unwrap_or_else(|| panic!("seed {seed}: phone {at} lacks {text}"));
                assert!(shown.contains(text), "seed {seed}: phone {at} lacks {text}: {shown}");
            }
            assert_eq!(
                vector(store).expect("vector").hash(),
                held,
                "seed {seed}: phone {at} holds"
            );
            assert_eq!(store.view_hash().expect("hash"), hash, "seed {seed}: phone {at} shows");
            assert_eq!(store.forked(), forked, "seed {seed}: phone {at} tells");
            let stats = store.stats().expect("stats");
            let waits = (stats.damaged, stats.pending, stats.held);
            assert_eq!(waits, (0, 0, 0), "seed {seed}: phone {at}");
            let checked = store.doctor(&mut |_, _| {}).expect("checked");
            assert!(checked.pages_ok && checked.views_ok, "seed {seed}: phone {at}: {checked:?}");
        }
        forked
    }

    fn check_safe(&self) {
        for at in 0..self.phones.len() {
            let safe = self.store(at).safe_to_reset().expect("checked");
            assert!(safe.safe, "seed {}: phone {at}: {safe:?}", self.seed);
            let truth = self.store(at).truth().expect("truth");
            let told = (truth.only_here, truth.missing);
            assert_eq!(told, (0, 0), "seed {}: phone {at}: {truth:?}", self.seed);
        }
    }
}

#[test]
fn two_copies_that_wrote_lose_nothing_and_go_on_in_logs_of_their_own() {
    for (seed, way) in (1..).zip([Way::Session, Way::Session, Way::Session, Way::Bundle, Way::Hub])
    {
        let mut team = Team::new(seed);
        let former = team.store(ONE).device().expect("device").log.expect("open");
        team.write(ONE);
        team.write(OTHER);
        match way {
            Way::Session => {
                team.meet(ONE, FOUNDER);
                team.meet(OTHER, COLLEAGUE);
                assert!(team.meet(FOUNDER, COLLEAGUE), "the fork is told");
            }
            _ => {
                team.exchange(way, ONE, FOUNDER);
                team.exchange(way, OTHER, COLLEAGUE);
            }
        }
        team.heal(way);
        let forked = team.check();
        assert_eq!(forked.len(), 1);
        assert_eq!((forked[0].log, forked[0].histories), (former, 2));
        for at in [ONE, OTHER] {
            let store = team.store(at);
            assert_ne!(store.device().expect("device").log, Some(former));
            assert!(store.take_restored().expect("asked").is_some());
            team.write(at);
        }
        team.heal(way);
        team.check();
        if way == Way::Session {
            team.check_safe();
        }
    }
}

/// Packs so many new records of a liar.
fn write(rogue: &mut Rogue, from: i64, count: i64) -> Vec<u8> {
    for value in from..from + count {
        let ops = vec![Op::Set(16, Value::Int(value))];
        rogue.write(&Item { kind: 4, target: Target::New, deps: Vec::new(), ops });
    }
    rogue.pack().expect("packed")
}

#[test]
fn a_power_cut_while_another_history_is_taken_in_leaves_all_of_it_or_nothing() {
    let (founder, folder, clock) = (Copyable::new(60), Folder::new("cut"), HandClock::at(NOON_MS));
    let at = |disk: &FaultDisk| open(location(folder.path(), Some(disk.vfs_name())), 61, &clock);
    let take = |store: &Tuquan, pack: &[u8]| store.bulk(|replica| replica.ingest(pack));
    let told = |store: &Tuquan| {
        let held = vector(store).expect("vector").hash();
        (store.view_hash().expect("hash"), held, store.forked())
    };
    founder.store().found().expect("founded");
    let base = FaultDisk::new(6);
    let phone = at(&base).expect("opened");
    join(founder.store(), &phone, Role::R2).expect("joined");
    let mut rogue = Rogue::join(founder.store(), Role::R1, 9).expect("joined");
    give(founder.store(), &phone).expect("given");
    let common = write(&mut rogue, 0, 3);
    let mut liar = rogue.clone();
    liar.now_ms += 7;
    let (one, two) = (write(&mut rogue, 10, 4), write(&mut liar, 20, 4));
    take(&phone, &common).expect("taken");
    phone.pause().expect("paused");
    drop(phone);
    // In one of both orders the end of the log is moved.
    for (first, second) in [(&one, &two), (&two, &one)] {
        let half = base.fork();
        let store = at(&half).expect("opened");
        take(&store, first).expect("taken");
        store.pause().expect("paused");
        drop(store);
        let whole = half.fork();
        let store = at(&whole).expect("opened");
        let before = whole.io_count();
        take(&store, second).expect("taken");
        let (calls, expected) = (whole.io_count() - before, told(&store));
        drop(store);
        let mut cuts = 0;
        for call in (1..=calls).step_by(1 + calls as usize / 40) {
            let disk = half.fork();
            let store = at(&disk).expect("opened");
            disk.cut_at(call, call, CutMode::Reordered);
            let is_taken = take(&store, second).is_ok();
            drop(store);
            cuts += u64::from(disk.reopen().is_some());
            let store = at(&disk).expect("opened");
            let is_forked = !store.forked().is_empty();
            assert!(is_forked || !is_taken, "call {call}");
            let checked = store.doctor(&mut |_, _| {}).expect("checked");
            assert!(checked.pages_ok && checked.views_ok, "call {call}: {checked:?}");
            assert!(!is_forked || told(&store) == expected, "call {call}: a part of it came");
            take(&store, second).expect("taken");
            assert_eq!(told(&store), expected, "call {call}");
        }
        assert!(cuts > 10, "{cuts} cuts of {calls} calls");
    }
}

/// G9: a removed member writes the end of its log anew. What the removal names stays; the other
/// history is kept apart on every phone, and the fork is told.
#[test]
fn g9_of_a_rewritten_log_the_history_that_the_removal_names_stays() {
    for order in 0..4 {
        let (founder, other) = (Copyable::new(70 + order), Copyable::new(75 + order));
        let (founder, other) = (founder.store(), other.store());
        founder.found().expect("founded");
        join(founder, other, Role::R2).expect("joined");
        let mut rogue = Rogue::join(founder, Role::R1, 9).expect("joined");
        give(founder, other).expect("given");
        let common = write(&mut rogue, 0, 3);
        let mut liar = rogue.clone();
        liar.now_ms += 7;
        let named = write(&mut rogue, 10, 4);
        let (anew, more) = (write(&mut liar, 20, 4), write(&mut liar, 30, 2));
        let take = |store: &Tuquan, packs: &[&Vec<u8>]| {
            for pack in packs {
                store.bulk(|replica| replica.ingest(pack)).expect("taken");
            }
        };
        let shown = |store: &Tuquan| store.stats().expect("stats").records[3].count;
        take(founder, &[&common, &named]);
        let before = shown(founder);
        founder.remove(&rogue.secret.device_key()).expect("removed");
        // The other history comes before the removal, with it, or in pieces.
        match order {
            0 => take(other, &[&common, &anew, &more]),
            1 => take(other, &[&more, &anew, &named, &common]),
            2 => take(founder, &[&anew, &more]),
            _ => take(other, &[&common, &named, &more]),
        }
        take(founder, &[&more, &anew]);
        for _ in 0..2 {
            give(founder, other).expect("given");
            give(other, founder).expect("given");
        }
        assert_eq!(shown(founder), before, "order {order}: what the removal names stays");
        for store in [founder, other] {
            assert_eq!(store.view_hash().expect("hash"), founder.view_hash().expect("hash"));
            let apart: u64 = store.quarantined().iter().map(|log| log.count).sum();
            assert_eq!(apart, 6, "order {order}: {:?}", store.quarantined());
            let [forked] = store.forked().try_into().expect("one log");
            assert_eq!((forked.log, forked.first, forked.histories), (rogue.log, 4, 2));
            assert!(store.doctor(&mut |_, _| {}).expect("checked").views_ok);
        }
        // An admin may accept some of it.
        let branch = founder.quarantined()[0].clone();
        founder.accept_quarantined(&branch.log, branch.first + 1).expect("accepted");
        give(founder, other).expect("given");
        assert_eq!((shown(founder), shown(other)), (before + 2, before + 2), "order {order}");
        assert_eq!(founder.view_hash().expect("hash"), other.view_hash().expect("hash"));
    }
}

/// Two copies of a founder grant before they meet: both newcomers are members, whoever heard of
/// which first, and neither copy governs any more.
#[test]
fn what_two_copies_of_a_founder_decided_holds_and_neither_decides_again() {
    for (seed, way) in (80..).zip([Way::Session, Way::Bundle, Way::Hub]) {
        let mut team = Team::of(FOUNDER, seed);
        let newcomers = [4, 5];
        for (newcomer, by) in newcomers.iter().zip([FOUNDER, OTHER]) {
            let phone = Copyable::new(seed * 10 + *newcomer as u64);
            join(team.store(by), phone.store(), Role::R2).expect("joined");
            team.phones.push(phone);
            team.write(*newcomer);
            team.write(by);
        }
        // Each half of the team hears of one newcomer, and then the halves meet.
        team.exchange(way, FOUNDER, ONE);
        team.exchange(way, 4, ONE);
        team.exchange(way, OTHER, COLLEAGUE);
        team.exchange(way, COLLEAGUE, 5);
        if way == Way::Session {
            assert!(team.meet(ONE, 5) && team.meet(4, COLLEAGUE));
        }
        team.heal(way);
        let forked = team.check();
        assert_eq!(forked.iter().filter(|log| log.is_control).count(), 1, "{forked:?}");
        for at in 0..team.phones.len() {
            assert_eq!(team.store(at).members().expect("listed").len(), 5, "phone {at}");
        }
        for copy in [FOUNDER, OTHER] {
            let late = Copyable::new(seed * 10 + 9);
            let refused = join(team.store(copy), late.store(), Role::R1).expect_err("refused");
            assert_eq!(refused.code(), "E-FORK");
            team.write(copy);
        }
        team.heal(way);
        assert_eq!(team.check(), forked);
    }
}

/// Lets copies, and copies of copies, write and meet by chance.
fn run(seed: u64) -> u64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut below = move |bound: u64| rng.next_u64() % bound;
    let mut team = Team::of(below(3) as usize, seed);
    for _ in 0..6 + below(20) {
        let count = team.phones.len();
        let (at, other) = (below(count as u64) as usize, below(count as u64) as usize);
        match below(12) {
            0 if count < 6 => {
                let copy = team.copies[below(team.copies.len() as u64) as usize];
                team.copy(copy);
            }
            1 | 2 if at != other => team.exchange(Way::Session, at, other),
            3 if at != other => team.exchange(Way::Bundle, at, other),
            4 => team.visit(at),
            _ => {
                let known = team.said.len() as u64;
                let record = team.said[below(known) as usize].0;
                let record = Some(record).filter(|_| below(3) > 0);
                let record = record.filter(|id| team.store(at).get(id).expect("read").is_some());
                team.say(at, record);
            }
        }
    }
    let way = [Way::Session, Way::Bundle, Way::Hub][below(3) as usize];
    team.heal(way);
    let forked = team.check();
    team.heal(Way::Session);
    assert_eq!(team.check(), forked, "seed {seed}");
    team.check_safe();
    forked.iter().map(|log| log.histories).max().unwrap_or(0)
}

#[test]
fn copies_of_copies_that_meet_by_chance_end_equal_and_lose_nothing() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    let many = number("TUQUAN_SEEDS").is_some_and(|seeds: u64| seeds >= 2_000);
    let seeds = match number("TUQUAN_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..if many { 501 } else { 61 },
    };
    let once = CORPUS.iter().copied().filter(|seed| seeds.end > 2 && !seeds.contains(seed));
    let histories: Vec<u64> = seeds.clone().chain(once).map(run).collect();
    if histories.len() > 50 {
        let several = |least: u64| histories.iter().filter(|count| **count >= least).count();
        assert!(several(2) > histories.len() / 2 && several(3) > 0, "idle cases: {histories:?}");
    }
}
