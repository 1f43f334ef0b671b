//! The limit: the same rows written and read by raw rusqlite, with the same encryption, pragmas,
//! indexes and search.
//!
//! Must not know: entries, chains, the door.

use std::path::Path;

use rusqlite::{Connection, Statement, params};
use tuquan_core::domain::incident::Incident;
use tuquan_core::domain::lifecycle::IncidentState;
use tuquan_core::error::Result;
use tuquan_core::ids::RecordId;
use tuquan_core::store::open::{Location, reader, writer};
use tuquan_core::store::search::Indexed;
use tuquan_core::store::views::View;

use crate::data::{Event, PLACES, Source};
use crate::store::Folder;

/// Opens an empty raw store with the view's own tables, or one that is there.
pub(crate) fn open(folder: &Path) -> Result<Connection> {
    let connection = writer(&Location::new(folder, [9; 32]))?;
    let there: i64 = connection.query_row(
        "SELECT count(*) FROM sqlite_master WHERE name = 'incident'",
        [],
        |row| row.get(0),
    )?;
    if there == 0 {
        connection.execute_batch(&View::new(Incident::DECLARATION).create())?;
    }
    Ok(connection)
}

/// Opens a raw store only for reading.
pub(crate) fn open_reader(folder: &Path) -> Result<Connection> {
    reader(&Location::new(folder, [9; 32]))
}

const INSERT: &str = "INSERT INTO incident (id, log, saved, heads, items, size, flags, when_ms, t_occ, category, \
                      place, state, summary, due) VALUES (?, 1, ?, ?, 1, ?, 0, ?, ?, ?, ?, ?, ?, ?)";
const SEARCH: &str = "INSERT INTO incident_search (rowid, folded, accented) VALUES (?, ?, ?)";

/// The two statements of one row, prepared.
pub(crate) struct Inserts<'c> {
    row: Statement<'c>,
    search: Statement<'c>,
}

impl<'c> Inserts<'c> {
    /// Prepares them.
    pub(crate) fn new(connection: &'c Connection) -> Result<Self> {
        Ok(Self { row: connection.prepare(INSERT)?, search: connection.prepare(SEARCH)? })
    }

    /// Inserts one event as row `number`.
    pub(crate) fn insert(
        &mut self,
        connection: &Connection,
        number: usize,
        event: &Event,
        places: &[RecordId],
    ) -> Result<()> {
        let number = number as u64;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&(event.t_occ_ms.cast_unsigned() << 16).to_be_bytes());
        id[8..].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        let mut heads = vec![1];
        heads.extend_from_slice(&number.to_le_bytes());
        self.row.execute(params![
            &id[..],
            event.t_occ_ms << 16,
            heads,
            &[0_u8; 8][..],
            event.t_occ_ms,
            event.t_occ_ms,
            event.category.number(),
            places[event.place],
            IncidentState::New.number(),
            event.summary,
            event.t_occ_ms + 7 * 86_400_000
        ])?;
        let mut indexed = Indexed::default();
        indexed.push(&event.summary);
        self.search.execute(params![
            connection.last_insert_rowid(),
            indexed.folded,
            indexed.accented
        ])?;
        Ok(())
    }
}

/// Inserts all events of a source in one transaction, durably.
pub(crate) fn insert_all(folder: &Folder, source: &Source) -> Result<()> {
    let places: Vec<RecordId> = (1..).take(PLACES).map(|n| RecordId([n; 16])).collect();
    let mut connection = open(folder.path())?;
    let transaction = connection.transaction()?;
    {
        let mut inserts = Inserts::new(&transaction)?;
        for (number, event) in source.events.iter().enumerate() {
            inserts.insert(&transaction, number, event, &places)?;
        }
    }
    transaction.commit()?;
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}
