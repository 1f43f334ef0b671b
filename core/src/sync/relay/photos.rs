//! Chunks of photos at a hub: after everything else, those of the smallest photos first.
//!
//! Must not know: what a photo shows, how requests travel.

use std::collections::{BTreeSet, VecDeque};

use super::message::Request;
use crate::error::{Error, Kind, Result};
use crate::ids::{ChunkHash, Digest};
use crate::replica::Replica;
use crate::store::chunks;

/// How many chunks of each direction are asked about at once.
const ASK_MAX: usize = 500;

/// What is still to be given and fetched.
#[derive(Debug, Default)]
pub(super) struct Photos {
    asked: bool,
    to_give: VecDeque<ChunkHash>,
    to_fetch: VecDeque<ChunkHash>,
}

impl Photos {
    /// Returns how many chunks are still to be passed.
    pub(super) fn remaining(&self) -> u64 {
        (self.to_give.len() + self.to_fetch.len()) as u64
    }

    /// Returns the next request; none when nothing is to be passed.
    pub(super) fn next(&mut self, replica: &mut Replica) -> Result<Option<Request>> {
        if !self.asked {
            self.asked = true;
            self.to_give = chunks::to_relay(&replica.connection, ASK_MAX)?.into();
            self.to_fetch = chunks::missing(&replica.connection, ASK_MAX)?.into();
            let hashes: Vec<ChunkHash> =
                self.to_give.iter().chain(&self.to_fetch).copied().collect();
            return Ok((!hashes.is_empty()).then_some(Request::HaveChunks { hashes }));
        }
        while let Some(hash) = self.to_give.pop_front() {
            match chunks::get(&replica.connection, &hash) {
                Ok(Some(bytes)) => return Ok(Some(Request::PutChunk { hash, bytes })),
                Ok(None) => {}
                // Damaged here: it is missing from now on, and fetched again.
                Err(error) if error.kind == Kind::Chunk => {
                    replica.transact(|to, _, _| chunks::forget(to, &hash))?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(self.to_fetch.pop_front().map(|hash| Request::GetChunk { hash }))
    }

    /// Takes the answer to which chunks the hub lacks.
    pub(super) fn take_lacking(&mut self, replica: &mut Replica, lacking: &[Digest]) -> Result<()> {
        let lacking: BTreeSet<[u8; 32]> = lacking.iter().map(|digest| digest.0).collect();
        let is_lacking = |hash: &ChunkHash| lacking.contains(&hash.0);
        let there: Vec<ChunkHash> =
            self.to_give.iter().filter(|hash| !is_lacking(hash)).copied().collect();
        self.to_give.retain(is_lacking);
        self.to_fetch.retain(|hash| !is_lacking(hash));
        if there.is_empty() {
            return Ok(());
        }
        replica.transact(|to, _, _| chunks::note_relayed(to, &there))
    }

    /// Notes that the hub has a chunk.
    pub(super) fn given(replica: &mut Replica, hash: ChunkHash) -> Result<()> {
        replica.transact(|to, _, _| chunks::note_relayed(to, &[hash]))
    }

    /// Keeps a chunk that came; one that is not what it was asked for is refused, and asked for
    /// again at the next meeting.
    pub(super) fn fetched(
        replica: &mut Replica,
        hash: &ChunkHash,
        bytes: Option<&[u8]>,
    ) -> Result<Option<Error>> {
        let Some(bytes) = bytes else {
            return Ok(None);
        };
        match replica.transact(|to, _, _| chunks::put(to, hash, bytes)) {
            Err(error) if error.kind == Kind::Chunk => Ok(Some(error)),
            other => other.map(|_| None),
        }
    }
}
