//! Epochs: the keys of a compartment, their lockboxes, and what is derived from a secret.
//!
//! Must not know: who is entitled; `members` says that.

use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::control::{EpochMade, Lockbox, TEAM};
use super::keys::Epoch;
use crate::codec::Writer;
use crate::crypto::{self, DeviceSecret};
use crate::error::{Error, Kind, Result};
use crate::ids::{BoxKey, DeviceKey, EpochId, LogId, SpaceId};

/// The secret of one epoch, 32 bytes.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct EpochSecret(pub [u8; 32]);

impl std::fmt::Debug for EpochSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EpochSecret")
    }
}

impl EpochSecret {
    /// Makes a new secret.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut secret = Self([0; 32]);
        rng.fill_bytes(&mut secret.0);
        secret
    }

    /// Returns the id of the epoch that entry `seq` of control log `log` makes with this secret.
    #[must_use]
    pub fn id(&self, space: &SpaceId, compartment: &str, log: &LogId, seq: u64) -> EpochId {
        let mut args = Writer::new();
        args.array(5).bytes(&space.0).text(compartment).bytes(&log.0).uint(seq).bytes(&self.0);
        EpochId(crypto::short(&crypto::hash("tuquan/1 epoch", &args)))
    }

    /// Returns the key that packs of this epoch are sealed under.
    #[must_use]
    pub fn pack_key(&self) -> [u8; 32] {
        crypto::derive_key("tuquan/1 pack key", &self.0)
    }

    /// Returns the key that beacons on a local network are named with.
    #[must_use]
    pub fn beacon_key(&self) -> [u8; 32] {
        crypto::derive_key("tuquan/1 beacon key", &self.0)
    }

    /// Returns the key that its parents' secrets are sealed under; used once, for one message.
    #[must_use]
    fn back_key(&self) -> [u8; 32] {
        crypto::derive_key("tuquan/1 back key", &self.0)
    }

    /// Tells whether this secret in that very entry makes the epoch's id: nobody passes another
    /// secret or another entry off as it.
    #[must_use]
    pub fn makes(&self, space: &SpaceId, epoch: &Epoch) -> bool {
        let (log, seq) = &epoch.at;
        self.id(space, &epoch.compartment, log, *seq) == epoch.id
    }

    /// Returns the public key that sealed values of this epoch go to.
    #[must_use]
    pub fn public(&self) -> BoxKey {
        let seed = crypto::derive_key("tuquan/1 hpke seed", &self.0);
        let secret = DeviceSecret { sign: [0; 32], unbox: seed };
        secret.box_key()
    }
}

/// What an HPKE lockbox of an epoch is bound to.
fn info(space: &SpaceId, compartment: &str, epoch: &EpochId, to: &DeviceKey) -> Vec<u8> {
    let mut info = Writer::new();
    info.array(5).text("tuquan/1 lockbox").bytes(&space.0).text(compartment);
    info.bytes(&epoch.0).bytes(&to.0);
    info.into_bytes()
}

/// Seals an epoch's secret to one device.
///
/// # Errors
/// `E-KEY` when the device's box key is not usable.
pub fn lock(
    space: &SpaceId,
    epoch: &EpochId,
    secret: &EpochSecret,
    to: (&DeviceKey, &BoxKey),
    rng: &mut dyn CryptoRng,
) -> Result<Lockbox> {
    let info = info(space, TEAM, epoch, to.0);
    Ok(Lockbox { device: *to.0, sealed: crypto::lock(to.1, &info, &secret.0, rng)? })
}

/// Opens a lockbox of an epoch with this device's secret.
///
/// # Errors
/// `E-LOCKBOX` when it does not open, or opens to another key than the epoch names.
pub fn unlock(
    space: &SpaceId,
    epoch: &Epoch,
    lockbox: &Lockbox,
    device: &DeviceSecret,
) -> Result<EpochSecret> {
    let bad = || Error::new(Kind::Lockbox, format!("epoch {}", epoch.id));
    let info = info(space, &epoch.compartment, &epoch.id, &device.device_key());
    let bytes = crypto::unlock(device, &info, &lockbox.sealed).map_err(|_| bad())?;
    let secret = EpochSecret(bytes.as_slice().try_into().map_err(|_| bad())?);
    if !secret.makes(space, epoch) || secret.public() != epoch.public {
        return Err(bad());
    }
    Ok(secret)
}

/// Makes an epoch that entry `seq` of control log `log` announces, with a lockbox for each of
/// `members` and its parents' secrets for newcomers.
///
/// # Errors
/// `E-KEY` when a device's box key is not usable.
pub fn make(
    space: &SpaceId,
    (log, seq): (&LogId, u64),
    parents: &[(EpochId, EpochSecret)],
    members: &[(DeviceKey, BoxKey)],
    rng: &mut dyn CryptoRng,
) -> Result<EpochMade> {
    let secret = EpochSecret::generate(rng);
    let epoch = secret.id(space, TEAM, log, seq);
    let mut sorted = members.to_vec();
    sorted.sort_unstable();
    let lockboxes = sorted
        .iter()
        .map(|(device, key)| lock(space, &epoch, &secret, (device, key), rng))
        .collect::<Result<Vec<_>>>()?;
    let ids: Vec<EpochId> = parents.iter().map(|(id, _)| *id).collect();
    let mut plain = zeroize::Zeroizing::new(Vec::with_capacity(parents.len() * 32));
    for (_, parent) in parents {
        plain.extend_from_slice(&parent.0);
    }
    let back = match ids.is_empty() {
        true => None,
        false => Some(crypto::seal(
            &secret.back_key(),
            &[0; 24],
            &back_of(space, TEAM, &epoch, &ids),
            &plain,
        )?),
    };
    Ok(EpochMade {
        epoch,
        compartment: TEAM.to_owned(),
        parents: ids,
        public: secret.public(),
        back,
        lockboxes,
    })
}

/// What the parents' secrets are bound to.
fn back_of(space: &SpaceId, compartment: &str, epoch: &EpochId, parents: &[EpochId]) -> Vec<u8> {
    let mut to = Writer::new();
    to.array(5).text("tuquan/1 back").bytes(&space.0).text(compartment).bytes(&epoch.0);
    to.array(parents.len());
    for parent in parents {
        to.bytes(&parent.0);
    }
    to.into_bytes()
}

/// Opens the secrets of an epoch's parents with its own.
///
/// # Errors
/// `E-LOCKBOX` when they do not open, or are not as many as there are parents.
pub fn look_back(
    space: &SpaceId,
    epoch: &Epoch,
    secret: &EpochSecret,
) -> Result<Vec<(EpochId, EpochSecret)>> {
    let Some(back) = &epoch.back else {
        return Ok(Vec::new());
    };
    let bad = || Error::new(Kind::Lockbox, format!("the parents of epoch {}", epoch.id));
    let aad = back_of(space, &epoch.compartment, &epoch.id, &epoch.parents);
    let plain = crypto::open(&secret.back_key(), &[0; 24], &aad, back).map_err(|_| bad())?;
    let plain = zeroize::Zeroizing::new(plain);
    let secrets: Vec<[u8; 32]> = plain.chunks(32).filter_map(|one| one.try_into().ok()).collect();
    if secrets.len() != epoch.parents.len() || plain.len() % 32 != 0 {
        return Err(bad());
    }
    Ok(epoch.parents.iter().copied().zip(secrets.into_iter().map(EpochSecret)).collect())
}
