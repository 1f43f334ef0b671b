//! Golden byte vectors: the formats of suite 1 may never change without a new suite.
//!
//! Each vector is hexadecimal under `golden/`, from fixed inputs. `TUQUAN_BLESS=1` rewrites them;
//! a difference that is not meant is a broken format.

mod support;

use std::collections::BTreeSet;
use std::path::PathBuf;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use support::{SPACE, sealed};
use tuquan_core::clock::{Clock, Env, Hlc};
use tuquan_core::codec::Value;
use tuquan_core::crypto::DeviceSecret;
use tuquan_core::ids::{Digest, ElementKey, EpochId, Link, LogId, RecordId, from_hex, to_hex};
use tuquan_core::log::chain::{self, Run, Salts, Sort};
use tuquan_core::log::entry::{Body, Entry};
use tuquan_core::log::item::{Dep, Item, Op, Place, Target, item_digest, natural_id, set_key};
use tuquan_core::log::pack::{
    Header, Known, Layout, Mode, Packing, Range, Trim, content, encode, open, pack_id,
};
use tuquan_core::sync::bundle::{Bundle, BundleWriter};
use tuquan_core::sync::card::Card;
use tuquan_core::sync::frames::cut;
use tuquan_core::sync::join::{
    Code, CodeKind, Invite, Request, Reveal, Secret, commitment, digits,
};
use tuquan_core::team::control::{Act, Rights};
use tuquan_core::team::epoch::{EpochSecret, look_back, make, unlock};
use tuquan_core::team::keys::Epoch;
use tuquan_core::team::removal::{Cut, ExtendCut, Revoke, SetRole};

/// Compares with the stored vector.
fn check(name: &str, bytes: &[u8]) {
    assert_eq!(to_hex(&stored(name, bytes)), to_hex(bytes), "{name} changed");
}

/// Returns the stored vector. Compressed bytes are not compared, as another release of zstd may
/// compress otherwise; what is stored must always open to the same.
fn stored(name: &str, bytes: &[u8]) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let path = folder.join(format!("{name}.hex"));
    if std::env::var_os("TUQUAN_BLESS").is_some() {
        let lines: Vec<String> = bytes.chunks(48).map(to_hex).collect();
        std::fs::write(&path, lines.join("\n") + "\n").expect("written");
    }
    let text = std::fs::read_to_string(&path).expect("a vector; TUQUAN_BLESS=1 makes it");
    from_hex(&text.split_whitespace().collect::<String>()).expect("hexadecimal")
}

fn log() -> LogId {
    LogId([0x10; 16])
}

fn place() -> Place {
    Place { log: log(), seq: 300, index: 2 }
}

fn item() -> Item {
    let own = Place { seq: 24, index: 0, ..place() };
    let other = Place { log: LogId([0x77; 16]), ..place() };
    Item {
        kind: 3,
        target: Target::Record(RecordId([0x33; 16])),
        deps: vec![
            Dep { place: own, check: None },
            Dep { place: other, check: Some([1, 2, 3, 4]) },
        ],
        ops: vec![
            Op::Set(0, Value::Int(-7)),
            Op::Set(1, Value::Text("cầu thang B".into())),
            Op::Set(2, Value::List(vec![Value::Null, Value::Bool(true)])),
            Op::Unset(300),
            Op::Add(4, Value::Bytes(vec![5; 16])),
            Op::Remove(5, ElementKey([6; 16])),
            Op::Splice(6, 7, 8, "chữ".into()),
            Op::Count(7, i64::MIN),
            Op::Text(8),
        ],
    }
}

fn entry() -> Entry {
    Entry {
        kind: 1,
        hlc: Hlc(0x018b_cfe5_6800_0003),
        control_heads: Some(vec![Link([1; 32]), Link([2; 32])]),
        items: vec![Body::Bytes(item().encode(&log())), Body::Absent(Digest([0xab; 32]))],
    }
}

fn secret() -> DeviceSecret {
    DeviceSecret { sign: [0x42; 32], unbox: [0x24; 32] }
}

/// A range from fixed inputs, with one run of a seed and one of kept salts in a data log.
fn range(sort: Sort) -> Range {
    let device = secret().device_key();
    let log = chain::log_id(&SPACE, &device, sort, &[9; 16]);
    let mut link = Link([0x5e; 32]);
    let mut range = Range {
        device,
        nonce: [9; 16],
        sort,
        first: 40,
        link_before: link,
        heads: vec![Link([0x11; 32])],
        seal: [0; 64],
        runs: Vec::new(),
        entries: Vec::new(),
    };
    for n in 0..6_u64 {
        let mut event = item();
        event.ops[0] = Op::Set(0, Value::Int(n.cast_signed() * 60_000));
        let mut entry = entry();
        entry.hlc = Hlc::from_ms(1_700_000_000_000 + n.cast_signed() * 90_000);
        if n > 1 {
            entry.control_heads = None;
            entry.items[1] = Body::Bytes(b"not an item".to_vec());
        }
        entry.items[0] = Body::Bytes(event.encode(&log));
        range.entries.push(entry);
    }
    let seed = Salts::Seed([0x5a; 16]);
    let whole = Run { first: 40, count: 6, salts: seed.clone() };
    if sort == Sort::Data {
        let kept = [(44, 0), (44, 1), (45, 0), (45, 1)];
        let kept = kept.map(|(seq, index)| {
            let salt = whole.salt(seq, index);
            (seq, index, salt.try_into().expect("16 bytes"))
        });
        range.runs = [(40, 4, seed), (44, 2, Salts::Kept(kept.to_vec()))]
            .map(|(first, count, salts)| Run { first, count, salts })
            .to_vec();
    }
    for (seq, entry) in (40..).zip(&range.entries) {
        if let Some(changed) = &entry.control_heads {
            range.heads.clone_from(changed);
        }
        let salt = |index| match sort {
            Sort::Control => Vec::new(),
            Sort::Data => whole.salt(seq, index),
        };
        link = chain::next_link(&link, seq, &entry.digest(&range.heads, salt));
    }
    range.heads = vec![Link([0x11; 32])];
    range.seal = chain::make_seal(&secret(), &SPACE, &log, 45, &link);
    range.verify(&SPACE).expect("verified");
    range
}

fn packing(layout: Layout, trim: Option<Trim>) -> Packing {
    Packing { level: 3, layout: Some(layout), trim }
}

fn pack(mode: &Mode, sort: Sort, packing: &Packing) -> Vec<u8> {
    encode(&SPACE, mode, &[range(sort)], packing, &[0x2e; 24]).expect("packed")
}

#[test]
fn items_entries_and_their_digests_keep_their_bytes() {
    check("item", &item().encode(&log()));
    check("entry", &entry().encode());
    let digest = item_digest(&[8; 16], &item().encode(&log()));
    check("item_digest", &digest.0);
    let digest = entry().digest(&[Link([1; 32]), Link([2; 32])], |_| vec![8; 16]);
    check("entry_digest", &digest.0);
}

#[test]
fn ids_links_and_seals_keep_their_bytes() {
    let device = secret().device_key();
    let log = chain::log_id(&SPACE, &device, Sort::Data, &[9; 16]);
    check("log_id", &log.0);
    let link = chain::next_link(&chain::first_link(&SPACE, &log), 0, &Digest([3; 32]));
    check("link", &link.0);
    check("seal", &chain::make_seal(&secret(), &SPACE, &log, 0, &link));
    check("record_id", &place().record_id(Hlc(0x0123_4567_89ab_cdef)).0);
    check("element_key", &place().element_key(4).0);
    check("natural_id", &natural_id(&SPACE, 5, "2026-11-22/ca 1").0);
    check("set_key", &set_key(&Value::Text("trực".into())).0);
    check("seed_salt", &chain::seed_salt(&[0x5a; 16], 41, 1));
}

#[test]
fn whole_packs_keep_their_content_and_still_open() {
    let (sealed, key) = sealed();
    for (pack_name, content_name, sort, layout) in [
        ("pack_open", "content_open", Sort::Control, Layout::Entries),
        ("pack_sealed_entries", "content_sealed_entries", Sort::Data, Layout::Entries),
        ("pack_sealed_columns", "content_sealed_columns", Sort::Data, Layout::Columns),
    ] {
        let mode = if sort == Sort::Control { &Mode::Open } else { &sealed };
        let packing = packing(layout, None);
        let inside = content(&SPACE, mode, &[range(sort)], &packing).expect("content");
        check(content_name, &inside);
        let bytes = stored(pack_name, &pack(mode, sort, &packing));
        let header = Header::read(&bytes).expect("header");
        assert_eq!(header.layout, layout);
        let back = open(&bytes, &header, Some(&key)).expect("opened");
        assert_eq!(back, [range(sort)]);
    }
    check("pack_id", &pack_id(b"any bytes").0);
}

#[test]
fn trimmed_packs_keep_their_content_and_still_open() {
    let (mode, key) = sealed();
    let range = range(Sort::Data);
    for (pack_name, content_name, with) in [
        ("pack_trimmed", "content_trimmed", true),
        ("pack_trimmed_most", "content_trimmed_most", false),
    ] {
        let trim = Trim { index: 5, with_link: with, with_epoch: with };
        let packing = packing(Layout::Columns, Some(trim));
        let ranges = std::slice::from_ref(&range);
        check(content_name, &content(&SPACE, &mode, ranges, &packing).expect("content"));
        let bytes = stored(pack_name, &pack(&mode, Sort::Data, &packing));
        let known = Known {
            device: range.device,
            nonce: range.nonce,
            sort: Sort::Data,
            before: (!with).then(|| (range.link_before, range.heads.clone())),
        };
        let epoch = (!with).then_some(EpochId([0xe0; 16]));
        let header = Header::read_trimmed(&bytes, &SPACE, epoch, |_, _| Some(known));
        let back = open(&bytes, &header.expect("header"), Some(&key)).expect("opened");
        assert_eq!(back, ranges);
    }
}

#[test]
fn bundles_and_cards_keep_their_bytes() {
    let (mode, key) = sealed();
    let mut writer = BundleWriter::start(Vec::new(), &SPACE, 2, 12).expect("started");
    let packing = packing(Layout::Entries, None);
    for bytes in [pack(&Mode::Open, Sort::Control, &packing), pack(&mode, Sort::Data, &packing)] {
        writer.push(&bytes).expect("pushed");
    }
    let bytes = stored("bundle", &writer.finish().expect("finished"));
    let parsed = Bundle::read(&bytes).expect("read");
    assert_eq!((parsed.complete, parsed.entries_received), (Ok(()), 12));
    for (bytes, sort) in parsed.packs.iter().zip([Sort::Control, Sort::Data]) {
        let header = Header::read(bytes).expect("header");
        assert_eq!(open(bytes, &header, Some(&key)).expect("opened"), [range(sort)]);
    }
    let card = Card::encode(&secret());
    check("card", &card);
    assert_eq!(Card::decode(&card).expect("read").device, secret().device_key());
}

struct Noon;

impl Clock for Noon {
    fn now_ms(&self) -> i64 {
        1_790_000_000_000
    }
}

#[test]
fn joining_messages_codes_digits_and_frames_keep_their_bytes() {
    let mut env = Env { clock: Box::new(Noon), rng: Box::new(ChaCha8Rng::seed_from_u64(7)) };
    let (key, nonces) = (Secret([0x5e; 32]), ([0xa1; 32], [0xb2; 32]));
    let inviter = DeviceSecret { sign: [5; 32], unbox: [6; 32] }.device_key();
    let invite = Invite {
        space: SPACE,
        inviter,
        secret: key,
        commit: commitment(&nonces.0),
        expires_ms: 1_790_000_900_000,
        hub: Some("https://to.example".to_owned()),
    };
    let bytes = invite.encode();
    check("join_invite", &bytes);
    assert_eq!(Invite::decode(&bytes), Ok(invite.clone()));
    check("join_code", Code::write(CodeKind::Invite, &bytes).as_bytes());
    check("join_ids", &[key.id(), key.mailbox()].concat());
    check("join_psk", &key.psk());
    let card = Card::encode(&secret());
    let request = Request::seal(&key, &card, &nonces.1, &mut env).expect("sealed");
    check("join_request", &request);
    let opened = Request::open(&key, &request).expect("opened");
    assert_eq!((opened.card.device, opened.nonce), (secret().device_key(), nonces.1));
    let reveal = Reveal::seal(&key, &nonces.0, &mut env).expect("sealed");
    check("join_reveal", &reveal);
    assert_eq!(Reveal::open(&invite, &reveal).expect("opened").nonce, nonces.0);
    for (name, binding) in [("join_digits", None), ("join_digits_line", Some([0xc3; 32]))] {
        let nonces = (&nonces.0, &nonces.1);
        let digits = digits(&SPACE, &inviter, &opened.card, nonces, &binding);
        check(name, digits.as_bytes());
    }
    check("join_frames", cut(&bytes, 100).expect("cut").join("\n").as_bytes());
}

#[test]
fn acts_of_governing_keep_their_bytes() {
    let cut = |n: u8| Cut { log: LogId([n; 16]), last: 1 << n, link: Link([n; 32]) };
    let (device, grant) = (secret().device_key(), Link([0x61; 32]));
    let revoke = Act::Revoke(Revoke { device, grant, cuts: vec![cut(3), cut(9)] });
    let set_role = Act::SetRole(SetRole {
        device,
        grant,
        rights: Rights::Reader,
        rank: 0,
        role: 2,
        compartments: vec!["office".into(), "team".into()],
        cuts: vec![cut(20)],
    });
    let extend_cut = Act::ExtendCut(ExtendCut { of: Link([0x62; 32]), cuts: vec![cut(4)] });
    for (name, number, act) in
        [("revoke", 19, revoke), ("set_role", 20, set_role), ("extend_cut", 21, extend_cut)]
    {
        check(name, &act.encode());
        assert_eq!(act.entry_kind(), number);
        assert_eq!(Act::decode(number, &act.encode()), Ok(act));
    }
    let twice = Act::ExtendCut(ExtendCut { of: Link([0; 32]), cuts: vec![cut(4), cut(4)] });
    assert_eq!(Act::decode(21, &twice.encode()).expect_err("unsorted").code(), "E-FORMAT");
}

#[test]
fn an_epoch_and_what_it_opens_keep_their_bytes() {
    let parent = (EpochId([0x0e; 16]), EpochSecret([0x0f; 32]));
    let mut rng = ChaCha8Rng::from_seed([1; 32]);
    let me = [(secret().device_key(), secret().box_key())];
    let made =
        make(&SPACE, (&log(), 7), std::slice::from_ref(&parent), &me, &mut rng).expect("made");
    let act = Act::Epoch(made.clone());
    // The lockbox is another one each time, so what is stored must open, not be equal.
    let bytes = stored("epoch", &act.encode());
    let Ok(Act::Epoch(kept)) = Act::decode(23, &bytes) else {
        panic!("not an epoch");
    };
    let lockboxes = kept.lockboxes.into_iter().map(|one| (secret().device_key(), one)).collect();
    let epoch = Epoch {
        id: kept.epoch,
        at: (log(), 7),
        author: secret().device_key(),
        compartment: kept.compartment,
        parents: kept.parents,
        public: kept.public,
        back: kept.back,
        lockboxes,
        holders: BTreeSet::new(),
        depth: 1,
        is_eligible: true,
    };
    let opened = unlock(&SPACE, &epoch, &epoch.lockboxes[0].1, &secret()).expect("opened");
    assert_eq!(look_back(&SPACE, &epoch, &opened).expect("opened"), [parent]);
    let elsewhere = Epoch { at: (log(), 8), ..epoch.clone() };
    let refused = unlock(&SPACE, &elsewhere, &epoch.lockboxes[0].1, &secret());
    assert_eq!(refused.expect_err("another entry").code(), "E-LOCKBOX");
}

#[test]
fn no_vector_is_forgotten() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let source = include_str!("golden.rs");
    for file in std::fs::read_dir(folder).expect("folder") {
        let path = file.expect("file").path();
        let name = path.file_stem().and_then(|name| name.to_str());
        let quoted = format!("\"{}\"", name.expect("a name"));
        assert!(source.contains(&quoted), "{quoted} is not checked");
    }
}
