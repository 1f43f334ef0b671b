//! The state of a record, and the fold of an item that was written on exactly this state.
//!
//! A linear history needs no document: each item's deps are the heads, so its operations apply
//! straight to the state. The rules are those of a register map: a set replaces every value that
//! its author saw. Invariant: for any history that a document can build too, both give the same
//! state. Must not know: where states are kept.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::declare::{Declaration, Field, Merge};
use super::plain;
use crate::clock::Hlc;
use crate::codec::Value;
use crate::error::{Error, Kind, Result};
use crate::ids::{ElementKey, LogId};
use crate::log::item::{Op, Place, set_key};

/// When and where a value was written: what chooses among concurrent ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Stamp {
    /// The author's clock.
    pub hlc: Hlc,
    /// The author's log.
    pub log: LogId,
}

/// A value with its stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The value.
    pub value: Value,
    /// Who wrote it when.
    pub stamp: Stamp,
}

/// What a record says now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// Registers: all concurrent values of each field, sorted by stamp. Equal ones are one, with
    /// the greatest stamp, or with the least where the first is shown ([`Merge::IM`]).
    pub registers: BTreeMap<u16, Vec<Held>>,
    /// Elements of sets and lists.
    pub elements: BTreeMap<(u16, ElementKey), Held>,
    /// For each folded state: the transitions that no other one has seen.
    pub tips: BTreeMap<u16, BTreeMap<ElementKey, i64>>,
    /// Texts that are merged by character; concurrent creations leave several, sorted by the
    /// stamp of their creation. The first is shown and edited.
    pub texts: BTreeMap<u16, Vec<String>>,
    /// Counts by device log.
    pub counts: BTreeMap<(u16, LogId), i64>,
}

impl State {
    /// Applies the operations of an item whose deps are all heads of this state.
    ///
    /// # Errors
    /// `E-FORMAT` and its like when an operation does not fit the declaration; the state is then
    /// partly changed and must be thrown away.
    pub fn fold(
        &mut self,
        of: &Declaration,
        ops: impl IntoIterator<Item = Op>,
        at: Place,
        hlc: Hlc,
    ) -> Result<()> {
        let stamp = Stamp { hlc, log: at.log };
        for (number, op) in ops.into_iter().enumerate() {
            let Some(field) = of.field(op.field()) else {
                continue;
            };
            check_op(field, &op)?;
            self.apply(field, op, || at.element_key(number), stamp);
        }
        Ok(())
    }

    fn apply(&mut self, field: &Field, op: Op, element: impl Fn() -> ElementKey, stamp: Stamp) {
        let number = field.number;
        match op {
            Op::Set(_, value) => {
                let held = self.registers.entry(number).or_default();
                let same = held.len() == 1 && held[0].value == value;
                let once = field.merge == Merge::IM && !held.is_empty();
                if !same && !once {
                    *held = vec![Held { value, stamp }];
                }
            }
            Op::Unset(_) => {
                if field.merge != Merge::IM {
                    self.registers.remove(&number);
                }
            }
            Op::Add(_, value) => {
                let key = if field.merge == Merge::OR { set_key(&value) } else { element() };
                if field.merge == Merge::FS {
                    let tips = BTreeMap::from([(key, transition_target(&value))]);
                    self.tips.insert(number, tips);
                }
                self.elements.insert((number, key), Held { value, stamp });
            }
            Op::Remove(_, key) => {
                self.elements.remove(&(number, key));
            }
            Op::Text(_) => {
                self.texts.insert(number, vec![String::new()]);
            }
            Op::Splice(_, at, delete, text) => {
                if let Some([held, ..]) = self.texts.get_mut(&number).map(Vec::as_mut_slice) {
                    splice(held, at, delete, &text);
                }
            }
            Op::Count(_, delta) => {
                let sum = self.counts.entry((number, stamp.log)).or_default();
                *sum = sum.saturating_add(delta);
            }
        }
    }

    /// Returns the value that a field shows: by its merge rule, of all that are held.
    #[must_use]
    pub fn shown(&self, field: &Field) -> Option<Value> {
        self.peek(field).map(Cow::into_owned)
    }

    /// As [`State::shown`], without a copy of what is held.
    #[must_use]
    pub fn peek(&self, field: &Field) -> Option<Cow<'_, Value>> {
        let held = match field.merge {
            Merge::FS => {
                let life = field.lifecycle?;
                let tips = self.tips.get(&field.number).into_iter().flat_map(BTreeMap::values);
                return Some(Cow::Owned(Value::Int(life.most_cautious(tips.copied()))));
            }
            Merge::TX => {
                let texts = self.texts.get(&field.number)?;
                return texts.first().map(|text| Cow::Owned(Value::Text(text.clone())));
            }
            Merge::CN => {
                let range = (field.number, LogId([0; 16]))..=(field.number, LogId([0xff; 16]));
                let mut sums = self.counts.range(range).map(|(_, sum)| *sum);
                let first = sums.next()?;
                return Some(Cow::Owned(Value::Int(sums.fold(first, i64::saturating_add))));
            }
            Merge::IM => self.registers.get(&field.number)?.first(),
            _ => self.registers.get(&field.number)?.last(),
        };
        held.map(|held| Cow::Borrowed(&held.value))
    }

    /// Returns the elements of a list field, in the order of their stamps and keys.
    #[must_use]
    pub fn list(&self, field: u16) -> Vec<(ElementKey, &Held)> {
        let range = (field, ElementKey([0; 16]))..=(field, ElementKey([0xff; 16]));
        let mut list: Vec<_> =
            self.elements.range(range).map(|((_, key), held)| (*key, held)).collect();
        list.sort_unstable_by_key(|(key, held)| (held.stamp, *key));
        list
    }

    /// Tells how many values a person has to choose from: 2 or more is an open conflict.
    #[must_use]
    pub fn rivals(&self, field: &Field) -> usize {
        match field.merge {
            Merge::MV => self.registers.get(&field.number).map_or(0, Vec::len),
            Merge::FS => self.tips.get(&field.number).map_or(0, BTreeMap::len),
            Merge::TX => self.texts.get(&field.number).map_or(0, Vec::len),
            _ => 0,
        }
    }
}

/// Returns the state that a transition element goes to.
#[must_use]
pub fn transition_target(value: &Value) -> i64 {
    match value {
        Value::List(parts) => match parts.first() {
            Some(Value::Int(to)) => *to,
            _ => 0,
        },
        _ => 0,
    }
}

/// Replaces characters of a text; an edit outside of the text has no effect.
pub fn splice(text: &mut String, at: u64, delete: u64, insert: &str) {
    let count = text.chars().count() as u64;
    let Some(end) = at.checked_add(delete).filter(|end| *end <= count) else {
        return;
    };
    let byte = |position: u64| {
        let position = usize::try_from(position).unwrap_or(usize::MAX);
        text.char_indices().nth(position).map_or(text.len(), |(offset, _)| offset)
    };
    let range = byte(at)..byte(end);
    text.replace_range(range, insert);
}

/// Checks an operation against the declaration of its field.
///
/// # Errors
/// `E-FORMAT`, `E-CHANGE-BIG` or `E-NEWER`.
pub fn check_op(field: &Field, op: &Op) -> Result<()> {
    let fits = match op {
        Op::Set(..) | Op::Unset(_) => {
            matches!(field.merge, Merge::IM | Merge::LW | Merge::MV | Merge::OF)
        }
        Op::Add(..) => field.is_list(),
        Op::Remove(..) => field.merge == Merge::OR,
        Op::Splice(..) | Op::Text(_) => field.merge == Merge::TX,
        Op::Count(..) => field.merge == Merge::CN,
    };
    if !fits {
        return Err(Error::new(Kind::Format, format!("an operation not for field {}", field.name)));
    }
    match op {
        Op::Set(_, value) => plain::check(&field.ty, value),
        Op::Add(_, value) => plain::check(&plain::element_type(field), value),
        _ => Ok(()),
    }
}
