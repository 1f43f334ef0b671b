//! What a history says, computed straight from ancestor sets: slow, and without any document.

use std::collections::{BTreeMap, BTreeSet};

use tuquan_core::codec::Value;
use tuquan_core::log::item::{Op, Place, set_key};
use tuquan_core::record::declare::{Declaration, Merge};
use tuquan_core::record::graph::GraphItem;
use tuquan_core::record::state::{Held, Stamp, State, check_op, transition_target};

/// A write that had an effect: the place, the number of the operation, the value; none clears.
type Write = (Place, usize, Option<Value>);

/// The reference: items, the places before each, the writes of each field or element.
pub(crate) struct Reference<'a> {
    of: &'static Declaration,
    items: BTreeMap<Place, &'a GraphItem>,
    before: BTreeMap<Place, BTreeSet<Place>>,
    registers: BTreeMap<u16, Vec<Write>>,
}

impl<'a> Reference<'a> {
    /// Looks at all items.
    pub(crate) fn new(of: &'static Declaration, items: &'a [GraphItem]) -> Self {
        let mut reference = Self {
            of,
            items: items.iter().map(|item| (item.place, item)).collect(),
            before: BTreeMap::new(),
            registers: BTreeMap::new(),
        };
        // Each round takes the items whose deps are all taken.
        while reference.before.len() < items.len() {
            for item in items {
                let done = |place: &Place| reference.before.contains_key(place);
                if !done(&item.place) && item.deps.iter().all(done) {
                    reference.take(item);
                }
            }
        }
        reference
    }

    /// Returns the places before each item.
    pub(crate) fn before(&self, place: &Place) -> &BTreeSet<Place> {
        &self.before[place]
    }

    fn take(&mut self, item: &GraphItem) {
        let mut before: BTreeSet<Place> = item.deps.iter().copied().collect();
        for dep in &item.deps {
            before.extend(&self.before[dep]);
        }
        if self.fits(item) {
            for (number, op) in item.ops.iter().enumerate() {
                let (field, value) = match op {
                    Op::Set(field, value) => (*field, Some(value.clone())),
                    Op::Unset(field) => (*field, None),
                    _ => continue,
                };
                self.write(&before, item.place, number, field, value);
            }
        }
        self.before.insert(item.place, before);
    }

    fn write(
        &mut self,
        before: &BTreeSet<Place>,
        place: Place,
        number: usize,
        field: u16,
        value: Option<Value>,
    ) {
        let once = self.of.field(field).map(|field| field.merge) == Some(Merge::IM);
        let mut seen = before.clone();
        seen.insert(place);
        let visible: BTreeSet<Value> =
            self.visible(field, &seen).into_iter().map(|(_, value)| value).collect();
        let idle = match &value {
            None => visible.is_empty() || once,
            Some(value) if once => !visible.is_empty() || visible.contains(value),
            Some(value) => visible.len() == 1 && visible.contains(value),
        };
        if !idle {
            let writes = self.registers.entry(field).or_default();
            writes.push((place, number, value));
        }
    }

    /// Returns the writes among `seen` that no other one among them has seen.
    fn visible(&self, field: u16, seen: &BTreeSet<Place>) -> Vec<(Place, Value)> {
        let none = Vec::new();
        let writes = self.registers.get(&field).unwrap_or(&none);
        let writes: Vec<&Write> = writes.iter().filter(|w| seen.contains(&w.0)).collect();
        let open = writes.iter().filter(|(place, number, _)| {
            !writes.iter().any(|(other, later, _)| {
                (other == place && later > number) || self.is_before(place, other)
            })
        });
        open.filter_map(|(place, _, value)| Some((*place, value.clone()?))).collect()
    }

    fn is_before(&self, place: &Place, other: &Place) -> bool {
        // The item that is being taken is behind all that it sees.
        place != other && self.before.get(other).is_none_or(|before| before.contains(place))
    }

    fn fits(&self, item: &GraphItem) -> bool {
        item.ops.iter().all(|op| {
            let field = self.of.field(op.field());
            field.is_none_or(|field| check_op(field, op).is_ok())
        })
    }

    fn stamp(&self, place: &Place) -> Stamp {
        Stamp { hlc: self.items[place].hlc, log: place.log }
    }

    /// Returns what the history says, texts left out.
    pub(crate) fn state(&self) -> State {
        let mut state = State::default();
        let all: BTreeSet<Place> = self.items.keys().copied().collect();
        for field in self.of.fields() {
            let held = self.visible(field.number, &all);
            if held.is_empty() {
                continue;
            }
            let mut stamps: BTreeMap<Value, Vec<Stamp>> = BTreeMap::new();
            for (place, value) in held {
                stamps.entry(value).or_default().push(self.stamp(&place));
            }
            let mut held: Vec<Held> = stamps
                .into_iter()
                .map(|(value, stamps)| {
                    let (first, last) = (stamps.iter().min(), stamps.iter().max());
                    let stamp = if field.merge == Merge::IM { first } else { last };
                    let stamp = *stamp.unwrap();
                    Held { value, stamp }
                })
                .collect();
            held.sort_by_key(|held| held.stamp);
            state.registers.insert(field.number, held);
        }
        self.elements(&mut state);
        state
    }

    /// Every operation that counts, with its place and number.
    fn operations(&self) -> Vec<(Place, usize, &Op)> {
        let items = self.items.values().filter(|item| self.fits(item));
        items
            .flat_map(|item| {
                let ops = item.ops.iter().enumerate();
                ops.map(|(number, op)| (item.place, number, op))
            })
            .collect()
    }

    fn elements(&self, state: &mut State) {
        let all = self.operations();
        for (place, number, op) in &all {
            let Some(field) = self.of.field(op.field()) else {
                continue;
            };
            // What came after this operation, with knowledge of it.
            let later = || {
                all.iter().filter(|(other, later, _)| {
                    (other == place && later > number)
                        || (other != place && self.is_before(place, other))
                })
            };
            let key = place.element_key(*number);
            let stamp = self.stamp(place);
            match op {
                Op::Add(_, value) if field.merge == Merge::OR => {
                    let key = set_key(value);
                    let gone = later().any(|(.., other)| match other {
                        Op::Add(same, again) => *same == field.number && again == value,
                        Op::Remove(same, removed) => *same == field.number && *removed == key,
                        _ => false,
                    });
                    let slot = state.elements.get(&(field.number, key));
                    if !gone && slot.is_none_or(|held| held.stamp < stamp) {
                        let value = value.clone();
                        let held = Held { value, stamp };
                        state.elements.insert((field.number, key), held);
                    }
                }
                Op::Add(_, value) => {
                    let value = value.clone();
                    let held = Held { value, stamp };
                    state.elements.insert((field.number, key), held);
                    let seen =
                        |other: &Op| matches!(other, Op::Add(same, _) if *same == field.number);
                    if let Op::Add(_, value) = op
                        && field.merge == Merge::FS
                        && !later().any(|(.., other)| seen(other))
                    {
                        let tips = state.tips.entry(field.number).or_default();
                        tips.insert(key, transition_target(value));
                    }
                }
                Op::Count(_, delta) => {
                    *state.counts.entry((field.number, place.log)).or_default() += delta;
                }
                _ => {}
            }
        }
    }
}
