//! A slow resolver, written from the rules and not from the code: sets of links, no clocks, no
//! shortcuts. Every question walks the citations anew.

use std::collections::{BTreeMap, BTreeSet};

use tuquan_core::ids::{DeviceKey, Link, SpaceId};
use tuquan_core::team::control::{Act, Rights};
use tuquan_core::team::history::Verdict;
use tuquan_core::team::members::{ControlEntry, Members};
use tuquan_core::team::removal::Cut;

use crate::pen::{DEVICES, data_log, key};

/// How far into data logs verdicts are compared.
const SEQS: u64 = 60;

/// What is compared: members with rights and rank, those that were, void acts, and of each data log
/// whether an entry is accepted and how many acts are against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    members: Vec<(DeviceKey, Rights, u64)>,
    removed: Vec<DeviceKey>,
    void: BTreeSet<Link>,
    verdicts: Vec<Option<Vec<(bool, usize)>>>,
}

/// Says of the core's answer what is compared.
pub(crate) fn seen(members: &Members) -> Seen {
    let verdicts = |device| {
        let pieces = members.standing(&key(device), &data_log(device), None)?;
        let at = |seq| {
            let piece = pieces.iter().rev().find(|piece| piece.first <= seq).expect("a piece");
            match &piece.verdict {
                Verdict::Accepted(_) => (true, 0),
                Verdict::Quarantined(acts) => (false, acts.len()),
            }
        };
        Some((0..SEQS).map(at).collect())
    };
    let all = members.devices.iter();
    Seen {
        members: all.map(|(device, member)| (*device, member.rights, member.rank)).collect(),
        removed: members.removed.keys().copied().collect(),
        void: members.void.keys().copied().collect(),
        verdicts: (0..DEVICES).map(verdicts).collect(),
    }
}

struct World<'a> {
    usable: BTreeMap<Link, &'a ControlEntry>,
    /// Valid acts, and the rank of each author.
    valid: BTreeMap<Link, u64>,
    void: BTreeSet<Link>,
    demotions: BTreeSet<Link>,
}

/// Evaluates by the rules.
pub(crate) fn evaluate(space: &SpaceId, entries: &[ControlEntry]) -> Seen {
    let mut world = World {
        usable: usable(entries),
        valid: BTreeMap::new(),
        void: BTreeSet::new(),
        demotions: BTreeSet::new(),
    };
    let order = world.order();
    let mut founder = None;
    for link in &order {
        let entry = world.usable[link];
        if let Act::Genesis(genesis) = &entry.act {
            let fits = genesis.space() == *space && genesis.founder == entry.device;
            if fits && entry.seq == 1 && founder.is_none() {
                founder = Some(entry.device);
                world.valid.insert(*link, 0);
            } else {
                world.void.insert(*link);
            }
        }
    }
    let governs = |act: &Act| {
        matches!(act, Act::Grant(_) | Act::Revoke(_) | Act::SetRole(_) | Act::ExtendCut(_))
    };
    let acts: Vec<Link> =
        order.iter().copied().filter(|link| governs(&world.usable[link].act)).collect();
    for rank in 0..=8 {
        for link in &acts {
            let is_open = !world.valid.contains_key(link) && !world.void.contains(link);
            if is_open && world.rank_at(link) == Some(rank) {
                world.judge(link, rank, &acts);
            }
        }
    }
    for link in acts {
        if !world.valid.contains_key(&link) {
            world.void.insert(link);
        }
    }
    world.seen(&order)
}

/// An entry counts once all that it cites and all before it in its log count.
fn usable(entries: &[ControlEntry]) -> BTreeMap<Link, &ControlEntry> {
    let mut usable: BTreeMap<Link, &ControlEntry> = BTreeMap::new();
    loop {
        let before = usable.len();
        for entry in entries {
            let has_cited = entry.heads.iter().all(|head| usable.contains_key(head));
            let follows = entry.seq == 0
                || usable.values().any(|e| e.log == entry.log && e.seq + 1 == entry.seq);
            if has_cited && follows {
                usable.insert(entry.link, entry);
            }
        }
        if usable.len() == before {
            return usable;
        }
    }
}

type Status = (Rights, u64, Link);

impl World<'_> {
    fn past(&self, link: &Link) -> BTreeSet<Link> {
        let mut past = BTreeSet::new();
        let mut queue = vec![*link];
        while let Some(at) = queue.pop() {
            let entry = self.usable[&at];
            let own = self.usable.values().filter(|e| e.log == entry.log && e.seq < entry.seq);
            for next in own.map(|e| e.link).chain(entry.heads.iter().copied()) {
                if past.insert(next) {
                    queue.push(next);
                }
            }
        }
        past
    }

    fn is_concurrent(&self, a: &Link, b: &Link) -> bool {
        a != b && !self.past(a).contains(b) && !self.past(b).contains(a)
    }

    /// Again and again the lowest link of those whose past is in order already.
    fn order(&self) -> Vec<Link> {
        let mut order: Vec<Link> = Vec::new();
        while order.len() < self.usable.len() {
            let next = self.usable.keys().find(|link| {
                !order.contains(link) && self.past(link).iter().all(|past| order.contains(past))
            });
            order.push(*next.expect("citations have no circles"));
        }
        order
    }

    fn all(&self) -> BTreeSet<Link> {
        self.usable.keys().copied().collect()
    }

    /// Valid acts on a device in `known` that `pick` takes.
    fn acts(
        &self,
        known: &BTreeSet<Link>,
        device: &DeviceKey,
        pick: fn(&Act) -> Option<DeviceKey>,
    ) -> Vec<Link> {
        let valid = self.valid.keys().filter(|link| known.contains(link));
        valid.filter(|link| pick(&self.usable[link].act) == Some(*device)).copied().collect()
    }

    fn removals(&self, known: &BTreeSet<Link>, device: &DeviceKey) -> Vec<Link> {
        self.acts(known, device, |act| match act {
            Act::Revoke(revoke) => Some(revoke.device),
            _ => None,
        })
    }

    fn grants(&self, known: &BTreeSet<Link>, device: &DeviceKey) -> Vec<Link> {
        self.acts(known, device, |act| match act {
            Act::Genesis(genesis) => Some(genesis.founder),
            Act::Grant(grant) => Some(grant.device),
            _ => None,
        })
    }

    /// Changes of rights under a grant that count, in their order.
    fn changes(&self, known: &BTreeSet<Link>, device: &DeviceKey, grant: &Link) -> Vec<Link> {
        let mut all = self.acts(known, device, |act| match act {
            Act::SetRole(change) => Some(change.device),
            _ => None,
        });
        let removals = self.removals(known, device);
        all.retain(|link| {
            let Act::SetRole(change) = &self.usable[link].act else { return false };
            change.grant == *grant && !removals.iter().any(|r| self.is_concurrent(r, link))
        });
        let mut chain = Vec::new();
        while !all.is_empty() {
            let last = all.iter().filter(|a| !all.iter().any(|b| self.past(b).contains(a)));
            let winner = *last.min_by_key(|link| (self.valid[link], **link)).expect("one is last");
            chain.insert(0, winner);
            let past = self.past(&winner);
            all.retain(|link| past.contains(link));
        }
        chain
    }

    fn status(&self, known: &BTreeSet<Link>, device: &DeviceKey) -> Option<Status> {
        let removals = self.removals(known, device);
        let mut grants = self.grants(known, device);
        grants.retain(|grant| removals.iter().all(|r| self.past(grant).contains(r)));
        let grant = grants.into_iter().min_by_key(|grant| (self.valid[grant], *grant))?;
        let granted = match &self.usable[&grant].act {
            Act::Grant(one) => (one.rights, one.rank, grant),
            _ => (Rights::Admin, 0, grant),
        };
        let last = self.changes(known, device, &grant).pop();
        Some(match last.map(|link| &self.usable[&link].act) {
            Some(Act::SetRole(change)) => (change.rights, change.rank, grant),
            _ => granted,
        })
    }

    fn rank_at(&self, link: &Link) -> Option<u64> {
        let status = self.status(&self.past(link), &self.usable[link].device)?;
        (status.0 == Rights::Admin).then_some(status.1)
    }

    fn judge(&mut self, link: &Link, rank: u64, acts: &[Link]) {
        let entry = self.usable[link];
        let past = self.past(link);
        let against = self.valid.keys().any(|other| {
            let act = self.usable[other];
            let takes = match &act.act {
                Act::Revoke(revoke) => revoke.device == entry.device,
                Act::SetRole(change) => {
                    change.device == entry.device && self.demotions.contains(other)
                }
                _ => false,
            };
            takes && act.device != entry.device && self.is_concurrent(other, link)
        });
        let may_act_on = |device: &DeviceKey, grant: &Link| {
            self.status(&past, device).filter(|status| {
                let is_better = status.0 == Rights::Admin && status.1 <= rank;
                status.2 == *grant && (!is_better || *device == entry.device)
            })
        };
        let is_valid = !against
            && match &entry.act {
                Act::Grant(grant) => {
                    let used = |other: &&Link| match &self.usable[*other].act {
                        Act::Grant(one) => {
                            one.invitation.is_some()
                                && one.invitation == grant.invitation
                                && one.device != grant.device
                        }
                        _ => false,
                    };
                    let is_fit = grant.rights != Rights::Admin || grant.rank >= rank;
                    let taken =
                        acts.iter().filter(|o| self.valid.contains_key(*o)).any(|o| used(&o));
                    is_fit && self.status(&past, &grant.device).is_none() && !taken
                }
                Act::Revoke(revoke) => may_act_on(&revoke.device, &revoke.grant).is_some(),
                Act::SetRole(change) => match may_act_on(&change.device, &change.grant) {
                    Some(now) if change.rights != Rights::Admin || change.rank >= rank => {
                        let loses =
                            change.rights < now.0 || now.0 == Rights::Admin && change.rank > now.1;
                        if loses {
                            self.demotions.insert(*link);
                        }
                        true
                    }
                    _ => false,
                },
                Act::ExtendCut(extend) => {
                    let of = self.usable.get(&extend.of).map(|of| &of.act);
                    let is_cut = matches!(of, Some(Act::Revoke(_) | Act::SetRole(_)));
                    is_cut && self.valid.contains_key(&extend.of) && past.contains(&extend.of)
                }
                _ => false,
            };
        if is_valid {
            self.valid.insert(*link, rank);
        } else {
            self.void.insert(*link);
        }
    }

    fn end(&self, act: &Link, device: usize) -> u64 {
        let log = data_log(device);
        let own: &[Cut] = match &self.usable[act].act {
            Act::Revoke(revoke) => &revoke.cuts,
            Act::SetRole(change) => &change.cuts,
            _ => &[],
        };
        let mut end = 0;
        for cut in own.iter().filter(|cut| cut.log == log) {
            end = end.max(cut.last + 1);
        }
        for link in self.valid.keys() {
            if let Act::ExtendCut(extend) = &self.usable[link].act
                && extend.of == *act
            {
                for cut in extend.cuts.iter().filter(|cut| cut.log == log) {
                    end = end.max(cut.last + 1);
                }
            }
        }
        end
    }

    fn verdicts(&self, device: usize, order: &[Link]) -> Option<Vec<(bool, usize)>> {
        let (all, target) = (self.all(), key(device));
        let grants = self.grants(&all, &target);
        let Some(grant) = order.iter().rev().find(|link| grants.contains(link)) else {
            let named = self.usable.values().any(|e| match &e.act {
                Act::Grant(grant) => grant.device == target,
                _ => false,
            });
            return named.then(|| vec![(false, 0); SEQS as usize]);
        };
        let changes = self.changes(&all, &target, grant);
        let mut removals = self.removals(&all, &target);
        removals.retain(|removal| !self.past(grant).contains(removal));
        let at = |seq: u64| {
            let stays = removals.iter().map(|removal| self.end(removal, device)).max();
            if stays.is_some_and(|end| seq >= end) {
                return (false, removals.len());
            }
            let last = changes.iter().rev().find(|change| self.end(change, device) <= seq);
            let (rights, by) = match last.map(|link| &self.usable[link].act) {
                Some(Act::SetRole(change)) => (change.rights, 1),
                _ => match &self.usable[grant].act {
                    Act::Grant(one) => (one.rights, 0),
                    _ => (Rights::Admin, 0),
                },
            };
            if rights == Rights::Reader { (false, by) } else { (true, 0) }
        };
        Some((0..SEQS).map(at).collect())
    }

    fn seen(&self, order: &[Link]) -> Seen {
        let all = self.all();
        let mut keys: Vec<DeviceKey> = (0..DEVICES).map(key).collect();
        keys.sort_unstable();
        let mut seen = Seen {
            members: Vec::new(),
            removed: Vec::new(),
            void: self.void.clone(),
            verdicts: (0..DEVICES).map(|device| self.verdicts(device, order)).collect(),
        };
        for device in keys {
            match self.status(&all, &device) {
                Some((rights, rank, _)) => seen.members.push((device, rights, rank)),
                None if !self.grants(&all, &device).is_empty() => seen.removed.push(device),
                None => {}
            }
        }
        seen
    }
}
