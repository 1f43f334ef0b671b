//! What each control entry knew: the order that citations give, without clocks.
//!
//! The past of an entry is closed along every log, so one number per log says all of it. An entry
//! that cites something unknown is held: it is in no order until that comes. Must not know: what
//! acts mean.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::members::ControlEntry;
use crate::ids::{Link, LogId};

/// Control entries in causal order, and the past of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Causes {
    /// The number of each entry, by its link.
    numbers: BTreeMap<Link, usize>,
    nodes: Vec<Node>,
}

/// Where an entry stands, and how many entries of every log it knew; its own log's count is `seq`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    link: Link,
    log: usize,
    seq: u64,
    known: Arc<[u64]>,
}

impl Causes {
    /// Orders entries: causes first, ties by link. Returns them beside their past; those that are
    /// held are left out.
    #[must_use]
    pub fn of(entries: &[ControlEntry]) -> (Self, Vec<&ControlEntry>) {
        let mut logs: BTreeMap<LogId, Vec<&ControlEntry>> = BTreeMap::new();
        for entry in entries {
            logs.entry(entry.log).or_default().push(entry);
        }
        let mut queue = Queue::default();
        for (log, own) in logs.values_mut().enumerate() {
            own.sort_by_key(|entry| (entry.seq, entry.link));
            let gapless = (0..).zip(own.iter()).take_while(|(seq, entry)| *seq == entry.seq);
            let mut before = None;
            for (_, entry) in gapless {
                queue.add(log, entry, before);
                before = Some(entry.link);
            }
        }
        let mut causes = Self::default();
        let mut order = Vec::with_capacity(entries.len());
        let mut last = vec![None; logs.len()];
        while let Some((log, entry)) = queue.next() {
            causes.push(log, &mut last, entry);
            order.push(entry);
        }
        (causes, order)
    }

    /// Adds an entry; `last` has the number of each log's last entry so far.
    fn push(&mut self, log: usize, last: &mut [Option<usize>], entry: &ControlEntry) {
        let cited = entry.heads.iter().filter_map(|head| self.numbers.get(head));
        let own = last[log].replace(self.nodes.len());
        let mut known = vec![0; last.len()];
        for number in cited.copied().chain(own) {
            let node = &self.nodes[number];
            for (mine, theirs) in known.iter_mut().zip(node.known.iter()) {
                *mine = (*mine).max(*theirs);
            }
            known[node.log] = known[node.log].max(node.seq + 1);
        }
        known[log] = 0;
        let shared = own.map(|own| &self.nodes[own].known).filter(|own| own[..] == known[..]);
        let known = shared.map_or_else(|| known.into(), Arc::clone);
        self.numbers.insert(entry.link, self.nodes.len());
        self.nodes.push(Node { link: entry.link, log, seq: entry.seq, known });
    }

    /// Returns the number of an entry in the order; none when it is unknown or held.
    #[must_use]
    pub fn number(&self, link: &Link) -> Option<usize> {
        self.numbers.get(link).copied()
    }

    /// Returns the link of the entry with this number.
    #[must_use]
    pub fn link(&self, number: usize) -> Link {
        self.nodes[number].link
    }

    /// Tells whether entry `a` is in the past of entry `b`.
    #[must_use]
    pub fn is_before(&self, a: usize, b: usize) -> bool {
        let (a, b) = (&self.nodes[a], &self.nodes[b]);
        match a.log == b.log {
            true => a.seq < b.seq,
            false => a.seq < b.known[a.log],
        }
    }

    /// Tells whether neither entry knew of the other.
    #[must_use]
    pub fn are_concurrent(&self, a: usize, b: usize) -> bool {
        a != b && !self.is_before(a, b) && !self.is_before(b, a)
    }

    /// Tells whether who cites `heads` knows the entry `link`.
    #[must_use]
    pub fn knows(&self, heads: &[Link], link: &Link) -> bool {
        let Some(sought) = self.number(link) else {
            return false;
        };
        let mut cited = heads.iter().filter_map(|head| self.number(head));
        cited.any(|head| head == sought || self.is_before(sought, head))
    }
}

/// Entries that wait for what they cite.
#[derive(Default)]
struct Queue<'a> {
    entries: Vec<(usize, &'a ControlEntry, usize)>,
    /// By link: those that wait for it.
    waiting: BTreeMap<Link, Vec<usize>>,
    ready: BTreeSet<(Link, usize)>,
}

impl<'a> Queue<'a> {
    fn add(&mut self, log: usize, entry: &'a ControlEntry, before: Option<Link>) {
        let number = self.entries.len();
        let causes: BTreeSet<Link> = entry.heads.iter().copied().chain(before).collect();
        if causes.is_empty() {
            self.ready.insert((entry.link, number));
        }
        self.entries.push((log, entry, causes.len()));
        for cause in causes {
            self.waiting.entry(cause).or_default().push(number);
        }
    }

    fn next(&mut self) -> Option<(usize, &'a ControlEntry)> {
        let (link, number) = self.ready.pop_first()?;
        for waiter in self.waiting.remove(&link).unwrap_or_default() {
            let (_, entry, causes) = &mut self.entries[waiter];
            *causes -= 1;
            if *causes == 0 {
                self.ready.insert((entry.link, waiter));
            }
        }
        let (log, entry, _) = self.entries[number];
        Some((log, entry))
    }
}
