//! Bundles made from a replica and taken into one; joining a team by a bundle.
//!
//! Invariant: a device joins only a team whose genesis gives the bundle's space and that has
//! granted this very device; else nothing is stored. Must not know: files, screens.

use std::collections::BTreeSet;

use crate::error::{Error, Kind, Result};
use crate::ids::{DeviceKey, SpaceId};
use crate::log::chain::Sort;
use crate::log::pack::Header;
use crate::record::declare::Role;
use crate::replica::Changed;
use crate::replica::Replica;
use crate::replica::branch;
use crate::replica::govern::GrantOf;
use crate::replica::outgoing::{self, Vector};
use crate::sync::bundle::{Bundle, BundleWriter, Parsed};
use crate::sync::card::Card;
use crate::team::chains::Chains;
use crate::team::members::{ControlEntry, Members};

/// The zstd level of bundles: they are made once and carried often.
pub const LEVEL: i32 = 9;

/// What became of a bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BundleOutcome {
    /// Whether this device joined the team by it.
    pub joined: bool,
    /// Entries that are new here.
    pub entries: u64,
    /// Entries that were here already.
    pub duplicates: u64,
    /// Of the new ones: those that are kept apart, written past a removal.
    pub quarantined: u64,
    /// Records that changed, each once.
    pub changed: Vec<Changed>,
    /// Packs that wait for a key, an author or a team list.
    pub held: u64,
    /// Why packs were refused, and lockboxes that do not open.
    pub refused: Vec<Error>,
    /// Logs of which another history came (`E-FORK`), with their devices: both are kept.
    pub forked: Vec<Error>,
    /// How much of the bundle came, when its end is missing.
    pub truncated: Option<Error>,
}

impl Replica {
    /// Makes a bundle of everything, or of what a peer with the vector `peer` lacks.
    ///
    /// # Errors
    /// `E-NOTREADY` without a team, `E-WAIT-KEY` without its key; of the store.
    pub fn export_bundle(
        &mut self,
        peer: Option<&Vector>,
        newest_first: bool,
        level: i32,
    ) -> Result<Vec<u8>> {
        let nothing = Vector::default();
        self.bundle(peer.unwrap_or(&nothing), newest_first, level, &[Sort::Control, Sort::Data])
    }

    /// Makes the device of a card a writer, unless it is a member already, and returns the bundle
    /// that it joins with: the team list, and all records when `with_history`.
    ///
    /// # Errors
    /// `E-ROLE` when this device may not grant; `E-KEY`; of the store.
    pub fn grant_bundle(&mut self, card: &Card, role: Role, with_history: bool) -> Result<Vec<u8>> {
        self.admission_bundle(&GrantOf::writer(card.device, card.unbox, role), with_history)
    }

    /// As [`Replica::grant_bundle`], for any grant.
    ///
    /// # Errors
    /// As [`Replica::grant_bundle`].
    pub fn admission_bundle(&mut self, of: &GrantOf, with_history: bool) -> Result<Vec<u8>> {
        if !is_member(&self.mind.members, &of.device)? {
            self.grant(of)?;
        }
        let sorts: &[Sort] =
            if with_history { &[Sort::Control, Sort::Data] } else { &[Sort::Control] };
        self.bundle(&Vector::default(), false, LEVEL, sorts)
    }

    fn bundle(
        &mut self,
        peer: &Vector,
        newest_first: bool,
        level: i32,
        sorts: &[Sort],
    ) -> Result<Vec<u8>> {
        self.seal()?;
        let space = self.mind.space()?;
        let mut stretches = outgoing::lacking(&self.connection, &self.mind, peer)?;
        stretches.retain(|stretch| sorts.contains(&self.mind.logs[stretch.index].row.sort));
        if newest_first {
            stretches = outgoing::newest_first(&self.connection, &self.mind, stretches)?;
        }
        let (mut packs, mut entries) = (Vec::with_capacity(stretches.len()), 0);
        let (connection, mind) = (&self.connection, &self.mind);
        for stretch in stretches {
            entries += stretch.count();
            let made = outgoing::pack(connection, mind, &mut self.env, stretch, level, None)?;
            packs.extend(made.into_iter().map(|(_, bytes)| bytes));
        }
        let count = |n: u64| {
            u32::try_from(n).map_err(|_| Error::new(Kind::Size, format!("{n} in a bundle")))
        };
        let (packs_n, entries) = (count(packs.len() as u64)?, count(entries)?);
        let mut to = BundleWriter::start(Vec::new(), &space, packs_n, entries)?;
        for pack in packs {
            to.push(&pack)?;
        }
        to.finish()
    }

    /// Takes in a bundle; `progress` gets (done, all) packs. It may come in any order and any
    /// number of times. A device without a team joins by it.
    ///
    /// # Errors
    /// What makes the whole bundle worthless: `E-MAGIC`, `E-NEWER`, `E-SPACE`, `E-TRAIL`,
    /// `E-BODY`, `E-SIZE`; `E-NOTMEMBER` when it was to join by it and was not granted; of the
    /// store. Packs refused one by one are in the outcome.
    pub fn import_bundle(
        &mut self,
        bytes: &[u8],
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<BundleOutcome> {
        let parsed = Bundle::read(bytes)?;
        let mut outcome = BundleOutcome::default();
        match &parsed.complete {
            Ok(()) => {}
            Err(error) if error.kind == Kind::Truncated => outcome.truncated = Some(error.clone()),
            Err(error) => return Err(error.clone()),
        }
        match self.mind.identity()?.space {
            Some(space) if space != parsed.space => {
                return Err(Error::new(Kind::Space, "a bundle of another team"));
            }
            Some(_) => {}
            None => {
                self.join(&parsed)?;
                outcome.joined = true;
            }
        }
        // Team lists first, whatever the order in the file: what follows is judged by them.
        let is_open = |pack: &&[u8]| Header::read(pack).is_ok_and(|header| header.open);
        let (control, data): (Vec<&[u8]>, Vec<&[u8]>) =
            parsed.packs.iter().partition(|p| is_open(p));
        let all = parsed.packs.len() as u64;
        let mut changed = BTreeSet::new();
        for (done, bytes) in (1..).zip(control.into_iter().chain(data)) {
            match self.ingest(bytes) {
                Ok(ingested) => {
                    outcome.entries += ingested.entries;
                    outcome.duplicates += ingested.duplicates;
                    outcome.quarantined += ingested.quarantined;
                    outcome.refused.extend(ingested.broken);
                    let device = ingested.forked.and_then(|log| self.mind.log(&log));
                    let device = device.map(|log| log.row.device);
                    outcome.forked.extend(device.map(|device| branch::told(&device)));
                    outcome.held += u64::from(ingested.held.is_some());
                    let new = ingested.changed.into_iter();
                    outcome.changed.extend(new.filter(|record| changed.insert(record.clone())));
                }
                Err(error) if is_of_store(error.kind) => return Err(error),
                Err(error) => outcome.refused.push(error),
            }
            progress(done, all);
        }
        let headers = parsed.packs.iter().filter_map(|pack| Header::read(pack).ok());
        self.hear_of_bundle(headers.flat_map(|header| header.ranges))?;
        Ok(outcome)
    }

    /// Joins the team of a bundle if it has granted this device.
    fn join(&mut self, parsed: &Parsed<'_>) -> Result<()> {
        let device = self.mind.identity()?.secret.device_key();
        let packs = parsed.packs.iter().copied();
        let entries = extend_control(&parsed.space, Vec::new(), packs, TEAM_BYTES_MAX)?;
        let members = Members::of(&parsed.space, &entries);
        if members.founder.is_none() {
            return Err(Error::new(Kind::NotMember, "a bundle without its founding"));
        }
        let person = members.member(&device)?.person;
        let mut identity = self.mind.identity()?.clone();
        identity.space = Some(parsed.space);
        identity.person = person;
        self.transact(|transaction, mind, _| mind.set_identity(transaction, identity))
    }
}

/// Tells whether a device is a member; one that is known not to be one for another reason than that
/// nobody has granted it is not to be granted in passing.
///
/// # Errors
/// That other reason.
pub(super) fn is_member(members: &Members, device: &DeviceKey) -> Result<bool> {
    match members.member(device) {
        Ok(_) => Ok(true),
        Err(error) if error.kind == Kind::NotMember => Ok(false),
        Err(error) => Err(error),
    }
}

/// The most content of team lists that a newcomer judges at once: years of a large team.
pub(super) const TEAM_BYTES_MAX: usize = 64 << 20;

/// Adds to `known`, the control entries that are here already, those that a chain without a gap leads
/// to with `packs`, in all histories of a log; touches no store. Packs that do not verify are left
/// out.
///
/// # Errors
/// `E-SIZE` for more than `bytes_max` of content.
pub(super) fn extend_control<'a>(
    space: &SpaceId,
    known: Vec<ControlEntry>,
    packs: impl Iterator<Item = &'a [u8]>,
    bytes_max: usize,
) -> Result<Vec<ControlEntry>> {
    let (mut chains, mut left) = (Chains::of(*space, known), bytes_max);
    for bytes in packs {
        match chains.take_within(bytes, &mut left) {
            Err(error) if left == 0 => return Err(error),
            // What is not worth taking in is judged again when it is.
            _ => {}
        }
    }
    Ok(chains.entries())
}

/// Tells whether an error is the store's, so that going on makes no sense.
fn is_of_store(kind: Kind) -> bool {
    matches!(kind, Kind::Full | Kind::Io | Kind::Busy | Kind::DbKey | Kind::DbPage | Kind::DbNewer)
}
