//! Putting entries together again from streams, within the bounds of layout 0.
//!
//! Invariant: every count is compared with what remains or with a cap, and the rebuilt bytes
//! are counted while they grow, so a small pack cannot become a large one. Must not know:
//! whether the result is what the author wrote.

use crate::clock::Hlc;
use crate::codec::{Reader, Value};
use crate::error::{Error, Kind, Result};
use crate::ids::{Digest, ElementKey, Link, LogId, RecordId};
use crate::log::entry::{Body, CONTROL_HEADS_MAX, ENTRY_BYTES_MAX, Entry, ITEMS_MAX};
use crate::log::item::{
    Dep, ITEM_BYTES_MAX, Item, NATURAL_KEY_BYTES_MAX, Op, Place, TEXT_BYTES_MAX, Target,
};
use crate::log::pack::INFLATED_BYTES_MAX;
use crate::log::pack::columns::shape::{
    ADD, COUNT, NATURAL, OpShape, RECORD, REMOVE, SET, SHAPE_BYTES_MAX, SPLICE, Shape, SlotSort,
    Slots, TEXT, UNSET, value_type,
};
use crate::log::pack::columns::stream::{Ints, Stream, malformed, unzigzag};
use crate::log::pack::header::Extent;

/// Rebuilds the entries of each of `extents`, of at most `budget` bytes together.
pub(super) fn read(
    from: &mut Reader<'_>,
    extents: &[Extent],
    budget: usize,
) -> Result<Vec<Vec<Entry>>> {
    let mut columns = Columns::read(from)?;
    columns.budget = budget;
    let mut rebuilt = Vec::with_capacity(extents.len());
    for extent in extents {
        let seqs = extent.first..extent.first.saturating_add(extent.count);
        let entries = seqs.map(|seq| columns.entry(extent.log, seq));
        rebuilt.push(entries.collect::<Result<Vec<Entry>>>()?);
    }
    columns.finish()?;
    Ok(rebuilt)
}

#[derive(Clone, Copy)]
struct Form {
    kind: u64,
    heads: usize,
    items: usize,
}

struct Columns<'a> {
    forms: Vec<Form>,
    shapes: Vec<Shape>,
    entries: Stream<'a>,
    items: Stream<'a>,
    ms: Ints<'a>,
    counter: Ints<'a>,
    deps: Stream<'a>,
    heads: Stream<'a>,
    checks: Stream<'a>,
    refs: References<'a>,
    side: Stream<'a>,
    values: Vec<Slot<'a>>,
    /// Bytes that may still be rebuilt, and that the item under way may still take.
    budget: usize,
    room: usize,
}

#[derive(Clone, Copy, Default)]
struct Slot<'a> {
    ints: Ints<'a>,
    small: Stream<'a>,
    large: Stream<'a>,
}

struct References<'a> {
    table: Stream<'a>,
    known: Vec<[u8; 16]>,
    created: Vec<(Place, Hlc)>,
}

impl References<'_> {
    fn next(&mut self, from: &mut Stream<'_>) -> Result<[u8; 16]> {
        let unknown = || malformed("a reference to nothing");
        match from.varint()? {
            0 => {
                let id = self.table.array()?;
                self.known.push(id);
                Ok(id)
            }
            1 => {
                let back = from.count(self.created.len())?;
                let index = self.created.len().checked_sub(back + 1);
                let (place, hlc) =
                    index.and_then(|index| self.created.get(index)).ok_or_else(unknown)?;
                Ok(place.record_id(*hlc).0)
            }
            index => {
                let index = usize::try_from(index - 2).unwrap_or(usize::MAX);
                self.known.get(index).copied().ok_or_else(unknown)
            }
        }
    }
}

impl<'a> Columns<'a> {
    fn read(from: &mut Reader<'a>) -> Result<Self> {
        let count = from.array(INFLATED_BYTES_MAX)?;
        let mut next = || from.bytes(INFLATED_BYTES_MAX);
        let forms = read_forms(Stream::new(next()?))?;
        let (shapes, sorts) = read_shapes(Stream::new(next()?))?;
        let small = sorts.iter().filter(|sort| sort.has_small()).count();
        let large = sorts.iter().filter(|sort| sort.has_large()).count();
        if count != 7 + small + 3 + 1 + large {
            return Err(malformed("a wrong number of streams"));
        }
        let [entries, items] = [Stream::new(next()?), Stream::new(next()?)];
        let [ms, counter] = [Ints::new(next()?)?, Ints::new(next()?)?];
        let deps = Stream::new(next()?);
        let mut values = vec![Slot::default(); sorts.len()];
        for (sort, slot) in sorts.iter().zip(&mut values) {
            match sort {
                SlotSort::Int => slot.ints = Ints::new(next()?)?,
                SlotSort::Cbor => {}
                _ => slot.small = Stream::new(next()?),
            }
        }
        let [heads, checks] = [Stream::new(next()?), Stream::new(next()?)];
        let table = Stream::new(next()?);
        let side = Stream::new(next()?);
        for (sort, slot) in sorts.iter().zip(&mut values) {
            if sort.has_large() {
                slot.large = Stream::new(next()?);
            }
        }
        from.end();
        Ok(Self {
            forms,
            shapes,
            entries,
            items,
            ms,
            counter,
            deps,
            heads,
            checks,
            refs: References { table, known: Vec::new(), created: Vec::new() },
            side,
            values,
            budget: 0,
            room: 0,
        })
    }

    fn entry(&mut self, log: LogId, seq: u64) -> Result<Entry> {
        let number = usize::try_from(self.entries.varint()?).unwrap_or(usize::MAX);
        let form = *self.forms.get(number).ok_or_else(|| malformed("an unknown form of entry"))?;
        let ms = self.ms.next(0)?.cast_unsigned();
        let counter = self.counter.next(0)?.cast_unsigned();
        let hlc = Hlc(ms << 16 | (counter & 0xffff));
        let control_heads = match form.heads.checked_sub(1) {
            None => None,
            Some(count) => {
                let links = (0..count).map(|_| Ok(Link(self.heads.array()?)));
                Some(links.collect::<Result<Vec<Link>>>()?)
            }
        };
        let mut entry =
            Entry { kind: form.kind, hlc, control_heads, items: Vec::with_capacity(form.items) };
        for index in (0_u32..).take(form.items) {
            let item = self.body(Place { log, seq, index }, hlc)?;
            entry.items.push(item);
        }
        let len = entry.encoded_len();
        let left = self.budget.checked_sub(len);
        self.budget = left
            .filter(|_| len <= ENTRY_BYTES_MAX)
            .ok_or_else(|| Error::new(Kind::Size, "columns that grow over the cap"))?;
        let heads = entry.control_heads.as_deref().unwrap_or_default();
        if !heads.is_sorted_by(|a, b| a < b) {
            return Err(malformed("control heads out of order"));
        }
        Ok(entry)
    }

    fn finish(&self) -> Result<()> {
        let fixed = [
            self.entries,
            self.items,
            self.deps,
            self.heads,
            self.checks,
            self.refs.table,
            self.side,
        ];
        let values = &self.values;
        let empty = |slot: &Slot<'_>| {
            slot.ints.is_empty() && slot.small.is_empty() && slot.large.is_empty()
        };
        let clock = self.ms.is_empty() && self.counter.is_empty();
        if clock && fixed.iter().all(Stream::is_empty) && values.iter().all(empty) {
            return Ok(());
        }
        Err(malformed("a stream with more than was asked for"))
    }

    fn body(&mut self, place: Place, hlc: Hlc) -> Result<Body> {
        let number = match self.items.varint()? {
            0 => {
                let len = self.side.count(ITEM_BYTES_MAX)?;
                return Ok(Body::Bytes(self.side.take(len)?.to_vec()));
            }
            1 => return Ok(Body::Absent(Digest(self.side.array()?))),
            number => usize::try_from(number - 2).unwrap_or(usize::MAX),
        };
        let shapes = std::mem::take(&mut self.shapes);
        let item = match shapes.get(number) {
            Some(shape) => self.item(shape, place, hlc),
            None => Err(malformed("an unknown shape of item")),
        };
        self.shapes = shapes;
        let bytes = item?.encode(&place.log);
        if bytes.len() > ITEM_BYTES_MAX {
            return Err(Error::new(Kind::Size, "columns: an item over 64 KiB"));
        }
        Ok(Body::Bytes(bytes))
    }

    fn item(&mut self, shape: &Shape, place: Place, hlc: Hlc) -> Result<Item> {
        self.room = ITEM_BYTES_MAX;
        let mut slots = shape.slots.iter().copied();
        let target = match shape.target {
            RECORD => Target::Record(RecordId(self.reference(slots.next())?)),
            NATURAL => Target::Natural(self.text(slots.next(), NATURAL_KEY_BYTES_MAX)?),
            _ => {
                self.refs.created.push((place, hlc));
                Target::New
            }
        };
        let deps = shape.deps.iter().map(|other| self.dep(place, *other));
        let deps = deps.collect::<Result<Vec<Dep>>>()?;
        let mut ops = Vec::with_capacity(shape.ops.len());
        for op in &shape.ops {
            ops.push(self.op(*op, &mut slots, hlc)?);
        }
        Ok(Item { kind: shape.kind, target, deps, ops })
    }

    fn op(&mut self, op: OpShape, slots: &mut impl Iterator<Item = usize>, hlc: Hlc) -> Result<Op> {
        let field = op.field;
        Ok(match op.code {
            SET => Op::Set(field, self.value(op.value, slots, hlc)?),
            ADD => Op::Add(field, self.value(op.value, slots, hlc)?),
            UNSET => Op::Unset(field),
            TEXT => Op::Text(field),
            REMOVE => Op::Remove(field, ElementKey(self.reference(slots.next())?)),
            COUNT => Op::Count(field, self.int(slots.next(), hlc)?),
            SPLICE => Op::Splice(
                field,
                self.int(slots.next(), hlc)?.cast_unsigned(),
                self.int(slots.next(), hlc)?.cast_unsigned(),
                self.text(slots.next(), TEXT_BYTES_MAX)?,
            ),
            _ => return Err(malformed("an unknown operation")),
        })
    }

    fn value(
        &mut self,
        value: u8,
        slots: &mut impl Iterator<Item = usize>,
        hlc: Hlc,
    ) -> Result<Value> {
        Ok(match value {
            value_type::FALSE => Value::Bool(false),
            value_type::TRUE => Value::Bool(true),
            value_type::INT => Value::Int(self.int(slots.next(), hlc)?),
            value_type::TEXT => Value::Text(self.text(slots.next(), TEXT_BYTES_MAX)?),
            value_type::BYTES => Value::Bytes(self.blob(slots.next(), TEXT_BYTES_MAX)?.to_vec()),
            value_type::REF => Value::Bytes(self.reference(slots.next())?.to_vec()),
            value_type::LIST => self.list(slots.next())?,
            _ => Value::Null,
        })
    }

    fn dep(&mut self, own: Place, other: bool) -> Result<Dep> {
        let (log, seq, check) = if other {
            let log = LogId(self.refs.next(&mut self.deps)?);
            let seq = self.deps.varint()?;
            (log, seq, Some(self.checks.array()?))
        } else {
            let back = unzigzag(self.deps.varint()?).cast_unsigned();
            (own.log, own.seq.wrapping_sub(back), None)
        };
        let index = u32::try_from(self.deps.count(ITEMS_MAX)?).unwrap_or(u32::MAX);
        let place = Place { log, seq, index };
        Ok(Dep { place, check })
    }

    fn int(&mut self, slot: Option<usize>, hlc: Hlc) -> Result<i64> {
        self.slot(slot)?.ints.next(hlc.ms())
    }

    fn text(&mut self, slot: Option<usize>, max: usize) -> Result<String> {
        let bytes = self.blob(slot, max)?.to_vec();
        String::from_utf8(bytes).map_err(|_| malformed("text that is not UTF-8"))
    }

    fn blob(&mut self, slot: Option<usize>, max: usize) -> Result<&'a [u8]> {
        let max = max.min(self.room);
        let slot = self.slot(slot)?;
        let len = slot.small.count(max)?;
        let bytes = slot.large.take(len)?;
        self.room -= len;
        Ok(bytes)
    }

    fn list(&mut self, slot: Option<usize>) -> Result<Value> {
        let room = self.room;
        let slot = self.slot(slot)?;
        let rest = slot.large.rest();
        // A value takes many times its encoding in memory, so no more is read than fits an item.
        let mut from = Reader::new(rest.get(..room).unwrap_or(rest));
        let value = from.value(TEXT_BYTES_MAX)?;
        let len = from.position();
        slot.large.take(len)?;
        self.room -= len;
        Ok(value)
    }

    fn reference(&mut self, slot: Option<usize>) -> Result<[u8; 16]> {
        let slot = slot.and_then(|slot| self.values.get_mut(slot));
        let slot = slot.ok_or_else(|| malformed("a value without its slot"))?;
        self.refs.next(&mut slot.small)
    }

    fn slot(&mut self, slot: Option<usize>) -> Result<&mut Slot<'a>> {
        let slot = slot.and_then(|slot| self.values.get_mut(slot));
        slot.ok_or_else(|| malformed("a value without its slot"))
    }
}

fn read_forms(mut from: Stream<'_>) -> Result<Vec<Form>> {
    from.check_len(SHAPE_BYTES_MAX)?;
    let mut forms = Vec::new();
    while !from.is_empty() {
        forms.push(Form {
            kind: from.varint()?,
            heads: from.count(CONTROL_HEADS_MAX + 1)?,
            items: from.count(ITEMS_MAX)?,
        });
    }
    Ok(forms)
}

fn read_shapes(mut from: Stream<'_>) -> Result<(Vec<Shape>, Vec<SlotSort>)> {
    from.check_len(SHAPE_BYTES_MAX)?;
    let mut slots = Slots::default();
    let mut shapes = Vec::new();
    while !from.is_empty() {
        shapes.push(Shape::read(&mut from, &mut slots)?);
    }
    Ok((shapes, slots.sorts))
}
