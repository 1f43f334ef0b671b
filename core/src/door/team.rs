//! Who is in the team, and the verbs of who governs it.
//!
//! Must not know: control entries, keys.

use std::sync::PoisonError;

use super::Tuquan;
use super::query::{MemberDevice, MemberStatus};
use crate::error::Result;
use crate::ids::{DeviceKey, LogId};
use crate::record::declare::Role;
use crate::replica::branch::Forked;
use crate::replica::quarantine::{self, Quarantined, Said};
use crate::team::control::Rights;
use crate::team::members::Member;

impl Tuquan {
    /// Lists the devices that are members or were.
    ///
    /// # Errors
    /// `E-NOTREADY` before there is a device identity.
    pub fn members(&self) -> Result<Vec<MemberDevice>> {
        let this = self.device()?.device;
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        let told = |device: &DeviceKey, member: &Member, status| MemberDevice {
            device: *device,
            person: member.person,
            rights: member.rights,
            role: member.role.map_or_else(String::new, |role| format!("{role:?}")),
            status,
            is_this: *device == this,
        };
        let active = members.devices.iter();
        let active = active.map(|(device, member)| told(device, member, MemberStatus::Active));
        let removed = members.removed.iter();
        let removed = removed.map(|(device, was)| told(device, &was.member, MemberStatus::Removed));
        Ok(active.chain(removed).collect())
    }

    /// Removes a device from the team, durably, together with the key that it knew.
    ///
    /// # Errors
    /// `E-ROLE` when this device may not; `E-NOTMEMBER`, `E-REMOVED` when there is nothing to
    /// remove; `E-INVALID` for this very device; of the store.
    pub fn remove(&self, device: &DeviceKey) -> Result<()> {
        self.bulk(|replica| replica.remove(device))
    }

    /// Gives a member other rights and another domain role.
    ///
    /// # Errors
    /// As [`Tuquan::remove`]; `E-ROLE` for the rights of an admin.
    pub fn set_role(&self, device: &DeviceKey, rights: Rights, role: Role) -> Result<()> {
        self.bulk(|replica| replica.set_role(device, rights, role))
    }

    /// Lists what is kept apart because it was written past a removal, by log.
    #[must_use]
    pub fn quarantined(&self) -> Vec<Quarantined> {
        self.writer.tap().mind.quarantined()
    }

    /// Lists the logs that have two or more histories: their device was copied or lies. The notes of all
    /// histories are kept; the device is to be replaced.
    #[must_use]
    pub fn forked(&self) -> Vec<Forked> {
        self.writer.tap().mind.forked()
    }

    /// Returns what the entries of a log that are kept apart say, at most `limit` items: for a
    /// person who decides about them. They are in no view.
    ///
    /// # Errors
    /// Of the store.
    pub fn review(&self, log: &LogId, limit: usize) -> Result<Vec<Said>> {
        let replica = self.writer.tap();
        quarantine::review(&replica.connection, &replica.mind, log, limit)
    }

    /// Accepts what is kept apart of a log, up to and with entry `last`, for the whole team.
    ///
    /// # Errors
    /// `E-ROLE` when this device may not; `E-NOTFOUND` when nothing of it is kept apart;
    /// `E-INVALID` when its author never had the right; of the store.
    pub fn accept_quarantined(&self, log: &LogId, last: u64) -> Result<()> {
        self.bulk(|replica| replica.accept_quarantined(log, last))
    }
}
