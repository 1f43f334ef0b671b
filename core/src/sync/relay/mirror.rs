//! What a phone remembers of a hub: the listing it saw, what it opened itself, the receipts.
//!
//! A hub cannot open packs and so cannot vouch for what they cover. Only packs that this phone
//! made, or opened whole, count as cover. Must not know: requests, HTTP.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::wire::listing_digest;
use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::ids::{DeviceKey, Digest, LogId};
use crate::log::pack::{ENTRIES_MAX, Extent};
use crate::sync::cover::Cover;

/// The most ranges of a pack that a listing names.
const RANGES_MAX: usize = ENTRIES_MAX;

/// What this phone knows of a listed pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Only that the hub lists it: a claim.
    Listed,
    /// Opened here whole, or made here: it covers what it says.
    Opened,
    /// Opened, and something in it is absent or refused: it covers nothing.
    Worthless,
    /// Kept until a key, an author or a team list is here.
    Waiting,
}

impl State {
    fn number(self) -> i64 {
        match self {
            Self::Listed => 0,
            Self::Opened => 1,
            Self::Worthless => 2,
            Self::Waiting => 3,
        }
    }

    fn from_number(number: i64) -> Self {
        match number {
            1 => Self::Opened,
            2 => Self::Worthless,
            3 => Self::Waiting,
            _ => Self::Listed,
        }
    }
}

/// One listed pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mirrored {
    pub(super) seq: u64,
    pub(super) size: u64,
    pub(super) ranges: Vec<Extent>,
    /// What it was found to carry, by logs and branches as they are here, where its header, which
    /// names logs only, does not tell.
    pub(super) found: Option<Vec<Extent>>,
    pub(super) state: State,
    pub(super) has_receipt: bool,
}

impl Mirrored {
    /// Returns what it carries, as far as it is known.
    pub(super) fn covers(&self) -> &[Extent] {
        self.found.as_deref().unwrap_or(&self.ranges)
    }
}

/// A hub as this phone remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mirror {
    pub(super) no: i64,
    pub(super) instance: Vec<u8>,
    pub(super) listed: u64,
    pub(super) acks: Digest,
    pub(super) sent: Digest,
    pub(super) packs: BTreeMap<Digest, Mirrored>,
}

impl Mirror {
    /// Reads what is remembered of the hub `key`; makes a row for one that was never met.
    pub(super) fn load(
        transaction: &Transaction<'_>,
        key: &DeviceKey,
        now_ms: i64,
    ) -> Result<Self> {
        let sql = "INSERT OR IGNORE INTO relay (key, instance, listed, acks, sent, met_ms) \
                   VALUES (?, x'', 0, zeroblob(32), zeroblob(32), ?)";
        transaction.execute(sql, params![key, now_ms])?;
        // What waited may have been tried again since; it is fetched and judged anew.
        let sql = "UPDATE relay_pack SET state = 0 WHERE state = 3 AND id NOT IN \
                   (SELECT id FROM held)";
        transaction.execute(sql, [])?;
        let sql = "SELECT no, instance, listed, acks, sent FROM relay WHERE key = ?";
        let mut mirror = transaction.query_row(sql, [key], |row| {
            Ok(Self {
                no: row.get(0)?,
                instance: row.get(1)?,
                listed: row.get::<_, i64>(2)?.cast_unsigned(),
                acks: row.get(3)?,
                sent: row.get(4)?,
                packs: BTreeMap::new(),
            })
        })?;
        for_each(transaction, Some(mirror.no), |id, pack| {
            mirror.packs.insert(id, pack);
        })?;
        Ok(mirror)
    }

    /// Keeps how far the listing and the acknowledgements are known.
    pub(super) fn save(&self, transaction: &Transaction<'_>, now_ms: i64) -> Result<()> {
        let sql = "UPDATE relay SET instance = ?, listed = ?, acks = ?, sent = ?, met_ms = ? \
                   WHERE no = ?";
        let listed = self.listed.cast_signed();
        transaction
            .execute(sql, params![self.instance, listed, self.acks, self.sent, now_ms, self.no])?;
        Ok(())
    }

    /// Keeps what is known of a pack.
    pub(super) fn put(
        &mut self,
        transaction: &Transaction<'_>,
        id: Digest,
        pack: Mirrored,
        receipt: Option<&[u8]>,
    ) -> Result<()> {
        let sql = "INSERT INTO relay_pack (relay, id, seq, size, ranges, state, receipt, covers) \
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (relay, id) DO UPDATE SET \
                   state = excluded.state, covers = excluded.covers, \
                   receipt = coalesce(excluded.receipt, receipt)";
        transaction.prepare_cached(sql)?.execute(params![
            self.no,
            id,
            pack.seq.cast_signed(),
            pack.size.cast_signed(),
            write_ranges(&pack.ranges),
            pack.state.number(),
            receipt,
            pack.found.as_deref().map(write_ranges)
        ])?;
        self.packs.insert(id, pack);
        Ok(())
    }

    /// Forgets packs that the hub does not list any more; returns whether one of them counted as
    /// cover.
    pub(super) fn keep_only(
        &mut self,
        transaction: &Transaction<'_>,
        listed: &BTreeSet<Digest>,
    ) -> Result<bool> {
        let gone: Vec<Digest> =
            self.packs.keys().filter(|id| !listed.contains(*id)).copied().collect();
        let mut lost = false;
        for id in gone {
            transaction
                .prepare_cached("DELETE FROM relay_pack WHERE relay = ? AND id = ?")?
                .execute(params![self.no, id])?;
            let was = self.packs.remove(&id);
            lost |= was.is_some_and(|pack| pack.state == State::Opened);
        }
        Ok(lost)
    }

    /// Returns the digest over the listing as it is known here.
    pub(super) fn digest(&self) -> Digest {
        let ids: Vec<Digest> = self.packs.keys().copied().collect();
        listing_digest(&ids)
    }

    /// Returns what the packs cover that this phone can vouch for.
    pub(super) fn cover(&self) -> Cover {
        let mut cover = Cover::default();
        for pack in self.packs.values().filter(|pack| pack.state == State::Opened) {
            cover.add(pack.covers());
        }
        cover
    }
}

/// Returns what all hubs together hold by receipt or by this phone's own opening.
pub(in crate::sync) fn covered(connection: &Connection) -> Result<Cover> {
    let mut cover = Cover::default();
    for_each(connection, None, |_, pack| {
        if pack.state == State::Opened && pack.has_receipt {
            cover.add(pack.covers());
        }
    })?;
    Ok(cover)
}

/// When each hub was met last, in milliseconds since 1970, by its key.
pub(in crate::sync) fn met(connection: &Connection) -> Result<Vec<(DeviceKey, i64)>> {
    let sql = "SELECT key, met_ms FROM relay WHERE met_ms > 0 ORDER BY key";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Returns the login token that a hub gave, if one is kept.
pub(super) fn token(connection: &Connection, key: &DeviceKey) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT token FROM relay WHERE key = ?";
    let token = connection.query_row(sql, [key], |row| row.get(0)).optional()?;
    Ok(token.flatten())
}

/// Keeps the login token of a hub.
pub(super) fn set_token(
    transaction: &Transaction<'_>,
    key: &DeviceKey,
    token: Option<&[u8]>,
) -> Result<()> {
    let sql = "INSERT INTO relay (key, instance, listed, acks, sent, met_ms, token) \
               VALUES (?, x'', 0, zeroblob(32), zeroblob(32), 0, ?) \
               ON CONFLICT (key) DO UPDATE SET token = excluded.token";
    transaction.execute(sql, params![key, token])?;
    Ok(())
}

fn for_each(
    connection: &Connection,
    no: Option<i64>,
    mut each: impl FnMut(Digest, Mirrored),
) -> Result<()> {
    let sql = "SELECT id, size, ranges, state, receipt IS NOT NULL, seq, covers FROM relay_pack \
               WHERE ?1 IS NULL OR relay = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([no])?;
    while let Some(row) = rows.next()? {
        let (id, pack) = read(row)?;
        each(id, pack);
    }
    Ok(())
}

fn read(row: &Row<'_>) -> Result<(Digest, Mirrored)> {
    let ranges = read_ranges(row.get_ref(2)?.as_blob().unwrap_or_default())?;
    let found = row.get_ref(6)?.as_blob().ok().map(read_ranges).transpose()?;
    let pack = Mirrored {
        seq: row.get::<_, i64>(5)?.cast_unsigned(),
        size: row.get::<_, i64>(1)?.cast_unsigned(),
        ranges,
        found,
        state: State::from_number(row.get(3)?),
        has_receipt: row.get(4)?,
    };
    Ok((row.get(0)?, pack))
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
    let count = from.array(RANGES_MAX)?;
    let mut ranges = Vec::with_capacity(count);
    for _ in 0..count {
        from.tuple(3)?;
        let log = LogId(from.array_bytes()?);
        ranges.push(Extent { log, first: from.uint()?, count: from.uint()? });
        from.end();
    }
    Ok(ranges)
}
