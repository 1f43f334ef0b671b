//! Moving the end of a log into a branch, and taking away what turned out to be no part of a log.
//!
//! All of it happens inside one transaction of the caller. Must not know: which history is which.

use rusqlite::{OptionalExtension, Transaction, params};

use super::logs::{at, compress, heads_bytes, parts, put_run, read_salts, segment_of};
use crate::error::Result;
use crate::ids::{Link, LogId};
use crate::log::chain::{Run, Salts};
use crate::log::entry::Entry;

/// Moves everything of log `from` from entry `seq` on to log `to`; `link` and `heads` are those
/// before that entry.
///
/// # Errors
/// `E-DBPAGE`, `E-FULL` and the like.
pub fn move_end(
    transaction: &Transaction<'_>,
    (from, to): (i64, i64),
    seq: u64,
    (link, heads): (&Link, &[Link]),
) -> Result<()> {
    cut_segment(transaction, from, seq, (link, heads))?;
    let (first, end) = (at(from, seq), at(from + 1, 0));
    let shift = at(to, 0) - at(from, 0);
    for table in ["segment", "seal", "run", "hole"] {
        let sql = format!("UPDATE {table} SET at = at + ? WHERE at >= ? AND at < ?");
        transaction.execute(&sql, [shift, first, end])?;
    }
    cut_runs(transaction, (from, to), seq)?;
    // Rows of a former own log remember requests only; nobody asks for them any more.
    transaction.execute("DELETE FROM entry WHERE at >= ? AND at < ?", [first, end])?;
    Ok(())
}

/// Makes a segment begin at entry `seq`, where one covers it.
fn cut_segment(
    transaction: &Transaction<'_>,
    no: i64,
    seq: u64,
    (link, heads): (&Link, &[Link]),
) -> Result<()> {
    let Some(segment) = segment_of(transaction, no, seq)?.filter(|found| found.first < seq) else {
        return Ok(());
    };
    let kept = usize::try_from(seq - segment.first).unwrap_or(usize::MAX);
    let (before, after) = segment.entries.split_at(kept.min(segment.entries.len()));
    let body =
        |entries: &[Entry]| compress(&entries.iter().flat_map(Entry::encode).collect::<Vec<u8>>());
    let count = |entries: &[Entry]| i64::try_from(entries.len()).unwrap_or(i64::MAX);
    transaction.execute(
        "UPDATE segment SET count = ?, body = ? WHERE at = ?",
        params![count(before), body(before)?, at(no, segment.first)],
    )?;
    transaction.execute(
        "INSERT INTO segment (at, count, link, heads, body) VALUES (?, ?, ?, ?, ?)",
        params![at(no, seq), count(after), link, heads_bytes(heads), body(after)?],
    )?;
    Ok(())
}

/// Ends every run of `from` before entry `seq`; `to` gets the rest of those that went on.
fn cut_runs(transaction: &Transaction<'_>, (from, to): (i64, i64), seq: u64) -> Result<()> {
    let mut over: Vec<Run> = Vec::new();
    {
        let sql = "SELECT at, count, salts FROM run WHERE at >= ?1 AND at < ?2 AND at + count > ?2 \
                   ORDER BY count";
        let mut statement = transaction.prepare_cached(sql)?;
        let mut rows = statement.query([at(from, 0), at(from, seq)])?;
        while let Some(row) = rows.next()? {
            let salts = read_salts(row.get_ref(2)?.as_blob().unwrap_or_default())?;
            let count = row.get::<_, i64>(1)?.cast_unsigned();
            over.push(Run { first: parts(row.get(0)?).1, count, salts });
        }
    }
    // Where several go on there is one seed: the longest says all. A shorter part may begin there.
    over.sort_unstable_by_key(|run| (run.first + run.count, run.count));
    let sql = "SELECT count FROM run WHERE at = ?";
    let begun: Option<i64> =
        transaction.query_row(sql, [at(to, seq)], |row| row.get(0)).optional()?;
    let begun = begun.map_or(0, i64::cast_unsigned);
    for run in over {
        let part = |first: u64, end: u64| {
            let salts = match &run.salts {
                Salts::Kept(kept) => {
                    let is_in = |seq: u64| (first..end).contains(&seq);
                    Salts::Kept(kept.iter().filter(|(of, ..)| is_in(*of)).copied().collect())
                }
                other => other.clone(),
            };
            Run { first, count: end - first, salts }
        };
        put_run(transaction, from, &part(run.first, seq))?;
        let rest = part(seq, run.first + run.count);
        if rest.count > begun {
            put_run(transaction, to, &rest)?;
        }
    }
    Ok(())
}

/// Takes away a stretch of whole segments.
///
/// # Errors
/// `E-FULL` and the like.
pub fn remove(transaction: &Transaction<'_>, no: i64, first: u64, end: u64) -> Result<()> {
    for table in ["segment", "seal", "run", "hole"] {
        let sql = format!("DELETE FROM {table} WHERE at >= ? AND at < ?");
        transaction.execute(&sql, [at(no, first), at(no, end)])?;
    }
    Ok(())
}

/// Gives a branch another id, because what it comes from has another.
///
/// # Errors
/// `E-FULL` and the like.
pub fn rename(transaction: &Transaction<'_>, no: i64, id: &LogId, parent: &LogId) -> Result<()> {
    let sql = "UPDATE log SET id = ?, parent = ? WHERE no = ?";
    transaction.execute(sql, params![id, parent, no])?;
    Ok(())
}

/// Lets every pack of a hub that names one of these logs be judged anew: which history it carries
/// is to be told again.
///
/// # Errors
/// `E-FULL` and the like.
pub fn judge_anew(transaction: &Transaction<'_>, log: &LogId) -> Result<()> {
    let sql = "UPDATE relay_pack SET state = 0, covers = NULL WHERE instr(ranges, ?) > 0";
    transaction.execute(sql, [log])?;
    Ok(())
}
