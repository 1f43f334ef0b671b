//! Records as people read them: one line in a list, or everything on a page.
//!
//! Must not know: who asked, how records are found.

use std::{cell::RefCell, collections::HashMap};

use serde_json::{Value, json};
use tuquan_core::{
    domain::DORMITORY,
    door::{Tuquan, query::Record},
    ids::RecordId,
    record::{
        declare::{Declaration, Type},
        plain::Plain,
    },
};

use crate::{failure::Outcome, place, time, words::Words};

const TEXT_CHARS_MAX: usize = 100;
const SHORT_ID_DIGITS: usize = 12;

/// Shows records of one store.
pub(crate) struct Shower<'a> {
    store: &'a Tuquan,
    words: &'a Words,
    places: RefCell<HashMap<RecordId, String>>,
}

impl<'a> Shower<'a> {
    /// Shows records of `store` in the language of `words`.
    pub(crate) fn new(store: &'a Tuquan, words: &'a Words) -> Self {
        Self { store, words, places: RefCell::default() }
    }

    /// Returns one line about a record: when, code, id, category, state, place, text.
    pub(crate) fn line(&self, record: &Record) -> Outcome<String> {
        let code = self.store.code(record)?;
        let mut parts = vec![time::moment(record.when_ms), code, short(&record.record)];
        for field in ["category", "state", "place", "name"] {
            if let Some(plain) = record.fields.get(field) {
                parts.push(self.value(&record.kind, field, plain)?);
            }
        }
        if record.fields.get("priority") == Some(&Plain::from("urgent")) {
            parts.push(self.words.get("priority.urgent").to_uppercase());
        }
        if record.in_conflict {
            parts.push(self.words.get("list.in_conflict").to_owned());
        }
        if record.clock_suspect {
            parts.push(self.words.get("list.clock_suspect").to_owned());
        }
        let text = self.text(record)?;
        if !text.is_empty() {
            parts.push(clip(&text, TEXT_CHARS_MAX));
        }
        Ok(parts.join("  "))
    }

    /// Returns all that a record says, field by field.
    pub(crate) fn page(&self, record: &Record) -> Outcome<String> {
        let code = self.store.code(record)?;
        let words = self.words;
        let kind = words.token("record", &record.kind);
        let mut lines = vec![
            format!("{kind} {code}"),
            format!("  {}: {}", words.get("show.id"), record.record),
            format!("  {}: {}", words.get("show.saved"), time::moment(record.saved_ms)),
        ];
        for (name, plain) in record.fields.iter() {
            let value = self.value(&record.kind, name, plain)?;
            lines.push(format!("  {}: {value}", words.token("field", name)));
        }
        for (name, elements) in &record.lists {
            lines.push(format!("  {}:", words.token("field", name)));
            for element in elements {
                let said = self.value(&record.kind, name, &element.value)?;
                let struck = if element.struck {
                    format!(" ({})", words.get("show.struck"))
                } else {
                    String::new()
                };
                let saved = time::moment(element.saved_ms);
                lines.push(format!("    {saved}  [{}]  {said}{struck}", element.key));
            }
        }
        for (name, values) in &record.conflicts {
            lines.push(format!("  {}", self.conflict(record, name, values)?));
        }
        Ok(lines.join("\n"))
    }

    /// Returns one sentence about values to choose from.
    pub(crate) fn conflict(
        &self,
        record: &Record,
        name: &str,
        values: &[Plain],
    ) -> Outcome<String> {
        let mut said = Vec::with_capacity(values.len());
        for value in values {
            said.push(self.value(&record.kind, name, value)?);
        }
        let (field, values) = (self.words.token("field", name), said.join(" / "));
        let values: [(&str, &dyn std::fmt::Display); 2] = [("field", &field), ("values", &values)];
        Ok(self.words.say("conflicts.choose", &values))
    }

    /// Returns a value as people read it.
    pub(crate) fn value(&self, kind: &str, field: &str, plain: &Plain) -> Outcome<String> {
        let declared = declaration(kind).and_then(|of| of.field_named(field));
        let ty = declared.map(|field| field.ty);
        Ok(match (ty, plain) {
            (Some(Type::Element(parts)), Plain::Parts(held)) => {
                let mut said = Vec::with_capacity(held.len());
                for part in parts {
                    let Some(plain) = held.get(part.name) else {
                        continue;
                    };
                    said.push(self.typed(&part.ty, choice_list(field, part.name), plain)?);
                }
                said.join("  ")
            }
            // A transition: its target is named by the field's own closed list.
            (Some(_), Plain::Parts(held)) => {
                let mut said = Vec::with_capacity(held.len());
                for (name, plain) in held {
                    said.push(match (name.as_str(), plain) {
                        ("t_event", Plain::Int(ms)) => time::moment(*ms),
                        ("to", Plain::Text(token)) => {
                            self.words.token(choice_list(kind, field), token).to_owned()
                        }
                        (_, other) => plain_text(other),
                    });
                }
                said.join("  ")
            }
            (Some(ty), plain) => self.typed(&ty, choice_list(kind, field), plain)?,
            (None, plain) => plain_text(plain),
        })
    }

    fn typed(&self, ty: &Type, list: &str, plain: &Plain) -> Outcome<String> {
        Ok(match (ty, plain) {
            (Type::Choice(_), Plain::Text(token)) => self.words.token(list, token).to_owned(),
            (Type::Time, Plain::Int(ms)) => time::moment(*ms),
            (Type::Bool, Plain::Bool(true)) => self.words.get("show.yes").to_owned(),
            (Type::Bool, Plain::Bool(false)) => self.words.get("show.no").to_owned(),
            (Type::Ref, Plain::Text(id)) => match id.parse() {
                Ok(id) => self.place_name(&id)?,
                Err(_) => id.clone(),
            },
            (_, plain) => plain_text(plain),
        })
    }

    /// Returns the name of a place, or the short id of what is no place here.
    pub(crate) fn place_name(&self, id: &RecordId) -> Outcome<String> {
        if let Some(name) = self.places.borrow().get(id) {
            return Ok(name.clone());
        }
        let (name, _) = place::names(self.store, id)?;
        let name = name.unwrap_or_else(|| short(id));
        self.places.borrow_mut().insert(*id, name.clone());
        Ok(name)
    }

    /// Returns what a record says in words; rows of lists do not carry notes.
    fn text(&self, record: &Record) -> Outcome<String> {
        if let Some(Plain::Text(summary)) = record.fields.get("summary") {
            return Ok(summary.clone());
        }
        if record.kind != "log_entry" {
            return Ok(String::new());
        }
        let Some(whole) = self.store.get(&record.record)? else {
            return Ok(String::new());
        };
        Ok(notes(&whole).join(" / "))
    }

    /// Returns a record for programs, with its code.
    pub(crate) fn json(&self, record: &Record) -> Outcome<Value> {
        let mut value = json!(record);
        if let Some(fields) = value.as_object_mut() {
            fields.insert("code".to_owned(), json!(self.store.code(record)?));
        }
        Ok(value)
    }
}

/// Returns the notes of a line of the duty book, in the order in which they were saved.
pub(crate) fn notes(record: &Record) -> Vec<String> {
    let mut notes: Vec<_> = record.lists.get("note").into_iter().flatten().collect();
    notes.sort_by_key(|element| element.saved_ms);
    let texts = notes.into_iter().filter(|element| !element.struck);
    texts.map(|element| plain_text(&element.value)).collect()
}

/// Returns the declaration of a record type.
pub(crate) fn declaration(kind: &str) -> Option<&'static Declaration> {
    DORMITORY.iter().copied().find(|of| of.name == kind)
}

/// Returns the section of the words file that holds the tokens of a field.
pub(crate) fn choice_list(kind: &str, field: &str) -> &'static str {
    match (kind, field) {
        ("shift", "state") => "shift_state",
        (_, "state") => "incident_state",
        ("timeline", "kind") => "timeline_kind",
        ("place", "kind") => "place_kind",
        ("photos", "image") => "photos_image",
        (_, "category") => "category",
        (_, "priority") => "priority",
        (_, "outcome") => "outcome",
        (_, "loss_band") => "loss_band",
        (_, "weather") => "weather",
        _ => "",
    }
}

/// Returns the first digits of an id, enough to type.
pub(crate) fn short(id: &RecordId) -> String {
    // Ids begin with their time of creation: fewer digits name a whole minute.
    id.to_string().chars().take(SHORT_ID_DIGITS).collect()
}

fn plain_text(plain: &Plain) -> String {
    match plain {
        Plain::Text(text) => text.clone(),
        Plain::Int(number) => number.to_string(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

fn clip(text: &str, chars_max: usize) -> String {
    let line = text.replace('\n', " ");
    if line.chars().count() <= chars_max {
        return line;
    }
    let kept: String = line.chars().take(chars_max - 1).collect();
    format!("{kept}…")
}
