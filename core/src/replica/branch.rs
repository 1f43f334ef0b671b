//! Logs with several histories: where an entry belongs by its chain, and how a branch is attached.
//!
//! Two entries of one log that follow the same link are a fork: a restored copy wrote, or somebody
//! lies. Both histories are kept. At each fork the entry with the lowest link goes on in the log;
//! every other begins a branch, which is stored as a log of its own with an id made of both. So
//! who holds the same entries has the same logs, whichever came first; the views are made anew
//! whenever a branch is attached. Entries name places by the log's own id; what is meant by a dep
//! is found by the digest that it gives. Must not know: sessions, why there are two histories.

use rusqlite::{Connection, Transaction};

use super::ingest::{link_at, put_held};
use super::mind::Mind;
use super::outgoing;
use super::standing::SHAPE;
use crate::clock::Env;
use crate::error::{Error, Kind, Result};
use crate::ids::{DeviceKey, Link, LogId};
use crate::log::chain::{self, Sort};
use crate::log::item::Item;
use crate::log::pack::{Extent, Range, Verified};
use crate::store::branches;
use crate::store::logs::{self, LogRow};
use crate::team::removal::Cut;

/// The zstd level of packs that are set aside.
const LEVEL: i32 = 3;

/// A device one of whose logs has several histories.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Forked {
    /// The device: it was copied or it lies, and is to be replaced.
    pub device: DeviceKey,
    /// The log.
    pub log: LogId,
    /// Whether it is the one that governs.
    pub is_control: bool,
    /// The first entry of which there are several.
    pub first: u64,
    /// How many histories there are.
    pub histories: u64,
}

/// Where the entries of a range belong.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// Logs or branches, as indexes in [`Mind::logs`], with the offsets of their entries.
    pub(super) parts: Vec<(usize, std::ops::Range<usize>)>,
    /// What becomes of the entries behind those.
    pub(super) rest: Rest,
}

/// What becomes of entries that belong to no known part of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// There are none.
    None,
    /// They begin another history of this log or branch, with the entry of this number.
    Fork(usize, u64),
    /// They lie beyond a gap, or in a history of which the beginning is not here.
    Loose,
}

impl Mind {
    /// Finds the branches of the logs that were read.
    pub(super) fn find_branches(&mut self) {
        self.branches.clear();
        for index in 0..self.logs.len() {
            if self.logs[index].row.parent.is_some() {
                let root = self.root(&self.logs[index].row.id);
                self.branches.entry(root).or_default().push(index);
            }
        }
    }

    /// Returns the log that a branch is of; any other id as it is.
    #[must_use]
    pub fn root(&self, id: &LogId) -> LogId {
        let mut id = *id;
        while let Some(parent) = self.log(&id).and_then(|log| log.row.parent) {
            id = parent;
        }
        id
    }

    /// Tells whether a log or branch is of a log with several histories.
    #[must_use]
    pub fn is_forked(&self, id: &LogId) -> bool {
        !self.branches.is_empty() && self.branches.contains_key(&self.root(id))
    }

    /// Returns a log and its branches, those before others that come from them.
    #[must_use]
    pub fn family(&self, id: &LogId) -> Vec<usize> {
        let root = self.root(id);
        let branches = self.branches.get(&root).into_iter().flatten();
        let mut family: Vec<usize> =
            self.by_id.get(&root).into_iter().chain(branches).copied().collect();
        family.sort_unstable_by_key(|index| {
            let row = &self.logs[*index].row;
            (row.base, row.parent.is_some(), *index)
        });
        family
    }

    /// Lists the logs that have several histories.
    #[must_use]
    pub fn forked(&self) -> Vec<Forked> {
        let of = |(log, branches): (&LogId, &Vec<usize>)| {
            let root = &self.log(log)?.row;
            let bases = branches.iter().map(|index| self.logs[*index].row.base);
            Some(Forked {
                device: root.device,
                log: *log,
                is_control: root.sort == Sort::Control,
                first: bases.min()?,
                histories: branches.len() as u64 + 1,
            })
        };
        self.branches.iter().filter_map(of).collect()
    }

    /// Returns the log or branch that has entry `seq` of the history of another one.
    pub(super) fn owner(&self, log: &LogId, seq: u64) -> LogId {
        let mut id = *log;
        while let Some(known) = self.log(&id)
            && let Some(parent) = known.row.parent.filter(|_| seq < known.row.base)
        {
            id = parent;
        }
        id
    }

    /// Finds the log or branch of the family of `id` whose history has `link` before entry `next`.
    ///
    /// # Errors
    /// `E-DBPAGE`.
    pub fn history_with(
        &self,
        connection: &Connection,
        id: &LogId,
        (next, link): (u64, &Link),
    ) -> Result<Option<usize>> {
        for index in self.family(id) {
            let row = &self.logs[index].row;
            if !(row.base..=row.next).contains(&next) {
                continue;
            }
            match link_at(connection, self, index, next) {
                Ok((here, _)) if here == *link => return Ok(Some(index)),
                Ok(_) => {}
                // The tail of rows has never left this phone.
                Err(error) if error.kind == Kind::BodyMissing => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Returns, for a log or branch, the first entry past a cut of its device's data: what is on the
    /// chain up to the link that the cut names stays.
    pub(super) fn cut_end(&self, connection: &Connection, index: usize, cut: &Cut) -> Result<u64> {
        let end = cut.last + 1;
        let row = &self.logs[index].row;
        if !self.is_forked(&row.id) {
            return Ok(end);
        }
        let Some(named) = self.history_with(connection, &row.id, (end, &cut.link))? else {
            // Which history is meant is not known: that under the log's own id.
            return Ok(if row.parent.is_none() { end } else { 0 });
        };
        let (mut id, mut end) = (self.logs[named].row.id, end);
        while id != row.id {
            let Some((parent, base)) =
                self.log(&id).and_then(|log| Some((log.row.parent?, log.row.base)))
            else {
                return Ok(0);
            };
            (id, end) = (parent, end.min(base));
        }
        Ok(end)
    }

    /// Reads an item that stands in a log or branch; its deps as they were written.
    ///
    /// # Errors
    /// As [`Item::decode`].
    pub(super) fn read_item(&self, bytes: &[u8], log: &LogId) -> Result<Item> {
        match self.branches.is_empty() {
            true => Item::decode(bytes, log),
            false => Item::decode(bytes, &self.root(log)),
        }
    }

    /// Writes the deps of an own item as everybody reads them: without branches.
    pub(super) fn written(&self, item: &Item) -> Item {
        let mut item = item.clone();
        for dep in &mut item.deps {
            dep.place.log = self.root(&dep.place.log);
        }
        item.deps.sort_unstable();
        item.deps.dedup();
        item
    }

    /// Returns which entries a range has, by the logs and branches that they are in here.
    ///
    /// # Errors
    /// `E-DBPAGE`.
    pub fn extents(
        &self,
        connection: &Connection,
        range: &Range,
        verified: &[Verified],
    ) -> Result<Vec<Extent>> {
        let space = self.space()?;
        let extent = range.extent(&space);
        let Some(root) = self.by_id.get(&extent.log).filter(|_| self.is_forked(&extent.log)) else {
            return Ok(vec![extent]);
        };
        let route = route(connection, self, *root, range, verified, &(0..verified.len()))?;
        let of = |(index, part): (usize, std::ops::Range<usize>)| Extent {
            log: self.logs[index].row.id,
            first: range.first + part.start as u64,
            count: part.len() as u64,
        };
        Ok(route.parts.into_iter().map(of).collect())
    }
}

/// Finds where the entries `part` of a range belong, by their links.
///
/// # Errors
/// `E-DBPAGE`.
pub(super) fn route(
    connection: &Connection,
    mind: &Mind,
    root: usize,
    range: &Range,
    verified: &[Verified],
    part: &std::ops::Range<usize>,
) -> Result<Route> {
    let (mut at, end) = (range.first + part.start as u64, range.first + part.end as u64);
    let offset = |seq: u64| usize::try_from(seq - range.first).unwrap_or(usize::MAX);
    let before = |seq: u64| match offset(seq).checked_sub(1) {
        None => Some(range.link_before),
        Some(before) => verified.get(before).map(|entry| entry.link),
    };
    let id = mind.logs[root].row.id;
    let (mut parts, start) = (Vec::new(), before(at).unwrap_or_default());
    let Some(mut index) = mind.history_with(connection, &id, (at, &start))? else {
        return Ok(Route { parts, rest: Rest::Loose });
    };
    while at < end {
        let row = &mind.logs[index].row;
        let is_same = |seq: u64| -> Result<bool> {
            Ok(before(seq) == Some(link_at(connection, mind, index, seq)?.0))
        };
        let mut shared = end.min(row.next).max(at);
        if !is_same(shared)? {
            // Once they differ they never meet again.
            let (mut low, mut high) = (at, shared);
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if is_same(middle)? { low = middle } else { high = middle }
            }
            shared = low;
        }
        let goes_on = shared == row.next;
        let stop = if goes_on { end } else { shared };
        if stop > at {
            parts.push((index, offset(at)..offset(stop)));
        }
        at = stop;
        if goes_on || at == end {
            break;
        }
        let (parent, link) = (row.id, before(at + 1).unwrap_or_default());
        let is_it = |of: &usize| {
            let row = &mind.logs[*of].row;
            row.base == at
                && row.parent == Some(parent)
                && row.id == chain::branch_id(&parent, &link)
        };
        match mind.family(&parent).into_iter().find(is_it) {
            Some(branch) => index = branch,
            None => return Ok(Route { parts, rest: Rest::Fork(index, at) }),
        }
    }
    Ok(Route { parts, rest: Rest::None })
}

/// Attaches another history of a log or branch that begins with an entry `link` at `seq`; returns
/// the log or branch, by local number, that goes on with it. Memory is read anew; views are stale.
///
/// # Errors
/// Of the store.
pub(super) fn attach(
    transaction: &Transaction<'_>,
    mind: &mut Mind,
    index: usize,
    seq: u64,
    link: Link,
) -> Result<i64> {
    let row = mind.logs[index].row.clone();
    let (before, heads) = link_at(transaction, mind, index, seq)?;
    let (going_on, _) = link_at(transaction, mind, index, seq + 1)?;
    let is_lowest = link < going_on;
    let id = chain::branch_id(&row.id, if is_lowest { &going_on } else { &link });
    let mut branch = LogRow { id, base: seq, parent: Some(row.id), ..row.clone() };
    if !is_lowest {
        (branch.next, branch.link, branch.heads) = (seq, before, heads);
        logs::insert(transaction, &mut branch)?;
    } else {
        logs::insert(transaction, &mut branch)?;
        branches::move_end(transaction, (row.no, branch.no), seq, (&before, &heads))?;
        let short = LogRow { next: seq, link: before, heads, ..row.clone() };
        logs::advance(transaction, &short)?;
        rename_behind(transaction, mind, (&row.id, &id), seq)?;
    }
    transaction.execute("DELETE FROM meta WHERE key = ?", [SHAPE])?;
    branches::judge_anew(transaction, &mind.root(&row.id))?;
    mind.read_anew(transaction)?;
    Ok(if is_lowest { row.no } else { branch.no })
}

/// Gives the branches that begin in the end of `from` behind entry `seq`, which is `to` now, the ids
/// that follow from it.
fn rename_behind(
    transaction: &Transaction<'_>,
    mind: &Mind,
    (from, to): (&LogId, &LogId),
    seq: u64,
) -> Result<()> {
    for index in mind.family(from) {
        let row = &mind.logs[index].row;
        if row.parent != Some(*from) || row.base <= seq || !row.has_any() {
            continue;
        }
        let (first, _) = link_at(transaction, mind, index, row.base + 1)?;
        let id = chain::branch_id(to, &first);
        branches::rename(transaction, row.no, &id, to)?;
        // What begins in it has its id in its own, wherever it begins.
        rename_behind(transaction, mind, (&row.id, &id), 0)?;
    }
    Ok(())
}

/// Sets aside, as packs that wait, what was taken for a part of a log beyond a gap and is none of
/// it.
///
/// # Errors
/// Of the store.
pub(super) fn set_loose(
    transaction: &Transaction<'_>,
    mind: &mut Mind,
    env: &mut Env,
    index: usize,
    (first, end): (u64, u64),
) -> Result<()> {
    let no = mind.logs[index].row.no;
    for stretch in outgoing::sealed(transaction, no, index, (first, end))? {
        // Without a key they are lost here, and asked for again, because no vector counts them.
        match outgoing::pack(transaction, mind, env, stretch, LEVEL, None) {
            Ok(packs) => {
                // No cap here: what was stored already is lost if it is not kept.
                for (_, bytes) in packs {
                    put_held(transaction, &bytes, Kind::Fork)?;
                }
            }
            Err(error) if error.kind == Kind::WaitKey => {}
            Err(error) => return Err(error),
        }
    }
    branches::remove(transaction, no, first, end)?;
    transaction.execute("DELETE FROM meta WHERE key = ?", [SHAPE])?;
    mind.read_anew(transaction)
}

/// Says that a device has two histories of a log.
#[must_use]
pub fn told(device: &DeviceKey) -> Error {
    Error::new(Kind::Fork, format!("device {device}"))
}
