//! Reading items back: one by its place, or all of a record by walking its deps from the heads.
//!
//! No index of items by record exists; a record's heads name its items, and so on down. Must not
//! know: how items merge.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

use rusqlite::{Connection, params};

use super::ingest::link_at;
use super::mind::Mind;
use super::step::{Content, Incoming, check_item};
use crate::clock::Hlc;
use crate::error::{Error, Kind, Result};
use crate::ids::{Digest, Link, LogId, RecordId};
use crate::log::chain::Run;
use crate::log::entry::{Body, Entry, kind};
use crate::log::item::{Item, Place, Target, item_digest, natural_id};
use crate::record::graph::GraphItem;
use crate::store::logs;
use crate::store::views::{FLAG_ASIDE, Stored, View};

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
    let place = Place { log: log.row.id, seq, index };
    let role = log.role(seq);
    let found = cache.item(connection, no, place)?;
    Ok(found.map(|found| Incoming {
        place,
        hlc: found.hlc,
        digest: found.digest,
        content: Content::Bytes(found.bytes),
        role,
    }))
}

/// Returns the record that an item writes to.
///
/// # Errors
/// `E-FORMAT` when target and deps do not fit together, or it depends on a later item of its log.
pub fn target(mind: &Mind, item: &Item, place: Place, hlc: Hlc) -> Result<RecordId> {
    let format = |what: &str| Error::new(Kind::Format, what);
    let own = item.deps.iter().filter(|dep| dep.place.log == place.log);
    if own.max().is_some_and(|latest| latest.place >= place) {
        return Err(format("an item that depends on a later one"));
    }
    match &item.target {
        Target::New if item.deps.is_empty() => {
            // Whichever history it came to be in, a record keeps the id that its author showed.
            Ok(Place { log: mind.root(&place.log), ..place }.record_id(hlc))
        }
        Target::Natural(key) if item.deps.is_empty() => {
            Ok(natural_id(&mind.space()?, item.kind, key))
        }
        Target::Record(_) if item.deps.is_empty() => Err(format("a change without deps")),
        Target::Record(id) => Ok(*id),
        _ => Err(format("a creation with deps")),
    }
}

/// Finds which entries the deps of an item mean where a log has several histories: in the own log
/// those of the author's own history, else those that have the digest; of several the one with the
/// lowest link. Returns a dep that nothing here is meant by.
///
/// # Errors
/// `E-DBPAGE`.
pub(super) fn resolve(
    connection: &Connection,
    mind: &Mind,
    place: Place,
    item: &mut Item,
    cache: &mut Cache,
) -> Result<Option<Place>> {
    if mind.branches.is_empty() {
        return Ok(None);
    }
    let mut missing = None;
    for dep in &mut item.deps {
        let Some(check) = dep.check else {
            dep.place.log = mind.owner(&place.log, dep.place.seq);
            continue;
        };
        if !mind.branches.contains_key(&dep.place.log) {
            continue;
        }
        let mut found: Option<(Link, LogId)> = None;
        for index in mind.family(&dep.place.log) {
            let row = &mind.logs[index].row;
            let at = Place { log: row.id, ..dep.place };
            if !mind.logs[index].holds(at.seq) {
                continue;
            }
            let digest = cache.digest(connection, row.no, at)?;
            if digest.is_none_or(|digest| digest.0[..4] != check) {
                continue;
            }
            let (link, _) = link_at(connection, mind, index, at.seq + 1)?;
            if found.is_none_or(|(least, _)| link < least) {
                found = Some((link, row.id));
            }
        }
        match found {
            Some((_, log)) => dep.place.log = log,
            None => missing = missing.or(Some(dep.place)),
        }
    }
    item.deps.sort_unstable();
    Ok(missing)
}

/// Returns every item of a record: those that its heads reach, those put aside, and `extra` ones
/// that came now; and the places of those that it should have returned and could not.
///
/// # Errors
/// `E-DBPAGE`.
pub fn gather(
    connection: &Connection,
    mind: &Mind,
    view: &View,
    record: &Stored,
    extra: Vec<GraphItem>,
    cache: &mut Cache,
) -> Result<Gathered> {
    let mut seen: HashSet<Place> = extra.iter().map(|item| item.place).collect();
    // Items of the record for certain, and what others name, which may be no part of it.
    let mut certain: Vec<Place> = record.heads.iter().map(|head| head.place).collect();
    certain.extend(aside(connection, mind, view, record)?);
    let certain: HashSet<Place> = certain.into_iter().collect();
    let mut queue: Vec<Place> = certain.iter().copied().collect();
    queue.extend(extra.iter().flat_map(|item| item.deps.iter().copied()));
    let (mut items, mut lost, mut beyond) = (extra, Vec::new(), Vec::new());
    while let Some(place) = queue.pop() {
        if !seen.insert(place) {
            continue;
        }
        if items.len() >= GATHER_ITEMS_MAX {
            beyond.push(place);
            continue;
        }
        match read(connection, mind, (view, &record.id), place, cache)? {
            Some(item) => {
                queue.extend(item.deps.iter().copied());
                items.push(item);
            }
            None if certain.contains(&place) || !is_stored(connection, mind, place, cache)? => {
                lost.push(place);
            }
            None => {}
        }
    }
    Ok(Gathered { lost, beyond, ..rooted(items) })
}

/// The items of a record, and those that only say that they are.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The items; a dep on one that is no part of the record counts as none.
    pub items: Vec<GraphItem>,
    /// Changes that do not build on the record, so that nobody takes an id that is another's.
    pub strangers: Vec<Place>,
    /// Items of the record whose entries are not in the store, or not as they were.
    pub lost: Vec<Place>,
    /// Places that were not read because there are too many.
    pub beyond: Vec<Place>,
}

/// Keeps what goes back to a creation.
fn rooted(mut items: Vec<GraphItem>) -> Gathered {
    let mut known: HashSet<Place> = items.iter().map(|item| item.place).collect();
    let mut strangers = Vec::new();
    loop {
        let before = items.len();
        items.retain(|item| {
            let is_rooted = item.deps.is_empty() || item.deps.iter().any(|dep| known.contains(dep));
            strangers.extend((!is_rooted).then_some(item.place));
            is_rooted
        });
        if items.len() == before {
            break;
        }
        known = items.iter().map(|item| item.place).collect();
    }
    for item in &mut items {
        item.deps.retain(|dep| known.contains(dep));
    }
    Gathered { items, strangers, ..Gathered::default() }
}

/// Returns the places of the items that no head leads to.
fn aside(connection: &Connection, mind: &Mind, view: &View, record: &Stored) -> Result<Vec<Place>> {
    let mut places = Vec::new();
    if record.flags & FLAG_ASIDE == 0 {
        return Ok(places);
    }
    let sql = "SELECT at, item FROM aside WHERE kind = ? AND record = ?";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![view.of.kind.cast_signed(), record.id])?;
    while let Some(row) = rows.next()? {
        let (no, seq) = logs::parts(row.get(0)?);
        if let Some(log) = mind.log_numbered(no) {
            let (log, index) = (log.row.id, row.get(1)?);
            places.push(Place { log, seq, index });
        }
    }
    Ok(places)
}

/// Tells whether the entry of a place is in the store, whatever it says there.
fn is_stored(
    connection: &Connection,
    mind: &Mind,
    place: Place,
    cache: &mut Cache,
) -> Result<bool> {
    let Some(log) = mind.log(&place.log) else {
        return Ok(false);
    };
    Ok(cache.kept(connection, log.row.no, place.seq)?.is_some()
        || logs::tail_entry(connection, log.row.no, place.seq)?.is_some())
}

fn read(
    connection: &Connection,
    mind: &Mind,
    (view, id): (&View, &RecordId),
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
    let Ok(mut item) = mind.read_item(&found.bytes, &place.log) else {
        return Ok(None);
    };
    resolve(connection, mind, place, &mut item, cache)?;
    let writes_to = target(mind, &item, place, found.hlc);
    if item.kind != view.of.kind || writes_to.ok() != Some(*id) {
        return Ok(None);
    }
    let role = log.role(place.seq);
    if check_item(view, &item, role).is_err() {
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
    /// Returns the digest of an item, also of one whose content is absent.
    fn digest(&mut self, connection: &Connection, no: i64, place: Place) -> Result<Option<Digest>> {
        if let Some(found) = self.item(connection, no, place)? {
            return Ok(Some(found.digest));
        }
        let index = usize::try_from(place.index).unwrap_or(usize::MAX);
        let Some(kept) = self.kept(connection, no, place.seq)? else {
            return Ok(None);
        };
        let offset = usize::try_from(place.seq - kept.segment.first).unwrap_or(usize::MAX);
        let entry = kept.segment.entries.get(offset);
        Ok(entry.and_then(|entry| entry.items.get(index)).and_then(|body| match body {
            Body::Absent(digest) => Some(*digest),
            Body::Bytes(_) => None,
        }))
    }

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
