//! Devices for tests: a replica in a temporary folder, incidents written by hand, sessions pumped.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tuquan_core::clock::{Clock, Env};
use tuquan_core::codec::Value;
use tuquan_core::domain::DORMITORY;
use tuquan_core::domain::incident::Incident;
use tuquan_core::domain::shift::Shift;
use tuquan_core::ids::{DeviceKey, RecordId};
use tuquan_core::log::item::{Dep, Item, Op, Target};
use tuquan_core::record::declare::Role;
use tuquan_core::replica::Replica;
use tuquan_core::store::open::{Durability, Location};
use tuquan_core::store::views;
use tuquan_core::sync::card::Card;
use tuquan_core::sync::session::{Event, Options, Session, Side, Stats};

/// When the tests take place, in ms.
pub(crate) const NOW_MS: i64 = 1_790_000_000_000;

/// A clock that moves on by about half a minute each time it is asked.
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now_ms(&self) -> i64 {
        self.0.fetch_add(31_417, Ordering::Relaxed)
    }
}

/// Opens the store in `dir`; `seed` gives randomness and the hour.
fn open(dir: &Path, seed: u64) -> Replica {
    let mut location = Location::new(dir, [7; 32]);
    location.durability = Durability::Normal;
    let start = NOW_MS + i64::try_from(seed).expect("small") * 1_000;
    let env = Env {
        clock: Box::new(Ticking(AtomicI64::new(start))),
        rng: Box::new(ChaCha8Rng::seed_from_u64(seed)),
    };
    Replica::open(location, DORMITORY, env).expect("opened")
}

/// A phone.
pub(crate) struct Device {
    pub(crate) replica: Replica,
    rng: ChaCha8Rng,
    dir: PathBuf,
}

impl Drop for Device {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.dir).ok();
    }
}

impl Device {
    /// A phone with an identity and no team.
    pub(crate) fn new(seed: u64) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tuquan-sync-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        // A run that was killed may have left one of the same name: process numbers come round.
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a folder");
        let mut replica = open(&dir, seed);
        replica.init().expect("an identity");
        let rng = ChaCha8Rng::seed_from_u64(seed + 1_000);
        Self { replica, rng, dir }
    }

    /// Closes the store and opens it again, an hour or many later.
    pub(crate) fn reopen(&mut self) {
        let seed = 4_000 + u64::from(self.rng.next_u32() % 100_000);
        self.replica = open(&self.dir, seed);
    }

    /// A phone that has founded a team.
    pub(crate) fn founder(seed: u64) -> Self {
        let mut device = Self::new(seed);
        device.replica.found().expect("founded");
        device
    }

    /// A phone that joined the team of `founder` by card and bundle.
    pub(crate) fn member(seed: u64, founder: &mut Self, with_history: bool) -> Self {
        let mut device = Self::new(seed);
        let bundle =
            founder.replica.grant_bundle(&device.card(), Role::R1, with_history).expect("granted");
        let outcome = device.replica.import_bundle(&bundle, &mut |_, _| {});
        let outcome = outcome.expect("joined");
        assert!(outcome.joined && outcome.refused.is_empty() && outcome.held == 0);
        device
    }

    pub(crate) fn card(&self) -> Card {
        let identity = self.replica.mind.identity().expect("an identity");
        Card::decode(&Card::encode(&identity.secret)).expect("a card")
    }

    pub(crate) fn key(&self) -> DeviceKey {
        self.card().device
    }

    /// Hashes all views.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let mind = &self.replica.mind;
        views::hash_all(&self.replica.connection, &mind.views).expect("hashed")
    }

    /// A made-up line of 40 to 60 letters.
    pub(crate) fn summary(&mut self) -> String {
        const WORDS: &[&str] = &[
            "mất", "điện", "tầng", "ba", "phòng", "nước", "rò", "hành", "lang", "cửa", "kính",
            "vỡ", "xe", "đạp", "sinh", "viên", "báo", "cháy", "thang", "máy", "kẹt", "ồn", "khóa",
            "hỏng", "ổ", "bảo", "vệ", "cổng", "chìa", "người", "lạ", "bị", "ngã", "đèn",
        ];
        let len = 40 + (self.rng.next_u32() % 16) as usize;
        let mut text = format!("P{:03}", 100 + self.rng.next_u32() % 500);
        while text.chars().count() < len {
            text.push(' ');
            text.push_str(WORDS[self.rng.next_u32() as usize % WORDS.len()]);
        }
        text
    }

    fn incident(&mut self) -> Item {
        let category = i64::from([1, 2, 11, 13, 14, 10][self.rng.next_u32() as usize % 6]);
        Item {
            kind: Incident::DECLARATION.kind,
            target: Target::New,
            deps: Vec::new(),
            ops: vec![
                Op::Set(16, Value::Int(category)),
                Op::Set(19, Value::Int(1)),
                Op::Set(20, Value::Text(self.summary())),
            ],
        }
    }

    /// Writes an incident; returns its id.
    pub(crate) fn write(&mut self) -> RecordId {
        let item = self.incident();
        let written = self.replica.write(None, |_, _| Ok((vec![item], 0)));
        written.expect("written").expect("an item").records[0]
    }

    /// Writes many incidents at once.
    pub(crate) fn write_many(&mut self, count: usize) {
        let items: Vec<Item> = (0..count).map(|_| self.incident()).collect();
        let written =
            self.replica.write_many(count, |index, _, _, _| Ok(vec![items[index].clone()]));
        assert_eq!(written.expect("written").len(), count);
    }

    /// Sets one field of an incident on the heads that are known here.
    pub(crate) fn edit(&mut self, id: RecordId, field: u16, value: Value) {
        self.change(Incident::DECLARATION.kind, id, Op::Set(field, value));
    }

    /// Changes a record on the heads that are known here.
    pub(crate) fn change(&mut self, kind: u64, id: RecordId, op: Op) {
        let written = self.replica.write(None, |connection, mind| {
            let own = mind.own.as_ref().map(|own| mind.logs[own.index].row.id);
            let view = &mind.views[mind.view(kind).expect("a view")];
            let stored = view.load(connection, &id)?.expect("the record");
            let mut deps: Vec<Dep> = stored
                .heads
                .iter()
                .map(|head| Dep {
                    place: head.place,
                    check: (Some(head.place.log) != own).then_some(head.check),
                })
                .collect();
            deps.sort();
            Ok((vec![Item { kind, target: Target::Record(id), deps, ops: vec![op] }], 0))
        });
        written.expect("changed");
    }

    /// Writes the first item of a shift that others may write too; returns its id.
    pub(crate) fn shift(&mut self, day: u32) -> RecordId {
        let item = Item {
            kind: Shift::DECLARATION.kind,
            target: Target::Natural(format!("2026-10-{day:02}/c1")),
            deps: Vec::new(),
            ops: vec![
                Op::Set(22, Value::Bool(day.is_multiple_of(2))),
                Op::Add(19, Value::Bytes(self.key().0[..16].to_vec())),
            ],
        };
        let written = self.replica.write(None, |_, _| Ok((vec![item], 0)));
        written.expect("written").expect("an item").records[0]
    }

    /// Whether a record of this type is in the views here.
    pub(crate) fn knows(&self, kind: u64, id: RecordId) -> bool {
        let mind = &self.replica.mind;
        let view = &mind.views[mind.view(kind).expect("a view")];
        let found = view.load(&self.replica.connection, &id);
        found.expect("read").is_some()
    }

    /// A number below `below` from the seed of this phone.
    pub(crate) fn pick(&mut self, below: usize) -> usize {
        self.rng.next_u32() as usize % below
    }
}

/// Everything that one pumped session did.
#[derive(Debug, Default)]
pub(crate) struct Pumped {
    /// Frames from the initiator and from the responder.
    pub(crate) frames: (Vec<Vec<u8>>, Vec<Vec<u8>>),
    pub(crate) events: (Vec<Event>, Vec<Event>),
    /// How long making frames took, and taking them in, on both sides together.
    pub(crate) spent: (Duration, Duration),
}

impl Pumped {
    pub(crate) fn stats(&self) -> (Stats, Stats) {
        let done = |events: &[Event]| match events.last() {
            Some(Event::Done { stats }) => *stats,
            other => panic!("not done: {other:?}"),
        };
        (done(&self.events.0), done(&self.events.1))
    }

    pub(crate) fn bytes(&self) -> (usize, usize) {
        let sum = |frames: &[Vec<u8>]| frames.iter().map(Vec::len).sum();
        (sum(&self.frames.0), sum(&self.frames.1))
    }

    /// The frames of type `number` from the initiator and the responder.
    pub(crate) fn of_type(&self, number: u8) -> Vec<&Vec<u8>> {
        let all = self.frames.0.iter().chain(&self.frames.1);
        all.filter(|frame| frame[4] == number).collect()
    }
}

/// Runs a session until nothing moves, or `limit` frames were delivered.
pub(crate) fn pump(a: &mut Device, b: &mut Device, options: Options, limit: usize) -> Pumped {
    pump_with(a, b, options, limit, |_, _| {})
}

/// As [`pump`]; `alter` may change a frame on its way: (number of the frame, its bytes).
pub(crate) fn pump_with(
    a: &mut Device,
    b: &mut Device,
    options: Options,
    limit: usize,
    mut alter: impl FnMut(usize, &mut Vec<u8>),
) -> Pumped {
    let mut one = Session::new(Side::Initiator, NOW_MS, options);
    let mut two = Session::new(Side::Responder, NOW_MS, options);
    let mut pumped = Pumped::default();
    let mut delivered = 0;
    let started = Instant::now();
    loop {
        let before = delivered;
        while let Ok(Some(mut frame)) = one.poll_transmit(&mut a.replica) {
            if delivered == limit {
                break;
            }
            alter(delivered, &mut frame);
            delivered += 1;
            let started = Instant::now();
            two.handle_message(&mut b.replica, &frame, NOW_MS).ok();
            pumped.spent.1 += started.elapsed();
            pumped.frames.0.push(frame);
        }
        while let Ok(Some(mut frame)) = two.poll_transmit(&mut b.replica) {
            if delivered == limit {
                break;
            }
            alter(delivered, &mut frame);
            delivered += 1;
            let started = Instant::now();
            one.handle_message(&mut a.replica, &frame, NOW_MS).ok();
            pumped.spent.1 += started.elapsed();
            pumped.frames.1.push(frame);
        }
        if before == delivered || delivered == limit {
            break;
        }
    }
    pumped.spent.0 = started.elapsed() - pumped.spent.1;
    pumped.events.0.extend(std::iter::from_fn(|| one.poll_event()));
    pumped.events.1.extend(std::iter::from_fn(|| two.poll_event()));
    pumped
}

/// Runs a whole session that ends well.
pub(crate) fn sync(a: &mut Device, b: &mut Device) -> Pumped {
    let pumped = pump(a, b, Options::default(), usize::MAX);
    pumped.stats();
    pumped
}
