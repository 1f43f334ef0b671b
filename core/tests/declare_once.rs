//! A record type is declared once: this file's one declaration gives a table, lists, search,
//! conflicts, JSON, sync and a rebuild, with nothing else written by hand.

mod common;

use std::collections::BTreeMap;

use common::{Folder, HandClock, NOON_MS, env, location};
use tuquan_core::door::command::{Command, Effect};
use tuquan_core::door::query::{Counts, List, Search};
use tuquan_core::door::{Config, Tuquan};
use tuquan_core::error::Kind;
use tuquan_core::ids::{RecordId, RequestId};
use tuquan_core::record;
use tuquan_core::record::declare::{COMMON, Declaration, Pick, Role, TimeMs};
use tuquan_core::record::plain::Plain;
use tuquan_core::sync::card::Card;

record! {
    /// A bicycle rack, which no dormitory has asked for yet.
    pub struct Rack = 900, "rack" {
        writers: [R2, R3],
        /// What people call it.
        16 label: String | max 40, LW p; indexed searched,
        /// How many bicycles fit.
        17 slots: i64, MV t,
        /// What is wrong with it.
        18 faults: String, OR t,
        /// How many bicycles were counted.
        19 counted: i64, CN t,
    }
}

const SCHEMA: &[&Declaration] = &[Rack::DECLARATION];

fn open(folder: &Folder, seed: u64, clock: &HandClock) -> Tuquan {
    let config = Config { location: location(folder), schema: SCHEMA };
    Tuquan::open(config, env(seed, clock)).expect("the store opens")
}

fn apply(store: &Tuquan, number: u8, command: &Command) -> tuquan_core::door::Applied {
    store.apply(RequestId([number; 16]), command).expect("it is saved")
}

fn join(left: &Tuquan, right: &Tuquan, role: Role) {
    right.init().expect("an identity");
    let card = right.bulk(|replica| Ok(Card::encode(&replica.mind.identity()?.secret)));
    let card = Card::decode(&card.expect("a card")).expect("a card");
    let bundle = left.bulk(|replica| replica.grant_bundle(&card, role, true)).expect("a bundle");
    right.bulk(|replica| replica.import_bundle(&bundle, &mut |_, _| {})).expect("it joins");
}

fn carry(from: &Tuquan, to: &Tuquan) {
    let bundle = from.bulk(|replica| replica.export_bundle(None, false, 3)).expect("a bundle");
    to.bulk(|replica| replica.import_bundle(&bundle, &mut |_, _| {})).expect("it is taken in");
}

#[test]
fn the_struct_of_every_record_type_has_the_common_fields() {
    let rack = Rack {
        t_occ: Some(TimeMs(NOON_MS)),
        written_by: Some(RecordId([7; 16])),
        picks: vec![Pick { field: Some(16), ..Pick::default() }],
        ..Rack::default()
    };
    let draft = rack.draft();
    assert!(COMMON.iter().all(|field| draft.fields.contains_key(field.name)), "{draft:?}");
    assert_eq!(draft.fields.len(), COMMON.len());
    assert_eq!(Rack::from_plain(|name| draft.fields.get(name)), rack);
}

#[test]
fn one_declaration_gives_everything_a_record_type_needs() {
    let clock = HandClock::at(NOON_MS);
    let (a, b) = (Folder::new("rack-a"), Folder::new("rack-b"));
    let (left, right) = (open(&a, 1, &clock), open(&b, 2, &clock));
    left.found().expect("a team");
    let rack = Rack {
        label: Some("Nhà xe số 3".to_owned()),
        slots: Some(40),
        faults: vec!["gỉ sét".to_owned()],
        counted: Some(7),
        ..Rack::default()
    };
    let command = Command::Create { draft: rack.draft(), key: None };
    let made = apply(&left, 1, &command);
    assert_eq!(made.effect, Effect::Created);
    join(&left, &right, Role::R2);

    let set = |slots: i64| Command::Edit {
        record: made.record,
        set: BTreeMap::from([("slots".to_owned(), Some(Plain::Int(slots)))]),
    };
    apply(&left, 2, &set(38));
    apply(&right, 2, &set(42));
    carry(&left, &right);
    carry(&right, &left);
    assert_eq!(left.view_hash(), right.view_hash());

    let shown = left.get(&made.record).expect("read").expect("there");
    assert_eq!(shown.conflicts["slots"].len(), 2);
    assert_eq!(shown.fields["counted"], Plain::Int(7));
    let resolve = Command::Resolve {
        record: made.record,
        field: "slots".to_owned(),
        pick: Plain::Int(42),
        reason: Some("đếm lại".to_owned()),
    };
    apply(&left, 3, &resolve);
    let shown = left.get(&made.record).expect("read").expect("there");
    assert!(!shown.in_conflict && shown.lists["picks"].len() == 1);

    let search = Search { text: "nha xe so".into(), limit: 5, ..Search::default() };
    assert_eq!(left.search(&search).expect("a search").len(), 1);
    let filter = BTreeMap::from([("label".to_owned(), Plain::from("Nhà xe số 3"))]);
    let list = List { kind: "rack".into(), filter, limit: 5, ..List::default() };
    assert_eq!(left.list(&list).expect("a page").rows.len(), 1);
    let counts = Counts { kind: "rack".into(), by: vec!["label".into()], ..Counts::default() };
    assert_eq!(left.counts(&counts).expect("counts")[0].count, 1);
    assert!(left.doctor(&mut |_, _| {}).expect("checked").views_ok);

    let json = serde_json::to_string(&rack).expect("JSON");
    assert_eq!(serde_json::from_str::<Rack>(&json).expect("JSON"), rack);
    let draft = rack.draft();
    assert_eq!(Rack::from_plain(|name| draft.fields.get(name)), rack);
}

#[test]
fn its_declaration_says_who_writes_it_and_how_long_its_texts_are() {
    let clock = HandClock::at(NOON_MS);
    let (a, b) = (Folder::new("rack-c"), Folder::new("rack-d"));
    let (left, right) = (open(&a, 1, &clock), open(&b, 2, &clock));
    left.found().expect("a team");
    join(&left, &right, Role::R1);
    let rack = Rack { label: Some("x".to_owned()), ..Rack::default() };
    let command = Command::Create { draft: rack.draft(), key: None };
    let refused = right.apply(RequestId([1; 16]), &command).expect_err("no such right");
    assert_eq!(refused.kind, Kind::Role);
    let long = Rack { label: Some("x".repeat(41)), ..Rack::default() };
    let command = Command::Create { draft: long.draft(), key: None };
    let refused = left.apply(RequestId([1; 16]), &command).expect_err("too long");
    assert_eq!(refused.kind, Kind::Invalid);
}
