//! Logins, mailboxes and acknowledgements.
//!
//! Must not know: transactions' begin and end.

use rusqlite::{OptionalExtension, Transaction, params};
use tuquan_core::error::Result;
use tuquan_core::ids::{DeviceKey, Digest, SpaceId};

use super::packs::{from_sql, to_sql};
use crate::storage::{Ack, Nonce, Slot, Token, Usage};

/// A device opens a new log after a restore, not every day: of its logs the latest few count.
const ACKS_PER_DEVICE: u32 = 4;
/// A used nonce is remembered so much longer than it was good, to tell a replay from an old one.
const NONCE_KEPT_MS: i64 = 600_000;

pub(super) fn put_ack(
    tx: &Transaction<'_>,
    space: &SpaceId,
    ack: &Ack,
    now_ms: i64,
) -> Result<bool> {
    let log = ack.log.map_or_else(Vec::new, |log| log.0.to_vec());
    let sql = "INSERT INTO ack (space, device, log, counter, hash, at_ms, bytes) \
               VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (space, device, log) DO UPDATE SET \
               counter = excluded.counter, hash = excluded.hash, at_ms = excluded.at_ms, \
               bytes = excluded.bytes WHERE excluded.counter > counter";
    let row = params![space, ack.device, log, to_sql(ack.counter), ack.hash, now_ms, ack.bytes];
    let changed = tx.prepare_cached(sql)?.execute(row)?;
    let sql = "DELETE FROM ack WHERE space = ?1 AND device = ?2 AND rowid NOT IN (SELECT rowid \
               FROM ack WHERE space = ?1 AND device = ?2 ORDER BY at_ms DESC, rowid DESC LIMIT ?3)";
    tx.prepare_cached(sql)?.execute(params![space, ack.device, ACKS_PER_DEVICE])?;
    Ok(changed > 0)
}

pub(super) fn ack_hashes(tx: &Transaction<'_>, space: &SpaceId) -> Result<Vec<Digest>> {
    let mut statement = tx.prepare_cached("SELECT hash FROM ack WHERE space = ? ORDER BY hash")?;
    let rows = statement.query_map([space], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn acks(tx: &Transaction<'_>, space: &SpaceId) -> Result<Vec<Vec<u8>>> {
    let mut statement = tx.prepare_cached("SELECT bytes FROM ack WHERE space = ? ORDER BY hash")?;
    let rows = statement.query_map([space], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn put_nonce(
    tx: &Transaction<'_>,
    nonce: &[u8; 32],
    space: &SpaceId,
    device: &DeviceKey,
    expires_ms: i64,
) -> Result<()> {
    let sql = "INSERT INTO nonce (nonce, space, device, expires_ms, used) VALUES (?, ?, ?, ?, 0)";
    tx.prepare_cached(sql)?.execute(params![nonce, space, device, expires_ms])?;
    Ok(())
}

pub(super) fn take_nonce(
    tx: &Transaction<'_>,
    nonce: &[u8; 32],
    space: &SpaceId,
    device: &DeviceKey,
    now_ms: i64,
) -> Result<Nonce> {
    let sql = "SELECT used, expires_ms FROM nonce WHERE nonce = ? AND space = ? AND device = ?";
    let found: Option<(bool, i64)> = tx
        .prepare_cached(sql)?
        .query_row(params![nonce, space, device], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match found {
        Some((true, _)) => Ok(Nonce::Used),
        Some((false, expires_ms)) if now_ms < expires_ms => {
            let sql = "UPDATE nonce SET used = 1 WHERE nonce = ?";
            tx.prepare_cached(sql)?.execute([nonce])?;
            Ok(Nonce::Fresh)
        }
        _ => Ok(Nonce::Unknown),
    }
}

pub(super) fn put_token(tx: &Transaction<'_>, hash: &[u8; 32], token: &Token) -> Result<()> {
    let sql = "INSERT INTO token (hash, space, device, expires_ms) VALUES (?, ?, ?, ?)";
    let row = params![hash, token.space, token.device, token.expires_ms];
    tx.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

pub(super) fn token(tx: &Transaction<'_>, hash: &[u8; 32]) -> Result<Option<Token>> {
    let sql = "SELECT space, device, expires_ms FROM token WHERE hash = ?";
    let found = tx.prepare_cached(sql)?.query_row([hash], |row| {
        Ok(Token { space: row.get(0)?, device: row.get(1)?, expires_ms: row.get(2)? })
    });
    Ok(found.optional()?)
}

pub(super) fn put_slot(
    tx: &Transaction<'_>,
    slot: Slot,
    bytes: &[u8],
    expires_ms: i64,
    bytes_max: u64,
) -> Result<Option<bool>> {
    let key = params![slot.mailbox, slot.number];
    let sql = "SELECT bytes FROM slot WHERE mailbox = ? AND number = ?";
    let filled: Option<Vec<u8>> =
        tx.prepare_cached(sql)?.query_row(key, |row| row.get(0)).optional()?;
    if let Some(filled) = filled {
        return Ok(Some(filled == bytes));
    }
    let sql = "SELECT coalesce(sum(length(bytes)), 0) FROM slot";
    let used: i64 = tx.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    if from_sql(used) + bytes.len() as u64 > bytes_max {
        return Ok(None);
    }
    let sql = "INSERT INTO slot (mailbox, number, expires_ms, bytes) VALUES (?, ?, ?, ?)";
    let row = params![slot.mailbox, slot.number, expires_ms, bytes];
    tx.prepare_cached(sql)?.execute(row)?;
    Ok(Some(true))
}

pub(super) fn slot(tx: &Transaction<'_>, slot: Slot, now_ms: i64) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT bytes FROM slot WHERE mailbox = ? AND number = ? AND expires_ms > ?";
    let key = params![slot.mailbox, slot.number, now_ms];
    Ok(tx.prepare_cached(sql)?.query_row(key, |row| row.get(0)).optional()?)
}

pub(super) fn purge(tx: &Transaction<'_>, now_ms: i64) -> Result<()> {
    tx.execute("DELETE FROM nonce WHERE expires_ms <= ?", [now_ms - NONCE_KEPT_MS])?;
    tx.execute("DELETE FROM token WHERE expires_ms <= ?", [now_ms])?;
    drop_old_slots(tx, now_ms)
}

pub(super) fn drop_old_slots(tx: &Transaction<'_>, now_ms: i64) -> Result<()> {
    tx.prepare_cached("DELETE FROM slot WHERE expires_ms <= ?")?.execute([now_ms])?;
    Ok(())
}

pub(super) fn usage(tx: &Transaction<'_>) -> Result<Usage> {
    let pair = |sql: &str| -> Result<(u64, u64)> {
        let read = |row: &rusqlite::Row<'_>| Ok((from_sql(row.get(0)?), from_sql(row.get(1)?)));
        Ok(tx.prepare_cached(sql)?.query_row([], read)?)
    };
    let (spaces, packs) = pair("SELECT count(*), coalesce(sum(packs), 0) FROM space")?;
    let (bytes, slots) =
        pair("SELECT (SELECT coalesce(sum(bytes), 0) FROM space), (SELECT count(*) FROM slot)")?;
    // An index over the names answers the count; sizes of chunks are the rest of the spaces' sizes.
    let (chunks, chunk_bytes) = pair("SELECT count(*), coalesce(sum(size), 0) FROM chunk")?;
    let pack_bytes = bytes.saturating_sub(chunk_bytes);
    Ok(Usage { spaces, packs, pack_bytes, chunks, chunk_bytes, slots })
}
