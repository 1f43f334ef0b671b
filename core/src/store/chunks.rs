//! Sealed chunks of photos: which of them records name, which are here, which are missing.
//!
//! Invariant: a chunk that is here was named by a record when it came, has the hash that it is kept
//! under, and goes with the last record that names it. Must not know: keys of photos, who sends.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::attachment::{Manifest, SEALED_CHUNK_LEN_MAX, chunk_hash};
use crate::error::{Error, Kind, Result};
use crate::ids::{ChunkHash, ElementKey};

/// Notes that an element of a record names the chunks of a manifest.
///
/// # Errors
/// Of the store.
pub(super) fn name(
    transaction: &Transaction<'_>,
    (kind, rid, key): (u64, i64, &ElementKey),
    manifest: &Manifest,
) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO named (kind, rid, key, place, hash, size, here) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, EXISTS (SELECT 1 FROM chunk WHERE hash = ?5))";
    let mut statement = transaction.prepare_cached(sql)?;
    for (place, hash) in (0_i64..).zip(manifest.chunks()) {
        let kind = kind.cast_signed();
        statement.execute(params![kind, rid, key, place, hash, manifest.size()])?;
    }
    Ok(())
}

/// Notes that an element is gone, and adds the chunks that it named to `unnamed`.
///
/// # Errors
/// Of the store.
pub(super) fn unname(
    transaction: &Transaction<'_>,
    (kind, rid, key): (u64, i64, &ElementKey),
    unnamed: &mut Vec<ChunkHash>,
) -> Result<()> {
    let sql = "DELETE FROM named WHERE kind = ? AND rid = ? AND key = ? RETURNING hash";
    let mut statement = transaction.prepare_cached(sql)?;
    let hashes = statement.query_map(params![kind.cast_signed(), rid, key], |row| row.get(0))?;
    for hash in hashes {
        unnamed.push(hash?);
    }
    Ok(())
}

/// Removes those of some chunks that no record names any more.
///
/// # Errors
/// Of the store.
pub fn remove_unnamed(transaction: &Transaction<'_>, hashes: &[ChunkHash]) -> Result<()> {
    let sql = "DELETE FROM chunk WHERE hash = ?1 \
               AND NOT EXISTS (SELECT 1 FROM named WHERE hash = ?1)";
    for hash in hashes {
        transaction.prepare_cached(sql)?.execute([hash])?;
    }
    Ok(())
}

/// Forgets which chunks are named, to note it anew from all records.
///
/// # Errors
/// Of the store.
pub fn start_anew(transaction: &Transaction<'_>) -> Result<()> {
    transaction.execute("DELETE FROM named", [])?;
    Ok(())
}

/// Removes every chunk that no record names.
///
/// # Errors
/// Of the store.
pub fn sweep(transaction: &Transaction<'_>) -> Result<()> {
    let sql = "DELETE FROM chunk WHERE hash NOT IN (SELECT hash FROM named)";
    transaction.execute(sql, [])?;
    Ok(())
}

/// Keeps a chunk of a photo that the same transaction attaches.
///
/// # Errors
/// Of the store.
pub fn put_own(transaction: &Transaction<'_>, bytes: &[u8]) -> Result<()> {
    insert(transaction, &chunk_hash(bytes), bytes)
}

/// Keeps a chunk that came, if a record names it and it is missing; tells whether it did.
///
/// # Errors
/// `E-CHUNK` when it is not the chunk of that hash; of the store.
pub fn put(transaction: &Transaction<'_>, hash: &ChunkHash, bytes: &[u8]) -> Result<bool> {
    if bytes.len() > SEALED_CHUNK_LEN_MAX || chunk_hash(bytes) != *hash {
        return Err(Error::new(Kind::Chunk, format!("chunk {hash}")));
    }
    let sql = "UPDATE named SET here = 1 WHERE hash = ? AND here = 0";
    if transaction.prepare_cached(sql)?.execute([hash])? == 0 {
        return Ok(false);
    }
    insert(transaction, hash, bytes)?;
    Ok(true)
}

fn insert(transaction: &Transaction<'_>, hash: &ChunkHash, bytes: &[u8]) -> Result<()> {
    let sql = "INSERT OR IGNORE INTO chunk (hash, bytes) VALUES (?, ?)";
    transaction.prepare_cached(sql)?.execute(params![hash, bytes])?;
    Ok(())
}

/// Reads a chunk; none when it is not here.
///
/// # Errors
/// `E-CHUNK` when what is here was damaged, see [`forget`]; of the store.
pub fn get(connection: &Connection, hash: &ChunkHash) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT bytes FROM chunk WHERE hash = ?";
    let mut statement = connection.prepare_cached(sql)?;
    let bytes: Option<Vec<u8>> = statement.query_row([hash], |row| row.get(0)).optional()?;
    match bytes {
        Some(bytes) if chunk_hash(&bytes) != *hash => {
            Err(Error::new(Kind::Chunk, format!("chunk {hash} in the store")))
        }
        other => Ok(other),
    }
}

/// Tells whether a chunk is here.
///
/// # Errors
/// Of the store.
pub fn is_here(connection: &Connection, hash: &ChunkHash) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM chunk WHERE hash = ?)";
    Ok(connection.prepare_cached(sql)?.query_row([hash], |row| row.get(0))?)
}

/// Removes a chunk that was found damaged: it is missing from then on.
///
/// # Errors
/// Of the store.
pub fn forget(transaction: &Transaction<'_>, hash: &ChunkHash) -> Result<()> {
    transaction.prepare_cached("DELETE FROM chunk WHERE hash = ?")?.execute([hash])?;
    let sql = "UPDATE named SET here = 0 WHERE hash = ?";
    transaction.prepare_cached(sql)?.execute([hash])?;
    Ok(())
}

/// Tells whether any chunk is missing.
///
/// # Errors
/// Of the store.
pub fn lacks_any(connection: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM named WHERE here = 0)";
    Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// Returns the first `limit` chunks that records name and that are not here: those of the smallest
/// photos first, each photo's together.
///
/// # Errors
/// Of the store.
pub fn missing(connection: &Connection, limit: usize) -> Result<Vec<ChunkHash>> {
    let sql = "SELECT hash FROM named WHERE here = 0 \
               ORDER BY size, kind, rid, key, place LIMIT ?";
    listed(connection, sql, limit)
}

/// Returns the first `limit` chunks that are here and that the relay is not known to have, those of
/// the smallest photos first.
///
/// # Errors
/// Of the store.
pub fn to_relay(connection: &Connection, limit: usize) -> Result<Vec<ChunkHash>> {
    let sql = "SELECT named.hash FROM chunk JOIN named ON named.hash = chunk.hash \
               WHERE chunk.relayed = 0 \
               ORDER BY named.size, named.kind, named.rid, named.key, named.place LIMIT ?";
    listed(connection, sql, limit)
}

/// Several records may name one chunk: each is listed once.
fn listed(connection: &Connection, sql: &str, limit: usize) -> Result<Vec<ChunkHash>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([limit], |row| row.get(0))?;
    let mut found: Vec<ChunkHash> = Vec::new();
    let mut known = std::collections::HashSet::new();
    for hash in rows {
        let hash = hash?;
        if known.insert(hash) {
            found.push(hash);
        }
    }
    Ok(found)
}

/// Notes that the relay has these chunks.
///
/// # Errors
/// Of the store.
pub fn note_relayed(transaction: &Transaction<'_>, hashes: &[ChunkHash]) -> Result<()> {
    for hash in hashes {
        let sql = "UPDATE chunk SET relayed = 1 WHERE hash = ?";
        transaction.prepare_cached(sql)?.execute([hash])?;
    }
    Ok(())
}

/// Forgets what the relay has: it is another one, or was restored.
///
/// # Errors
/// Of the store.
pub fn forget_relayed(transaction: &Transaction<'_>) -> Result<()> {
    transaction.execute("UPDATE chunk SET relayed = 0 WHERE relayed = 1", [])?;
    Ok(())
}
