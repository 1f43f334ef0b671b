//! Places by their names: one natural key each, so that two devices name the same record.
//!
//! The key is `place:` and the fold of the name. Must not know: files, commands.

use std::collections::HashMap;

use tuquan_core::{
    domain::place::{Place, PlaceKind},
    door::{Tuquan, command::Command},
    ids::RecordId,
    record::plain::Plain,
    store::search::fold,
};

use crate::failure::Outcome;

/// The longest name that a place keeps, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// The places that were named so far, and those that are still to be written.
#[derive(Default)]
pub(crate) struct Places {
    known: HashMap<String, RecordId>,
    missing: Vec<Command>,
}

impl Places {
    /// Returns the place of an event: the exact one inside its building, or the building.
    pub(crate) fn of_event(
        &mut self,
        store: &Tuquan,
        place: Option<&str>,
        building: Option<&str>,
    ) -> Outcome<Option<RecordId>> {
        let above = match building {
            Some(name) => Some(self.named(store, name, PlaceKind::Building, None)?),
            None => None,
        };
        match (place, building) {
            (None, _) => Ok(above),
            (Some(name), Some(building)) if fold(name) == fold(building) => Ok(above),
            (Some(name), None) => Ok(Some(self.named(store, name, PlaceKind::Building, None)?)),
            (Some(name), Some(_)) => Ok(Some(self.named(store, name, PlaceKind::Zone, above)?)),
        }
    }

    /// Returns the commands for places that the store lacks; they come before what names them.
    pub(crate) fn take_missing(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.missing)
    }

    fn named(
        &mut self,
        store: &Tuquan,
        name: &str,
        kind: PlaceKind,
        parent: Option<RecordId>,
    ) -> Outcome<RecordId> {
        let name = cut(name.trim(), NAME_BYTES_MAX);
        let key = key(name);
        if let Some(id) = self.known.get(&key) {
            return Ok(*id);
        }
        let id = store.natural("place", &key)?;
        if store.get(&id)?.is_none() {
            let place =
                Place { name: Some(name.to_owned()), kind: Some(kind), parent, ..Place::default() };
            self.missing.push(Command::Import { draft: place.draft(), key: key.clone() });
        }
        self.known.insert(key, id);
        Ok(id)
    }
}

/// Returns the building that a name such as `B2, tầng 3` begins with.
pub(crate) fn building_of(name: &str) -> Option<&str> {
    let (building, _) = name.split_once(',')?;
    Some(building.trim()).filter(|building| !building.is_empty())
}

/// Returns the place of this name, if the store has it.
pub(crate) fn find(store: &Tuquan, name: &str) -> Outcome<Option<RecordId>> {
    let id = store.natural("place", &key(name))?;
    Ok(store.get(&id)?.map(|_| id))
}

/// Returns the name of a place and the name of its building, where they are known.
pub(crate) fn names(store: &Tuquan, id: &RecordId) -> Outcome<(Option<String>, Option<String>)> {
    const DEPTH_MAX: usize = 8;
    let (mut at, mut first, mut top) = (*id, None, None);
    for _ in 0..DEPTH_MAX {
        let Some(place) = store.get(&at)? else {
            break;
        };
        if let Some(Plain::Text(name)) = place.fields.get("name") {
            first.get_or_insert_with(|| name.clone());
            top = Some(name.clone());
        }
        match place.fields.get("parent") {
            Some(Plain::Text(parent)) => at = parent.parse()?,
            _ => break,
        }
    }
    Ok((first, top))
}

fn key(name: &str) -> String {
    let folded = fold(name);
    // A natural key has at most 256 bytes.
    format!("place:{}", cut(&folded, NAME_BYTES_MAX))
}

/// Cuts a text at the last character boundary within the limit.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    let end = text.floor_char_boundary(bytes_max);
    text.get(..end).unwrap_or(text)
}
