//! Chunks of photos: after all text, each side asks for what it lacks, the smallest photos first.
//!
//! A side asks with `lack`, and is answered with those chunks that the other holds and then one
//! without bytes; so on until nothing is left that was not asked for. Its `ack` says that it asks
//! no more. What came is kept chunk by chunk, so a session that was cut off goes on where it was.
//! Invariant: only what was asked for is kept, under the hash that it has. Must not know: what
//! photos a chunk belongs to, keys.

use std::collections::{HashSet, VecDeque};

use super::message::{LACK_MAX, Message};
use super::{Event, Session};
use crate::attachment::chunk_hash;
use crate::error::{Error, Kind, Result};
use crate::ids::ChunkHash;
use crate::replica::Replica;
use crate::store::chunks;

/// How far the exchange of chunks is.
#[derive(Debug, Default)]
pub(super) struct Fetching {
    /// Whether the own hello said that chunks are missing.
    pub(super) lacks: bool,
    /// All that was asked for in this session.
    asked: HashSet<ChunkHash>,
    /// What the open question asked for and did not get yet; none without an open question.
    awaited: Option<HashSet<ChunkHash>>,
    /// How many more chunks may come as its answer.
    may_come: usize,
    /// What the other side's open question asked for; none without one.
    owed: Option<VecDeque<ChunkHash>>,
}

impl Fetching {
    /// Tells whether a question of this side waits for its answer.
    pub(super) fn is_asking(&self) -> bool {
        self.awaited.is_some()
    }

    /// Tells whether the other side may ask.
    pub(super) fn may_be_asked(&self) -> bool {
        self.owed.is_none()
    }
}

impl Session {
    /// Asks for chunks that are missing and that were not asked for; tells whether there were any.
    pub(super) fn ask_for_chunks(&mut self, replica: &Replica) -> Result<bool> {
        let asked = &self.fetching.asked;
        let mut lacking = chunks::missing(&replica.connection, asked.len() + LACK_MAX)?;
        lacking.retain(|hash| !asked.contains(hash));
        lacking.truncate(LACK_MAX);
        if lacking.is_empty() {
            return Ok(false);
        }
        self.fetching.asked.extend(&lacking);
        self.fetching.may_come = lacking.len();
        self.fetching.awaited = Some(lacking.iter().copied().collect());
        self.send(&Message::Lack(lacking));
        Ok(true)
    }

    /// Notes what the other side lacks.
    pub(super) fn on_lack(&mut self, hashes: Vec<ChunkHash>) {
        self.fetching.owed = Some(hashes.into());
    }

    /// Sends the next chunk that the other side asked for, if there is credit for it, and the end
    /// of the answer after the last.
    pub(super) fn send_chunk(&mut self, replica: &mut Replica) -> Result<()> {
        while let Some(hash) = self.fetching.owed.as_ref().and_then(VecDeque::front).copied() {
            let found = chunks::get(&replica.connection, &hash);
            let found = match found {
                Err(error) if error.kind == Kind::Chunk => {
                    replica.transact(|transaction, _, _| chunks::forget(transaction, &hash))?;
                    None
                }
                other => other?,
            };
            if found.as_ref().is_some_and(|bytes| bytes.len() as u64 > self.credit.0) {
                return Ok(());
            }
            if let Some(owed) = &mut self.fetching.owed {
                owed.pop_front();
            }
            if let Some(bytes) = found {
                self.credit.0 -= bytes.len() as u64;
                self.stats.chunks_sent += 1;
                self.send(&Message::Chunk(&bytes));
                self.events.push_back(Event::Progress(self.stats));
                return Ok(());
            }
        }
        if self.fetching.owed.take().is_some() {
            self.send(&Message::Chunk(&[]));
        }
        Ok(())
    }

    /// Keeps a chunk that was asked for.
    pub(super) fn on_chunk(&mut self, replica: &mut Replica, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            self.fetching.awaited = None;
            return Ok(());
        }
        self.take_credit(bytes.len() as u64)?;
        let too_many = || Error::new(Kind::Format, "more chunks than were asked for");
        self.fetching.may_come = self.fetching.may_come.checked_sub(1).ok_or_else(too_many)?;
        let hash = chunk_hash(bytes);
        if self.fetching.awaited.as_mut().is_some_and(|awaited| awaited.remove(&hash)) {
            replica.transact(|transaction, _, _| chunks::put(transaction, &hash, bytes))?;
            self.stats.chunks_received += 1;
            self.events.push_back(Event::Progress(self.stats));
        } else {
            let error = Error::new(Kind::Chunk, "a chunk that was not asked for");
            self.events.push_back(Event::Refused { error });
        }
        self.give_credit(bytes.len() as u64);
        Ok(())
    }
}
