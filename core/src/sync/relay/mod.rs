//! A phone and a hub: a state machine that says what to ask next and takes the answers, without
//! sockets and without a clock.
//!
//! ```text
//! state    has anything changed?          no, and nothing to give: the end, one round trip
//! list     what is there now              claims, mirrored here
//! get      packs that this phone cannot vouch for yet, newest first
//! put      packs of what the hub is not known to hold, each answered by a receipt
//! acks     who holds what, signed by the devices
//! chunks   photos, last, the smallest first
//! ```
//!
//! A hub cannot open packs, so what it lists is a claim. Only packs that this phone made or opened
//! whole count as cover; a pack that covers nothing never keeps an entry from being given. A hub
//! that forgot what it had (a restored backup) is given it again. Must not know: HTTP, logins.

mod account;
mod message;
pub(super) mod mirror;
mod offer;
mod photos;
mod wire;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rusqlite::Transaction;

pub use self::message::{BATCH_PACKS_MAX, Hub, Listed, Request, Response};
use self::mirror::{Mirror, Mirrored, State};
use self::offer::Offer;
use self::photos::Photos;
pub use self::wire::{
    BATCH_BYTES_MAX, CHUNK_BYTES_MAX, SignedAck, ack_hash, acks_digest, chunk_delete_hash,
    chunk_hash, listing_digest, login_hash, own_ack, pack_delete_hash, read_frames, receipt_hash,
    take_ack, write_frames,
};
use crate::crypto::{self, SIGNATURE_LEN};
use crate::error::{Error, Kind, Result};
use crate::ids::{ChunkHash, DeviceKey, Digest, LogId, SpaceId};
use crate::log::pack::{self, Extent, Header};
use crate::replica::Replica;
use crate::replica::ingest::{self, Ingested};
use crate::replica::outgoing::is_other_history;
use crate::store::chunks;
use crate::sync::cover::Cover;
use crate::sync::session::{self, Acknowledged};

/// About how many bytes of packs one request asks for.
const GET_BYTES_MAX: u64 = 4 << 20;

/// What a meeting with a hub did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct RelayStats {
    /// Round trips.
    pub requests: u64,
    /// Packs that were given, and their bytes.
    pub sent_packs: u64,
    /// Bytes of the packs that were given.
    pub sent_bytes: u64,
    /// Packs that were fetched.
    pub received_packs: u64,
    /// Bytes of the packs that were fetched.
    pub received_bytes: u64,
    /// Entries that are new here.
    pub entries: u64,
    /// Packs that are still to be fetched or given, as far as it is known.
    pub remaining: u64,
}

/// What a meeting with a hub tells its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayEvent {
    /// How far it is.
    Progress(RelayStats),
    /// A pack was taken in.
    Received(Ingested),
    /// The hub lost packs that it had signed for (W-HUB-OLD): they are given again.
    HubOlder,
    /// A pack could not be used; the others go on.
    Refused(Error),
    /// A device's signed statement of what it holds is new here.
    Acknowledged,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Ask the hub this, and hand the answer to [`RelaySync::take`].
    Ask(Request),
    /// Call again: one step of work was done.
    Again,
    /// It is over.
    Done,
}

#[derive(Debug)]
enum Step {
    Begin,
    Listing { full: bool, after: u64, seen: BTreeSet<Digest> },
    Fetching,
    Offering,
    Reporting,
    Acking,
    Photos,
    Done,
}

/// One meeting with a hub; see the module.
#[derive(Debug)]
pub struct RelaySync {
    hub: Hub,
    now_ms: i64,
    step: Step,
    mirror: Option<Mirror>,
    /// The listing's digest that the hub gave, and whether its acknowledgements are to be fetched.
    theirs: (Option<Digest>, bool),
    to_fetch: VecDeque<Digest>,
    fetched: VecDeque<Vec<u8>>,
    asked: Option<Request>,
    opened: Vec<Digest>,
    /// Whether a log was found to have several histories, so that packs are to be judged anew.
    is_stale: bool,
    /// What the packs that were given last carry, where their headers do not tell.
    made: BTreeMap<Digest, Vec<Extent>>,
    offer: Option<Offer>,
    photos: Photos,
    events: VecDeque<RelayEvent>,
    stats: RelayStats,
}

impl RelaySync {
    /// Starts a meeting at `now_ms`.
    #[must_use]
    pub fn new(hub: Hub, now_ms: i64) -> Self {
        Self {
            hub,
            now_ms,
            step: Step::Begin,
            mirror: None,
            theirs: (None, false),
            to_fetch: VecDeque::new(),
            fetched: VecDeque::new(),
            asked: None,
            opened: Vec::new(),
            is_stale: false,
            made: BTreeMap::new(),
            offer: None,
            photos: Photos::default(),
            events: VecDeque::new(),
            stats: RelayStats::default(),
        }
    }

    /// Returns what was done so far.
    #[must_use]
    pub fn stats(&self) -> RelayStats {
        self.stats
    }

    /// Returns the next thing to tell.
    pub fn poll_event(&mut self) -> Option<RelayEvent> {
        self.events.pop_front()
    }

    /// Does one step of work, or says what to ask the hub.
    ///
    /// # Errors
    /// Of the store; the replica stays intact and the next meeting goes on from there.
    pub fn next(&mut self, replica: &mut Replica) -> Result<Next> {
        if let Some(bytes) = self.fetched.pop_front() {
            self.absorb(replica, &bytes)?;
            return Ok(Next::Again);
        }
        let request = match &self.step {
            Step::Begin => Some(self.begin(replica)?),
            Step::Listing { after, .. } => Some(Request::List { after: *after }),
            Step::Fetching => self.next_fetch(replica)?,
            Step::Offering => self.next_put(replica)?,
            Step::Reporting => self.next_report(replica),
            Step::Acking => self.next_ack(replica)?,
            Step::Photos => self.next_photo(replica)?,
            Step::Done => return Ok(Next::Done),
        };
        let Some(request) = request else {
            return Ok(if matches!(self.step, Step::Done) { Next::Done } else { Next::Again });
        };
        self.stats.requests += 1;
        self.asked = Some(request.clone());
        Ok(Next::Ask(request))
    }

    /// Takes the hub's answer to what was asked last.
    ///
    /// # Errors
    /// `E-FORMAT` for an answer to another question; `E-SIG` for a receipt that the hub did not
    /// sign; of the store.
    pub fn take(&mut self, replica: &mut Replica, response: Response) -> Result<()> {
        let asked = self.asked.take();
        match (asked, response) {
            (Some(Request::State { .. }), Response::Same) => {
                self.step = Step::Fetching;
                self.plan_fetch(replica)
            }
            (Some(Request::State { .. }), Response::Changed { listing, acks }) => {
                let mirror = self.mirror.as_ref().ok_or_else(not_begun)?;
                self.theirs = (Some(listing), acks != mirror.acks);
                if mirror.digest() == listing {
                    self.step = Step::Fetching;
                    self.plan_fetch(replica)?;
                } else {
                    let after = mirror.listed;
                    self.step = Step::Listing { full: after == 0, after, seen: BTreeSet::new() };
                }
                Ok(())
            }
            (Some(Request::List { .. }), Response::Listing { instance, packs, more }) => {
                self.take_listing(replica, instance, packs, more)
            }
            (Some(Request::Get { ids }), Response::Packs(packs)) => {
                self.take_packs(&ids, packs);
                Ok(())
            }
            (Some(Request::Put { packs }), Response::Receipts(receipts)) => {
                self.take_receipts(replica, &packs, receipts)
            }
            (Some(Request::Opened { .. }), Response::Noted) => Ok(()),
            (Some(Request::PutAck { bytes }), Response::Noted) => {
                self.mirror_mut()?.sent = ack_hash(&bytes);
                Ok(())
            }
            (Some(Request::GetAcks), Response::Acks(blobs)) => self.take_acks(replica, &blobs),
            (Some(Request::HaveChunks { .. }), Response::Lacking(hashes)) => {
                self.photos.take_lacking(replica, &hashes)
            }
            (Some(Request::PutChunk { hash, bytes }), Response::Noted) => {
                self.stats.sent_bytes += bytes.len() as u64;
                self.events.push_back(RelayEvent::Progress(self.stats));
                Photos::given(replica, hash)
            }
            (Some(Request::GetChunk { hash }), Response::Chunk(bytes)) => {
                self.take_chunk(replica, &hash, bytes.as_deref())
            }
            _ => Err(Error::new(Kind::Format, "a hub's answer to another question")),
        }
    }

    fn mirror(&self) -> Result<&Mirror> {
        self.mirror.as_ref().ok_or_else(not_begun)
    }

    fn mirror_mut(&mut self) -> Result<&mut Mirror> {
        self.mirror.as_mut().ok_or_else(not_begun)
    }

    fn begin(&mut self, replica: &mut Replica) -> Result<Request> {
        replica.seal()?;
        let (key, now_ms) = (self.hub.key, self.now_ms);
        let mirror = replica.transact(|to, _, _| Mirror::load(to, &key, now_ms))?;
        let request = Request::State { listing: mirror.digest(), acks: mirror.acks };
        self.mirror = Some(mirror);
        Ok(request)
    }

    fn take_listing(
        &mut self,
        replica: &mut Replica,
        instance: Vec<u8>,
        packs: Vec<Listed>,
        more: bool,
    ) -> Result<()> {
        let Step::Listing { full, after, mut seen } = std::mem::replace(&mut self.step, Step::Done)
        else {
            return Err(not_begun());
        };
        let expected = self.theirs.0;
        let (now_ms, hub) = (self.now_ms, self.hub.key);
        let mirror = self.mirror.as_mut().ok_or_else(not_begun)?;
        if !full && mirror.instance != instance {
            // Another database answers: its numbers mean something else.
            mirror.instance = instance;
            self.step = Step::Listing { full: true, after: 0, seen: BTreeSet::new() };
            return Ok(());
        }
        let last = packs.iter().map(|pack| pack.seq).max();
        if more && last.is_none_or(|last| last <= after) {
            return Err(Error::new(Kind::Format, "a listing that does not go on"));
        }
        seen.extend(packs.iter().map(|pack| pack.id));
        let lost = replica.transact(|to, mind, _| {
            let space = mind.space()?;
            for listed in packs {
                if !mirror.packs.contains_key(&listed.id) {
                    mirror_line(to, mirror, (&hub, &space), listed)?;
                }
            }
            mirror.listed = mirror.listed.max(last.unwrap_or(0));
            mirror.instance.clone_from(&instance);
            if more {
                return Ok(false);
            }
            let lost = full && mirror.keep_only(to, &seen)?;
            if full {
                mirror.listed = last.unwrap_or(after);
            }
            mirror.save(to, now_ms)?;
            Ok(lost)
        })?;
        if lost {
            self.events.push_back(RelayEvent::HubOlder);
            replica.transact(|to, _, _| chunks::forget_relayed(to))?;
        }
        self.step = if more {
            Step::Listing { full, after: last.unwrap_or(after), seen }
        } else if !full && expected.is_some_and(|expected| expected != mirror.digest()) {
            Step::Listing { full: true, after: 0, seen: BTreeSet::new() }
        } else {
            Step::Fetching
        };
        if matches!(self.step, Step::Fetching) {
            self.plan_fetch(replica)?;
        }
        Ok(())
    }

    /// Plans to fetch what is listed and not covered by what this phone can vouch for, the newest
    /// first. What needs a team list that comes later waits for it. Of a log that has several
    /// histories, here or by anybody's word, all is fetched: headers name logs only.
    fn plan_fetch(&mut self, replica: &Replica) -> Result<()> {
        let Some(mirror) = &self.mirror else {
            return Ok(());
        };
        let cover = mirror.cover();
        let mut doubts = Doubts::of(replica, mirror)?;
        let mut wanted: Vec<(&Digest, &Mirrored)> = Vec::new();
        for (id, pack) in mirror.packs.iter().filter(|(_, pack)| pack.state == State::Listed) {
            if !cover.holds(&pack.ranges) || doubts.any(replica, &pack.ranges)? {
                wanted.push((id, pack));
            }
        }
        wanted.sort_unstable_by_key(|(id, pack)| (std::cmp::Reverse(pack.seq), **id));
        self.to_fetch = wanted.into_iter().map(|(id, _)| *id).collect();
        self.stats.remaining = self.to_fetch.len() as u64;
        Ok(())
    }

    fn next_fetch(&mut self, replica: &mut Replica) -> Result<Option<Request>> {
        if self.to_fetch.is_empty() && std::mem::take(&mut self.is_stale) {
            let (key, now_ms) = (self.hub.key, self.now_ms);
            self.mirror = Some(replica.transact(|to, _, _| Mirror::load(to, &key, now_ms))?);
            self.plan_fetch(replica)?;
            return Ok(None);
        }
        let Some(mirror) = &self.mirror else {
            return Err(not_begun());
        };
        let (mut ids, mut bytes) = (Vec::new(), 0);
        while let Some(id) = self.to_fetch.front() {
            let size = mirror.packs.get(id).map_or(0, |pack| pack.size);
            if !ids.is_empty() && (bytes + size > GET_BYTES_MAX || ids.len() == BATCH_PACKS_MAX) {
                break;
            }
            bytes += size;
            ids.extend(self.to_fetch.pop_front());
        }
        if !ids.is_empty() {
            return Ok(Some(Request::Get { ids }));
        }
        // What came may have shown that this is a restored copy, which opened another log.
        replica.seal()?;
        self.offer = Some(Offer::new(replica, mirror)?);
        self.step = Step::Offering;
        Ok(None)
    }

    fn take_packs(&mut self, asked: &[Digest], packs: Vec<Vec<u8>>) {
        let mut missing: BTreeSet<Digest> = asked.iter().copied().collect();
        for bytes in packs {
            if missing.remove(&pack::pack_id(&bytes)) {
                self.fetched.push_back(bytes);
            }
        }
        // An answer has room for so much; the rest is asked for again. One that brings nothing of
        // what was asked for ends it, or a hub could keep a phone asking for ever.
        if missing.len() < asked.len() {
            let rest = asked.iter().rev().filter(|id| missing.contains(*id));
            for id in rest {
                self.to_fetch.push_front(*id);
            }
        }
    }

    /// Takes in one fetched pack and notes what may be said of it.
    fn absorb(&mut self, replica: &mut Replica, bytes: &[u8]) -> Result<()> {
        let id = pack::pack_id(bytes);
        self.stats.received_packs += 1;
        self.stats.received_bytes += bytes.len() as u64;
        let listed = self.mirror()?.packs.get(&id).cloned();
        let Some(mut pack) = listed else {
            return Ok(());
        };
        let outcome = judge(replica, bytes, &pack.ranges);
        pack.state = match outcome {
            Ok((ingested, state, found)) => {
                self.is_stale |= ingested.forked.is_some();
                pack.found = found;
                self.stats.entries += ingested.entries;
                self.events.push_back(RelayEvent::Received(ingested));
                state
            }
            Err(error) if error.kind.is_of_storage() => return Err(error),
            Err(error) => {
                self.events.push_back(RelayEvent::Refused(error));
                State::Worthless
            }
        };
        if pack.state == State::Opened {
            self.opened.push(id);
        }
        let mirror = self.mirror.as_mut().ok_or_else(not_begun)?;
        replica.transact(|to, _, _| mirror.put(to, id, pack, None))?;
        self.stats.remaining = self.to_fetch.len() as u64 + self.fetched.len() as u64;
        self.events.push_back(RelayEvent::Progress(self.stats));
        Ok(())
    }

    fn next_put(&mut self, replica: &mut Replica) -> Result<Option<Request>> {
        let offer = self.offer.as_mut().ok_or_else(not_begun)?;
        let packs = offer.next_batch(replica, &mut self.events)?;
        self.stats.remaining = offer.remaining();
        if packs.is_empty() {
            self.step = Step::Reporting;
            return Ok(None);
        }
        let found =
            packs.iter().filter_map(|(bytes, found)| Some((pack::pack_id(bytes), found.clone()?)));
        self.made = found.collect();
        let packs: Vec<Vec<u8>> = packs.into_iter().map(|(bytes, _)| bytes).collect();
        self.stats.sent_packs += packs.len() as u64;
        self.stats.sent_bytes += packs.iter().map(|pack| pack.len() as u64).sum::<u64>();
        Ok(Some(Request::Put { packs }))
    }

    fn take_receipts(
        &mut self,
        replica: &mut Replica,
        packs: &[Vec<u8>],
        receipts: Vec<(Digest, Vec<u8>)>,
    ) -> Result<()> {
        let (hub, space) = (self.hub.key, replica.mind.space()?);
        let mirror = self.mirror.as_mut().ok_or_else(not_begun)?;
        let made = std::mem::take(&mut self.made);
        replica.transact(|to, _, _| {
            for bytes in packs {
                let id = pack::pack_id(bytes);
                let found = receipts.iter().find(|(of, _)| *of == id);
                let what = "a hub gave no receipt";
                let (_, receipt) = found.ok_or_else(|| Error::new(Kind::Signature, what))?;
                check_receipt(&hub, &space, &id, receipt)?;
                let pack = Mirrored {
                    seq: mirror.listed,
                    size: bytes.len() as u64,
                    ranges: Header::read(bytes)?.ranges,
                    found: made.get(&id).cloned(),
                    state: State::Opened,
                    has_receipt: true,
                };
                mirror.put(to, id, pack, Some(receipt))?;
            }
            Ok(())
        })?;
        self.events.push_back(RelayEvent::Progress(self.stats));
        Ok(())
    }

    /// Reports the packs that were opened here and cover other ones, so that the hub may drop
    /// those in time. Never those of a log with several histories, which the hub cannot tell apart.
    fn next_report(&mut self, replica: &Replica) -> Option<Request> {
        self.step = Step::Acking;
        let mirror = self.mirror.as_ref()?;
        let covers_another = |id: &Digest| {
            let is_plain =
                |pack: &&Mirrored| !pack.ranges.iter().any(|of| replica.mind.is_forked(&of.log));
            let Some(pack) = mirror.packs.get(id).filter(is_plain) else {
                return false;
            };
            let mut cover = Cover::default();
            cover.add(&pack.ranges);
            mirror.packs.iter().any(|(other, of)| other != id && cover.holds(&of.ranges))
        };
        let mut ids: Vec<Digest> = self.opened.drain(..).filter(covers_another).collect();
        ids.truncate(BATCH_PACKS_MAX);
        (!ids.is_empty()).then_some(Request::Opened { ids })
    }

    fn next_ack(&mut self, replica: &mut Replica) -> Result<Option<Request>> {
        let bytes = own_ack(replica)?;
        let mirror = self.mirror.as_mut().ok_or_else(not_begun)?;
        if ack_hash(&bytes) != mirror.sent {
            // This one changes the digest of all, so they are fetched afterwards.
            self.theirs.1 = true;
            return Ok(Some(Request::PutAck { bytes }));
        }
        if std::mem::take(&mut self.theirs.1) {
            return Ok(Some(Request::GetAcks));
        }
        let now_ms = self.now_ms;
        replica.transact(|to, _, _| mirror.save(to, now_ms))?;
        self.step = Step::Photos;
        Ok(None)
    }

    fn next_photo(&mut self, replica: &mut Replica) -> Result<Option<Request>> {
        let request = self.photos.next(replica)?;
        self.stats.remaining = self.photos.remaining();
        if request.is_none() {
            self.step = Step::Done;
        }
        Ok(request)
    }

    fn take_chunk(
        &mut self,
        replica: &mut Replica,
        hash: &ChunkHash,
        bytes: Option<&[u8]>,
    ) -> Result<()> {
        self.stats.received_bytes += bytes.map_or(0, |bytes| bytes.len() as u64);
        let refused = Photos::fetched(replica, hash, bytes)?;
        self.events.extend(refused.map(RelayEvent::Refused));
        self.events.push_back(RelayEvent::Progress(self.stats));
        Ok(())
    }

    fn take_acks(&mut self, replica: &mut Replica, blobs: &[Vec<u8>]) -> Result<()> {
        let me = replica.mind.identity()?.secret.device_key();
        for bytes in blobs {
            if SignedAck::decode(bytes).is_ok_and(|ack| ack.device == me) {
                continue;
            }
            match take_ack(replica, bytes) {
                Ok(true) => self.events.push_back(RelayEvent::Acknowledged),
                Ok(false) => {}
                Err(error) if error.kind.is_of_storage() => return Err(error),
                // From a device that is not known here yet, or forged: it counts for nothing.
                Err(_) => {}
            }
        }
        let hashes: Vec<Digest> = blobs.iter().map(|bytes| ack_hash(bytes)).collect();
        self.mirror_mut()?.acks = acks_digest(&hashes);
        Ok(())
    }
}

/// Which logs have several histories, here or by what others signed to hold.
#[derive(Debug)]
struct Doubts {
    acks: Vec<Acknowledged>,
    /// Somebody holds a branch of a log that is not known here, or a part of one came.
    is_all: bool,
    known: BTreeMap<LogId, bool>,
}

impl Doubts {
    fn of(replica: &Replica, mirror: &Mirror) -> Result<Self> {
        let acks = session::all(&replica.connection, &replica.mind)?;
        // Headers name logs, never branches.
        let ranges = mirror.packs.values().flat_map(|pack| &pack.ranges);
        let listed: BTreeSet<LogId> = ranges.map(|range| range.log).collect();
        let is_unknown = |log: &LogId| replica.mind.log(log).is_none() && !listed.contains(log);
        let named = acks.iter().flat_map(|ack| &ack.vector.entries).map(|entry| entry.log);
        let is_all = { named }.any(|log| is_unknown(&log)) || replica.waits_for_histories()?;
        Ok(Self { acks, is_all, known: BTreeMap::new() })
    }

    fn any(&mut self, replica: &Replica, ranges: &[Extent]) -> Result<bool> {
        for range in ranges {
            if self.is_in_doubt(replica, &range.log)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_in_doubt(&mut self, replica: &Replica, log: &LogId) -> Result<bool> {
        let Replica { connection, mind, .. } = replica;
        if self.is_all || mind.is_forked(log) {
            return Ok(true);
        }
        if let Some(known) = self.known.get(log) {
            return Ok(*known);
        }
        let mut found = false;
        for entry in self.acks.iter().filter_map(|ack| ack.vector.get(log)) {
            found |= is_other_history(connection, mind, entry)?;
        }
        self.known.insert(*log, found);
        Ok(found)
    }
}

/// Notes one line of a listing as a claim.
fn mirror_line(
    transaction: &Transaction<'_>,
    mirror: &mut Mirror,
    (hub, space): (&DeviceKey, &SpaceId),
    listed: Listed,
) -> Result<()> {
    // What the hub did not sign for does not count, but may be fetched.
    let receipt = check_receipt(hub, space, &listed.id, &listed.receipt).is_ok();
    let pack = Mirrored {
        seq: listed.seq,
        size: listed.size,
        ranges: listed.ranges,
        found: None,
        state: State::Listed,
        has_receipt: receipt,
    };
    mirror.put(transaction, listed.id, pack, receipt.then_some(listed.receipt.as_slice()))
}

fn not_begun() -> Error {
    Error::new(Kind::NotReady, "the meeting with the hub has not begun")
}

/// Opens a pack and takes it in; says whether this phone can vouch for what it covers.
fn judge(
    replica: &mut Replica,
    bytes: &[u8],
    claimed: &[Extent],
) -> Result<(Ingested, State, Option<Vec<Extent>>)> {
    let header = Header::read(bytes)?;
    if header.ranges != claimed {
        return Err(Error::new(Kind::Format, "a listing that says other than the pack"));
    }
    match ingest::open(&replica.mind, &header, bytes) {
        Ok(opened) => {
            let whole = opened.is_whole();
            let ingested = replica.ingest_or_hold(&opened, bytes)?;
            let state = match (ingested.held, whole) {
                (Some(_), _) => State::Waiting,
                (None, true) => State::Opened,
                (None, false) => State::Worthless,
            };
            Ok((ingested, state, opened.extents(&replica.connection, &replica.mind)?))
        }
        Err(error) if error.kind == Kind::WaitKey => {
            Ok((replica.ingest(bytes)?, State::Waiting, None))
        }
        Err(error) => Err(error),
    }
}

fn check_receipt(hub: &DeviceKey, space: &SpaceId, pack: &Digest, receipt: &[u8]) -> Result<()> {
    let bad = || Error::new(Kind::Signature, "a receipt of a wrong length");
    let signature: [u8; SIGNATURE_LEN] = receipt.try_into().map_err(|_| bad())?;
    crypto::verify(hub, &receipt_hash(space, pack), &signature)
}
