//! The bodies of control entries: what they say, and their bytes (protocol section 14).
//!
//! Each is the single item of its entry. Must not know: whether an act is valid.

use super::removal::{ExtendCut, Revoke, SetRole, read_names, write_names};
use crate::codec::{Reader, Writer};
use crate::crypto;
use crate::error::{Error, Kind, Result};
use crate::ids::{BoxKey, DeviceKey, EpochId, Link, LogId, PersonId, SpaceId};
use crate::log::chain::Sort;
use crate::log::entry::kind;

/// The most recipients of an epoch.
pub const RECIPIENTS_MAX: usize = 1_024;
/// The most parents of an epoch.
pub const PARENTS_MAX: usize = 16;
/// The most compartments that a grant names.
pub const COMPARTMENTS_MAX: usize = 16;
/// The name of the compartment of everybody.
pub const TEAM: &str = "team";
const LOCKBOX_BYTES_MAX: usize = 256;
/// The most bytes of a compartment's name.
pub const NAME_BYTES_MAX: usize = 64;

/// What a device may do in the space at all; the domain role says more.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum Rights {
    /// Reads.
    Reader = 0,
    /// Reads and writes.
    Writer = 1,
    /// Reads, writes, grants and removes.
    Admin = 2,
}

impl Rights {
    /// Reads the number on the wire.
    ///
    /// # Errors
    /// `E-FORMAT` for another number.
    pub fn read(from: &mut Reader<'_>) -> Result<Self> {
        match from.uint()? {
            0 => Ok(Self::Reader),
            1 => Ok(Self::Writer),
            2 => Ok(Self::Admin),
            other => Err(Error::new(Kind::Format, format!("rights {other}"))),
        }
    }
}

/// Opens a log: binds its id to the device's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOpen {
    /// The device that owns the log.
    pub device: DeviceKey,
    /// Control or data.
    pub sort: Sort,
    /// What makes the id unique.
    pub nonce: [u8; 16],
    /// The grant that the device relies on; none for a founder's control log.
    pub grant: Option<Link>,
    /// The log that it continues: (log, last seq, link).
    pub predecessor: Option<(LogId, u64, Link)>,
}

/// Founds a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// The founder's signing key.
    pub founder: DeviceKey,
    /// The founder's key for lockboxes.
    pub box_key: BoxKey,
    /// The founder's person id.
    pub person: PersonId,
    /// What makes the space unique.
    pub nonce: [u8; 16],
    /// The key that may appoint a new admin when all are lost.
    pub recovery: DeviceKey,
}

impl Genesis {
    /// Returns the id of the space that this founds.
    #[must_use]
    pub fn space(&self) -> SpaceId {
        let mut args = Writer::new();
        args.array(3).bytes(&self.founder.0).bytes(&self.nonce).bytes(&self.recovery.0);
        SpaceId(crypto::short(&crypto::hash("tuquan/1 space", &args)))
    }
}

/// Makes a device a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Whose device it is.
    pub person: PersonId,
    /// Its signing key.
    pub device: DeviceKey,
    /// Its key for lockboxes.
    pub box_key: BoxKey,
    /// What it may do.
    pub rights: Rights,
    /// The rank of an admin, 0 the best.
    pub rank: u64,
    /// The domain role, 1 to 3 so far.
    pub role: u64,
    /// The compartments that it may read.
    pub compartments: Vec<String>,
    /// The invitation that it answers.
    pub invitation: Option<[u8; 16]>,
}

/// One lockbox of an epoch's secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lockbox {
    /// The device that can open it.
    pub device: DeviceKey,
    /// HPKE output.
    pub sealed: Vec<u8>,
}

/// Makes a new key of a compartment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochMade {
    /// The key's id.
    pub epoch: EpochId,
    /// The compartment.
    pub compartment: String,
    /// The epochs that it follows.
    pub parents: Vec<EpochId>,
    /// The public key for those who can write to it and not read.
    pub public: BoxKey,
    /// The parents' keys under the new key, for newcomers.
    pub back: Option<Vec<u8>>,
    /// One lockbox per entitled device, sorted by device.
    pub lockboxes: Vec<Lockbox>,
}

/// Gives an existing epoch to one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The epoch.
    pub epoch: EpochId,
    /// The compartment.
    pub compartment: String,
    /// The lockbox.
    pub lockbox: Lockbox,
}

/// What a control entry, or the first entry of a data log, says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Opens a log.
    LogOpen(LogOpen),
    /// Founds a space.
    Genesis(Genesis),
    /// Makes a device a member.
    Grant(Grant),
    /// Ends a device's membership.
    Revoke(Revoke),
    /// Gives a member other rights.
    SetRole(SetRole),
    /// Moves the cuts of a removal further.
    ExtendCut(ExtendCut),
    /// Makes an epoch.
    Epoch(EpochMade),
    /// Shares an epoch.
    Share(Share),
    /// An act of a newer version: carried, without effect here.
    Unknown(u64),
}

impl Act {
    /// Returns the entry kind that carries this act.
    #[must_use]
    pub fn entry_kind(&self) -> u64 {
        match self {
            Self::LogOpen(open) if open.sort == Sort::Data => kind::LOG_OPEN,
            Self::LogOpen(_) => kind::CONTROL_LOG_OPEN,
            Self::Genesis(_) => kind::GENESIS,
            Self::Grant(_) => kind::GRANT,
            Self::Revoke(_) => kind::REVOKE,
            Self::SetRole(_) => kind::SET_ROLE,
            Self::ExtendCut(_) => kind::EXTEND_CUT,
            Self::Epoch(_) => kind::EPOCH,
            Self::Share(_) => kind::SHARE,
            Self::Unknown(number) => *number,
        }
    }

    /// Encodes the act as the single item of its entry.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        match self {
            Self::LogOpen(open) => {
                to.array(5).bytes(&open.device.0).uint(open.sort.number()).bytes(&open.nonce);
                match &open.grant {
                    None => to.null(),
                    Some(link) => to.bytes(&link.0),
                };
                match &open.predecessor {
                    None => to.null(),
                    Some((log, seq, link)) => to.array(3).bytes(&log.0).uint(*seq).bytes(&link.0),
                };
            }
            Self::Genesis(g) => {
                to.array(5).bytes(&g.founder.0).bytes(&g.box_key.0).bytes(&g.person.0);
                to.bytes(&g.nonce).bytes(&g.recovery.0);
            }
            Self::Grant(grant) => write_grant(&mut to, grant),
            Self::Revoke(revoke) => revoke.write(&mut to),
            Self::SetRole(change) => change.write(&mut to),
            Self::ExtendCut(extend) => extend.write(&mut to),
            Self::Epoch(epoch) => write_epoch(&mut to, epoch),
            Self::Share(share) => {
                to.array(4).bytes(&share.epoch.0).text(&share.compartment);
                to.bytes(&share.lockbox.device.0).bytes(&share.lockbox.sealed);
            }
            Self::Unknown(_) => {
                to.array(0);
            }
        }
        to.into_bytes()
    }

    /// Decodes the act of an entry of kind `number`; unknown kinds are carried unread.
    ///
    /// # Errors
    /// `E-FORMAT`, `E-SIZE` and their like; `E-KEY` for a weak device key.
    pub fn decode(number: u64, bytes: &[u8]) -> Result<Self> {
        let mut from = Reader::new(bytes);
        let act = match number {
            kind::LOG_OPEN | kind::CONTROL_LOG_OPEN => Self::LogOpen(read_open(&mut from)?),
            kind::GENESIS => Self::Genesis(read_genesis(&mut from)?),
            kind::GRANT => Self::Grant(read_grant(&mut from)?),
            kind::REVOKE => Self::Revoke(Revoke::read(&mut from)?),
            kind::SET_ROLE => Self::SetRole(SetRole::read(&mut from)?),
            kind::EXTEND_CUT => Self::ExtendCut(ExtendCut::read(&mut from)?),
            kind::EPOCH => Self::Epoch(read_epoch(&mut from)?),
            kind::SHARE => {
                from.tuple(4)?;
                let epoch = EpochId(from.array_bytes()?);
                let compartment = from.text(NAME_BYTES_MAX)?.to_owned();
                Self::Share(Share { epoch, compartment, lockbox: read_lockbox(&mut from)? })
            }
            _ => return Ok(Self::Unknown(number)),
        };
        from.finish()?;
        Ok(act)
    }
}

fn write_grant(to: &mut Writer, grant: &Grant) {
    to.array(8).bytes(&grant.person.0).bytes(&grant.device.0).bytes(&grant.box_key.0);
    to.uint(grant.rights as u64).uint(grant.rank).uint(grant.role);
    write_names(to, &grant.compartments);
    match &grant.invitation {
        None => to.null(),
        Some(id) => to.bytes(id),
    };
}

fn write_epoch(to: &mut Writer, epoch: &EpochMade) {
    to.array(6).bytes(&epoch.epoch.0).text(&epoch.compartment).array(epoch.parents.len());
    for parent in &epoch.parents {
        to.bytes(&parent.0);
    }
    to.bytes(&epoch.public.0);
    match &epoch.back {
        None => to.null(),
        Some(back) => to.bytes(back),
    };
    to.array(epoch.lockboxes.len());
    for lockbox in &epoch.lockboxes {
        to.array(2).bytes(&lockbox.device.0).bytes(&lockbox.sealed);
    }
}

fn read_open(from: &mut Reader<'_>) -> Result<LogOpen> {
    from.tuple(5)?;
    let device = DeviceKey(from.array_bytes()?);
    let sort = Sort::from_number(from.uint()?)
        .ok_or_else(|| Error::new(Kind::Newer, "a log of an unknown sort"))?;
    let nonce = from.array_bytes()?;
    let grant = if from.null()? { None } else { Some(Link(from.array_bytes()?)) };
    let predecessor = if from.null()? {
        None
    } else {
        from.tuple(3)?;
        let log = LogId(from.array_bytes()?);
        let seq = from.uint()?;
        let link = Link(from.array_bytes()?);
        from.end();
        Some((log, seq, link))
    };
    Ok(LogOpen { device, sort, nonce, grant, predecessor })
}

fn read_genesis(from: &mut Reader<'_>) -> Result<Genesis> {
    from.tuple(5)?;
    let genesis = Genesis {
        founder: DeviceKey(from.array_bytes()?),
        box_key: BoxKey(from.array_bytes()?),
        person: PersonId(from.array_bytes()?),
        nonce: from.array_bytes()?,
        recovery: DeviceKey(from.array_bytes()?),
    };
    crypto::check_device_key(&genesis.founder)?;
    crypto::check_device_key(&genesis.recovery)?;
    Ok(genesis)
}

fn read_grant(from: &mut Reader<'_>) -> Result<Grant> {
    from.tuple(8)?;
    let person = PersonId(from.array_bytes()?);
    let device = DeviceKey(from.array_bytes()?);
    crypto::check_device_key(&device)?;
    let box_key = BoxKey(from.array_bytes()?);
    let rights = Rights::read(from)?;
    let rank = from.uint_max(u64::from(u16::MAX))?;
    let role = from.uint_max(u64::from(u8::MAX))?;
    let compartments = read_names(from)?;
    let invitation = if from.null()? { None } else { Some(from.array_bytes()?) };
    Ok(Grant { person, device, box_key, rights, rank, role, compartments, invitation })
}

fn read_epoch(from: &mut Reader<'_>) -> Result<EpochMade> {
    from.tuple(6)?;
    let epoch = EpochId(from.array_bytes()?);
    let compartment = from.text(NAME_BYTES_MAX)?.to_owned();
    let count = from.array(PARENTS_MAX)?;
    let mut parents = Vec::with_capacity(count);
    for _ in 0..count {
        parents.push(EpochId(from.array_bytes()?));
    }
    from.end();
    let public = BoxKey(from.array_bytes()?);
    let back = if from.null()? { None } else { Some(from.bytes(16 << 10)?.to_vec()) };
    let count = from.array(RECIPIENTS_MAX)?;
    let mut lockboxes = Vec::with_capacity(count);
    for _ in 0..count {
        from.tuple(2)?;
        lockboxes.push(read_lockbox(from)?);
        from.end();
    }
    from.end();
    if !lockboxes.is_sorted_by(|a, b| a.device < b.device) {
        return Err(Error::new(Kind::Format, "lockboxes out of order"));
    }
    Ok(EpochMade { epoch, compartment, parents, public, back, lockboxes })
}

fn read_lockbox(from: &mut Reader<'_>) -> Result<Lockbox> {
    Ok(Lockbox {
        device: DeviceKey(from.array_bytes()?),
        sealed: from.bytes(LOCKBOX_BYTES_MAX)?.to_vec(),
    })
}
