//! Side tables of sets, lists and folded states: one row per element.
//!
//! Must not know: the main table of a view.

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, Transaction, params, params_from_iter};

use super::{STEP_WHEN, from_sql, ordered_columns, to_sql};
use crate::attachment::Manifest;
use crate::clock::Hlc;
use crate::codec::Value;
use crate::error::Result;
use crate::ids::{ChunkHash, ElementKey};
use crate::record::declare::{Declaration, Field, FieldType, Merge, Part, Type};
use crate::record::plain::element_type;
use crate::record::state::{Held, Stamp, State};
use crate::store::chunks;
use crate::store::logs::check_whole;

/// The SQL of one side table.
#[derive(Debug)]
pub(super) struct ListTable {
    pub(super) field: &'static Field,
    kind: u64,
    parts: Option<&'static [Part]>,
    /// Which part names sealed chunks.
    manifest: Option<usize>,
    insert: String,
    select: String,
    delete: String,
}

impl ListTable {
    pub(super) fn new(of: &Declaration, field: &'static Field) -> Self {
        let table = of.name;
        let parts = match element_type(field) {
            Type::Element(parts) => Some(parts),
            _ => None,
        };
        let names = match parts {
            None => "\"value\"".to_owned(),
            Some(parts) => {
                parts.iter().map(|p| format!("\"{}\"", p.name)).collect::<Vec<_>>().join(", ")
            }
        };
        let marks = vec!["?"; 4 + parts.map_or(1, <[Part]>::len)].join(", ");
        let name = format!("\"{table}_{}\"", field.name);
        Self {
            field,
            kind: of.kind,
            parts,
            manifest: parts.and_then(|parts| {
                parts.iter().position(|part| matches!(part.ty, Type::Manifest(_)))
            }),
            insert: format!(
                "INSERT OR REPLACE INTO {name} (rid, key, hlc, log, {names}) VALUES ({marks})"
            ),
            select: format!("SELECT key, hlc, log, {names}, whole FROM {name} WHERE rid = ?"),
            delete: format!("DELETE FROM {name} WHERE rid = ? AND key = ?"),
        }
    }

    pub(super) fn create(&self, table: &str) -> String {
        let columns = match self.parts {
            None => ordered_columns([("value", &element_type(self.field))].into_iter()),
            Some(parts) => ordered_columns(parts.iter().map(|part| (part.name, &part.ty))),
        };
        let name = self.field.name;
        let mut sql = format!(
            "CREATE TABLE \"{table}_{name}\" (rid INTEGER NOT NULL, key BLOB NOT NULL, \
             hlc INTEGER NOT NULL, log BLOB NOT NULL, {columns}, \
             PRIMARY KEY (rid, key)) WITHOUT ROWID;\n"
        );
        if self.field.merge == Merge::FS {
            // Figures ask what happened in a month; the whole table takes 0.2 s to decrypt.
            sql.push_str(&format!(
                "CREATE INDEX \"{table}_{name}_when\" ON \"{table}_{name}\" ({STEP_WHEN});\n"
            ));
        }
        sql
    }

    pub(super) fn load(&self, connection: &Connection, rid: i64, state: &mut State) -> Result<()> {
        let mut statement = connection.prepare_cached(&self.select)?;
        let mut rows = statement.query([rid])?;
        while let Some(row) = rows.next()? {
            check_whole(row, 3 + self.parts.map_or(1, <[Part]>::len))?;
            let stamp = Stamp { hlc: Hlc(row.get::<_, i64>(1)?.cast_unsigned()), log: row.get(2)? };
            let value = match self.parts {
                None => from_sql(&element_type(self.field), row.get_ref(3)?),
                Some(parts) => {
                    let mut list = Vec::with_capacity(parts.len());
                    for (index, part) in (3..).zip(parts) {
                        let part = from_sql(&part.ty, row.get_ref(index)?);
                        list.push(part.unwrap_or(Value::Null));
                    }
                    while list.last() == Some(&Value::Null) {
                        list.pop();
                    }
                    Some(Value::List(list))
                }
            };
            let value = value.unwrap_or(Value::Null);
            state.elements.insert((self.field.number, row.get(0)?), Held { value, stamp });
        }
        Ok(())
    }

    pub(super) fn write(
        &self,
        transaction: &Transaction<'_>,
        rid: i64,
        state: &State,
        before: Option<&State>,
        unnamed: &mut Vec<ChunkHash>,
    ) -> Result<()> {
        let number = self.field.number;
        let old = before.map(|before| before.list(number)).unwrap_or_default();
        let new = state.list(number);
        if old.is_empty() && new.is_empty() {
            return Ok(());
        }
        for (key, _) in &old {
            if !state.elements.contains_key(&(number, *key)) {
                transaction.prepare_cached(&self.delete)?.execute(params![rid, key])?;
                if self.manifest.is_some() {
                    chunks::unname(transaction, (self.kind, rid, key), unnamed)?;
                }
            }
        }
        for (key, held) in new {
            let known = before.and_then(|before| before.elements.get(&(number, key)));
            if known == Some(held) {
                continue;
            }
            self.name_chunks(transaction, rid, &key, &held.value)?;
            let mut values = vec![
                Sql::Integer(rid),
                Sql::Blob(key.0.to_vec()),
                Sql::Integer(held.stamp.hlc.0.cast_signed()),
                Sql::Blob(held.stamp.log.0.to_vec()),
            ];
            match (self.parts, &held.value) {
                (Some(parts), Value::List(list)) => {
                    let list = list.iter().cloned().chain(std::iter::repeat(Value::Null));
                    values.extend(list.take(parts.len()).map(to_sql));
                }
                (_, value) => values.push(to_sql(value.clone())),
            }
            transaction.prepare_cached(&self.insert)?.execute(params_from_iter(values))?;
        }
        Ok(())
    }

    /// Notes which chunks an element names; one that cannot be read names none.
    fn name_chunks(
        &self,
        transaction: &Transaction<'_>,
        rid: i64,
        key: &ElementKey,
        value: &Value,
    ) -> Result<()> {
        let (Some(part), Value::List(parts)) = (self.manifest, value) else {
            return Ok(());
        };
        match parts.get(part).and_then(Manifest::from_value) {
            Some(manifest) => chunks::name(transaction, (self.kind, rid, key), &manifest),
            None => Ok(()),
        }
    }
}
