//! What a session does with each message that comes.
//!
//! Invariant: nothing is believed before the hello was checked, and each message only where it
//! has its place. Must not know: the form of frames.

use super::message::{Claim, Hello, Message, WANT_HELD_MAX, Want};
use super::plan::{Plan, epoch_of};
use super::{CREDIT_BYTES, Event, LAG_ENTRIES, Peer, Session, Side, State, ack, is_of_one_log};
use crate::error::{Error, Kind, Result};
use crate::log::chain::Sort;
use crate::log::pack::{Header, Known};
use crate::replica::Replica;
use crate::replica::ingest::{self, Ingested, link_at};
use crate::replica::mind::Mind;
use crate::replica::outgoing::{Vector, is_other_history};

/// Trimmed packs start with flags below this, whole ones with a letter.
const TRIMMED_BELOW: u8 = 32;

impl Session {
    /// Acts on one message.
    pub(super) fn receive(&mut self, replica: &mut Replica, message: Message<'_>) -> Result<()> {
        let has_vector = self.peer.as_ref().is_some_and(|peer| peer.vector.is_some());
        match message {
            Message::Error(code) => {
                let error = refusal(&code);
                self.fail(&error, false);
                Err(error)
            }
            Message::Hello(hello) if self.peer.is_none() && !self.introduction.is_open() => {
                self.on_hello(replica, hello)
            }
            Message::Who => self.on_who(replica),
            Message::Introduction(packs) if self.introduction.is_open() => {
                self.on_introduction(replica, &packs)
            }
            Message::Vector(vector) if self.introduction.may_keep() => {
                self.introduction.keep(vector);
                Ok(())
            }
            Message::Vector(vector) if self.state == State::Exchanging && !has_vector => {
                self.on_vector(replica, vector)
            }
            Message::Want(want) if has_vector && self.plan.is_none() => self.on_want(replica, want),
            Message::Pack(bytes) if has_vector && !self.closing.done_received => {
                self.on_pack(replica, bytes)
            }
            Message::Credit(bytes) if has_vector => {
                self.credit.0 = self.credit.0.saturating_add(bytes);
                Ok(())
            }
            Message::Done(_) if has_vector && !self.closing.done_received => {
                self.closing.done_received = true;
                Ok(())
            }
            Message::Lack(hashes)
                if self.closing.done_received
                    && self.closing.done_sent
                    && !self.closing.ack_received
                    && self.fetching.may_be_asked() =>
            {
                self.on_lack(hashes);
                Ok(())
            }
            Message::Chunk(bytes) if self.fetching.is_asking() => self.on_chunk(replica, bytes),
            Message::Ack(claim, vector)
                if self.closing.done_received && !self.closing.ack_received =>
            {
                self.on_ack(replica, &claim, &vector)
            }
            _ => Err(Error::new(Kind::Format, "a message out of its place")),
        }
    }

    pub(super) fn on_hello(&mut self, replica: &mut Replica, hello: Hello) -> Result<()> {
        let space = replica.mind.space()?;
        if hello.space != space {
            return Err(Error::new(Kind::Space, "a peer of another team"));
        }
        if hello.device == replica.mind.identity()?.secret.device_key() {
            return Err(Error::new(Kind::Invalid, "a session with oneself"));
        }
        let device = hello.device;
        // Who holds the same has no control entry that would say more.
        let is_same = self.mine.as_ref().is_some_and(|mine| mine.hash() == hello.vector_hash);
        if !is_same && self.introduction.is_due(&replica.mind, &device) {
            self.introduction.open(hello);
            self.send(&Message::Who);
            return Ok(());
        }
        ack::check(&replica.mind, &device, &hello.claim, &hello.vector_hash)?;
        self.check_line(&replica.mind, &device)?;
        self.events.push_back(Event::PeerKnown { device });
        if self.mine.is_none() {
            if self.side == Side::Initiator {
                return Err(Error::new(Kind::Format, "an answer before the question"));
            }
            self.greet(replica)?;
        }
        let Some(mine) = self.mine.clone() else {
            return Ok(());
        };
        let equal = mine.hash() == hello.vector_hash;
        let mut vector = None;
        if !equal {
            self.state = State::Exchanging;
            self.send(&Message::Vector(mine));
        } else {
            self.keep_ack(replica, &device, &hello.claim, &mine)?;
            replica.hear_of_control(&mine)?;
            if hello.lacks || self.fetching.lacks {
                // All text is there on both sides; what is left are chunks.
                self.state = State::Exchanging;
                (self.closing.done_sent, self.closing.done_received) = (true, true);
                vector = Some(mine);
            } else {
                self.end();
            }
        }
        let (claim, vector_hash) = (hello.claim, hello.vector_hash);
        self.peer = Some(Peer { device, claim, vector_hash, vector });
        Ok(())
    }

    pub(super) fn on_vector(&mut self, replica: &mut Replica, vector: Vector) -> Result<()> {
        let Some(peer) = &self.peer else {
            return Ok(());
        };
        if vector.hash() != peer.vector_hash {
            let what = "a vector that is not the one in the hello";
            return Err(Error::new(Kind::Format, what));
        }
        let (device, claim) = (peer.device, peer.claim.clone());
        self.keep_ack(replica, &device, &claim, &vector)?;
        replica.hear_of_control(&vector)?;
        // What a colleague may hold of the own log is in segments then.
        replica.seal()?;
        let want = self.compare(replica, &vector)?;
        if let Some(peer) = &mut self.peer {
            peer.vector = Some(vector);
        }
        self.send(&Message::Want(want));
        Ok(())
    }

    /// Compares the other side's vector with what is here: other histories, how much lacks. More of
    /// the own log than is here counts when it comes with the own seal.
    fn compare(&mut self, replica: &mut Replica, theirs: &Vector) -> Result<Want> {
        let (mut lag, mut held, mut own) = (0, Vec::new(), None);
        let mind = &replica.mind;
        for (index, entry) in (0_u64..).zip(&theirs.entries) {
            let log = entry.log;
            let Some(known) = mind.log(&log) else {
                lag += entry.next;
                continue;
            };
            let missing = entry.next.saturating_sub(known.row.next);
            if is_other_history(&replica.connection, mind, entry)? {
                // All of it, please: where the two part is not known.
                held.push((index, 0, 0));
                let log = mind.root(&log);
                if self.forked.insert(log) {
                    self.events.push_back(Event::Forked { log });
                }
                // A word is enough to begin another data log, not to end governing.
                let is_own = known.row.sort == Sort::Data && mind.grows_here(&log);
                own = own.or(is_own.then_some(log));
            }
            lag += missing;
            let stretches = known.ahead.iter();
            held.extend(stretches.map(|(first, end)| (index, *first, end - first)));
        }
        held.truncate(WANT_HELD_MAX);
        self.stats.to_receive = lag;
        let has_data = mind.logs.iter().any(|log| log.row.sort == Sort::Data);
        let by_itself = lag > LAG_ENTRIES || !has_data;
        if let Some(log) = own {
            replica.leave_forked(&log)?;
        }
        Ok(Want { newest_first: self.options.newest_first.unwrap_or(by_itself), held })
    }

    fn on_want(&mut self, replica: &Replica, want: Want) -> Result<()> {
        self.want = Some(want);
        self.make_plan(replica)
    }

    /// Plans what to send; again when the logs turned out to be others than they were.
    fn make_plan(&mut self, replica: &Replica) -> Result<()> {
        let theirs = self.peer.as_ref().and_then(|peer| peer.vector.as_ref());
        let (Some(mine), Some(theirs), Some(want)) = (&self.mine, theirs, &self.want) else {
            return Ok(());
        };
        // A pack that went already may have named another epoch than the first one would.
        let epoch = self.epochs.0.filter(|_| self.stats.sent == 0);
        let plan = Plan::new(replica, mine, theirs, want, epoch)?;
        self.stats.to_send = self.stats.sent + plan.entries;
        self.plan = Some(plan);
        self.events.push_back(Event::Progress(self.stats));
        Ok(())
    }

    fn on_pack(&mut self, replica: &mut Replica, bytes: &[u8]) -> Result<()> {
        let len = bytes.len() as u64;
        self.take_credit(len)?;
        let header = self.read_header(replica, bytes)?;
        self.epochs.1 = epoch_of(&header).or(self.epochs.1);
        self.stats.received += header.entries();
        let outcome = if header.is_trimmed() {
            let opened = ingest::open(&replica.mind, &header, bytes);
            opened.and_then(|opened| replica.ingest_opened(&opened))
        } else {
            replica.ingest(bytes)
        };
        match (outcome, header.ranges.first()) {
            (Ok(ingested), _) => self.note_received(replica, ingested)?,
            (Err(error), Some(extent)) if is_of_one_log(error.kind) => {
                self.note_refused(extent.log, error);
            }
            (Err(error), _) => return Err(error),
        }
        self.events.push_back(Event::Progress(self.stats));
        self.give_credit(len);
        Ok(())
    }

    /// Counts bytes of a pack or chunk that came.
    pub(super) fn take_credit(&mut self, len: u64) -> Result<()> {
        let over = || Error::new(Kind::Size, "more than there was credit for");
        self.credit.1 = self.credit.1.checked_sub(len).ok_or_else(over)?;
        Ok(())
    }

    /// Lets as many bytes come again, once they are worth a message.
    pub(super) fn give_credit(&mut self, len: u64) {
        self.credit.2 += len;
        if self.credit.2 >= CREDIT_BYTES / 4 {
            self.send(&Message::Credit(self.credit.2));
            self.credit.1 += self.credit.2;
            self.credit.2 = 0;
        }
    }

    fn note_received(&mut self, replica: &Replica, ingested: Ingested) -> Result<()> {
        if let Some(log) = ingested.restored {
            self.events.push_back(Event::Restored { log });
        }
        if let Some(log) = ingested.forked.filter(|log| self.forked.insert(*log)) {
            self.events.push_back(Event::Forked { log });
        }
        if ingested.forked.is_some() && !self.closing.done_sent {
            self.make_plan(replica)?;
        }
        let has_team_changed = ingested.team_changed;
        let broken = ingested.broken.iter().cloned();
        self.events.extend(broken.map(|error| Event::Refused { error }));
        self.events.push_back(Event::Received { ingested });
        // What came may say that the other side is no member any more.
        match &self.peer {
            Some(peer) if has_team_changed => ack::check_peer(&replica.mind, &peer.device),
            _ => Ok(()),
        }
    }

    fn read_header(&self, replica: &Replica, bytes: &[u8]) -> Result<Header> {
        if bytes.first().is_none_or(|first| *first >= TRIMMED_BELOW) {
            return Header::read(bytes);
        }
        let theirs = self.peer.as_ref().and_then(|peer| peer.vector.as_ref());
        let mind = &replica.mind;
        let known = |index: u64, first: u64| {
            let index = usize::try_from(index).ok()?;
            known_of(replica, mind, theirs?, index, first)
        };
        Header::read_trimmed(bytes, &mind.space()?, self.epochs.1, known)
    }

    fn on_ack(&mut self, replica: &mut Replica, claim: &Claim, vector: &Vector) -> Result<()> {
        let Some(device) = self.peer.as_ref().map(|peer| peer.device) else {
            return Ok(());
        };
        ack::check(&replica.mind, &device, claim, &vector.hash())?;
        self.keep_ack(replica, &device, claim, vector)?;
        replica.hear_of_control(vector)?;
        self.closing.ack_received = true;
        self.finish();
        Ok(())
    }

    fn keep_ack(
        &mut self,
        replica: &mut Replica,
        device: &crate::ids::DeviceKey,
        claim: &Claim,
        vector: &Vector,
    ) -> Result<()> {
        if ack::keep(replica, device, claim, vector)? {
            let device = *device;
            self.events.push_back(Event::Acknowledged { device });
        }
        Ok(())
    }
}

/// Returns what is known here of the log at `index` of the other side's vector.
fn known_of(
    replica: &Replica,
    mind: &Mind,
    theirs: &Vector,
    index: usize,
    first: u64,
) -> Option<Known> {
    let at = *mind.by_id.get(&theirs.entries.get(index)?.log)?;
    let row = &mind.logs[at].row;
    // A damaged page only means that the link is not known; the pack then brings it or is refused.
    let before =
        (first <= row.next).then(|| link_at(&replica.connection, mind, at, first).ok()).flatten();
    Some(Known { device: row.device, nonce: row.nonce, sort: row.sort, before })
}

/// Returns the error that a code from the other side stands for.
fn refusal(code: &str) -> Error {
    // Whatever went wrong over there, this side may try again.
    let kind = Kind::from_code(code).unwrap_or(Kind::Io);
    Error::new(kind, "the other side ended the session")
}
