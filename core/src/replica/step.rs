//! One step of absorbing items into views: what happens to records inside one transaction.
//!
//! A linear item folds into the record's state; anything else waits until the end of the step and
//! is then merged once, however many items came. Items whose deps are missing are pending; those
//! that cannot be read are damaged and stop only themselves. Must not know: packs, sessions.

use std::collections::btree_map::Entry as BTreeEntry;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use rusqlite::{Transaction, params};

use super::Changed;
use super::gather::{Cache, incoming, resolve, target};
use super::merging::{head, merge_into};
use super::mind::Mind;
use crate::clock::Hlc;
use crate::error::{Error, Kind, Result};
use crate::ids::{Digest, LogId, RecordId};
use crate::log::chain::Sort;
use crate::log::entry::{Body, Entry, kind};
use crate::log::item::{Dep, Item, Place};
use crate::record::bounds::ITEMS_MAX;
use crate::record::declare::{Merge, Role};
use crate::record::graph::GraphItem;
use crate::record::state::{State, check_op};
use crate::store::views::{FLAG_ASIDE, FLAG_CLOCK, Head, RowWriter, Stored, View};
use crate::store::{chunks, logs};

/// An item on its way into the views.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Where it stands.
    pub place: Place,
    /// The entry's clock.
    pub hlc: Hlc,
    /// The item's digest.
    pub digest: Digest,
    /// What the author wrote.
    pub content: Content,
    /// The role of the author, if it has one.
    pub role: Option<Role>,
}

/// What an item says, read already or not.
#[derive(Debug, Clone)]
pub enum Content {
    /// Bytes from outside.
    Bytes(Vec<u8>),
    /// An item that was read before.
    Item(Item),
    /// An item of our own, and the record that it writes to.
    Own(Item, RecordId),
}

/// A record as this step leaves it.
pub(super) struct Touched {
    pub(super) record: Stored,
    before: Option<State>,
    pub(super) extra: Vec<GraphItem>,
}

/// One step; see the module.
pub struct Step<'a> {
    pub(super) transaction: &'a Transaction<'a>,
    pub(super) mind: &'a mut Mind,
    /// By the number of the view and the record: an id alone may be claimed by two record types.
    touched: BTreeMap<(usize, RecordId), Box<Touched>>,
    gaps: Gaps,
    pub(super) cache: Cache,
    /// Entries that came back from quarantine and whose items are in a queue.
    pub(super) released: Vec<i64>,
    /// Items that are stored and whose turn has not come: not there yet for those that build on them.
    pub(super) queued: HashSet<(i64, u32)>,
}

impl<'a> Step<'a> {
    /// Starts a step inside a transaction.
    #[must_use]
    pub fn new(transaction: &'a Transaction<'a>, mind: &'a mut Mind) -> Self {
        Self {
            transaction,
            mind,
            touched: BTreeMap::new(),
            gaps: Gaps::default(),
            cache: Cache::default(),
            released: Vec::new(),
            queued: HashSet::new(),
        }
    }

    /// Says that the items of a stored entry at `indexes`, or all when there are none, are still to be
    /// absorbed.
    pub fn expect(&mut self, at: i64, entry: &Entry, indexes: &[u32]) {
        if entry.kind != kind::WRITE {
            return;
        }
        for (index, item) in (0..).zip(&entry.items) {
            let is_meant = indexes.is_empty() || indexes.contains(&index);
            if is_meant && matches!(item, Body::Bytes(_)) {
                self.queued.insert((at, index));
            }
        }
    }

    /// Takes one item in, and then those that waited for it.
    ///
    /// # Errors
    /// Only of the store: a bad item is noted as damaged and no error.
    pub fn absorb(&mut self, incoming: Incoming) -> Result<()> {
        self.absorb_all(vec![incoming])
    }

    /// Tells that all items of an entry were absorbed: those that waited for one that it does not
    /// have, or that says nothing, go on.
    ///
    /// # Errors
    /// Of the store.
    pub fn close_entry(&mut self, log: LogId, seq: u64) -> Result<()> {
        if self.mind.waiting.is_empty() {
            return Ok(());
        }
        let mut queue = Vec::new();
        self.wake_entry(log, seq, &mut queue)?;
        self.absorb_all(queue)
    }

    fn wake_entry(&mut self, log: LogId, seq: u64, queue: &mut Vec<Incoming>) -> Result<()> {
        let place = |index| Place { log, seq, index };
        let waited_for = self.mind.waiting.range(place(0)..=place(u32::MAX));
        let places: Vec<Place> = waited_for.map(|(place, _)| *place).collect();
        places.into_iter().try_for_each(|place| self.wake(place, queue))
    }

    /// As [`Step::close_entry`], in a rebuild that has come to the entry with this row number.
    ///
    /// # Errors
    /// Of the store.
    pub fn close_rebuilt(&mut self, at: i64) -> Result<()> {
        let (no, seq) = logs::parts(at);
        if let Some(ends) = &mut self.mind.rebuilt {
            ends.insert(no, seq + 1);
        }
        match self.mind.log_numbered(no).map(|log| log.row.id) {
            Some(log) => self.close_entry(log, seq),
            None => Ok(()),
        }
    }

    pub(super) fn absorb_all(&mut self, mut queue: Vec<Incoming>) -> Result<()> {
        loop {
            while let Some(incoming) = queue.pop() {
                let place = incoming.place;
                let mut adopted = Vec::new();
                self.adopt(&incoming, &mut adopted)?;
                if !adopted.is_empty() {
                    // What it builds on goes first.
                    queue.push(incoming);
                    queue.append(&mut adopted);
                    continue;
                }
                if !self.queued.is_empty() {
                    let at = logs::at(self.mind.local_no(&place.log), place.seq);
                    self.queued.remove(&(at, place.index));
                }
                match self.take(incoming) {
                    Ok(()) => {}
                    Err(error) if is_damage(error.kind) => self.note_damaged(place, &error)?,
                    Err(error) => return Err(error),
                }
                self.wake(place, &mut queue)?;
            }
            let Some(at) = self.released.pop() else {
                return Ok(());
            };
            let (no, seq) = logs::parts(at);
            if let Some(log) = self.mind.log_numbered(no).map(|log| log.row.id) {
                self.wake_entry(log, seq, &mut queue)?;
            }
        }
    }

    fn take(&mut self, incoming: Incoming) -> Result<()> {
        let place = incoming.place;
        let (mut item, known) = match incoming.content {
            Content::Bytes(bytes) => (self.mind.read_item(&bytes, &place.log)?, None),
            Content::Item(item) => (item, None),
            Content::Own(item, record) => (item, Some(record)),
        };
        let Some(view) = self.mind.view(item.kind) else {
            return Ok(());
        };
        if known.is_none() {
            let missing = resolve(self.transaction, self.mind, place, &mut item, &mut self.cache)?;
            if let Some(missing) = missing {
                return self.note_pending(missing, place);
            }
        }
        let id = match known {
            Some(record) => record,
            None => target(self.mind, &item, place, incoming.hlc)?,
        };
        if let Err(error) = check_item(&self.mind.views[view], &item, incoming.role) {
            // It counts as an empty item, so that what was written after it goes on.
            self.note_damaged(place, &error)?;
            item.ops.clear();
        }
        if let Some(missing) = item.deps.iter().find(|dep| !self.has(&dep.place)) {
            return self.note_pending(missing.place, place);
        }
        let touched = match self.touched.entry((view, id)) {
            BTreeEntry::Occupied(touched) => touched.into_mut(),
            BTreeEntry::Vacant(slot) => {
                let created = item.deps.is_empty().then_some(&mut self.gaps);
                let views = (view, &self.mind.views[view]);
                let touched = load(self.transaction, views, id, created, place, incoming.hlc)?;
                slot.insert(Box::new(touched))
            }
        };
        let record = &mut touched.record;
        let is_full = record.items >= ITEMS_MAX as u64 || record.flags & FLAG_ASIDE != 0;
        if is_full
            || !touched.extra.is_empty()
            || !follows(&item.deps, &record.heads)
            || !record.size.take(&item.ops)
        {
            touched.extra.push(GraphItem {
                place,
                hlc: incoming.hlc,
                digest: incoming.digest,
                deps: item.deps.iter().map(|dep| dep.place).collect(),
                ops: item.ops,
            });
            return Ok(());
        }
        record.state.fold(self.mind.views[view].of, item.ops, place, incoming.hlc)?;
        record.heads = vec![head(place, &incoming.digest)];
        record.items += 1;
        Ok(())
    }

    /// Reads the item at a local place, to be absorbed; none when its content is absent.
    ///
    /// # Errors
    /// `E-DBPAGE`.
    pub fn read_back(&mut self, item: (i64, u32)) -> Result<Option<Incoming>> {
        incoming(self.transaction, self.mind, item, &mut self.cache)
    }

    /// Returns what the replica knows by heart.
    #[must_use]
    pub fn mind(&self) -> &Mind {
        self.mind
    }

    /// Returns what the replica knows by heart, to append to its logs.
    pub fn mind_mut(&mut self) -> &mut Mind {
        self.mind
    }

    /// Returns a record as this step has it so far, if the step touched it.
    #[must_use]
    pub fn touched(&self, view: &View, id: &RecordId) -> Option<&Stored> {
        let number = self.mind.view(view.of.kind)?;
        self.touched
            .get(&(number, *id))
            .filter(|found| found.extra.is_empty())
            .map(|found| &found.record)
    }

    /// Notes that the content of an item is absent, to be asked for elsewhere.
    ///
    /// # Errors
    /// Of the store.
    pub fn note_hole(&mut self, place: Place) -> Result<()> {
        let at = logs::at(self.mind.local_no(&place.log), place.seq);
        self.transaction
            .prepare_cached("INSERT OR IGNORE INTO hole (at, item) VALUES (?, ?)")?
            .execute(params![at, place.index])?;
        self.mind.holes.insert((at, place.index));
        Ok(())
    }

    fn has(&self, place: &Place) -> bool {
        let Some(log) = self.mind.log(&place.log) else {
            return false;
        };
        let item = (logs::at(log.row.no, place.seq), place.index);
        log.row.sort == Sort::Data
            && log.holds(place.seq)
            && !self.mind.quarantine.contains(&item.0)
            && self.mind.is_rebuilt(log.row.no, place.seq)
            && !self.mind.pending.contains(&item)
            && !self.mind.holes.contains(&item)
            && !self.queued.contains(&item)
    }

    fn note_pending(&mut self, missing: Place, place: Place) -> Result<()> {
        let item = (logs::at(self.mind.local_no(&place.log), place.seq), place.index);
        let sql = "INSERT OR IGNORE INTO pending VALUES (?, ?, ?, ?, ?)";
        self.transaction.prepare_cached(sql)?.execute(params![
            missing.log,
            missing.seq.cast_signed(),
            missing.index,
            item.0,
            item.1
        ])?;
        self.mind.waiting.entry(missing).or_default().push(item);
        self.mind.pending.insert(item);
        Ok(())
    }

    fn note_damaged(&self, place: Place, error: &Error) -> Result<()> {
        note_damaged(self.transaction, self.mind, place, error)
    }

    /// Puts the items that waited for `place` into the queue.
    fn wake(&mut self, place: Place, queue: &mut Vec<Incoming>) -> Result<()> {
        if self.mind.waiting.is_empty() || !self.has(&place) {
            return Ok(());
        }
        if !self.mind.branches.is_empty() {
            // Who waits for another history than was here waits under the log's own id.
            let named = Place { log: self.mind.root(&place.log), ..place };
            if named != place {
                self.wake_named(named, queue)?;
            }
        }
        self.wake_named(place, queue)
    }

    fn wake_named(&mut self, place: Place, queue: &mut Vec<Incoming>) -> Result<()> {
        let Some(items) = self.mind.waiting.remove(&place) else {
            return Ok(());
        };
        let sql = "DELETE FROM pending WHERE dep_log = ? AND dep_seq = ? AND dep_index = ?";
        self.transaction.prepare_cached(sql)?.execute(params![
            place.log,
            place.seq.cast_signed(),
            place.index
        ])?;
        for item in items {
            self.mind.pending.remove(&item);
            if let Some(incoming) = self.read_back(item)? {
                self.queued.insert(item);
                queue.push(incoming);
            }
        }
        Ok(())
    }

    /// Merges what needs merging and writes every touched record.
    ///
    /// # Errors
    /// Of the store.
    pub fn finish(self) -> Result<Vec<Changed>> {
        let Self { transaction, mind, touched, mut cache, .. } = self;
        let views = Arc::clone(&mind.views);
        let mut writers: Vec<RowWriter<'_>> =
            views.iter().map(|view| view.writer(transaction)).collect();
        let mut changed = Vec::with_capacity(touched.len());
        for ((number, id), mut touched) in touched {
            let view = &views[number];
            if !touched.extra.is_empty() {
                merge_into(transaction, mind, view, &mut touched, &mut cache)?;
            }
            if touched.record.items == 0 && touched.record.rid.is_none() {
                continue;
            }
            let local_no = |log: &LogId| mind.local_no(log);
            writers[number].write(&local_no, &mut touched.record, touched.before.as_ref())?;
            changed.push(Changed { kind: view.of.name.to_owned(), record: id });
        }
        // A rebuild has not come to all records yet; it sweeps when it has.
        if mind.rebuilt.is_none() {
            for writer in writers {
                chunks::remove_unnamed(transaction, &writer.unnamed())?;
            }
        }
        Ok(changed)
    }
}

/// Stretches of ids without a record, one per view: (after this one, before that one or the end).
///
/// A creation has to look, because a liar may have written to its id before it came; but records
/// that are made one after the other have ids side by side, so one look is good for many. Only
/// the end of a step writes to the views, so what was free stays free.
#[derive(Default)]
struct Gaps(BTreeMap<usize, (RecordId, Option<RecordId>)>);

impl Gaps {
    fn is_free(
        &mut self,
        transaction: &Transaction<'_>,
        (number, view): (usize, &View),
        id: RecordId,
    ) -> Result<bool> {
        if let Some((after, before)) = self.0.get(&number)
            && *after <= id
            && before.is_none_or(|before| id < before)
        {
            return Ok(true);
        }
        let next = view.next_id(transaction, &id)?;
        if next == Some(id) {
            return Ok(false);
        }
        self.0.insert(number, (id, next));
        Ok(true)
    }
}

/// Reads the record that an item writes to, or starts it; `created` when the item creates it.
fn load(
    transaction: &Transaction<'_>,
    view: (usize, &View),
    id: RecordId,
    created: Option<&mut Gaps>,
    place: Place,
    hlc: Hlc,
) -> Result<Touched> {
    let is_free = match created {
        Some(gaps) => gaps.is_free(transaction, view, id)?,
        None => false,
    };
    let found = if is_free { None } else { view.1.load(transaction, &id)? };
    let before = found.as_ref().map(|record| record.state.clone());
    let record = found.unwrap_or_else(|| Stored {
        id,
        log: place.log,
        saved: hlc,
        flags: if hlc.is_implausible() { FLAG_CLOCK } else { 0 },
        ..Stored::default()
    });
    Ok(Touched { record, before, extra: Vec::new() })
}

/// Notes that an item cannot be read, and why.
///
/// # Errors
/// Of the store.
pub(super) fn note_damaged(
    transaction: &Transaction<'_>,
    mind: &Mind,
    place: Place,
    error: &Error,
) -> Result<()> {
    let at = logs::at(mind.local_no(&place.log), place.seq);
    transaction
        .prepare_cached("INSERT OR REPLACE INTO damaged VALUES (?, ?, ?)")?
        .execute(params![at, place.index, error.code()])?;
    Ok(())
}

/// Tells whether an item was written on exactly these heads.
fn follows(deps: &[Dep], heads: &[Head]) -> bool {
    deps.len() == heads.len()
        && deps.iter().zip(heads).all(|(dep, head)| {
            dep.place == head.place && dep.check.is_none_or(|check| check == head.check)
        })
}

/// Checks an item against the declaration of its record type and the author's role.
///
/// # Errors
/// `E-FORMAT`, `E-CHANGE-BIG`, `E-ROLE`: the item is damaged and counts as empty.
pub fn check_item(view: &View, item: &Item, role: Option<Role>) -> Result<()> {
    if role.is_some_and(|role| !view.of.writers.contains(&role)) {
        return Err(Error::new(Kind::Role, "a role that does not write this record type"));
    }
    for op in &item.ops {
        if let Some(field) = view.of.field(op.field()) {
            check_op(field, op)?;
            if field.merge == Merge::OF && role.is_some_and(|role| role != Role::R3) {
                return Err(Error::new(Kind::Role, format!("{} is the office's", field.name)));
            }
        }
    }
    Ok(())
}

/// Tells whether an error says that an item is bad, not that the store failed.
fn is_damage(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Format
            | Kind::ChangeTooBig
            | Kind::Size
            | Kind::Role
            | Kind::Truncated
            | Kind::Trailing
    )
}
