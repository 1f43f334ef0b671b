//! Queries and their answers, as plain data; they read on their own connection and never wait for
//! a writer.
//!
//! Lists are keyset pages: the key of the last row leads to the next page, however many rows came
//! in between. Must not know: who asks.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Deref;

use rusqlite::{Connection, params_from_iter};

use crate::codec::Value;
use crate::domain::Content;
use crate::error::{Error, Kind, Result};
use crate::ids::{DeviceKey, LogId, PersonId, RecordId};
use crate::record::declare::{Declaration, Field, Merge, Type};
use crate::record::plain::{Draft, Plain, element_type, field_named, from_value, to_value};
use crate::store::search;
use crate::store::views::{
    self, FLAG_CLOCK, FLAG_CONCURRENT, FLAG_CONFLICT, FLAG_DAMAGED, Shown, Stored, View, WHEN, bind,
};
use crate::team::control::Rights;

/// The most rows of one page.
pub const PAGE_ROWS_MAX: u32 = 500;
/// Vietnam's offset from UTC, in ms; reports and weeks are in it.
pub const OFFSET_MS: i64 = 7 * 3_600_000;

/// One question, as plain data.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Query {
    /// A page of records, newest first.
    List(List),
    /// One record with all that it says.
    Get {
        /// The record.
        record: RecordId,
    },
    /// Records by words, exact accents first.
    Search(Search),
    /// Records with values to choose from.
    Conflicts {
        /// The most rows.
        limit: u32,
    },
    /// How many records by fields.
    Counts(Counts),
}

/// Which page of which records.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "ListQuery"))]
pub struct List {
    /// The record type's name.
    pub kind: String,
    /// Fields that must have these values.
    #[cfg_attr(feature = "uniffi", uniffi(default))]
    pub filter: BTreeMap<String, Plain>,
    /// Not before this time, in ms.
    #[cfg_attr(feature = "uniffi", uniffi(default))]
    pub from_ms: Option<i64>,
    /// Before this time, in ms.
    #[cfg_attr(feature = "uniffi", uniffi(default))]
    pub to_ms: Option<i64>,
    /// The key that the page before ended with.
    #[cfg_attr(feature = "uniffi", uniffi(default))]
    pub after: Option<PageKey>,
    /// The most rows, up to [`PAGE_ROWS_MAX`].
    #[cfg_attr(feature = "uniffi", uniffi(default = 50))]
    pub limit: u32,
}

/// Where a page ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct PageKey {
    /// The time of the last row, in ms.
    pub when_ms: i64,
    /// The local number of the last row.
    pub row: i64,
}

/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "SearchQuery"))]
pub struct Search {
    /// What a person typed, with accents or without.
    pub text: String,
    /// Only this record type.
    #[cfg_attr(feature = "uniffi", uniffi(default))]
    pub kind: Option<String>,
    /// The most hits.
    #[cfg_attr(feature = "uniffi", uniffi(default = 50))]
    pub limit: u32,
}

/// What to count by.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record), uniffi(name = "CountsQuery"))]
pub struct Counts {
    /// The record type's name.
    pub kind: String,
    /// Up to two fields.
    #[cfg_attr(feature = "uniffi", uniffi(default))]
    pub by: Vec<String>,
    /// By week too: the ms of each week's Monday 00:00, +07:00.
    #[cfg_attr(feature = "uniffi", uniffi(default))]
    pub by_week: bool,
    /// Not before this time, in ms.
    #[cfg_attr(feature = "uniffi", uniffi(default))]
    pub from_ms: Option<i64>,
    /// Before this time, in ms.
    #[cfg_attr(feature = "uniffi", uniffi(default))]
    pub to_ms: Option<i64>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A page.
    Page(Page),
    /// A record; none when it is not here.
    Record(Option<Box<Record>>),
    /// Rows, such as hits.
    Records(Vec<Record>),
    /// Counts.
    Counts(Vec<Count>),
}

/// A page of records.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Page {
    /// The rows, newest first.
    pub rows: Vec<Record>,
    /// What leads to the next page; none at the end.
    pub next: Option<PageKey>,
}

/// A record as a screen shows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Record {
    /// The record type's name.
    pub kind: String,
    /// The id.
    pub record: RecordId,
    /// When it happened if known, else when it was saved, in ms.
    pub when_ms: i64,
    /// When it was saved, in ms, by the clock of the phone that saved it.
    pub saved_ms: i64,
    /// The log that created it.
    pub log: LogId,
    /// Single values by field name.
    pub fields: FieldValues,
    /// Elements of sets and lists, where the whole record was asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lists: BTreeMap<String, Vec<Element>>,
    /// The fields that a person must pick for, with the values to choose from.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub conflicts: BTreeMap<String, Vec<Plain>>,
    /// Whether somebody must choose between values.
    pub in_conflict: bool,
    /// Whether two people wrote a last-writer field at once.
    pub concurrent: bool,
    /// Whether the clock that saved it looks wrong.
    pub clock_suspect: bool,
    /// Whether parts of it are damaged or over the bounds.
    pub damaged: bool,
}

/// The single values of a record by field name; in JSON they and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct FieldValues {
    values: BTreeMap<Cow<'static, str>, Plain>,
    /// The record type's name.
    #[serde(skip)]
    kind: &'static str,
    /// The elements of sets and lists, where the whole record was asked for.
    #[serde(skip)]
    elements: BTreeMap<&'static str, Vec<Plain>>,
}

impl Deref for FieldValues {
    type Target = BTreeMap<Cow<'static, str>, Plain>;

    fn deref(&self) -> &Self::Target {
        &self.values
    }
}

impl From<FieldValues> for Content {
    /// Gives them by type, with the elements of sets and lists where these are known.
    fn from(from: FieldValues) -> Self {
        let values = from.values.into_iter().map(|(name, value)| (name.into_owned(), value));
        let lists = from.elements.into_iter();
        let lists = lists.map(|(name, all)| (name.to_owned(), Plain::Many(all)));
        Self::from(&Draft { kind: from.kind.to_owned(), fields: values.chain(lists).collect() })
    }
}

/// One element of a set or list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Element {
    /// Its key: what a strike names.
    pub key: String,
    /// When it was saved, in ms.
    pub saved_ms: i64,
    /// What it says.
    pub value: Plain,
    /// Whether a later entry struck it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub struck: bool,
}

/// One cell of counts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Count {
    /// The values counted by, in the order asked for; none where a record has none.
    pub by: Vec<Option<Plain>>,
    /// The Monday of the week, in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub week_ms: Option<i64>,
    /// How many.
    pub count: u64,
}

/// Finds the view of a record type by name.
///
/// # Errors
/// `E-INVALID` when there is none.
pub fn view_named<'v>(views: &'v [View], name: &str) -> Result<&'v View> {
    let found = views.iter().find(|view| view.of.name == name);
    found.ok_or_else(|| Error::new(Kind::Invalid, format!("no record type {name}")))
}

/// Returns a page of records, newest first.
///
/// # Errors
/// `E-INVALID` for unknown names; of the store.
pub fn list(connection: &Connection, views: &[View], list: &List) -> Result<Page> {
    let view = view_named(views, &list.kind)?;
    let limit = list.limit.clamp(1, PAGE_ROWS_MAX);
    let mut conditions = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    for (name, plain) in &list.filter {
        let field = field_named(view.of, name)?;
        if !field.is_column() || field.is_person() {
            return Err(Error::new(Kind::Invalid, format!("{name} cannot be filtered by")));
        }
        conditions.push(format!("\"{name}\" = ?"));
        values.push(to_value(&field.ty, plain)?);
    }
    if let Some(from_ms) = list.from_ms {
        conditions.push(format!("{WHEN} >= ?"));
        values.push(Value::Int(from_ms));
    }
    if let Some(to_ms) = list.to_ms {
        conditions.push(format!("{WHEN} < ?"));
        values.push(Value::Int(to_ms));
    }
    if let Some(after) = list.after {
        conditions.push(format!("({WHEN} <= ? AND ({WHEN} < ? OR rid < ?))"));
        values.extend([
            Value::Int(after.when_ms),
            Value::Int(after.when_ms),
            Value::Int(after.row),
        ]);
    }
    values.push(Value::Int(i64::from(limit)));
    let place = if conditions.is_empty() { String::new() } else { " WHERE ".to_owned() };
    let tail =
        format!("{place}{} ORDER BY {WHEN} DESC, rid DESC LIMIT ?", conditions.join(" AND "));
    let shown = view.rows(connection, &tail, &mut values.into_iter().map(bind))?;
    let next = match shown.last() {
        Some(last) if shown.len() == limit as usize => {
            Some(PageKey { when_ms: last.when_ms, row: last.rid })
        }
        _ => None,
    };
    Ok(Page { rows: shown.into_iter().map(|shown| row(view.of, shown)).collect(), next })
}

/// Returns one record with all that it says.
///
/// # Errors
/// Of the store.
pub fn get(connection: &Connection, views: &[View], id: &RecordId) -> Result<Option<Record>> {
    for view in views {
        if let Some(stored) = view.load(connection, id)? {
            let shown = one(connection, view, stored.rid.unwrap_or_default())?;
            return Ok(shown.map(|shown| whole(view.of, shown, &stored)));
        }
    }
    Ok(None)
}

/// Returns records that hold all the words, exact accents first, then newest first.
///
/// # Errors
/// `E-INVALID` for an unknown record type; of the store.
pub fn search(connection: &Connection, views: &[View], asked: &Search) -> Result<Vec<Record>> {
    let forms = search::query(&asked.text);
    let limit = usize::try_from(asked.limit.clamp(1, PAGE_ROWS_MAX)).unwrap_or_default();
    if let Some(kind) = &asked.kind {
        view_named(views, kind)?;
    }
    let searched = views.iter().filter(|view| {
        view.has_search() && asked.kind.as_ref().is_none_or(|kind| kind == view.of.name)
    });
    let mut hits = Vec::new();
    for view in searched {
        let mut found: Vec<(usize, Shown)> = Vec::new();
        for (rank, form) in forms.iter().enumerate() {
            if found.len() >= limit {
                break;
            }
            let matching = view.matching(connection, form, limit)?.into_iter();
            let new: Vec<Shown> = matching
                .filter(|hit| found.iter().all(|(_, known)| known.rid != hit.rid))
                .collect();
            found.extend(new.into_iter().map(|hit| (rank, hit)));
        }
        hits.extend(found.into_iter().map(|(rank, shown)| (rank, row(view.of, shown))));
    }
    hits.sort_by_key(|(rank, record)| (*rank, std::cmp::Reverse(record.when_ms)));
    Ok(hits.into_iter().take(limit).map(|(_, record)| record).collect())
}

/// Returns records that a person must choose for.
///
/// # Errors
/// Of the store.
pub fn conflicts(connection: &Connection, views: &[View], limit: u32) -> Result<Vec<Record>> {
    let mut open = Vec::new();
    for view in views {
        let tail = format!(" WHERE flags & {FLAG_CONFLICT} ORDER BY rid DESC LIMIT ?");
        let limit = Value::Int(i64::from(limit.clamp(1, 10_000)));
        let rows = view.rows(connection, &tail, &mut std::iter::once(bind(limit)))?;
        for shown in rows {
            if let Some(stored) = view.load(connection, &shown.id)? {
                open.push(whole(view.of, shown, &stored));
            }
        }
    }
    Ok(open)
}

/// Counts records by fields and week.
///
/// # Errors
/// `E-INVALID` for unknown names; of the store.
pub fn counts(connection: &Connection, views: &[View], asked: &Counts) -> Result<Vec<Count>> {
    const WEEK_MS: i64 = 7 * 86_400_000;
    // 1970-01-05 was a Monday.
    const MONDAY_MS: i64 = 4 * 86_400_000;
    let view = view_named(views, &asked.kind)?;
    let mut fields: Vec<&Field> = Vec::with_capacity(asked.by.len());
    for name in &asked.by {
        let field = field_named(view.of, name)?;
        if !field.is_column() || field.is_person() || asked.by.len() > 2 {
            return Err(Error::new(Kind::Invalid, format!("{name} cannot be counted by")));
        }
        fields.push(field);
    }
    let mut columns: Vec<String> = fields.iter().map(|f| format!("\"{}\"", f.name)).collect();
    let mut conditions = vec!["1".to_owned()];
    let mut values = Vec::new();
    for (bound, compare) in [(asked.from_ms, ">="), (asked.to_ms, "<")] {
        if let Some(ms) = bound {
            conditions.push(format!("{WHEN} {compare} ?"));
            values.push(bind(Value::Int(ms)));
        }
    }
    let order = match columns.is_empty() {
        true => WHEN.to_owned(),
        false => format!("{}, {WHEN}", columns.join(", ")),
    };
    columns.push(WHEN.to_owned());
    // In the order of the field's index, which covers this: equal cells come one after the other
    // and are counted here, where SQLite would sort 100,000 weeks first.
    let sql = format!(
        "SELECT {} FROM \"{}\" WHERE {} ORDER BY {order}",
        columns.join(", "),
        view.of.name,
        conditions.join(" AND "),
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut cells: Vec<Cell> = Vec::new();
    while let Some(row) = rows.next()? {
        let ms: i64 = row.get(fields.len())?;
        let week_ms = asked.by_week.then(|| {
            let since = ms.saturating_add(OFFSET_MS - MONDAY_MS);
            since.div_euclid(WEEK_MS) * WEEK_MS + MONDAY_MS - OFFSET_MS
        });
        let mut is_same = cells.last().is_some_and(|cell| cell.week_ms == week_ms);
        for index in 0..fields.len() {
            let value = row.get_ref(index)?;
            is_same = is_same && cells.last().is_some_and(|cell| value == (&cell.by[index]).into());
        }
        match cells.last_mut() {
            Some(cell) if is_same => cell.count += 1,
            _ => {
                let by = (0..fields.len()).map(|index| row.get(index));
                cells.push(Cell { by: by.collect::<rusqlite::Result<_>>()?, week_ms, count: 1 });
            }
        }
    }
    Ok(cells.into_iter().map(|cell| cell.finish(&fields)).collect())
}

/// One cell of counts as SQLite holds its values.
struct Cell {
    by: Vec<rusqlite::types::Value>,
    week_ms: Option<i64>,
    count: u64,
}

impl Cell {
    fn finish(self, fields: &[&Field]) -> Count {
        let plain = |(value, field): (&rusqlite::types::Value, &&Field)| {
            let value = views::from_sql(&field.ty, value.into())?;
            from_value(&field.ty, &value)
        };
        let by = self.by.iter().zip(fields).map(plain).collect();
        Count { by, week_ms: self.week_ms, count: self.count }
    }
}

/// Reads the columns of one row.
fn one(connection: &Connection, view: &View, rid: i64) -> Result<Option<Shown>> {
    let rid = &mut std::iter::once(bind(Value::Int(rid)));
    Ok(view.rows(connection, " WHERE rid = ?", rid)?.pop())
}

/// Returns the row of a list: single values only.
fn row(of: &'static Declaration, shown: Shown) -> Record {
    Record {
        kind: of.name.to_owned(),
        record: shown.id,
        when_ms: shown.when_ms,
        saved_ms: shown.saved.ms(),
        log: shown.log,
        fields: FieldValues { values: shown.fields, kind: of.name, elements: BTreeMap::new() },
        lists: BTreeMap::new(),
        conflicts: BTreeMap::new(),
        in_conflict: shown.flags & FLAG_CONFLICT != 0,
        concurrent: shown.flags & FLAG_CONCURRENT != 0,
        clock_suspect: shown.flags & FLAG_CLOCK != 0,
        damaged: shown.flags & FLAG_DAMAGED != 0,
    }
}

/// Returns the record with its lists and open conflicts.
fn whole(of: &'static Declaration, shown: Shown, stored: &Stored) -> Record {
    let mut record = row(of, shown);
    for field in of.fields() {
        if field.is_list() {
            let elements = elements(field, stored);
            if !elements.is_empty() {
                let plain = elements.iter().map(|element| element.value.clone()).collect();
                record.fields.elements.insert(field.name, plain);
                record.lists.insert(field.name.to_owned(), elements);
            }
        }
        if stored.state.rivals(field) > 1 {
            record.conflicts.insert(field.name.to_owned(), rivals(field, stored));
        }
    }
    record
}

fn elements(field: &Field, stored: &Stored) -> Vec<Element> {
    let ty = element_type(field);
    let list = stored.state.list(field.number);
    let struck: Vec<Value> = list
        .iter()
        .filter_map(|(_, held)| match (&held.value, ty) {
            (Value::List(parts), Type::Element(declared)) => {
                let target = declared.iter().position(|part| part.name == "target")?;
                parts.get(target).cloned()
            }
            _ => None,
        })
        .collect();
    list.iter()
        .filter_map(|(key, held)| {
            let mut value = from_value(&ty, &held.value)?;
            if let (Merge::FS, Plain::Parts(parts)) = (field.merge, &mut value)
                && let Some(Plain::Int(to)) = parts.get("to")
                && let Some(token) = from_value(&field.ty, &Value::Int(*to))
            {
                parts.insert("to".to_owned(), token);
            }
            Some(Element {
                key: key.to_string(),
                saved_ms: held.stamp.hlc.ms(),
                value,
                struck: struck.contains(&Value::Bytes(key.0.to_vec())),
            })
        })
        .collect()
}

fn rivals(field: &Field, stored: &Stored) -> Vec<Plain> {
    let state = &stored.state;
    let values: Vec<Value> = match field.merge {
        Merge::FS => {
            let tips = state.tips.get(&field.number).into_iter().flat_map(BTreeMap::values);
            tips.map(|state| Value::Int(*state)).collect()
        }
        Merge::TX => {
            let texts = state.texts.get(&field.number).into_iter().flatten();
            texts.map(|text| Value::Text(text.clone())).collect()
        }
        _ => {
            let held = state.registers.get(&field.number).into_iter().flatten();
            held.map(|held| held.value.clone()).collect()
        }
    };
    values.iter().filter_map(|value| from_value(&field.ty, value)).collect()
}

/// A member device, without a name: the shell adds that.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct MemberDevice {
    /// The device.
    pub device: DeviceKey,
    /// Whose it is.
    pub person: PersonId,
    /// What it may do at all.
    pub rights: Rights,
    /// Its domain role, `R1` to `R3`; of a removed one the last.
    pub role: String,
    /// Whether it is a member now.
    pub status: MemberStatus,
    /// Whether it is this one.
    pub is_this: bool,
}

/// Whether a device is a member now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum MemberStatus {
    /// It is.
    Active,
    /// It was.
    Removed,
}
