//! Logs on disk: entries in a tail of rows and in compressed segments, seals, salt runs.
//!
//! Row numbers are `log number << 40 | seq`, so that one integer key serves all. Segments carry a
//! checksum, because SQLCipher was seen to hand out zeros for a damaged overflow page without an
//! error. Must not know: what entries mean, who wrote them.

use std::cell::RefCell;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::codec::{Reader, Writer};
use crate::crypto::SIGNATURE_LEN;
use crate::error::{Error, Kind, Result};
use crate::ids::{DeviceKey, Link, LogId, SpaceId};
use crate::log::chain::{self, RUN_ENTRIES_MAX, Run, Salts, Sort};
use crate::log::entry::{Entry, read_heads, write_heads};

/// The most bytes of entries in a segment, before compression.
pub const SEGMENT_BYTES_MAX: usize = 64 << 10;
const SEGMENT_LEVEL: i32 = 3;
const SEQ_BITS: u32 = 40;

/// One log as this phone has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// The local number.
    pub no: i64,
    /// The id.
    pub id: LogId,
    /// The device that writes it.
    pub device: DeviceKey,
    /// What the id was made with.
    pub nonce: [u8; 16],
    /// Control or data.
    pub sort: Sort,
    /// The sequence number after the last entry without a gap.
    pub next: u64,
    /// The link of that last entry.
    pub link: Link,
    /// The control heads in force after it.
    pub heads: Vec<Link>,
    /// The first entry that lies in it: 0, but in a branch.
    pub base: u64,
    /// Of a branch of a forked log: the log, or branch, that has the entries before it.
    pub parent: Option<LogId>,
}

impl LogRow {
    /// Returns a log without entries.
    #[must_use]
    pub fn empty(space: &SpaceId, device: DeviceKey, sort: Sort, nonce: [u8; 16]) -> Self {
        let id = chain::log_id(space, &device, sort, &nonce);
        let link = chain::first_link(space, &id);
        let (heads, base, parent) = (Vec::new(), 0, None);
        Self { no: 0, id, device, nonce, sort, next: 0, link, heads, base, parent }
    }

    /// Tells whether it has an entry.
    #[must_use]
    pub fn has_any(&self) -> bool {
        self.next > self.base
    }
}

/// Returns the row number of entry `seq` of log `no`.
#[must_use]
pub fn at(no: i64, seq: u64) -> i64 {
    no << SEQ_BITS | seq.cast_signed()
}

/// Returns log number and sequence number of a row number.
#[must_use]
pub fn parts(at: i64) -> (i64, u64) {
    (at >> SEQ_BITS, (at & ((1 << SEQ_BITS) - 1)).cast_unsigned())
}

pub(super) fn heads_bytes(heads: &[Link]) -> Vec<u8> {
    let mut to = Writer::new();
    write_heads(&mut to, heads);
    to.into_bytes()
}

/// Reads every log, in the order of their numbers.
///
/// # Errors
/// `E-DBPAGE` and the like.
pub fn all(connection: &Connection) -> Result<Vec<LogRow>> {
    let sql = "SELECT no, id, device, nonce, sort, next, link, heads, base, parent FROM log \
               ORDER BY no";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut logs = Vec::new();
    while let Some(row) = rows.next()? {
        let (base, parent) = (row.get::<_, i64>(8)?.cast_unsigned(), row.get(9)?);
        logs.push(LogRow { base, parent, ..read_log(row)? });
    }
    Ok(logs)
}

/// Reads a row of `log` that begins with the columns no, id, device, nonce, sort, next, link and
/// heads, as that of a log without branches.
///
/// # Errors
/// `E-DBPAGE` and the like.
pub fn read_log(row: &Row<'_>) -> Result<LogRow> {
    let damaged = || Error::new(Kind::DbPage, "a log row is damaged");
    Ok(LogRow {
        no: row.get(0)?,
        id: row.get(1)?,
        device: row.get(2)?,
        nonce: row.get(3)?,
        sort: Sort::from_number(row.get::<_, i64>(4)?.cast_unsigned()).ok_or_else(damaged)?,
        next: row.get::<_, i64>(5)?.cast_unsigned(),
        link: row.get(6)?,
        heads: read_heads(&mut Reader::new(row.get_ref(7)?.as_blob().unwrap_or_default()))?,
        base: 0,
        parent: None,
    })
}

/// Inserts a log and gives it its local number.
///
/// # Errors
/// `E-FULL`, `E-IO` and the like.
pub fn insert(transaction: &Transaction<'_>, log: &mut LogRow) -> Result<()> {
    let sql = "INSERT INTO log (id, device, nonce, sort, next, link, heads, base, parent) \
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    transaction.prepare_cached(sql)?.execute(params![
        log.id,
        log.device,
        log.nonce,
        log.sort.number().cast_signed(),
        log.next.cast_signed(),
        log.link,
        heads_bytes(&log.heads),
        log.base.cast_signed(),
        log.parent
    ])?;
    log.no = transaction.last_insert_rowid();
    Ok(())
}

/// Writes where the gapless part of a log ends now.
///
/// # Errors
/// `E-FULL`, `E-IO` and the like.
pub fn advance(transaction: &Transaction<'_>, log: &LogRow) -> Result<()> {
    let sql = "UPDATE log SET next = ?, link = ?, heads = ? WHERE no = ?";
    transaction.prepare_cached(sql)?.execute(params![
        log.next.cast_signed(),
        log.link,
        heads_bytes(&log.heads),
        log.no
    ])?;
    Ok(())
}

/// An entry with where it stands in its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chained {
    /// The sequence number.
    pub seq: u64,
    /// The link before it.
    pub before: Link,
    /// The control heads in force before it.
    pub heads_before: Vec<Link>,
    /// The entry as stored, heads elided where they did not change.
    pub bytes: Vec<u8>,
}

/// Writes consecutive entries of a log as segments.
///
/// # Errors
/// `E-FULL`, `E-IO` and the like.
pub fn write_segments(transaction: &Transaction<'_>, no: i64, entries: &[Chained]) -> Result<()> {
    let mut rest = entries;
    while let Some(first) = rest.first() {
        let mut body = Vec::with_capacity(SEGMENT_BYTES_MAX);
        let mut count = 0;
        for entry in rest {
            if count > 0 && body.len() + entry.bytes.len() > SEGMENT_BYTES_MAX {
                break;
            }
            body.extend_from_slice(&entry.bytes);
            count += 1;
        }
        let sql = "INSERT INTO segment (at, count, link, heads, body) VALUES (?, ?, ?, ?, ?)";
        transaction.prepare_cached(sql)?.execute(params![
            at(no, first.seq),
            i64::try_from(count).unwrap_or(i64::MAX),
            first.before,
            heads_bytes(&first.heads_before),
            compress(&body)?
        ])?;
        rest = rest.get(count..).unwrap_or_default();
    }
    Ok(())
}

thread_local! {
    static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> =
        const { RefCell::new(None) };
}

pub(super) fn compress(body: &[u8]) -> Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            let mut made = zstd::bulk::Compressor::new(SEGMENT_LEVEL)?;
            made.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true))?;
            *slot = Some(made);
        }
        let Some(compressor) = slot else {
            return Err(Error::new(Kind::Io, "no compressor"));
        };
        Ok(compressor.compress(body)?)
    })
}

/// One segment, decoded.
#[derive(Debug)]
pub struct Segment {
    /// The first sequence number.
    pub first: u64,
    /// The link before it.
    pub before: Link,
    /// The control heads in force before it.
    pub heads_before: Vec<Link>,
    /// The entries.
    pub entries: Vec<Entry>,
}

/// Decodes a row of `segment`.
///
/// # Errors
/// `E-DBPAGE` when its checksum or an entry in it is wrong.
pub fn decode_segment(at: i64, link: Link, heads: &[u8], body: &[u8]) -> Result<Segment> {
    let (_, first) = parts(at);
    let damaged = |_| Error::new(Kind::DbPage, format!("the segment at entry {first} is damaged"));
    let capacity = SEGMENT_BYTES_MAX + crate::log::entry::ENTRY_BYTES_MAX;
    let bytes = zstd::bulk::decompress(body, capacity).map_err(|_| {
        Error::new(Kind::DbPage, format!("the segment at entry {first} is damaged"))
    })?;
    let mut from = Reader::new(&bytes);
    let mut entries = Vec::new();
    while from.remaining() > 0 {
        entries.push(Entry::read(&mut from).map_err(damaged)?);
    }
    Ok(Segment { first, before: link, heads_before: read_heads(&mut Reader::new(heads))?, entries })
}

/// Reads the segment that covers entry `seq` of log `no`.
///
/// # Errors
/// `E-DBPAGE` when it is damaged.
pub fn segment_of(connection: &Connection, no: i64, seq: u64) -> Result<Option<Segment>> {
    let sql = "SELECT at, count, link, heads, body FROM segment \
               WHERE at <= ? ORDER BY at DESC LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([at(no, seq)])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let start: i64 = row.get(0)?;
    let count: i64 = row.get(1)?;
    let (owner, first) = parts(start);
    if owner != no || seq - first >= count.cast_unsigned() {
        return Ok(None);
    }
    let heads = row.get_ref(3)?.as_blob().unwrap_or_default();
    let body = row.get_ref(4)?.as_blob().unwrap_or_default();
    decode_segment(start, row.get(2)?, heads, body).map(Some)
}

/// Returns link and heads before entry `seq` when a segment starts there.
///
/// # Errors
/// `E-DBPAGE`.
pub fn before_segment(
    connection: &Connection,
    no: i64,
    seq: u64,
) -> Result<Option<(Link, Vec<Link>)>> {
    let mut statement =
        connection.prepare_cached("SELECT link, heads FROM segment WHERE at = ?")?;
    let mut rows = statement.query([at(no, seq)])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let heads = row.get_ref(1)?.as_blob().unwrap_or_default();
    let heads = read_heads(&mut Reader::new(heads))?;
    Ok(Some((row.get(0)?, heads)))
}

/// Reads one entry from the tail of rows.
///
/// # Errors
/// `E-DBPAGE`.
pub fn tail_entry(connection: &Connection, no: i64, seq: u64) -> Result<Option<Entry>> {
    let sql = "SELECT bytes, whole FROM entry WHERE at = ?";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([at(no, seq)])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    check_whole(row, 1)?;
    Entry::decode(row.get_ref(0)?.as_blob().unwrap_or_default()).map(Some)
}

/// What the last column of a row that may be long says.
pub const WHOLE: i64 = 90;

/// Checks the last column of a row: SQLCipher hands out zeros and no error for a wiped page at the
/// end of a long row, so that what stands before it cannot be believed then.
///
/// # Errors
/// `E-DBPAGE`.
pub fn check_whole(row: &Row<'_>, column: usize) -> Result<()> {
    match row.get_ref(column)? {
        ValueRef::Integer(WHOLE) => Ok(()),
        _ => Err(Error::new(Kind::DbPage, "the end of a row was wiped")),
    }
}

/// Calls `each` with (seq, entry) for all entries of a log from `first` up to before `end`.
///
/// # Errors
/// `E-BODY-MISSING` when an entry is not here, `E-DBPAGE`, and what `each` returns.
pub fn for_each(
    connection: &Connection,
    no: i64,
    first: u64,
    end: u64,
    mut each: impl FnMut(u64, Entry) -> Result<()>,
) -> Result<()> {
    let mut seq = first;
    while seq < end {
        if let Some(segment) = segment_of(connection, no, seq)? {
            let skip = usize::try_from(seq - segment.first).unwrap_or(usize::MAX);
            for entry in segment.entries.into_iter().skip(skip) {
                if seq < end {
                    each(seq, entry)?;
                    seq += 1;
                }
            }
        } else if let Some(entry) = tail_entry(connection, no, seq)? {
            each(seq, entry)?;
            seq += 1;
        } else {
            return Err(Error::new(Kind::BodyMissing, format!("entry {seq} of a log")));
        }
    }
    Ok(())
}

/// Rewrites the segment that covers entry `seq` with another copy of that entry.
///
/// # Errors
/// `E-BODY-MISSING` when no segment covers it; of the store.
pub fn replace_entry(
    transaction: &Transaction<'_>,
    no: i64,
    seq: u64,
    entry: &Entry,
) -> Result<()> {
    let missing = || Error::new(Kind::BodyMissing, format!("entry {seq} of a log"));
    let mut segment = segment_of(transaction, no, seq)?.ok_or_else(missing)?;
    let offset = usize::try_from(seq - segment.first).unwrap_or(usize::MAX);
    *segment.entries.get_mut(offset).ok_or_else(missing)? = entry.clone();
    let body: Vec<u8> = segment.entries.iter().flat_map(Entry::encode).collect();
    transaction
        .prepare_cached("UPDATE segment SET body = ? WHERE at = ?")?
        .execute(params![compress(&body)?, at(no, segment.first)])?;
    Ok(())
}

/// Returns the stretches (first, count) of log `no` that lie beyond `from`, in order.
///
/// # Errors
/// `E-DBPAGE`.
pub fn segments_beyond(connection: &Connection, no: i64, from: u64) -> Result<Vec<(u64, u64)>> {
    let sql = "SELECT at, count FROM segment WHERE at >= ? AND at < ? ORDER BY at";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([at(no, from), at(no + 1, 0)], |row| {
        Ok((parts(row.get(0)?).1, row.get::<_, i64>(1)?.cast_unsigned()))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Keeps a seal.
///
/// # Errors
/// `E-FULL`, `E-IO` and the like.
pub fn put_seal(
    transaction: &Transaction<'_>,
    no: i64,
    seq: u64,
    link: &Link,
    seal: &[u8; SIGNATURE_LEN],
) -> Result<()> {
    let sql = "INSERT OR IGNORE INTO seal (at, link, seal) VALUES (?, ?, ?)";
    transaction.prepare_cached(sql)?.execute(params![at(no, seq), link, seal])?;
    Ok(())
}

/// A kept seal: (seq, link, signature).
pub type Seal = (u64, Link, [u8; SIGNATURE_LEN]);

/// Returns the last seal of log `no` at or before `seq` and not before `from`.
///
/// # Errors
/// `E-DBPAGE`.
pub fn seal_before(connection: &Connection, no: i64, from: u64, seq: u64) -> Result<Option<Seal>> {
    let sql = "SELECT at, link, seal FROM seal WHERE at <= ? AND at >= ? ORDER BY at DESC LIMIT 1";
    one_seal(connection, sql, at(no, seq), at(no, from))
}

/// Returns the first seal of log `no` at or after `seq`.
///
/// # Errors
/// `E-DBPAGE`.
pub fn seal_after(connection: &Connection, no: i64, seq: u64) -> Result<Option<Seal>> {
    let sql = "SELECT at, link, seal FROM seal WHERE at >= ? AND at < ? ORDER BY at LIMIT 1";
    one_seal(connection, sql, at(no, seq), at(no + 1, 0))
}

fn one_seal(connection: &Connection, sql: &str, a: i64, b: i64) -> Result<Option<Seal>> {
    let mut statement = connection.prepare_cached(sql)?;
    let row = statement.query_row([a, b], |row| {
        Ok((parts(row.get(0)?).1, row.get::<_, Link>(1)?, row.get::<_, [u8; SIGNATURE_LEN]>(2)?))
    });
    Ok(row.optional()?)
}

/// Keeps a run of salts. Overlapping parts of one run are kept as they come.
///
/// # Errors
/// `E-FULL`, `E-IO` and the like.
pub fn put_run(transaction: &Transaction<'_>, no: i64, run: &Run) -> Result<()> {
    let mut to = Writer::new();
    match &run.salts {
        Salts::Empty => return Ok(()),
        Salts::Seed(seed) => to.bytes(seed),
        Salts::Kept(kept) => {
            to.array(kept.len());
            for (seq, index, salt) in kept {
                to.array(3).uint(*seq).uint(u64::from(*index)).bytes(salt);
            }
            &mut to
        }
    };
    let sql = "INSERT OR REPLACE INTO run (at, count, salts) VALUES (?, ?, ?)";
    transaction.prepare_cached(sql)?.execute(params![
        at(no, run.first),
        run.count.cast_signed(),
        to.into_bytes()
    ])?;
    Ok(())
}

/// Returns the runs that cover entries `first` up to before `end`, clipped to exactly these.
///
/// # Errors
/// `E-DBPAGE` when a stretch has no salts.
pub fn runs(connection: &Connection, no: i64, first: u64, end: u64) -> Result<Vec<Run>> {
    let sql = "SELECT at, count, salts FROM run WHERE at > ? AND at < ? ORDER BY at";
    let mut statement = connection.prepare_cached(sql)?;
    let low = at(no, first.saturating_sub(RUN_ENTRIES_MAX)) - i64::from(first < RUN_ENTRIES_MAX);
    let mut rows = statement.query([low, at(no, end)])?;
    let mut runs: Vec<Run> = Vec::new();
    let mut next = first;
    while let Some(row) = rows.next()? {
        let start = parts(row.get(0)?).1;
        let stop = (start + row.get::<_, i64>(1)?.cast_unsigned()).min(end);
        if stop <= next || start > next {
            continue;
        }
        let salts = read_salts(row.get_ref(2)?.as_blob().unwrap_or_default())?;
        match runs.last_mut() {
            // A run that came in several packs goes out as one again.
            Some(last)
                if last.salts == salts
                    && matches!(salts, Salts::Seed(_))
                    && last.count + stop - next <= RUN_ENTRIES_MAX =>
            {
                last.count += stop - next;
            }
            _ => runs.push(Run { first: next, count: stop - next, salts }),
        }
        next = stop;
    }
    if next < end {
        return Err(Error::new(Kind::DbPage, format!("no salts for entry {next}")));
    }
    Ok(runs)
}

/// Decodes the salts of a row of `run`.
///
/// # Errors
/// `E-FORMAT` and the like.
pub fn read_salts(bytes: &[u8]) -> Result<Salts> {
    let mut from = Reader::new(bytes);
    if from.is_bytes() {
        return Ok(Salts::Seed(from.array_bytes()?));
    }
    let count = from.array(usize::MAX)?;
    let mut kept = Vec::with_capacity(count);
    for _ in 0..count {
        from.tuple(3)?;
        let seq = from.uint()?;
        let index = u32::try_from(from.uint()?).unwrap_or(u32::MAX);
        kept.push((seq, index, from.array_bytes()?));
        from.end();
    }
    Ok(Salts::Kept(kept))
}

/// Reads a value of the store's own settings.
///
/// # Errors
/// `E-DBPAGE`.
pub fn meta(connection: &Connection, key: &str) -> Result<Option<Vec<u8>>> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE key = ?")?;
    Ok(statement.query_row([key], |row| row.get(0)).optional()?)
}

/// Writes a value of the store's own settings.
///
/// # Errors
/// `E-FULL`, `E-IO` and the like.
pub fn set_meta(transaction: &Transaction<'_>, key: &str, value: &[u8]) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)";
    transaction.prepare_cached(sql)?.execute(params![key, value])?;
    Ok(())
}
