//! What a phone gives to a hub: packs of what the hub is not known to hold, and larger ones when
//! many small ones have piled up.
//!
//! Must not know: requests and answers.

use std::collections::VecDeque;

use super::RelayEvent;
use super::message::BATCH_PACKS_MAX;
use super::mirror::{Mirror, Mirrored, State};
use super::wire::BATCH_BYTES_MAX;
use crate::error::Result;
use crate::log::chain::Sort;
use crate::log::pack::Extent;
use crate::replica::Replica;
use crate::replica::outgoing::{self, Stretch, Vector};
use crate::sync::cover::Cover;

/// The zstd level of small packs, and of those that many will fetch.
const LEVEL: i32 = 3;
const LEVEL_LARGE: i32 = 9;
/// A pack of fewer entries is small, one of more is worth the higher level.
const SMALL_ENTRIES: u64 = 256;
/// So many small packs make a snapshot due. Those that it covers are not counted again, so the
/// next one is due only after as many new ones.
const SMALL_PACKS_MAX: usize = 64;
/// Bytes that a pack's frame adds.
const FRAME_BYTES: usize = 4;

/// Packs that are still to be given.
#[derive(Debug)]
pub(super) struct Offer {
    stretches: VecDeque<Stretch>,
    ready: VecDeque<Made>,
}

/// A pack, and what it carries where its header does not tell.
pub(super) type Made = (Vec<u8>, Option<Vec<Extent>>);

impl Offer {
    /// Plans what to give to the hub of `mirror`.
    pub(super) fn new(replica: &Replica, mirror: &Mirror) -> Result<Self> {
        let cover = mirror.cover();
        let stretches = stretches(replica, &cover)?;
        if stretches.is_empty() {
            return Ok(Self { stretches: VecDeque::new(), ready: VecDeque::new() });
        }
        // Who has something to give anyway gathers what has piled up.
        let stretches = match large_cover(mirror) {
            Some(large) => self::stretches(replica, &large)?,
            None => stretches,
        };
        Ok(Self { stretches: stretches.into(), ready: VecDeque::new() })
    }

    /// Returns how many packs are still to be given, at least.
    pub(super) fn remaining(&self) -> u64 {
        (self.stretches.len() + self.ready.len()) as u64
    }

    /// Makes the next packs, as many as one request takes.
    pub(super) fn next_batch(
        &mut self,
        replica: &mut Replica,
        events: &mut VecDeque<RelayEvent>,
    ) -> Result<Vec<Made>> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        loop {
            if self.ready.is_empty() {
                let Some(stretch) = self.stretches.pop_front() else {
                    return Ok(batch);
                };
                match make(replica, stretch) {
                    Ok(packs) => self.ready.extend(packs),
                    Err(error) if error.kind.is_of_storage() => return Err(error),
                    // A key is missing or a body: this stretch waits, the others go.
                    Err(error) => events.push_back(RelayEvent::Refused(error)),
                }
                continue;
            }
            let size = self.ready.front().map_or(0, |(pack, _)| pack.len() + FRAME_BYTES);
            let full = bytes + size > BATCH_BYTES_MAX || batch.len() == BATCH_PACKS_MAX;
            if full && !batch.is_empty() {
                return Ok(batch);
            }
            bytes += size;
            batch.extend(self.ready.pop_front());
        }
    }
}

fn stretches(replica: &Replica, cover: &Cover) -> Result<Vec<Stretch>> {
    outgoing::lacking(&replica.connection, &replica.mind, &cover.vector())
}

fn make(replica: &mut Replica, stretch: Stretch) -> Result<Vec<Made>> {
    let level = if stretch.count() < SMALL_ENTRIES { LEVEL } else { LEVEL_LARGE };
    let Replica { connection, mind, env, .. } = replica;
    let packs = outgoing::pack(connection, mind, env, stretch, level, None)?;
    let log = mind.logs[stretch.index].row.id;
    let is_forked = mind.is_forked(&log);
    let carries = |part: Stretch| Extent { log, first: part.first, count: part.count() };
    let made = packs.into_iter();
    Ok(made.map(|(part, bytes)| (bytes, is_forked.then(|| vec![carries(part)]))).collect())
}

/// Returns the cover without small packs, when so many have piled up that larger ones are due.
fn large_cover(mirror: &Mirror) -> Option<Cover> {
    let opened = || mirror.packs.values().filter(|pack| pack.state == State::Opened);
    let is_small = |pack: &&Mirrored| entries(&pack.ranges) < SMALL_ENTRIES;
    let mut large = Cover::default();
    for pack in opened().filter(|pack| !is_small(pack)) {
        large.add(pack.covers());
    }
    let piled = opened().filter(is_small).filter(|pack| !large.holds(pack.covers())).count();
    (piled >= SMALL_PACKS_MAX).then_some(large)
}

fn entries(ranges: &[Extent]) -> u64 {
    ranges.iter().map(|range| range.count).sum()
}

/// Packs every control log from its start.
pub(super) fn control_packs(replica: &mut Replica) -> Result<Vec<Vec<u8>>> {
    let mut stretches = outgoing::lacking(&replica.connection, &replica.mind, &Vector::default())?;
    stretches.retain(|stretch| replica.mind.logs[stretch.index].row.sort == Sort::Control);
    let mut packs = Vec::with_capacity(stretches.len());
    for stretch in stretches {
        packs.extend(make(replica, stretch)?.into_iter().map(|(bytes, _)| bytes));
    }
    Ok(packs)
}
