//! Reading items back: one by its place, or all of a record by walking its deps from the heads.
//!
//! No index of items by record exists; a record's heads name its items, and so on down. Must not
//! know: how items merge.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use rusqlite::Connection;

use super::mind::Mind;
use super::step::{Content, Incoming, check_item};
use crate::error::{Error, Kind, Result};
use crate::ids::RecordId;
use crate::log::entry::{Body, Entry, kind};
use crate::log::item::{Item, Place, Target, item_digest, natural_id};
use crate::record::graph::GraphItem;
use crate::store::logs;
use crate::store::views::Head;

/// The most items that one merge reads; far beyond what a record may hold, but an end.
const GATHER_ITEMS_MAX: usize = 16_384;

/// Returns the item at a local place, ready to be absorbed; none when its content is absent.
///
/// # Errors
/// `E-DBPAGE`.
pub fn incoming(
    connection: &Connection,
    mind: &Mind,
    (at, index): (i64, u32),
) -> Result<Option<Incoming>> {
    let (no, seq) = logs::parts(at);
    let Some(log) = mind.log_numbered(no) else {
        return Ok(None);
    };
    let place = Place {
        log: log.row.id,
        seq,
        index,
    };
    let role = mind
        .members
        .devices
        .get(&log.row.device)
        .and_then(|member| member.role);
    let mut cache = Cache::default();
    let Some((entry, bytes)) = cache.item(connection, no, place)? else {
        return Ok(None);
    };
    let runs = logs::runs(connection, no, seq, seq + 1)?;
    let digest = item_digest(&runs[0].salt(seq, index), &bytes);
    Ok(Some(Incoming {
        place,
        hlc: entry.hlc,
        digest,
        content: Content::Bytes(bytes),
        role,
    }))
}

/// Returns every item of record `id` that `heads` reach, and `extra` ones that came now.
///
/// # Errors
/// `E-DBPAGE`.
pub fn gather(
    connection: &Connection,
    mind: &Mind,
    id: &RecordId,
    heads: &[Head],
    extra: Vec<GraphItem>,
) -> Result<Vec<GraphItem>> {
    let mut cache = Cache::default();
    let mut seen: HashSet<Place> = extra.iter().map(|item| item.place).collect();
    let mut queue: Vec<Place> = heads.iter().map(|head| head.place).collect();
    queue.extend(extra.iter().flat_map(|item| item.deps.iter().copied()));
    let mut items = extra;
    while let Some(place) = queue.pop() {
        if !seen.insert(place) {
            continue;
        }
        if items.len() >= GATHER_ITEMS_MAX {
            break;
        }
        if let Some(item) = read(connection, mind, id, place, &mut cache)? {
            queue.extend(item.deps.iter().copied());
            items.push(item);
        }
    }
    // A dep on an item that is no part of this record counts as none.
    let known: HashSet<Place> = items.iter().map(|item| item.place).collect();
    for item in &mut items {
        item.deps.retain(|dep| known.contains(dep));
    }
    Ok(items)
}

fn read(
    connection: &Connection,
    mind: &Mind,
    id: &RecordId,
    place: Place,
    cache: &mut Cache,
) -> Result<Option<GraphItem>> {
    let Some(log) = mind.log(&place.log) else {
        return Ok(None);
    };
    let no = log.row.no;
    let Some((entry, bytes)) = cache.item(connection, no, place)? else {
        return Ok(None);
    };
    let Ok(mut item) = Item::decode(&bytes, &place.log) else {
        return Ok(None);
    };
    let target = match &item.target {
        Target::New => place.record_id(entry.hlc),
        Target::Natural(key) => natural_id(&mind.space()?, item.kind, key),
        Target::Record(id) => *id,
    };
    if target != *id {
        return Ok(None);
    }
    let role = mind
        .members
        .devices
        .get(&log.row.device)
        .and_then(|member| member.role);
    let view = mind.view(item.kind).map(|index| &mind.views[index]);
    if view.is_none_or(|view| check_item(view, &item, place, role).is_err()) {
        item.ops.clear();
    }
    let runs = logs::runs(connection, no, place.seq, place.seq + 1)?;
    Ok(Some(GraphItem {
        place,
        hlc: entry.hlc,
        digest: item_digest(&runs[0].salt(place.seq, place.index), &bytes),
        deps: item.deps.iter().map(|dep| dep.place).collect(),
        ops: item.ops,
    }))
}

/// Segments that were read in this walk.
#[derive(Default)]
struct Cache {
    segments: HashMap<i64, Vec<Rc<logs::Segment>>>,
}

impl Cache {
    fn item(
        &mut self,
        connection: &Connection,
        no: i64,
        place: Place,
    ) -> Result<Option<(Entry, Vec<u8>)>> {
        let Some(entry) = self.entry(connection, no, place.seq)? else {
            return Ok(None);
        };
        if entry.kind != kind::WRITE {
            return Ok(None);
        }
        let index = usize::try_from(place.index).unwrap_or(usize::MAX);
        match entry.items.get(index) {
            Some(Body::Bytes(bytes)) => {
                let bytes = bytes.clone();
                Ok(Some((entry, bytes)))
            }
            _ => Ok(None),
        }
    }

    fn entry(&mut self, connection: &Connection, no: i64, seq: u64) -> Result<Option<Entry>> {
        let cached = self.segments.entry(no).or_default();
        let covering = |segment: &&Rc<logs::Segment>| {
            seq >= segment.first && seq - segment.first < segment.entries.len() as u64
        };
        let segment = match cached.iter().find(covering) {
            Some(segment) => Rc::clone(segment),
            None => match logs::segment_of(connection, no, seq)? {
                Some(segment) => {
                    let segment = Rc::new(segment);
                    cached.push(Rc::clone(&segment));
                    segment
                }
                None => return logs::tail_entry(connection, no, seq),
            },
        };
        let index = usize::try_from(seq - segment.first).unwrap_or(usize::MAX);
        let entry = segment.entries.get(index).cloned();
        entry
            .map(Some)
            .ok_or_else(|| Error::new(Kind::DbPage, "a segment shorter than it says"))
    }
}
