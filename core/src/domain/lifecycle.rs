//! The states of incidents and shifts, who may move them, and which of two concurrent ones wins.
//!
//! Principle: the less final, more cautious state wins (domain sections 2.4 and 2.5). Must not
//! know: how transitions are stored.

use crate::choice;
use crate::record::declare::{Lifecycle, Role};

choice! {
    /// The state of an incident.
    #[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
    pub enum IncidentState {
        /// New: the first tap.
        New = 1 "new",
        /// Acknowledged.
        Acknowledged = 2 "acknowledged",
        /// In progress.
        InProgress = 3 "in_progress",
        /// Waiting, with a reason.
        Waiting = 4 "waiting",
        /// Referred to somebody outside.
        Referred = 5 "referred",
        /// Resolved, with an outcome.
        Resolved = 6 "resolved",
        /// Closed.
        Closed = 7 "closed",
        /// Reopened.
        Reopened = 8 "reopened",
        /// A duplicate of another incident.
        Duplicate = 9 "duplicate",
        /// Void.
        Void = 10 "void",
    }
}

choice! {
    /// The state of a shift.
    #[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
    pub enum ShiftState {
        /// Planned.
        Planned = 1 "planned",
        /// Open: the team is on duty.
        Open = 2 "open",
        /// Handed over.
        Handed = 3 "handed",
        /// Closed.
        Closed = 4 "closed",
    }
}

const ANY: &[Role] = &[Role::R1, Role::R2, Role::R3];
const LEADS: &[Role] = &[Role::R2, Role::R3];
const OFFICE: &[Role] = &[Role::R3];

use IncidentState as I;

/// How an incident's state folds.
pub static INCIDENT: Lifecycle = Lifecycle {
    initial: I::New.number(),
    caution: &[
        I::Referred.number(),
        I::Reopened.number(),
        I::InProgress.number(),
        I::Waiting.number(),
        I::Acknowledged.number(),
        I::New.number(),
        I::Resolved.number(),
        I::Closed.number(),
        I::Duplicate.number(),
        I::Void.number(),
    ],
    steps: &[
        (I::New.number(), I::Acknowledged.number(), LEADS),
        (I::New.number(), I::Duplicate.number(), LEADS),
        (I::New.number(), I::Void.number(), LEADS),
        (I::Acknowledged.number(), I::InProgress.number(), ANY),
        (I::Acknowledged.number(), I::Referred.number(), LEADS),
        (I::InProgress.number(), I::Waiting.number(), ANY),
        (I::InProgress.number(), I::Referred.number(), LEADS),
        (I::InProgress.number(), I::Resolved.number(), ANY),
        (I::Waiting.number(), I::InProgress.number(), ANY),
        (I::Waiting.number(), I::Resolved.number(), ANY),
        (I::Referred.number(), I::InProgress.number(), LEADS),
        (I::Referred.number(), I::Resolved.number(), LEADS),
        (I::Resolved.number(), I::Closed.number(), LEADS),
        (I::Resolved.number(), I::Reopened.number(), LEADS),
        (I::Closed.number(), I::Reopened.number(), LEADS),
        (I::Reopened.number(), I::Waiting.number(), ANY),
        (I::Reopened.number(), I::Referred.number(), LEADS),
        (I::Reopened.number(), I::Resolved.number(), ANY),
        (I::Duplicate.number(), I::New.number(), OFFICE),
        (I::Void.number(), I::New.number(), OFFICE),
    ],
};

use ShiftState as S;

/// How a shift's state folds.
pub static SHIFT: Lifecycle = Lifecycle {
    initial: S::Planned.number(),
    caution: &[S::Open.number(), S::Handed.number(), S::Planned.number(), S::Closed.number()],
    steps: &[
        (S::Planned.number(), S::Open.number(), ANY),
        (S::Open.number(), S::Handed.number(), ANY),
        (S::Handed.number(), S::Closed.number(), ANY),
        (S::Handed.number(), S::Open.number(), LEADS),
    ],
};
