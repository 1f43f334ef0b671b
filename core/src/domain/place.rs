//! Places: buildings, floors, rooms, zones and gates. A place is no person's address book.
//!
//! Places that two devices may enter independently carry a natural key, so that both name the
//! same record. Must not know: who lives there.

use crate::choice;
use crate::ids::RecordId;
use crate::record::declare::shipped_record as record;

choice! {
    /// What sort of place.
    #[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
    pub enum PlaceKind {
        /// A building.
        Building = 1 "building",
        /// A floor.
        Floor = 2 "floor",
        /// A room.
        Room = 3 "room",
        /// A zone: a yard, a stairwell, a laundry.
        Zone = 4 "zone",
        /// A gate.
        Gate = 5 "gate",
    }
}

record! {
    /// A place inside the dormitory's tree.
    pub struct Place = 1, "place" {
        writers: [R1, R2, R3],
        /// What people call it.
        16 name: String | max 200, LW p; indexed searched,
        /// What sort of place.
        17 kind: PlaceKind, LW p,
        /// The place that it is part of.
        18 parent: RecordId, LW p,
        /// The official address, to read out to 114 or 115.
        19 official_address: String | max 400, LW p,
        /// How to get in.
        20 entry_hint: String | max 400, LW p,
        /// How many people live there; a count, never a roll.
        21 residents: i64, LW o,
    }
}
