//! Acts that take rights away or change them, and the cuts that say up to where a device's data
//! still stands under the old ones (protocol section 4).
//!
//! Must not know: whether an act is valid.

use super::control::{COMPARTMENTS_MAX, NAME_BYTES_MAX, Rights};
use crate::codec::{Reader, Writer};
use crate::crypto;
use crate::error::{Error, Kind, Result};
use crate::ids::{DeviceKey, Link, LogId};

/// The most logs that one act cuts.
pub const CUTS_MAX: usize = 64;

/// The last entry of a log that still stands under the rights before the act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cut {
    /// The log.
    pub log: LogId,
    /// The sequence number of the last entry that stays.
    pub last: u64,
    /// Its link: which chain is meant.
    pub link: Link,
}

/// Ends a device's membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoke {
    /// The device.
    pub device: DeviceKey,
    /// The grant that ends.
    pub grant: Link,
    /// What stays of its data logs, sorted; a log that is not named is cut before entry 0.
    pub cuts: Vec<Cut>,
}

/// Gives a member other rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetRole {
    /// The device.
    pub device: DeviceKey,
    /// The grant whose rights change.
    pub grant: Link,
    /// What it may do from now on.
    pub rights: Rights,
    /// The rank of an admin.
    pub rank: u64,
    /// The domain role.
    pub role: u64,
    /// The compartments that it may read.
    pub compartments: Vec<String>,
    /// Up to where its data is judged by the rights before, as in [`Revoke`].
    pub cuts: Vec<Cut>,
}

/// Moves the cuts of a removal or a change of rights further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtendCut {
    /// The link of the removal.
    pub of: Link,
    /// The new cuts, sorted by log.
    pub cuts: Vec<Cut>,
}

impl Revoke {
    pub(super) fn write(&self, to: &mut Writer) {
        to.array(3).bytes(&self.device.0).bytes(&self.grant.0);
        write_cuts(to, &self.cuts);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self> {
        from.tuple(3)?;
        let device = DeviceKey(from.array_bytes()?);
        crypto::check_device_key(&device)?;
        Ok(Self { device, grant: Link(from.array_bytes()?), cuts: read_cuts(from)? })
    }
}

impl SetRole {
    pub(super) fn write(&self, to: &mut Writer) {
        to.array(7).bytes(&self.device.0).bytes(&self.grant.0);
        to.uint(self.rights as u64).uint(self.rank).uint(self.role);
        write_names(to, &self.compartments);
        write_cuts(to, &self.cuts);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self> {
        from.tuple(7)?;
        let device = DeviceKey(from.array_bytes()?);
        crypto::check_device_key(&device)?;
        Ok(Self {
            device,
            grant: Link(from.array_bytes()?),
            rights: Rights::read(from)?,
            rank: from.uint_max(u64::from(u16::MAX))?,
            role: from.uint_max(u64::from(u8::MAX))?,
            compartments: read_names(from)?,
            cuts: read_cuts(from)?,
        })
    }
}

impl ExtendCut {
    pub(super) fn write(&self, to: &mut Writer) {
        to.array(2).bytes(&self.of.0);
        write_cuts(to, &self.cuts);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self> {
        from.tuple(2)?;
        Ok(Self { of: Link(from.array_bytes()?), cuts: read_cuts(from)? })
    }
}

pub(super) fn write_names(to: &mut Writer, names: &[String]) {
    to.array(names.len());
    for name in names {
        to.text(name);
    }
}

pub(super) fn read_names(from: &mut Reader<'_>) -> Result<Vec<String>> {
    let count = from.array(COMPARTMENTS_MAX)?;
    let mut names = Vec::with_capacity(count);
    for _ in 0..count {
        names.push(from.text(NAME_BYTES_MAX)?.to_owned());
    }
    from.end();
    Ok(names)
}

fn write_cuts(to: &mut Writer, cuts: &[Cut]) {
    to.array(cuts.len());
    for cut in cuts {
        to.array(3).bytes(&cut.log.0).uint(cut.last).bytes(&cut.link.0);
    }
}

fn read_cuts(from: &mut Reader<'_>) -> Result<Vec<Cut>> {
    let count = from.array(CUTS_MAX)?;
    let mut cuts: Vec<Cut> = Vec::with_capacity(count);
    for _ in 0..count {
        from.tuple(3)?;
        let log = LogId(from.array_bytes()?);
        // Row numbers leave 40 bits for sequence numbers.
        let last = from.uint_max((1 << 40) - 1)?;
        cuts.push(Cut { log, last, link: Link(from.array_bytes()?) });
        from.end();
    }
    from.end();
    // Several of one log name several histories of it.
    if !cuts.is_sorted_by(|a: &Cut, b| a < b) {
        return Err(Error::new(Kind::Format, "cuts out of order"));
    }
    Ok(cuts)
}
