//! Entries that are kept apart: where they are, what they say, and how one comes back.
//!
//! They are stored, verified and relayed as all others and are in no view. Must not know: who
//! decides about them.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::gather::{resolve, target};
use super::ingest::link_at;
use super::mind::Mind;
use super::step::{Content, Incoming, Step};
use crate::error::Result;
use crate::ids::{DeviceKey, LogId, RecordId};
use crate::log::entry::{Body, kind};
use crate::log::item::{Item, Op, Place};
use crate::record::plain::{Plain, element_type, from_value};
use crate::store::logs;
use crate::team::history::Verdict;

/// The entries of one log that are kept apart.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Quarantined {
    /// The author.
    pub device: DeviceKey,
    /// The log.
    pub log: LogId,
    /// The first entry.
    pub first: u64,
    /// The last entry.
    pub last: u64,
    /// How many there are; entries between that were adopted do not count.
    pub count: u64,
}

/// One value that an entry sets or adds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct SaidValue {
    /// The field's name.
    pub field: String,
    /// The value.
    pub value: Plain,
}

/// What an entry that is kept apart says, for review.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Said {
    /// The entry's sequence number.
    pub seq: u64,
    /// When its author says it wrote it, in ms.
    pub saved_ms: i64,
    /// The record type's name; empty for one of a newer version.
    pub kind: String,
    /// The record that it writes to.
    pub record: Option<RecordId>,
    /// What it sets or adds, by field name, in order.
    pub fields: Vec<SaidValue>,
}

impl Mind {
    /// Tells whether the entry with a row number goes into views by the members alone.
    #[must_use]
    pub(super) fn is_accepted(&self, at: i64) -> bool {
        let (no, seq) = logs::parts(at);
        let log = self.log_numbered(no);
        log.is_some_and(|log| matches!(log.verdict(seq), Verdict::Accepted(_)))
    }

    /// Lists what is kept apart, by log.
    #[must_use]
    pub fn quarantined(&self) -> Vec<Quarantined> {
        let mut found: BTreeMap<LogId, Quarantined> = BTreeMap::new();
        for at in &self.quarantine {
            let (no, seq) = logs::parts(*at);
            let Some(log) = self.log_numbered(no) else {
                continue;
            };
            let (device, log) = (log.row.device, log.row.id);
            let new = Quarantined { device, log, first: seq, last: seq, count: 0 };
            let known = found.entry(log).or_insert(new);
            known.last = seq;
            known.count += 1;
        }
        found.into_values().collect()
    }
}

/// Returns what the entries of a log that are kept apart say, at most `limit` items.
///
/// # Errors
/// `E-DBPAGE`.
pub fn review(
    connection: &Connection,
    mind: &Mind,
    log: &LogId,
    limit: usize,
) -> Result<Vec<Said>> {
    let Some(known) = mind.log(log) else {
        return Ok(Vec::new());
    };
    let no = known.row.no;
    let apart = mind.quarantine.range(logs::at(no, 0)..logs::at(no + 1, 0));
    let mut said = Vec::new();
    for at in apart {
        let (_, seq) = logs::parts(*at);
        logs::for_each(connection, no, seq, seq + 1, |_, entry| {
            for (index, body) in (0..).zip(&entry.items) {
                let Body::Bytes(bytes) = body else { continue };
                if entry.kind != kind::WRITE || said.len() == limit {
                    continue;
                }
                // What cannot be read is told as damaged once it is accepted.
                let Ok(item) = mind.read_item(bytes, log) else {
                    continue;
                };
                let place = Place { log: *log, seq, index };
                let record = target(mind, &item, place, entry.hlc).ok();
                let (kind, fields) = words(mind, &item);
                said.push(Said { seq, saved_ms: entry.hlc.ms(), kind, record, fields });
            }
            Ok(())
        })?;
    }
    Ok(said)
}

/// Returns the record type's name and what the ops of an item say.
fn words(mind: &Mind, item: &Item) -> (String, Vec<SaidValue>) {
    let Some(view) = mind.view(item.kind).map(|view| &mind.views[view]) else {
        return (String::new(), Vec::new());
    };
    let mut fields = Vec::new();
    for op in &item.ops {
        let Some(field) = view.of.field(op.field()) else {
            continue;
        };
        let plain = match op {
            Op::Set(_, value) => from_value(&field.ty, value),
            Op::Add(_, value) => from_value(&element_type(field), value),
            Op::Splice(_, _, _, text) => Some(Plain::Text(text.clone())),
            _ => None,
        };
        fields.extend(plain.map(|value| SaidValue { field: field.name.to_owned(), value }));
    }
    (view.of.name.to_owned(), fields)
}

impl Step<'_> {
    /// Keeps an entry apart.
    ///
    /// # Errors
    /// Of the store.
    pub fn quarantine(&mut self, at: i64) -> Result<()> {
        let sql = "INSERT OR IGNORE INTO quarantine (at) VALUES (?)";
        self.transaction.prepare_cached(sql)?.execute([at])?;
        self.mind.quarantine.insert(at);
        Ok(())
    }

    /// Takes entries in that were kept apart.
    ///
    /// # Errors
    /// Of the store.
    pub fn lift(&mut self, entries: Vec<i64>) -> Result<()> {
        let mut queue = Vec::new();
        for at in entries {
            self.release(at, &mut queue)?;
        }
        self.absorb_all(queue)
    }

    /// Asks again, after entries were kept apart, whether an item that came before them and waits
    /// brings some of them back.
    ///
    /// # Errors
    /// Of the store.
    pub fn adopt_again(&mut self) -> Result<()> {
        let mut waiting: Vec<(i64, u32)> = self.mind.pending.iter().copied().collect();
        waiting.sort_unstable();
        for item in waiting {
            let Some(incoming) = self.read_back(item)? else {
                continue;
            };
            let mut queue = Vec::new();
            self.adopt(&incoming, &mut queue)?;
            self.absorb_all(queue)?;
        }
        Ok(())
    }

    /// Puts the items of entries that are kept apart into the queue, where an accepted item builds
    /// on them whose author could not know what they were kept apart for.
    pub(super) fn adopt(&mut self, incoming: &Incoming, queue: &mut Vec<Incoming>) -> Result<()> {
        if self.mind.quarantine.is_empty() {
            return Ok(());
        }
        let place = incoming.place;
        let mut item = match &incoming.content {
            Content::Item(item) | Content::Own(item, _) => item.clone(),
            Content::Bytes(bytes) => match self.mind.read_item(bytes, &place.log) {
                Ok(item) => item,
                Err(_) => return Ok(()),
            },
        };
        if !matches!(incoming.content, Content::Own(..)) {
            let missing = resolve(self.transaction, self.mind, place, &mut item, &mut self.cache)?;
            if missing.is_some() {
                // It waits, and is asked again when that came.
                return Ok(());
            }
        }
        // Exactly the items that could wait for others bring them back: a damaged one, which waits for
        // nothing, would do so only when it came last.
        let is_whole = target(self.mind, &item, place, incoming.hlc).is_ok();
        if self.mind.view(item.kind).is_none() || !is_whole {
            return Ok(());
        }
        for dep in item.deps {
            let at = logs::at(self.mind.local_no(&dep.place.log), dep.place.seq);
            let Some(log) = self.mind.log(&dep.place.log) else {
                continue;
            };
            let Verdict::Quarantined(acts) = log.verdict(dep.place.seq) else {
                continue;
            };
            if acts.is_empty() || !self.mind.quarantine.contains(&at) {
                continue;
            }
            let Some(author) = self.mind.by_id.get(&place.log) else {
                continue;
            };
            let (_, heads) = link_at(self.transaction, self.mind, *author, place.seq + 1)?;
            if self.mind.members.is_unaware(&heads, acts) {
                self.release(at, queue)?;
            }
        }
        Ok(())
    }

    /// Ends that an entry is kept apart; its items go into the queue, the first on top.
    fn release(&mut self, at: i64, queue: &mut Vec<Incoming>) -> Result<()> {
        self.transaction
            .prepare_cached("DELETE FROM quarantine WHERE at = ?")?
            .execute(params![at])?;
        self.mind.quarantine.remove(&at);
        self.released.push(at);
        let (no, seq) = logs::parts(at);
        let mut items = 0;
        logs::for_each(self.transaction, no, seq, seq + 1, |_, entry| {
            if entry.kind == kind::WRITE {
                items = u32::try_from(entry.items.len()).unwrap_or(u32::MAX);
            }
            Ok(())
        })?;
        for index in (0..items).rev() {
            if let Some(incoming) = self.read_back((at, index))? {
                self.queued.insert((at, index));
                queue.push(incoming);
            }
        }
        Ok(())
    }
}
