//! Incidents ("vụ việc"): an event with a lifecycle, a timeline and people who see to it.
//!
//! The timeline is append-only: a wrong entry is struck, not edited. Must not know: how states
//! fold; the lifecycle table says that.

use crate::attachment::Photo;
use crate::choice;
use crate::codec::Value;
use crate::domain::category::{Category, Priority};
use crate::domain::lifecycle::{INCIDENT, IncidentState};
use crate::domain::log_entry::sealed_kinds_have_no_text;
use crate::ids::RecordId;
use crate::record::declare::shipped_element as element;
use crate::record::declare::shipped_record as record;
use crate::record::declare::{FieldType, Fields, TimeMs};

choice! {
    /// What sort of timeline entry.
    #[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
    pub enum TimelineKind {
        /// A note.
        Note = 1 "note",
        /// Something was done.
        Action = 2 "action",
        /// A call, such as to 113, 114 or 115.
        Call = 3 "call",
        /// An earlier entry was wrong.
        Strike = 4 "strike",
    }
}

choice! {
    /// How an incident ended.
    #[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
    pub enum Outcome {
        /// Dealt with on the spot.
        HandledOnSpot = 1 "handled_on_spot",
        /// Handed to somebody else.
        HandedOver = 2 "handed_over",
        /// Nothing was found.
        Unfounded = 3 "unfounded",
        /// Repaired or made safe.
        Repaired = 4 "repaired",
        /// The people involved agreed.
        Agreed = 5 "agreed",
        /// Could not be settled.
        Unsettled = 6 "unsettled",
    }
}

choice! {
    /// A band of loss; never an exact sum.
    #[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
    pub enum LossBand {
        /// None.
        None = 1 "none",
        /// Under one million đồng.
        UnderOneMillion = 2 "under_1m",
        /// One to ten million đồng.
        OneToTenMillion = 3 "1m_to_10m",
        /// Over ten million đồng.
        OverTenMillion = 4 "over_10m",
    }
}

element! {
    /// One entry of an incident's timeline ("diễn biến").
    pub struct TimelineEntry {
        /// What sort of entry.
        kind: TimelineKind,
        /// What it says.
        body: String,
        /// When it happened, which may be long before it was saved.
        t_event: TimeMs,
        /// For a strike: the key of the entry that was wrong.
        target: RecordId,
    }
}

record! {
    /// An event that somebody has to see to.
    pub struct Incident = 4, "incident" {
        writers: [R1, R2, R3],
        check: sound,
        derive: due,
        /// What it is about.
        16 category: Category, MV t; indexed,
        /// Where.
        17 place: RecordId, MV t; indexed,
        /// Where it stands.
        18 state: IncidentState, FS t folds &INCIDENT; indexed,
        /// Normal or urgent.
        19 priority: Priority, LW t,
        /// One line that says what happened.
        20 summary: String | max 4000, LW t; searched,
        /// The people who see to it, by person id.
        21 assignees: RecordId, OR t,
        /// What happened since, entry by entry.
        22 timeline: TimelineEntry, AO t; searched,
        /// Other incidents that turned out to be this one.
        23 duplicates: RecordId, OR t,
        /// When it must be resolved.
        24 due: TimeMs, DE t; indexed,
        /// Whether it is dangerous, which shortens the clock of a hazard.
        25 dangerous: bool, LW t,
        /// How many people were hurt; a count.
        26 injury_n: i64, LW o,
        /// The loss, in bands.
        27 loss_band: LossBand, LW o,
        /// How it ended.
        28 outcome: Outcome, LW t,
        /// The number in the official book, given by an office device.
        29 book_no: i64, OF o,
        /// Photos of the place or the damage, never of a person's papers or file.
        30 photos: Photo, OR t,
    }
}

/// A sealed kind has no text and no photo; what is resolved has an outcome, and what is closed a category.
fn sound(fields: &dyn Fields) -> Result<(), &'static str> {
    sealed_kinds_have_no_text(fields)?;
    let state = fields.number("state").and_then(IncidentState::from_number);
    let is_done = matches!(state, Some(IncidentState::Resolved | IncidentState::Closed));
    if is_done && fields.all("outcome").is_empty() {
        return Err("an outcome is required");
    }
    let unsorted = fields.number("category") == Some(Category::Unsorted.number());
    if state == Some(IncidentState::Closed) && unsorted {
        return Err("a category is required before closing");
    }
    Ok(())
}

/// The strictest clock of all concurrent categories and priorities holds until a person picks.
fn due(fields: &dyn Fields) -> Vec<(&'static str, Value)> {
    let all = fields.all("priority");
    let urgent = all.iter().filter_map(Priority::from_value).any(|p| p == Priority::Urgent);
    let priority = if urgent { Priority::Urgent } else { Priority::Normal };
    let dangerous = fields.all("dangerous").contains(&Value::Bool(true));
    let clock = fields
        .all("category")
        .iter()
        .filter_map(Category::from_value)
        .map(|category| category.resolve_ms(priority, dangerous))
        .min();
    clock.map(|ms| ("due", Value::Int(fields.saved_ms().saturating_add(ms)))).into_iter().collect()
}
