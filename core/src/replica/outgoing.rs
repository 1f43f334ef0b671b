//! What leaves the phone: the version vector, and packs of what a peer lacks.
//!
//! Every range ends at an entry that has its own seal. Must not know: how packs travel.

use rusqlite::Connection;

use super::ingest::link_at;
use super::mind::Mind;
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
    for log in mind.logs.iter().filter(|log| log.row.next > 0) {
        entries.push(VectorEntry {
            log: log.row.id,
            next: log.row.next,
            link: log.row.link,
            excepted: holes(connection, log.row.no)?,
        });
    }
    entries.sort_by_key(|entry| entry.log);
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
        for (index, log) in mind.logs.iter().enumerate().filter(|(_, log)| log.row.sort == sort) {
            let peer = theirs.get(&log.row.id);
            let next = peer.map_or(0, |entry| entry.next);
            let limit = mind.may_leave(log);
            cut(connection, log.row.no, index, (next, limit, limit), &mut stretches)?;
            for (first, count) in peer.map(|entry| entry.excepted.as_slice()).unwrap_or_default() {
                let end = first.saturating_add(*count).min(limit);
                cut(connection, log.row.no, index, (*first, end, limit), &mut stretches)?;
            }
            // What lies beyond a gap goes too: nobody may ever fill it.
            for (first, end) in &log.ahead {
                let first = next.max(*first);
                cut(connection, log.row.no, index, (first, *end, *end), &mut stretches)?;
            }
        }
    }
    Ok(stretches)
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
    data.sort_by_key(|(_, stretch)| (stretch.index, std::cmp::Reverse(stretch.first)));
    let mut bound: Option<(usize, u64)> = None;
    for (newest, stretch) in &mut data {
        if let Some((index, least)) = bound
            && index == stretch.index
        {
            *newest = least.min(*newest);
        }
        bound = Some((stretch.index, *newest));
    }
    data.sort_by_key(|(newest, _)| std::cmp::Reverse(*newest));
    control.extend(data.into_iter().map(|(_, stretch)| stretch));
    Ok(control)
}

/// Cuts entries `first` up to before `end` into stretches that end at seals before `limit`.
fn cut(
    connection: &Connection,
    no: i64,
    index: usize,
    (first, end, limit): (u64, u64, u64),
    into: &mut Vec<Stretch>,
) -> Result<()> {
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
        into.push(Stretch { index, first, end: last + 1 });
        first = last + 1;
    }
    Ok(())
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
