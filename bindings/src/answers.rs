//! What calls of this crate give and take beyond the core's own types: where the core has bytes and
//! secrets, a shell has codes, files and digits.

use tuquan_core::error::Error;
use tuquan_core::ids::{DeviceKey, to_hex};
use tuquan_core::record::declare::Role;
use tuquan_core::report::{CutKey, Figures};
use tuquan_core::sync::courier::BundleOutcome;
use tuquan_core::sync::join::{self, Admitted, Code, CodeKind, Taken};
use tuquan_core::sync::relay::RelayStats;
use tuquan_core::team::control::Rights;

/// Whom to invite.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record, serde::Deserialize)]
pub struct InvitationOptions {
    /// The domain role that the newcomer gets.
    pub role: Role,
    /// Whether it is another device of the person who invites.
    #[serde(default)]
    #[uniffi(default)]
    pub own_device: bool,
    /// The hub where both may meet, if there is one.
    #[serde(default)]
    #[uniffi(default)]
    pub hub_url: Option<String>,
}

/// An invitation that was made.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record, serde::Serialize)]
pub struct Invitation {
    /// Its id, in hexadecimal.
    pub id: String,
    /// What the newcomer scans or types.
    pub code: String,
    /// When it ends, in ms since 1970.
    pub expires_ms: i64,
}

/// Who answered an invitation.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record, serde::Serialize)]
pub struct Newcomer {
    /// The invitation's id.
    pub invitation: String,
    /// The device that asks.
    pub device: DeviceKey,
    /// Six digits to compare with those on its screen.
    pub digits: String,
    /// The code that it needs to show them, where no network carries it.
    pub reveal: String,
}

impl From<Taken> for Newcomer {
    fn from(taken: Taken) -> Self {
        Self {
            invitation: to_hex(&taken.invitation),
            device: taken.device,
            digits: taken.digits,
            reveal: Code::write(CodeKind::Reveal, &taken.reveal),
        }
    }
}

/// What the newcomer compares.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record, serde::Serialize)]
pub struct Revealed {
    /// The device that invited.
    pub inviter: DeviceKey,
    /// Six digits to compare with those on its screen.
    pub digits: String,
}

impl From<join::Revealed> for Revealed {
    fn from(revealed: join::Revealed) -> Self {
        Self { inviter: revealed.inviter, digits: revealed.digits }
    }
}

/// Whether a newcomer came in, and how.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record, serde::Serialize)]
pub struct Admittance {
    /// The device.
    pub device: DeviceKey,
    /// What it may do: a reader where nobody compared the digits.
    pub rights: Rights,
}

impl From<Admitted> for Admittance {
    fn from(admitted: Admitted) -> Self {
        Self { device: admitted.device, rights: admitted.rights }
    }
}

/// What joining brought.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record, serde::Serialize)]
pub struct Joined {
    /// Entries that came with it.
    pub entries: u64,
}

/// A part of the figures.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record, serde::Serialize)]
pub struct FiguresPart {
    /// What it is of.
    pub of: CutKey,
    /// The figures.
    pub figures: Figures,
}

/// What became of a photo that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PhotoState {
    /// It is in the file that was named.
    Whole {
        /// How many bytes it has.
        bytes: u64,
    },
    /// Not all of it has come yet.
    Missing {
        /// How many chunks are missing.
        missing: u32,
        /// Of how many.
        of: u32,
    },
}

/// What became of a bundle file.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record, serde::Serialize)]
pub struct BundleReport {
    /// Whether this device joined the team by it.
    pub joined: bool,
    /// Entries that are new here.
    pub entries: u64,
    /// Entries that were here already.
    pub duplicates: u64,
    /// Packs that wait for a key, an author or a team list.
    pub held: u64,
    /// Entries kept apart, written past a removal.
    pub quarantined: u64,
    /// Whether its end is there.
    pub complete: bool,
    /// The codes of what was refused, one for each pack.
    pub refused: Vec<String>,
}

impl From<BundleOutcome> for BundleReport {
    fn from(outcome: BundleOutcome) -> Self {
        let code = |error: &Error| error.code().to_owned();
        Self {
            joined: outcome.joined,
            entries: outcome.entries,
            duplicates: outcome.duplicates,
            held: outcome.held,
            quarantined: outcome.quarantined,
            complete: outcome.truncated.is_none(),
            refused: outcome.refused.iter().chain(&outcome.truncated).map(code).collect(),
        }
    }
}

/// What a meeting with a hub did.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record, serde::Serialize)]
pub struct HubMeeting {
    /// What went both ways.
    pub stats: RelayStats,
    /// Whether the hub had forgotten something (`W-HUB-OLD`), which was given again.
    pub hub_older: bool,
}
