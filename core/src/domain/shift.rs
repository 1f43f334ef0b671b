//! Shifts ("ca trực"): who is on duty where and when, by a natural key of day, place and slot.
//!
//! Must not know: what happened during the shift; log entries and incidents say that.

use crate::choice;
use crate::domain::lifecycle::{SHIFT, ShiftState};
use crate::ids::RecordId;
use crate::record::declare::TimeMs;
use crate::record::declare::shipped_record as record;

choice! {
    /// The weather during a shift.
    #[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
    pub enum Weather {
        /// Dry.
        Dry = 1 "dry",
        /// Rain.
        Rain = 2 "rain",
        /// Storm.
        Storm = 3 "storm",
        /// Heat.
        Heat = 4 "heat",
    }
}

record! {
    /// One shift of one team.
    pub struct Shift = 2, "shift" {
        writers: [R1, R2, R3],
        /// Where it is on duty.
        16 place: RecordId, LW t; indexed,
        /// When it is planned to begin.
        17 planned_from: TimeMs, LW t,
        /// When it is planned to end.
        18 planned_to: TimeMs, LW t,
        /// The people on duty, by person id.
        19 on_duty: RecordId, OR t,
        /// Planned, open, handed, closed.
        20 state: ShiftState, FS t folds &SHIFT; indexed,
        /// The weather.
        21 weather: Weather, LW t,
        /// Whether the shift was fully staffed.
        22 staff_ok: bool, LW t,
    }
}
