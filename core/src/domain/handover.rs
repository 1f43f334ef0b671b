//! Handovers ("giao ca"): what one shift leaves to the next.
//!
//! Must not know: how the two phones meet.

use crate::ids::RecordId;
use crate::record::declare::TimeMs;
use crate::record::declare::shipped_element as element;
use crate::record::declare::shipped_record as record;

element! {
    /// One piece of equipment as counted at the handover.
    pub struct Equipment {
        /// What it is.
        item: String,
        /// How many.
        qty: i64,
        /// Whether it works.
        ok: bool,
    }
}

element! {
    /// One side's signature: that device's word that it read the list.
    pub struct SignOff {
        /// The person who signs in or out.
        by: RecordId,
        /// When.
        t_event: TimeMs,
    }
}

record! {
    /// What one shift leaves to the next.
    pub struct Handover = 5, "handover" {
        writers: [R1, R2, R3],
        /// The shift that ends.
        16 shift_from: RecordId, IM t; indexed,
        /// The shift that begins.
        17 shift_to: RecordId, IM t,
        /// The open incidents, frozen when the list is handed over.
        18 open_items: RecordId, AO t,
        /// What is in the cupboard.
        19 equipment: Equipment, AO t,
        /// What else the next shift should know.
        20 notes: String, AO t; searched,
        /// The outgoing side.
        21 sign_out: SignOff, AO t,
        /// The incoming side.
        22 sign_in: SignOff, AO t,
    }
}
