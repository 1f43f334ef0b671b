//! Shapes of items: all that many items have in common, told once; and the slots of their values.
//!
//! `shape = kind, target (0 new, 1 record, 2 natural key), deps, (0 own | 1 other)*, ops, (code,
//! field, type of the value)*`. Must not know: the values.

use std::collections::HashMap;

use crate::codec::Value;
use crate::error::Result;
use crate::log::item::{DEPS_MAX, Item, OPS_MAX, Op, Target};
use crate::log::pack::columns::stream::{Stream, malformed, put};

/// The most bytes of all forms, and of all shapes; packs with more variety use layout 0.
pub(super) const SHAPE_BYTES_MAX: usize = 64 << 10;

pub(super) const SET: u8 = 0;
pub(super) const UNSET: u8 = 1;
pub(super) const ADD: u8 = 2;
pub(super) const REMOVE: u8 = 3;
pub(super) const SPLICE: u8 = 4;
pub(super) const COUNT: u8 = 5;
pub(super) const TEXT: u8 = 6;

pub(super) const NEW: u8 = 0;
pub(super) const RECORD: u8 = 1;
pub(super) const NATURAL: u8 = 2;

/// The types of values; `VOID` for ops that have one fixed form.
pub(super) mod value_type {
    pub(in super::super) const VOID: u8 = 0;
    pub(in super::super) const FALSE: u8 = 1;
    pub(in super::super) const TRUE: u8 = 2;
    pub(in super::super) const INT: u8 = 3;
    pub(in super::super) const TEXT: u8 = 4;
    pub(in super::super) const BYTES: u8 = 5;
    pub(in super::super) const REF: u8 = 6;
    pub(in super::super) const LIST: u8 = 7;
}

/// What the values of a slot look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlotSort {
    /// An integer column.
    Int,
    /// Lengths, and UTF-8 end to end.
    Text,
    /// Lengths, and bytes end to end.
    Bytes,
    /// References.
    Ref,
    /// CBOR values end to end.
    Cbor,
}

impl SlotSort {
    pub(super) fn has_small(self) -> bool {
        self != Self::Cbor
    }

    pub(super) fn has_large(self) -> bool {
        matches!(self, Self::Text | Self::Bytes | Self::Cbor)
    }
}

/// An op without its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpShape {
    pub(super) code: u8,
    pub(super) field: u16,
    pub(super) value: u8,
}

/// An item without its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) kind: u64,
    pub(super) target: u8,
    /// Whether each dep is in another log.
    pub(super) deps: Vec<bool>,
    pub(super) ops: Vec<OpShape>,
    /// The slot of each value, in order: target, then ops.
    pub(super) slots: Vec<usize>,
}

/// All slots so far, by (record kind, op code or target, field, part).
#[derive(Debug, Default)]
pub(super) struct Slots {
    known: HashMap<(u64, u8, u16, u8), usize>,
    pub(super) sorts: Vec<SlotSort>,
}

impl Slots {
    fn slot(&mut self, key: (u64, u8, u16, u8), sort: SlotSort) -> usize {
        *self.known.entry(key).or_insert_with(|| {
            self.sorts.push(sort);
            self.sorts.len() - 1
        })
    }
}

/// Appends the shape of `item`.
pub(super) fn put_shape(to: &mut Vec<u8>, item: &Item) {
    put(to, item.kind);
    to.push(match item.target {
        Target::New => NEW,
        Target::Record(_) => RECORD,
        Target::Natural(_) => NATURAL,
    });
    put(to, item.deps.len() as u64);
    to.extend(item.deps.iter().map(|dep| u8::from(dep.check.is_some())));
    put(to, item.ops.len() as u64);
    for op in &item.ops {
        let (code, value) = match op {
            Op::Set(_, value) => (SET, type_of(value)),
            Op::Unset(_) => (UNSET, value_type::VOID),
            Op::Add(_, value) => (ADD, type_of(value)),
            Op::Remove(..) => (REMOVE, value_type::VOID),
            Op::Splice(..) => (SPLICE, value_type::VOID),
            Op::Count(..) => (COUNT, value_type::VOID),
            Op::Text(_) => (TEXT, value_type::VOID),
        };
        to.push(code);
        put(to, u64::from(op.field()));
        to.push(value);
    }
}

fn type_of(value: &Value) -> u8 {
    match value {
        Value::Null => value_type::VOID,
        Value::Bool(false) => value_type::FALSE,
        Value::Bool(true) => value_type::TRUE,
        Value::Int(_) => value_type::INT,
        Value::Text(_) => value_type::TEXT,
        Value::Bytes(bytes) if bytes.len() == 16 => value_type::REF,
        Value::Bytes(_) => value_type::BYTES,
        Value::List(_) => value_type::LIST,
    }
}

impl Shape {
    /// Returns the shape of an item without values.
    pub(super) fn nothing() -> Self {
        Self { kind: 0, target: NEW, deps: Vec::new(), ops: Vec::new(), slots: Vec::new() }
    }

    /// Reads the next shape and finds or makes its slots.
    pub(super) fn read(from: &mut Stream<'_>, slots: &mut Slots) -> Result<Self> {
        let kind = from.varint()?;
        let [target] = from.array()?;
        let dep_count = from.count(DEPS_MAX)?;
        let deps = from.take(dep_count)?.iter().map(|other| *other != 0);
        let deps = deps.collect();
        let op_count = from.count(OPS_MAX)?;
        let mut shape = Self { kind, target, deps, ops: Vec::new(), slots: Vec::new() };
        shape.slots.extend(match target {
            NEW => None,
            RECORD => Some(slots.slot((kind, 8, 0, 0), SlotSort::Ref)),
            NATURAL => Some(slots.slot((kind, 7, 0, 0), SlotSort::Text)),
            _ => return Err(malformed("an unknown target")),
        });
        for _ in 0..op_count {
            let [code] = from.array()?;
            let field = u16::try_from(from.varint()?).map_err(|_| malformed("a field number"))?;
            let [value] = from.array()?;
            let op = OpShape { code, field, value };
            shape.add_slots(op, slots)?;
            shape.ops.push(op);
        }
        Ok(shape)
    }

    fn add_slots(&mut self, op: OpShape, slots: &mut Slots) -> Result<()> {
        let (kind, OpShape { code, field, value }) = (self.kind, op);
        let fixed: &[SlotSort] = match (code, value) {
            (UNSET | TEXT, value_type::VOID) => &[],
            (REMOVE, value_type::VOID) => &[SlotSort::Ref],
            (SPLICE, value_type::VOID) => &[SlotSort::Int, SlotSort::Int, SlotSort::Text],
            (COUNT, value_type::VOID) => &[SlotSort::Int],
            (SET | ADD, value_type::VOID | value_type::FALSE | value_type::TRUE) => &[],
            (SET | ADD, value_type::INT) => &[SlotSort::Int],
            (SET | ADD, value_type::TEXT) => &[SlotSort::Text],
            (SET | ADD, value_type::BYTES) => &[SlotSort::Bytes],
            (SET | ADD, value_type::REF) => &[SlotSort::Ref],
            (SET | ADD, value_type::LIST) => &[SlotSort::Cbor],
            _ => return Err(malformed("an unknown operation")),
        };
        for (part, sort) in (0_u8..).zip(fixed) {
            let slot = slots.slot((kind, code, field, value << 4 | part), *sort);
            self.slots.push(slot);
        }
        Ok(())
    }
}
