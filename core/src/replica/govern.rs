//! Governing the team: granting, removing, changing rights, accepting what was kept apart, and
//! keeping a key that only members hold.
//!
//! A removal commits together with the key that follows it. Must not know: screens, how cards and
//! bundles travel.

use std::collections::BTreeSet;

use rusqlite::Transaction;

use super::Replica;
use super::ingest::link_at;
use super::mind::{CONTROL_FORKED, Mind};
use super::write::{act, open_log};
use crate::clock::Env;
use crate::error::{Error, Kind, Result};
use crate::ids::{BoxKey, DeviceKey, EpochId, Link, LogId, PersonId};
use crate::log::chain::Sort;
use crate::record::declare::Role;
use crate::team::control::{Act, Grant, PARENTS_MAX, Rights, Share, TEAM};
use crate::team::epoch::{self, EpochSecret};
use crate::team::history::Verdict;
use crate::team::keys::Epoch;
use crate::team::members::Member;
use crate::team::removal::{CUTS_MAX, Cut, ExtendCut, Revoke, SetRole};

/// Whom to make a member, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantOf {
    /// The device.
    pub device: DeviceKey,
    /// Its key for lockboxes.
    pub box_key: BoxKey,
    /// Whose device it is; none for a person of whom it is the first one.
    pub person: Option<PersonId>,
    /// What it may do.
    pub rights: Rights,
    /// Its domain role.
    pub role: Role,
    /// The invitation that it answers.
    pub invitation: Option<[u8; 16]>,
}

impl GrantOf {
    /// A writer with a domain role, the first device of its person.
    #[must_use]
    pub fn writer(device: DeviceKey, box_key: BoxKey, role: Role) -> Self {
        Self { device, box_key, person: None, rights: Rights::Writer, role, invitation: None }
    }
}

impl Replica {
    /// Makes another device a member, and gives it the key that is in use; older ones open by it.
    ///
    /// # Errors
    /// `E-ROLE` when this device may not, or for rights that nobody grants yet; `E-KEY` for bad
    /// keys; `E-GAP` while the own control log lacks entries after damage or a restore, `E-FORK` when
    /// it has two histories; `E-INVALID` when it is a member already; `E-INVITE` when another device
    /// answered the invitation; of the store.
    pub fn grant(&mut self, of: &GrantOf) -> Result<()> {
        let GrantOf { device, box_key, person, rights, role, invitation } = *of;
        crate::crypto::check_device_key(&device)?;
        crate::crypto::check_box_key(&box_key)?;
        check_admin(&self.mind)?;
        if rights == Rights::Admin {
            return Err(Error::new(Kind::Role, "a team has one admin so far"));
        }
        if self.mind.members.devices.contains_key(&device) {
            return Err(Error::new(Kind::Invalid, "this device is a member already"));
        }
        self.transact(|transaction, mind, env| {
            let person = person.unwrap_or_else(|| PersonId(env.random()));
            let compartments = vec![TEAM.to_owned()];
            let grant = Grant {
                person,
                device,
                box_key,
                rights,
                rank: 0,
                role: role as u64,
                compartments,
                invitation,
            };
            govern(transaction, mind, env, &Act::Grant(grant))?;
            keep_keys(transaction, mind, env)
        })?;
        self.settle_views().map(drop)
    }

    /// Removes a device: it reads nothing that is written by anyone who knows, and what it writes
    /// from now on is kept apart. What is here of its log up to now stays.
    ///
    /// # Errors
    /// `E-ROLE` when this device may not; `E-NOTMEMBER`, `E-REMOVED` when there is nothing to
    /// remove; `E-INVALID` for this very device; of the store.
    pub fn remove(&mut self, device: &DeviceKey) -> Result<()> {
        let target = check_target(&self.mind, device)?;
        self.transact(|transaction, mind, env| {
            let mut cuts = cuts(mind, device, &target)?;
            let rest = cuts.split_off(cuts.len().min(CUTS_MAX));
            let revoke = Revoke { device: *device, grant: target.grant, cuts };
            govern(transaction, mind, env, &Act::Revoke(revoke))?;
            extend_by(transaction, mind, env, device, rest)?;
            rotate(transaction, mind, env)
        })?;
        self.settle_views().map(drop)
    }

    /// Gives a member other rights and another domain role. What is here of its log up to now is
    /// judged by the old ones.
    ///
    /// # Errors
    /// As [`Replica::remove`]; `E-ROLE` for rights that nobody grants yet.
    pub fn set_role(&mut self, device: &DeviceKey, rights: Rights, role: Role) -> Result<()> {
        let target = check_target(&self.mind, device)?;
        if rights == Rights::Admin {
            return Err(Error::new(Kind::Role, "a team has one admin so far"));
        }
        self.transact(|transaction, mind, env| {
            let mut cuts = cuts(mind, device, &target)?;
            let rest = cuts.split_off(cuts.len().min(CUTS_MAX));
            let change = SetRole {
                device: *device,
                grant: target.grant,
                rights,
                rank: 0,
                role: role as u64,
                compartments: target.compartments.clone(),
                cuts,
            };
            govern(transaction, mind, env, &Act::SetRole(change))?;
            extend_by(transaction, mind, env, device, rest)
        })?;
        self.settle_views().map(drop)
    }

    /// Accepts what was kept apart of a log, up to and with entry `last`.
    ///
    /// # Errors
    /// `E-ROLE` when this device may not; `E-NOTFOUND` when nothing of it is kept apart;
    /// `E-INVALID` when no removal is the reason, so that no cut can be moved; of the store.
    pub fn accept_quarantined(&mut self, log: &LogId, last: u64) -> Result<()> {
        check_admin(&self.mind)?;
        let missing = || Error::new(Kind::NotFound, format!("entry {last} of log {log}"));
        self.transact(|transaction, mind, env| {
            let index = *mind.by_id.get(log).ok_or_else(missing)?;
            let known = &mind.logs[index];
            if last >= known.row.next {
                return Err(missing());
            }
            let mut acts = BTreeSet::new();
            for piece in known.pieces.iter().filter(|piece| piece.first <= last) {
                if let Verdict::Quarantined(by) = &piece.verdict {
                    let without = || Error::new(Kind::Invalid, "its author had no right ever");
                    acts.insert(*by.first().ok_or_else(without)?);
                }
            }
            if acts.is_empty() {
                return Err(missing());
            }
            let (link, _) = link_at(transaction, mind, index, last + 1)?;
            for of in acts {
                let cuts = vec![Cut { log: mind.root(log), last, link }];
                govern(transaction, mind, env, &Act::ExtendCut(ExtendCut { of, cuts }))?;
            }
            Ok(())
        })?;
        self.settle_views().map(drop)
    }

    /// Makes sure that there is a key that only members hold, and that all of them have it; done
    /// before anything leaves the phone. Costs nothing when that is so.
    ///
    /// # Errors
    /// Of the store.
    pub(super) fn keep_keys(&mut self) -> Result<()> {
        if self.mind.space().is_err() || !lacks_keys(&self.mind)? {
            return Ok(());
        }
        self.transact(keep_keys)
    }
}

fn check_admin(mind: &Mind) -> Result<&Member> {
    let me = mind.members.member(&mind.identity()?.secret.device_key())?;
    if me.rights < Rights::Admin {
        return Err(Error::new(Kind::Role, "only an admin governs"));
    }
    Ok(me)
}

/// Returns the member that this device may act on.
fn check_target(mind: &Mind, device: &DeviceKey) -> Result<Member> {
    let me = check_admin(mind)?;
    if *device == mind.identity()?.secret.device_key() {
        return Err(Error::new(Kind::Invalid, "the only admin cannot remove or change itself"));
    }
    let target = mind.members.member(device)?;
    if target.rights == Rights::Admin && target.rank <= me.rank {
        return Err(Error::new(Kind::Role, "an admin of equal or better rank"));
    }
    Ok(target.clone())
}

/// Names what is here, without a gap, of the data logs under a device's grant.
fn cuts(mind: &Mind, device: &DeviceKey, target: &Member) -> Result<Vec<Cut>> {
    let several = mind.members.has_grants(device);
    let logs = mind.logs.iter().filter(|log| {
        let is_of_grant = !several || log.grant == Some(target.grant);
        log.row.sort == Sort::Data && log.row.device == *device && is_of_grant && log.row.has_any()
    });
    let mut cuts: Vec<Cut> = logs
        .map(|log| Cut { log: mind.root(&log.row.id), last: log.row.next - 1, link: log.row.link })
        .collect();
    cuts.sort_unstable();
    Ok(cuts)
}

/// Adds the cuts that one act had no room for; the act is the last that the control log has.
fn extend_by(
    transaction: &Transaction<'_>,
    mind: &mut Mind,
    env: &mut Env,
    device: &DeviceKey,
    rest: Vec<Cut>,
) -> Result<()> {
    let own = control_log(mind, &mind.identity()?.secret.device_key());
    let Some(of) = own.map(|own| mind.logs[own].row.link) else {
        return Err(Error::new(Kind::NotReady, format!("no act on device {device}")));
    };
    for part in rest.chunks(CUTS_MAX) {
        let extend = ExtendCut { of, cuts: part.to_vec() };
        govern(transaction, mind, env, &Act::ExtendCut(extend))?;
    }
    Ok(())
}

fn control_log(mind: &Mind, device: &DeviceKey) -> Option<usize> {
    let is_own =
        |log: &super::mind::KnownLog| log.row.sort == Sort::Control && log.row.device == *device;
    mind.logs.iter().rposition(is_own)
}

/// Appends an act to the own control log, which is opened by it.
fn govern(
    transaction: &Transaction<'_>,
    mind: &mut Mind,
    env: &mut Env,
    what: &Act,
) -> Result<Link> {
    let index = own_control_log(transaction, mind, env)?;
    act(transaction, mind, env, index, what)?;
    Ok(mind.logs[index].row.link)
}

fn own_control_log(transaction: &Transaction<'_>, mind: &mut Mind, env: &mut Env) -> Result<usize> {
    match control_log(mind, &mind.identity()?.secret.device_key()) {
        Some(index) if mind.grows_here(&mind.logs[index].row.id) => Ok(index),
        Some(_) if mind.control_next == CONTROL_FORKED => {
            Err(Error::new(Kind::Fork, "the own control log has two histories"))
        }
        Some(_) => {
            let what = "the own control log may lack entries: its storage was damaged or restored";
            Err(Error::new(Kind::Gap, what))
        }
        None => open_log(transaction, mind, env, Sort::Control),
    }
}

/// Tells whether this device is to make a key or to give one to somebody.
fn lacks_keys(mind: &Mind) -> Result<bool> {
    let me = mind.identity()?.secret.device_key();
    let is_writer = mind.members.check_writer(&me).is_ok_and(|member| member.reads(TEAM));
    // A control log that rests makes no keys; that must not keep the rest from leaving.
    let rests = control_log(mind, &me).is_some_and(|own| !mind.grows_here(&mind.logs[own].row.id));
    if !is_writer || rests {
        return Ok(false);
    }
    Ok(match mind.members.eligible().first() {
        None => true,
        Some(epoch) => mind.epochs.contains_key(&epoch.id) && !unshared(mind, epoch).is_empty(),
    })
}

/// Makes a key when none may seal; gives the one in use to members that do not have it.
fn keep_keys(transaction: &Transaction<'_>, mind: &mut Mind, env: &mut Env) -> Result<()> {
    if mind.members.eligible().is_empty() {
        rotate(transaction, mind, env)?;
    }
    let members = std::sync::Arc::clone(&mind.members);
    let Some(epoch) = members.eligible().first().copied() else {
        return Ok(());
    };
    let Some(secret) = mind.epochs.get(&epoch.id).cloned() else {
        return Ok(());
    };
    let space = mind.space()?;
    for (device, box_key) in unshared(mind, epoch) {
        let to = (&device, &box_key);
        let lockbox = epoch::lock(&space, &epoch.id, &secret, to, &mut *env.rng)?;
        let share = Share { epoch: epoch.id, compartment: TEAM.to_owned(), lockbox };
        govern(transaction, mind, env, &Act::Share(share))?;
    }
    Ok(())
}

fn unshared(mind: &Mind, epoch: &Epoch) -> Vec<(DeviceKey, BoxKey)> {
    let mut lacking = mind.members.entitled();
    lacking.retain(|(device, _)| !epoch.holders.contains(device));
    lacking
}

/// Makes a new key for exactly those entitled now; it follows what is held that nothing follows.
fn rotate(transaction: &Transaction<'_>, mind: &mut Mind, env: &mut Env) -> Result<()> {
    let space = mind.space()?;
    let index = own_control_log(transaction, mind, env)?;
    let row = &mind.logs[index].row;
    let (log, seq) = (row.id, row.next);
    let (parents, entitled) = (frontier(mind)?, mind.members.entitled());
    let made = epoch::make(&space, (&log, seq), &parents, &entitled, &mut *env.rng)?;
    act(transaction, mind, env, index, &Act::Epoch(made))?;
    mind.open_lockboxes(transaction).map(drop)
}

/// Returns the epochs that are held and that no other that is held follows, the deepest first.
fn frontier(mind: &Mind) -> Result<Vec<(EpochId, EpochSecret)>> {
    let space = mind.space()?;
    let held = mind.members.epochs.values().filter_map(|epoch| {
        let secret = mind.epochs.get(&epoch.id)?;
        (epoch.compartment == TEAM && secret.makes(&space, epoch)).then_some((epoch, secret))
    });
    let held: Vec<(&Epoch, &EpochSecret)> = held.collect();
    let followed: BTreeSet<EpochId> =
        held.iter().flat_map(|(epoch, _)| epoch.parents.iter().copied()).collect();
    let mut last: Vec<_> = held.into_iter().filter(|(e, _)| !followed.contains(&e.id)).collect();
    last.sort_unstable_by_key(|(epoch, _)| std::cmp::Reverse((epoch.depth, epoch.id)));
    last.truncate(PARENTS_MAX);
    Ok(last.into_iter().map(|(epoch, secret)| (epoch.id, secret.clone())).collect())
}
