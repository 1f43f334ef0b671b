//! One item as operations on a document: which keys it writes, and which scalars.
//!
//! Everything is a scalar at the root: `field` for registers, `field/element` for sets and
//! lists, `field/log` for counts; only a text is an object. Invariant: what is written follows
//! from the item, the declaration and the document at the item's deps. Must not know: how that
//! document came to be, where other items stand in it.

use std::borrow::Cow;
use std::fmt::Display;

use automerge::transaction::{Transactable, Transaction};
use automerge::{AutomergeError, ObjId, ObjType, ROOT, ReadDoc, ScalarValue};

use super::declare::{Declaration, Merge};
use super::graph::GraphItem;
use super::state::check_op;
use crate::codec::{Reader, Value, Writer};
use crate::error::{Error, Kind, Result};
use crate::ids::ElementKey;
use crate::log::item::{Op, Place, TEXT_BYTES_MAX, set_key};

/// Checks all operations of an item on fields that the declaration has.
///
/// # Errors
/// As [`check_op`]: the item is damaged then, and counts as an empty one.
pub(super) fn check(of: &Declaration, item: &GraphItem) -> Result<()> {
    for op in &item.ops {
        if let Some(field) = of.field(op.field()) {
            check_op(field, op)?;
        }
    }
    Ok(())
}

/// Writes the operations of an item; `edited` picks the text to splice when there are several.
pub(super) fn write(
    tx: &mut Transaction<'_>,
    of: &Declaration,
    item: &GraphItem,
    edited: &dyn Fn(Vec<ObjId>) -> Option<ObjId>,
) -> Result<(), AutomergeError> {
    for (number, op) in item.ops.iter().enumerate() {
        let merge = of.field(op.field()).map(|field| field.merge);
        let key = op.field().to_string();
        match op {
            Op::Set(_, value) => {
                let once = merge == Some(Merge::IM) && !tx.get_all(ROOT, &key)?.is_empty();
                if !once {
                    set(tx, key, scalar(value))?;
                }
            }
            Op::Unset(_) => {
                if merge != Some(Merge::IM) {
                    tx.delete(ROOT, key)?;
                }
            }
            Op::Add(field, value) if merge == Some(Merge::OR) => {
                let key = sub_key(*field, &set_key(value));
                set(tx, key, added(value, item.place, number))?;
            }
            // A field that is not declared here keeps every element, as a list does.
            Op::Add(field, value) => {
                let key = sub_key(*field, &item.place.element_key(number));
                set(tx, key, ScalarValue::Bytes(cbor(value)))?;
            }
            Op::Remove(field, element) => tx.delete(ROOT, sub_key(*field, element))?,
            Op::Splice(_, at, delete, text) => {
                if let Some(object) = edited(texts(tx, &key)?) {
                    splice(tx, &object, *at, *delete, text)?;
                }
            }
            Op::Count(field, delta) => {
                let key = sub_key(*field, &item.place.log);
                let sum = match tx.get(ROOT, &key)? {
                    Some((value, _)) => value.as_i64().unwrap_or(0),
                    None => 0,
                };
                set(tx, key, ScalarValue::Int(sum.saturating_add(*delta)))?;
            }
            Op::Text(_) => {
                tx.put_object(ROOT, key, ObjType::Text)?;
            }
        }
    }
    Ok(())
}

/// Sets a key, unless it holds nothing but this value already.
fn set(tx: &mut Transaction<'_>, key: String, scalar: ScalarValue) -> Result<(), AutomergeError> {
    let held = tx.get_all(ROOT, &key)?;
    let same = |value: &automerge::Value<'_>| value.as_scalar() == Some(&scalar);
    if !held.is_empty() && held.iter().all(|(value, _)| same(value)) {
        return Ok(());
    }
    // With several values, the library would keep an equal one with its old author.
    if held.len() > 1 {
        tx.delete(ROOT, key.as_str())?;
    }
    tx.put(ROOT, key, scalar)
}

/// Edits a text; outside of it an edit has no effect.
fn splice(
    tx: &mut Transaction<'_>,
    object: &ObjId,
    at: u64,
    delete: u64,
    insert: &str,
) -> Result<(), AutomergeError> {
    let length = tx.length(object) as u64;
    if at.checked_add(delete).is_none_or(|end| end > length) {
        return Ok(());
    }
    let (Ok(at), Ok(delete)) = (usize::try_from(at), isize::try_from(delete)) else {
        return Ok(());
    };
    tx.splice_text(object, at, delete, insert)
}

/// Returns the text objects that a field holds.
pub(super) fn texts(doc: &impl ReadDoc, key: &str) -> Result<Vec<ObjId>, AutomergeError> {
    let held = doc.get_all(ROOT, key)?.into_iter();
    Ok(held
        .filter(|(value, _)| matches!(value, automerge::Value::Object(ObjType::Text)))
        .map(|(_, object)| object)
        .collect())
}

/// Returns the key of an element of a set or list, or of one device's count.
pub(super) fn sub_key(field: u16, sub: &impl Display) -> String {
    format!("{field}/{sub}")
}

/// Returns the scalar of a value: its CBOR type alone decides, never a declaration.
fn scalar(value: &Value) -> ScalarValue {
    match value {
        Value::Null => ScalarValue::Null,
        Value::Bool(flag) => ScalarValue::Boolean(*flag),
        Value::Int(number) => ScalarValue::Int(*number),
        Value::Text(text) => ScalarValue::Str(text.as_str().into()),
        // Both with their CBOR head, which tells them apart.
        Value::Bytes(_) | Value::List(_) => ScalarValue::Bytes(cbor(value)),
    }
}

/// Returns the value of a scalar that [`scalar`] made.
pub(super) fn value(scalar: &ScalarValue) -> Result<Value> {
    match scalar {
        ScalarValue::Null => Ok(Value::Null),
        ScalarValue::Boolean(flag) => Ok(Value::Bool(*flag)),
        ScalarValue::Int(number) => Ok(Value::Int(*number)),
        ScalarValue::Str(text) => Ok(Value::Text(text.to_string())),
        ScalarValue::Bytes(bytes) => Reader::new(bytes).value(TEXT_BYTES_MAX),
        _ => Err(Error::new(Kind::Change, "a scalar that nothing writes")),
    }
}

fn cbor(value: &Value) -> Vec<u8> {
    let mut to = Writer::new();
    to.value(value);
    to.into_bytes()
}

/// Returns the scalar of a set's element. It names the adding operation, so no two are equal
/// and adding again writes anew: what a concurrent remove has not seen survives it.
fn added(value: &Value, at: Place, op: usize) -> ScalarValue {
    let mut to = Writer::new();
    to.array(2).value(value).bytes(&at.element_key(op).0);
    ScalarValue::Bytes(to.into_bytes())
}

/// Returns the element in a scalar that [`added`] made.
pub(super) fn element(scalar: &ScalarValue) -> Result<Value> {
    let mut from = match scalar {
        ScalarValue::Bytes(bytes) => Reader::new(bytes),
        _ => return Err(Error::new(Kind::Change, "an element that nothing adds")),
    };
    from.tuple(2)?;
    let value = from.value(TEXT_BYTES_MAX)?;
    from.array_bytes::<{ ElementKey::LEN }>()?;
    Ok(value)
}

/// Returns a scalar of the library's value.
pub(super) fn held<'a>(value: &'a automerge::Value<'_>) -> Result<Cow<'a, ScalarValue>> {
    match value {
        automerge::Value::Scalar(scalar) => Ok(Cow::Borrowed(scalar.as_ref())),
        automerge::Value::Object(_) => {
            Err(Error::new(Kind::Change, "an object in place of a scalar"))
        }
    }
}
