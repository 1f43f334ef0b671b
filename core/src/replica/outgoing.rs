//! What leaves the phone: the version vector, and packs of what a peer lacks.
//!
//! Every range ends at an entry that has its own seal. Must not know: how packs travel.

use rusqlite::Connection;

use super::ingest::link_at;
use super::mind::{KnownLog, Mind};
use crate::clock::Env;
use crate::codec::{Reader, Writer};
use crate::crypto;
use crate::error::{Error, Kind, Result};
use crate::ids::{Link, LogId};
use crate::log::chain::Sort;
use crate::log::pack::{self, ENTRIES_MAX, Mode, Packing, Range, Trim};
use crate::store::logs;

/// One log in a version vector: the verified and sealed chain without a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorEntry {
    /// The log.
    pub log: LogId,
    /// The sequence number after its last counted entry.
    pub next: u64,
    /// The link of that last entry.
    pub link: Link,
    /// At most 64 ranges (first, count) that are here without content.
    pub excepted: Vec<(u64, u64)>,
}

/// Row numbers leave 40 bits for sequence numbers.
const SEQ_MAX: u64 = 1 << 40;
/// The most logs of a vector that comes from outside.
const LOGS_MAX: usize = 16_384;

/// The most excepted ranges that a vector names per log.
pub const EXCEPTED_MAX: usize = 64;

/// What a replica holds of every log, sorted by log id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vector {
    /// One entry per log.
    pub entries: Vec<VectorEntry>,
}

impl Vector {
    /// Returns the hash that two replicas compare first; over full links.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut args = Writer::new();
        self.write(&mut args);
        crypto::hash("tuquan/1 vector", &args)
    }

    /// Writes the vector.
    pub fn write(&self, to: &mut Writer) {
        to.array(self.entries.len());
        for entry in &self.entries {
            to.array(4).bytes(&entry.log.0).uint(entry.next).bytes(&entry.link.0);
            to.array(entry.excepted.len());
            for (first, count) in &entry.excepted {
                to.array(2).uint(*first).uint(*count);
            }
        }
    }

    /// Reads a vector, sorted and within all bounds.
    ///
    /// # Errors
    /// `E-FORMAT`, `E-SIZE`, `E-TRUNC`.
    pub fn read(from: &mut Reader<'_>) -> Result<Self> {
        let count = from.array(LOGS_MAX)?;
        let mut entries: Vec<VectorEntry> = Vec::with_capacity(count);
        for _ in 0..count {
            from.tuple(4)?;
            let log = LogId(from.array_bytes()?);
            let next = from.uint_max(SEQ_MAX)?;
            let link = Link(from.array_bytes()?);
            let ranges = from.array(EXCEPTED_MAX)?;
            let mut excepted: Vec<(u64, u64)> = Vec::with_capacity(ranges);
            let mut end = 0;
            for _ in 0..ranges {
                from.tuple(2)?;
                let (first, count) = (from.uint_max(SEQ_MAX)?, from.uint_max(SEQ_MAX)?);
                from.end();
                if first < end || count == 0 || first + count > next {
                    return Err(Error::new(Kind::Format, "excepted ranges out of order"));
                }
                end = first + count;
                excepted.push((first, count));
            }
            from.end();
            from.end();
            if next == 0 || entries.last().is_some_and(|last| last.log >= log) {
                return Err(Error::new(Kind::Format, "a vector out of order"));
            }
            entries.push(VectorEntry { log, next, link, excepted });
        }
        from.end();
        Ok(Self { entries })
    }

    /// Returns the entry of a log.
    #[must_use]
    pub fn get(&self, log: &LogId) -> Option<&VectorEntry> {
        let found = self.entries.binary_search_by(|entry| entry.log.cmp(log)).ok()?;
        self.entries.get(found)
    }
}

/// A stretch of a log to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The log's index in [`Mind::logs`].
    pub index: usize,
    /// The first entry.
    pub first: u64,
    /// The entry after the last, which has a seal.
    pub end: u64,
    /// Whether the peer has the same history up to where it ends there, as far as is known: then what
    /// it knows of the log may be left out.
    pub follows: bool,
}

impl Stretch {
    /// Returns how many entries it has.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.end - self.first
    }
}

/// Returns this replica's version vector.
///
/// # Errors
/// `E-DBPAGE`.
pub fn vector(connection: &Connection, mind: &Mind) -> Result<Vector> {
    let mut entries = Vec::with_capacity(mind.logs.len());
    for log in mind.logs.iter().filter(|log| log.row.has_any()) {
        entries.push(VectorEntry {
            log: log.row.id,
            next: log.row.next,
            link: log.row.link,
            excepted: holes(connection, log.row.no)?,
        });
    }
    entries.sort_unstable_by_key(|entry| entry.log);
    Ok(Vector { entries })
}

fn holes(connection: &Connection, no: i64) -> Result<Vec<(u64, u64)>> {
    let sql = "SELECT DISTINCT at FROM hole WHERE at >= ? AND at < ? ORDER BY at";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([logs::at(no, 0), logs::at(no + 1, 0)])?;
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (_, seq) = logs::parts(row.get(0)?);
        let full = ranges.len() == EXCEPTED_MAX;
        match ranges.last_mut() {
            Some(last) if last.0 + last.1 == seq => last.1 += 1,
            _ if full => break,
            _ => ranges.push((seq, 1)),
        }
    }
    Ok(ranges)
}

/// Returns what a peer with `theirs` lacks, control logs first, each stretch small enough for a
/// pack and ending at a seal.
///
/// # Errors
/// `E-DBPAGE`.
pub fn lacking(connection: &Connection, mind: &Mind, theirs: &Vector) -> Result<Vec<Stretch>> {
    let mut stretches = Vec::new();
    for sort in [Sort::Control, Sort::Data] {
        let of_sort = |(_, log): &(usize, &KnownLog)| log.row.sort == sort;
        for (index, log) in mind.logs.iter().enumerate().filter(of_sort) {
            if log.row.parent.is_some() {
                continue;
            }
            for lack in lacks(connection, mind, index, theirs)? {
                let log = &mind.logs[lack.index];
                let limit = mind.may_leave(log);
                let mut part =
                    Cut { no: log.row.no, index: lack.index, limit, follows: lack.follows };
                part.cut(connection, (lack.next, limit), &mut stretches)?;
                for (first, count) in lack.excepted {
                    let end = first.saturating_add(count).min(limit);
                    part.cut(connection, (first.max(log.row.base), end), &mut stretches)?;
                }
                // What lies beyond a gap goes too: nobody may ever fill it.
                for (first, end) in &log.ahead {
                    part.limit = *end;
                    part.cut(connection, (lack.next.max(*first), *end), &mut stretches)?;
                }
            }
        }
    }
    Ok(stretches)
}

/// What a peer lacks of one log or branch: what is not before `next`, and what is excepted.
struct Lack {
    index: usize,
    next: u64,
    excepted: Vec<(u64, u64)>,
    follows: bool,
}

/// Returns what a peer lacks of a log and its branches. A vector that names no links, as of what lies
/// at a hub, is believed by its ids.
fn lacks(connection: &Connection, mind: &Mind, root: usize, theirs: &Vector) -> Result<Vec<Lack>> {
    let id = mind.logs[root].row.id;
    if !mind.is_forked(&id) {
        let Some(peer) = theirs.get(&id) else {
            return Ok(vec![Lack { index: root, next: 0, excepted: Vec::new(), follows: true }]);
        };
        return Ok(vec![match is_other_history(connection, mind, peer)? {
            // Where they part is not known, so all of it goes.
            true => Lack { index: root, next: 0, excepted: Vec::new(), follows: false },
            false => {
                let (next, excepted) = (peer.next, peer.excepted.clone());
                Lack { index: root, next, excepted, follows: true }
            }
        }]);
    }
    let base = |index: usize| mind.logs[index].row.base;
    let all = mind.family(&id).into_iter();
    let all =
        all.map(|index| Lack { index, next: base(index), excepted: Vec::new(), follows: false });
    let mut lacks: Vec<Lack> = all.collect();
    let ids: Vec<(usize, LogId)> =
        lacks.iter().map(|lack| (lack.index, mind.logs[lack.index].row.id)).collect();
    for (index, id) in ids {
        let Some(peer) = theirs.get(&id) else { continue };
        let known = mind.logs[index].row.next;
        let found = match peer.link == Link::default() {
            true => Some(index),
            false => mind.history_with(connection, &id, (peer.next, &peer.link))?,
        };
        // Who is said to have more than is here has it of the history of this name.
        let (mut at, mut next) = match found {
            Some(at) => (at, peer.next),
            None if peer.next > known => (index, known),
            None => continue,
        };
        if let Some(lack) = lacks.iter_mut().find(|lack| lack.index == at) {
            lack.excepted.extend(&peer.excepted);
        }
        loop {
            if let Some(lack) = lacks.iter_mut().find(|lack| lack.index == at) {
                lack.next = lack.next.max(next);
            }
            let row = &mind.logs[at].row;
            let Some(parent) = row.parent.and_then(|parent| mind.by_id.get(&parent)) else {
                break;
            };
            (at, next) = (*parent, row.base);
        }
    }
    Ok(lacks)
}

/// Tells whether another vector's word on a log is of a history that is not here.
///
/// # Errors
/// `E-DBPAGE`.
pub fn is_other_history(connection: &Connection, mind: &Mind, entry: &VectorEntry) -> Result<bool> {
    let Some(known) = mind.log(&entry.log) else {
        return Ok(false);
    };
    if entry.link == Link::default() || entry.next > known.row.next {
        return Ok(false);
    }
    if entry.next == known.row.next && entry.link == known.row.link {
        return Ok(false);
    }
    let found = mind.history_with(connection, &entry.log, (entry.next, &entry.link))?;
    Ok(found.is_none())
}

/// Puts control logs first, then data from the end of each log, the newest of all logs first.
///
/// # Errors
/// `E-DBPAGE`.
pub fn newest_first(
    connection: &Connection,
    mind: &Mind,
    stretches: Vec<Stretch>,
) -> Result<Vec<Stretch>> {
    let mut control = Vec::new();
    let mut data = Vec::new();
    for stretch in stretches {
        let row = &mind.logs[stretch.index].row;
        if row.sort == Sort::Control {
            control.push(stretch);
            continue;
        }
        let mut newest = 0;
        if let Some(segment) = logs::segment_of(connection, row.no, stretch.end - 1)? {
            let last = usize::try_from(stretch.end - 1 - segment.first).unwrap_or(usize::MAX);
            newest = segment.entries.get(last).map_or(0, |entry| entry.hlc.0);
        }
        data.push((newest, stretch));
    }
    // A clock that jumped must not turn the order inside a log around: counted from its end.
    data.sort_unstable_by_key(|(_, stretch)| (stretch.index, std::cmp::Reverse(stretch.first)));
    let mut bound: Option<(usize, u64)> = None;
    for (newest, stretch) in &mut data {
        if let Some((index, least)) = bound
            && index == stretch.index
        {
            *newest = least.min(*newest);
        }
        bound = Some((stretch.index, *newest));
    }
    data.sort_unstable_by_key(|(newest, stretch)| {
        (std::cmp::Reverse(*newest), stretch.index, std::cmp::Reverse(stretch.first))
    });
    control.extend(data.into_iter().map(|(_, stretch)| stretch));
    Ok(control)
}

/// Returns the stretches, each ending at a seal, that a part of a log beyond a gap is made of.
///
/// # Errors
/// `E-DBPAGE`.
pub(super) fn sealed(
    connection: &Connection,
    no: i64,
    index: usize,
    (first, end): (u64, u64),
) -> Result<Vec<Stretch>> {
    let mut stretches = Vec::new();
    let cut = Cut { no, index, limit: end, follows: false };
    cut.cut(connection, (first, end), &mut stretches)?;
    Ok(stretches)
}

/// How a log is cut into stretches.
struct Cut {
    no: i64,
    index: usize,
    limit: u64,
    follows: bool,
}

impl Cut {
    /// Cuts entries `first` up to before `end` into stretches that end at seals before the limit.
    fn cut(
        &self,
        connection: &Connection,
        (first, end): (u64, u64),
        into: &mut Vec<Stretch>,
    ) -> Result<()> {
        let Self { no, index, limit, follows } = *self;
        let mut first = first;
        while first < end {
            let reach = (first + ENTRIES_MAX as u64).min(end) - 1;
            let seal = match logs::seal_before(connection, no, first, reach)? {
                Some(seal) => Some(seal),
                None => logs::seal_after(connection, no, reach)?,
            };
            let Some((last, ..)) = seal.filter(|(last, ..)| *last < limit) else {
                break;
            };
            into.push(Stretch { index, first, end: last + 1, follows });
            first = last + 1;
        }
        Ok(())
    }
}

/// Reads a stretch as a range with its link, salts and seal.
///
/// # Errors
/// `E-BODY-MISSING`, `E-DBPAGE`.
pub fn range(connection: &Connection, mind: &Mind, stretch: Stretch) -> Result<Range> {
    let row = &mind.logs[stretch.index].row;
    let (link_before, heads) = link_at(connection, mind, stretch.index, stretch.first)?;
    let seal = logs::seal_before(connection, row.no, stretch.end - 1, stretch.end - 1)?;
    let (_, _, seal) =
        seal.ok_or_else(|| Error::new(Kind::DbPage, "a stretch that ends without a seal"))?;
    let runs = match row.sort {
        Sort::Control => Vec::new(),
        Sort::Data => logs::runs(connection, row.no, stretch.first, stretch.end)?,
    };
    let mut entries = Vec::with_capacity(usize::try_from(stretch.count()).unwrap_or_default());
    logs::for_each(connection, row.no, stretch.first, stretch.end, |_, entry| {
        entries.push(entry);
        Ok(())
    })?;
    Ok(Range {
        device: row.device,
        nonce: row.nonce,
        sort: row.sort,
        first: stretch.first,
        link_before,
        heads,
        seal,
        runs,
        entries,
    })
}

/// Packs one stretch; when it does not fit it is halved at a seal, so there may be several packs.
///
/// # Errors
/// `E-WAIT-KEY` without an epoch key, `E-DBPAGE`, `E-SIZE` when one sealed stretch is too large.
pub fn pack(
    connection: &Connection,
    mind: &Mind,
    env: &mut Env,
    stretch: Stretch,
    level: i32,
    trim: Option<Trim>,
) -> Result<Vec<(Stretch, Vec<u8>)>> {
    pack_after(connection, mind, env, stretch, level, trim, None)
}

/// As [`fn@pack`], for a peer that says its log ends with link `after` where the stretch starts.
///
/// # Errors
/// As [`fn@pack`]; `E-FORK` when the log has another link there.
pub fn pack_after(
    connection: &Connection,
    mind: &Mind,
    env: &mut Env,
    stretch: Stretch,
    level: i32,
    trim: Option<Trim>,
    after: Option<&Link>,
) -> Result<Vec<(Stretch, Vec<u8>)>> {
    let space = mind.space()?;
    let mode = match mind.logs[stretch.index].row.sort {
        Sort::Control => Mode::Open,
        Sort::Data => {
            let (epoch, secret) = mind.epoch()?;
            Mode::Sealed { epoch, key: secret.pack_key() }
        }
    };
    let nonce = match mode {
        Mode::Open => [0; pack::NONCE_LEN],
        Mode::Sealed { .. } => env.random(),
    };
    let log = &mind.logs[stretch.index];
    if mind.grows_here(&log.row.id) && stretch.end > mind.may_leave(log) {
        return Err(Error::new(Kind::NotReady, "an entry that is not behind the fence yet"));
    }
    let packing = Packing { level, layout: None, trim };
    let read = range(connection, mind, stretch)?;
    if after.is_some_and(|after| *after != read.link_before) {
        let what = format!("device {} has two histories", read.device);
        return Err(Error::new(Kind::Fork, what));
    }
    match pack::encode(&space, &mode, &[read], &packing, &nonce) {
        Ok(bytes) => Ok(vec![(stretch, bytes)]),
        Err(error) if error.kind == Kind::Size && stretch.count() > 1 => {
            pack_halves(connection, mind, env, stretch, level, trim, error)
        }
        Err(error) => Err(error),
    }
}

/// Packs a stretch that was too large as two, cut at the seal nearest to its middle.
fn pack_halves(
    connection: &Connection,
    mind: &Mind,
    env: &mut Env,
    stretch: Stretch,
    level: i32,
    trim: Option<Trim>,
    error: Error,
) -> Result<Vec<(Stretch, Vec<u8>)>> {
    let no = mind.logs[stretch.index].row.no;
    let middle = stretch.first + stretch.count() / 2;
    let before = logs::seal_before(connection, no, stretch.first, middle - 1)?;
    let seal = match before {
        Some(seal) => Some(seal),
        None => logs::seal_after(connection, no, middle)?,
    };
    let end = seal.map(|(last, ..)| last + 1).filter(|end| *end < stretch.end);
    let end = end.ok_or(error)?;
    let mut packs = pack(connection, mind, env, Stretch { end, ..stretch }, level, trim)?;
    // Each pack stands on its own, so that one that is refused does not take the next along.
    let trim = trim.map(|trim| Trim { with_link: true, with_epoch: false, ..trim });
    let rest = Stretch { first: end, ..stretch };
    packs.extend(pack(connection, mind, env, rest, level, trim)?);
    Ok(packs)
}
