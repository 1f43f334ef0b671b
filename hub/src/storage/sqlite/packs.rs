//! Packs, their listing, and what is said of them.
//!
//! Must not know: transactions' begin and end.

use rusqlite::{OptionalExtension, Transaction, params};
use tuquan_core::codec::{Reader, Writer};
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::ids::{Digest, LogId, PersonId, SpaceId};
use tuquan_core::log::pack::{ENTRIES_MAX, Extent};

use crate::storage::{Bearer, Kept, Listed, NewPack, Opened, Quota, Version};

pub(super) fn put(
    tx: &Transaction<'_>,
    space: &SpaceId,
    packs: &[NewPack],
    bearer: Option<&Bearer>,
    quota: Quota,
) -> Result<Vec<Kept>> {
    tx.prepare_cached("INSERT OR IGNORE INTO space VALUES (?, 0, 0, 0, 0, 0)")?.execute([space])?;
    let device = bearer.map_or(&[][..], |bearer| &bearer.device.0);
    let mut kept = Vec::with_capacity(packs.len());
    for pack in packs {
        if is_erased(tx, space, &pack.id)? {
            kept.push(Kept::Erased);
            continue;
        }
        let sql = "INSERT OR IGNORE INTO pack (space, id, open, device, person, size, ranges, \
                   bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        let size = to_sql(pack.bytes.len() as u64);
        let added = tx.prepare_cached(sql)?.execute(params![
            space,
            pack.id,
            pack.open,
            device,
            bearer.map(|bearer| bearer.person),
            size,
            write_ranges(&pack.ranges),
            pack.bytes
        ])?;
        if added == 0 {
            kept.push(Kept::Known);
            continue;
        }
        let seq = tx.last_insert_rowid();
        charge(tx, space, device, size, Some(quota))?;
        let sql = "UPDATE space SET change = change + 1, control = control + ?, \
                   packs = packs + 1, last = ? WHERE id = ?";
        tx.prepare_cached(sql)?.execute(params![pack.open, seq, space])?;
        kept.push(Kept::New);
    }
    Ok(kept)
}

/// Counts bytes that come or go; without a quota there is no bound.
pub(super) fn charge(
    tx: &Transaction<'_>,
    space: &SpaceId,
    device: &[u8],
    bytes: i64,
    quota: Option<Quota>,
) -> Result<()> {
    let sql = "UPDATE space SET bytes = bytes + ? WHERE id = ? RETURNING bytes";
    let of_space: i64 =
        tx.prepare_cached(sql)?.query_row(params![bytes, space], |row| row.get(0))?;
    let sql = "INSERT INTO share (space, device, bytes) VALUES (?1, ?2, ?3) \
               ON CONFLICT DO UPDATE SET bytes = bytes + ?3 RETURNING bytes";
    let of_share: i64 =
        tx.prepare_cached(sql)?.query_row(params![space, device, bytes], |row| row.get(0))?;
    if let Some(quota) = quota
        && (from_sql(of_space) > quota.space || from_sql(of_share) > quota.share)
    {
        return Err(Error::new(Kind::Full, "over the quota"));
    }
    Ok(())
}

pub(super) fn spaces(tx: &Transaction<'_>) -> Result<Vec<SpaceId>> {
    let mut statement = tx.prepare_cached("SELECT id FROM space ORDER BY id")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn version(tx: &Transaction<'_>, space: &SpaceId) -> Result<Option<Version>> {
    let sql = "SELECT change, control, packs, last FROM space WHERE id = ?";
    let found = tx.prepare_cached(sql)?.query_row([space], |row| {
        Ok(Version {
            change: from_sql(row.get(0)?),
            control: from_sql(row.get(1)?),
            packs: from_sql(row.get(2)?),
            last: from_sql(row.get(3)?),
        })
    });
    Ok(found.optional()?)
}

fn known_version(tx: &Transaction<'_>, space: &SpaceId) -> Result<Version> {
    Ok(version(tx, space)?.unwrap_or(Version { change: 0, control: 0, packs: 0, last: 0 }))
}

pub(super) fn ids(tx: &Transaction<'_>, space: &SpaceId) -> Result<(Version, Vec<Digest>)> {
    let mut statement = tx.prepare_cached("SELECT id FROM pack WHERE space = ? ORDER BY id")?;
    let rows = statement.query_map([space], |row| row.get(0))?;
    Ok((known_version(tx, space)?, rows.collect::<rusqlite::Result<_>>()?))
}

pub(super) fn list(
    tx: &Transaction<'_>,
    space: &SpaceId,
    after: u64,
    limit: u32,
) -> Result<Vec<Listed>> {
    let sql = "SELECT seq, id, size, open, ranges FROM pack WHERE space = ? AND seq > ? \
               ORDER BY seq LIMIT ?";
    let mut statement = tx.prepare_cached(sql)?;
    let mut rows = statement.query(params![space, to_sql(after), limit])?;
    let mut listed = Vec::new();
    while let Some(row) = rows.next()? {
        listed.push(Listed {
            seq: from_sql(row.get(0)?),
            id: row.get(1)?,
            size: from_sql(row.get(2)?),
            open: row.get(3)?,
            ranges: read_ranges(row.get_ref(4)?.as_blob().unwrap_or_default())?,
        });
    }
    Ok(listed)
}

pub(super) fn get(
    tx: &Transaction<'_>,
    space: &SpaceId,
    ids: &[Digest],
    bytes_max: usize,
) -> Result<Vec<Vec<u8>>> {
    let mut statement = tx.prepare_cached("SELECT bytes FROM pack WHERE space = ? AND id = ?")?;
    let (mut packs, mut len) = (Vec::new(), 0);
    for id in ids {
        let found: Option<Vec<u8>> =
            statement.query_row(params![space, id], |row| row.get(0)).optional()?;
        let Some(bytes) = found else {
            continue;
        };
        len += bytes.len();
        if len > bytes_max && !packs.is_empty() {
            break;
        }
        packs.push(bytes);
    }
    Ok(packs)
}

pub(super) fn open_packs(tx: &Transaction<'_>, space: &SpaceId) -> Result<(Version, Vec<Vec<u8>>)> {
    let sql = "SELECT bytes FROM pack WHERE space = ? AND open = 1 ORDER BY seq";
    let mut statement = tx.prepare_cached(sql)?;
    let rows = statement.query_map([space], |row| row.get(0))?;
    Ok((known_version(tx, space)?, rows.collect::<rusqlite::Result<_>>()?))
}

pub(super) fn put_opened(
    tx: &Transaction<'_>,
    space: &SpaceId,
    ids: &[Digest],
    person: &PersonId,
    now_ms: i64,
) -> Result<()> {
    // Only what is listed and sealed, so that nobody fills the table with ids of nothing.
    let sql = "INSERT OR IGNORE INTO opened (space, pack, person, at_ms) \
               SELECT space, id, ?3, ?4 FROM pack WHERE space = ?1 AND id = ?2 AND open = 0";
    let mut statement = tx.prepare_cached(sql)?;
    for id in ids {
        statement.execute(params![space, id, person, now_ms])?;
    }
    Ok(())
}

pub(super) fn opened(tx: &Transaction<'_>, space: &SpaceId) -> Result<Vec<Opened>> {
    let sql = "SELECT id, person, ranges FROM pack WHERE space = ? AND open = 0 ORDER BY seq";
    let mut statement = tx.prepare_cached(sql)?;
    let mut said =
        tx.prepare_cached("SELECT person, at_ms FROM opened WHERE space = ? AND pack = ?")?;
    let mut rows = statement.query([space])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id: Digest = row.get(0)?;
        let by = said.query_map(params![space, id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        found.push(Opened {
            id,
            bearer: row.get(1)?,
            ranges: read_ranges(row.get_ref(2)?.as_blob().unwrap_or_default())?,
            by: by.collect::<rusqlite::Result<_>>()?,
        });
    }
    Ok(found)
}

pub(super) fn drop_covered(
    tx: &Transaction<'_>,
    space: &SpaceId,
    id: &Digest,
    by: &Digest,
) -> Result<bool> {
    let sql = "SELECT 1 FROM pack WHERE space = ? AND id = ?";
    let is_there = tx.prepare_cached(sql)?.exists(params![space, by])?;
    Ok(is_there && id != by && remove(tx, space, id)?)
}

pub(super) fn erase(
    tx: &Transaction<'_>,
    space: &SpaceId,
    ids: &[Digest],
    only: Option<&PersonId>,
) -> Result<u64> {
    let mut count = 0;
    for id in ids {
        let sql = "SELECT open, person FROM pack WHERE space = ? AND id = ?";
        let found: Option<(bool, Option<PersonId>)> = tx
            .prepare_cached(sql)?
            .query_row(params![space, id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        // Who is a member is decided by open packs: these stay.
        let is_sealed = found.as_ref().is_none_or(|(open, _)| !open);
        let is_own = found.as_ref().is_some_and(|(_, person)| person.as_ref() == only);
        if is_sealed && (only.is_none() || is_own) {
            count += u64::from(found.is_some() && remove(tx, space, id)?);
            refuse_from_now(tx, space, id)?;
        }
    }
    Ok(count)
}

fn remove(tx: &Transaction<'_>, space: &SpaceId, id: &Digest) -> Result<bool> {
    let sql = "DELETE FROM pack WHERE space = ? AND id = ? RETURNING device, size, open";
    let gone: Option<(Vec<u8>, i64, bool)> = tx
        .prepare_cached(sql)?
        .query_row(params![space, id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((device, size, open)) = gone else {
        return Ok(false);
    };
    charge(tx, space, &device, -size, None)?;
    let sql = "DELETE FROM opened WHERE space = ? AND pack = ?";
    tx.prepare_cached(sql)?.execute(params![space, id])?;
    let sql = "UPDATE space SET change = change + 1, control = control + ?, packs = packs - 1 \
               WHERE id = ?";
    tx.prepare_cached(sql)?.execute(params![open, space])?;
    Ok(true)
}

pub(super) fn is_erased(tx: &Transaction<'_>, space: &SpaceId, id: &Digest) -> Result<bool> {
    let sql = "SELECT 1 FROM erased WHERE space = ? AND id = ?";
    Ok(tx.prepare_cached(sql)?.exists(params![space, id])?)
}

pub(super) fn refuse_from_now(tx: &Transaction<'_>, space: &SpaceId, id: &Digest) -> Result<()> {
    let sql = "INSERT OR IGNORE INTO erased (space, id) VALUES (?, ?)";
    tx.prepare_cached(sql)?.execute(params![space, id])?;
    Ok(())
}

fn write_ranges(ranges: &[Extent]) -> Vec<u8> {
    let mut to = Writer::new();
    to.array(ranges.len());
    for range in ranges {
        to.array(3).bytes(&range.log.0).uint(range.first).uint(range.count);
    }
    to.into_bytes()
}

fn read_ranges(bytes: &[u8]) -> Result<Vec<Extent>> {
    let mut from = Reader::new(bytes);
    let count = from.array(ENTRIES_MAX)?;
    let mut ranges = Vec::with_capacity(count);
    for _ in 0..count {
        from.tuple(3)?;
        let log = LogId(from.array_bytes()?);
        let (first, count) = (from.uint()?, from.uint()?);
        from.end();
        ranges.push(Extent { log, first, count });
    }
    Ok(ranges)
}

/// SQLite's integers have a sign; ours stay far below where it begins.
pub(super) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
