//! Made-up logs for the tests of this crate: one author, seeded, without any real person's words.

#![allow(dead_code, reason = "each test file uses a part")]

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tuquan_core::clock::Hlc;
use tuquan_core::codec::Value;
use tuquan_core::crypto::DeviceSecret;
use tuquan_core::ids::{EpochId, Link, LogId, RecordId, SpaceId};
use tuquan_core::log::chain::{self, Run, Salts, Sort};
use tuquan_core::log::entry::{Body, Entry, kind};
use tuquan_core::log::item::{Dep, Item, Op, Place, Target};
use tuquan_core::log::pack::{Mode, Range};

pub(crate) const SPACE: SpaceId = SpaceId([0x51; 16]);

const WHO: &[&str] = &[
    "Sinh viên tầng 3",
    "Nhóm phòng 412",
    "Một bạn năm nhất",
    "Bảo vệ cổng B",
    "Resident of hall C",
    "Two students",
    "Tổ trực ca tối",
    "Khách lạ",
    "A visitor",
    "Bạn trực nhật",
    "Caller",
    "Staff",
];
const WHAT: &[&str] = &[
    "báo mất xe đạp gần nhà để xe",
    "reported a stolen bicycle near",
    "làm rơi thẻ sinh viên ở",
    "nói to sau 23 giờ tại",
    "hỏi đường tới",
    "reported smoke in the kitchen of",
    "thấy rò nước ở",
    "trượt ngã cầu thang",
    "để quên balo trong",
    "reported loud music from",
    "mất điện khu vực",
    "found a wallet close to",
    "xe máy đỗ sai chỗ trước",
    "kẹt thang máy ở",
    "noticed a broken window at",
];
const WHERE: &[&str] = &[
    "sảnh A",
    "block B",
    "the laundry room",
    "sân bóng",
    "thư viện",
    "parking lot P7",
    "nhà ăn số 2",
    "cổng chính",
    "hành lang tầng 5",
    "library west",
    "phòng tự học",
    "ký túc xá 4",
    "bike racks",
];
const END: &[&str] = &[
    "",
    ", đã xử lý",
    ", chờ kiểm tra",
    ", no injuries",
    ", gọi 114",
    ", đã báo quản lý",
    ", report taken",
    ", nhắc nhở",
    ", sẽ theo dõi",
    ", unfounded",
    ", chuyển ca sau",
];

/// One device that writes one log.
pub(crate) struct Author {
    pub(crate) secret: DeviceSecret,
    pub(crate) nonce: [u8; 16],
    pub(crate) sort: Sort,
    pub(crate) log: LogId,
    pub(crate) seq: u64,
    pub(crate) link: Link,
    pub(crate) heads: Vec<Link>,
    pub(crate) now_ms: i64,
    pub(crate) rng: ChaCha8Rng,
    /// Summaries of letters by frequency: worse to compress than any language.
    pub(crate) hard: bool,
}

impl Author {
    pub(crate) fn new(seed: u64, sort: Sort) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let secret = DeviceSecret::generate(&mut rng);
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        let log = chain::log_id(&SPACE, &secret.device_key(), sort, &nonce);
        Self {
            secret,
            nonce,
            sort,
            log,
            seq: 0,
            link: chain::first_link(&SPACE, &log),
            heads: Vec::new(),
            now_ms: 1_700_000_000_000,
            rng,
            hard: false,
        }
    }

    /// Starts in the middle of a log, where sessions mostly are.
    pub(crate) fn at(mut self, seq: u64) -> Self {
        self.seq = seq;
        self.link = Link(self.bytes());
        self.heads = vec![Link(self.bytes())];
        self
    }

    /// Seals `entries` into a range that follows what was written before.
    pub(crate) fn range(&mut self, entries: Vec<Entry>) -> Range {
        let mut range = Range {
            device: self.secret.device_key(),
            nonce: self.nonce,
            sort: self.sort,
            first: self.seq,
            link_before: self.link,
            heads: self.heads.clone(),
            seal: [0; 64],
            runs: Vec::new(),
            entries,
        };
        let count = range.entries.len() as u64;
        if self.sort == Sort::Data {
            for start in (0..count).step_by(64) {
                range.runs.push(Run {
                    first: range.first + start,
                    count: (count - start).min(64),
                    salts: Salts::Seed(self.bytes()),
                });
            }
        }
        for entry in &range.entries {
            if let Some(heads) = &entry.control_heads {
                self.heads.clone_from(heads);
            }
            let seq = self.seq;
            let run = range.runs.iter().find(|run| run.covers(seq));
            let salt = |index| run.map_or_else(Vec::new, |run| run.salt(seq, index));
            let digest = entry.digest(&self.heads, salt);
            self.link = chain::next_link(&self.link, seq, &digest);
            self.seq += 1;
        }
        range.seal = chain::make_seal(&self.secret, &SPACE, &self.log, self.seq - 1, &self.link);
        range
    }

    /// Writes `count` events, each a new record with a category, place, summary and time.
    pub(crate) fn events(&mut self, count: usize) -> Range {
        let entries = (0..count).map(|_| {
            let item = self.event();
            let bytes = item.encode(&self.log);
            self.entry(vec![Body::Bytes(bytes)])
        });
        let entries = entries.collect();
        self.range(entries)
    }

    /// Writes `count` entries of every shape that the formats allow.
    pub(crate) fn mixed(&mut self, count: usize) -> Range {
        let mut created: Vec<(Place, RecordId)> = Vec::new();
        let mut entries = Vec::new();
        for n in 0..count {
            let seq = self.seq + n as u64;
            let mut items = vec![Body::Bytes(self.event().encode(&self.log))];
            let mut entry = self.entry(Vec::new());
            if let Some((place, record)) = created.get(self.below(n as u64 * 2 + 1) as usize) {
                let item = self.edit(*place, *record);
                items.push(Body::Bytes(item.encode(&self.log)));
            }
            match self.below(8) {
                0 => items.push(Body::Absent(tuquan_core::ids::Digest(self.bytes()))),
                1 => items.push(Body::Bytes(self.bytes::<9>().to_vec())),
                2 => entry.control_heads = Some(vec![Link(self.bytes())]),
                3 => items.clear(),
                _ => {}
            }
            let place = Place { log: self.log, seq, index: 0 };
            created.push((place, place.record_id(entry.hlc)));
            entry.items = items;
            entries.push(entry);
        }
        self.range(entries)
    }

    pub(crate) fn entry(&mut self, items: Vec<Body>) -> Entry {
        self.now_ms += 60_000 * (1 + self.below(40)) as i64 + self.below(60_000) as i64;
        Entry { kind: kind::WRITE, hlc: Hlc::from_ms(self.now_ms), control_heads: None, items }
    }

    pub(crate) fn event(&mut self) -> Item {
        let time = self.now_ms / 60_000 * 60_000 - 60_000 * self.below(50) as i64;
        let category = (self.below(5) * self.below(5)) as i64;
        let place = self.below(11) * self.below(11);
        let team = u64::from_le_bytes(self.log.0[..8].try_into().unwrap_or_default());
        let mut id = made_up_id(team ^ place);
        id[..8].copy_from_slice(&(1_690_000_000_000_u64 << 16).to_be_bytes());
        Item {
            kind: 3,
            target: Target::New,
            deps: Vec::new(),
            ops: vec![
                Op::Set(0, Value::Int(category)),
                Op::Set(1, Value::Bytes(id.to_vec())),
                Op::Set(2, Value::Text(self.summary())),
                Op::Set(3, Value::Int(time)),
            ],
        }
    }

    fn edit(&mut self, place: Place, record: RecordId) -> Item {
        let other = Place { log: LogId([9; 16]), seq: 70_000, index: 3 };
        let mut deps = vec![Dep { place, check: None }, Dep { place: other, check: Some([1; 4]) }];
        deps.sort();
        deps.truncate(1 + self.below(2) as usize);
        let list = Value::List(vec![Value::Int(-5), Value::Text("tầng".into()), Value::Null]);
        let all = [
            Op::Set(5, Value::Bool(true)),
            Op::Set(5, Value::Bool(false)),
            Op::Set(6, Value::Null),
            Op::Set(7, Value::Bytes(vec![1, 2, 3])),
            Op::Set(8, Value::Int(i64::MIN)),
            Op::Set(8, Value::Int(i64::MAX)),
            Op::Unset(9),
            Op::Add(10, list),
            Op::Add(10, Value::Int(4)),
            Op::Remove(11, tuquan_core::ids::ElementKey(self.bytes())),
            Op::Splice(12, 7, u64::MAX, "ghi chú".into()),
            Op::Count(13, -3),
            Op::Text(12),
        ];
        let ops = all.into_iter().filter(|_| self.below(3) == 0).collect();
        let target = match self.below(3) {
            0 => Target::Natural("2026-11-22".into()),
            _ => Target::Record(record),
        };
        Item { kind: 4, target, deps, ops }
    }

    fn summary(&mut self) -> String {
        if self.hard {
            let letters = b"      eeeeeetttttaaaaooooiiiinnnnssshhhrrrdddlllccuummwwffggyyppbbvk";
            let letter = |_| char::from(letters[self.below(letters.len() as u64) as usize]);
            return (0..50).map(letter).collect();
        }
        let room = 100 + self.below(799);
        let pick = |list: &[&'static str], n: u64| list[n as usize % list.len()];
        let (who, what) = (pick(WHO, self.below(99)), pick(WHAT, self.below(99)));
        let (place, end) = (pick(WHERE, self.below(99)), pick(END, self.below(99)));
        match self.below(3) {
            0 => format!("{who} {what} {place}{end}"),
            1 => format!("{what} {place} P.{room}{end}"),
            _ => format!("{who} P.{room} {what} {place}"),
        }
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }
}

/// The mode that the tests seal under, and its key.
pub(crate) fn sealed() -> (Mode, [u8; 32]) {
    let key = [0x4b; 32];
    let epoch = EpochId([0xe0; 16]);
    (Mode::Sealed { epoch, key }, key)
}

fn made_up_id(seed: u64) -> [u8; 16] {
    let mut id = [0; 16];
    ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut id);
    id
}
