//! The figures of incidents in a window: new, resolved, still open, late, and how long it took.
//!
//! One query in steps: the few incidents that a window can touch, each with its timeline replayed
//! to the window's end; then facts of one incident each; then counts, medians and ranks of facts.
//! Rules that the formulas leave open:
//! - A transition happened at its event time; where a person gave none, when it was saved.
//! - Void and duplicate incidents are left out by the state that they have now.
//! - If nothing was recorded after the window's end, the state that the record shows says whether
//!   it is open: clocks differ between phones, and of concurrent transitions the more cautious
//!   holds. Else it is resolved by its last resolution, unless it was reopened then or later.
//! - A duration below zero (an event that was entered after it was dealt with) counts as zero.
//! - A median is taken of milliseconds and rounded to minutes once, halves up.
//! - A resolution counts as reopened if that happened within 30 days, even after the window.
//!
//! Must not know: which counts are too small to show, see the module above.

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Row, named_params};

use super::steps::{BUILDINGS, CANDIDATES, FACTS, REPLAY, SUMS, TALLIES, WALK};
use super::window::{IsoWeek, Window};
use crate::domain::category::Category;
use crate::domain::lifecycle::IncidentState;
use crate::domain::place::PlaceKind;
use crate::error::{Error, Kind, Result};
use crate::ids::RecordId;
use crate::store::views::{STEP_WHEN, WHEN};

/// The most weeks that one call cuts a window into.
pub const WEEKS_MAX: usize = 110;
const MINUTE_MS: i64 = 60_000;

/// How to split figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum Cut {
    /// Not at all.
    None,
    /// By the category that the incident shows.
    Category,
    /// By building: the place itself or the place above it that is a building, or the topmost.
    Building,
    /// By ISO week; backlog and overdue are those at the end of each week.
    Week,
}

/// What a group of figures is about.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum CutKey {
    /// Everything.
    All,
    /// One category; none for incidents that have none.
    Category(Option<Category>),
    /// One building; none for incidents without a place.
    Building(Option<RecordId>),
    /// One week.
    Week(IsoWeek),
}

/// How long something took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Spread {
    /// The median, in whole minutes; of an even number the mean of the two in the middle.
    pub median_min: i64,
    /// The 90th percentile by nearest rank, in whole minutes.
    pub p90_min: i64,
    /// How many there were.
    pub n: u64,
}

/// A part of a whole: never printed as a percentage without both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Share {
    /// The part.
    pub n: u64,
    /// The whole.
    pub of: u64,
}

/// The figures of one window.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Figures {
    /// Incidents that occurred in the window.
    pub new: u64,
    /// Those of [`Figures::new`] that were counted by the time of saving: nobody said when.
    pub new_undated: u64,
    /// Incidents whose resolution, as it held at the end, lies in the window.
    pub resolved: u64,
    /// Incidents that were open at the end.
    pub backlog: u64,
    /// The backlog by whole days since saving: 0 to 1, 2 to 7, 8 to 30, more.
    pub backlog_by_age: [u64; 4],
    /// Incidents of the backlog that were past their clock.
    pub overdue: u64,
    /// From saving to the first acknowledgement, of those acknowledged in the window.
    pub acknowledge: Option<Spread>,
    /// From saving to resolution, of those resolved in the window.
    pub resolve_gross: Option<Spread>,
    /// The same without the time spent waiting or referred.
    pub resolve_net: Option<Spread>,
    /// Of the incidents that were due in the window, those resolved in time.
    pub in_time: Share,
    /// The median age of the backlog since saving.
    pub open_age_min: Option<i64>,
    /// Of the resolutions in the window, those that were reopened within 30 days.
    pub reopened: Share,
    /// The median time from occurring to saving, of the new ones whose time was given.
    pub log_lag_min: Option<i64>,
    /// Good deeds that occurred in the window; they are in no other figure.
    pub good_deeds: u64,
}

/// Counts the figures of a window.
///
/// # Errors
/// `E-INVALID` for an impossible window; `E-DBPAGE` and the like.
pub fn figures(connection: &Connection, window: &Window) -> Result<Figures> {
    let mut all = figures_by(connection, window, Cut::None)?;
    Ok(all.pop().map(|(_, figures)| figures).unwrap_or_default())
}

/// Counts the figures of a window, split; groups without any figure are left out.
///
/// # Errors
/// As [`figures`]; `E-INVALID` for more than [`WEEKS_MAX`] weeks.
pub fn figures_by(
    connection: &Connection,
    window: &Window,
    cut: Cut,
) -> Result<Vec<(CutKey, Figures)>> {
    let window = Window::custom(window.from_ms, window.to_ms)?;
    if cut != Cut::Week {
        return query(connection, window, cut);
    }
    if window.weeks().nth(WEEKS_MAX).is_some() {
        return Err(Error::new(Kind::Invalid, "too many weeks"));
    }
    // The state of things at the end of each week takes a replay of its own.
    window
        .weeks()
        .map(|(week, part)| Ok((CutKey::Week(week), figures(connection, &part)?)))
        .collect()
}

fn query(connection: &Connection, window: Window, cut: Cut) -> Result<Vec<(CutKey, Figures)>> {
    let buildings = if cut == Cut::Building { BUILDINGS } else { "" };
    let steps = [CANDIDATES, buildings, REPLAY, WALK, FACTS, TALLIES, SUMS];
    let (part, join) = match cut {
        Cut::None | Cut::Week => ("0", ""),
        Cut::Category => ("i.category", ""),
        Cut::Building => {
            ("ifnull(b.building, i.place)", "LEFT JOIN building b ON b.leaf = i.place")
        }
    };
    let sql = filled(&steps.concat().replace("$part", part).replace("$join", join));
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(named_params! {
        ":from": window.from_ms,
        ":to": window.to_ms,
    })?;
    let mut groups: Vec<(CutKey, Figures)> = Vec::new();
    while let Some(row) = rows.next()? {
        let key = key_of(cut, row.get(0)?);
        if groups.last().is_none_or(|(last, _)| *last != key) {
            groups.push((key, Figures::default()));
        }
        if let Some((_, figures)) = groups.last_mut() {
            figures.take(row)?;
        }
    }
    Ok(groups)
}

/// Puts expressions and the numbers of states and kinds where the SQL names them.
fn filled(sql: &str) -> String {
    use IncidentState as S;
    let names = [
        ("$when", WHEN.to_owned()),
        ("$step_when", STEP_WHEN.to_owned()),
        ("$open", OPEN.map(|state| state.number().to_string()).join(", ")),
        ("$acknowledged", S::Acknowledged.number().to_string()),
        ("$waiting", S::Waiting.number().to_string()),
        ("$referred", S::Referred.number().to_string()),
        ("$resolved", S::Resolved.number().to_string()),
        ("$closed", S::Closed.number().to_string()),
        ("$reopened", S::Reopened.number().to_string()),
        ("$duplicate", S::Duplicate.number().to_string()),
        ("$void", S::Void.number().to_string()),
        ("$good_deed", Category::GoodDeed.number().to_string()),
        ("$building_kind", PlaceKind::Building.number().to_string()),
        ("$day", (24 * 60 * MINUTE_MS).to_string()),
    ];
    let put = |sql: String, (name, what): &(&str, String)| sql.replace(name, what);
    names.iter().fold(sql.to_owned(), put)
}

fn key_of(cut: Cut, part: Sql) -> CutKey {
    match (cut, part) {
        (Cut::Category, Sql::Integer(number)) => CutKey::Category(Category::from_number(number)),
        (Cut::Category, _) => CutKey::Category(None),
        (Cut::Building, Sql::Blob(id)) => CutKey::Building(RecordId::from_slice(&id).ok()),
        (Cut::Building, _) => CutKey::Building(None),
        _ => CutKey::All,
    }
}

impl Figures {
    /// Takes in one row of the sums: part, fact, how many, sum of the middle, 90th percentile.
    fn take(&mut self, row: &Row<'_>) -> Result<()> {
        let n = row.get::<_, i64>(2)?.cast_unsigned();
        let spread = || -> Result<Spread> {
            Ok(Spread {
                median_min: median_min(n, row.get(3)?),
                p90_min: median_min(1, row.get(4)?),
                n,
            })
        };
        match row.get_ref(1)?.as_str().unwrap_or_default() {
            "undated" => {
                self.new += n;
                self.new_undated = n;
            }
            "lag" => {
                self.new += n;
                self.log_lag_min = Some(spread()?.median_min);
            }
            "acknowledged" => self.acknowledge = Some(spread()?),
            "resolved" => {
                self.resolved = n;
                self.resolve_gross = Some(spread()?);
            }
            "net" => self.resolve_net = Some(spread()?),
            "open" => {
                self.backlog = n;
                self.open_age_min = Some(spread()?.median_min);
            }
            "age 0" => self.backlog_by_age[0] = n,
            "age 2" => self.backlog_by_age[1] = n,
            "age 8" => self.backlog_by_age[2] = n,
            "age 31" => self.backlog_by_age[3] = n,
            "overdue" => self.overdue = n,
            "due" => self.in_time.of = n,
            "in time" => self.in_time.n = n,
            "resolution" => self.reopened.of = n,
            "reopened" => self.reopened.n = n,
            "good deed" => self.good_deeds = n,
            _ => {}
        }
        Ok(())
    }
}

/// Rounds the middle of `n` durations to minutes, halves up; `sum_ms` is the one in the middle,
/// or the sum of the two.
fn median_min(n: u64, sum_ms: i64) -> i64 {
    let minute = if n.is_multiple_of(2) { 2 * MINUTE_MS } else { MINUTE_MS };
    (sum_ms + minute / 2).div_euclid(minute)
}

/// The states of an incident that somebody still has to see to.
const OPEN: [IncidentState; 6] = [
    IncidentState::New,
    IncidentState::Acknowledged,
    IncidentState::InProgress,
    IncidentState::Waiting,
    IncidentState::Referred,
    IncidentState::Reopened,
];
