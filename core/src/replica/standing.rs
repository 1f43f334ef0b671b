//! What the team list means for what is stored: which entries go into views, and which keys open.
//!
//! When the list changes, the views may follow from an older one; that is noted on disk with the
//! change, and mended before anything else is taken in. Must not know: how the list came.

use std::cell::Cell;
use std::sync::Arc;

use rusqlite::{Connection, Transaction, params};

use super::mind::{KnownLog, Mind};
use super::step::Step;
use super::{Changed, Replica};
use crate::error::{Error, Kind, Result};
use crate::ids::{EpochId, Link};
use crate::log::chain::Sort;
use crate::log::entry::Body;
use crate::record::declare::Role;
use crate::store::{logs, views};
use crate::team::control::Act;
use crate::team::epoch::{self, EpochSecret};
use crate::team::history::{Piece, Verdict};
use crate::team::removal::Cut;

/// The store's setting that holds the shape of the views; it is taken away while they are not those
/// of the team list.
pub(super) const SHAPE: &str = "view_shape";

/// What the views lack after the team list changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shift {
    /// Nothing.
    None,
    /// Entries that were kept apart and are accepted now.
    Lift,
    /// They hold what they must not: they are made anew.
    Rebuild,
}

impl KnownLog {
    /// Returns what becomes of an entry.
    #[must_use]
    pub fn verdict(&self, seq: u64) -> &Verdict {
        const NOBODY: &Verdict = &Verdict::Quarantined(Vec::new());
        let piece = self.pieces.iter().rev().find(|piece| piece.first <= seq);
        piece.map_or(NOBODY, |piece| &piece.verdict)
    }

    /// Returns the role of the author at an entry, if it has one.
    #[must_use]
    pub fn role(&self, seq: u64) -> Option<Role> {
        match self.verdict(seq) {
            Verdict::Accepted(role) => *role,
            Verdict::Quarantined(_) => None,
        }
    }

    /// Compares with the verdicts before, for what is stored.
    fn shift_from(&self, before: &[Piece]) -> Shift {
        let old = Self { pieces: before.to_vec(), ..self.clone() };
        let firsts = |pieces: &[Piece]| pieces.iter().map(|piece| piece.first).collect::<Vec<_>>();
        let mut borders = [firsts(before), firsts(&self.pieces)].concat();
        borders.push(0);
        borders.sort_unstable();
        let mut shift = Shift::None;
        for (at, first) in borders.iter().enumerate() {
            let end = borders.get(at + 1).copied().unwrap_or(u64::MAX);
            let is_in = |(start, stop): (u64, u64)| start < end && *first < stop;
            let is_stored =
                is_in((self.row.base, self.row.next)) || self.ahead.iter().copied().any(is_in);
            if !is_stored || *first == end || old.verdict(*first) == self.verdict(*first) {
                continue;
            }
            shift = shift.max(match (old.verdict(*first), self.verdict(*first)) {
                (Verdict::Quarantined(_), Verdict::Accepted(_)) => Shift::Lift,
                _ => Shift::Rebuild,
            });
        }
        shift
    }
}

impl Mind {
    /// Judges all data logs anew by the members, and notes what that means for the views.
    ///
    /// # Errors
    /// `E-DBPAGE` and the like.
    pub(super) fn stand_anew(&mut self, connection: &Connection) -> Result<()> {
        for index in 0..self.logs.len() {
            self.stand(connection, index)?;
        }
        Ok(())
    }

    /// As [`Mind::stand_anew`], for one log.
    pub(super) fn stand(&mut self, connection: &Connection, index: usize) -> Result<()> {
        let members = Arc::clone(&self.members);
        let row = &self.logs[index].row;
        if row.sort == Sort::Control {
            return Ok(());
        }
        if self.logs[index].grant.is_none() && members.has_grants(&row.device) {
            let opens = self.owner(&row.id, 0);
            self.logs[index].grant = named_grant(connection, self.local_no(&opens))?;
        }
        let (row, claimed) = (&self.logs[index].row, self.logs[index].grant);
        let failed = Cell::new(None);
        let end = |cut: &Cut| {
            let end = self.cut_end(connection, index, cut);
            end.unwrap_or_else(|error| {
                failed.set(Some(error));
                0
            })
        };
        let pieces = members.standing_by(&row.device, &self.root(&row.id), claimed, &end);
        if let Some(error) = failed.take() {
            return Err(error);
        }
        let known = &mut self.logs[index];
        let before = std::mem::replace(&mut known.pieces, pieces.unwrap_or_default());
        if before != known.pieces {
            self.shift = self.shift.max(known.shift_from(&before));
        }
        Ok(())
    }

    /// Notes on disk that the views do not follow from the team list any more.
    pub(super) fn keep_shift(&self, transaction: &Transaction<'_>) -> Result<()> {
        if self.shift != Shift::None {
            transaction.execute("DELETE FROM meta WHERE key = ?", [SHAPE])?;
        }
        Ok(())
    }

    pub(super) fn load_quarantine(&mut self, connection: &Connection) -> Result<()> {
        // Nothing was in memory before, so only the disk knows whether the views lag behind.
        let is_stale = logs::meta(connection, SHAPE)?.is_none();
        self.shift = if is_stale { Shift::Rebuild } else { Shift::None };
        let mut statement = connection.prepare_cached("SELECT at FROM quarantine")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        self.quarantine = rows.collect::<rusqlite::Result<_>>()?;
        Ok(())
    }

    /// Opens every lockbox that is meant for this device and was not opened yet, and what the keys
    /// open that follow others. Returns the lockboxes that do not open, each once.
    ///
    /// # Errors
    /// `E-FULL`, `E-IO` and the like.
    pub fn open_lockboxes(&mut self, transaction: &Transaction<'_>) -> Result<Vec<Error>> {
        let Ok(space) = self.space() else {
            return Ok(Vec::new());
        };
        let secret = self.identity()?.secret.clone();
        let (device, members) = (secret.device_key(), Arc::clone(&self.members));
        let mut broken = Vec::new();
        for epoch in members.epochs.values() {
            let mine = epoch.lockboxes.iter().filter(|(_, lockbox)| lockbox.device == device);
            for (author, lockbox) in mine {
                if self.holds(&space, epoch) || self.broken.contains(&lockbox.sealed) {
                    continue;
                }
                match epoch::unlock(&space, epoch, lockbox, &secret) {
                    Ok(found) => self.keep_secret(transaction, epoch.id, found)?,
                    Err(error) => {
                        self.broken.insert(lockbox.sealed.clone());
                        let what = format!("{} by device {author}", error.context);
                        broken.push(Error::new(error.kind, what));
                    }
                }
            }
        }
        self.look_back(transaction)?;
        Ok(broken)
    }

    /// Opens the parents of epochs that are held, and theirs.
    fn look_back(&mut self, transaction: &Transaction<'_>) -> Result<()> {
        let (space, members) = (self.space()?, Arc::clone(&self.members));
        let mut is_new = true;
        while std::mem::take(&mut is_new) {
            for epoch in members.epochs.values() {
                let is_known = |id: &EpochId| self.epochs.contains_key(id);
                let Some(secret) = self.epochs.get(&epoch.id) else {
                    continue;
                };
                if !secret.makes(&space, epoch) || epoch.parents.iter().all(is_known) {
                    continue;
                }
                for (id, found) in epoch::look_back(&space, epoch, secret).unwrap_or_default() {
                    let of =
                        members.epochs.values().find(|of| of.id == id && found.makes(&space, of));
                    if of.is_some() && !self.epochs.contains_key(&id) {
                        self.keep_secret(transaction, id, found)?;
                        is_new = true;
                    }
                }
            }
        }
        Ok(())
    }

    fn holds(&self, space: &crate::ids::SpaceId, epoch: &crate::team::keys::Epoch) -> bool {
        self.epochs.get(&epoch.id).is_some_and(|secret| secret.makes(space, epoch))
    }

    fn keep_secret(
        &mut self,
        transaction: &Transaction<'_>,
        id: EpochId,
        secret: EpochSecret,
    ) -> Result<()> {
        let sql = "INSERT OR IGNORE INTO epoch (id, secret) VALUES (?, ?)";
        transaction.prepare_cached(sql)?.execute(params![id, secret.0])?;
        self.epochs.insert(id, secret);
        Ok(())
    }
}

/// Returns the grant that the first entry of a data log names, when that entry is here.
fn named_grant(connection: &Connection, no: i64) -> Result<Option<Link>> {
    let mut named = None;
    let read = logs::for_each(connection, no, 0, 1, |_, entry| {
        if let Some(Body::Bytes(bytes)) = entry.items.first()
            && let Ok(Act::LogOpen(open)) = Act::decode(entry.kind, bytes)
        {
            named = open.grant;
        }
        Ok(())
    });
    match read {
        Err(error) if error.kind != Kind::BodyMissing => Err(error),
        _ => Ok(named),
    }
}

impl Replica {
    /// Makes the views follow from the team list again.
    ///
    /// # Errors
    /// Of the store; what was not done is done at the next step or open.
    pub(super) fn settle_views(&mut self) -> Result<Vec<Changed>> {
        match self.mind.shift {
            Shift::None => Ok(Vec::new()),
            Shift::Lift => self.lift(),
            Shift::Rebuild => self.rebuild(&mut |_, _| {}).map(|_| Vec::new()),
        }
    }

    /// Takes in what was kept apart and is accepted now.
    fn lift(&mut self) -> Result<Vec<Changed>> {
        self.transact(|transaction, mind, _| {
            let accepted: Vec<i64> =
                mind.quarantine.iter().copied().filter(|at| mind.is_accepted(*at)).collect();
            let mut step = Step::new(transaction, mind);
            step.lift(accepted)?;
            let changed = step.finish()?;
            mind.shift = Shift::None;
            logs::set_meta(transaction, SHAPE, &views::shape_hash(&mind.views))?;
            Ok(changed)
        })
    }
}
