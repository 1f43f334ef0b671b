//! Bad inputs, row by row: each gives exactly its code, and nothing that it must not change does.
//!
//! Row numbers are those of the quality page's table of bad inputs. Codes are compared as text: they
//! are what documents and shells know.

use std::sync::{Arc, Mutex};

use tuquan_core::attachment::{BYTES_MAX, CHUNK_LEN};
use tuquan_core::codec::{Value, Writer};
use tuquan_core::crypto::DeviceSecret;
use tuquan_core::door::{Config, Tuquan};
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::ids::{BoxKey, DeviceKey, RecordId};
use tuquan_core::log::entry::{Body, kind};
use tuquan_core::log::item::{Item, Op, Target};
use tuquan_core::record::declare::Role;
use tuquan_core::record::document::Document;
use tuquan_core::record::plain::Plain;
use tuquan_core::replica::Replica;
use tuquan_core::replica::govern::GrantOf;
use tuquan_core::replica::outgoing::Vector;
use tuquan_core::store::open::Location;
use tuquan_core::sync::bundle::BundleWriter;
use tuquan_core::sync::card::Card;
use tuquan_core::sync::frames::{Gathering, cut};
use tuquan_core::sync::join::{Compared, InviteOptions, LIFETIME_MS};
use tuquan_core::sync::session::{Options, Session, Side};
use tuquan_core::team::control::Rights;
use tuquan_tests::phone::{
    Folder, HandClock, KEY, NOON_MS, edit, env, incident, location, note, open, request,
};
use tuquan_tests::picture::{
    jpeg, noise, png, png_chunk, segment, webp, webp_extended, webp_lossy,
};
use tuquan_tests::rogue::Rogue;
use tuquan_tests::team::{give, join, packs, vector};
use tuquan_tests::vfs::{Damage, Fault, FaultDisk, Permanence};

/// A team of two, a liar in it, and a whole bundle of what the founder holds.
struct Desk {
    _folders: [Folder; 2],
    founder: Tuquan,
    other: Tuquan,
    rogue: Rogue,
    bundle: Vec<u8>,
    clock: HandClock,
}

impl Desk {
    fn new() -> Self {
        let folders = [Folder::new("founder"), Folder::new("other")];
        let clock = HandClock::at(NOON_MS);
        let founder = open(location(folders[0].path(), None), 1, &clock).expect("opened");
        let other = open(location(folders[1].path(), None), 2, &clock).expect("opened");
        founder.found().expect("founded");
        join(&founder, &other, Role::R2).expect("joined");
        let rogue = Rogue::join(&founder, Role::R1, 9).expect("joined");
        give(&founder, &other).expect("given");
        for number in 0..5 {
            founder.apply(request(number), &incident("Mất xe")).expect("written");
            founder.bulk(|replica| replica.seal()).expect("sealed");
        }
        let bundle = founder.bulk(|replica| replica.export_bundle(None, false, 3)).expect("made");
        Self { _folders: folders, founder, other, rogue, bundle, clock }
    }

    /// Imports bytes at the colleague's phone, where they must fail and leave everything as it was.
    fn refused(&self, bytes: &[u8]) -> &'static str {
        let before = state(&self.other);
        let outcome = self.other.bulk(|replica| replica.import_bundle(bytes, &mut |_, _| {}));
        assert_eq!(state(&self.other), before, "something was stored");
        outcome.expect_err("refused").code()
    }

    fn refused_pack(&self, bytes: &[u8]) -> &'static str {
        let before = state(&self.other);
        let outcome = self.other.bulk(|replica| replica.ingest(bytes));
        assert_eq!(state(&self.other), before, "something was stored");
        outcome.expect_err("refused").code()
    }

    /// Takes in a liar's items, one entry each, and an honest one after them; returns the codes of
    /// the damaged ones. The others must go on.
    fn damaged(&mut self, items: Vec<Vec<u8>>) -> Vec<String> {
        let before = self.other.stats().expect("stats");
        for item in items {
            self.rogue.push(kind::WRITE, vec![item]);
        }
        self.rogue.write(&created(vec![Op::Set(16, Value::Int(4))]));
        let pack = self.rogue.pack().expect("packed");
        self.other.bulk(|replica| replica.ingest(&pack)).expect("the pack as such is sound");
        let after = self.other.stats().expect("stats");
        assert_eq!(
            after.records[3].count,
            before.records[3].count + 1,
            "the sound one is shown, no other"
        );
        codes(&self.other)
    }
}

fn state(store: &Tuquan) -> (String, u64, u64) {
    let stats = store.stats().expect("stats");
    (store.view_hash().expect("hash"), stats.entries, stats.held)
}

fn created(ops: Vec<Op>) -> Item {
    Item { kind: 4, target: Target::New, deps: Vec::new(), ops }
}

#[test]
fn rows_1_to_6_files_that_are_none_newer_cut_longer_or_too_large() {
    let desk = Desk::new();
    let whole = &desk.bundle;
    let with = |at: usize, bytes: &[u8]| {
        let mut altered = whole.clone();
        altered[at..at + bytes.len()].copy_from_slice(bytes);
        altered
    };
    assert_eq!(desk.refused(b"PK\x03\x04 a zip file"), "E-MAGIC");
    assert_eq!(desk.refused(b""), "E-MAGIC");
    assert_eq!(desk.refused(&with(4, &[2])), "E-NEWER");
    assert_eq!(desk.refused(&whole[..20]), "E-TRUNC");
    assert_eq!(desk.refused(&[whole, &b"x"[..]].concat()), "E-TRAIL");
    assert_eq!(desk.refused(&with(29, &u32::MAX.to_le_bytes())), "E-SIZE");
    assert_eq!(desk.refused(&with(29, &((1 << 20) + 1_u32).to_le_bytes())), "E-SIZE");
    // Over its cap and over what remains, in the pack's own header.
    let pack = packs(&desk.founder, &Vector::default()).expect("packed").remove(0);
    assert_eq!(desk.refused_pack(&[&pack[..38], &[0x9b], &[0xff; 8]].concat()), "E-SIZE");
    assert_eq!(desk.refused_pack(&vec![b'T'; (1 << 20) + 1]), "E-SIZE");
    let mut newer = pack;
    newer[5] |= 0x40;
    assert_eq!(desk.refused_pack(&newer), "E-NEWER");
}

#[test]
fn row_3_a_bundle_that_was_cut_off_keeps_its_complete_entries() {
    let mut desk = Desk::new();
    let mut to = BundleWriter::start(Vec::new(), &desk.rogue.space, 3, 7).expect("started");
    for count in 1..=3 {
        for _ in 0..count {
            desk.rogue.write(&created(vec![Op::Set(16, Value::Int(4))]));
        }
        to.push(&desk.rogue.pack().expect("packed")).expect("pushed");
    }
    let whole = to.finish().expect("finished");
    let cut = &whole[..whole.len() - 100];
    let outcome = desk.other.bulk(|replica| replica.import_bundle(cut, &mut |_, _| {}));
    let outcome = outcome.expect("what came is kept");
    // Each log opens with an entry of its own, so the first pack has two.
    assert_eq!(outcome.truncated.expect("told").to_string(), "E-TRUNC: 4 of 7 entries");
    assert_eq!((outcome.entries, outcome.refused), (4, Vec::new()));
    assert_eq!(desk.other.stats().expect("stats").records[3].count, 3);
}

#[test]
fn row_2_a_newer_record_type_or_field_is_kept_relayed_and_not_shown() {
    let mut desk = Desk::new();
    let newer = Item { kind: 77, ..created(vec![Op::Set(16, Value::Int(4))]) };
    let field = created(vec![Op::Set(16, Value::Int(4)), Op::Set(900, Value::Text("mới".into()))]);
    desk.rogue.write(&newer);
    desk.rogue.write(&field);
    let pack = desk.rogue.pack().expect("packed");
    desk.other.bulk(|replica| replica.ingest(&pack)).expect("kept");
    let stats = desk.other.stats().expect("stats");
    assert_eq!((stats.damaged, stats.records[3].count), (0, 1));
    give(&desk.other, &desk.founder).expect("relayed");
    assert_eq!(desk.founder.stats().expect("stats").damaged, 0);
}

#[test]
fn row_7_what_belongs_to_another_team_is_refused() {
    let (desk, stranger) = (Desk::new(), Desk::new());
    let folder = Folder::new("third");
    let third = open(location(folder.path(), None), 40, &HandClock::at(NOON_MS)).expect("opened");
    third.found().expect("founded");
    let bundle = third.bulk(|replica| replica.export_bundle(None, false, 3)).expect("made");
    assert_eq!(desk.refused(&bundle), "E-SPACE");
    assert_eq!(
        desk.refused_pack(&packs(&third, &Vector::default()).expect("packed")[0]),
        "E-SPACE"
    );
    let mut sides =
        [Side::Initiator, Side::Responder].map(|side| Session::new(side, 0, Options::default()));
    let hello =
        third.bulk(|replica| sides[0].poll_transmit(replica)).expect("greeted").expect("a hello");
    let before = state(&stranger.other);
    let outcome = stranger.other.bulk(|replica| sides[1].handle_message(replica, &hello, 0));
    assert_eq!(outcome.expect_err("refused").code(), "E-SPACE");
    assert_eq!(state(&stranger.other), before);
}

#[test]
fn rows_8_and_9_signatures_and_keys_that_are_none() {
    let mut desk = Desk::new();
    desk.rogue.write(&created(Vec::new()));
    let sound = desk.rogue.range();
    let mut forged = sound.clone();
    forged.seal[3] ^= 1;
    let forged = desk.rogue.wrap(&forged).expect("packed");
    assert_eq!(desk.refused_pack(&forged), "E-SIG");
    let mut altered = sound;
    altered.entries[1].hlc.0 += 1;
    let altered = desk.rogue.wrap(&altered).expect("packed");
    assert_eq!(desk.refused_pack(&altered), "E-SIG");
    let weak = DeviceKey([0; 32]);
    let of = GrantOf::writer(weak, BoxKey([5; 32]), Role::R1);
    let grant = desk.founder.bulk(|replica| replica.grant(&of));
    assert_eq!(grant.expect_err("refused").code(), "E-KEY");
    let secret = DeviceSecret { sign: [3; 32], unbox: [4; 32] };
    let mut card = Card::encode(&secret);
    *card.last_mut().expect("long") ^= 1;
    assert_eq!(Card::decode(&card).expect_err("refused").code(), "E-SIG");
}

#[test]
fn rows_10_and_12_gaps_wait_and_duplicates_change_nothing() {
    let mut desk = Desk::new();
    let mut lots: Vec<Vec<u8>> = Vec::new();
    for _ in 0..3 {
        desk.rogue.write(&created(vec![Op::Set(16, Value::Int(4))]));
        lots.push(desk.rogue.pack().expect("packed"));
    }
    let vector = |store: &Tuquan| vector(store).expect("vector");
    let take = |pack: &[u8]| desk.other.bulk(|replica| replica.ingest(pack)).expect("taken in");
    take(&lots[0]);
    take(&lots[2]);
    assert_eq!(
        vector(&desk.other).get(&desk.rogue.log).expect("there").next,
        2,
        "the gap is not counted"
    );
    take(&lots[1]);
    assert_eq!(vector(&desk.other).get(&desk.rogue.log).expect("there").next, 4);
    let before = state(&desk.other);
    for lot in lots.iter().chain(&lots) {
        assert_eq!(take(lot).entries, 0);
    }
    assert_eq!(state(&desk.other), before);
}

#[test]
fn row_15_what_cites_a_team_list_that_is_not_here_waits_for_it() {
    let mut desk = Desk::new();
    let links = |store: &Tuquan| {
        store.bulk(|replica| Ok(replica.mind.members.links.clone())).expect("links")
    };
    let known = links(&desk.founder);
    // A newcomer that the other phone has not heard of, and one who has.
    Rogue::join(&desk.founder, Role::R1, 10).expect("joined");
    let news: Vec<_> =
        links(&desk.founder).into_iter().filter(|link| !known.contains(link)).collect();
    assert!(!news.is_empty());
    desk.rogue.cite(news.into_iter().take(1).collect());
    desk.rogue.write(&created(vec![Op::Set(16, Value::Int(4))]));
    let pack = desk.rogue.pack().expect("packed");
    let shown = |store: &Tuquan| store.stats().expect("stats").records[3].count;
    let before = shown(&desk.other);
    let taken = desk.other.bulk(|replica| replica.ingest(&pack)).expect("kept");
    assert_eq!((taken.held, shown(&desk.other)), (Some(Kind::WaitMembers), before));
    give(&desk.founder, &desk.other).expect("given");
    let all = shown(&desk.founder) + 1;
    assert_eq!((desk.other.stats().expect("stats").held, shown(&desk.other)), (0, all));
}

#[test]
fn row_11_of_a_log_with_two_histories_both_are_kept_and_its_device_is_told() {
    let mut desk = Desk::new();
    let common = desk.rogue.pack().expect("packed");
    desk.other.bulk(|replica| replica.ingest(&common)).expect("taken");
    desk.founder.bulk(|replica| replica.ingest(&common)).expect("taken");
    let mut liar = desk.rogue.clone();
    desk.rogue.write(&created(vec![Op::Set(16, Value::Int(4))]));
    let one = desk.rogue.pack().expect("packed");
    // It says to know another team list there, too.
    liar.cite(Vec::new());
    liar.now_ms += 1;
    liar.write(&created(vec![Op::Set(16, Value::Int(5))]));
    let two = liar.pack().expect("packed");
    liar.write(&created(vec![Op::Set(16, Value::Int(6))]));
    let later = liar.pack().expect("packed");
    let count = |store: &Tuquan| store.stats().expect("stats").records[3].count;
    let (before, founded) = (count(&desk.other), count(&desk.founder));
    let take = |store: &Tuquan, pack: &[u8]| store.bulk(|replica| replica.ingest(pack));
    assert_eq!(take(&desk.other, &one).expect("taken").forked, None);
    assert_eq!(take(&desk.other, &two).expect("taken").forked, Some(desk.rogue.log));
    take(&desk.other, &later).expect("taken");
    assert_eq!(count(&desk.other), before + 3, "notes of both are kept");
    // The other way round; of one whose beginning is not here nothing is shown until it comes.
    take(&desk.founder, &later).expect("taken");
    take(&desk.founder, &one).expect("taken");
    take(&desk.founder, &two).expect("taken");
    assert_eq!(count(&desk.founder), founded + 3);
    give(&desk.founder, &desk.other).expect("given");
    give(&desk.other, &desk.founder).expect("given");
    assert_eq!(state(&desk.founder), state(&desk.other));
    for store in [&desk.founder, &desk.other] {
        let [forked] = store.forked().try_into().expect("one log");
        let told = (forked.device, forked.log, forked.first, forked.histories);
        assert_eq!(told, (desk.rogue.secret.device_key(), desk.rogue.log, 1, 2));
        assert!(store.doctor(&mut |_, _| {}).expect("checked").views_ok);
    }
    // Who reads it in a file is told with the code.
    let third = Folder::new("third");
    let third = open(location(third.path(), None), 31, &desk.clock).expect("opened");
    join(&desk.founder, &third, Role::R2).expect("joined");
    let bundle = desk.founder.bulk(|replica| replica.export_bundle(None, false, 3)).expect("made");
    let outcome = third.bulk(|replica| replica.import_bundle(&bundle, &mut |_, _| {}));
    assert!(outcome.expect("taken").forked.is_empty(), "it came with the grant");
    assert_eq!(third.forked(), desk.founder.forked());
    let told = tuquan_core::replica::branch::told(&desk.rogue.secret.device_key());
    assert_eq!(told.code(), "E-FORK");
    // What others write, and what this phone writes, goes on.
    let before = desk.other.device().expect("device").log;
    desk.other.apply(request(70), &incident("Vẫn ghi")).expect("written");
    assert!(before.is_none() || desk.other.device().expect("device").log == before);
    give(&desk.other, &desk.founder).expect("given");
    assert!(desk.other.take_restored().expect("asked").is_none());
}

#[test]
fn row_40_a_restored_copy_says_so_once_and_goes_on_in_another_log() {
    let (desk, folder) = (Desk::new(), Folder::new("restored"));
    let fence = folder.path().join("fence");
    let at =
        || Location { fence: Some(fence.clone()), ..location(&folder.path().join("store"), None) };
    let file = folder.path().join("store").join("store.db");
    let phone = open(at(), 21, &desk.clock).expect("opened");
    join(&desk.founder, &phone, Role::R2).expect("joined");
    phone.apply(request(1), &incident("Trước")).expect("written");
    give(&phone, &desk.founder).expect("given");
    phone.pause().expect("paused");
    drop(phone);
    let copy = std::fs::read(&file).expect("read");
    let phone = open(at(), 22, &desk.clock).expect("opened");
    assert!(phone.take_restored().expect("asked").is_none());
    let after = phone.apply(request(2), &incident("Sau")).expect("written").record;
    give(&phone, &desk.founder).expect("given");
    let former = phone.device().expect("device").log;
    phone.pause().expect("paused");
    drop(phone);
    std::fs::write(&file, copy).expect("written");
    let phone = open(at(), 23, &desk.clock).expect("opened");
    let notice = phone.take_restored().expect("asked").expect("told");
    assert_eq!(notice.code(), "I-RESTORED");
    assert!(phone.take_restored().expect("asked").is_none());
    assert_ne!(phone.device().expect("device").log, former);
    assert!(phone.get(&after).expect("read").is_none());
    give(&desk.founder, &phone).expect("given");
    assert!(phone.get(&after).expect("read").is_some());
    phone.apply(request(3), &incident("Tiếp")).expect("written");
    give(&phone, &desk.founder).expect("given");
    assert_eq!(state(&phone).0, state(&desk.founder).0);
}

#[test]
fn row_21_a_body_that_fails_its_tag_or_chain_is_refused_whole() {
    let mut desk = Desk::new();
    desk.rogue.write(&created(Vec::new()));
    let mut range = desk.rogue.range();
    let mut pack = desk.rogue.wrap(&range).expect("packed");
    let last = pack.len() - 1;
    pack[last] ^= 1;
    assert_eq!(desk.refused_pack(&pack), "E-BODY");
    range.link_before.0[0] ^= 1;
    let moved = desk.rogue.wrap(&range).expect("packed");
    assert_eq!(desk.refused_pack(&moved), "E-BODY");
    let mut bundle = desk.bundle.clone();
    let middle = bundle.len() / 2;
    bundle[middle] ^= 1;
    assert_eq!(desk.refused(&bundle), "E-BODY");
}

#[test]
fn rows_22_and_23_a_digest_without_a_body_is_a_hole() {
    let mut desk = Desk::new();
    let item = created(vec![Op::Set(16, Value::Int(4))]);
    let place = desk.rogue.write(&item);
    let mut range = desk.rogue.range();
    let digest = tuquan_core::log::item::item_digest(
        &range.runs[0].salt(place.seq, 0),
        &item.encode(&desk.rogue.log),
    );
    range.entries[1].items = vec![Body::Absent(digest)];
    let pack = desk.rogue.wrap(&range).expect("packed");
    desk.other.bulk(|replica| replica.ingest(&pack)).expect("stored");
    let vector = vector(&desk.other).expect("vector");
    assert_eq!(vector.get(&desk.rogue.log).expect("there").excepted, [(place.seq, 1)]);
    // Another digest than the signed one breaks the seal.
    range.entries[1].items = vec![Body::Absent(tuquan_core::ids::Digest([1; 32]))];
    let pack = desk.rogue.wrap(&range).expect("packed");
    assert_eq!(desk.refused_pack(&pack), "E-SIG");
}

#[test]
fn rows_25_to_27_items_that_cannot_be_read_stop_only_themselves() {
    let mut desk = Desk::new();
    let head = |ops: usize| {
        let mut to = Writer::new();
        to.array(4).uint(4).null().array(0).array(ops);
        to
    };
    let with_value = |value: &[u8]| {
        let mut to = head(1);
        to.array(3).uint(0).uint(20).raw(value);
        to.into_bytes()
    };
    let encode = |ops| created(ops).encode(&desk.rogue.log);
    let unreadable = vec![
        vec![0xff],                                         // no CBOR
        with_value(&[0x81; 40]),                            // depth
        with_value(b"\x62\xc3\x28"),                        // bad UTF-8
        with_value(b"\x65e\xcc\x81xx"),                     // not NFC
        with_value(&[0xf9, 0x7e, 0x00]),                    // NaN
        with_value(&[0xa1, 0x01, 0x01]),                    // a map
        with_value(&[0x18, 0x01]),                          // not the shortest
        encode(vec![Op::Set(16, Value::Text("x".into()))]), // another type
        encode(vec![Op::Add(20, Value::Text("x".into()))]), // an operation of another field
        {
            let mut to = head(1);
            to.array(2).uint(9).uint(20); // an unknown operation
            to.into_bytes()
        },
    ];
    // Three of them decode: they count as empty, so their record is there without content.
    let mut big = head(1_001);
    for _ in 0..1_001 {
        big.array(2).uint(1).uint(20);
    }
    let too_big = vec![big.into_bytes(), encode(vec![Op::Set(20, Value::Text("x".repeat(4_001)))])];
    let (decodes, dark): (Vec<_>, Vec<_>) = unreadable
        .into_iter()
        .chain(too_big)
        .partition(|bytes| Item::decode(bytes, &desk.rogue.log).is_ok());
    assert_eq!((decodes.len(), dark.len()), (3, 9));
    let codes = desk.damaged(dark);
    assert_eq!(
        codes,
        [
            "E-FORMAT",
            "E-FORMAT",
            "E-FORMAT",
            "E-FORMAT",
            "E-FORMAT",
            "E-FORMAT",
            "E-FORMAT",
            "E-FORMAT",
            "E-CHANGE-BIG"
        ]
    );
    for item in decodes {
        desk.rogue.push(kind::WRITE, vec![item]);
    }
    let pack = desk.rogue.pack().expect("packed");
    desk.other.bulk(|replica| replica.ingest(&pack)).expect("stored");
    assert_eq!(desk.other.stats().expect("stats").damaged, 12);
}

#[test]
fn row_28_a_merge_that_panics_keeps_the_entries_and_is_tried_again() {
    let (clock, folders) = (HandClock::at(NOON_MS), [Folder::new("a"), Folder::new("b")]);
    let a = open(location(folders[0].path(), None), 1, &clock).expect("opened");
    let b = open(location(folders[1].path(), None), 2, &clock).expect("opened");
    a.found().expect("founded");
    join(&a, &b, Role::R2).expect("joined");
    let records = [1, 2].map(|n| a.apply(request(n), &incident("Mất xe")).expect("written").record);
    give(&a, &b).expect("given");
    let said = |text: &str| edit(records[0], "summary", Plain::from(text));
    b.apply(request(3), &said("từ B")).expect("edited");
    a.apply(request(4), &said("từ A")).expect("edited");
    let told = listen_to_panics();
    a.bulk(|replica| {
        replica.mind.build = |_, _| panic!("như \u{201c}từ A\u{201d}");
        Ok(())
    })
    .expect("set");
    give(&b, &a).expect("the entries are taken in");
    let shown =
        |store: &Tuquan, nth: usize| store.get(&records[nth]).expect("read").expect("there");
    let broken = shown(&a, 0);
    assert_eq!((&broken.fields["summary"], broken.damaged), (&Plain::from("từ A"), true));
    assert_eq!(shown(&a, 1), shown(&b, 1), "the rest is intact");
    assert_eq!(codes(&a), ["E-CHANGE"]);
    let log = b.device().expect("device").log.expect("open");
    let next = |store| vector(store).expect("vector").get(&log).expect("there").next;
    assert_eq!(next(&a), next(&b), "the entries are kept");
    // A write on what is known goes on, and still nothing of the other one is lost.
    b.apply(request(5), &note(records[0], "Đã gọi")).expect("noted");
    give(&b, &a).expect("taken in");
    assert_eq!(codes(&a), ["E-CHANGE", "E-CHANGE"]);
    assert!(told.lock().expect("told").is_empty(), "a caught panic was printed");
    // Opened by the same version it stays as it is; the next one tries again by itself.
    drop(a);
    let a = open(location(folders[0].path(), None), 3, &clock).expect("opened");
    assert_eq!(codes(&a).len(), 2);
    let older = |replica: &mut Replica| {
        replica.transact(|transaction, _, _| {
            let sql = "UPDATE meta SET value = x'00' WHERE key = 'view_made_by'";
            assert_eq!(transaction.execute(sql, [])?, 1);
            Ok(())
        })
    };
    a.bulk(older).expect("set");
    drop(a);
    let a = open(location(folders[0].path(), None), 4, &clock).expect("opened");
    give(&a, &b).expect("given");
    assert_eq!(codes(&a), [""; 0]);
    assert_eq!(shown(&a, 0), shown(&b, 0));
    assert!(!shown(&a, 0).damaged);
    assert_eq!(a.view_hash().expect("hash"), b.view_hash().expect("hash"));
}

#[test]
fn row_28_the_next_merge_of_a_record_takes_in_what_failed_before() {
    let (clock, folders) = (HandClock::at(NOON_MS), [Folder::new("a"), Folder::new("b")]);
    let a = open(location(folders[0].path(), None), 1, &clock).expect("opened");
    let b = open(location(folders[1].path(), None), 2, &clock).expect("opened");
    a.found().expect("founded");
    join(&a, &b, Role::R2).expect("joined");
    let record = a.apply(request(1), &incident("Mất xe")).expect("written").record;
    give(&a, &b).expect("given");
    b.apply(request(3), &note(record, "từ B")).expect("noted");
    a.apply(request(4), &note(record, "từ A")).expect("noted");
    a.bulk(|replica| {
        replica.mind.build = |_, _| Err(Error::new(Kind::Change, "refused"));
        Ok(())
    })
    .expect("set");
    give(&b, &a).expect("taken in");
    assert_eq!(codes(&a), ["E-CHANGE"]);
    a.bulk(|replica| {
        replica.mind.build = Document::new;
        Ok(())
    })
    .expect("set");
    // Written on the heads that A shows: nothing names what failed.
    a.apply(request(5), &note(record, "sau đó")).expect("noted");
    give(&a, &b).expect("given");
    assert_eq!(codes(&a), [""; 0]);
    assert_eq!(a.view_hash().expect("hash"), b.view_hash().expect("hash"));
}

/// Notes the messages that a panic hook gets, as a shell's log would, beneath the quiet path.
fn listen_to_panics() -> Arc<Mutex<Vec<String>>> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let (heard, before) = (Arc::clone(&told), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |info| {
        if info.payload_as_str().is_some_and(|text| text.contains("từ A")) {
            heard.lock().expect("told").push(info.to_string());
        }
        before(info);
    }));
    tuquan_core::record::guard::hush();
    told
}

fn codes(store: &Tuquan) -> Vec<String> {
    store
        .read(|connection, _| {
            let mut statement = connection.prepare("SELECT code FROM damaged ORDER BY at, item")?;
            let codes = statement.query_map([], |row| row.get(0))?;
            Ok(codes.collect::<rusqlite::Result<_>>()?)
        })
        .expect("read")
}

#[test]
fn row_29_a_clock_that_is_years_off_is_taken_and_flagged() {
    for year_ms in [0, 7_900_000_000_000] {
        let (folder, clock) = (Folder::new("clock"), HandClock::at(year_ms));
        let store = open(location(folder.path(), None), 1, &clock).expect("opened");
        store.found().expect("founded");
        let applied = store.apply(request(1), &incident("Đồng hồ sai")).expect("saved");
        assert!(applied.clock_suspect);
        assert!(store.get(&applied.record).expect("read").expect("there").clock_suspect);
    }
}

#[test]
fn rows_9_and_30_to_32_joining_refuses_each_thing_with_its_code() {
    let desk = Desk::new();
    let folder = Folder::new("newcomer");
    let newcomer =
        open(location(folder.path(), None), 30, &HandClock::at(NOON_MS)).expect("opened");
    newcomer.init().expect("an identity");
    let options = InviteOptions { role: Role::R1, rights: Rights::Writer, person: None, hub: None };
    let invite = || desk.founder.bulk(|replica| replica.invite(&options)).expect("invited");
    let accept = |bytes: &[u8]| newcomer.bulk(|replica| replica.accept_invitation(bytes));
    let take = |bytes: &[u8]| desk.founder.bulk(|replica| replica.take_request(bytes, None));
    let admit = |id: &[u8; 16], compared: Compared| {
        desk.founder.bulk(|replica| replica.admit(id, compared, false))
    };
    let before = desk.founder.members().expect("members").len();

    // 9: an inviter's key that is none.
    let invited = invite();
    let mut weak = invited.invite.clone();
    weak.inviter = DeviceKey([0; 32]);
    assert_eq!(accept(&weak.encode()).expect_err("refused").code(), "E-KEY");
    // 30: another version, used, expired.
    let mut bytes = invited.invite.encode();
    bytes[0] = 2;
    assert_eq!(accept(&bytes).expect_err("refused").code(), "E-INVITE");
    bytes[0] = 1;
    let request = accept(&bytes).expect("accepted");
    take(&request).expect("the first binds it");
    newcomer.bulk(Replica::give_up_joining).expect("given up");
    let second = accept(&bytes).expect("accepted");
    assert_ne!(second, request);
    assert_eq!(take(&second).expect_err("refused").code(), "E-INVITE");
    desk.clock.advance(LIFETIME_MS);
    assert_eq!(take(&request).expect_err("refused").code(), "E-INVITE");
    assert_eq!(admit(&invited.id, Compared::Equal).expect_err("refused").code(), "E-INVITE");
    // 31: the digits differ, and that is the end of the invitation.
    let invited = invite();
    let request = accept(&invited.invite.encode()).expect("accepted");
    take(&request).expect("taken");
    assert_eq!(admit(&invited.id, Compared::Differ).expect_err("refused").code(), "E-MITM");
    assert_eq!(admit(&invited.id, Compared::Equal).expect_err("refused").code(), "E-INVITE");
    assert_eq!(desk.founder.members().expect("members").len(), before);
    // 32: frames of another set, and missing ones by number.
    let frames = cut(&desk.bundle, 200).expect("cut");
    let others = cut(&desk.bundle[1..], 200).expect("cut");
    assert!(frames.len() > 6, "{}", frames.len());
    let mut gathering = Gathering::default();
    for frame in frames.iter().rev().filter(|frame| **frame != frames[2] && **frame != frames[4]) {
        gathering.take(frame).expect("taken");
    }
    assert_eq!(gathering.take(&others[3]).expect_err("refused").code(), "E-QR");
    let missing = gathering.finish().expect_err("not yet").to_string();
    assert_eq!(missing, format!("E-QR: frames 3, 5 of {} are missing", frames.len()));
    gathering.take(&frames[4]).expect("taken");
    gathering.take(&frames[4]).expect("again");
    assert_eq!(gathering.take(&frames[2]).expect("taken"), (frames.len(), frames.len()));
    assert_eq!(gathering.finish().expect("whole"), desk.bundle);
}

/// A store on a faulty disk with some incidents in it.
fn store_on(disk: &FaultDisk, folder: &Folder) -> Result<Tuquan> {
    open(location(folder.path(), Some(disk.vfs_name())), 1, &HandClock::at(NOON_MS))
}

#[test]
fn rows_35_to_37_and_51_stores_that_do_not_open_are_left_as_they_are() {
    let (disk, folder) = (FaultDisk::new(1), Folder::new("store"));
    let store = store_on(&disk, &folder).expect("opened");
    store.found().expect("founded");
    store.apply(request(1), &incident("Mất điện")).expect("written");
    let code = |outcome: Result<Tuquan>| outcome.expect_err("refused").code();
    assert_eq!(code(store_on(&disk, &folder)), "E-BUSY");
    store.pause().expect("paused");
    drop(store);
    let image = disk.image_hash();
    let mut other = location(folder.path(), Some(disk.vfs_name()));
    other.key.0 = [KEY[0] ^ 1; 32];
    assert_eq!(code(open(other, 1, &HandClock::at(NOON_MS))), "E-DBKEY");
    assert_eq!(disk.image_hash(), image);
    let file = folder.path().join("store.db").display().to_string();
    let sound = disk.file(&file).expect("the file");
    assert!(disk.damage(&file, 4_096, Damage::Zero { page: 0 }));
    assert_eq!(code(store_on(&disk, &folder)), "E-DBPAGE");
    disk.put_file(&file, sound);
    let store = store_on(&disk, &folder).expect("opened");
    store
        .bulk(|replica| Ok(replica.connection.pragma_update(None, "user_version", 99)?))
        .expect("set");
    store.pause().expect("paused");
    drop(store);
    assert_eq!(code(store_on(&disk, &folder)), "E-DBNEWER");
}

#[test]
fn row_36_a_damaged_store_says_how_much_of_it_was_saved() {
    let folder = Folder::new("page");
    let clock = HandClock::at(NOON_MS);
    let store = open(location(folder.path(), None), 1, &clock).expect("opened");
    store.found().expect("founded");
    for _ in 0..8 {
        let commands = vec![incident("Bóng đèn cầu thang bị cháy, đã báo thợ"); 250];
        store.apply_many(&commands, &mut |_| {}).expect("written");
    }
    store.pause().expect("paused");
    let entries = store.stats().expect("stats").entries;
    drop(store);
    let sound = std::fs::read(folder.path().join("store.db")).expect("read");
    let config = |folder: &Folder| Config::new(location(folder.path(), None));
    // The page with the newest segment is one of the last that the entries wrote.
    let told = (1..sound.len() / 4_096).rev().find_map(|page| {
        let copy = Folder::new("copy");
        let check = folder.path().join("store.check");
        std::fs::copy(check, copy.path().join("store.check")).expect("copied");
        let mut bytes = sound.clone();
        bytes[page * 4_096 + 99] ^= 1;
        std::fs::write(copy.path().join("store.db"), bytes).expect("written");
        match open(location(copy.path(), None), 1, &clock) {
            Err(error) => assert_eq!(error.code(), "E-DBPAGE"),
            Ok(store) => assert!(!store.doctor(&mut |_, _| {}).expect("told").pages_ok),
        }
        let saved = Tuquan::salvage(&config(&copy), env(1, &clock), &mut |_, _| {}).ok()?;
        let store = open(location(copy.path(), None), 1, &clock).expect("opened");
        let shown = store.stats().expect("stats").records[3].count;
        (saved.recovered > 1_000 && saved.recovered < saved.of).then_some((saved, shown))
    });
    let (saved, shown) = told.expect("a page that costs some entries");
    assert_eq!(saved.of, entries);
    assert_eq!(saved.kept, "store.db.damaged-1");
    // All but founding, epoch and the openings of logs are incidents.
    assert!(shown < 2_000 && shown + 8 > saved.recovered, "{shown} of {saved:?}");
}

#[test]
fn rows_38_and_39_a_full_disk_is_not_saved_and_a_failed_sync_is_looked_up() {
    let (disk, folder) = (FaultDisk::new(1), Folder::new("full"));
    let store = store_on(&disk, &folder).expect("opened");
    store.found().expect("founded");
    let before = state(&store);
    disk.fail_nth(1, Fault::Full, Permanence::Permanent);
    let refused = store.apply(request(1), &incident("Đầy")).expect_err("not saved");
    disk.heal();
    assert_eq!((refused.code(), state(&store)), ("E-FULL", before.clone()));
    disk.fail_nth(1, Fault::Fsync, Permanence::Transient);
    match store.apply(request(2), &incident("Không chắc")) {
        Ok(applied) => assert!(store.get(&applied.record).expect("read").is_some()),
        Err(error) => {
            assert_eq!(error.code(), "E-IO");
            assert_eq!(state(&store), before, "said not saved, but it was");
        }
    }
    let none = store.get(&RecordId::default()).expect("read");
    assert!(none.is_none());
}

#[test]
fn rows_41_and_42_chunks_and_images_that_cannot_be_used_are_refused() {
    let desk = Desk::new();
    let record = desk.founder.apply(request(90), &incident("Ổ điện")).expect("written").record;
    let whole = jpeg(64, 48, &[], &noise(2 * CHUNK_LEN, 1));
    desk.founder.attach(request(91), &record, &whole).expect("attached");
    give(&desk.founder, &desk.other).expect("given");
    let hashes = desk.other.missing_chunks(9).expect("read");
    assert_eq!(hashes.len(), 3);
    let chunk = |at: usize| desk.founder.chunk(&hashes[at]).expect("read").expect("here");
    let (first, last) = (chunk(0), chunk(2));
    let mut altered = first.clone();
    altered[9] ^= 1;
    let longer = [&first[..], &[0]].concat();
    for bad in [&[][..], &first[1..], &altered, &longer, &last] {
        let refused = desk.other.put_chunk(&hashes[0], bad).expect_err("refused");
        assert_eq!(refused.code(), "E-CHUNK");
    }
    assert_eq!(desk.other.missing_chunks(9).expect("read"), hashes);
    let before = state(&desk.founder);
    let scan = noise(500, 2);
    let (frame, header) = (segment(0xc0, &[8, 0, 9, 0, 9, 1, 1, 0x11, 0]), png(9, 9, &[], &scan));
    let moving = webp(&[webp_extended(0x02, 9, 9), webp_lossy(9, 9, &scan)].concat());
    let canvas = webp(&[webp_extended(0, 9, 10), webp_lossy(9, 9, &scan)].concat());
    let bombs: &[(&str, Vec<u8>)] = &[
        ("nothing", Vec::new()),
        ("a text", b"GIF89a is none of ours".to_vec()),
        ("a JPEG of 4 thousand million pixels", jpeg(65_535, 65_535, &[], &scan)),
        ("a JPEG of just too many", jpeg(4_097, 4_096, &[], &scan)),
        ("a JPEG without height", jpeg(9, 0, &[], &scan)),
        ("a JPEG of two frames", jpeg(9, 9, &frame, &scan)),
        ("a JPEG segment of no length", jpeg(9, 9, &[0xff, 0xe1, 0, 1], &scan)),
        ("a PNG of four thousand million squared", png(u32::MAX, u32::MAX, &[], &scan)),
        ("a PNG one pixel wide", png(1, (1 << 24) + 1, &[], &scan)),
        ("a PNG of nothing", png(0, 9, &[], &scan)),
        ("a PNG of two headers", png(9, 9, &header[8..33], &scan)),
        ("a PNG with an unknown critical chunk", png(9, 9, &png_chunk(b"BOMB", &scan), &scan)),
        ("a WebP canvas of 16 million squared", webp(&webp_extended(0, 1 << 24, 1 << 24))),
        ("a WebP frame of too many", webp(&webp_lossy(16_383, 16_383, &scan))),
        ("a WebP that moves", moving),
        ("a WebP canvas of another size", canvas),
        ("over 10 MiB", vec![0xff; BYTES_MAX + 1]),
    ];
    for (number, (what, bytes)) in (200..).zip(bombs) {
        let refused = desk.founder.attach(request(number), &record, bytes).expect_err(what);
        assert_eq!(refused.code(), "E-IMAGE", "{what}");
    }
    assert_eq!(state(&desk.founder), before);
    let most = jpeg(4_096, 4_096, &[], &scan);
    desk.founder.attach(request(300), &record, &most).expect("attached");
}
