//! The causal graph of one record's items: their order, their pasts, what is over the bounds.
//!
//! Invariant: everything here is a function of the set of items, whatever order they came in.
//! Must not know: the document, what an operation means, why an item is in the set.
//!
//! Items are taken in the order of (depth, digest). One that would break a bound is *flagged*:
//! kept in its log, left out of the record, together with whatever depends on it. One that does
//! not cover all earlier items of its own author is *damaged*: it stays a node of the graph, so
//! that others may name it and go on, but it says nothing. A past that names a damaged item
//! reaches through it.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use super::bounds::{BRANCHES_MAX, ITEMS_MAX, Size};
use crate::clock::Hlc;
use crate::error::{Error, Kind};
use crate::ids::{Digest, LogId};
use crate::log::item::{Op, Place};

/// An item as the merge needs it. The caller holds back items whose deps are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphItem {
    /// Where it stands.
    pub place: Place,
    /// Its author's clock.
    pub hlc: Hlc,
    /// The digest of its bytes.
    pub digest: Digest,
    /// The record's heads that its author knew.
    pub deps: Vec<Place>,
    /// What it does.
    pub ops: Vec<Op>,
}

/// The items of one record that are merged, in an order that every replica finds alike.
#[derive(Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    heads: BTreeSet<usize>,
    flagged: Vec<Place>,
    size: Size,
}

/// One item in its graph.
#[derive(Debug)]
pub struct Node {
    /// The item.
    pub item: GraphItem,
    /// The positions of its deps.
    pub deps: Vec<usize>,
    /// The positions of all items before it.
    pub past: Bits,
    /// Whether it fails to cover its author's earlier items.
    pub damaged: bool,
}

impl Graph {
    /// Orders items, and sorts out what is over the bounds or damaged.
    ///
    /// Items with deps that are not among `items` are flagged; of two at one place the one with
    /// the lower digest counts.
    #[must_use]
    pub fn new(mut items: Vec<GraphItem>) -> Self {
        items.sort_unstable_by_key(|item| (item.place, item.digest));
        items.dedup_by_key(|item| item.place);
        let depths = depths(&items);
        let mut order: Vec<usize> = (0..items.len()).collect();
        // Without a depth: in or behind a cycle, or behind a missing item. Last, and flagged.
        order.sort_unstable_by_key(|at| {
            (depths[*at].is_none(), depths[*at], items[*at].digest, *at)
        });
        let earlier = Earlier::new(&items);
        let mut building = Building::default();
        let mut slots: Vec<Option<GraphItem>> = items.into_iter().map(Some).collect();
        for at in order {
            if let Some(item) = slots[at].take() {
                building.take(item, &earlier);
            }
        }
        building.graph
    }

    /// Returns the merged items: every item behind all that it depends on.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Returns the heads, sorted by place: what a new item names as its deps.
    #[must_use]
    pub fn heads(&self) -> Vec<(Place, Digest)> {
        let mut heads: Vec<_> = self
            .heads
            .iter()
            .map(|at| (self.nodes[*at].item.place, self.nodes[*at].item.digest))
            .collect();
        heads.sort_unstable();
        heads
    }

    /// Returns the items that are over the bounds, in the order of (depth, digest).
    #[must_use]
    pub fn flagged(&self) -> &[Place] {
        &self.flagged
    }

    /// Returns how much of the bounds the merged items use up.
    #[must_use]
    pub fn size(&self) -> &Size {
        &self.size
    }

    /// Returns the damaged items with what is wrong, in the order of the graph.
    #[must_use]
    pub fn damaged(&self) -> Vec<(Place, Error)> {
        let damaged = self.nodes.iter().filter(|node| node.damaged);
        damaged
            .map(|node| {
                let what = "an item that does not cover its author's earlier ones";
                (node.item.place, Error::new(Kind::Format, what))
            })
            .collect()
    }

    /// Returns the positions of the sound items in a causal order that finishes one branch
    /// before it starts the next, the smaller ones first. So few states have to be held at a
    /// time: of a tree about as many as its size has binary digits.
    #[must_use]
    pub fn by_branch(&self) -> Vec<usize> {
        let mut children = vec![Vec::new(); self.nodes.len()];
        let mut behind = vec![0_usize; self.nodes.len()];
        let mut waits: Vec<usize> = Vec::with_capacity(self.nodes.len());
        for (at, node) in self.nodes.iter().enumerate() {
            waits.push(node.deps.len());
            for dep in &node.deps {
                children[*dep].push(at);
            }
            for before in node.past.iter() {
                behind[before] += 1;
            }
        }
        let mut ready: Vec<usize> = (0..self.nodes.len()).filter(|at| waits[*at] == 0).collect();
        ready.sort_unstable_by_key(|at| (Reverse(behind[*at]), *at));
        let mut order = Vec::with_capacity(self.nodes.len());
        while let Some(at) = ready.pop() {
            if !self.nodes[at].damaged {
                order.push(at);
            }
            children[at].sort_unstable_by_key(|child| (Reverse(behind[*child]), *child));
            for child in &children[at] {
                waits[*child] -= 1;
                if waits[*child] == 0 {
                    ready.push(*child);
                }
            }
        }
        order
    }
}

/// Returns each item's distance from the farthest creation; none when it cannot be ordered.
fn depths(items: &[GraphItem]) -> Vec<Option<usize>> {
    let by_place: HashMap<Place, usize> =
        items.iter().enumerate().map(|(at, item)| (item.place, at)).collect();
    let mut children = vec![Vec::new(); items.len()];
    let mut waits = vec![0_usize; items.len()];
    for (at, item) in items.iter().enumerate() {
        waits[at] = item.deps.len();
        for dep in &item.deps {
            // A missing dep is never counted down, so the item never gets a depth.
            if let Some(dep) = by_place.get(dep) {
                children[*dep].push(at);
            }
        }
    }
    let mut depths = vec![None; items.len()];
    let mut ready: Vec<(usize, usize)> =
        (0..items.len()).filter(|at| waits[*at] == 0).map(|at| (at, 0)).collect();
    while let Some((at, depth)) = ready.pop() {
        depths[at] = Some(depth);
        for child in &children[at] {
            waits[*child] -= 1;
            if waits[*child] == 0 {
                let deps = items[*child].deps.iter();
                let known = deps.filter_map(|dep| depths[*by_place.get(dep)?]);
                ready.push((*child, known.max().unwrap_or(0) + 1));
            }
        }
    }
    depths
}

/// For each log its places on this record, in order.
struct Earlier {
    places: HashMap<LogId, Vec<Place>>,
}

impl Earlier {
    fn new(sorted: &[GraphItem]) -> Self {
        let mut places: HashMap<LogId, Vec<Place>> = HashMap::new();
        for item in sorted {
            places.entry(item.place.log).or_default().push(item.place);
        }
        Self { places }
    }

    /// Returns the author's items before `place`, the latest first.
    fn of(&self, place: Place) -> impl Iterator<Item = &Place> {
        let own = self.places.get(&place.log).map_or(&[][..], Vec::as_slice);
        let count = own.partition_point(|other| *other < place);
        own[..count].iter().rev()
    }
}

#[derive(Default)]
struct Building {
    graph: Graph,
    by_place: HashMap<Place, usize>,
}

impl Building {
    fn take(&mut self, item: GraphItem, earlier: &Earlier) {
        let place = item.place;
        match self.accept(item, earlier) {
            None => self.graph.flagged.push(place),
            Some(node) => {
                let at = self.graph.nodes.len();
                for dep in &node.deps {
                    self.graph.heads.remove(dep);
                }
                self.graph.heads.insert(at);
                self.by_place.insert(place, at);
                self.graph.nodes.push(node);
            }
        }
    }

    /// Returns the item as a node; none when it is over a bound or depends on one that is.
    fn accept(&mut self, item: GraphItem, earlier: &Earlier) -> Option<Node> {
        if self.graph.nodes.len() == ITEMS_MAX {
            return None;
        }
        let deps = item.deps.iter().map(|dep| self.by_place.get(dep).copied());
        let mut deps = deps.collect::<Option<Vec<usize>>>()?;
        deps.sort_unstable_by_key(|at| Reverse(*at));
        deps.dedup();
        let closed = deps.iter().filter(|at| self.graph.heads.contains(at));
        if self.graph.heads.len() - closed.count() == BRANCHES_MAX {
            return None;
        }
        let mut past = Bits::default();
        for dep in &deps {
            if !past.contains(*dep) {
                past.add_all(&self.graph.nodes[*dep].past);
                past.add(*dep);
            }
        }
        let damaged = !self.covers(&past, earlier.of(item.place));
        if !damaged && !self.graph.size.take(&item.ops) {
            return None;
        }
        Some(Node { item, deps, past, damaged })
    }

    /// Tells whether all of an author's earlier items, given latest first, are in `past`.
    fn covers<'a>(&self, past: &Bits, earlier: impl Iterator<Item = &'a Place>) -> bool {
        for place in earlier {
            match self.by_place.get(place) {
                Some(at) if past.contains(*at) => {
                    if !self.graph.nodes[*at].damaged {
                        // A sound item covers everything before it.
                        return true;
                    }
                }
                _ => return false,
            }
        }
        true
    }
}

/// A set of positions in a graph.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Bits(Vec<u64>);

impl Bits {
    /// Puts a position in.
    pub fn add(&mut self, at: usize) {
        if self.0.len() <= at / 64 {
            self.0.resize(at / 64 + 1, 0);
        }
        self.0[at / 64] |= 1 << (at % 64);
    }

    /// Puts all of another set in.
    pub fn add_all(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    /// Takes out what is not in another set.
    pub fn keep(&mut self, other: &Self) {
        for (at, word) in self.0.iter_mut().enumerate() {
            *word &= other.0.get(at).copied().unwrap_or(0);
        }
        // Equal sets are equal words.
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    /// Tells whether a position is in the set.
    #[must_use]
    pub fn contains(&self, at: usize) -> bool {
        let word = self.0.get(at / 64);
        word.is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// Tells whether all positions are in the other set too.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        let mut words = self.0.iter().enumerate();
        words.all(|(at, word)| word & !other.0.get(at).copied().unwrap_or(0) == 0)
    }

    /// Counts the positions.
    #[must_use]
    pub fn count(&self) -> usize {
        let ones = self.0.iter().map(|word| word.count_ones() as usize);
        ones.sum()
    }

    /// Returns the positions in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        let words = self.0.iter().enumerate();
        words.flat_map(|(at, word)| {
            let rests =
                std::iter::successors(Some(*word), |rest| Some(rest & rest.wrapping_sub(1)));
            rests
                .take_while(|rest| *rest != 0)
                .map(move |rest| at * 64 + rest.trailing_zeros() as usize)
        })
    }
}
