//! Introductions: a member of whom this phone has not heard yet shows that it is one.
//!
//! Who joined earlier need not have heard of who joined later, and the other way round. The side
//! that does not know the device of a hello asks once, and the other answers with control packs;
//! they are evaluated together with the own control logs before anything is stored. Control logs
//! hold keys and rights only, and relays read them too. Invariant: what does not make this very
//! device a member leaves nothing behind. Must not know: how members come about.

use super::message::{Hello, INTRODUCTION_MAX, Message};
use super::plan::LEVEL;
use super::{Options, Session, ack};
use crate::error::{Error, Kind, Result};
use crate::ids::DeviceKey;
use crate::log::chain::Sort;
use crate::log::pack::Header;
use crate::replica::Replica;
use crate::replica::mind::Mind;
use crate::replica::outgoing::{self, Vector};
use crate::sync::courier::extend_control;
use crate::team::members::{Member, Members};

/// The most content of an introduction's packs, inflated.
const CONTENT_BYTES_MAX: usize = 8 << 20;

/// How far the introductions of a session are.
#[derive(Debug, Default)]
pub(super) struct Introduction {
    /// Whether this side has asked.
    asked: bool,
    /// Whether this side has answered.
    answered: bool,
    /// The hello that is judged once the answer is there.
    hello: Option<Hello>,
    /// The vector that came right after it, before the other side saw the question.
    vector: Option<Vector>,
}

impl Introduction {
    /// Tells whether the device is to be asked who it is: it is not known, and was not asked yet.
    pub(super) fn is_due(&self, mind: &Mind, device: &DeviceKey) -> bool {
        let unknown = |error: Error| error.kind == Kind::NotMember;
        !self.asked && mind.members.member(device).is_err_and(unknown)
    }

    /// Keeps a hello until the answer comes.
    pub(super) fn open(&mut self, hello: Hello) {
        self.asked = true;
        self.hello = Some(hello);
    }

    /// Tells whether an answer is awaited.
    pub(super) fn is_open(&self) -> bool {
        self.hello.is_some()
    }

    /// Tells whether a vector may come now, to be looked at after the answer.
    pub(super) fn may_keep(&self) -> bool {
        self.is_open() && self.vector.is_none()
    }

    /// Keeps a vector until the answer comes.
    pub(super) fn keep(&mut self, vector: Vector) {
        self.vector = Some(vector);
    }
}

impl Session {
    /// Answers who this device is, once, to a side that it has greeted.
    pub(super) fn on_who(&mut self, replica: &mut Replica) -> Result<()> {
        if self.mine.is_none() || self.introduction.answered {
            return Err(Error::new(Kind::Format, "a message out of its place"));
        }
        self.introduction.answered = true;
        let packs = control_packs(replica)?;
        let packs = packs.iter().map(Vec::as_slice).collect();
        self.send(&Message::Introduction(packs));
        Ok(())
    }

    /// Takes in control packs if they make the device of the kept hello a member, and judges the
    /// hello again.
    pub(super) fn on_introduction(&mut self, replica: &mut Replica, packs: &[&[u8]]) -> Result<()> {
        let Some(hello) = self.introduction.hello.take() else {
            return Ok(());
        };
        let refused = || Error::new(Kind::NotMember, format!("device {}", hello.device));
        ack::check_signature(&replica.mind, &hello.device, &hello.claim, &hello.vector_hash)?;
        let space = replica.mind.space()?;
        let known = replica.mind.control_entries(&replica.connection)?;
        let entries = extend_control(&space, known, packs.iter().copied(), CONTENT_BYTES_MAX);
        let members = Members::of(&space, &entries.map_err(|_| refused())?);
        let member = members.member(&hello.device)?;
        check_key(&self.options, &hello.device, member)?;
        let is_open = |pack: &&&[u8]| Header::read(pack).is_ok_and(|header| header.open);
        for pack in packs.iter().filter(is_open) {
            // A pack that is not worth taking in was not counted above either.
            match replica.ingest(pack) {
                Err(error) if error.kind.is_of_storage() => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        self.on_hello(replica, hello)?;
        match self.introduction.vector.take() {
            Some(vector) => self.on_vector(replica, vector),
            None => Ok(()),
        }
    }

    /// Checks that the other end of the line is the device that it says it is.
    pub(super) fn check_line(&self, mind: &Mind, device: &DeviceKey) -> Result<()> {
        check_key(&self.options, device, mind.members.member(device)?)
    }
}

fn check_key(options: &Options, device: &DeviceKey, member: &Member) -> Result<()> {
    if options.line.is_none_or(|line| line == member.box_key) {
        return Ok(());
    }
    Err(Error::new(Kind::Peer, format!("the line is not that of device {device}")))
}

/// Packs the own control logs, as many as an introduction may hold.
fn control_packs(replica: &mut Replica) -> Result<Vec<Vec<u8>>> {
    let (packs_max, bytes_max) = INTRODUCTION_MAX;
    let Replica { connection, mind, env, .. } = replica;
    let mut packs: Vec<Vec<u8>> = Vec::new();
    let mut left = bytes_max;
    for stretch in outgoing::lacking(connection, mind, &Vector::default())? {
        if mind.logs[stretch.index].row.sort != Sort::Control {
            break;
        }
        for (_, pack) in outgoing::pack(connection, mind, env, stretch, LEVEL, None)? {
            let Some(rest) = left.checked_sub(pack.len()).filter(|_| packs.len() < packs_max)
            else {
                return Ok(packs);
            };
            left = rest;
            packs.push(pack);
        }
    }
    Ok(packs)
}
