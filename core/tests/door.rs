//! The door, end to end on one device with a real encrypted store.

mod common;

use std::collections::BTreeMap;

use common::{Folder, HandClock, NOON_MS, env, location, open};
use tuquan_core::domain::category::Category;
use tuquan_core::domain::incident::{Incident, Outcome};
use tuquan_core::domain::place::{Place, PlaceKind};
use tuquan_core::door::command::{Command, Effect};
use tuquan_core::door::query::{Counts, List, Search};
use tuquan_core::door::{Applied, Config, Tuquan};
use tuquan_core::error::Kind;
use tuquan_core::ids::RequestId;
use tuquan_core::record::declare::Role;
use tuquan_core::record::plain::Plain;
use tuquan_core::sync::card::Card;
use tuquan_core::sync::session::{Options, Session, Side};

fn request(number: u8) -> RequestId {
    RequestId([number; 16])
}

fn founded(folder: &Folder, clock: &HandClock) -> Tuquan {
    let store = open(folder, 1, clock);
    store.found().expect("a team is founded");
    store
}

fn incident(summary: &str) -> Command {
    let incident = Incident {
        category: Some(Category::Theft),
        summary: Some(summary.to_owned()),
        ..Incident::default()
    };
    Command::Create { draft: incident.draft(), key: None }
}

fn log(store: &Tuquan, number: u8, summary: &str) -> Applied {
    store.apply(request(number), &incident(summary)).expect("the tap is saved")
}

#[test]
fn what_was_tapped_is_listed_found_and_there_after_reopening() {
    let (folder, clock) = (Folder::new("door"), HandClock::at(NOON_MS));
    let store = founded(&folder, &clock);
    let first = log(&store, 1, "Mất trộm xe đạp ở nhà B2");
    clock.advance(60_000);
    let second = log(&store, 2, "Bóng đèn cầu thang hỏng");
    let hash = store.view_hash().expect("views are hashed");
    drop(store);

    let store = open(&folder, 2, &clock);
    assert_eq!(store.view_hash().expect("views are hashed"), hash);
    let list = List { kind: "incident".into(), limit: 10, ..List::default() };
    let page = store.list(&list).expect("a page");
    let ids: Vec<_> = page.rows.iter().map(|row| row.record).collect();
    assert_eq!(ids, [second.record, first.record]);
    for text in ["xe dap", "XE ĐẠP", "trộm", "trom b2"] {
        let search = Search { text: text.into(), limit: 10, ..Search::default() };
        let hits = store.search(&search).expect("a search");
        assert_eq!(hits.len(), 1, "{text}");
        assert_eq!(hits[0].record, first.record);
    }
    assert_eq!(log(&store, 3, "Tiếp tục").entry.expect("written").seq, 3);
}

#[test]
fn search_puts_words_as_typed_before_whole_words_and_those_before_beginnings() {
    let (folder, clock) = (Folder::new("ranking"), HandClock::at(NOON_MS));
    let store = founded(&folder, &clock);
    // The worst hit is the newest, so that time alone would say the opposite.
    let summaries = ["Trộm xe cạp", "Trộm xe cap", "Trộm xe caption"];
    let records = (1..).zip(summaries).map(|(number, summary)| {
        clock.advance(60_000);
        log(&store, number, summary).record
    });
    let records: Vec<_> = records.collect();
    let found = |text: &str, limit: u32| -> Vec<_> {
        let search = Search { text: text.into(), limit, ..Search::default() };
        store.search(&search).expect("a search").iter().map(|hit| hit.record).collect()
    };
    let [typed, whole, begun] = records[..] else { panic!("three records") };
    assert_eq!(found("xe cạp", 10), [typed, whole, begun]);
    assert_eq!(found("xe cap", 10), [whole, typed, begun], "whole words, newest first");
    assert_eq!(found("xe cap", 2), [whole, typed]);
    assert_eq!(found("xe capt", 10), [begun]);
    assert_eq!(found("xe ca", 10), [], "two letters begin too much");
}

#[test]
fn a_repeated_request_returns_the_first_answer_also_after_reopening() {
    let (folder, clock) = (Folder::new("request"), HandClock::at(NOON_MS));
    let store = founded(&folder, &clock);
    let first = log(&store, 1, "Ồn ào sau 23 giờ");
    assert_eq!(log(&store, 1, "Ồn ào sau 23 giờ"), first);
    store.pause().expect("the store pauses");
    drop(store);
    let store = open(&folder, 2, &clock);
    assert_eq!(log(&store, 1, "Ồn ào sau 23 giờ"), first);
    assert_eq!(store.stats().expect("stats").records[3].count, 1);
}

#[test]
fn an_incident_goes_through_its_life_and_refuses_steps_that_are_none() {
    let (folder, clock) = (Folder::new("life"), HandClock::at(NOON_MS));
    let store = founded(&folder, &clock);
    let record = log(&store, 1, "Cửa sổ vỡ").record;
    let step = |number: u8, to: &str, set: BTreeMap<String, Option<Plain>>| {
        let to = to.to_owned();
        store.apply(
            request(number),
            &Command::Transition { record, to, t_event: None, reason: None, set },
        )
    };
    let none = BTreeMap::new;
    let refused = step(2, "closed", none()).expect_err("no such step");
    assert_eq!(refused.kind, Kind::Invalid);
    step(3, "acknowledged", none()).expect("acknowledged");
    step(4, "in_progress", none()).expect("in progress");
    let refused = step(5, "resolved", none()).expect_err("an outcome is missing");
    assert_eq!(refused.kind, Kind::Invalid);
    let outcome = Plain::from(Outcome::Repaired.token());
    step(6, "resolved", BTreeMap::from([("outcome".to_owned(), Some(outcome))])).expect("resolved");
    let shown = store.get(&record).expect("read").expect("there");
    assert_eq!(shown.fields["state"], Plain::from("resolved"));
    assert_eq!(shown.lists["state"].len(), 3);
}

#[test]
fn a_sealed_kind_takes_no_text() {
    let (folder, clock) = (Folder::new("sealed"), HandClock::at(NOON_MS));
    let store = founded(&folder, &clock);
    let sealed = Incident {
        category: Some(Category::Bullying),
        summary: Some("x".to_owned()),
        ..Incident::default()
    };
    let command = Command::Create { draft: sealed.draft(), key: None };
    assert_eq!(store.apply(request(1), &command).expect_err("text").kind, Kind::Invalid);
    let record = log(&store, 2, "Ghi nhầm loại").record;
    let set = BTreeMap::from([("category".to_owned(), Some(Plain::from("wellbeing")))]);
    let edit = Command::Edit { record, set };
    assert_eq!(store.apply(request(3), &edit).expect_err("it has text").kind, Kind::Invalid);
}

#[test]
fn an_import_of_equal_content_changes_nothing_and_of_other_content_edits() {
    let (folder, clock) = (Folder::new("import"), HandClock::at(NOON_MS));
    let store = founded(&folder, &clock);
    let place = |name: &str| {
        let place = Place {
            name: Some(name.to_owned()),
            kind: Some(PlaceKind::Building),
            ..Place::default()
        };
        Command::Import { draft: place.draft(), key: "b2".to_owned() }
    };
    let commands = [place("Nhà B2"), place("Nhà B2"), place("Nhà B2 mới")];
    let outcomes = store.apply_many(&commands, &mut |_| {}).expect("imported");
    let effects: Vec<_> = outcomes.iter().map(|o| o.as_ref().expect("done").effect).collect();
    assert_eq!(effects, [Effect::Created, Effect::Unchanged, Effect::Changed]);
    let again = store.apply_many(&commands[2..], &mut |_| {}).expect("imported");
    assert_eq!(again[0].as_ref().expect("done").effect, Effect::Unchanged);
}

#[test]
fn pages_by_key_meet_every_record_once_and_counts_add_up() {
    let (folder, clock) = (Folder::new("pages"), HandClock::at(NOON_MS));
    let store = founded(&folder, &clock);
    let commands: Vec<_> = (0..1_234).map(|n| incident(&format!("vụ {n}"))).collect();
    let outcomes = store.apply_many(&commands, &mut |_| {}).expect("written");
    assert!(outcomes.iter().all(Result::is_ok));
    let mut list = List { kind: "incident".into(), limit: 100, ..List::default() };
    let mut seen = std::collections::BTreeSet::new();
    loop {
        let page = store.list(&list).expect("a page");
        assert!(page.rows.iter().all(|row| seen.insert(row.record)));
        match page.next {
            Some(next) => list.after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen.len(), 1_234);
    let counts =
        Counts { kind: "incident".into(), by: vec!["category".into()], ..Counts::default() };
    let counted = store.counts(&counts).expect("counts");
    assert_eq!(counted[0].by, [Some(Plain::from("theft"))]);
    assert_eq!(counted[0].count, 1_234);
}

#[test]
fn doctor_rebuilds_the_same_views() {
    let (folder, clock) = (Folder::new("doctor"), HandClock::at(NOON_MS));
    let store = founded(&folder, &clock);
    let record = log(&store, 1, "Mất điện tầng 3").record;
    let element = Plain::Parts(BTreeMap::from([
        ("kind".to_owned(), Plain::from("note")),
        ("body".to_owned(), Plain::from("Đã gọi thợ")),
    ]));
    let note = Command::Add { record, field: "timeline".to_owned(), element };
    store.apply(request(2), &note).expect("noted");
    let checked = store.doctor(&mut |_, _| {}).expect("checked");
    assert!(checked.pages_ok && checked.views_ok, "{checked:?}");
    assert_eq!(checked.entries, 2);
}

#[test]
fn a_second_opener_is_told_that_the_store_is_busy_and_another_key_opens_nothing() {
    let (folder, clock) = (Folder::new("busy"), HandClock::at(NOON_MS));
    let store = founded(&folder, &clock);
    let second = Tuquan::open(Config::new(location(&folder)), env(3, &clock));
    assert_eq!(second.expect_err("it is open").kind, Kind::Busy);
    drop(store);
    let mut other = location(&folder);
    other.key.0 = [8; 32];
    let wrong = Tuquan::open(Config::new(other), env(3, &clock));
    assert_eq!(wrong.expect_err("another key").kind, Kind::DbKey);
    open(&folder, 4, &clock);
}

#[test]
fn another_phone_counts_only_after_its_signed_word_has_come() {
    let clock = HandClock::at(NOON_MS);
    let (a, b) = (Folder::new("truth-a"), Folder::new("truth-b"));
    let (left, right) = (founded(&a, &clock), open(&b, 2, &clock));
    right.init().expect("an identity");
    let card = right.bulk(|replica| Ok(Card::encode(&replica.mind.identity()?.secret)));
    let card = Card::decode(&card.expect("a card")).expect("a card");
    let bundle = left.bulk(|replica| replica.grant_bundle(&card, Role::R2, true));
    let bundle = bundle.expect("a bundle");
    right.bulk(|replica| replica.import_bundle(&bundle, &mut |_, _| {})).expect("it joins");
    let record = log(&left, 1, "Khóa cổng hỏng").record;
    assert_eq!(left.held_elsewhere(&record).expect("asked"), []);

    let mut sessions = [
        Session::new(Side::Initiator, 0, Options::default()),
        Session::new(Side::Responder, 0, Options::default()),
    ];
    let stores = [&left, &right];
    let mut is_quiet = false;
    while !is_quiet {
        is_quiet = true;
        for from in 0..2 {
            let (mine, other) = (stores[from], stores[1 - from]);
            while let Some(frame) =
                mine.bulk(|replica| sessions[from].poll_transmit(replica)).expect("a frame")
            {
                is_quiet = false;
                let to = &mut sessions[1 - from];
                other.bulk(|replica| to.handle_message(replica, &frame, 0)).expect("taken in");
            }
        }
    }
    let there = right.device().expect("a device").device;
    assert_eq!(left.held_elsewhere(&record).expect("asked"), [there]);
    let set = BTreeMap::from([("priority".to_owned(), Some(Plain::from("urgent")))]);
    left.apply(request(2), &Command::Edit { record, set }).expect("changed");
    assert_eq!(left.held_elsewhere(&record).expect("asked"), []);
}
