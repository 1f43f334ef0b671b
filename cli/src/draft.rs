//! Rows of a foreign log as drafts of records.
//!
//! Sealed categories carry category and building only. Must not know: files, the store.

use tuquan_core::{
    domain::{
        category::{Category, Priority},
        incident::{Incident, Outcome, TimelineEntry, TimelineKind},
        lifecycle::IncidentState,
        log_entry::LogEntry,
    },
    ids::RecordId,
    record::{
        declare::TimeMs,
        plain::{Draft, Plain},
    },
};

use crate::{
    import::{ImportRow, RecordKind, is_sealed},
    place::cut,
};

/// The longest summary of an incident, in bytes.
const SUMMARY_BYTES_MAX: usize = 4_000;

/// What an event says, wherever it comes from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Event {
    /// When it happened, UTC milliseconds.
    pub(crate) t_occ_ms: Option<i64>,
    /// When it was noted what was done, UTC milliseconds.
    pub(crate) t_note_ms: Option<i64>,
    /// Token of the closed category list.
    pub(crate) category: &'static str,
    /// Where.
    pub(crate) place: Option<RecordId>,
    /// What happened.
    pub(crate) text: String,
    /// What was done about it.
    pub(crate) note: Option<String>,
    /// Whether it needs action at once.
    pub(crate) urgent: bool,
    /// Token of the lifecycle.
    pub(crate) state: Option<&'static str>,
    /// Token of how it ended.
    pub(crate) outcome: Option<&'static str>,
}

impl Event {
    /// Takes what a row says; its place was looked up before.
    pub(crate) fn of_row(row: ImportRow, place: Option<RecordId>) -> Self {
        Self {
            t_occ_ms: row.t_occ_ms,
            t_note_ms: row.t_reported_ms.or(row.t_occ_ms),
            category: row.category,
            place,
            text: row.text,
            note: row.note,
            urgent: row.urgent,
            state: row.state,
            outcome: row.outcome,
        }
    }

    /// Returns the draft of a record of this kind.
    pub(crate) fn draft(&self, kind: RecordKind) -> Draft {
        let draft = match kind {
            RecordKind::Incident => self.incident().draft(),
            RecordKind::LogEntry => self.log_entry().draft(),
        };
        match self.t_occ_ms {
            Some(ms) => draft.with("t_occ", Plain::Int(ms)),
            None => draft,
        }
    }

    fn incident(&self) -> Incident {
        let sealed = is_sealed(self.category);
        let timeline = self.note.as_ref().filter(|_| !sealed).map(|note| TimelineEntry {
            kind: Some(TimelineKind::Note),
            body: Some(note.clone()),
            t_event: self.t_note_ms.map(TimeMs),
            ..TimelineEntry::default()
        });
        let summary = cut(&self.text, SUMMARY_BYTES_MAX);
        Incident {
            category: Category::from_token(self.category),
            place: self.place,
            state: self.state.and_then(IncidentState::from_token),
            priority: self.urgent.then_some(Priority::Urgent),
            summary: (!sealed && !summary.is_empty()).then(|| summary.to_owned()),
            timeline: timeline.into_iter().collect(),
            outcome: self.outcome.and_then(Outcome::from_token),
            ..Incident::default()
        }
    }

    fn log_entry(&self) -> LogEntry {
        let sealed = is_sealed(self.category);
        let text = Some(&self.text).filter(|text| !text.is_empty());
        let notes = text.into_iter().chain(self.note.as_ref());
        LogEntry {
            category: Category::from_token(self.category),
            place: self.place,
            note: notes.filter(|_| !sealed).cloned().collect(),
            urgent: self.urgent.then_some(true),
            ..LogEntry::default()
        }
    }
}
