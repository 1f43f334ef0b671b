//! What each control entry knew: the order that citations give, without clocks.
//!
//! The past of an entry is closed along every log, so one number per log says all of it. An entry
//! that cites something unknown is held: it is in no order until that comes. A log with several
//! histories is taken apart: each is a lane of its own, and its entries are concurrent with those
//! of the others. Must not know: what acts mean.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::members::ControlEntry;
use crate::ids::{DeviceKey, Link, LogId};

/// Control entries in causal order, and the past of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Causes {
    /// The number of each entry, by its link.
    numbers: BTreeMap<Link, usize>,
    nodes: Vec<Node>,
    /// Of each log with several histories: its device, and two entries that follow the same one.
    forks: Vec<(DeviceKey, Link, Link)>,
}

/// Where an entry stands, and how many entries of every lane it knew; its own lane's count is `seq`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    link: Link,
    lane: usize,
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
        let (mut queue, mut lanes, mut forks) = (Queue::default(), Lanes::default(), Vec::new());
        for own in logs.values_mut() {
            own.sort_unstable_by_key(|entry| (entry.seq, entry.link));
            // The lowest link goes on in the lane.
            let mut next: BTreeMap<Option<Link>, Link> = BTreeMap::new();
            for entry in own.iter() {
                let before = (entry.seq > 0).then_some(entry.before);
                let Some(lane) = lanes.place(entry.link, before) else {
                    continue;
                };
                queue.add(lane, entry, before);
                match next.get(&before) {
                    Some(other) => forks.push((entry.device, *other, entry.link)),
                    None => drop(next.insert(before, entry.link)),
                }
            }
        }
        let mut causes = Self { forks, ..Self::default() };
        let mut order = Vec::with_capacity(entries.len());
        let mut last = vec![None; lanes.ends.len()];
        while let Some((lane, entry)) = queue.next() {
            causes.push(lane, &mut last, entry);
            order.push(entry);
        }
        (causes, order)
    }

    /// Adds an entry; `last` has the number of each lane's last entry so far.
    fn push(&mut self, lane: usize, last: &mut [Option<usize>], entry: &ControlEntry) {
        let cited = entry.heads.iter().filter_map(|head| self.numbers.get(head));
        // The first one of a lane may follow one of another.
        let before = self.numbers.get(&entry.before).filter(|_| entry.seq > 0);
        let own = last[lane].replace(self.nodes.len()).or(before.copied());
        let mut known = vec![0; last.len()];
        for number in cited.copied().chain(own) {
            let node = &self.nodes[number];
            for (mine, theirs) in known.iter_mut().zip(node.known.iter()) {
                *mine = (*mine).max(*theirs);
            }
            known[node.lane] = known[node.lane].max(node.seq + 1);
        }
        known[lane] = 0;
        let shared = own.map(|own| &self.nodes[own].known).filter(|own| own[..] == known[..]);
        let known = shared.map_or_else(|| known.into(), Arc::clone);
        self.numbers.insert(entry.link, self.nodes.len());
        self.nodes.push(Node { link: entry.link, lane, seq: entry.seq, known });
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
        match a.lane == b.lane {
            true => a.seq < b.seq,
            false => a.seq < b.known[a.lane],
        }
    }

    /// Tells whether neither entry knew of the other.
    #[must_use]
    pub fn are_concurrent(&self, a: usize, b: usize) -> bool {
        a != b && !self.is_before(a, b) && !self.is_before(b, a)
    }

    /// Tells whether an entry of a device knows that the device signed two histories of one log.
    #[must_use]
    pub fn knows_fork(&self, number: usize, device: &DeviceKey) -> bool {
        let knows = |link: &Link| self.number(link).is_some_and(|at| self.is_before(at, number));
        let mut own = self.forks.iter().filter(|(of, ..)| of == device);
        own.any(|(_, one, other)| knows(one) && knows(other))
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

/// The lanes that logs are taken apart into.
#[derive(Default)]
struct Lanes {
    of: BTreeMap<Link, usize>,
    ends: Vec<Link>,
}

impl Lanes {
    /// Puts an entry behind the one that it follows, in its lane if nothing else follows that one;
    /// none when that one is not there.
    fn place(&mut self, link: Link, before: Option<Link>) -> Option<usize> {
        let lane = match before {
            None => None,
            Some(before) => {
                let lane = *self.of.get(&before)?;
                (self.ends[lane] == before).then_some(lane)
            }
        };
        let lane = lane.unwrap_or_else(|| {
            self.ends.push(link);
            self.ends.len() - 1
        });
        self.ends[lane] = link;
        self.of.insert(link, lane);
        Some(lane)
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
    fn add(&mut self, lane: usize, entry: &'a ControlEntry, before: Option<Link>) {
        let number = self.entries.len();
        let causes: BTreeSet<Link> = entry.heads.iter().copied().chain(before).collect();
        if causes.is_empty() {
            self.ready.insert((entry.link, number));
        }
        self.entries.push((lane, entry, causes.len()));
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
        let (lane, entry, _) = self.entries[number];
        Some((lane, entry))
    }
}
