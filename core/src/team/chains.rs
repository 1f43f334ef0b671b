//! Control logs put together from open packs, as far as their chains reach without a gap.
//!
//! Packs may overlap and come in any order. Where a log has two histories both are kept: which acts
//! hold is not decided here. Must not know: the database, where packs come from.

use std::collections::{BTreeMap, BTreeSet};

use super::control::Act;
use super::members::ControlEntry;
use crate::error::{Error, Kind, Result};
use crate::ids::{Link, LogId, SpaceId};
use crate::log::chain;
use crate::log::entry::Body;
use crate::log::pack::{self, Header, Range};

/// Verified pieces of the control logs of one space.
#[derive(Debug, Clone)]
pub struct Chains {
    space: SpaceId,
    /// By log, then by (seq, link before, own link).
    logs: BTreeMap<LogId, BTreeMap<(u64, Link, Link), ControlEntry>>,
}

impl Chains {
    /// Starts without any entry of `space`.
    #[must_use]
    pub fn new(space: SpaceId) -> Self {
        Self { space, logs: BTreeMap::new() }
    }

    /// Starts with entries that were verified before.
    #[must_use]
    pub fn of(space: SpaceId, known: Vec<ControlEntry>) -> Self {
        let mut chains = Self::new(space);
        for entry in known {
            let key = (entry.seq, entry.before, entry.link);
            chains.logs.entry(entry.log).or_default().insert(key, entry);
        }
        chains
    }

    /// Takes the entries of an open pack whose seals hold; returns their links.
    ///
    /// # Errors
    /// What header, content and seals give; `E-SPACE` for a pack of another space; `E-INVALID` for
    /// a sealed one. Nothing is taken then.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<Link>> {
        let mut left = usize::MAX;
        self.take_within(bytes, &mut left)
    }

    /// As [`Chains::take`], of a pack that has at most `left` bytes of content; what it has is taken
    /// from that.
    ///
    /// # Errors
    /// As [`Chains::take`]; `E-SIZE` when there is more, and nothing is left then.
    pub fn take_within(&mut self, bytes: &[u8], left: &mut usize) -> Result<Vec<Link>> {
        let header = Header::read(bytes)?;
        if header.space != self.space {
            return Err(Error::new(Kind::Space, "a pack of another team"));
        }
        if !header.open {
            return Err(Error::new(Kind::Invalid, "a sealed pack has no control entries"));
        }
        let mut taken = Vec::new();
        for range in pack::open(bytes, &header, None)? {
            let rest = left.checked_sub(content_len(&range));
            *left = rest.unwrap_or(0);
            rest.ok_or_else(|| Error::new(Kind::Size, "too many control entries at once"))?;
            let log = range.log_id(&self.space);
            let mut before = range.link_before;
            for (entry, verified) in range.entries.iter().zip(range.verify(&self.space)?) {
                let act = match entry.items.first() {
                    Some(Body::Bytes(bytes)) => Act::decode(entry.kind, bytes).ok(),
                    _ => None,
                };
                let key = (verified.seq, before, verified.link);
                before = verified.link;
                taken.push((
                    key,
                    ControlEntry {
                        log,
                        device: range.device,
                        seq: verified.seq,
                        before: key.1,
                        link: verified.link,
                        heads: verified.heads.to_vec(),
                        act: act.unwrap_or(Act::Unknown(entry.kind)),
                    },
                ));
            }
        }
        let links = taken.iter().map(|(_, entry)| entry.link).collect();
        for (key, entry) in taken {
            self.logs.entry(entry.log).or_default().entry(key).or_insert(entry);
        }
        Ok(links)
    }

    /// Returns the entries that a chain without a gap leads to, by log and sequence number.
    #[must_use]
    pub fn entries(&self) -> Vec<ControlEntry> {
        let mut reached = Vec::new();
        for (log, pieces) in &self.logs {
            let mut ends = BTreeSet::from([chain::first_link(&self.space, log)]);
            for seq in 0.. {
                let mut next = BTreeSet::new();
                for before in &ends {
                    let from = (seq, *before, Link::default());
                    let to = (seq, *before, Link([u8::MAX; Link::LEN]));
                    for ((_, _, link), entry) in pieces.range(from..=to) {
                        next.insert(*link);
                        reached.push(entry.clone());
                    }
                }
                if next.is_empty() {
                    break;
                }
                ends = next;
            }
        }
        reached
    }
}

/// Returns about how much room the entries of a range take.
fn content_len(range: &Range) -> usize {
    let items = range.entries.iter().flat_map(|entry| &entry.items);
    let bytes = items.map(|item| match item {
        Body::Bytes(bytes) => bytes.len(),
        Body::Absent(_) => 0,
    });
    bytes.sum::<usize>() + range.entries.len() * size_of::<ControlEntry>()
}
