//! Taking entries apart into streams.
//!
//! Must not know: how streams are compressed.

use std::collections::{HashMap, hash_map};
use std::rc::Rc;

use crate::clock::Hlc;
use crate::codec::{Value, Writer};
use crate::ids::LogId;
use crate::log::entry::{Body, Entry};
use crate::log::item::{Dep, Item, Op, Place, Target};
use crate::log::pack::columns::shape::{Shape, SlotSort, Slots, put_shape};
use crate::log::pack::columns::stream::{Stream, put, put_ints, zigzag};

/// The streams of a pack while they grow.
#[derive(Default)]
pub(super) struct Columns {
    forms: Vec<u8>,
    known_forms: HashMap<(u64, usize, usize), u64>,
    shapes: Vec<u8>,
    known_shapes: HashMap<Vec<u8>, (u64, Rc<Shape>)>,
    slots: Slots,
    entries: Vec<u8>,
    items: Vec<u8>,
    ms: Vec<(i64, i64)>,
    counter: Vec<(i64, i64)>,
    deps: Vec<u8>,
    heads: Vec<u8>,
    checks: Vec<u8>,
    refs: References,
    side: Vec<u8>,
    values: Vec<Slot>,
}

#[derive(Default)]
struct Slot {
    ints: Vec<(i64, i64)>,
    small: Vec<u8>,
    large: Vec<u8>,
}

#[derive(Default)]
struct References {
    table: Vec<u8>,
    known: HashMap<[u8; 16], u64>,
    /// By clock, which an id begins with: the rest of an id is hashed where one is looked for.
    created: HashMap<[u8; 8], (Place, u64)>,
    /// By id, those whose clock another one has too.
    twins: HashMap<[u8; 16], u64>,
    creations: u64,
}

impl References {
    fn put(&mut self, to: &mut Vec<u8>, id: &[u8; 16]) {
        if let Some(number) = self.creation(id) {
            put(to, 1);
            put(to, self.creations - number);
        } else if let Some(index) = self.known.get(id) {
            put(to, 2 + index);
        } else {
            put(to, 0);
            self.known.insert(*id, self.known.len() as u64);
            self.table.extend_from_slice(id);
        }
    }

    fn create(&mut self, place: Place, hlc: Hlc) {
        self.creations += 1;
        match self.created.entry(hlc.0.to_be_bytes()) {
            hash_map::Entry::Vacant(slot) => {
                slot.insert((place, self.creations));
            }
            hash_map::Entry::Occupied(_) => {
                self.twins.insert(place.record_id(hlc).0, self.creations);
            }
        }
    }

    /// Returns the number of the creation in this pack that made record `id`.
    fn creation(&self, id: &[u8; 16]) -> Option<u64> {
        let clock = id.first_chunk()?;
        let (place, number) = self.created.get(clock)?;
        let hlc = Hlc(u64::from_be_bytes(*clock));
        if place.record_id(hlc).0 == *id {
            return Some(*number);
        }
        self.twins.get(id).copied()
    }
}

impl Columns {
    /// Takes the next entry, which stands in `log` at `seq`.
    pub(super) fn entry(&mut self, log: LogId, seq: u64, entry: &Entry) {
        let heads = entry.control_heads.as_ref().map_or(0, |h| h.len() + 1);
        let form = (entry.kind, heads, entry.items.len());
        let next = self.known_forms.len() as u64;
        let number = *self.known_forms.entry(form).or_insert_with(|| {
            for part in [form.0, form.1 as u64, form.2 as u64] {
                put(&mut self.forms, part);
            }
            next
        });
        put(&mut self.entries, number);
        self.ms.push((entry.hlc.ms(), 0));
        self.counter.push(((entry.hlc.0 & 0xffff).cast_signed(), 0));
        for head in entry.control_heads.iter().flatten() {
            self.heads.extend_from_slice(&head.0);
        }
        for (index, item) in (0_u32..).zip(&entry.items) {
            let place = Place { log, seq, index };
            match item {
                Body::Absent(digest) => {
                    put(&mut self.items, 1);
                    self.side.extend_from_slice(&digest.0);
                }
                Body::Bytes(bytes) => match Item::decode(bytes, &log) {
                    // Only the canonical form decodes, so this encodes to the same bytes again.
                    Ok(item) => self.item(place, entry.hlc, &item),
                    Err(_) => {
                        put(&mut self.items, 0);
                        put(&mut self.side, bytes.len() as u64);
                        self.side.extend_from_slice(bytes);
                    }
                },
            }
        }
    }

    /// Writes all streams as one CBOR array, and notes where other sorts of bytes start.
    pub(super) fn finish(self, to: &mut Writer, cuts: &mut Vec<usize>) {
        let sorts = &self.slots.sorts;
        let small = sorts.iter().filter(|sort| sort.has_small()).count();
        let large = sorts.iter().filter(|sort| sort.has_large()).count();
        to.array(7 + small + 3 + 1 + large);
        to.bytes(&self.forms).bytes(&self.shapes);
        to.bytes(&self.entries).bytes(&self.items);
        to.bytes(&put_ints(&self.ms)).bytes(&put_ints(&self.counter));
        to.bytes(&self.deps);
        for (sort, slot) in sorts.iter().zip(&self.values) {
            match sort {
                SlotSort::Int => to.bytes(&put_ints(&slot.ints)),
                SlotSort::Cbor => to,
                _ => to.bytes(&slot.small),
            };
        }
        cuts.push(to.as_slice().len());
        to.bytes(&self.heads).bytes(&self.checks);
        to.bytes(&self.refs.table);
        cuts.push(to.as_slice().len());
        to.bytes(&self.side);
        for (sort, slot) in sorts.iter().zip(&self.values) {
            if sort.has_large() {
                to.bytes(&slot.large);
            }
        }
    }

    fn item(&mut self, place: Place, hlc: Hlc, item: &Item) {
        let (number, shape) = self.shape(item);
        put(&mut self.items, 2 + number);
        let mut slots = shape.slots.iter().copied();
        match &item.target {
            Target::New => self.refs.create(place, hlc),
            Target::Record(id) => self.reference(slots.next(), &id.0),
            Target::Natural(key) => self.blob(slots.next(), key.as_bytes()),
        }
        item.deps.iter().for_each(|dep| self.dep(place, dep));
        for op in &item.ops {
            match op {
                Op::Unset(_) | Op::Text(_) => {}
                Op::Remove(_, key) => self.reference(slots.next(), &key.0),
                Op::Count(_, delta) => self.int(slots.next(), *delta, hlc),
                Op::Splice(_, at, delete, text) => {
                    self.int(slots.next(), at.cast_signed(), hlc);
                    self.int(slots.next(), delete.cast_signed(), hlc);
                    self.blob(slots.next(), text.as_bytes());
                }
                Op::Set(_, value) | Op::Add(_, value) => match value {
                    Value::Null | Value::Bool(_) => {}
                    value => self.value(slots.next(), value, hlc),
                },
            }
        }
    }

    fn shape(&mut self, item: &Item) -> (u64, Rc<Shape>) {
        let mut bytes = Vec::with_capacity(32);
        put_shape(&mut bytes, item);
        if let Some((number, shape)) = self.known_shapes.get(&bytes) {
            return (*number, Rc::clone(shape));
        }
        let number = self.known_shapes.len() as u64;
        // What was just written reads back; were it not so, the comparison would notice.
        let shape = Shape::read(&mut Stream::new(&bytes), &mut self.slots);
        let shape = Rc::new(shape.unwrap_or_else(|_| Shape::nothing()));
        self.values.resize_with(self.slots.sorts.len(), Slot::default);
        self.shapes.extend_from_slice(&bytes);
        self.known_shapes.insert(bytes, (number, Rc::clone(&shape)));
        (number, shape)
    }

    fn dep(&mut self, own: Place, dep: &Dep) {
        if let Some(check) = dep.check {
            self.refs.put(&mut self.deps, &dep.place.log.0);
            put(&mut self.deps, dep.place.seq);
            self.checks.extend_from_slice(&check);
        } else {
            let back = own.seq.wrapping_sub(dep.place.seq).cast_signed();
            put(&mut self.deps, zigzag(back));
        }
        put(&mut self.deps, u64::from(dep.place.index));
    }

    fn value(&mut self, slot: Option<usize>, value: &Value, hlc: Hlc) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Int(number) => self.int(slot, *number, hlc),
            Value::Text(text) => self.blob(slot, text.as_bytes()),
            Value::Bytes(bytes) => match <&[u8; 16]>::try_from(&bytes[..]) {
                Ok(id) => self.reference(slot, id),
                Err(_) => self.blob(slot, bytes),
            },
            Value::List(_) => {
                if let Some(slot) = self.slot(slot) {
                    let mut to = Writer::after(std::mem::take(&mut slot.large));
                    to.value(value);
                    slot.large = to.into_bytes();
                }
            }
        }
    }

    fn int(&mut self, slot: Option<usize>, value: i64, hlc: Hlc) {
        if let Some(slot) = self.slot(slot) {
            slot.ints.push((value, hlc.ms()));
        }
    }

    fn blob(&mut self, slot: Option<usize>, bytes: &[u8]) {
        if let Some(slot) = self.slot(slot) {
            put(&mut slot.small, bytes.len() as u64);
            slot.large.extend_from_slice(bytes);
        }
    }

    fn reference(&mut self, slot: Option<usize>, id: &[u8; 16]) {
        if let Some(slot) = slot.and_then(|slot| self.values.get_mut(slot)) {
            self.refs.put(&mut slot.small, id);
        }
    }

    fn slot(&mut self, slot: Option<usize>) -> Option<&mut Slot> {
        self.values.get_mut(slot?)
    }
}
