//! The document of a record: Automerge merges what our own items say.
//!
//! Each sound item becomes one change, written on exactly the state at its deps, with its log as
//! the actor and time 0; so a change is a function of the item and its past, whatever order the
//! items came in. Invariant: no Automerge bytes ever come from outside, and a panic of the
//! library stops here. Must not know: the database, the wire, who may write.
//!
//! An item that does not fit the declaration makes an empty change. One that the graph calls
//! damaged makes none: it would repeat a sequence number of its author's, and a document refuses
//! that; items behind it are written on what is before it.

use std::collections::HashMap;

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{
    ActorId, Automerge, AutomergeError, Change, ChangeHash, ObjId, ReadDoc, TextEncoding,
};

use super::bounds::{OPS_BYTES_MAX, Size};
use super::change;
use super::declare::Declaration;
use super::graph::{Bits, Graph, GraphItem};
use super::guard::guarded;
use super::reading::{self, Makers};
use super::state::{Stamp, State};
use crate::error::{Error, Kind, Result};
use crate::ids::Digest;
use crate::log::item::{Op, Place};

/// The most unfinished copies of a document that are kept while it is built.
const FORKS_MAX: usize = 12;
/// The most bytes of operations in all of these copies together.
const FORKS_BYTES_MAX: usize = 4 * OPS_BYTES_MAX;

/// What a set of items says, whatever order they came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// What the record says.
    pub state: State,
    /// The heads, sorted: what the next item names as its deps.
    pub heads: Vec<(Place, Digest)>,
    /// Items without effect, with what is wrong with them, sorted by place.
    pub damaged: Vec<(Place, Error)>,
    /// Items beyond the bounds of a record, in the order of (depth, digest).
    pub flagged: Vec<Place>,
    /// How much of the bounds the others use up.
    pub size: Size,
}

/// Merges the items of one record.
///
/// # Errors
/// `E-CHANGE` when the library fails or panics: local, the items are kept, to be tried again
/// after an upgrade.
pub fn merge(of: &Declaration, items: Vec<GraphItem>) -> Result<Merged> {
    merge_by(Document::new, of, items)
}

/// What builds the document of a graph: [`Document::new`], or in a test one that fails.
pub type Build = fn(&Declaration, Graph) -> Result<Document>;

/// As [`merge`], with a document of another make.
///
/// # Errors
/// As [`merge`]: also when `build` panics.
pub fn merge_by(build: Build, of: &Declaration, items: Vec<GraphItem>) -> Result<Merged> {
    let document = guarded(|| build(of, Graph::new(items)))?;
    Ok(Merged {
        state: document.state(of)?,
        heads: document.graph.heads(),
        damaged: document.damaged,
        flagged: document.graph.flagged().to_vec(),
        size: document.graph.size().clone(),
    })
}

/// A record's document with all of its items.
#[derive(Debug)]
pub struct Document {
    graph: Graph,
    /// By position in the graph: whether the item's operations count.
    says: Vec<bool>,
    damaged: Vec<(Place, Error)>,
    hashes: Vec<(Place, [u8; 32])>,
    makers: Makers,
    doc: Automerge,
}

impl Document {
    /// Builds the document of the items in a graph.
    ///
    /// # Errors
    /// `E-CHANGE` when the library fails or panics.
    pub fn new(of: &Declaration, graph: Graph) -> Result<Self> {
        guarded(|| Building::new(of, &graph).run().map_err(failed)).map(|built| Self {
            graph,
            says: built.says,
            damaged: built.damaged,
            hashes: built.hashes,
            makers: built.makers,
            doc: built.doc,
        })
    }

    /// Reads what the record says.
    ///
    /// # Errors
    /// `E-CHANGE` when the library fails or panics.
    pub fn state(&self, of: &Declaration) -> Result<State> {
        let stamp = |id: &ObjId| self.makers.stamp(id);
        let mut state = guarded(|| reading::state(&self.doc, of, &stamp))?;
        state.tips = reading::tips(&self.graph, of, &|at| self.says[at]);
        Ok(state)
    }

    /// Returns the hash of every item's change, sorted by place.
    #[must_use]
    pub fn hashes(&self) -> &[(Place, [u8; 32])] {
        &self.hashes
    }

    /// Returns who wrote what, every item behind all that it depends on; without effect are
    /// those that are damaged.
    pub fn history(&self) -> impl Iterator<Item = (&GraphItem, bool)> {
        let items = self.graph.nodes().iter().map(|node| &node.item);
        items.zip(self.says.iter().copied())
    }
}

/// Returns the library's failure as ours, without its words: they may quote a value.
pub(super) fn failed(_: AutomergeError) -> Error {
    Error::new(Kind::Change, "the merge library refused an operation")
}

/// A copy of the document at some past of the record.
#[derive(Clone)]
struct Fork {
    doc: Automerge,
    /// The positions of the items whose changes it holds.
    holds: Bits,
    /// The bytes of their operations.
    bytes: usize,
}

impl Default for Fork {
    fn default() -> Self {
        Self {
            doc: Automerge::new_with_encoding(TextEncoding::UnicodeCodePoint),
            holds: Bits::default(),
            bytes: 0,
        }
    }
}

struct Building<'a> {
    of: &'a Declaration,
    graph: &'a Graph,
    /// The positions of the items that make a change.
    sound: Bits,
    says: Vec<bool>,
    damaged: Vec<(Place, Error)>,
    /// By position: the change, as soon as it is made; none ever when the history is linear.
    changes: Vec<Option<Change>>,
    hashes: Vec<(Place, [u8; 32])>,
    /// By position: the highest operation counter in the item and its past.
    tops: Vec<u64>,
    makers: Makers,
    /// The one that was used last stands last.
    forks: Vec<Fork>,
    /// How many items are still to be written on exactly this past.
    wanted: HashMap<Bits, usize>,
}

struct Built {
    says: Vec<bool>,
    damaged: Vec<(Place, Error)>,
    hashes: Vec<(Place, [u8; 32])>,
    makers: Makers,
    doc: Automerge,
}

impl<'a> Building<'a> {
    fn new(of: &'a Declaration, graph: &'a Graph) -> Self {
        let count = graph.nodes().len();
        let mut damaged = graph.damaged();
        let mut sound = Bits::default();
        let mut says = vec![false; count];
        for (at, node) in graph.nodes().iter().enumerate().filter(|(_, n)| !n.damaged) {
            sound.add(at);
            match change::check(of, &node.item) {
                Ok(()) => says[at] = true,
                Err(error) => damaged.push((node.item.place, error)),
            }
        }
        damaged.sort_unstable_by_key(|(place, _)| *place);
        Self {
            of,
            graph,
            sound,
            says,
            damaged,
            changes: vec![None; count],
            hashes: Vec::with_capacity(count),
            tops: vec![0; count],
            makers: Makers::default(),
            forks: Vec::new(),
            wanted: HashMap::new(),
        }
    }

    fn run(mut self) -> Result<Built, AutomergeError> {
        let order = self.graph.by_branch();
        let mut linear = true;
        for (nth, at) in order.iter().enumerate() {
            let past = self.past(*at);
            linear &= past.count() == nth;
            *self.wanted.entry(past).or_default() += 1;
        }
        for at in order {
            self.write(at, !linear)?;
        }
        let sound = self.sound.clone();
        let doc = self.fork(&sound)?.doc;
        self.hashes.sort_unstable();
        Ok(Built {
            says: self.says,
            damaged: self.damaged,
            hashes: self.hashes,
            makers: self.makers,
            doc,
        })
    }

    /// Returns the positions of the changes that an item is written on.
    fn past(&self, at: usize) -> Bits {
        let mut past = self.graph.nodes()[at].past.clone();
        past.keep(&self.sound);
        past
    }

    /// Writes one item as a change on the state at its deps.
    fn write(&mut self, at: usize, keep: bool) -> Result<(), AutomergeError> {
        let past = self.past(at);
        self.wanted.entry(past.clone()).and_modify(|left| *left -= 1);
        let mut fork = self.fork(&past)?;
        let item = &self.graph.nodes()[at].item;
        fork.doc.set_actor(ActorId::from(item.place.log.0));
        let options = || CommitOptions::default().with_time(0);
        let mut tx = fork.doc.transaction();
        if self.says[at] {
            let makers = &self.makers;
            let edited = |texts: Vec<ObjId>| texts.into_iter().min_by_key(|id| makers.stamp(id));
            change::write(&mut tx, self.of, item, &edited)?;
        }
        let count = tx.pending_ops() as u64;
        let hash = match tx.commit_with(options()).0 {
            Some(hash) => hash,
            None => fork.doc.empty_commit(options()),
        };
        self.note(at, count, hash);
        if keep {
            self.changes[at] = fork.doc.get_change_by_hash(&hash);
        }
        fork.holds.add(at);
        fork.bytes += item.ops.iter().map(Op::size).sum::<usize>();
        self.keep(fork);
        Ok(())
    }

    /// Keeps a copy for the items to come. When there are too many, those go first that no item
    /// is to be written on exactly, and of them the one that was used longest ago.
    fn keep(&mut self, fork: Fork) {
        self.forks.push(fork);
        let mut bytes: usize = self.forks.iter().map(|fork| fork.bytes).sum();
        while self.forks.len() > FORKS_MAX || (self.forks.len() > 1 && bytes > FORKS_BYTES_MAX) {
            let older = &self.forks[..self.forks.len() - 1];
            let idle = older.iter().position(|fork| !self.is_wanted(fork));
            bytes -= self.forks.remove(idle.unwrap_or(0)).bytes;
        }
    }

    fn is_wanted(&self, fork: &Fork) -> bool {
        self.wanted.get(&fork.holds).is_some_and(|left| *left > 0)
    }

    fn note(&mut self, at: usize, count: u64, hash: ChangeHash) {
        let node = &self.graph.nodes()[at];
        let before = self.past(at).iter().map(|before| self.tops[before]).max();
        let start = before.unwrap_or(0) + 1;
        self.tops[at] = start - 1 + count;
        let stamp = Stamp { hlc: node.item.hlc, log: node.item.place.log };
        if count > 0 {
            self.makers.note(start, stamp);
        }
        self.hashes.push((node.item.place, hash.0));
    }

    /// Takes or makes a copy of the document that holds exactly the changes of `past`.
    fn fork(&mut self, past: &Bits) -> Result<Fork, AutomergeError> {
        let within = self.forks.iter().enumerate();
        let best = within
            .filter(|(_, fork)| fork.holds.is_within(past))
            .max_by_key(|(_, fork)| fork.holds.count())
            .map(|(at, _)| at);
        let mut fork = match best {
            // Another item is to be written on just this past.
            Some(at) if self.wanted.get(&self.forks[at].holds) > Some(&0) => self.forks[at].clone(),
            Some(at) => self.forks.remove(at),
            None => Fork::default(),
        };
        let missing: Vec<usize> = past.iter().filter(|at| !fork.holds.contains(*at)).collect();
        if !missing.is_empty() {
            let changes = missing.iter().filter_map(|at| self.changes[*at].clone());
            fork.doc.apply_changes(changes.collect::<Vec<_>>())?;
            let items = missing.iter().map(|at| &self.graph.nodes()[*at].item);
            fork.bytes += items.flat_map(|item| &item.ops).map(Op::size).sum::<usize>();
            fork.holds.add_all(past);
        }
        Ok(fork)
    }
}
