//! Views from entries: made when they are missing or their shape changed, compared by `doctor`.
//!
//! Must not know: what the views are read for.

use std::collections::HashMap;

use super::Replica;
use super::standing::{SHAPE, Shift};
use super::step::Step;
use super::write::settle;
use crate::error::{Kind, Result};
use crate::log::chain::Sort;
use crate::log::entry::kind;
use crate::store::{chunks, logs, views};

/// The version that last made the views or found nothing to try again.
const MADE_BY: &str = "view_made_by";
const STEP_ENTRIES_MAX: usize = 1_024;

/// What a check of the store found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Checked {
    /// Whether SQLite and SQLCipher found every page in order; nothing else is checked if not.
    pub pages_ok: bool,
    /// Whether the views equal those made anew from the entries.
    pub views_ok: bool,
    /// How many entries were read back.
    pub entries: u64,
    /// Items that cannot be read.
    pub damaged: u64,
    /// Items that wait for another one.
    pub pending: u64,
    /// Packs that wait for a key, an author or a team list.
    pub held: u64,
}

impl Replica {
    /// Makes the view tables when they are missing or of another shape.
    pub(super) fn prepare_views(&mut self) -> Result<()> {
        let shape = views::shape_hash(&self.mind.views);
        let version = env!("CARGO_PKG_VERSION").as_bytes();
        let is = |key, wanted: &[u8]| -> Result<bool> {
            Ok(logs::meta(&self.connection, key)?.is_some_and(|found| found == wanted))
        };
        let (is_shaped, is_made_by_this) = (is(SHAPE, &shape)?, is(MADE_BY, version)?);
        if is_shaped && is_made_by_this {
            return Ok(());
        }
        // What another version could not merge, this one may.
        let sql = "SELECT EXISTS (SELECT 1 FROM damaged WHERE code = ?)";
        let code = Kind::Change.code();
        if !is_shaped || self.connection.query_row(sql, [code], |row| row.get(0))? {
            self.rebuild(&mut |_, _| {})?;
        }
        self.transact(|transaction, _, _| logs::set_meta(transaction, MADE_BY, version))
    }

    /// Drops every view and makes it anew from the entries; `progress` gets (done, all) entries.
    ///
    /// # Errors
    /// Of the store. A rebuild that was cut off is done again at the next open.
    pub fn rebuild(&mut self, progress: &mut dyn FnMut(u64, u64)) -> Result<u64> {
        self.transact(|transaction, mind, _| {
            if mind.identity.is_some() {
                // What the own entries cite is looked up in segments.
                settle(transaction, mind)?;
            }
            transaction.execute("DELETE FROM meta WHERE key = ?", [SHAPE])?;
            transaction.execute_batch(
                "DELETE FROM rival; DELETE FROM pending; DELETE FROM damaged; DELETE FROM aside; \
                 DELETE FROM quarantine;",
            )?;
            chunks::start_anew(transaction)?;
            for view in mind.views.iter() {
                transaction.execute_batch(&view.drop())?;
                transaction.execute_batch(&view.create())?;
            }
            mind.waiting.clear();
            mind.pending.clear();
            mind.quarantine.clear();
            mind.rebuilt = Some(HashMap::new());
            Ok(())
        })?;
        let order = self.order()?;
        let all = order.len() as u64;
        let mut done = 0;
        for part in order.chunks(STEP_ENTRIES_MAX) {
            self.transact(|transaction, mind, _| {
                let mut step = Step::new(transaction, mind);
                let mut is_any_apart = false;
                for (_, at, items) in part {
                    if !step.mind().is_accepted(*at) {
                        is_any_apart = true;
                        step.quarantine(*at)?;
                    } else {
                        for index in 0..items.unwrap_or(0) {
                            if let Some(item) = step.read_back((*at, index))? {
                                step.absorb(item)?;
                            }
                        }
                    }
                    step.close_rebuilt(*at)?;
                }
                if is_any_apart {
                    step.adopt_again()?;
                }
                step.finish().map(|_| ())
            })?;
            done += part.iter().filter(|(.., items)| items.is_some()).count() as u64;
            progress(done, all);
        }
        self.mind.rebuilt = None;
        self.mind.shift = Shift::None;
        let shape = views::shape_hash(&self.mind.views);
        self.transact(|transaction, _, _| {
            chunks::sweep(transaction)?;
            logs::set_meta(transaction, SHAPE, &shape)
        })?;
        Ok(done)
    }

    /// Lists (clock, place, items of a write) of every entry, by clock, so that few items wait.
    fn order(&self) -> Result<Vec<(u64, i64, Option<u32>)>> {
        let mut order = Vec::new();
        for log in self.mind.logs.iter().filter(|log| log.row.sort == Sort::Data) {
            let stretches =
                std::iter::once((log.row.base, log.row.next)).chain(log.ahead.iter().copied());
            for (first, end) in stretches {
                logs::for_each(&self.connection, log.row.no, first, end, |seq, entry| {
                    let items = u32::try_from(entry.items.len()).unwrap_or(u32::MAX);
                    let items = (entry.kind == kind::WRITE).then_some(items);
                    order.push((entry.hlc.0, logs::at(log.row.no, seq), items));
                    Ok(())
                })?;
            }
        }
        // By clock across logs, but never against the order inside one log.
        let mut latest = HashMap::new();
        for (clock, at, _) in &mut order {
            let (no, _) = logs::parts(*at);
            let last = latest.entry(no).or_insert(0);
            *clock = (*clock).max(*last);
            *last = *clock;
        }
        order.sort_unstable();
        Ok(order)
    }

    /// Checks every page; when all are in order, rebuilds the views and compares them with what
    /// was there. Where a page is bad nothing is rebuilt: what can still be shown stays.
    ///
    /// # Errors
    /// Of the store.
    pub fn doctor(&mut self, progress: &mut dyn FnMut(u64, u64)) -> Result<Checked> {
        match self.check_pages() {
            Ok(true) => {}
            Err(error) if error.kind != Kind::DbPage => return Err(error),
            _ => {
                self.doubt(Kind::DbPage);
                return Ok(Checked::default());
            }
        }
        let connection = &self.connection;
        let before = views::hash_all(connection, &self.mind.views)?;
        let entries = self.rebuild(progress)?;
        let after = views::hash_all(&self.connection, &self.mind.views)?;
        let count = |table: &str| -> Result<u64> {
            let sql = format!("SELECT count(*) FROM {table}");
            Ok(self.connection.query_row(&sql, [], |row| row.get::<_, i64>(0))?.cast_unsigned())
        };
        Ok(Checked {
            pages_ok: true,
            views_ok: before == after,
            entries,
            damaged: count("damaged")?,
            pending: count("pending")?,
            held: count("held")?,
        })
    }

    fn check_pages(&mut self) -> Result<bool> {
        // `cipher_integrity_check` reads the main file only: the WAL goes there first.
        let written = self.write_out();
        if let Err(error) = &written {
            // A connection that met a bad page may say anything from then on.
            self.doubt(error.kind);
            self.refresh()?;
        }
        let connection = &self.connection;
        let quick: String = connection.query_row("PRAGMA quick_check", [], |row| row.get(0))?;
        let mut cipher = connection.prepare("PRAGMA cipher_integrity_check")?;
        let are_sound = quick == "ok" && cipher.query([])?.next()?.is_none();
        drop(cipher);
        if are_sound {
            written?;
        }
        Ok(are_sound)
    }

    /// Signs the end of the own log and moves the write-ahead log into the main file.
    ///
    /// # Errors
    /// Of the store.
    pub fn write_out(&mut self) -> Result<()> {
        self.seal()?;
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        Ok(self.connection.query_row(sql, [], |_| Ok(()))?)
    }
}
