//! Inputs that mean to be heavy: each is answered in bounded time and memory.
//!
//! Limits are those of a release build, under 2 s and 256 MiB; a build for tests gets three times
//! the time. Each bomb runs in a process of its own, so that its peak of memory is its own.

#![allow(clippy::print_stdout, reason = "the figures are what people look for")]

use std::process::Command;
use std::time::{Duration, Instant};

use tuquan_core::codec::{Value, Writer};
use tuquan_core::door::Tuquan;
use tuquan_core::error::Kind;
use tuquan_core::log::dictionary;
use tuquan_core::log::entry::kind;
use tuquan_core::log::item::{Dep, Item, Op, Place, Target};
use tuquan_core::record::declare::Role;
use tuquan_core::sync::session::{Options, Session, Side};
use tuquan_tests::phone::{Folder, HandClock, NOON_MS, location, open};
use tuquan_tests::rogue::Rogue;

const PEAK_KIB_MAX: u64 = 256 << 10;
const TIME_MAX: Duration = Duration::from_secs(if cfg!(debug_assertions) { 6 } else { 2 });
/// The name of the bomb that a child is to set off.
const FUSE: &str = "TUQUAN_BOMB";

/// A founder's phone, and a member that throws.
fn target() -> (Folder, Tuquan, Rogue) {
    let folder = Folder::new("bomb");
    let store = open(location(folder.path(), None), 1, &HandClock::at(NOON_MS)).expect("opened");
    store.found().expect("founded");
    let rogue = Rogue::join(&store, Role::R1, 9).expect("joined");
    (folder, store, rogue)
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let words = line.and_then(|line| line.split_whitespace().next());
    words.and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// Runs `bomb` in a child of this very test; there, `bomb` gives the longest single input.
fn set_off(name: &str, bomb: impl FnOnce() -> Duration) {
    if std::env::var(FUSE).is_ok_and(|fuse| fuse == name) {
        let longest = bomb();
        let peak = peak_kib();
        println!("{name}: longest input {longest:?}, peak {} MiB", peak >> 10);
        assert!(peak < PEAK_KIB_MAX, "{name}: a peak of {peak} KiB");
        assert!(longest < TIME_MAX, "{name}: an input took {longest:?}");
        return;
    }
    let itself = std::env::current_exe().expect("the test's own path");
    let mut child = Command::new(itself);
    child.args(["--exact", name, "--nocapture"]).env(FUSE, name);
    let output = child.output().expect("the child runs");
    let said = String::from_utf8_lossy(&output.stdout);
    for line in said.lines().filter(|line| line.contains("longest input")) {
        println!("{line}");
    }
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

fn timed<T>(longest: &mut Duration, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let outcome = run();
    *longest = (*longest).max(start.elapsed());
    outcome
}

fn created(ops: Vec<Op>) -> Item {
    Item { kind: 4, target: Target::New, deps: Vec::new(), ops }
}

/// Wraps content as an open pack that says it has one entry.
fn open_pack(store: &Tuquan, columns: bool, content: &[u8]) -> Vec<u8> {
    let space = store.device().expect("device").space.expect("founded");
    let frame = dictionary::compress(content, &[], 3).expect("compressed");
    let mut to = Writer::after(b"TQP1\x01".to_vec());
    to.raw(&[if columns { 3 } else { 1 }]).raw(&space.0).raw(&[0; 16]);
    to.array(1).array(3).bytes(&[9; 16]).uint(0).uint(1).raw(&[0; 24]);
    to.raw(&(frame.len() as u32).to_le_bytes()).raw(&frame);
    let mut pack = to.into_bytes();
    pack.resize(tuquan_core::log::pack::padded_len(pack.len()), 0);
    pack
}

#[test]
fn inflating_packs_deep_nesting_and_hollow_counts_are_refused() {
    set_off("inflating_packs_deep_nesting_and_hollow_counts_are_refused", || {
        let (_folder, store, _) = target();
        let mut longest = Duration::ZERO;
        let contents = [
            vec![0; 100 << 20],
            vec![0; 8 << 20],
            vec![0x81; 4 << 20],
            vec![0x9b; 1 << 20],
            vec![0x82, 0x9b, 0, 0, 0, 1, 0, 0, 0, 0],
            [&[0x8b][..], &[0x5b, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]].concat(),
        ];
        for content in contents {
            for columns in [false, true] {
                let pack = open_pack(&store, columns, &content);
                let outcome = timed(&mut longest, || store.bulk(|replica| replica.ingest(&pack)));
                let kind = outcome.expect_err("refused").kind;
                assert!(matches!(kind, Kind::Size | Kind::Format | Kind::Truncated), "{kind:?}");
            }
        }
        longest
    });
}

#[test]
fn frames_that_lie_about_their_length_are_refused_unread() {
    set_off("frames_that_lie_about_their_length_are_refused_unread", || {
        let (_folder, store, _) = target();
        let mut longest = Duration::ZERO;
        for number in 0..=9 {
            for len in [u32::MAX, 1 << 30, 0] {
                let frame = [&len.to_le_bytes()[..], &[number], &[0x9b; 64]].concat();
                let mut session = Session::new(Side::Responder, 0, Options::default());
                let outcome = timed(&mut longest, || {
                    store.bulk(|replica| session.handle_message(replica, &frame, 0))
                });
                outcome.expect_err("refused");
            }
        }
        longest
    });
}

#[test]
fn ten_thousand_concurrent_items_on_one_record_end() {
    set_off("ten_thousand_concurrent_items_on_one_record_end", || {
        let (_folder, store, mut first) = target();
        let mut longest = Duration::ZERO;
        let creation = first.write(&created(vec![Op::Set(16, Value::Int(4))]));
        let record = creation.record_id(tuquan_core::clock::Hlc::from_ms(first.now_ms));
        let pack = first.pack().expect("packed");
        store.bulk(|replica| replica.ingest(&pack)).expect("taken in");
        for author in 0..20 {
            let mut rogue = Rogue::join(&store, Role::R1, 100 + author).expect("joined");
            let mut dep = Dep { place: creation, check: Some([0; 4]) };
            for number in 0..500 {
                let ops = vec![Op::Set(20, Value::Text(format!("{author} {number}")))];
                let target = Target::Record(record);
                let place = rogue.write(&Item { kind: 4, target, deps: vec![dep], ops });
                dep = Dep { place, check: None };
            }
            let pack = rogue.pack().expect("packed");
            timed(&mut longest, || store.bulk(|replica| replica.ingest(&pack))).expect("taken in");
        }
        longest
    });
}

#[test]
fn a_hundred_thousand_tiny_entries_are_taken_in_steps() {
    set_off("a_hundred_thousand_tiny_entries_are_taken_in_steps", || {
        let (_folder, store, mut rogue) = target();
        let mut longest = Duration::ZERO;
        for _ in 0..25 {
            for _ in 0..4_000 {
                rogue.push(kind::WRITE, Vec::new());
            }
            let pack = rogue.pack().expect("packed");
            timed(&mut longest, || store.bulk(|replica| replica.ingest(&pack))).expect("taken in");
        }
        assert!(store.stats().expect("stats").entries > 100_000);
        longest
    });
}

#[test]
fn items_of_the_most_operations_and_waiting_items_are_bounded() {
    set_off("items_of_the_most_operations_and_waiting_items_are_bounded", || {
        let (_folder, store, mut rogue) = target();
        let mut longest = Duration::ZERO;
        let ops = |n: i64| {
            (0..1_000)
                .map(|op| {
                    Op::Add(22, Value::List(vec![Value::Int(1), Value::Text(format!("{n} {op}"))]))
                })
                .collect()
        };
        for n in 0..40 {
            rogue.write(&created(ops(n)));
        }
        let pack = rogue.pack().expect("packed");
        timed(&mut longest, || store.bulk(|replica| replica.ingest(&pack))).expect("taken in");
        for n in 0..2_000 {
            let place = Place { log: tuquan_core::ids::LogId([3; 16]), seq: n, index: 0 };
            let deps = vec![Dep { place, check: Some([0; 4]) }];
            rogue.write(&Item {
                kind: 4,
                target: Target::Record(tuquan_core::ids::RecordId([1; 16])),
                deps,
                ops: Vec::new(),
            });
        }
        let pack = rogue.pack().expect("packed");
        timed(&mut longest, || store.bulk(|replica| replica.ingest(&pack))).expect("taken in");
        assert_eq!(store.stats().expect("stats").pending, 2_000);
        longest
    });
}
