//! The valid acts on each device, and what follows from them: who is a member at any point of the
//! team's history, and which of a device's data stands.
//!
//! Must not know: how an act is found valid; epochs; the database.

use std::collections::{BTreeMap, BTreeSet};

use super::causes::Causes;
use super::control::Rights;
use super::members::Member;
use super::removal::{Cut, SetRole};
use crate::error::Kind;
use crate::ids::{DeviceKey, Link, LogId};
use crate::record::declare::Role;

/// From where a question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// With all that is known now.
    Now,
    /// With what the entry of this number knew.
    Before(usize),
}

/// What a valid act does to its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Makes it a member.
    Grant(Member),
    /// Ends its membership; up to where its data stays.
    Revoke(Vec<Cut>),
    /// Changes its rights; whether it takes some away.
    SetRole(SetRole, bool),
}

/// A valid act on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// The entry's number.
    pub at: usize,
    /// The author.
    pub by: DeviceKey,
    /// The author's rank at its heads.
    pub rank: u64,
    /// What it does.
    pub what: What,
}

/// What becomes of an entry of a data log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes into views, with the role of its author then.
    Accepted(Option<Role>),
    /// It is kept apart. With one of these acts it lost its right; nobody who knew any of them may
    /// build on it. When there are none, nobody may.
    Quarantined(Vec<Link>),
}

/// The verdict on the entries of a log from `first` up to the next piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The first entry.
    pub first: u64,
    /// What becomes of it and those after it.
    pub verdict: Verdict,
}

/// The valid acts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    pub(super) causes: Causes,
    pub(super) deeds: BTreeMap<DeviceKey, Vec<Deed>>,
    /// Cuts that were moved: by the act that made them.
    pub(super) extended: BTreeMap<Link, Vec<Cut>>,
    /// Devices that only void acts granted.
    pub(super) strangers: BTreeSet<DeviceKey>,
}

impl History {
    /// Returns every device that a valid act ever granted.
    pub fn devices(&self) -> impl Iterator<Item = &DeviceKey> {
        self.deeds.keys()
    }

    /// Returns a device's membership as it is seen from `past`; none when it is no member there.
    #[must_use]
    pub fn member(&self, device: &DeviceKey, past: Past) -> Option<Member> {
        let deeds = self.deeds.get(device)?;
        let removals = self.removals(deeds, past);
        let is_whole = |deed: &&Deed| removals.iter().all(|r| self.causes.is_before(r.at, deed.at));
        let grants = deeds.iter().filter(|deed| matches!(deed.what, What::Grant(_)));
        let grants = grants.filter(|deed| self.sees(past, deed.at)).filter(is_whole);
        let grant = grants.min_by_key(|deed| (deed.rank, self.causes.link(deed.at)))?;
        let What::Grant(granted) = &grant.what else {
            return None;
        };
        let mut member = granted.clone();
        if let Some((_, change)) = self.changes(deeds, grant, past).last() {
            member.rights = change.rights;
            member.rank = change.rank;
            member.role = Role::from_number(change.role);
            member.compartments.clone_from(&change.compartments);
        }
        Some(member)
    }

    /// Returns the grant that a device had last, and the removals that ended it.
    #[must_use]
    pub fn removed(&self, device: &DeviceKey) -> Option<(Member, Vec<Link>)> {
        let deeds = self.deeds.get(device)?;
        let last = deeds.iter().rev().find_map(|deed| match &deed.what {
            What::Grant(member) => Some(member.clone()),
            _ => None,
        })?;
        let removals = self.removals(deeds, Past::Now);
        Some((last, removals.iter().map(|deed| self.causes.link(deed.at)).collect()))
    }

    /// Returns why an entry of `author` has no effect whatever it says: it is concurrent with a valid
    /// act of another that removes or demotes it, or its author knew that it had signed two histories
    /// of one log and is to be replaced.
    #[must_use]
    pub fn struck(&self, number: usize, author: &DeviceKey) -> Option<Kind> {
        let deeds = self.deeds.get(author).map(Vec::as_slice).unwrap_or_default();
        let is_struck = deeds.iter().any(|deed| {
            matches!(deed.what, What::Revoke(_) | What::SetRole(_, true))
                && deed.by != *author
                && self.causes.are_concurrent(deed.at, number)
        });
        match is_struck {
            true => Some(Kind::AfterRemoval),
            false => self.causes.knows_fork(number, author).then_some(Kind::Fork),
        }
    }

    /// Returns the verdicts on a data log, in order and without a gap; none for a device that
    /// nobody granted. `claimed` is the grant that the log's first entry names, where it is here;
    /// `end` gives the first entry of the log past a cut that names it.
    #[must_use]
    pub fn standing(
        &self,
        device: &DeviceKey,
        log: &LogId,
        claimed: Option<Link>,
        end: &dyn Fn(&Cut) -> u64,
    ) -> Option<Vec<Piece>> {
        let Some(deeds) = self.deeds.get(device) else {
            let stranger = Piece { first: 0, verdict: Verdict::Quarantined(Vec::new()) };
            return self.strangers.contains(device).then(|| vec![stranger]);
        };
        let grant = self.grant_of(deeds, claimed)?;
        let What::Grant(member) = &grant.what else {
            return None;
        };
        let mut pieces = vec![piece(0, member.rights, member.role, &[])];
        for (link, change) in self.changes(deeds, grant, Past::Now) {
            let first = self.end(&link, &change.cuts, log, end);
            let role = Role::from_number(change.role);
            append(&mut pieces, piece(first, change.rights, role, &[link]));
        }
        let mut removals = self.removals(deeds, Past::Now);
        removals.retain(|removal| !self.causes.is_before(removal.at, grant.at));
        let ends = removals.iter().map(|removal| match &removal.what {
            What::Revoke(cuts) => self.end(&self.causes.link(removal.at), cuts, log, end),
            _ => 0,
        });
        if let Some(first) = ends.max() {
            let mut lifts: Vec<Link> = removals.iter().map(|r| self.causes.link(r.at)).collect();
            lifts.sort_unstable();
            append(&mut pieces, Piece { first, verdict: Verdict::Quarantined(lifts) });
        }
        Some(pieces)
    }

    /// Tells whether a device was granted more than once, so that its logs say under which.
    #[must_use]
    pub fn has_grants(&self, device: &DeviceKey) -> bool {
        let deeds = self.deeds.get(device).map(Vec::as_slice).unwrap_or_default();
        deeds.iter().filter(|deed| matches!(deed.what, What::Grant(_))).count() > 1
    }

    fn sees(&self, past: Past, number: usize) -> bool {
        match past {
            Past::Now => true,
            Past::Before(entry) => self.causes.is_before(number, entry),
        }
    }

    fn removals<'a>(&self, deeds: &'a [Deed], past: Past) -> Vec<&'a Deed> {
        let removals = deeds.iter().filter(|deed| matches!(deed.what, What::Revoke(_)));
        removals.filter(|deed| self.sees(past, deed.at)).collect()
    }

    /// Returns the grant that a log relies on: the one that it names, else the last.
    fn grant_of<'a>(&self, deeds: &'a [Deed], claimed: Option<Link>) -> Option<&'a Deed> {
        let is_grant = |deed: &&Deed| matches!(deed.what, What::Grant(_));
        let named = claimed.and_then(|link| {
            deeds.iter().filter(is_grant).find(|deed| self.causes.link(deed.at) == link)
        });
        named.or_else(|| deeds.iter().rev().find(is_grant))
    }

    /// Returns the changes of rights under a grant that count, each after the one before it. Of
    /// concurrent ones the better-ranked author's counts, then the lower link; one that is
    /// concurrent with a removal does not.
    fn changes<'a>(&self, deeds: &'a [Deed], grant: &Deed, past: Past) -> Vec<(Link, &'a SetRole)> {
        let removals = self.removals(deeds, past);
        let granted = self.causes.link(grant.at);
        let mut candidates: Vec<(&Deed, &SetRole)> = deeds
            .iter()
            .filter(|deed| self.sees(past, deed.at))
            .filter(|deed| !removals.iter().any(|r| self.causes.are_concurrent(r.at, deed.at)))
            .filter_map(|deed| match &deed.what {
                What::SetRole(change, _) if change.grant == granted => Some((deed, change)),
                _ => None,
            })
            .collect();
        let mut chain = Vec::new();
        loop {
            let is_last = |deed: &Deed| {
                !candidates.iter().any(|(other, _)| self.causes.is_before(deed.at, other.at))
            };
            let last = candidates.iter().filter(|(deed, _)| is_last(deed));
            let winner = last.min_by_key(|(deed, _)| (deed.rank, self.causes.link(deed.at)));
            let Some((winner, change)) = winner.copied() else {
                break;
            };
            chain.push((self.causes.link(winner.at), change));
            candidates.retain(|(deed, _)| self.causes.is_before(deed.at, winner.at));
        }
        chain.reverse();
        chain
    }

    /// Returns the first entry of a log that lies past the cut of an act.
    fn end(&self, act: &Link, cuts: &[Cut], log: &LogId, end: &dyn Fn(&Cut) -> u64) -> u64 {
        let extended = self.extended.get(act).map(Vec::as_slice).unwrap_or_default();
        let ends = cuts.iter().chain(extended).filter(|cut| cut.log == *log);
        ends.map(end).max().unwrap_or(0)
    }
}

fn piece(first: u64, rights: Rights, role: Option<Role>, by: &[Link]) -> Piece {
    let verdict = match rights {
        Rights::Reader => Verdict::Quarantined(by.to_vec()),
        Rights::Writer | Rights::Admin => Verdict::Accepted(role),
    };
    Piece { first, verdict }
}

/// Adds a piece, which governs everything from its first entry on.
fn append(pieces: &mut Vec<Piece>, piece: Piece) {
    pieces.retain(|before| before.first < piece.first);
    pieces.push(piece);
}
