//! Reads foreign CSV logs into plain rows, guided by a mapping file.
//!
//! Invariant: every CSV record of the input comes out exactly once, either as an [`ImportRow`] or
//! as a [`RefusedRow`] that says where and why. Doubts that do not forbid the import travel with
//! the row as [`RowFlag`]s. Memory use does not grow with the file.
//!
//! This module knows nothing of the store, of accounts or of devices; it turns bytes into rows.
//!
//! The order of work: [`source`] opens the file, [`record`] splits it into records, [`layout`]
//! finds the mapped columns, [`row`] builds one row with the help of [`when`], [`category`],
//! [`key`] and [`text`].

mod calendar;
mod category;
mod cursor;
mod key;
mod layout;
mod mapping;
mod reader;
mod record;
mod row;
mod scan;
mod source;
#[cfg(test)]
mod tests;
mod text;
mod when;

use crate::words::Said;
pub(crate) use category::is_sealed;
pub(crate) use mapping::{Mapping, RecordKind};
pub(crate) use reader::ImportReader;
#[cfg(test)]
pub(crate) use text::mask;
pub(crate) use when::read_moment;

/// Returns year, month and day of a moment at an offset from UTC.
pub(crate) fn civil(ms: i64, offset_min: i32) -> (i32, u32, u32) {
    calendar::Date::of_ms(ms, offset_min).parts()
}

/// One record of the input, ready to become an incident or a log entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImportRow {
    /// Physical line on which the record starts; the header is line 1.
    pub line: u64,
    /// Natural key: the same source record has the same key in every file and every run.
    pub key: String,
    /// Start of the event, UTC milliseconds.
    pub t_occ_ms: Option<i64>,
    /// End of the event when the source gives a range, UTC milliseconds; no record type keeps it.
    #[allow(dead_code)]
    pub t_occ_end_ms: Option<i64>,
    /// When the event was reported, UTC milliseconds.
    pub t_reported_ms: Option<i64>,
    /// Token of the closed list of categories.
    pub category: &'static str,
    /// Place as the source names it; withheld for sealed categories.
    pub place: Option<String>,
    /// Building, the only place that a sealed row keeps.
    pub building: Option<String>,
    /// What happened; empty for sealed categories.
    pub text: String,
    /// What was done about it; `None` for sealed categories.
    pub note: Option<String>,
    /// Whether the source marks the row as urgent.
    pub urgent: bool,
    /// Token of the incident lifecycle, when the source carries one.
    pub state: Option<&'static str>,
    /// Token of how it ended, when the source carries one.
    pub outcome: Option<&'static str>,
    /// Doubts and repairs, sorted, without repeats.
    pub flags: Vec<RowFlag>,
}

/// A doubt about an imported row, or a repair that was made to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RowFlag {
    /// The day is known, the time of day is not; the time is the start of that day.
    TimeUnknown,
    /// The source gives no time of the event; the reported one (or its day) stands in.
    TimeFromReport,
    /// The source gives a range; both ends are kept.
    TimeRange,
    /// The time is written in a contradictory way (`17:15 PM`, `12:0 AM`, no AM or PM).
    TimeOdd,
    /// The range ends before it starts; the end was dropped.
    RangeReversed,
    /// The date is impossible and the map asked for the reported time instead.
    BadDateReplaced,
    /// The event lies more than a day after its own report.
    DateImplausible,
    /// The event is later than its report.
    OccurredAfterReported,
    /// The reported time cannot be read; it was left out.
    ReportedUnreadable,
    /// No rule matched; the default category was used.
    CategoryUnknown,
    /// The source names no place.
    PlaceMissing,
    /// A text was cut at the size limit.
    TextTruncated,
    /// Broken UTF-8 was replaced by U+FFFD, as the map allows.
    TextRepaired,
    /// A phone number, identity number or number plate was masked.
    PersonalDataMasked,
    /// Text, note and exact place were dropped because the category is sealed.
    SealedTextWithheld,
    /// The source gives no usable number; the key is a hash of the content.
    KeyFromContent,
    /// The state column holds no token of the lifecycle.
    StateUnknown,
    /// The outcome column holds no token of the closed list.
    OutcomeUnknown,
}

/// A record that was not imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusedRow {
    /// Physical line on which the record starts; the header is line 1.
    pub line: u64,
    /// Kind of problem.
    pub reason: RefusalReason,
    /// The particulars, short, for the person who repairs the file.
    pub detail: Said,
}

/// Why a record was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum RefusalReason {
    /// The record has fewer fields than the header.
    TooFewFields,
    /// The record has more fields than the header.
    TooManyFields,
    /// A mapped field is not UTF-8 and the map does not allow repair.
    NotUtf8,
    /// A mapped field holds a NUL character.
    NulByte,
    /// A field is longer than 64 KiB.
    FieldTooLong,
    /// A quote is opened and never closed; the rest of the file is in this record.
    UnclosedQuote,
    /// Every mapped field is empty.
    EmptyRow,
    /// A date is impossible, out of the allowed years or unreadable.
    BadDate,
    /// Neither the event nor the report has a time.
    NoTime,
    /// A part that the map requires is missing.
    MissingRequired,
    /// The input broke off here (damaged archive, read error); nothing follows.
    Unreadable,
}

impl RefusalReason {
    /// Returns the stable token used in reports.
    pub(crate) const fn token(self) -> &'static str {
        match self {
            Self::TooFewFields => "too_few_fields",
            Self::TooManyFields => "too_many_fields",
            Self::NotUtf8 => "not_utf8",
            Self::NulByte => "nul_byte",
            Self::FieldTooLong => "field_too_long",
            Self::UnclosedQuote => "unclosed_quote",
            Self::EmptyRow => "empty_row",
            Self::BadDate => "bad_date",
            Self::NoTime => "no_time",
            Self::MissingRequired => "missing_required",
            Self::Unreadable => "unreadable",
        }
    }
}

/// A problem that stops the import of a whole file; the caller must change the file or the map.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ImportError {
    /// The file cannot be opened or its first bytes cannot be read; trying again may help.
    #[error("the file cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// The mapping file is wrong; its author must correct it.
    #[error("the mapping file is wrong")]
    Mapping(Said),
    /// The input holds no header.
    #[error("the file is empty")]
    Empty,
    /// The input is UTF-16; it must be saved as UTF-8 first.
    #[error("the file is UTF-16; save it as UTF-8")]
    Utf16,
    /// The header is damaged: an unclosed quote, a giant name or too many columns.
    #[error("the header cannot be used")]
    Header(Said),
    /// The map names a column that the header does not have.
    #[error("column \"{column}\" is not in the header; the header has: {}", header.join(", "))]
    MissingColumn {
        /// Name in the map.
        column: String,
        /// Names in the header.
        header: Vec<String>,
    },
    /// The map names a column that the header has several times.
    #[error("column \"{column}\" is {count} times in the header")]
    DuplicateColumn {
        /// Name in the map.
        column: String,
        /// How often the header has it.
        count: usize,
    },
}
