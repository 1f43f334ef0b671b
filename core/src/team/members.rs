//! The members: a pure function of the set of control entries (protocol section 4).
//!
//! Any order of entries gives the same members, epochs and void acts. Must not know: clocks,
//! records, the database.

use std::collections::{BTreeMap, BTreeSet};

use super::causes::Causes;
use super::control::{Act, Rights, TEAM};
use super::history::{History, Past, Piece};
use super::keys::{self, Epoch};
use super::removal::Cut;
use super::rules;
use crate::error::{Error, Kind, Result};
use crate::ids::{BoxKey, DeviceKey, EpochId, Link, LogId, PersonId, SpaceId};
use crate::log::entry::CONTROL_HEADS_MAX;
use crate::record::declare::Role;

/// One member device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Whose device it is.
    pub person: PersonId,
    /// Its key for lockboxes.
    pub box_key: BoxKey,
    /// What it may do.
    pub rights: Rights,
    /// The rank of an admin.
    pub rank: u64,
    /// The domain role; none when it is one of a newer version.
    pub role: Option<Role>,
    /// The compartments that it may read.
    pub compartments: Vec<String>,
    /// The link of the grant, or of the genesis for the founder.
    pub grant: Link,
}

impl Member {
    /// Tells whether it may read a compartment.
    #[must_use]
    pub fn reads(&self, compartment: &str) -> bool {
        self.compartments.iter().any(|name| name == compartment)
    }
}

/// A device that was a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// What it was granted last.
    pub member: Member,
    /// The links of the removals.
    pub by: Vec<Link>,
}

/// One control entry as the rules see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlEntry {
    /// The control log.
    pub log: LogId,
    /// The device that owns the log.
    pub device: DeviceKey,
    /// The sequence number.
    pub seq: u64,
    /// The link that it follows.
    pub before: Link,
    /// The link of the entry: its name.
    pub link: Link,
    /// The control heads in force.
    pub heads: Vec<Link>,
    /// What it says.
    pub act: Act,
}

/// Who is in the space, and which epochs exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// The founder's device.
    pub founder: Option<DeviceKey>,
    /// Devices that are members now, by signing key.
    pub devices: BTreeMap<DeviceKey, Member>,
    /// Devices that were members.
    pub removed: BTreeMap<DeviceKey, Removed>,
    /// Epochs, by the link of the entry that made each.
    pub epochs: BTreeMap<Link, Epoch>,
    /// Links of all control entries whose citations are here: what a data entry may cite.
    pub links: BTreeSet<Link>,
    /// Links that no other control entry has after it: what a new entry cites, sorted.
    pub heads: Vec<Link>,
    /// Acts without effect, by link, and why.
    pub void: BTreeMap<Link, Kind>,
    history: History,
}

impl Members {
    /// Evaluates control entries, given in any order.
    #[must_use]
    pub fn of(space: &SpaceId, entries: &[ControlEntry]) -> Self {
        let (causes, order) = Causes::of(entries);
        let rules::Judged { founder, history, mut void, .. } = rules::judge(space, causes, &order);
        let (mut devices, mut removed) = (BTreeMap::new(), BTreeMap::new());
        for device in history.devices() {
            match (history.member(device, Past::Now), history.removed(device)) {
                (Some(member), _) => {
                    devices.insert(*device, member);
                }
                (None, Some((member, by))) => {
                    removed.insert(*device, Removed { member, by });
                }
                (None, None) => {}
            }
        }
        let keys = keys::read(&history, &order, &devices);
        void.extend(keys.void);
        Self {
            founder,
            devices,
            removed,
            epochs: keys.epochs,
            links: order.iter().map(|entry| entry.link).collect(),
            heads: heads(founder, &order),
            void,
            history,
        }
    }

    /// Returns the member with this device key.
    ///
    /// # Errors
    /// `E-REMOVED` when it was one, `E-NOTMEMBER`.
    pub fn member(&self, device: &DeviceKey) -> Result<&Member> {
        let kind = match self.removed.contains_key(device) {
            true => Kind::Removed,
            false => Kind::NotMember,
        };
        self.devices.get(device).ok_or_else(|| Error::new(kind, format!("device {device}")))
    }

    /// Checks that a device may write data now.
    ///
    /// # Errors
    /// `E-REMOVED`, `E-NOTMEMBER`, `E-ROLE`.
    pub fn check_writer(&self, device: &DeviceKey) -> Result<&Member> {
        let member = self.member(device)?;
        if member.rights < Rights::Writer {
            return Err(Error::new(Kind::Role, format!("device {device} may only read")));
        }
        Ok(member)
    }

    /// Returns the verdicts on a data log of a device; none for a device that nobody granted.
    /// `claimed` is the grant that the log's first entry names, where it is here.
    #[must_use]
    pub fn standing(
        &self,
        device: &DeviceKey,
        log: &LogId,
        claimed: Option<Link>,
    ) -> Option<Vec<Piece>> {
        self.history.standing(device, log, claimed, &|cut| cut.last + 1)
    }

    /// As [`Members::standing`], for a branch of a log or a log that has some: `end` says which of
    /// its entries is the first past a cut.
    #[must_use]
    pub fn standing_by(
        &self,
        device: &DeviceKey,
        log: &LogId,
        claimed: Option<Link>,
        end: &dyn Fn(&Cut) -> u64,
    ) -> Option<Vec<Piece>> {
        self.history.standing(device, log, claimed, end)
    }

    /// Tells whether a device was granted more than once, so that its logs say under which.
    #[must_use]
    pub fn has_grants(&self, device: &DeviceKey) -> bool {
        self.history.has_grants(device)
    }

    /// Tells whether who wrote with these control heads could not know of any of `acts`.
    #[must_use]
    pub fn is_unaware(&self, heads: &[Link], acts: &[Link]) -> bool {
        acts.iter().all(|act| !self.history.causes.knows(heads, act))
    }

    /// Returns the epochs that may seal, the one to use first: of greatest depth, then id.
    #[must_use]
    pub fn eligible(&self) -> Vec<&Epoch> {
        let mut eligible: Vec<&Epoch> =
            self.epochs.values().filter(|epoch| epoch.is_eligible).collect();
        eligible.sort_unstable_by_key(|epoch| std::cmp::Reverse((epoch.depth, epoch.id, epoch.at)));
        eligible
    }

    /// Returns the id of the epoch that writers use; the same on all who know the same acts.
    #[must_use]
    pub fn current(&self) -> Option<EpochId> {
        self.eligible().first().map(|epoch| epoch.id)
    }

    /// Returns the devices that may read everybody's compartment, with their keys.
    #[must_use]
    pub fn entitled(&self) -> Vec<(DeviceKey, BoxKey)> {
        let members = self.devices.iter().filter(|(_, member)| member.reads(TEAM));
        members.map(|(device, member)| (*device, member.box_key)).collect()
    }
}

/// Returns the links that nothing cites, but for those that open a log; at most as many as an entry
/// may cite, the founder's before all.
fn heads(founder: Option<DeviceKey>, order: &[&ControlEntry]) -> Vec<Link> {
    let acts = || order.iter().filter(|entry| !matches!(entry.act, Act::LogOpen(_)));
    let cited: BTreeSet<&Link> =
        acts().flat_map(|entry| entry.heads.iter().chain([&entry.before])).collect();
    let mut heads: Vec<&ControlEntry> = acts().copied().collect();
    heads.retain(|entry| !cited.contains(&entry.link));
    heads.sort_unstable_by_key(|entry| (Some(entry.device) != founder, entry.link));
    heads.truncate(CONTROL_HEADS_MAX);
    let mut heads: Vec<Link> = heads.into_iter().map(|entry| entry.link).collect();
    heads.sort_unstable();
    heads
}
