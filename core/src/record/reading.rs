//! Reading a state out of a document.
//!
//! Invariant: the state depends on the document's present and on the stamps of what wrote it,
//! never on the library's choice among concurrent values. Must not know: how the document was
//! built.

use std::collections::BTreeMap;
use std::str::FromStr;

use automerge::{Automerge, ObjId, ROOT, ReadDoc};

use super::change;
use super::declare::{Declaration, Field, Merge};
use super::document::failed;
use super::graph::Graph;
use super::state::{Held, Stamp, State, transition_target};
use crate::error::{Error, Kind, Result};
use crate::ids::{ElementKey, LogId};
use crate::log::item::Op;

/// Reads the declared fields of a document; `stamp` tells who made an operation of it.
pub(super) fn state(
    doc: &Automerge,
    of: &Declaration,
    stamp: &dyn Fn(&ObjId) -> Option<Stamp>,
) -> Result<State> {
    let reading = Reading { doc, stamp };
    let mut state = State::default();
    for field in of.fields() {
        match field.merge {
            Merge::IM | Merge::LW | Merge::MV | Merge::OF => {
                let held = reading.register(field)?;
                if !held.is_empty() {
                    state.registers.insert(field.number, held);
                }
            }
            Merge::AO | Merge::OR | Merge::FS => {
                for (key, held) in reading.elements(field)? {
                    state.elements.insert((field.number, key), held);
                }
            }
            Merge::CN => {
                for (log, sum) in reading.counts(field)? {
                    state.counts.insert((field.number, log), sum);
                }
            }
            Merge::TX => {
                let texts = reading.texts(field)?;
                if !texts.is_empty() {
                    state.texts.insert(field.number, texts);
                }
            }
            Merge::DE => {}
        }
    }
    Ok(state)
}

struct Reading<'a> {
    doc: &'a Automerge,
    stamp: &'a dyn Fn(&ObjId) -> Option<Stamp>,
}

impl Reading<'_> {
    fn stamp(&self, of: &ObjId) -> Result<Stamp> {
        (self.stamp)(of).ok_or_else(|| Error::new(Kind::Change, "an operation of no item"))
    }

    /// Returns all that a key holds, sorted by stamp.
    fn held(&self, key: &str, element: bool) -> Result<Vec<Held>> {
        let mut all = Vec::new();
        for (value, id) in self.doc.get_all(ROOT, key).map_err(failed)? {
            let scalar = change::held(&value)?;
            let value = if element { change::element(&scalar)? } else { change::value(&scalar)? };
            let stamp = self.stamp(&id)?;
            all.push(Held { value, stamp });
        }
        all.sort_unstable_by(|a, b| (a.stamp, &a.value).cmp(&(b.stamp, &b.value)));
        Ok(all)
    }

    fn register(&self, field: &Field) -> Result<Vec<Held>> {
        let mut all = self.held(&field.number.to_string(), false)?;
        // Equal values are one. The first writing of a value counts where the first is shown.
        let first = field.merge == Merge::IM;
        if !first {
            all.reverse();
        }
        let mut once: Vec<Held> = Vec::with_capacity(all.len());
        for held in all {
            if once.iter().all(|other| other.value != held.value) {
                once.push(held);
            }
        }
        if !first {
            once.reverse();
        }
        Ok(once)
    }

    fn elements(&self, field: &Field) -> Result<BTreeMap<ElementKey, Held>> {
        let of_set = field.merge == Merge::OR;
        let mut elements = BTreeMap::new();
        for key in self.keys::<ElementKey>(field)? {
            let mut held = self.held(&change::sub_key(field.number, &key), of_set)?;
            if let Some(last) = held.pop() {
                elements.insert(key, last);
            }
        }
        Ok(elements)
    }

    fn counts(&self, field: &Field) -> Result<Vec<(LogId, i64)>> {
        let mut counts = Vec::new();
        for log in self.keys::<LogId>(field)? {
            let key = change::sub_key(field.number, &log);
            let held = self.doc.get(ROOT, key).map_err(failed)?;
            let sum = held.and_then(|(value, _)| value.as_i64());
            counts.extend(sum.map(|sum| (log, sum)));
        }
        Ok(counts)
    }

    /// Returns the keys below a field.
    fn keys<K: FromStr<Err = Error>>(&self, field: &Field) -> Result<Vec<K>> {
        let prefix = format!("{}/", field.number);
        let end = format!("{}0", field.number);
        let range = self.doc.map_range(ROOT, prefix.clone()..end);
        range.map(|item| item.key.strip_prefix(&prefix).unwrap_or_default().parse()).collect()
    }

    /// Returns the texts of a field, the one that was made first by the clock in front.
    fn texts(&self, field: &Field) -> Result<Vec<String>> {
        let objects = change::texts(self.doc, &field.number.to_string()).map_err(failed)?;
        let mut texts = Vec::with_capacity(objects.len());
        for object in objects {
            texts.push((self.stamp(&object)?, self.doc.text(&object).map_err(failed)?));
        }
        texts.sort_unstable();
        Ok(texts.into_iter().map(|(_, text)| text).collect())
    }
}

/// Returns for each folded state the transitions that no other one has seen. `says` tells
/// whether an item counts; of several transitions in one item the last covers the others.
pub(super) fn tips(
    graph: &Graph,
    of: &Declaration,
    says: &dyn Fn(usize) -> bool,
) -> BTreeMap<u16, BTreeMap<ElementKey, i64>> {
    let mut tips: BTreeMap<u16, Vec<(usize, ElementKey, i64)>> = BTreeMap::new();
    for (at, node) in graph.nodes().iter().enumerate().filter(|(at, _)| says(*at)) {
        let item = &node.item;
        for (field, key, to) in item.ops.iter().enumerate().filter_map(|(number, op)| {
            transition(of, op).map(|(field, to)| (field, item.place.element_key(number), to))
        }) {
            let open = tips.entry(field).or_default();
            open.retain(|(other, ..)| *other != at && !node.past.contains(*other));
            open.push((at, key, to));
        }
    }
    tips.into_iter()
        .map(|(field, open)| {
            let open = open.into_iter().map(|(_, key, to)| (key, to));
            (field, open.collect())
        })
        .collect()
}

fn transition(of: &Declaration, op: &Op) -> Option<(u16, i64)> {
    match op {
        Op::Add(number, value) => {
            let field = of.field(*number)?;
            (field.merge == Merge::FS).then(|| (*number, transition_target(value)))
        }
        _ => None,
    }
}

/// The operations of each log in a document: which item made which.
#[derive(Debug, Default)]
pub(super) struct Makers(BTreeMap<LogId, Vec<(u64, Stamp)>>);

impl Makers {
    /// Notes that an item's operations start at a counter; each log's items come in order.
    pub(super) fn note(&mut self, start: u64, stamp: Stamp) {
        self.0.entry(stamp.log).or_default().push((start, stamp));
    }

    /// Returns the stamp of the item that made an operation.
    pub(super) fn stamp(&self, of: &ObjId) -> Option<Stamp> {
        let ObjId::Id(counter, actor, _) = of else {
            return None;
        };
        let own = self.0.get(&LogId::from_slice(actor.to_bytes()).ok()?)?;
        let after = own.partition_point(|(start, _)| start <= counter);
        own[..after].last().map(|(_, stamp)| *stamp)
    }
}
