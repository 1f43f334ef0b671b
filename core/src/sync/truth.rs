//! The truth about sync: what is on this phone only, on another one, at a hub, and what is missing.
//!
//! Nothing here is guessed: "on another phone" rests on that device's signature, "at the hub" on the
//! hub's receipt for a pack that this phone made or opened. Must not know: screens.

use rusqlite::Connection;

use super::cover::Cover;
use super::relay::mirror;
use super::session::{all, covered};
use crate::error::Result;
use crate::ids::{DeviceKey, LogId};
use crate::log::pack::Extent;
use crate::replica::mind::{KnownLog, Mind};

/// How a phone stands with one other member device.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct PeerTruth {
    /// The device.
    pub device: DeviceKey,
    /// When it was last heard of what it holds, in ms since 1970; none when it never was.
    pub met_ms: Option<i64>,
    /// Entries that are here and that it has not signed to hold.
    pub lacks: u64,
    /// Entries that it has signed to hold and that are not here.
    pub ahead: u64,
}

/// How a phone stands with a hub.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct HubTruth {
    /// The hub's key.
    pub hub: DeviceKey,
    /// When it was last met, in ms since 1970.
    pub met_ms: i64,
}

/// The truth about sync of one phone.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Truth {
    /// Entries that are here.
    pub entries: u64,
    /// Those that are known to be nowhere else: the queue.
    pub only_here: u64,
    /// Those that at least one other device has signed to hold.
    pub elsewhere: u64,
    /// Those that a hub has given a receipt for.
    pub at_hub: u64,
    /// Entries that others have signed to hold and that are not here.
    pub missing: u64,
    /// Each other member device.
    pub peers: Vec<PeerTruth>,
    /// Each hub that was met.
    pub hubs: Vec<HubTruth>,
}

/// What is known of where entries are, for lists and single records.
#[derive(Debug, Clone, Default)]
pub struct Whereabouts {
    devices: Vec<(DeviceKey, Cover)>,
    hub: Cover,
}

impl Whereabouts {
    /// Reads what is known.
    ///
    /// # Errors
    /// `E-NOTREADY` without a team; `E-DBPAGE` and the like.
    pub fn read(connection: &Connection, mind: &Mind) -> Result<Self> {
        let mut devices: Vec<(DeviceKey, Cover)> = Vec::new();
        for found in all(connection, mind)? {
            // What either of two phones that are one device says is held by that device.
            let more = devices.pop_if(|(device, _)| *device == found.device);
            let mut cover = more.map(|(_, cover)| cover).unwrap_or_default();
            let mut vector = found.vector.clone();
            // Of a log with several histories one name may mean others there than here.
            vector.entries.retain(|entry| !mind.is_forked(&entry.log));
            cover.add_vector(&vector);
            for log in mind.logs.iter().filter(|log| mind.is_forked(&log.row.id)) {
                for (first, end) in covered(connection, mind, log, &found)? {
                    let first = first.max(log.row.base);
                    let count = end.saturating_sub(first);
                    cover.add(&[Extent { log: log.row.id, first, count }]);
                }
            }
            devices.push((found.device, cover));
        }
        Ok(Self { devices, hub: mirror::covered(connection)? })
    }

    /// Returns the other devices that have signed to hold an entry.
    #[must_use]
    pub fn devices(&self, log: LogId, seq: u64) -> Vec<DeviceKey> {
        let holding = self.devices.iter().filter(|(_, cover)| cover.holds_entry(log, seq));
        holding.map(|(device, _)| *device).collect()
    }

    /// Tells whether a hub has given a receipt for an entry.
    #[must_use]
    pub fn at_hub(&self, log: LogId, seq: u64) -> bool {
        self.hub.holds_entry(log, seq)
    }
}

/// Says how this phone stands with all others and with hubs.
///
/// # Errors
/// `E-NOTREADY` without a team; `E-DBPAGE` and the like.
pub fn truth(connection: &Connection, mind: &Mind) -> Result<Truth> {
    let known = Whereabouts::read(connection, mind)?;
    let me = mind.identity()?.secret.device_key();
    let mut union = Cover::default();
    for (_, cover) in &known.devices {
        union.join(cover);
    }
    let mut anywhere = union.clone();
    anywhere.join(&known.hub);
    let here = |cover: &Cover| -> u64 {
        let of = |log: &KnownLog| cover.count(&log.row.id, log.row.next);
        mind.logs.iter().map(of).sum()
    };
    let beyond = |cover: &Cover| -> u64 {
        let of = |log: &LogId| mind.log(log).map_or(0, |log| log.row.next);
        cover.logs().map(|log| cover.count(log, u64::MAX) - cover.count(log, of(log))).sum()
    };
    let entries = mind.logs.iter().map(|log| log.row.next - log.row.base).sum();
    let met = all(connection, mind)?;
    let peers = mind.members.devices.keys().filter(|device| **device != me).map(|device| {
        let cover = known.devices.iter().find(|(of, _)| of == device).map(|(_, cover)| cover);
        PeerTruth {
            device: *device,
            met_ms: met.iter().filter(|ack| ack.device == *device).map(|ack| ack.met_ms).max(),
            lacks: entries - cover.map_or(0, here),
            ahead: cover.map_or(0, beyond),
        }
    });
    let hubs = mirror::met(connection)?.into_iter();
    Ok(Truth {
        entries,
        only_here: entries - here(&anywhere),
        elsewhere: here(&union),
        at_hub: here(&known.hub),
        missing: beyond(&union),
        peers: peers.collect(),
        hubs: hubs.map(|(hub, met_ms)| HubTruth { hub, met_ms }).collect(),
    })
}
