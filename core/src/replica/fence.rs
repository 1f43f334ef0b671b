//! Restored and cloned copies: how they are found out, and what this phone does then.
//!
//! Two entries under one number are a fork, so a log whose end is in doubt is never appended to
//! again: the device opens another data log that names the former one, and takes its own entries
//! back from colleagues like anybody's. In doubt is a store that its fence is ahead of or does not
//! belong to, and one whose colleagues hold entries with its own seal that it does not have. The
//! control log has no successor; it rests until it is as long as it is known to have been. Must not
//! know: how entries come back.

use rusqlite::{Connection, Transaction};

use super::Replica;
use super::ingest::link_at;
use super::mind::{ACK_SIGNED, CONTROL_FORKED, CONTROL_UNKNOWN, INSTALL, RESTORED};
use super::outgoing::Vector;
use super::write::{close, ready};
use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::ids::LogId;
use crate::log::chain::Sort;
use crate::log::pack::{Extent, Range};
use crate::store::fence::{Fence, Mark};
use crate::store::logs;

impl Replica {
    /// Compares the store with its fence, when it is opened.
    pub(super) fn check_fence(&mut self) -> Result<()> {
        let Some(path) = self.location.fence.clone() else {
            return Ok(());
        };
        let found = Fence::read(&path)?;
        let install = logs::meta(&self.connection, INSTALL)?;
        let has_logs = self.own_logs().next().is_some();
        let is_restored = match (&install, &found) {
            // Made just now, or by a version without fences.
            (None, None) => false,
            (Some(install), Some(fence)) if install == &fence.install => self.is_behind(fence)?,
            _ => has_logs,
        };
        match (is_restored, install, found) {
            (true, _, fence) => {
                let control = self.control_of(fence.as_ref())?;
                self.leave_own_logs(control)
            }
            (false, Some(install), Some(fence)) if install == fence.install => {
                self.mind.fence = Some(fence);
                Ok(())
            }
            _ => {
                let install = self.transact(|transaction, _, env| {
                    let install: [u8; 16] = env.random();
                    logs::set_meta(transaction, INSTALL, &install)?;
                    Ok(install)
                })?;
                self.write_fence(Fence { install, signed: 0, marks: Vec::new() })
            }
        }
    }

    /// Moves the fence to the ends of the logs that grow here; costs nothing where it is.
    pub(super) fn raise_fence(&mut self) -> Result<()> {
        let Some(fence) = &self.mind.fence else {
            return Ok(());
        };
        let grows = |log: &LogId| self.mind.grows_here(log);
        let kept = |mark: &&Mark| {
            let known = self.mind.log(&mark.log);
            known.is_some_and(|log| log.row.sort == Sort::Control) && !grows(&mark.log)
        };
        let mut marks: Vec<Mark> = fence.marks.iter().filter(kept).copied().collect();
        for log in self.mind.logs.iter().filter(|log| log.row.next > 0 && grows(&log.row.id)) {
            marks.push(Mark { log: log.row.id, next: log.row.next, link: log.row.link });
        }
        marks.sort_unstable_by_key(|mark| mark.log);
        if marks == fence.marks {
            return Ok(());
        }
        let fence = Fence { marks, ..*fence };
        self.write_fence(fence)
    }

    /// Moves the fence behind an acknowledgement that is about to leave: a copy that has not seen what
    /// it signed for must not be believed to hold it.
    ///
    /// # Errors
    /// `E-FULL`, `E-IO`; the acknowledgement does not leave then.
    pub fn fence_signed(&mut self, counter: u64) -> Result<()> {
        match &self.mind.fence {
            Some(fence) if fence.signed < counter => {
                let fence = Fence { signed: counter, ..fence.clone() };
                self.write_fence(fence)
            }
            _ => Ok(()),
        }
    }

    fn write_fence(&mut self, fence: Fence) -> Result<()> {
        if let Some(path) = &self.location.fence {
            fence.write(path)?;
            self.mind.fence = Some(fence);
        }
        Ok(())
    }

    fn own_logs(&self) -> impl Iterator<Item = usize> {
        let me = self.mind.identity.as_ref().map(|identity| identity.secret.device_key());
        let own = move |index: &usize| me == Some(self.mind.logs[*index].row.device);
        (0..self.mind.logs.len()).filter(own)
    }

    /// Tells whether more has left the phone than the store has, or something else.
    fn is_behind(&mut self, fence: &Fence) -> Result<bool> {
        if last_signed(&self.connection)? < fence.signed {
            return Ok(true);
        }
        for mark in &fence.marks {
            let Some(index) = self.mind.by_id.get(&mark.log).copied() else {
                return Ok(true);
            };
            let row = &self.mind.logs[index].row;
            if !self.mind.grows_here(&mark.log) {
                // A former data log, or a control log that is known to lack entries.
                if row.sort == Sort::Control && mark.next > self.mind.control_next {
                    return Ok(true);
                }
                continue;
            }
            if mark.next > row.next || !self.has_link(index, mark)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tells whether a log that is at least as long has the link of a mark there.
    fn has_link(&mut self, index: usize, mark: &Mark) -> Result<bool> {
        if self.mind.own.as_ref().is_some_and(|own| own.index == index && mark.next > own.tail) {
            self.transact(|transaction, mind, _| close(transaction, mind))?;
        }
        let (link, _) = link_at(&self.connection, &self.mind, index, mark.next)?;
        Ok(link == mark.link)
    }

    /// Returns how long the own control log is known to have been, where there is one.
    fn control_of(&mut self, fence: Option<&Fence>) -> Result<Option<u64>> {
        let Some(index) = self.own_controls().last() else {
            return Ok(None);
        };
        let (id, next) = (self.mind.logs[index].row.id, self.mind.logs[index].row.next);
        let known = match fence.and_then(|fence| fence.mark(&id)).copied() {
            Some(mark) if mark.next > next => mark.next,
            Some(mark) if self.has_link(index, &mark)? => mark.next,
            // Its founder is alone: nobody can have more of it.
            None if self.mind.members.devices.len() < 2 => next,
            _ => CONTROL_UNKNOWN,
        };
        Ok(Some(known))
    }

    /// Goes on in another data log, because this store is not the newest of its device. The control
    /// log rests until it has `control` entries.
    pub(super) fn leave_own_logs(&mut self, control: Option<u64>) -> Result<()> {
        let has_fence = self.location.fence.is_some();
        let install = self.transact(|transaction, mind, env| {
            let install: [u8; 16] = env.random();
            if has_fence {
                logs::set_meta(transaction, INSTALL, &install)?;
            }
            logs::set_meta(transaction, RESTORED, &[1])?;
            mind.restored = true;
            if let Some(next) = control {
                mind.set_control_next(transaction, next)?;
            }
            // What was written and not signed yet is sent from here as it would have been.
            close(transaction, mind)?;
            mind.leave_own(transaction)?;
            skip_statements(transaction, env.clock.now_ms())?;
            // At once, so that statements of what was held before lapse soon.
            let device = mind.identity()?.secret.device_key();
            if mind.members.check_writer(&device).is_ok() {
                ready(transaction, mind, env)?;
            }
            Ok(install)
        })?;
        // A crash before this only makes the store doubt itself once more.
        let marks = self.mind.fence.take().map(|fence| fence.marks).unwrap_or_default();
        self.write_fence(Fence { install, signed: 0, marks })?;
        self.raise_fence()
    }

    /// A colleague's word on how long the own control log is: it ends the doubt of a founder
    /// who lost the fence, unless the colleague has more of it.
    ///
    /// # Errors
    /// Of the store.
    pub fn hear_of_control(&mut self, theirs: &Vector) -> Result<()> {
        let Some(next) = self.doubted_control() else {
            return Ok(());
        };
        let mut is_known = false;
        for index in self.own_controls() {
            let row = &self.mind.logs[index].row;
            let Some(entry) = theirs.get(&row.id) else {
                continue;
            };
            if entry.next > row.next
                || link_at(&self.connection, &self.mind, index, entry.next)?.0 != entry.link
            {
                return Ok(());
            }
            is_known = true;
        }
        match is_known {
            true => self.transact(|transaction, mind, _| mind.set_control_next(transaction, next)),
            false => Ok(()),
        }
    }

    /// As [`Replica::hear_of_control`], for a bundle that was taken in: it holds a stretch of the log
    /// up to what its maker had.
    ///
    /// # Errors
    /// Of the store.
    pub fn hear_of_bundle(&mut self, extents: impl Iterator<Item = Extent>) -> Result<()> {
        let Some(next) = self.doubted_control() else {
            return Ok(());
        };
        let rows: Vec<_> = self.own_controls().map(|index| &self.mind.logs[index].row).collect();
        let mut is_known = false;
        for extent in extents {
            let Some(row) = rows.iter().find(|row| row.id == extent.log) else {
                continue;
            };
            if extent.first.saturating_add(extent.count) > row.next {
                return Ok(());
            }
            is_known = true;
        }
        match is_known {
            true => self.transact(|transaction, mind, _| mind.set_control_next(transaction, next)),
            false => Ok(()),
        }
    }

    /// Returns the own control logs; the last one grows. A second one was opened by a store that
    /// did not know of the first any more.
    fn own_controls(&self) -> impl Iterator<Item = usize> {
        self.own_logs().filter(|index| self.mind.logs[*index].row.sort == Sort::Control)
    }

    /// Returns the end of the own control log while nobody here knows how long it was.
    fn doubted_control(&self) -> Option<u64> {
        let is_doubted = self.mind.control_next == CONTROL_UNKNOWN;
        let last = self.own_controls().last().filter(|_| is_doubted);
        last.map(|index| self.mind.logs[index].row.next)
    }

    /// Tells, once, that this store was found to be a restored copy.
    ///
    /// # Errors
    /// Of the store.
    pub fn take_restored(&mut self) -> Result<bool> {
        if !self.mind.restored {
            return Ok(false);
        }
        self.transact(|transaction, mind, _| {
            transaction.execute("DELETE FROM meta WHERE key = ?", [RESTORED])?;
            mind.restored = false;
            Ok(true)
        })
    }

    /// Leaves the own logs when a range with this device's own seal, which may reach beyond what is
    /// here, shows that another copy of this store wrote it; tells whether it did.
    pub(super) fn check_own(&mut self, range: &Range) -> Result<bool> {
        let id = range.log_id(&self.mind.space()?);
        let me = self.mind.identity()?.secret.device_key();
        let is_own_control = range.sort == Sort::Control && range.device == me;
        // Of one that was lost by damage it is known how long it was.
        let is_salvaged = self.mind.control_next > 0 && self.own_controls().next().is_none();
        if is_own_control && !is_salvaged && self.mind.log(&id).is_none() {
            // It was opened after this copy was made; how long it is will be heard.
            self.leave_own_logs(Some(CONTROL_UNKNOWN))?;
            return Ok(true);
        }
        if !self.mind.grows_here(&id) {
            return Ok(false);
        }
        let next = self.mind.log(&id).map_or(0, |log| log.row.next);
        if range.last() < next {
            // What follows reads the own log as any other, in segments.
            let tail = self.mind.own.as_ref().map_or(next, |own| own.tail);
            if range.sort == Sort::Data && tail <= range.last() {
                self.transact(|transaction, mind, _| close(transaction, mind))?;
            }
            return Ok(false);
        }
        let control = (range.sort == Sort::Control).then_some(range.last() + 1);
        self.leave_own_logs(control)?;
        Ok(true)
    }

    /// Leaves an own log that has two histories; tells whether it was in use. The control log then
    /// rests for good.
    ///
    /// # Errors
    /// Of the store.
    pub fn leave_forked(&mut self, log: &LogId) -> Result<bool> {
        let me = self.mind.identity()?.secret.device_key();
        match self.mind.log(log).map(|log| &log.row) {
            Some(row) if row.device == me && row.sort == Sort::Control => {
                if self.mind.control_next == CONTROL_FORKED {
                    return Ok(false);
                }
                self.leave_own_logs(Some(CONTROL_FORKED))?;
            }
            Some(row) if self.mind.grows_here(&row.id) => self.leave_own_logs(None)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Counts on from the time, because colleagues have seen higher numbers than this store has.
fn skip_statements(transaction: &Transaction<'_>, now_ms: i64) -> Result<()> {
    let counter = last_signed(transaction)?.max(u64::try_from(now_ms).unwrap_or_default());
    let mut to = Writer::new();
    to.array(2).uint(counter).bytes(&[0; 32]);
    logs::set_meta(transaction, ACK_SIGNED, to.as_slice())
}

fn last_signed(connection: &Connection) -> Result<u64> {
    let signed = logs::meta(connection, ACK_SIGNED)?;
    signed.map_or(Ok(0), |bytes| {
        let mut from = Reader::new(&bytes);
        from.tuple(2)?;
        from.uint()
    })
}
