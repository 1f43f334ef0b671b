//! The members: a pure function of the set of control entries (protocol section 4).
//!
//! So far one admin, the founder: grants in the founder's control log count, acts in any other
//! control log are void until ranks come. Must not know: clocks, records, the database.

use std::collections::{BTreeMap, BTreeSet};

use super::control::{Act, EpochMade, Grant, Lockbox, Rights};
use crate::error::{Error, Kind, Result};
use crate::ids::{BoxKey, DeviceKey, EpochId, Link, LogId, PersonId, SpaceId};
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
    /// The link of the grant, or of the genesis for the founder.
    pub grant: Link,
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
    /// Devices by signing key.
    pub devices: BTreeMap<DeviceKey, Member>,
    /// Epochs, with every lockbox for each from epoch entries and shares.
    pub epochs: BTreeMap<EpochId, (EpochMade, Vec<Lockbox>)>,
    /// Links of all control entries: what a data entry may cite.
    pub links: BTreeSet<Link>,
    /// Links that no other control entry has after it: what a new entry cites, sorted.
    pub heads: Vec<Link>,
    /// Acts without effect, by link, and why.
    pub void: BTreeMap<Link, Kind>,
}

impl Members {
    /// Evaluates control entries, given in any order.
    #[must_use]
    pub fn of(space: &SpaceId, entries: &[ControlEntry]) -> Self {
        let mut sorted: Vec<&ControlEntry> = entries.iter().collect();
        sorted.sort_by_key(|entry| (entry.log, entry.seq));
        let mut members = Self::default();
        for entry in &sorted {
            if let Act::Genesis(genesis) = &entry.act
                && genesis.space() == *space
                && genesis.founder == entry.device
            {
                members.admit_founder(entry, genesis.person, genesis.box_key);
            }
        }
        let mut last: BTreeMap<LogId, Link> = BTreeMap::new();
        for entry in &sorted {
            members.links.insert(entry.link);
            if !matches!(entry.act, Act::LogOpen(_)) {
                last.insert(entry.log, entry.link);
            }
            if let Err(kind) = members.take(entry) {
                members.void.insert(entry.link, kind);
            }
        }
        members.heads = last.into_values().collect();
        members.heads.sort_unstable();
        members
    }

    fn admit_founder(&mut self, entry: &ControlEntry, person: PersonId, box_key: BoxKey) {
        self.founder = Some(entry.device);
        let member = Member {
            person,
            box_key,
            rights: Rights::Admin,
            rank: 0,
            role: Some(Role::R3),
            grant: entry.link,
        };
        self.devices.insert(entry.device, member);
    }

    fn take(&mut self, entry: &ControlEntry) -> Result<(), Kind> {
        let by_founder = self.founder == Some(entry.device);
        match &entry.act {
            Act::LogOpen(_) | Act::Unknown(_) => Ok(()),
            Act::Genesis(_) if by_founder => Ok(()),
            Act::Grant(grant) if by_founder => self.take_grant(grant, entry.link),
            Act::Epoch(made) if by_founder => {
                let lockboxes = made.lockboxes.clone();
                self.epochs.entry(made.epoch).or_insert_with(|| (made.clone(), lockboxes));
                Ok(())
            }
            Act::Share(share) if by_founder => match self.epochs.get_mut(&share.epoch) {
                Some((_, lockboxes)) => {
                    lockboxes.push(share.lockbox.clone());
                    Ok(())
                }
                None => Err(Kind::WaitKey),
            },
            _ => Err(Kind::Role),
        }
    }

    fn take_grant(&mut self, grant: &Grant, link: Link) -> Result<(), Kind> {
        if self.founder == Some(grant.device) {
            return Err(Kind::Role);
        }
        let member = Member {
            person: grant.person,
            box_key: grant.box_key,
            rights: grant.rights,
            rank: grant.rank,
            role: Role::from_number(grant.role),
            grant: link,
        };
        self.devices.entry(grant.device).or_insert(member);
        Ok(())
    }

    /// Returns the member with this device key.
    ///
    /// # Errors
    /// `E-NOTMEMBER`.
    pub fn member(&self, device: &DeviceKey) -> Result<&Member> {
        self.devices
            .get(device)
            .ok_or_else(|| Error::new(Kind::NotMember, format!("device {device}")))
    }

    /// Checks that a device may write data.
    ///
    /// # Errors
    /// `E-NOTMEMBER`, `E-ROLE`.
    pub fn check_writer(&self, device: &DeviceKey) -> Result<&Member> {
        let member = self.member(device)?;
        if member.rights < Rights::Writer {
            return Err(Error::new(Kind::Role, format!("device {device} may only read")));
        }
        Ok(member)
    }
}
