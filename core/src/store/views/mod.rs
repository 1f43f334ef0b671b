//! Views: one SQL table per record type, made from its declaration, and the rows of a record.
//!
//! Columns come from the field table: registers and folded states are columns, sets and lists
//! side tables, concurrent values rows of `rival`. A view holds all that the next fold needs, so
//! a linear history never loads a document. Invariant: what [`RowWriter::write`] wrote, [`View::load`]
//! reads back as the same state (but for stamps of values without rivals). Must not know: any one
//! record type, the logs.

mod heads;
mod lists;
mod rivals;
mod writing;

use std::borrow::Cow;
use std::collections::BTreeMap;

use rusqlite::types::{ToSqlOutput, Value as Sql, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params, params_from_iter};

pub use self::heads::Head;
use self::heads::{decode_heads, decode_size, encode_size, local_no, log_of};
use self::lists::ListTable;
use self::rivals::{restore_rival, rivals_of};
pub use self::writing::RowWriter;
use super::logs::{WHOLE, check_whole};
use crate::clock::Hlc;
use crate::codec::{Reader, Value, Writer};
use crate::crypto;
use crate::error::Result;
use crate::ids::{ElementKey, LogId, RecordId, to_hex};
use crate::record::bounds::{Size, TEXT_INSERTED_MAX};
use crate::record::declare::{Declaration, Field, Fields, Merge, Type};
use crate::record::plain::Plain;
use crate::record::state::{Held, Stamp, State};

/// The row has values that a person must choose from.
pub const FLAG_CONFLICT: i64 = 1;
/// The row has concurrent values that a rule chose from.
pub const FLAG_CONCURRENT: i64 = 2;
/// The record was created by a clock that looks wrong.
pub const FLAG_CLOCK: i64 = 4;
/// Items of the record are damaged or over the bounds and left out.
pub const FLAG_DAMAGED: i64 = 8;
/// Some items are over the bounds and kept aside.
pub const FLAG_ASIDE: i64 = 16;

/// The column that orders records in time, in ms: when it happened if known, else when it was
/// saved. A column and not an expression, so that an index covers counts by week.
pub const WHEN: &str = "\"when_ms\"";

/// The SQL expression that orders the transitions of a folded state in time, in ms.
pub const STEP_WHEN: &str = "ifnull(\"t_event\", \"hlc\" >> 16)";

/// A record as its view holds it.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    /// The local row number; none for a record that has no row yet.
    pub rid: Option<i64>,
    /// The id.
    pub id: RecordId,
    /// The log that created it.
    pub log: LogId,
    /// When it was created.
    pub saved: Hlc,
    /// Its heads, sorted.
    pub heads: Vec<Head>,
    /// How many items it has.
    pub items: u64,
    /// How much of its bounds it has used up.
    pub size: Size,
    /// See `FLAG_...`.
    pub flags: i64,
    /// What it says.
    pub state: State,
}

/// A row of a list: what a record shows, without what the next fold needs.
#[derive(Debug)]
pub struct Shown {
    /// The local row number.
    pub rid: i64,
    /// The id.
    pub id: RecordId,
    /// The log that created it.
    pub log: LogId,
    /// When it was created.
    pub saved: Hlc,
    /// See `FLAG_...`.
    pub flags: i64,
    /// The time that orders it, in ms.
    pub when_ms: i64,
    /// The values of its columns by field name, plain.
    pub fields: BTreeMap<Cow<'static, str>, Plain>,
}

/// Where a row's own columns begin in a select.
const FIXED_COLUMNS: usize = 9;

/// The SQL of one record type, made once.
#[derive(Debug)]
pub struct View {
    /// The declaration.
    pub of: &'static Declaration,
    columns: Vec<&'static Field>,
    lists: Vec<ListTable>,
    has_search: bool,
    insert: String,
    update: String,
    select: String,
    next_id: String,
    insert_search: String,
    occurred: Option<&'static Field>,
}

impl View {
    /// Makes the SQL of a record type.
    #[must_use]
    pub fn new(of: &'static Declaration) -> Self {
        let columns: Vec<&Field> = of.fields().filter(|field| field.is_column()).collect();
        let names: Vec<String> = columns.iter().map(|f| format!("\"{}\"", f.name)).collect();
        let fixed = ["id", "log", "saved", "heads", "items", "size", "flags", WHEN];
        let all: Vec<String> =
            fixed.iter().map(|name| (*name).to_owned()).chain(names.iter().cloned()).collect();
        let marks = vec!["?"; all.len()].join(", ");
        let sets: Vec<String> = all.iter().map(|name| format!("{name} = ?")).collect();
        let table = of.name;
        Self {
            of,
            lists: of.fields().filter(|f| f.is_list()).map(|f| ListTable::new(of, f)).collect(),
            has_search: of.fields().any(|field| field.searched),
            insert: format!("INSERT INTO \"{table}\" ({}) VALUES ({marks})", all.join(", ")),
            update: format!("UPDATE \"{table}\" SET {} WHERE rid = ?", sets.join(", ")),
            select: format!("SELECT rid, {}, whole FROM \"{table}\"", all.join(", ")),
            next_id: format!("SELECT id FROM \"{table}\" WHERE id >= ? ORDER BY id LIMIT 1"),
            insert_search: format!(
                "INSERT INTO \"{table}_search\" (rowid, folded, accented) VALUES (?, ?, ?)"
            ),
            occurred: of.field_named("t_occ"),
            columns,
        }
    }

    /// Returns the statements that make the tables and indexes of this view.
    #[must_use]
    pub fn create(&self) -> String {
        let table = self.of.name;
        let mut sql = format!(
            "CREATE TABLE \"{table}\" (rid INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, \
             log INTEGER NOT NULL, saved INTEGER NOT NULL, heads BLOB NOT NULL, \
             items INTEGER NOT NULL, size BLOB NOT NULL, flags INTEGER NOT NULL, {WHEN} INTEGER NOT NULL"
        );
        let columns = self.columns.iter().map(|field| (field.name, &field.ty));
        sql.push_str(&format!(", {});\n", ordered_columns(columns)));
        sql.push_str(&format!("CREATE INDEX \"{table}_when\" ON \"{table}\" ({WHEN});\n"));
        sql.push_str(&format!(
            "CREATE INDEX \"{table}_open\" ON \"{table}\" (rid) WHERE flags & {FLAG_CONFLICT};\n"
        ));
        for field in self.of.fields().filter(|field| field.indexed) {
            let name = field.name;
            sql.push_str(&format!(
                "CREATE INDEX \"{table}_by_{name}\" ON \"{table}\" (\"{name}\", {WHEN});\n"
            ));
        }
        for list in &self.lists {
            sql.push_str(&list.create(table));
        }
        if self.has_search {
            sql.push_str(&format!(
                "CREATE VIRTUAL TABLE \"{table}_search\" USING fts5(folded, accented, \
                 content='', contentless_delete=1, detail=column, \
                 tokenize=\"unicode61 remove_diacritics 0\");\n"
            ));
        }
        sql
    }

    /// Returns the statements that drop what [`View::create`] makes.
    #[must_use]
    pub fn drop(&self) -> String {
        let table = self.of.name;
        let mut sql = format!("DROP TABLE IF EXISTS \"{table}\";\n");
        for list in &self.lists {
            sql.push_str(&format!("DROP TABLE IF EXISTS \"{table}_{}\";\n", list.field.name));
        }
        sql.push_str(&format!("DROP TABLE IF EXISTS \"{table}_search\";\n"));
        sql
    }

    /// Tells whether search covers anything of this record type.
    #[must_use]
    pub fn has_search(&self) -> bool {
        self.has_search
    }

    /// Reads a record and its whole state.
    ///
    /// # Errors
    /// `E-DBPAGE` and the like; `E-FORMAT` when a row is not what this code writes.
    pub fn load(&self, connection: &Connection, id: &RecordId) -> Result<Option<Stored>> {
        let sql = format!("{} WHERE id = ?", self.select);
        self.load_where(connection, &sql, &id.0[..])
    }

    /// Returns the first id in the view that is not before `id`.
    ///
    /// # Errors
    /// `E-DBPAGE` and the like.
    pub fn next_id(&self, connection: &Connection, id: &RecordId) -> Result<Option<RecordId>> {
        let mut statement = connection.prepare_cached(&self.next_id)?;
        Ok(statement.query_row([id], |row| row.get(0)).optional()?)
    }

    /// Reads the record in a row by the row's number.
    ///
    /// # Errors
    /// As [`View::load`].
    pub fn load_row(&self, connection: &Connection, rid: i64) -> Result<Option<Stored>> {
        let sql = format!("{} WHERE rid = ?", self.select);
        self.load_where(connection, &sql, rid)
    }

    fn load_where(
        &self,
        connection: &Connection,
        sql: &str,
        key: impl rusqlite::ToSql,
    ) -> Result<Option<Stored>> {
        let mut statement = connection.prepare_cached(sql)?;
        let found = statement.query_row([key], |row| Ok(self.read_row(row))).optional()?;
        let Some(stored) = found else { return Ok(None) };
        let (mut stored, log_no) = stored?;
        stored.log = log_of(connection, log_no)?;
        for head in &mut stored.heads {
            head.place.log = log_of(connection, local_no(&head.place.log))?;
        }
        stored.heads.sort_unstable();
        let rid = stored.rid.unwrap_or_default();
        for list in &self.lists {
            list.load(connection, rid, &mut stored.state)?;
        }
        let texts_or_counts =
            self.columns.iter().any(|field| matches!(field.merge, Merge::CN | Merge::TX));
        if stored.flags & (FLAG_CONFLICT | FLAG_CONCURRENT) != 0 || texts_or_counts {
            self.load_rivals(connection, rid, &mut stored.state)?;
        }
        Ok(Some(stored))
    }

    fn read_row(&self, row: &Row<'_>) -> Result<(Stored, i64)> {
        check_whole(row, FIXED_COLUMNS + self.columns.len())?;
        let mut stored = Stored {
            rid: Some(row.get(0)?),
            id: row.get(1)?,
            saved: Hlc(row.get::<_, i64>(3)?.cast_unsigned()),
            heads: decode_heads(row.get_ref(4)?.as_blob().unwrap_or_default())?,
            items: row.get::<_, i64>(5)?.cast_unsigned(),
            size: decode_size(row.get_ref(6)?.as_blob().unwrap_or_default())?,
            flags: row.get(7)?,
            ..Stored::default()
        };
        for (index, field) in (FIXED_COLUMNS..).zip(&self.columns) {
            let Some(value) = from_sql(&field.ty, row.get_ref(index)?) else {
                continue;
            };
            match field.merge {
                Merge::DE | Merge::CN => {}
                Merge::FS => {
                    // With one tip its key does not matter: the next transition has seen it.
                    if let Value::Int(state) = value {
                        let tips = [(ElementKey::default(), state)];
                        stored.state.tips.insert(field.number, tips.into());
                    }
                }
                Merge::TX => {
                    if let Value::Text(text) = value {
                        stored.state.texts.insert(field.number, vec![text]);
                    }
                }
                _ => {
                    let held = Held { value, stamp: Stamp::default() };
                    stored.state.registers.insert(field.number, vec![held]);
                }
            }
        }
        Ok((stored, row.get(2)?))
    }

    /// Reads rows with their columns only, as lists show them; `tail` follows the `FROM`.
    ///
    /// # Errors
    /// `E-DBPAGE` and the like.
    pub fn rows(
        &self,
        connection: &Connection,
        tail: &str,
        values: &mut dyn Iterator<Item = ToSqlOutput<'static>>,
    ) -> Result<Vec<Shown>> {
        let mut statement = connection.prepare_cached(&format!("{}{tail}", self.select))?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut found: Vec<Shown> = Vec::new();
        let mut logs: Vec<(i64, LogId)> = Vec::new();
        while let Some(row) = rows.next()? {
            check_whole(row, FIXED_COLUMNS + self.columns.len())?;
            let no = row.get(2)?;
            let log = match logs.iter().find(|(known, _)| *known == no) {
                Some((_, log)) => *log,
                None => {
                    let log = log_of(connection, no)?;
                    logs.push((no, log));
                    log
                }
            };
            let mut shown = Shown {
                rid: row.get(0)?,
                id: row.get(1)?,
                log,
                saved: Hlc(row.get::<_, i64>(3)?.cast_unsigned()),
                flags: row.get(7)?,
                when_ms: row.get(8)?,
                fields: BTreeMap::new(),
            };
            for (index, field) in (FIXED_COLUMNS..).zip(&self.columns) {
                if let Some(plain) = plain_of(&field.ty, row.get_ref(index)?) {
                    shown.fields.insert(Cow::Borrowed(field.name), plain);
                }
            }
            found.push(shown);
        }
        Ok(found)
    }

    /// Returns the rows that match a search expression, newest row first.
    ///
    /// # Errors
    /// `E-DBPAGE` and the like.
    pub fn matching(
        &self,
        connection: &Connection,
        wanted: &str,
        most: usize,
    ) -> Result<Vec<Shown>> {
        let table = self.of.name;
        let tail = format!(
            " WHERE rid IN (SELECT rowid FROM \"{table}_search\" WHERE \"{table}_search\" MATCH ? \
             ORDER BY rowid DESC LIMIT ?) ORDER BY rid DESC"
        );
        let most = Value::Int(i64::try_from(most).unwrap_or(i64::MAX));
        let values = [Value::Text(wanted.to_owned()), most];
        self.rows(connection, &tail, &mut values.into_iter().map(bind))
    }

    fn load_rivals(&self, connection: &Connection, rid: i64, state: &mut State) -> Result<()> {
        let sql = "SELECT field, value, hlc, log, key, whole FROM rival \
                   WHERE kind = ? AND rid = ? ORDER BY field, n";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![self.of.kind.cast_signed(), rid])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            check_whole(row, 5)?;
            let number: u16 = row.get(0)?;
            let Some(field) = self.of.field(number) else {
                continue;
            };
            let mut from = Reader::new(row.get_ref(1)?.as_blob().unwrap_or_default());
            let value = from.value(TEXT_INSERTED_MAX)?;
            let stamp = Stamp { hlc: Hlc(row.get::<_, i64>(2)?.cast_unsigned()), log: row.get(3)? };
            let first = last != Some(number);
            last = Some(number);
            restore_rival(state, field, first, value, stamp, row.get(4)?);
        }
        Ok(())
    }

    /// Starts writing rows; statements are prepared once for all of them.
    #[must_use]
    pub fn writer<'a>(&'a self, transaction: &'a Transaction<'a>) -> RowWriter<'a> {
        RowWriter::new(self, transaction)
    }

    /// Hashes every row in the order of record ids, without local columns; the ids of logs stand
    /// for their local numbers. Two replicas with the same entries get the same hash.
    ///
    /// # Errors
    /// `E-DBPAGE` and the like.
    pub fn hash(&self, connection: &Connection, into: &mut blake3::Hasher) -> Result<u64> {
        let sql = format!("SELECT rid FROM \"{}\" ORDER BY id", self.of.name);
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let Some(stored) = self.load_row(connection, row.get(0)?)? else {
                continue;
            };
            into.update(&self.canonical(&stored));
            count += 1;
        }
        Ok(count)
    }

    /// Encodes what a row says, independent of this phone.
    fn canonical(&self, stored: &Stored) -> Vec<u8> {
        let mut to = Writer::new();
        to.array(8).uint(self.of.kind).bytes(&stored.id.0).bytes(&stored.log.0);
        to.uint(stored.saved.0).uint(stored.items).int(stored.flags & !FLAG_CLOCK);
        to.bytes(&encode_size(&stored.size));
        to.array(stored.heads.len());
        for head in &stored.heads {
            to.bytes(&head.place.log.0).uint(head.place.seq).uint(u64::from(head.place.index));
        }
        for field in &self.columns {
            to.value(&stored.state.shown(field).unwrap_or(Value::Null));
        }
        for list in &self.lists {
            for (key, held) in stored.state.list(list.field.number) {
                to.bytes(&key.0).value(&held.value).uint(held.stamp.hlc.0);
            }
        }
        for rival in rivals_of(&stored.state) {
            to.uint(u64::from(rival.field)).bytes(&rival.value).bytes(&rival.stamp.log.0);
        }
        to.into_bytes()
    }
}

/// Returns a hash of all that shapes the view tables; another one means they must be rebuilt.
#[must_use]
pub fn shape_hash(views: &[View]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for view in views {
        hasher.update(view.create().as_bytes());
        hasher.update(&view.of.kind.to_le_bytes());
        for field in view.of.fields() {
            let line = format!("{} {:?} {:?} {}", field.number, field.ty, field.merge, field.name);
            hasher.update(line.as_bytes());
        }
    }
    *hasher.finalize().as_bytes()
}

/// What a declaration's own functions see of a record.
pub struct StateFields<'a> {
    /// The declaration.
    pub of: &'static Declaration,
    /// The record.
    pub record: &'a Stored,
}

impl Fields for StateFields<'_> {
    fn all(&self, name: &str) -> Vec<Value> {
        let Some(field) = self.of.field_named(name) else {
            return Vec::new();
        };
        let state = &self.record.state;
        if matches!(field.merge, Merge::AO | Merge::OR) {
            return state.list(field.number).into_iter().map(|(_, h)| h.value.clone()).collect();
        }
        match state.registers.get(&field.number) {
            Some(held) => held.iter().map(|held| held.value.clone()).collect(),
            None => state.shown(field).into_iter().collect(),
        }
    }

    fn saved_ms(&self) -> i64 {
        self.record.saved.ms()
    }
}

/// Declares columns so that numbers come before texts and `whole` comes last: the end of a long
/// row, which alone may be wiped without an error, then holds nothing that figures count by.
fn ordered_columns<'a>(columns: impl Iterator<Item = (&'a str, &'a Type)>) -> String {
    let declare =
        |(name, ty): (&str, &Type)| (column_type(ty), format!("\"{name}\" {}", column_type(ty)));
    let (texts, numbers): (Vec<_>, Vec<_>) =
        columns.map(declare).partition(|(ty, _)| *ty == "TEXT");
    let whole = format!("whole INTEGER NOT NULL DEFAULT {WHOLE}");
    let declared = numbers.into_iter().chain(texts).map(|(_, column)| column);
    declared.chain([whole]).collect::<Vec<_>>().join(", ")
}

fn column_type(ty: &Type) -> &'static str {
    match ty {
        Type::Text(_) => "TEXT",
        Type::Int(..) | Type::Bool | Type::Time | Type::Choice(_) => "INTEGER",
        Type::Ref | Type::Manifest(_) | Type::Element(_) => "BLOB",
    }
}

fn to_sql(value: Value) -> Sql {
    match value {
        Value::Null | Value::List(_) => Sql::Null,
        Value::Bool(flag) => Sql::Integer(i64::from(flag)),
        Value::Int(number) => Sql::Integer(number),
        Value::Text(text) => Sql::Text(text),
        Value::Bytes(bytes) => Sql::Blob(bytes),
    }
}

/// Reads a column back; none for null.
#[must_use]
pub fn from_sql(ty: &Type, value: ValueRef<'_>) -> Option<Value> {
    match (ty, value) {
        (Type::Bool, ValueRef::Integer(number)) => Some(Value::Bool(number != 0)),
        (_, ValueRef::Integer(number)) => Some(Value::Int(number)),
        (_, ValueRef::Text(bytes)) => Some(Value::Text(text_of(bytes))),
        (_, ValueRef::Blob(bytes)) => Some(Value::Bytes(bytes.to_vec())),
        _ => None,
    }
}

fn text_of(bytes: &[u8]) -> String {
    let text = std::str::from_utf8(bytes).map(str::to_owned);
    text.unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned())
}

/// Reads a column as lists show it: [`from_value`] of [`from_sql`], without the copy in between.
///
/// [`from_value`]: crate::record::plain::from_value
fn plain_of(ty: &Type, value: ValueRef<'_>) -> Option<Plain> {
    Some(match (ty, value) {
        (Type::Text(_), ValueRef::Text(bytes)) => Plain::Text(text_of(bytes)),
        (Type::Int(..) | Type::Time, ValueRef::Integer(number)) => Plain::Int(number),
        (Type::Bool, ValueRef::Integer(number)) => Plain::Bool(number != 0),
        (Type::Ref, ValueRef::Blob(bytes)) => Plain::Text(to_hex(bytes)),
        (Type::Choice(all), ValueRef::Integer(number)) => {
            let choice = all.iter().find(|choice| choice.number == number)?;
            Plain::Text(choice.token.to_owned())
        }
        _ => return None,
    })
}

/// Returns the value as SQLite binds it, for filters.
#[must_use]
pub fn bind(value: Value) -> ToSqlOutput<'static> {
    ToSqlOutput::Owned(to_sql(value))
}

/// Hashes all views: what "identical" means.
///
/// # Errors
/// `E-DBPAGE` and the like.
pub fn hash_all(connection: &Connection, views: &[View]) -> Result<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&crypto::hash_bytes("tuquan/1 views", &[]));
    for view in views {
        view.hash(connection, &mut hasher)?;
    }
    Ok(*hasher.finalize().as_bytes())
}
