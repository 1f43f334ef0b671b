//! Which acts of governing are valid (protocol section 4, rules 2 to 6 and 8).
//!
//! Acts are judged by the rank of their author at their heads, the best first, inside a rank causes
//! first: so whatever could strike an act was judged before it. Must not know: data logs, epochs.

use std::collections::BTreeMap;

use super::causes::Causes;
use super::control::{Act, Genesis, Grant, Rights};
use super::history::{Deed, History, Past, What};
use super::members::{ControlEntry, Member};
use super::removal::{ExtendCut, Revoke, SetRole};
use crate::error::Kind;
use crate::ids::{DeviceKey, Link, SpaceId};
use crate::record::declare::Role;

/// What judging found.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) founder: Option<DeviceKey>,
    pub(super) history: History,
    pub(super) void: BTreeMap<Link, Kind>,
    /// Invitations that were used, and for which key.
    used: BTreeMap<[u8; 16], DeviceKey>,
}

/// Judges the acts of `order`, which is in the order of `causes`.
pub(super) fn judge(space: &SpaceId, causes: Causes, order: &[&ControlEntry]) -> Judged {
    let mut judged =
        Judged { history: History { causes, ..History::default() }, ..Judged::default() };
    let mut open = Vec::new();
    for (number, entry) in order.iter().enumerate() {
        match &entry.act {
            Act::Genesis(genesis) => judged.found(space, number, entry, genesis),
            Act::Grant(_) | Act::Revoke(_) | Act::SetRole(_) | Act::ExtendCut(_) => {
                open.push(number);
            }
            _ => {}
        }
    }
    let mut rank = Some(0);
    while let Some(current) = rank {
        rank = None;
        let mut rest = Vec::new();
        for number in open {
            let entry = order[number];
            match judged.admin(number, &entry.device).map(|admin| admin.rank) {
                Some(of_author) if of_author <= current => {
                    judged.take(number, entry, of_author);
                }
                worse => {
                    rank = rank.into_iter().chain(worse).min();
                    rest.push(number);
                }
            }
        }
        open = rest;
    }
    for number in open {
        let entry = order[number];
        judged.void.insert(entry.link, Kind::Role);
    }
    judged.note_strangers(order);
    judged
}

impl Judged {
    fn admin(&self, number: usize, author: &DeviceKey) -> Option<Member> {
        let author = self.history.member(author, Past::Before(number))?;
        (author.rights == Rights::Admin).then_some(author)
    }

    fn found(&mut self, space: &SpaceId, number: usize, entry: &ControlEntry, genesis: &Genesis) {
        let is_first = self.founder.is_none() && entry.seq == 1;
        if !is_first || genesis.space() != *space || genesis.founder != entry.device {
            self.void.insert(entry.link, Kind::Role);
            return;
        }
        self.founder = Some(entry.device);
        let member = Member {
            person: genesis.person,
            box_key: genesis.box_key,
            rights: Rights::Admin,
            rank: 0,
            role: Some(Role::R3),
            compartments: vec![super::control::TEAM.to_owned()],
            grant: entry.link,
        };
        self.add(
            entry.device,
            Deed { at: number, by: entry.device, rank: 0, what: What::Grant(member) },
        );
    }

    fn add(&mut self, target: DeviceKey, deed: Deed) {
        let deeds = self.history.deeds.entry(target).or_default();
        let place = deeds.partition_point(|other| other.at < deed.at);
        deeds.insert(place, deed);
    }

    fn take(&mut self, number: usize, entry: &ControlEntry, rank: u64) {
        let outcome = if let Some(kind) = self.history.struck(number, &entry.device) {
            Err(kind)
        } else {
            match &entry.act {
                Act::Grant(grant) => self.grant(number, entry, rank, grant),
                Act::Revoke(revoke) => self.revoke(number, entry, rank, revoke),
                Act::SetRole(change) => self.set_role(number, entry, rank, change),
                Act::ExtendCut(extend) => self.extend(number, extend),
                _ => Ok(()),
            }
        };
        if let Err(kind) = outcome {
            self.void.insert(entry.link, kind);
        }
    }

    fn grant(
        &mut self,
        number: usize,
        entry: &ControlEntry,
        rank: u64,
        grant: &Grant,
    ) -> Result<(), Kind> {
        if grant.rights == Rights::Admin && grant.rank < rank {
            return Err(Kind::Role);
        }
        if self.history.member(&grant.device, Past::Before(number)).is_some() {
            return Err(Kind::Invalid);
        }
        if let Some(invitation) = grant.invitation
            && *self.used.entry(invitation).or_insert(grant.device) != grant.device
        {
            return Err(Kind::Invite);
        }
        let member = Member {
            person: grant.person,
            box_key: grant.box_key,
            rights: grant.rights,
            rank: grant.rank,
            role: Role::from_number(grant.role),
            compartments: grant.compartments.clone(),
            grant: entry.link,
        };
        self.add(
            grant.device,
            Deed { at: number, by: entry.device, rank, what: What::Grant(member) },
        );
        Ok(())
    }

    fn revoke(
        &mut self,
        number: usize,
        entry: &ControlEntry,
        rank: u64,
        revoke: &Revoke,
    ) -> Result<(), Kind> {
        self.target(number, entry, rank, (&revoke.device, &revoke.grant))?;
        let what = What::Revoke(revoke.cuts.clone());
        self.add(revoke.device, Deed { at: number, by: entry.device, rank, what });
        Ok(())
    }

    fn set_role(
        &mut self,
        number: usize,
        entry: &ControlEntry,
        rank: u64,
        change: &SetRole,
    ) -> Result<(), Kind> {
        let now = self.target(number, entry, rank, (&change.device, &change.grant))?;
        if change.rights == Rights::Admin && change.rank < rank {
            return Err(Kind::Role);
        }
        let is_worse =
            now.rights == Rights::Admin && change.rights == Rights::Admin && change.rank > now.rank;
        let what = What::SetRole(change.clone(), is_worse || change.rights < now.rights);
        self.add(change.device, Deed { at: number, by: entry.device, rank, what });
        Ok(())
    }

    /// Returns the member that an act names, if its author may act on it.
    fn target(
        &self,
        number: usize,
        entry: &ControlEntry,
        rank: u64,
        (device, grant): (&DeviceKey, &Link),
    ) -> Result<Member, Kind> {
        let member = self.history.member(device, Past::Before(number)).ok_or(Kind::NotFound)?;
        if member.grant != *grant {
            return Err(Kind::NotFound);
        }
        let is_self = *device == entry.device;
        if member.rights == Rights::Admin && member.rank <= rank && !is_self {
            return Err(Kind::Role);
        }
        Ok(member)
    }

    fn extend(&mut self, number: usize, extend: &ExtendCut) -> Result<(), Kind> {
        let causes = &self.history.causes;
        let of = causes.number(&extend.of).ok_or(Kind::NotFound)?;
        let mut deeds = self.history.deeds.values().flatten();
        let is_cut = |deed: &Deed| deed.at == of && !matches!(deed.what, What::Grant(_));
        if !causes.is_before(of, number) || !deeds.any(is_cut) {
            return Err(Kind::NotFound);
        }
        self.history.extended.entry(extend.of).or_default().extend(&extend.cuts);
        Ok(())
    }

    fn note_strangers(&mut self, order: &[&ControlEntry]) {
        for entry in order {
            if let Act::Grant(grant) = &entry.act
                && !self.history.deeds.contains_key(&grant.device)
            {
                self.history.strangers.insert(grant.device);
            }
        }
    }
}
