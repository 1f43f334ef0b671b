//! Who is a member, as the team's own signatures say it.
//!
//! The hub keeps no list of its own: it puts the control logs together and evaluates them as every
//! phone does. Must not know: storage, HTTP.

use std::collections::BTreeSet;

use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::ids::{DeviceKey, Link, PersonId, SpaceId};
use tuquan_core::team::chains::Chains;
use tuquan_core::team::control::Rights;
use tuquan_core::team::members::{Member, Members};

/// Where a device stands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Standing<'a> {
    /// A member.
    Active(&'a Member),
    /// It was one.
    Removed,
    /// The control logs that are here do not name it.
    Unknown,
}

/// The team of one space.
#[derive(Debug, Clone)]
pub(crate) struct Team {
    space: SpaceId,
    chains: Chains,
    links: BTreeSet<Link>,
    members: Members,
}

/// What new control packs would do.
#[derive(Debug)]
pub(crate) struct Extended {
    /// The team with them.
    pub(crate) team: Team,
    /// For each pack, whether it brings an entry that continues a log.
    pub(crate) extends: Vec<bool>,
}

impl Team {
    /// Evaluates the open packs of a space; what does not verify counts for nothing.
    pub(crate) fn of(space: SpaceId, packs: &[Vec<u8>]) -> Self {
        let mut chains = Chains::new(space);
        for pack in packs {
            // It was checked when it came; damage on the disk must not shut everybody out.
            let _ = chains.take(pack);
        }
        Self::evaluate(space, chains)
    }

    fn evaluate(space: SpaceId, chains: Chains) -> Self {
        let entries = chains.entries();
        let members = Members::of(&space, &entries);
        let links = entries.iter().map(|entry| entry.link).collect();
        Self { space, chains, links, members }
    }

    /// The one place where it is said who is a member.
    pub(crate) fn standing(&self, device: &DeviceKey) -> Standing<'_> {
        match self.members.devices.get(device) {
            Some(member) => Standing::Active(member),
            None if self.members.removed.contains_key(device) => Standing::Removed,
            None => Standing::Unknown,
        }
    }

    /// Tells whether the device is an active admin.
    pub(crate) fn is_admin(&self, device: &DeviceKey) -> bool {
        matches!(self.standing(device), Standing::Active(member) if member.rights == Rights::Admin)
    }

    /// Returns all active persons.
    pub(crate) fn persons(&self) -> BTreeSet<PersonId> {
        let devices = self.members.devices.keys();
        devices
            .filter_map(|device| match self.standing(device) {
                Standing::Active(member) => Some(member.person),
                Standing::Removed | Standing::Unknown => None,
            })
            .collect()
    }

    /// Returns how many devices are members.
    pub(crate) fn devices(&self) -> usize {
        self.members.devices.len()
    }

    /// Tells whether the space's founding is here.
    pub(crate) fn is_founded(&self) -> bool {
        self.members.founder.is_some()
    }

    /// Adds control packs. `by_member` when a member vouches for them: then also acts of removed
    /// devices are carried, which others may want to see.
    ///
    /// # Errors
    /// What is wrong with a pack; `E-NOTMEMBER` when an entry's author is nobody that the logs
    /// name. Nothing is to be kept then.
    pub(crate) fn extended(&self, packs: &[Vec<u8>], by_member: bool) -> Result<Extended> {
        let mut chains = self.chains.clone();
        let links: Vec<Vec<Link>> =
            packs.iter().map(|pack| chains.take(pack)).collect::<Result<_>>()?;
        let team = Self::evaluate(self.space, chains);
        let mut fresh = BTreeSet::new();
        for entry in team.chains.entries() {
            if self.links.contains(&entry.link) {
                continue;
            }
            let is_admitted = match team.standing(&entry.device) {
                Standing::Active(_) => true,
                Standing::Removed => by_member,
                Standing::Unknown => false,
            };
            if !is_admitted {
                let what = format!("the author of control entry {}", entry.seq);
                return Err(Error::new(Kind::NotMember, what));
            }
            fresh.insert(entry.link);
        }
        // Judged with all packs of the upload, whatever their order; of two with the same entries
        // the first brings them.
        let brings = |links: &Vec<Link>| links.iter().filter(|link| fresh.remove(link)).count() > 0;
        let extends = links.iter().map(brings).collect();
        Ok(Extended { team, extends })
    }
}
