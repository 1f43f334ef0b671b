//! What a merge costs. Ignored: run in release with `--ignored --nocapture`.

use std::time::{Duration, Instant};

use tuquan_core::clock::Hlc;
use tuquan_core::codec::Value;
use tuquan_core::ids::LogId;
use tuquan_core::log::item::{Op, Place};
use tuquan_core::record::document::merge;
use tuquan_core::record::graph::{Graph, GraphItem};

use crate::toy::{digest, item, toy};

/// Makes one replica's items in a row, behind `after`.
pub(crate) fn chain(replica: usize, count: usize, after: Option<Place>) -> Vec<GraphItem> {
    let mut last: Vec<Place> = after.into_iter().collect();
    (1..=count as u64)
        .map(|seq| {
            let ops = vec![Op::Set(18, Value::Int(seq.cast_signed()))];
            let item = item(replica, seq, seq, &last, ops);
            last = vec![item.place];
            item
        })
        .collect()
}

/// Makes that many items of as many logs, none of which knows another.
pub(crate) fn burst(count: usize) -> Vec<GraphItem> {
    (0..count as u64)
        .map(|number| {
            let mut log = [0; 16];
            log[..8].copy_from_slice(&number.to_be_bytes());
            let place = Place { log: LogId(log), seq: 0, index: 0 };
            GraphItem {
                place,
                hlc: Hlc(number),
                digest: digest(number),
                deps: vec![],
                ops: vec![Op::Set(19, Value::Text(format!("v{number}")))],
            }
        })
        .collect()
}

fn ten_fields() -> Vec<GraphItem> {
    let ops = |from: i64| -> Vec<Op> {
        (0..10_u16)
            .map(|nth| Op::Set(100 + nth, Value::Text(format!("a value of some length {from}"))))
            .collect()
    };
    let first = item(0, 0, 1, &[], ops(0));
    let edit = item(0, 1, 2, &[first.place], ops(1)[..1].to_vec());
    let other = item(1, 2, 3, &[first.place], ops(2)[1..2].to_vec());
    vec![first, edit, other]
}

fn timed(what: &str, rounds: u32, mut run: impl FnMut()) {
    let start = Instant::now();
    for _ in 0..rounds {
        run();
    }
    let each: Duration = start.elapsed() / rounds;
    eprintln!("{what}: {each:?} each");
}

/// The highest resident size so far, in KiB, where the system tells.
fn peak_kib() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.unwrap_or("VmHWM unknown").to_owned()
}

#[test]
#[ignore = "a measurement, for release builds"]
fn merging_costs() {
    let of = toy();
    let small = ten_fields();
    timed("create, edit and concurrent edit of 10 fields", 2_000, || {
        merge(of, small.clone()).unwrap();
    });
    timed("create and edit of 10 fields", 2_000, || {
        merge(of, small[..2].to_vec()).unwrap();
    });
    let long = chain(0, 2_000, None);
    timed("a linear history of 2,000", 3, || {
        merge(of, long.clone()).unwrap();
    });
    let mut two = chain(0, 1_000, None);
    two.extend(chain(1, 1_000, None));
    timed("two branches of 1,000", 3, || {
        merge(of, two.clone()).unwrap();
    });
    let mut apart = chain(0, 1_000, None);
    for replica in 1..5 {
        apart.extend(chain(replica, 200, Some(apart[899].place)));
    }
    timed("1,000, then four branches of 200 off the 900th", 3, || {
        merge(of, apart.clone()).unwrap();
    });
    timed("two phones that hear each other two items late, 2,000", 3, || {
        merge(of, crossing(1_000)).unwrap();
    });
    eprintln!("{}", peak_kib());
    let burst = burst(10_000);
    timed("10,000 at once: graph", 3, || {
        assert_eq!(Graph::new(burst.clone()).nodes().len(), 256);
    });
    timed("10,000 at once: merge", 3, || {
        let merged = merge(of, burst.clone()).unwrap();
        assert_eq!(merged.heads.len(), 256);
    });
    eprintln!("{}", peak_kib());
    timed("1,000, then 255 branches off it at random", 1, || {
        merge(of, bushy()).unwrap();
    });
    eprintln!("{}", peak_kib());
    timed("8 MiB of text in 136 items", 1, || {
        merge(of, long_text(136)).unwrap();
    });
    timed("1 MiB of text, then 255 branches off its end", 1, || {
        let mut items = long_text(18);
        let last = items[17].place;
        items.extend(bushy().into_iter().skip(1_000).map(|mut leaf| {
            leaf.deps = vec![last];
            leaf
        }));
        merge(of, items).unwrap();
    });
    eprintln!("{}", peak_kib());
}

/// A text that grows by 60 KiB with every item.
fn long_text(count: usize) -> Vec<GraphItem> {
    let mut long = chain(0, count, None);
    long[0].ops = vec![Op::Text(23)];
    for item in &mut long[1..] {
        item.ops = vec![Op::Splice(23, 0, 0, "x".repeat(60 << 10))];
    }
    long
}

/// Two chains, each item of which also knows the other chain up to two items before.
fn crossing(count: usize) -> Vec<GraphItem> {
    let (mut one, mut other) = (chain(0, count, None), chain(1, count, None));
    for at in 3..count {
        one[at].deps.push(other[at - 3].place);
        other[at].deps.push(one[at - 3].place);
    }
    one.extend(other);
    one
}

/// A chain and many short branches off it, each from another place.
fn bushy() -> Vec<GraphItem> {
    let mut items = chain(0, 1_000, None);
    for (nth, mut leaf) in burst(255).into_iter().enumerate() {
        leaf.place.log.0[15] = 1;
        leaf.deps = vec![items[(nth * 617) % 1_000].place];
        items.push(leaf);
    }
    items
}
