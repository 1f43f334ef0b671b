//! A record type with every merge rule, and histories of replicas that exchange at random.

#![allow(unreachable_pub)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tuquan_core::clock::Hlc;
use tuquan_core::codec::Value;
use tuquan_core::ids::{Digest, LogId};
use tuquan_core::log::item::{Op, Place, set_key};
use tuquan_core::record::declare::{Declaration, Lifecycle};
use tuquan_core::record::graph::GraphItem;
use tuquan_core::{choice, record};

choice! {
    /// The states of an incident.
    pub enum Step {
        /// New.
        New = 1 "moi",
        /// Acknowledged.
        Taken = 2 "tiep_nhan",
        /// In progress.
        Working = 3 "dang_xu_ly",
        /// Waiting.
        Waiting = 4 "cho",
        /// Referred.
        Referred = 5 "chuyen",
        /// Resolved.
        Resolved = 6 "da_giai_quyet",
        /// Closed.
        Closed = 7 "dong",
        /// Reopened.
        Reopened = 8 "mo_lai",
        /// Duplicate.
        Duplicate = 9 "trung",
        /// Void.
        Void = 10 "huy",
    }
}

/// The most cautious state first.
pub(crate) const LIFE: &Lifecycle =
    &Lifecycle { initial: 1, caution: &[5, 8, 3, 4, 2, 1, 6, 7, 9, 10], steps: &[] };

record! {
    /// A record with every merge rule.
    pub struct Toy = 900, "toy" {
        writers: [R1, R2, R3],
        /// Set once.
        16 once: i64, IM t,
        /// A list.
        17 list: i64, AO t,
        /// Last writer.
        18 last: i64, LW t,
        /// All kept.
        19 many: String | max 8, MV t,
        /// A set.
        20 set: i64, OR t,
        /// A folded state.
        21 step: Step, FS t folds LIFE,
        /// Last writer of the office.
        22 office: bool, OF t,
        /// A text.
        23 text: String, TX t,
        /// A count.
        24 count: i64, CN t,
    }
}

/// What the toy declares.
pub(crate) fn toy() -> &'static Declaration {
    Toy::DECLARATION
}

/// Returns the log of a replica; their order is not that of their numbers.
pub(crate) fn log(replica: usize) -> LogId {
    LogId([[7, 3, 9, 1, 5][replica]; 16])
}

/// Returns some digest; its order has nothing to do with time.
pub(crate) fn digest(number: u64) -> Digest {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&mixed.to_be_bytes());
    bytes[8..16].copy_from_slice(&number.to_be_bytes());
    Digest(bytes)
}

/// Makes an item of a replica.
pub(crate) fn item(replica: usize, seq: u64, hlc: u64, deps: &[Place], ops: Vec<Op>) -> GraphItem {
    GraphItem {
        place: Place { log: log(replica), seq, index: 0 },
        hlc: Hlc(hlc),
        digest: digest(seq * 5 + replica as u64),
        deps: deps.to_vec(),
        ops,
    }
}

/// Makes a transition.
pub(crate) fn step(to: i64) -> Op {
    Op::Add(21, Value::List(vec![Value::Int(to)]))
}

/// What happens next in a history.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// A replica writes at a time of its own clock.
    Write(usize, u64, Vec<Op>),
    /// A replica gets all that another one has.
    Hear(usize, usize),
}

/// Replicas that write and exchange; each knows a set of places.
#[derive(Debug, Default)]
pub(crate) struct Team {
    /// All that was written.
    pub(crate) items: Vec<GraphItem>,
    known: BTreeMap<usize, BTreeSet<Place>>,
}

impl Team {
    /// Plays acts after a first item that all replicas know.
    pub(crate) fn play(replicas: usize, first: Vec<Op>, acts: Vec<Act>) -> Self {
        let mut team = Self::default();
        team.write(0, 50, first);
        for replica in 1..replicas {
            team.hear(replica, 0);
        }
        for act in acts {
            match act {
                Act::Write(replica, hlc, ops) => team.write(replica % replicas, hlc, ops),
                Act::Hear(to, from) => team.hear(to % replicas, from % replicas),
            }
        }
        team
    }

    /// Gives a replica all that another one has.
    pub(crate) fn hear(&mut self, to: usize, from: usize) {
        let news = self.known.entry(from).or_default().clone();
        self.known.entry(to).or_default().extend(news);
    }

    /// Lets a replica write on all that it knows.
    pub(crate) fn write(&mut self, replica: usize, hlc: u64, ops: Vec<Op>) {
        let known = self.known.entry(replica).or_default();
        let mut heads = known.clone();
        for item in self.items.iter().filter(|item| known.contains(&item.place)) {
            for dep in &item.deps {
                heads.remove(dep);
            }
        }
        let heads: Vec<Place> = heads.into_iter().collect();
        let new = item(replica, self.items.len() as u64, hlc, &heads, ops);
        known.insert(new.place);
        self.items.push(new);
    }
}

/// Some operation on some field; few values, so that equal ones meet.
pub(crate) fn op() -> impl Strategy<Value = Op> {
    let int = || (0..3_i64).prop_map(Value::Int);
    let word = prop_oneof![Just("a"), Just("b"), Just("c")];
    prop_oneof![
        2 => int().prop_map(|value| Op::Set(16, value)),
        1 => Just(Op::Unset(16)),
        2 => int().prop_map(|value| Op::Add(17, value)),
        3 => int().prop_map(|value| Op::Set(18, value)),
        1 => Just(Op::Unset(18)),
        3 => word.prop_map(|text| Op::Set(19, Value::Text(text.to_owned()))),
        1 => Just(Op::Unset(19)),
        3 => int().prop_map(|value| Op::Add(20, value)),
        3 => int().prop_map(|value| Op::Remove(20, set_key(&value))),
        3 => (1..=10_i64).prop_map(step),
        2 => any::<bool>().prop_map(|flag| Op::Set(22, Value::Bool(flag))),
        2 => (-2..3_i64).prop_map(|delta| Op::Count(24, delta)),
        // A field of a newer app, and operations that do not fit.
        1 => int().prop_map(|value| Op::Set(99, value)),
        1 => int().prop_map(|value| Op::Add(99, value)),
    ]
}

/// The operations of an item; few items do not fit the declaration.
pub(crate) fn ops() -> impl Strategy<Value = Vec<Op>> {
    prop_oneof![
        19 => prop::collection::vec(op(), 0..5),
        1 => op().prop_map(|op| vec![op, Op::Count(18, 1)]),
    ]
}

/// Some acts of up to four replicas.
pub(crate) fn acts(
    count: usize,
    ops: impl Strategy<Value = Vec<Op>> + Clone,
) -> impl Strategy<Value = Vec<Act>> {
    let write = (0..4_usize, 0..40_u64, ops).prop_map(|(who, hlc, ops)| Act::Write(who, hlc, ops));
    let hear = (0..4_usize, 0..4_usize).prop_map(|(to, from)| Act::Hear(to, from));
    prop::collection::vec(prop_oneof![2 => write, 1 => hear], 0..count)
}
