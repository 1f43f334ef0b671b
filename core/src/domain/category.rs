//! The closed list of categories, which of them are sealed, and their default clocks.
//!
//! A school may rename or hide a category, never add one. Must not know: records.

use crate::choice;

choice! {
    /// What an event is about (domain section 2.3).
    #[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
    pub enum Category {
        /// Fire, electricity (114).
        FireElectric = 1 "fire_electric",
        /// First aid, accident (115).
        Medical = 2 "medical",
        /// Somebody needs support; sealed, health staff only.
        Wellbeing = 3 "wellbeing",
        /// Theft, lost property.
        Theft = 4 "theft",
        /// Fight, disturbance (113).
        Fight = 5 "fight",
        /// Bullying, harassment; sealed (111 for minors).
        Bullying = 6 "bullying",
        /// Drugs, alcohol; sealed, care first.
        Substance = 7 "substance",
        /// Disease, poisoning.
        Health = 8 "health",
        /// Traffic at the gate.
        Traffic = 9 "traffic",
        /// An outsider entering or leaving: the event, never a watch-list.
        Outsider = 10 "outsider",
        /// Something broken or unsafe.
        Hazard = 11 "hazard",
        /// Online safety.
        Online = 12 "online",
        /// Mediation of a dispute; sealed.
        Mediation = 13 "mediation",
        /// Noise, house rules.
        Noise = 14 "noise",
        /// Storm, flood.
        Weather = 15 "weather",
        /// Lost and found.
        LostFound = 16 "lostfound",
        /// A good deed.
        GoodDeed = 17 "gooddeed",
        /// Not sorted yet; must be sorted or voided within 48 hours.
        Unsorted = 18 "unsorted",
    }
}

choice! {
    /// How soon an incident must be looked at.
    #[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
    pub enum Priority {
        /// As usual.
        Normal = 1 "normal",
        /// Urgent ("khẩn").
        Urgent = 2 "urgent",
    }
}

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

impl Category {
    /// Tells whether only its category and building may be written in the clear.
    #[must_use]
    pub fn is_sealed(self) -> bool {
        matches!(self, Self::Wellbeing | Self::Bullying | Self::Substance | Self::Mediation)
    }

    /// Returns how long a team has to resolve an incident of this category, in milliseconds.
    #[must_use]
    pub fn resolve_ms(self, priority: Priority, dangerous: bool) -> i64 {
        if priority == Priority::Urgent {
            return DAY_MS;
        }
        match self {
            Self::FireElectric | Self::Medical | Self::Fight => 3 * DAY_MS,
            _ if self.is_sealed() => 14 * DAY_MS,
            Self::Hazard if dangerous => 3 * DAY_MS,
            _ => 7 * DAY_MS,
        }
    }

    /// Returns how long a team has to acknowledge an incident, in milliseconds.
    #[must_use]
    pub fn acknowledge_ms(self, priority: Priority, dangerous: bool) -> i64 {
        if priority == Priority::Urgent {
            return 5 * MINUTE_MS;
        }
        match self {
            Self::FireElectric | Self::Medical | Self::Fight => 10 * MINUTE_MS,
            _ if self.is_sealed() => 4 * HOUR_MS,
            Self::Hazard if dangerous => 4 * HOUR_MS,
            _ => 24 * HOUR_MS,
        }
    }
}
