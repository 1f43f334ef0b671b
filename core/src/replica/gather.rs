//! Reading items back: one by its place, or all of a record by walking its deps from the heads.
//!
//! No index of items by record exists; a record's heads name its items, and so on down. Must not
//! know: how items merge.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

use rusqlite::Connection;

use super::mind::Mind;
use super::step::{Content, Incoming, check_item};
use crate::clock::Hlc;
use crate::error::{Error, Kind, Result};
use crate::ids::{Digest, RecordId};
use crate::log::chain::Run;
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
    cache: &mut Cache,
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
    let found = cache.item(connection, no, place)?;
    Ok(found.map(|found| Incoming {
        place,
        hlc: found.hlc,
        digest: found.digest,
        content: Content::Bytes(found.bytes),
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
    cache: &mut Cache,
) -> Result<Vec<GraphItem>> {
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
        if let Some(item) = read(connection, mind, id, place, cache)? {
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
    let Some(found) = cache.item(connection, no, place)? else {
        return Ok(None);
    };
    let Ok(mut item) = Item::decode(&found.bytes, &place.log) else {
        return Ok(None);
    };
    let target = match &item.target {
        Target::New => place.record_id(found.hlc),
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
    Ok(Some(GraphItem {
        place,
        hlc: found.hlc,
        digest: found.digest,
        deps: item.deps.iter().map(|dep| dep.place).collect(),
        ops: item.ops,
    }))
}

/// How many decoded segments a cache keeps.
const SEGMENTS_KEPT: usize = 32;

/// Segments that were read in one step, with their salts.
#[derive(Debug, Default)]
pub struct Cache {
    segments: VecDeque<Rc<Kept>>,
}

#[derive(Debug)]
struct Kept {
    no: i64,
    segment: logs::Segment,
    runs: Vec<Run>,
}

/// One item as it was found.
struct Found {
    hlc: Hlc,
    bytes: Vec<u8>,
    digest: Digest,
}

impl Cache {
    fn item(&mut self, connection: &Connection, no: i64, place: Place) -> Result<Option<Found>> {
        let index = usize::try_from(place.index).unwrap_or(usize::MAX);
        let salted = |entry: &Entry, runs: &[Run]| {
            let Some(Body::Bytes(bytes)) = entry.items.get(index) else {
                return None;
            };
            let run = runs.iter().find(|run| run.covers(place.seq))?;
            let digest = item_digest(&run.salt(place.seq, place.index), bytes);
            (entry.kind == kind::WRITE).then(|| Found {
                hlc: entry.hlc,
                bytes: bytes.clone(),
                digest,
            })
        };
        if let Some(kept) = self.kept(connection, no, place.seq)? {
            let offset = usize::try_from(place.seq - kept.segment.first).unwrap_or(usize::MAX);
            let short = || Error::new(Kind::DbPage, "a segment shorter than it says");
            let entry = kept.segment.entries.get(offset).ok_or_else(short)?;
            return Ok(salted(entry, &kept.runs));
        }
        let Some(entry) = logs::tail_entry(connection, no, place.seq)? else {
            return Ok(None);
        };
        let runs = logs::runs(connection, no, place.seq, place.seq + 1)?;
        Ok(salted(&entry, &runs))
    }

    fn kept(&mut self, connection: &Connection, no: i64, seq: u64) -> Result<Option<Rc<Kept>>> {
        let covers = |kept: &&Rc<Kept>| {
            let first = kept.segment.first;
            kept.no == no && seq >= first && seq - first < kept.segment.entries.len() as u64
        };
        if let Some(kept) = self.segments.iter().find(covers) {
            return Ok(Some(Rc::clone(kept)));
        }
        let Some(segment) = logs::segment_of(connection, no, seq)? else {
            return Ok(None);
        };
        let end = segment.first + segment.entries.len() as u64;
        let runs = logs::runs(connection, no, segment.first, end)?;
        let kept = Rc::new(Kept { no, segment, runs });
        if self.segments.len() == SEGMENTS_KEPT {
            self.segments.pop_front();
        }
        self.segments.push_back(Rc::clone(&kept));
        Ok(Some(kept))
    }
}
