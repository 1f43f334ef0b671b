//! A hub in memory that answers as a real one does, or lies.
//!
//! Must not know: HTTP, records.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tuquan_core::crypto::DeviceSecret;
use tuquan_core::door::Tuquan;
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::ids::{ChunkHash, DeviceKey, Digest, Link, LogId, SpaceId};
use tuquan_core::log::pack::{Extent, Header, pack_id};
use tuquan_core::sync::relay::{
    Hub, Listed, Next, RelayEvent, RelayStats, RelaySync, Request, Response, SignedAck, ack_hash,
    acks_digest, listing_digest, receipt_hash,
};
use tuquan_core::team::chains::Chains;
use tuquan_core::team::members::Members;

/// How a hub lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Leaves every third pack out of listings and answers.
    Withhold,
    /// Gives another pack than was asked for.
    Swap,
    /// Flips a bit in every pack that it gives.
    Alter,
    /// Lists packs that cover everything and hold nothing.
    FalseCover,
    /// Says that nothing has changed, whatever did.
    Same,
    /// Signs for packs with a key of somebody else.
    BadReceipt,
    /// Takes packs, signs for them, and forgets them.
    Forget,
}

/// All lies.
pub const LIES: [Lie; 7] = [
    Lie::Withhold,
    Lie::Swap,
    Lie::Alter,
    Lie::FalseCover,
    Lie::Same,
    Lie::BadReceipt,
    Lie::Forget,
];

/// What a hub keeps.
#[derive(Debug, Clone, Default)]
struct Shelf {
    packs: BTreeMap<u64, Vec<u8>>,
    acks: BTreeMap<(DeviceKey, Option<LogId>), (u64, Vec<u8>)>,
    chunks: BTreeMap<ChunkHash, Vec<u8>>,
    /// Who brought each pack, and who else said to have opened it whole.
    bearers: BTreeMap<Digest, DeviceKey>,
    opened: BTreeMap<Digest, BTreeSet<DeviceKey>>,
    last: u64,
}

/// A hub in memory.
#[derive(Debug)]
pub struct ModelHub {
    space: SpaceId,
    secret: DeviceSecret,
    shelf: Shelf,
    backup: Shelf,
    instance: u8,
    rng: ChaCha8Rng,
    /// Who is asking, as its login said.
    visitor: Option<DeviceKey>,
    /// How it lies, if it does.
    pub lie: Option<Lie>,
    /// How many requests came.
    pub requests: u64,
}

impl ModelHub {
    /// Makes an empty hub for one space.
    #[must_use]
    pub fn new(space: SpaceId, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let secret = DeviceSecret::generate(&mut rng);
        let (shelf, backup) = (Shelf::default(), Shelf::default());
        let visitor = None;
        Self { space, secret, shelf, backup, instance: 1, rng, visitor, lie: None, requests: 0 }
    }

    /// Returns how many packs it keeps.
    #[must_use]
    pub fn packs(&self) -> usize {
        self.shelf.packs.len()
    }

    /// Returns every byte that it keeps.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let acks = self.shelf.acks.values().map(|(_, bytes)| bytes);
        let chunks = self.shelf.chunks.values();
        self.shelf.packs.values().chain(acks).chain(chunks).flatten().copied().collect()
    }

    /// Makes a backup.
    pub fn back_up(&mut self) {
        self.backup = self.shelf.clone();
    }

    /// Goes back to the backup; `renamed` when its operator says so by a new instance.
    pub fn restore(&mut self, renamed: bool) {
        self.shelf = self.backup.clone();
        self.instance += u8::from(renamed);
    }

    /// Drops every sealed pack that lies within another one, which somebody other than its bearer
    /// opened whole: a hub does so when a month has passed. Returns how many went.
    pub fn sweep(&mut self) -> usize {
        let sealed = |bytes: &Vec<u8>| {
            let header = Header::read(bytes).ok().filter(|header| !header.open)?;
            Some((pack_id(bytes), header.ranges))
        };
        let end = |range: &Extent| range.first.saturating_add(range.count);
        let packs: Vec<(u64, Digest, Vec<Extent>)> = { self.shelf.packs.iter() }
            .filter_map(|(seq, bytes)| sealed(bytes).map(|(id, ranges)| (*seq, id, ranges)))
            .collect();
        let mut gone = BTreeSet::new();
        for (seq, id, ranges) in &packs {
            let is_within = |wide: &[Extent]| {
                ranges.iter().all(|range| {
                    wide.iter().any(|wide| {
                        wide.log == range.log
                            && wide.first <= range.first
                            && end(range) <= end(wide)
                    })
                })
            };
            let covers = |(other, by, wide): &&(u64, Digest, Vec<Extent>)| {
                let bearer = self.shelf.bearers.get(by);
                let opened = self.shelf.opened.get(by).into_iter().flatten();
                let is_trusted = { opened }.any(|device| Some(device) != bearer);
                id != by && is_trusted && !gone.contains(other) && is_within(wide)
            };
            if packs.iter().any(|other| covers(&other)) {
                gone.insert(*seq);
            }
        }
        self.shelf.packs.retain(|seq, _| !gone.contains(seq));
        gone.len()
    }

    /// Puts bytes among the packs, as a member may who uploads junk.
    pub fn put_junk(&mut self, bytes: Vec<u8>) {
        self.shelf.last += 1;
        self.shelf.packs.insert(self.shelf.last, bytes);
    }

    /// Tells whether the control logs that it keeps name the device: as a member, as one that was
    /// removed, or (none) not at all.
    #[must_use]
    pub fn is_member(&self, device: &DeviceKey) -> Option<bool> {
        standing(&Members::of(&self.space, &self.chains().entries()), device)
    }

    /// Puts the control logs together that it keeps.
    fn chains(&self) -> Chains {
        let mut chains = Chains::new(self.space);
        for bytes in self.shelf.packs.values().filter(|bytes| is_open(bytes)) {
            // What does not verify counts for nothing.
            let _ = chains.take(bytes);
        }
        chains
    }

    /// Refuses a batch whose control logs do not verify or are by somebody whom nobody named.
    fn check(&self, packs: &[Vec<u8>]) -> Result<()> {
        let mut chains = self.chains();
        let known: BTreeSet<Link> = chains.entries().iter().map(|entry| entry.link).collect();
        for bytes in packs.iter().filter(|bytes| is_open(bytes)) {
            chains.take(bytes)?;
        }
        let entries = chains.entries();
        let members = Members::of(&self.space, &entries);
        let mut fresh = entries.iter().filter(|entry| !known.contains(&entry.link));
        match fresh.find(|entry| standing(&members, &entry.device).is_none()) {
            Some(_) => Err(Error::new(Kind::NotMember, "the author of a control entry")),
            None => Ok(()),
        }
    }

    fn signs(&self, id: &Digest) -> Vec<u8> {
        let forger = DeviceSecret { sign: [9; 32], unbox: [9; 32] };
        let secret = if self.lie == Some(Lie::BadReceipt) { &forger } else { &self.secret };
        secret.sign(&receipt_hash(&self.space, id)).to_vec()
    }

    fn listing(&self) -> Vec<Listed> {
        let mut listed: Vec<Listed> = Vec::new();
        for (seq, bytes) in &self.shelf.packs {
            if self.lie == Some(Lie::Withhold) && seq % 3 == 0 {
                continue;
            }
            let id = pack_id(bytes);
            let ranges = Header::read(bytes).map(|header| header.ranges).unwrap_or_default();
            let receipt = self.signs(&id);
            listed.push(Listed { seq: *seq, id, size: bytes.len() as u64, ranges, receipt });
        }
        if self.lie == Some(Lie::FalseCover) {
            let logs: Vec<LogId> =
                listed.iter().flat_map(|pack| pack.ranges.iter().map(|range| range.log)).collect();
            let cover = logs.into_iter().map(|log| Extent { log, first: 0, count: 1 << 30 });
            let id = Digest([0xfc; 32]);
            let (seq, receipt) = (self.shelf.last + 1, self.signs(&id));
            listed.push(Listed { seq, id, size: 100, ranges: cover.collect(), receipt });
        }
        listed
    }

    fn digest(&self) -> Digest {
        let mut ids: Vec<Digest> = self.listing().into_iter().map(|pack| pack.id).collect();
        ids.sort_unstable();
        ids.dedup();
        listing_digest(&ids)
    }

    fn acks(&self) -> Vec<Vec<u8>> {
        self.shelf.acks.values().map(|(_, bytes)| bytes.clone()).collect()
    }

    /// Answers one request.
    ///
    /// # Errors
    /// What a request is refused for.
    pub fn answer(&mut self, request: &Request) -> Result<Response> {
        self.requests += 1;
        Ok(match request {
            Request::State { listing, acks } => {
                let hashes: Vec<Digest> = self.acks().iter().map(|bytes| ack_hash(bytes)).collect();
                let mine = (self.digest(), acks_digest(&hashes));
                if (*listing, *acks) == mine || self.lie == Some(Lie::Same) {
                    Response::Same
                } else {
                    Response::Changed { listing: mine.0, acks: mine.1 }
                }
            }
            Request::List { after } => {
                let packs: Vec<Listed> =
                    self.listing().into_iter().filter(|pack| pack.seq > *after).collect();
                let more = packs.len() > 7;
                let packs = packs.into_iter().take(7).collect();
                Response::Listing { instance: vec![self.instance; 8], packs, more }
            }
            Request::Get { ids } => Response::Packs(self.give(ids)),
            Request::Put { packs } => {
                self.check(packs)?;
                let receipts = packs.iter().map(|bytes| {
                    let id = pack_id(bytes);
                    (id, self.signs(&id))
                });
                let receipts = receipts.collect();
                for bytes in packs {
                    let here = self.shelf.packs.values().any(|kept| kept == bytes);
                    if !here && self.lie != Some(Lie::Forget) {
                        self.put_junk(bytes.clone());
                        let bearer = self.visitor.map(|device| (pack_id(bytes), device));
                        self.shelf.bearers.extend(bearer);
                    }
                }
                Response::Receipts(receipts)
            }
            Request::Opened { ids } => {
                for id in ids {
                    self.shelf.opened.entry(*id).or_default().extend(self.visitor);
                }
                Response::Noted
            }
            Request::PutAck { bytes } => {
                let blob = SignedAck::decode(bytes)?;
                blob.check(&self.space)?;
                let counter = blob.claim.counter;
                let kept = self.shelf.acks.entry((blob.device, blob.claim.log)).or_default();
                if counter >= kept.0 {
                    *kept = (counter, bytes.clone());
                }
                Response::Noted
            }
            Request::GetAcks => Response::Acks(self.acks()),
            Request::HaveChunks { hashes } => {
                let is_here = |hash: &&ChunkHash| !self.shelf.chunks.contains_key(hash);
                let lacking = hashes.iter().filter(is_here).map(|hash| Digest(hash.0));
                Response::Lacking(lacking.collect())
            }
            Request::PutChunk { hash, bytes } => {
                if self.lie != Some(Lie::Forget) {
                    self.shelf.chunks.insert(*hash, bytes.clone());
                }
                Response::Noted
            }
            Request::GetChunk { hash } => {
                let mut bytes = self.shelf.chunks.get(hash).cloned();
                if let (Some(Lie::Alter), Some(bytes)) = (self.lie, &mut bytes) {
                    bytes[0] ^= 1;
                }
                Response::Chunk(bytes)
            }
        })
    }

    fn give(&mut self, ids: &[Digest]) -> Vec<Vec<u8>> {
        let mut packs: Vec<Vec<u8>> = Vec::new();
        for id in ids {
            let found = self.shelf.packs.iter().find(|(_, bytes)| pack_id(bytes) == *id);
            let Some((seq, bytes)) = found else { continue };
            if self.lie == Some(Lie::Withhold) && seq % 3 == 0 {
                continue;
            }
            let mut bytes = bytes.clone();
            match self.lie {
                Some(Lie::Alter) => {
                    let at = usize::try_from(self.rng.next_u32()).expect("small") % bytes.len();
                    bytes[at] ^= 1 << (self.rng.next_u32() % 8);
                }
                Some(Lie::Swap) => {
                    bytes.clone_from(self.shelf.packs.values().next().expect("one at least"));
                }
                _ => {}
            }
            packs.push(bytes);
        }
        packs
    }
}

fn is_open(pack: &[u8]) -> bool {
    Header::read(pack).is_ok_and(|header| header.open)
}

/// Tells whether a device is a member, was one (false), or is unknown.
fn standing(members: &Members, device: &DeviceKey) -> Option<bool> {
    let was = members.removed.contains_key(device).then_some(false);
    members.devices.contains_key(device).then_some(true).or(was)
}

/// Where a line breaks.
#[derive(Debug, Clone, Copy)]
pub struct Break {
    /// After so many requests.
    pub requests: u64,
    /// Whether one more reaches the hub, whose answer is lost.
    pub is_heard: bool,
}

/// Lets a phone meet a hub; returns what was done and told.
///
/// # Errors
/// Of the store; what the phone refuses of the hub.
pub fn meet(
    store: &Tuquan,
    hub: &mut ModelHub,
    now_ms: i64,
) -> Result<(RelayStats, Vec<RelayEvent>)> {
    meet_until(store, hub, now_ms, None)
}

/// As [`meet`], over a line that may break.
///
/// # Errors
/// As [`meet`].
pub fn meet_until(
    store: &Tuquan,
    hub: &mut ModelHub,
    now_ms: i64,
    line: Option<Break>,
) -> Result<(RelayStats, Vec<RelayEvent>)> {
    let identity = Hub { key: hub.secret.device_key(), origin: "https://hub.test".to_owned() };
    hub.visitor = Some(store.device()?.device);
    let mut relay = RelaySync::new(identity, now_ms);
    let mut events = Vec::new();
    loop {
        let next = store.bulk(|replica| relay.next(replica))?;
        events.extend(std::iter::from_fn(|| relay.poll_event()));
        match next {
            Next::Ask(request) => {
                if line.is_some_and(|line| relay.stats().requests > line.requests) {
                    if line.is_some_and(|line| line.is_heard) {
                        hub.answer(&request)?;
                    }
                    return Ok((relay.stats(), events));
                }
                let answer = hub.answer(&request)?;
                store.bulk(|replica| relay.take(replica, answer))?;
            }
            Next::Again => {}
            Next::Done => return Ok((relay.stats(), events)),
        }
    }
}
