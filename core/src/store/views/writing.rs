//! Writing the rows of records: the row itself, side tables, rivals and search.
//!
//! Values are bound where they stand in the state, and statements are prepared once for all the
//! records of a step: this is the hot path of imports and of receiving. Must not know: how a
//! record came to say this.

use std::borrow::Cow;

use rusqlite::types::Null;
use rusqlite::{CachedStatement, Statement, Transaction, params};

use super::heads::{encode_heads, encode_size};
use super::rivals::rivals_of;
use super::{FIXED_COLUMNS, FLAG_CONCURRENT, FLAG_CONFLICT, StateFields, Stored, View};
use crate::codec::Value;
use crate::error::Result;
use crate::ids::{ChunkHash, LogId};
use crate::record::declare::Merge;
use crate::record::state::State;
use crate::store::logs::WHOLE;
use crate::store::search::Indexed;

/// Writes records of one type inside a transaction.
pub struct RowWriter<'a> {
    view: &'a View,
    transaction: &'a Transaction<'a>,
    insert: Option<CachedStatement<'a>>,
    update: Option<CachedStatement<'a>>,
    insert_search: Option<CachedStatement<'a>>,
    unnamed: Vec<ChunkHash>,
}

impl<'a> RowWriter<'a> {
    pub(super) fn new(view: &'a View, transaction: &'a Transaction<'a>) -> Self {
        let (insert, update, insert_search) = (None, None, None);
        Self { view, transaction, insert, update, insert_search, unnamed: Vec::new() }
    }

    /// Writes a record's rows; `before` is what its rows said, for a record that has rows.
    ///
    /// # Errors
    /// `E-FULL`, `E-IO` and the like.
    pub fn write(
        &mut self,
        logs: &dyn Fn(&LogId) -> i64,
        record: &mut Stored,
        before: Option<&State>,
    ) -> Result<i64> {
        set_flags(self.view, record);
        let rid = self.write_row(logs, record)?;
        record.rid = Some(rid);
        for list in &self.view.lists {
            list.write(self.transaction, rid, &record.state, before, &mut self.unnamed)?;
        }
        self.write_rivals(rid, &record.state, before)?;
        self.write_search(rid, &record.state, before)?;
        Ok(rid)
    }

    /// Returns the chunks that records named before and that these do not name any more.
    #[must_use]
    pub fn unnamed(self) -> Vec<ChunkHash> {
        self.unnamed
    }

    /// Inserts or updates the row itself; returns its number.
    fn write_row(&mut self, logs: &dyn Fn(&LogId) -> i64, record: &Stored) -> Result<i64> {
        let view = self.view;
        let derived = (view.of.derive)(&StateFields { of: view.of, record });
        let (slot, sql) = match record.rid {
            None => (&mut self.insert, &view.insert),
            Some(_) => (&mut self.update, &view.update),
        };
        let statement = prepared(slot, self.transaction, sql)?;
        statement.raw_bind_parameter(1, &record.id.0[..])?;
        statement.raw_bind_parameter(2, logs(&record.log))?;
        statement.raw_bind_parameter(3, record.saved.0.cast_signed())?;
        statement.raw_bind_parameter(4, encode_heads(&record.heads, logs))?;
        statement.raw_bind_parameter(5, record.items.cast_signed())?;
        statement.raw_bind_parameter(6, encode_size(&record.size))?;
        statement.raw_bind_parameter(7, record.flags)?;
        statement.raw_bind_parameter(8, when_ms(view, record))?;
        for (index, field) in (FIXED_COLUMNS..).zip(&view.columns) {
            let value = match field.merge {
                Merge::DE => {
                    let found = derived.iter().find(|(name, _)| *name == field.name);
                    found.map(|(_, value)| Cow::Borrowed(value))
                }
                _ => record.state.peek(field),
            };
            bind_value(statement, index, value.as_deref())?;
        }
        if let Some(rid) = record.rid {
            statement.raw_bind_parameter(FIXED_COLUMNS + view.columns.len(), rid)?;
        }
        statement.raw_execute()?;
        Ok(record.rid.unwrap_or_else(|| self.transaction.last_insert_rowid()))
    }

    fn write_rivals(&self, rid: i64, state: &State, before: Option<&State>) -> Result<()> {
        let kind = self.view.of.kind.cast_signed();
        let rivals = rivals_of(state);
        if before.is_some_and(|before| !rivals_of(before).is_empty()) {
            self.transaction
                .prepare_cached("DELETE FROM rival WHERE kind = ? AND rid = ?")?
                .execute(params![kind, rid])?;
        }
        for rival in rivals {
            self.transaction
                .prepare_cached("INSERT INTO rival VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")?
                .execute(params![
                    kind,
                    rid,
                    rival.field,
                    rival.n,
                    rival.value,
                    rival.stamp.hlc.0.cast_signed(),
                    rival.stamp.log,
                    rival.key,
                    WHOLE
                ])?;
        }
        Ok(())
    }

    fn write_search(&mut self, rid: i64, state: &State, before: Option<&State>) -> Result<()> {
        let view = self.view;
        if !view.has_search {
            return Ok(());
        }
        let after = indexed(view, state);
        if let Some(before) = before.map(|before| indexed(view, before)) {
            if before == after {
                return Ok(());
            }
            if !before.is_empty() {
                let sql = format!("DELETE FROM \"{}_search\" WHERE rowid = ?", view.of.name);
                self.transaction.prepare_cached(&sql)?.execute([rid])?;
            }
        }
        if !after.is_empty() {
            prepared(&mut self.insert_search, self.transaction, &view.insert_search)?
                .execute(params![rid, after.folded, after.accented])?;
        }
        Ok(())
    }
}

/// Returns the statement in `slot`, prepared at its first use.
fn prepared<'s, 'a>(
    slot: &'s mut Option<CachedStatement<'a>>,
    transaction: &'a Transaction<'a>,
    sql: &str,
) -> Result<&'s mut CachedStatement<'a>> {
    match slot {
        Some(statement) => Ok(statement),
        None => Ok(slot.insert(transaction.prepare_cached(sql)?)),
    }
}

fn bind_value(statement: &mut Statement<'_>, index: usize, value: Option<&Value>) -> Result<()> {
    match value {
        None | Some(Value::Null | Value::List(_)) => statement.raw_bind_parameter(index, Null)?,
        Some(Value::Bool(flag)) => statement.raw_bind_parameter(index, flag)?,
        Some(Value::Int(number)) => statement.raw_bind_parameter(index, number)?,
        Some(Value::Text(text)) => statement.raw_bind_parameter(index, text)?,
        Some(Value::Bytes(bytes)) => statement.raw_bind_parameter(index, bytes)?,
    }
    Ok(())
}

/// Returns the time that orders a record: when it happened if known, else when it was saved.
fn when_ms(view: &View, record: &Stored) -> i64 {
    let occurred = view.occurred.and_then(|field| record.state.peek(field));
    match occurred.as_deref() {
        Some(Value::Int(ms)) => *ms,
        _ => record.saved.ms(),
    }
}

fn set_flags(view: &View, record: &mut Stored) {
    let state = &record.state;
    let several = state.registers.values().any(|held| held.len() > 1);
    let rivals = several
        || state.tips.values().any(|tips| tips.len() > 1)
        || state.texts.values().any(|texts| texts.len() > 1);
    // Most records have no rivals of any kind, and then no field has to be asked.
    let conflict = rivals && view.of.fields().any(|field| state.rivals(field) > 1);
    record.flags &= !(FLAG_CONFLICT | FLAG_CONCURRENT);
    record.flags |= if conflict { FLAG_CONFLICT } else { 0 };
    record.flags |= if several { FLAG_CONCURRENT } else { 0 };
}

/// Returns the words of all searched fields.
fn indexed(view: &View, state: &State) -> Indexed {
    let mut indexed = Indexed::default();
    for field in view.of.fields().filter(|field| field.searched) {
        if field.is_list() {
            for (_, held) in state.list(field.number) {
                push_texts(&held.value, &mut indexed);
            }
        } else if let Some(value) = state.peek(field) {
            push_texts(&value, &mut indexed);
        }
    }
    indexed
}

fn push_texts(value: &Value, indexed: &mut Indexed) {
    match value {
        Value::Text(text) => indexed.push(text),
        Value::List(parts) => parts.iter().for_each(|part| push_texts(part, indexed)),
        _ => {}
    }
}
