//! What one side sends: stretches in their order, packed one by one as they are asked for.
//!
//! Invariant: at most the packs of one stretch are in memory. Must not know: messages.

use std::collections::VecDeque;

use crate::error::Result;
use crate::ids::{DeviceKey, EpochId, Link, LogId};
use crate::log::chain::Sort;
use crate::log::pack::{Header, Trim};
use crate::replica::Replica;
use crate::replica::mind::Mind;
use crate::replica::outgoing::{self, Stretch, Vector};
use crate::sync::session::message::Want;

/// The zstd level of packs in passing.
pub(super) const LEVEL: i32 = 3;

/// A pack that is ready, and how many entries it has.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) bytes: Vec<u8>,
    pub(super) entries: u64,
}

/// What is still to be sent.
#[derive(Debug, Default)]
pub(super) struct Plan {
    stretches: VecDeque<Stretch>,
    ready: VecDeque<Ready>,
    epoch: Option<EpochId>,
    /// How many entries there were to send.
    pub(super) entries: u64,
}

impl Plan {
    /// Plans what a peer with `theirs` lacks, but for what it holds already.
    ///
    /// `epoch_known` is the last epoch by the control logs in `mine`. A peer with the same control
    /// logs starts from the same one, so it need not be spelled out: 16 bytes of a short session.
    pub(super) fn new(
        replica: &Replica,
        mine: &Vector,
        theirs: &Vector,
        want: &Want,
        epoch_known: Option<EpochId>,
    ) -> Result<Self> {
        let (connection, mind) = (&replica.connection, &replica.mind);
        let held = |stretch: &Stretch| {
            let log = &mind.logs[stretch.index].row.id;
            want.held.iter().any(|(index, first, count)| {
                let index = usize::try_from(*index).unwrap_or(usize::MAX);
                mine.entries.get(index).is_some_and(|own| own.log == *log)
                    && stretch.first >= *first
                    && stretch.end <= first.saturating_add(*count)
            })
        };
        let mut stretches =
            outgoing::lacking(connection, mind, &without(mind, mine, theirs, want))?;
        stretches.retain(|stretch| !held(stretch));
        if want.newest_first {
            stretches = outgoing::newest_first(connection, mind, stretches)?;
        }
        let same = has_control_of(replica, mine, theirs);
        Ok(Self {
            epoch: epoch_known.filter(|_| same),
            entries: stretches.iter().map(Stretch::count).sum(),
            stretches: stretches.into(),
            ready: VecDeque::new(),
        })
    }

    /// Returns the log of the stretch that is packed next.
    pub(super) fn next_log(&self, replica: &Replica) -> Option<LogId> {
        let stretch = self.stretches.front()?;
        Some(replica.mind.logs[stretch.index].row.id)
    }

    /// Gives up what is left of a log.
    pub(super) fn skip(&mut self, replica: &Replica, log: &LogId) {
        self.stretches.retain(|stretch| replica.mind.logs[stretch.index].row.id != *log);
    }

    /// Returns the next pack without taking it; none when all was sent.
    pub(super) fn peek(
        &mut self,
        replica: &mut Replica,
        mine: &Vector,
        theirs: (&DeviceKey, &Vector),
    ) -> Result<Option<&Ready>> {
        if self.ready.is_empty()
            && let Some(stretch) = self.stretches.front().copied()
        {
            self.pack(replica, mine, theirs, stretch)?;
            self.stretches.pop_front();
        }
        Ok(self.ready.front())
    }

    /// Takes the pack that [`Plan::peek`] showed.
    pub(super) fn take(&mut self) -> Option<Ready> {
        self.ready.pop_front()
    }

    fn pack(
        &mut self,
        replica: &mut Replica,
        mine: &Vector,
        (device, theirs): (&DeviceKey, &Vector),
        stretch: Stretch,
    ) -> Result<()> {
        let Replica { connection, mind, env, .. } = replica;
        let row = &mind.logs[stretch.index].row;
        let peer = theirs.get(&row.id);
        let index = mine.entries.binary_search_by(|entry| entry.log.cmp(&row.id));
        let peer = peer.filter(|_| stretch.follows);
        let follows = peer.filter(|peer| peer.next == stretch.first);
        let current = match row.sort {
            Sort::Control => None,
            Sort::Data => Some(mind.epoch()?.0),
        };
        // To its author a log goes whole: the seal and the links show which copy wrote it.
        let is_theirs = row.device == *device;
        let trim = match (peer, index) {
            (Some(_), Ok(index)) if !is_theirs => Some(Trim {
                index: index as u64,
                with_link: follows.is_none(),
                with_epoch: self.epoch != current,
            }),
            _ => None,
        };
        let link = follows.filter(|_| !is_theirs).map(|peer| &peer.link);
        let packs = outgoing::pack_after(connection, mind, env, stretch, LEVEL, trim, link)?;
        for (stretch, bytes) in packs {
            let entries = stretch.count();
            self.ready.push_back(Ready { bytes, entries });
        }
        self.epoch = current.or(self.epoch);
        Ok(())
    }
}

/// Returns what the other side holds but for the logs of which it asks for all, because it has another
/// history of them.
fn without(mind: &Mind, mine: &Vector, theirs: &Vector, want: &Want) -> Vector {
    let asked = want.held.iter().filter(|(.., count)| *count == 0).filter_map(|(index, ..)| {
        let index = usize::try_from(*index).ok()?;
        Some(mind.root(&mine.entries.get(index)?.log))
    });
    let asked: Vec<LogId> = asked.collect();
    let mut theirs = theirs.clone();
    theirs.entries.retain(|entry| !asked.contains(&mind.root(&entry.log)));
    theirs
}

/// Tells whether the control logs in both vectors are the same.
fn has_control_of(replica: &Replica, mine: &Vector, theirs: &Vector) -> bool {
    let is_data = |log: &LogId| {
        let known = replica.mind.log(log);
        known.is_some_and(|known| known.row.sort == Sort::Data)
    };
    let control = |of: &Vector| -> Vec<(LogId, u64, Link)> {
        let entries = of.entries.iter().filter(|entry| !is_data(&entry.log));
        entries.map(|entry| (entry.log, entry.next, entry.link)).collect()
    };
    control(mine) == control(theirs)
}

/// Returns the epoch of a pack that came or went, if it is sealed.
pub(super) fn epoch_of(header: &Header) -> Option<EpochId> {
    (!header.open).then_some(header.epoch)
}
