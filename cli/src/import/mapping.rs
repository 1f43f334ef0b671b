//! The mapping file: which column means what, in TOML.
//!
//! Parsed once into checked types; after that no key, token or offset can be wrong. A column name
//! that ends in `?` may be missing from the header.

use std::path::Path;

use serde::Deserialize;

use super::{
    ImportError,
    category::{Patterns, RuleText, Rules, token},
    scan::{DateOrder, Form},
    when::TimeRules,
};
use crate::words::Said;

/// A checked mapping file.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    pub(super) record: RecordKind,
    pub(super) delimiter: Option<u8>,
    pub(super) lossy: bool,
    pub(super) require: Vec<Part>,
    pub(super) columns: Columns,
    pub(super) building_in_parentheses: bool,
    pub(super) text_joiner: String,
    pub(super) key: KeyRules,
    pub(super) category_rules: Rules,
    pub(super) category_default: &'static str,
    pub(super) urgent: Patterns,
    pub(super) time: TimeRules,
    pub(super) offset_follows_report: bool,
    pub(super) bad_date: BadDate,
}

/// What a row becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RecordKind {
    /// An incident (vụ việc).
    Incident,
    /// A line of the duty log (dòng sổ trực).
    LogEntry,
}

/// A part of a row that the map may require.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    Key,
    Occurred,
    Reported,
    Category,
    Place,
    Text,
}

/// What to do with an impossible date of the event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum BadDate {
    #[default]
    Refuse,
    UseReported,
}

/// Column names by meaning.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub(super) key: Vec<String>,
    pub(super) distinct_by: Vec<String>,
    pub(super) category: Vec<String>,
    pub(super) urgent: Vec<String>,
    pub(super) occurred: Vec<String>,
    pub(super) reported: Vec<String>,
    pub(super) fallback: Vec<String>,
    pub(super) place: Vec<String>,
    pub(super) building: Vec<String>,
    pub(super) text: Vec<String>,
    pub(super) note: Vec<String>,
    pub(super) state: Vec<String>,
    pub(super) outcome: Vec<String>,
}

/// How the natural key is made.
#[derive(Clone, Debug)]
pub(super) struct KeyRules {
    pub(super) prefix: String,
    /// A number with fewer digits is a fragment and does not identify a record.
    pub(super) digits_min: usize,
}

impl Mapping {
    /// Reads and checks a mapping file.
    pub(crate) fn load(path: &Path) -> Result<Self, ImportError> {
        Self::parse(&std::fs::read_to_string(path)?)
    }

    /// Checks the text of a mapping file.
    pub(crate) fn parse(toml: &str) -> Result<Self, ImportError> {
        let file: MapFile = toml::from_str(toml)
            .map_err(|error| ImportError::Mapping(Said::plain(error.to_string())))?;
        file.check().map_err(ImportError::Mapping)
    }

    /// Returns what the rows become.
    pub(crate) const fn record(&self) -> RecordKind {
        self.record
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MapFile {
    record: RecordKind,
    #[serde(default)]
    delimiter: Option<String>,
    #[serde(default)]
    encoding: Option<String>,
    #[serde(default)]
    require: Vec<Part>,
    #[serde(default)]
    place: Vec<String>,
    #[serde(default)]
    building: Vec<String>,
    #[serde(default)]
    building_in_parentheses: bool,
    #[serde(default)]
    text: Vec<String>,
    #[serde(default)]
    text_joiner: Option<String>,
    #[serde(default)]
    note: Vec<String>,
    #[serde(default)]
    state: Vec<String>,
    #[serde(default)]
    outcome: Vec<String>,
    key: KeyTable,
    category: CategoryTable,
    #[serde(default)]
    urgent: UrgentTable,
    time: TimeTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyTable {
    prefix: String,
    #[serde(default)]
    columns: Vec<String>,
    #[serde(default)]
    distinct_by: Vec<String>,
    #[serde(default)]
    digits_min: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CategoryTable {
    columns: Vec<String>,
    #[serde(default)]
    default: Option<String>,
    #[serde(default)]
    rule: Vec<RuleText>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct UrgentTable {
    #[serde(default)]
    columns: Vec<String>,
    #[serde(default)]
    equals: Vec<String>,
    #[serde(default)]
    contains: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TimeTable {
    #[serde(default)]
    occurred: Vec<String>,
    #[serde(default)]
    reported: Vec<String>,
    #[serde(default)]
    fallback: Vec<String>,
    forms: Vec<Form>,
    date_order: DateOrder,
    #[serde(default)]
    twelve_hour: bool,
    #[serde(default)]
    offset: Option<String>,
    #[serde(default)]
    offset_follows_report: bool,
    #[serde(default)]
    bad_date: BadDate,
    #[serde(default)]
    year_range: Option<[i32; 2]>,
    #[serde(default)]
    year: Option<i32>,
}

impl MapFile {
    fn check(self) -> Result<Mapping, Said> {
        let lossy = match self.encoding.as_deref() {
            None | Some("utf-8") => false,
            Some("lossy") => true,
            Some(other) => return Err(Said::new("mapping.encoding", &[("text", &other)])),
        };
        let default = self.category.default.as_deref().unwrap_or("unsorted");
        let category_default =
            token(default).ok_or_else(|| Said::new("mapping.category", &[("text", &default)]))?;
        if self.key.prefix.trim().is_empty() {
            return Err(Said::new("mapping.prefix", &[]));
        }
        Ok(Mapping {
            record: self.record,
            delimiter: delimiter(self.delimiter.as_deref())?,
            lossy,
            require: self.require,
            time: self.time.rules()?,
            offset_follows_report: self.time.offset_follows_report,
            bad_date: self.time.bad_date,
            category_rules: Rules::new(&self.category.rule)?,
            category_default,
            urgent: Patterns::new(&self.urgent.equals, &self.urgent.contains),
            key: KeyRules { prefix: self.key.prefix, digits_min: self.key.digits_min },
            building_in_parentheses: self.building_in_parentheses,
            text_joiner: self.text_joiner.unwrap_or_else(|| " / ".into()),
            columns: Columns {
                key: self.key.columns,
                distinct_by: self.key.distinct_by,
                category: self.category.columns,
                urgent: self.urgent.columns,
                occurred: self.time.occurred,
                reported: self.time.reported,
                fallback: self.time.fallback,
                place: self.place,
                building: self.building,
                text: self.text,
                note: self.note,
                state: self.state,
                outcome: self.outcome,
            },
        })
    }
}

impl TimeTable {
    fn rules(&self) -> Result<TimeRules, Said> {
        if self.occurred.is_empty() && self.reported.is_empty() {
            return Err(Said::new("mapping.time", &[]));
        }
        let [year_min, year_max] = self.year_range.unwrap_or([1990, 2100]);
        if !(1..=9999).contains(&year_min) || !(year_min..=9999).contains(&year_max) {
            return Err(Said::new("mapping.years", &[]));
        }
        Ok(TimeRules {
            forms: self.forms.clone(),
            order: self.date_order,
            twelve_hour: self.twelve_hour,
            offset_min: offset_min(self.offset.as_deref().unwrap_or("+07:00"))?,
            year_min,
            year_max,
            year: self.year,
        })
    }
}

fn delimiter(name: Option<&str>) -> Result<Option<u8>, Said> {
    match name {
        None | Some("auto") => Ok(None),
        Some("tab") => Ok(Some(b'\t')),
        Some(one) => match one.as_bytes() {
            [byte] if !matches!(byte, b'"' | b'\r' | b'\n') => Ok(Some(*byte)),
            _ => Err(Said::new("mapping.delimiter", &[("text", &one)])),
        },
    }
}

/// Parses `+07:00`.
fn offset_min(text: &str) -> Result<i32, Said> {
    let parsed = match text.as_bytes() {
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2]
            if [h1, h2, m1, m2].iter().all(|digit| digit.is_ascii_digit()) =>
        {
            let two = |tens: u8, ones: u8| i32::from(tens - b'0') * 10 + i32::from(ones - b'0');
            let minutes = two(*h1, *h2) * 60 + two(*m1, *m2);
            Some(if *sign == b'-' { -minutes } else { minutes })
        }
        _ => None,
    };
    parsed
        .filter(|minutes| minutes.abs() <= 14 * 60)
        .ok_or_else(|| Said::new("mapping.offset", &[("text", &text)]))
}
