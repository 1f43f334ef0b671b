//! Plain values: what commands, queries, JSON and exports hold instead of wire values.
//!
//! A closed list's member is its token, a reference is hexadecimal, a time is milliseconds. The
//! conversion is where a declaration validates. Must not know: the database, the wire.

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization;

use super::declare::{Declaration, Field, FieldType, Merge, Part, Transition, Type};
use crate::codec::{Value, is_nfc};
use crate::error::{Error, Kind, Result};
use crate::ids::{RecordId, to_hex};

/// A plain value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
#[allow(clippy::use_self, reason = "the boundary's derive names the parts outside of the type")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum Plain {
    /// Yes or no.
    Bool(bool),
    /// A number, or a time in ms since 1970.
    Int(i64),
    /// A text, a token of a closed list, or a record id in hexadecimal.
    Text(String),
    /// The elements of a set or list.
    Many(Vec<Plain>),
    /// The parts of an element.
    Parts(BTreeMap<String, Plain>),
}

impl From<&str> for Plain {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// The fields of a record to be made, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Draft {
    /// The record type's name.
    pub kind: String,
    /// Values by field name; lists for sets and lists.
    #[serde(default)]
    pub fields: BTreeMap<String, Plain>,
}

impl Draft {
    /// Starts an empty draft of a record type.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        Self { kind: kind.to_owned(), fields: BTreeMap::new() }
    }

    /// Puts a value.
    #[must_use]
    pub fn with(mut self, field: &str, value: Plain) -> Self {
        self.fields.insert(field.to_owned(), value);
        self
    }
}

/// Tells whether a value is its type's default; such values are left out of JSON.
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A field of a plain struct that goes into a draft, and comes out of one or of a row.
pub trait Draftable: Sized {
    /// Puts it under `name` if it is set.
    fn put(&self, name: &str, draft: &mut Draft);

    /// Makes it of its plain value; one that is missing or of another type leaves it empty.
    fn take(plain: Option<&Plain>) -> Self;
}

impl<T: FieldType> Draftable for Option<T> {
    fn put(&self, name: &str, draft: &mut Draft) {
        if let Some(plain) = self.as_ref().and_then(|held| from_value(&T::TYPE, &held.to_value())) {
            draft.fields.insert(name.to_owned(), plain);
        }
    }

    fn take(plain: Option<&Plain>) -> Self {
        let value = to_value(&T::TYPE, plain?).ok()?;
        T::from_value(&value)
    }
}

impl<T: FieldType> Draftable for Vec<T> {
    fn put(&self, name: &str, draft: &mut Draft) {
        let list: Vec<Plain> =
            self.iter().filter_map(|held| from_value(&T::TYPE, &held.to_value())).collect();
        if !list.is_empty() {
            draft.fields.insert(name.to_owned(), Plain::Many(list));
        }
    }

    fn take(plain: Option<&Plain>) -> Self {
        let Some(Plain::Many(list)) = plain else {
            return Self::new();
        };
        list.iter().filter_map(|plain| T::from_value(&to_value(&T::TYPE, plain).ok()?)).collect()
    }
}

/// Returns the value of a plain one, checked against the type; texts are brought to NFC.
///
/// # Errors
/// `E-INVALID` on another type or a value out of range.
pub fn to_value(ty: &Type, plain: &Plain) -> Result<Value> {
    let value = match (ty, plain) {
        (Type::Text(_), Plain::Text(text)) => Value::Text(clean(text)),
        (Type::Int(..) | Type::Time, Plain::Int(number)) => Value::Int(*number),
        (Type::Bool, Plain::Bool(flag)) => Value::Bool(*flag),
        (Type::Ref, Plain::Text(text)) => Value::Bytes(text.parse::<RecordId>()?.0.to_vec()),
        (Type::Choice(all), Plain::Text(token)) => {
            let choice = all.iter().find(|choice| choice.token == token);
            let choice = choice.ok_or_else(|| invalid("not a member of the closed list"))?;
            Value::Int(choice.number)
        }
        (Type::Element(parts), Plain::Parts(given)) => element_value(parts, given)?,
        _ => return Err(invalid("a value of another type")),
    };
    check(ty, &value).map_err(|error| Error::new(Kind::Invalid, error.context))?;
    Ok(value)
}

fn invalid(what: &str) -> Error {
    Error::new(Kind::Invalid, what)
}

fn element_value(parts: &'static [Part], given: &BTreeMap<String, Plain>) -> Result<Value> {
    if let Some(name) = given.keys().find(|name| parts.iter().all(|part| part.name != *name)) {
        return Err(invalid(&format!("an element has no part {name}")));
    }
    let mut values = Vec::with_capacity(parts.len());
    for part in parts {
        values.push(match given.get(part.name) {
            Some(plain) => to_value(&part.ty, plain)?,
            None => Value::Null,
        });
    }
    while values.last() == Some(&Value::Null) {
        values.pop();
    }
    Ok(Value::List(values))
}

/// Brings a text to what is stored: NFC, without zero-width characters.
#[must_use]
pub fn clean(text: &str) -> String {
    let zero_width = |c: char| matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}');
    if text.is_ascii() || (!text.contains(zero_width) && is_nfc(text)) {
        return text.to_owned();
    }
    text.chars().filter(|c| !zero_width(*c)).nfc().collect()
}

/// Checks a value against a type: what a declaration says of values from outside.
///
/// # Errors
/// `E-FORMAT` on another type or a value out of range, `E-CHANGE-BIG` on a long text.
pub fn check(ty: &Type, value: &Value) -> Result<()> {
    let bad = |what: &str| Err(Error::new(Kind::Format, what));
    match (ty, value) {
        (Type::Text(max), Value::Text(text)) if text.len() > *max => {
            Err(Error::new(Kind::ChangeTooBig, format!("a text over {max} bytes")))
        }
        (Type::Text(_), Value::Text(_)) | (Type::Bool, Value::Bool(_)) => Ok(()),
        (Type::Int(low, high), Value::Int(number)) => {
            if number < low || number > high {
                bad("a number out of range")
            } else {
                Ok(())
            }
        }
        (Type::Time, Value::Int(_)) => Ok(()),
        (Type::Ref, Value::Bytes(bytes)) if bytes.len() == RecordId::LEN => Ok(()),
        (Type::Manifest(max), Value::Bytes(bytes)) if bytes.len() <= *max => Ok(()),
        // A number that is not in the list comes from a newer version: kept, not shown.
        (Type::Choice(_), Value::Int(_)) => Ok(()),
        (Type::Element(parts), Value::List(list)) => {
            for (part, value) in parts.iter().zip(list) {
                if *value != Value::Null {
                    check(&part.ty, value)?;
                }
            }
            Ok(())
        }
        _ => bad("a value of another type"),
    }
}

/// Returns the plain form of a value; none when it is not of the type.
#[must_use]
pub fn from_value(ty: &Type, value: &Value) -> Option<Plain> {
    Some(match (ty, value) {
        (Type::Text(_), Value::Text(text)) => Plain::Text(text.clone()),
        (Type::Int(..) | Type::Time, Value::Int(number)) => Plain::Int(*number),
        (Type::Bool, Value::Bool(flag)) => Plain::Bool(*flag),
        (Type::Ref, Value::Bytes(bytes)) => Plain::Text(to_hex(bytes)),
        (Type::Choice(all), Value::Int(number)) => {
            let choice = all.iter().find(|choice| choice.number == *number)?;
            Plain::Text(choice.token.to_owned())
        }
        (Type::Element(parts), Value::List(list)) => Plain::Parts(
            parts
                .iter()
                .zip(list)
                .filter_map(|(part, value)| {
                    Some((part.name.to_owned(), from_value(&part.ty, value)?))
                })
                .collect(),
        ),
        _ => return None,
    })
}

/// Returns the type of one element of a list field, as its side table holds it.
#[must_use]
pub fn element_type(field: &Field) -> Type {
    if field.merge == Merge::FS { Transition::TYPE } else { field.ty }
}

/// Looks a field up by name.
///
/// # Errors
/// `E-INVALID` when the type has no such field.
pub fn field_named(of: &Declaration, name: &str) -> Result<&'static Field> {
    of.field_named(name).ok_or_else(|| invalid(&format!("{} has no field {name}", of.name)))
}
