//! What went wrong once, each as small as it can be shown.

use rusqlite::types::Value as Sql;
use rusqlite::{Row, params_from_iter};
use tuquan_core::clock::Hlc;
use tuquan_core::codec::Value;
use tuquan_core::door::Tuquan;
use tuquan_core::ids::{LogId, RecordId};
use tuquan_core::log::entry::{Body, kind};
use tuquan_core::log::item::{Dep, Item, Op, Place, Target};
use tuquan_core::record::declare::Role;
use tuquan_core::record::plain::Plain;
use tuquan_core::replica::Replica;
use tuquan_core::replica::outgoing::Vector;
use tuquan_tests::phone::{
    Folder, HandClock, NOON_MS, edit, incident, location, note, open, request,
};
use tuquan_tests::rogue::Rogue;
use tuquan_tests::team::{give, join, packs, vector};

const YEAR_MS: i64 = 365 * 86_400_000;

/// Two phones of one team; the second one's clock is off by so many ms.
struct Two {
    folders: [Folder; 2],
    clocks: [HandClock; 2],
    a: Tuquan,
    b: Tuquan,
}

impl Two {
    fn new(skew_ms: i64) -> Self {
        let folders = [Folder::new("one"), Folder::new("two")];
        let clocks = [HandClock::at(NOON_MS), HandClock::at(NOON_MS + skew_ms)];
        let a = open(location(folders[0].path(), None), 1, &clocks[0]).expect("opened");
        let b = open(location(folders[1].path(), None), 2, &clocks[1]).expect("opened");
        a.found().expect("founded");
        join(&a, &b, Role::R2).expect("joined");
        Self { folders, clocks, a, b }
    }

    fn tap(&self, number: u64) -> RecordId {
        self.a.apply(request(number), &incident("Mất xe")).expect("written").record
    }

    fn equal(&self) {
        for store in [&self.a, &self.b] {
            let checked = store.doctor(&mut |_, _| {}).expect("checked");
            assert!(checked.views_ok, "{checked:?}");
        }
        assert_eq!(self.a.view_hash().expect("hash"), self.b.view_hash().expect("hash"));
    }
}

/// A rebuild goes by clocks; what a slow phone wrote came before what it builds on, and beyond one
/// step of 1,024 entries the creation was then written a second time.
#[test]
fn a_rebuild_of_many_entries_does_not_trust_clocks() {
    let two = Two::new(-10 * YEAR_MS);
    let drafts: Vec<_> = (0..1_200).map(|n| incident(&format!("vụ {n}"))).collect();
    let made = two.a.apply_many(&drafts, &mut |_| {}).expect("written");
    give(&two.a, &two.b).expect("given");
    for (number, made) in (0..).zip(&made).step_by(40) {
        let record = made.as_ref().expect("made").record;
        two.b.apply(request(number), &note(record, "Đã xem")).expect("noted");
    }
    give(&two.b, &two.a).expect("given");
    two.equal();
}

/// The row of the own log was moved to its end by a pack without anything new; the tail of rows
/// before it was then lost to the chain.
#[test]
fn own_packs_that_come_back_leave_the_own_tail_alone() {
    let two = Two::new(0);
    two.tap(1);
    let own = packs(&two.a, &Vector::default()).expect("packed");
    two.tap(2);
    for pack in &own {
        two.a.bulk(|replica| replica.ingest(pack)).expect("nothing new");
    }
    two.tap(3);
    give(&two.a, &two.b).expect("the chain holds");
    two.equal();
}

/// Packs were held for want of the team list; the process died after it came and before the retry.
#[test]
fn held_packs_are_tried_again_at_open() {
    let two = Two::new(0);
    two.tap(1);
    let mut rogue = Rogue::join(&two.a, Role::R1, 9).expect("joined");
    rogue.write(&Item {
        kind: 4,
        target: Target::New,
        deps: Vec::new(),
        ops: vec![Op::Set(16, Value::Int(4))],
    });
    let pack = rogue.pack().expect("packed");
    assert!(two.b.bulk(|replica| replica.ingest(&pack)).expect("held").held.is_some());
    // What a crash leaves: the team list is there, the held pack too.
    let Two { folders, clocks, a, b } = two;
    let held = |store: &Tuquan| {
        store.read(|connection, _| {
            let row = connection.query_row("SELECT id, reason, bytes FROM held", [], |row| {
                Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?, row.get::<_, Vec<u8>>(2)?))
            });
            Ok(row?)
        })
    };
    let kept = held(&b).expect("held");
    give(&a, &b).expect("given");
    b.bulk(|replica| {
        replica.transact(|transaction, _, _| {
            transaction
                .execute("DELETE FROM segment WHERE at >= (SELECT max(no) FROM log) << 40", [])?;
            transaction.execute("DELETE FROM log WHERE no = (SELECT max(no) FROM log)", [])?;
            transaction.execute("INSERT INTO held VALUES (?, ?, ?)", (kept.0, kept.1, kept.2))?;
            Ok(())
        })
    })
    .expect("as after a crash");
    drop(b);
    let b = open(location(folders[1].path(), None), 3, &clocks[1]).expect("opened");
    assert_eq!(b.stats().expect("stats").held, 0);
}

/// A change of another type, or on foreign deps, took the id of a record before it came.
#[test]
fn nobody_takes_the_id_of_anothers_record() {
    let two = Two::new(0);
    let record = two.tap(1);
    let mut rogue = Rogue::join(&two.a, Role::R1, 9).expect("joined");
    // Whoever joins must be known before the lie arrives; the incident comes last.
    let late = packs(&two.a, &vector(&two.b).expect("vector")).expect("packed");
    for kind in [1, 4] {
        let dep = Dep { place: Place { log: rogue.log, seq: 0, index: 0 }, check: None };
        let ops = vec![Op::Set(16, Value::Int(9))];
        rogue.write(&Item { kind, target: Target::Record(record), deps: vec![dep], ops });
    }
    let lie = rogue.pack().expect("packed");
    for pack in late.iter().take(1).chain([&lie]).chain(&late) {
        two.b.bulk(|replica| replica.ingest(pack)).expect("taken in");
    }
    two.a.bulk(|replica| replica.ingest(&lie)).expect("taken in");
    let shown = two.b.get(&record).expect("read").expect("there");
    assert_eq!(
        (shown.kind.as_str(), &shown.fields["category"]),
        ("incident", &Plain::from("theft"))
    );
    two.b.apply(request(7), &edit(record, "summary", Plain::from("Vẫn ghi được"))).expect("edited");
    give(&two.b, &two.a).expect("given");
    two.equal();
}

/// A place that an entry does not have, a later place of the same log: the item waited for ever on
/// the phone that heard of it first, and not at all on the other.
#[test]
fn items_on_places_that_say_nothing_end_alike_in_any_order() {
    let two = Two::new(0);
    let mut rogues: Vec<Rogue> =
        (0..2).map(|seed| Rogue::join(&two.a, Role::R1, 20 + seed).expect("joined")).collect();
    give(&two.a, &two.b).expect("given");
    let creation = Item {
        kind: 4,
        target: Target::New,
        deps: Vec::new(),
        ops: vec![Op::Set(16, Value::Int(4))],
    };
    let other = rogues[1].log;
    for (seq, index) in [(1, 7), (2, 0), (0, 0), (3, 0)] {
        let dep = |log, check| Dep { place: Place { log, seq, index }, check };
        let deps = vec![dep(other, Some([0; 4]))];
        rogues[0].write(&Item {
            target: Target::Record(RecordId([5; 16])),
            deps,
            ..creation.clone()
        });
        let deps = vec![Dep { place: Place { log: other, seq: seq + 1, index }, check: None }];
        rogues[1].write(&Item {
            target: Target::Record(RecordId([5; 16])),
            deps,
            ..creation.clone()
        });
    }
    rogues[1].push_bodies(kind::WRITE, vec![Body::Bytes(vec![0xff])]);
    let lies: Vec<_> = rogues.iter_mut().map(|rogue| rogue.pack().expect("packed")).collect();
    for (store, order) in [(&two.a, [0, 1]), (&two.b, [1, 0])] {
        for at in order {
            store.bulk(|replica| replica.ingest(&lies[at])).expect("taken in");
        }
    }
    let (a, b) = (two.a.stats().expect("stats"), two.b.stats().expect("stats"));
    assert_eq!((a.pending, a.damaged), (b.pending, b.damaged));
    two.equal();
}

/// A relay stripped an item; its content came later, was stored, and was never shown.
#[test]
fn content_that_fills_a_hole_is_shown() {
    let two = Two::new(0);
    let mut rogue = Rogue::join(&two.a, Role::R1, 9).expect("joined");
    give(&two.a, &two.b).expect("given");
    let ops = vec![Op::Set(16, Value::Int(4)), Op::Set(20, Value::Text("Đủ chữ".into()))];
    let item = Item { kind: 4, target: Target::New, deps: Vec::new(), ops };
    let place = rogue.write(&item);
    let whole = rogue.range();
    let mut stripped = whole.clone();
    let salt = whole.runs[0].salt(place.seq, 0);
    let digest = tuquan_core::log::item::item_digest(&salt, &item.encode(&rogue.log));
    stripped.entries[1].items = vec![Body::Absent(digest)];
    let (stripped, whole) =
        (rogue.wrap(&stripped).expect("packed"), rogue.wrap(&whole).expect("packed"));
    let build = Item {
        target: Target::Record(place.record_id(Hlc::from_ms(rogue.now_ms))),
        deps: vec![Dep { place, check: None }],
        ops: vec![Op::Set(19, Value::Int(2))],
        kind: 4,
    };
    rogue.write(&build);
    let later = rogue.pack().expect("packed");
    for pack in [&stripped, &later] {
        two.b.bulk(|replica| replica.ingest(pack)).expect("taken in");
    }
    let stats = two.b.stats().expect("stats");
    assert_eq!((stats.pending, stats.records[3].count), (1, 0));
    assert_eq!(vector(&two.b).expect("vector").get(&rogue.log).expect("there").excepted, [(1, 1)]);
    two.b.bulk(|replica| replica.ingest(&whole)).expect("taken in");
    for pack in [&whole, &later] {
        two.a.bulk(|replica| replica.ingest(pack)).expect("taken in");
    }
    assert_eq!(two.b.stats().expect("stats").records[3].count, 1);
    two.equal();
}

/// A phone that folded a record item by item showed what was over the record's bounds; one that
/// merged the same items left it out.
#[test]
fn a_record_over_its_bounds_is_the_same_folded_and_merged() {
    let two = Two::new(0);
    let mut rogues: Vec<Rogue> =
        (0..2).map(|seed| Rogue::join(&two.a, Role::R1, 30 + seed).expect("joined")).collect();
    give(&two.a, &two.b).expect("given");
    let priority = |value| Op::Set(19, Value::Int(value));
    let (target, deps) = (Target::New, Vec::new());
    let creation = Item { kind: 4, target, deps, ops: vec![Op::Set(16, Value::Int(4))] };
    let first = rogues[0].write(&creation);
    let opening = rogues[0].range();
    let id = first.record_id(Hlc::from_ms(rogues[0].now_ms));
    let item = |deps, ops| Item { kind: 4, target: Target::Record(id), deps, ops };
    let known = rogues[0].dep(&opening, first, &creation.encode(&rogues[0].log));
    let aside = item(vec![known], vec![priority(1)]);
    let other = rogues[1].write(&aside);
    let middle = rogues[1].range();
    let beside = rogues[1].dep(&middle, other, &aside.encode(&rogues[1].log));
    let own = |place| Dep { place, check: None };
    let mut heads = vec![own(first), beside];
    heads.sort();
    // From here on the record is a line: one phone folds it, the other has yet to hear of `aside`.
    let mut last = rogues[0].write(&item(heads, vec![priority(2)]));
    let mut rest = Vec::new();
    for number in 0..144 {
        let long = Op::Set(900, Value::Text("x".repeat(60 << 10)));
        let shown = Op::Set(26, Value::Int(number));
        last = rogues[0].write(&item(vec![own(last)], vec![long, shown]));
        if number % 36 == 35 {
            rest.push(rogues[0].pack().expect("packed"));
        }
    }
    let opening = rogues[0].wrap(&opening).expect("packed");
    let middle = rogues[1].wrap(&middle).expect("packed");
    let take = |store: &Tuquan, pack: &[u8]| {
        store.bulk(|replica| replica.ingest(pack)).expect("taken in");
    };
    for pack in [&opening, &middle].into_iter().chain(&rest) {
        take(&two.a, pack);
    }
    for pack in [&opening].into_iter().chain(&rest).chain([&middle]) {
        take(&two.b, pack);
    }
    let shown = two.a.get(&id).expect("read").expect("there");
    assert!(shown.damaged, "{shown:?}");
    two.equal();
}

/// A merge passed over a head that it could not read, and the record forgot what it had said.
#[test]
fn a_merge_without_an_entry_of_its_record_says_so_and_forgets_nothing() {
    let two = Two::new(0);
    let record = two.tap(1);
    let mut rogue = Rogue::join(&two.a, Role::R1, 9).expect("joined");
    give(&two.a, &two.b).expect("given");
    let log = two.a.device().expect("device").log.expect("open");
    let first = vector(&two.a).expect("vector").get(&log).expect("there").next - 1;
    // A concurrent change, by somebody who knows only the creation.
    let check = two
        .b
        .read(|connection, views| {
            let stored = views[3].load(connection, &record)?;
            Ok(stored.map(|stored| stored.heads[0].check))
        })
        .expect("read");
    let dep = Dep { place: Place { log, seq: first, index: 0 }, check };
    let ops = vec![Op::Set(19, Value::Int(2))];
    rogue.write(&Item { kind: 4, target: Target::Record(record), deps: vec![dep], ops });
    let beside = rogue.pack().expect("packed");
    two.a.apply(request(2), &edit(record, "summary", Plain::from("Đã ghi"))).expect("edited");
    give(&two.a, &two.b).expect("given");
    let lose = |replica: &mut Replica| {
        let no = replica.mind.local_no(&log);
        let sql = "DELETE FROM segment WHERE at = ? RETURNING at, count, link, heads, body";
        let row =
            |row: &Row<'_>| (0..5).map(|column| row.get(column)).collect::<Result<Vec<Sql>, _>>();
        replica.transact(|transaction, _, _| {
            Ok(transaction.query_row(sql, [no << 40 | (first + 1).cast_signed()], row)?)
        })
    };
    let lost = two.b.bulk(lose).expect("lost");
    two.b.bulk(|replica| replica.ingest(&beside)).expect("taken in");
    let shown = two.b.get(&record).expect("read").expect("there");
    assert_eq!((&shown.fields["summary"], shown.damaged), (&Plain::from("Đã ghi"), true));
    assert_eq!(two.b.stats().expect("stats").damaged, 2, "what is lost and what waits for it");
    // The entry is there again, from a peer or a copy: nothing was forgotten.
    two.b
        .bulk(|replica| {
            replica.transact(|transaction, _, _| {
                let sql = "INSERT INTO segment VALUES (?, ?, ?, ?, ?)";
                Ok(transaction.execute(sql, params_from_iter(lost))?)
            })
        })
        .expect("put back");
    two.b.apply(request(3), &note(record, "Đã xem")).expect("noted");
    assert_eq!(two.b.stats().expect("stats").damaged, 0);
    two.a.bulk(|replica| replica.ingest(&beside)).expect("taken in");
    give(&two.b, &two.a).expect("given");
    two.equal();
}

/// An own entry was stored after its step; an item that had waited for it was merged in that step,
/// did not find the entry, and the record forgot what was just written.
#[test]
fn an_own_write_that_was_waited_for_stays_in_its_record() {
    let two = Two::new(0);
    let record = two.tap(1);
    let mut rogue = Rogue::join(&two.a, Role::R1, 9).expect("joined");
    let log = two.a.device().expect("device").log.expect("open");
    let next = vector(&two.a).expect("vector").get(&log).expect("there").next;
    // The entry of the tap, and a place that the next one does not have.
    let dep = |seq, index| Dep { place: Place { log, seq, index }, check: Some([0; 4]) };
    let deps = vec![dep(next - 1, 0), dep(next, 7)];
    let ops = vec![Op::Set(19, Value::Int(2))];
    rogue.write(&Item { kind: 4, target: Target::Record(record), deps, ops });
    let lie = rogue.pack().expect("packed");
    two.a.bulk(|replica| replica.ingest(&lie)).expect("taken in");
    assert_eq!(two.a.stats().expect("stats").pending, 1);
    two.a.apply(request(2), &edit(record, "summary", Plain::from("Đã ghi"))).expect("edited");
    assert_eq!(two.a.stats().expect("stats").pending, 0);
    let shown = two.a.get(&record).expect("read").expect("there");
    assert_eq!(shown.fields["summary"], Plain::from("Đã ghi"));
    give(&two.a, &two.b).expect("given");
    two.equal();
}

/// An item that waited was woken by one of its deps and found another one stored, though its turn
/// had not come; that one waits itself, so who got both in another order had one more waiting.
#[test]
fn an_item_waits_for_all_that_it_builds_on_in_whatever_order_they_come() {
    let two = Two::new(0);
    let mut rogue = Rogue::join(&two.a, Role::R1, 9).expect("joined");
    give(&two.a, &two.b).expect("given");
    let set = |value| vec![Op::Set(16, Value::Int(value))];
    let made = Item { kind: 4, target: Target::New, deps: Vec::new(), ops: set(1) };
    let made = rogue.write(&made);
    let record = made.record_id(Hlc::from_ms(rogue.now_ms));
    let own = |place| Dep { place, check: None };
    let nowhere = Place { log: LogId([3; 16]), seq: 5, index: 2 };
    let mut change = |value, deps| {
        rogue.write(&Item { kind: 4, target: Target::Record(record), deps, ops: set(value) })
    };
    let lost = change(2, vec![Dep { place: nowhere, check: Some([0; 4]) }, own(made)]);
    let first = rogue.pack().expect("packed");
    rogue.write(&Item {
        kind: 4,
        target: Target::Record(record),
        deps: vec![own(made), own(lost)],
        ops: set(3),
    });
    let second = rogue.pack().expect("packed");
    for (store, packs) in [(&two.a, [&first, &second]), (&two.b, [&second, &first])] {
        for pack in packs {
            store.bulk(|replica| replica.ingest(pack)).expect("taken in");
        }
        assert_eq!(store.stats().expect("stats").pending, 2);
    }
    two.equal();
}

/// Entries that came beyond a gap were taken for those of another history that filled it, when
/// neither end of the one lay in the other: the other history was never stored.
#[test]
fn what_fills_a_gap_may_be_of_another_history_than_what_lies_beyond() {
    let two = Two::new(0);
    let mut rogue = Rogue::join(&two.a, Role::R1, 9).expect("joined");
    give(&two.a, &two.b).expect("given");
    let write = |rogue: &mut Rogue, values: std::ops::Range<i64>| {
        for value in values {
            let ops = vec![Op::Set(16, Value::Int(value))];
            rogue.write(&Item { kind: 4, target: Target::New, deps: Vec::new(), ops });
        }
        rogue.pack().expect("packed")
    };
    let mut liar = rogue.clone();
    let opening = rogue.pack().expect("packed");
    liar.now_ms += 7;
    let (beyond, other) = (write(&mut rogue, 10..14), write(&mut liar, 20..22));
    for (store, packs) in
        [(&two.a, [&opening, &beyond, &other]), (&two.b, [&beyond, &other, &opening])]
    {
        for pack in packs {
            store.bulk(|replica| replica.ingest(pack)).expect("taken in");
        }
        assert_eq!(store.forked().len(), 1);
        assert_eq!(store.stats().expect("stats").records[3].count, 6);
    }
    two.equal();
}
