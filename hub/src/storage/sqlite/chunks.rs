//! Sealed chunks of attachments.
//!
//! Must not know: transactions' begin and end.

use rusqlite::{OptionalExtension, Transaction, params};
use tuquan_core::error::Result;
use tuquan_core::ids::{Digest, PersonId, SpaceId};

use super::packs::{charge, is_erased, refuse_from_now, to_sql};
use crate::storage::{Bearer, Kept, Quota};

pub(super) fn put(
    tx: &Transaction<'_>,
    space: &SpaceId,
    id: &Digest,
    bytes: &[u8],
    bearer: &Bearer,
    quota: Quota,
) -> Result<Kept> {
    if is_erased(tx, space, id)? {
        return Ok(Kept::Erased);
    }
    let size = to_sql(bytes.len() as u64);
    let sql = "INSERT OR IGNORE INTO chunk (space, id, device, person, size, bytes) \
               VALUES (?, ?, ?, ?, ?, ?)";
    let row = params![space, id, bearer.device, bearer.person, size, bytes];
    if tx.prepare_cached(sql)?.execute(row)? == 0 {
        return Ok(Kept::Known);
    }
    charge(tx, space, &bearer.device.0, size, Some(quota))?;
    Ok(Kept::New)
}

pub(super) fn get(tx: &Transaction<'_>, space: &SpaceId, id: &Digest) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT bytes FROM chunk WHERE space = ? AND id = ?";
    let found = tx.prepare_cached(sql)?.query_row(params![space, id], |row| row.get(0));
    Ok(found.optional()?)
}

pub(super) fn missing(
    tx: &Transaction<'_>,
    space: &SpaceId,
    ids: &[Digest],
) -> Result<Vec<Digest>> {
    let mut statement = tx.prepare_cached("SELECT 1 FROM chunk WHERE space = ? AND id = ?")?;
    let mut missing = Vec::new();
    for id in ids {
        if !statement.exists(params![space, id])? {
            missing.push(*id);
        }
    }
    Ok(missing)
}

pub(super) fn erase(
    tx: &Transaction<'_>,
    space: &SpaceId,
    ids: &[Digest],
    only: Option<&PersonId>,
) -> Result<u64> {
    let mut count = 0;
    for id in ids {
        let sql = "DELETE FROM chunk WHERE space = ?1 AND id = ?2 \
                   AND (?3 IS NULL OR person = ?3) RETURNING device, size";
        let gone: Option<(Vec<u8>, i64)> = tx
            .prepare_cached(sql)?
            .query_row(params![space, id, only], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((device, size)) = &gone {
            charge(tx, space, device, -size, None)?;
            count += 1;
        }
        if gone.is_some() || only.is_none() {
            refuse_from_now(tx, space, id)?;
        }
    }
    Ok(count)
}
