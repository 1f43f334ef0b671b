//! Which epochs exist, who holds each, and which may seal (protocol section 5).
//!
//! Holders are counted over all entries, void ones too: who may have a key has nothing to do with
//! who should. Must not know: secrets.

use std::collections::{BTreeMap, BTreeSet};

use super::control::{Act, EpochMade, Lockbox, Rights, TEAM};
use super::history::{History, Past};
use super::members::{ControlEntry, Member};
use crate::error::Kind;
use crate::ids::{BoxKey, DeviceKey, EpochId, Link, LogId};

/// One epoch, as one entry made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// The id; only its secret proves it, so a liar's entry may claim the same.
    pub id: EpochId,
    /// The log and sequence number of the entry.
    pub at: (LogId, u64),
    /// Who made it.
    pub author: DeviceKey,
    /// The compartment.
    pub compartment: String,
    /// The epochs that it follows.
    pub parents: Vec<EpochId>,
    /// The public key.
    pub public: BoxKey,
    /// The parents' secrets under this one.
    pub back: Option<Vec<u8>>,
    /// Every lockbox of it, from the entry and from shares, and who made each.
    pub lockboxes: Vec<(DeviceKey, Lockbox)>,
    /// The devices that can have its secret.
    pub holders: BTreeSet<DeviceKey>,
    /// How many epochs lie behind it, at most.
    pub depth: u64,
    /// Whether writers may seal under it.
    pub is_eligible: bool,
}

/// What the epoch entries of a team come to.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) epochs: BTreeMap<Link, Epoch>,
    pub(super) void: BTreeMap<Link, Kind>,
    /// The numbers of the entries, for each id.
    ids: BTreeMap<EpochId, Vec<usize>>,
}

/// Reads the epochs and shares of `order`.
pub(super) fn read(
    history: &History,
    order: &[&ControlEntry],
    now: &BTreeMap<DeviceKey, Member>,
) -> Keys {
    let mut keys = Keys::default();
    let mut valid = BTreeSet::new();
    for (number, entry) in order.iter().enumerate() {
        let outcome = match &entry.act {
            Act::Epoch(made) => {
                keys.add(history, order, number, made);
                check(history, number, entry, made).map(|()| valid.insert(entry.link)).map(drop)
            }
            _ => continue,
        };
        if let Err(kind) = outcome {
            keys.void.insert(entry.link, kind);
        }
    }
    for (number, entry) in order.iter().enumerate() {
        if let Act::Share(share) = &entry.act {
            let Some(of) = keys.ids.get(&share.epoch).cloned() else {
                keys.void.insert(entry.link, Kind::WaitKey);
                continue;
            };
            for number in of {
                let Some(epoch) = keys.epochs.get_mut(&order[number].link) else {
                    continue;
                };
                epoch.lockboxes.push((entry.device, share.lockbox.clone()));
                epoch.holders.insert(share.lockbox.device);
            }
            if let Err(kind) = check_author(history, number, entry) {
                keys.void.insert(entry.link, kind);
            }
        }
    }
    keys.spread(order);
    let entitled = entitled(now, TEAM);
    for (link, epoch) in &mut keys.epochs {
        epoch.is_eligible = epoch.compartment == TEAM
            && valid.contains(link)
            && epoch.holders.iter().all(|holder| entitled.contains(holder));
    }
    keys
}

/// Returns the devices that may read a compartment.
pub(super) fn entitled(
    members: &BTreeMap<DeviceKey, Member>,
    compartment: &str,
) -> BTreeSet<DeviceKey> {
    let entitled = members.iter().filter(|(_, member)| member.reads(compartment));
    entitled.map(|(device, _)| *device).collect()
}

/// Checks that a writer made it who was not removed at the same time.
fn check_author(history: &History, number: usize, entry: &ControlEntry) -> Result<Member, Kind> {
    let author = history.member(&entry.device, Past::Before(number)).ok_or(Kind::Role)?;
    if author.rights < Rights::Writer {
        return Err(Kind::Role);
    }
    match history.struck(number, &entry.device) {
        Some(kind) => Err(kind),
        None => Ok(author),
    }
}

/// Checks that the author is a writer and that exactly those entitled at its heads are recipients.
fn check(
    history: &History,
    number: usize,
    entry: &ControlEntry,
    made: &EpochMade,
) -> Result<(), Kind> {
    let author = check_author(history, number, entry)?;
    let mut there = BTreeMap::new();
    for device in history.devices() {
        if let Some(member) = history.member(device, Past::Before(number)) {
            there.insert(*device, member);
        }
    }
    let recipients: BTreeSet<DeviceKey> = made.lockboxes.iter().map(|one| one.device).collect();
    if !author.reads(&made.compartment) || recipients != entitled(&there, &made.compartment) {
        return Err(Kind::Epoch);
    }
    Ok(())
}

impl Keys {
    fn add(&mut self, history: &History, order: &[&ControlEntry], number: usize, made: &EpochMade) {
        let entry = order[number];
        let parents = made.parents.iter().filter_map(|parent| self.ids.get(parent)).flatten();
        let known = parents.filter(|parent| history.causes.is_before(**parent, number));
        let depths = known.filter_map(|parent| self.epochs.get(&order[*parent].link));
        let depth = depths.map(|parent| parent.depth + 1).max().unwrap_or(0);
        let recipients = made.lockboxes.iter().map(|lockbox| lockbox.device);
        let epoch = Epoch {
            id: made.epoch,
            at: (entry.log, entry.seq),
            author: entry.device,
            compartment: made.compartment.clone(),
            parents: made.parents.clone(),
            public: made.public,
            back: made.back.clone(),
            holders: recipients.chain([entry.device]).collect(),
            lockboxes: made.lockboxes.iter().map(|one| (entry.device, one.clone())).collect(),
            depth,
            is_eligible: false,
        };
        self.ids.entry(made.epoch).or_default().push(number);
        self.epochs.insert(entry.link, epoch);
    }

    /// Gives the holders of every epoch to those that its `back` opens, until nothing changes.
    fn spread(&mut self, order: &[&ControlEntry]) {
        let mut queue: Vec<Link> = self.epochs.keys().copied().collect();
        while let Some(link) = queue.pop() {
            let Some(epoch) = self.epochs.get(&link) else {
                continue;
            };
            let (holders, parents) = match epoch.back {
                Some(_) => (epoch.holders.clone(), epoch.parents.clone()),
                None => continue,
            };
            for parent in parents.iter().filter_map(|id| self.ids.get(id)).flatten() {
                let parent = order[*parent].link;
                let Some(reached) = self.epochs.get_mut(&parent) else {
                    continue;
                };
                let before = reached.holders.len();
                reached.holders.extend(&holders);
                if reached.holders.len() > before {
                    queue.push(parent);
                }
            }
        }
    }
}
