//! S5, S6 and S12: open and the first page, filtered list, counts, search, and how they grow.
//!
//! Must not know: how the events were written.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use rusqlite::Connection;
use tuquan_core::domain::category::Category;
use tuquan_core::door::Tuquan;
use tuquan_core::door::query::{Counts, List, OFFSET_MS, Search};
use tuquan_core::error::Result;
use tuquan_core::record::plain::Plain;
use tuquan_core::store::views::WHEN;

use crate::Scale;
use crate::data;
use crate::raw;
use crate::store::{self, Folder};
use crate::table::{Row, median};

/// Times in ms of one size.
struct Times {
    count: usize,
    open: (f64, f64),
    list: (f64, f64),
    counts: (f64, f64),
    search: (f64, f64),
}

/// Measures reading at every size of the scale.
pub(crate) fn growth(scale: &Scale) -> Result<Vec<Row>> {
    let mut all = Vec::new();
    for count in scale.growth {
        all.push(at(*count)?);
    }
    let mut rows = Vec::new();
    let middle = all.iter().find(|times| times.count == scale.large);
    if let Some(times) = middle {
        rows.extend(at_large(times));
    }
    if let (Some(first), Some(last)) = (all.first(), all.last()) {
        let grown = last.open.0 / first.open.0;
        rows.push(Row {
            id: format!("S12 open and first page, {} to {}", first.count, last.count),
            goal: "grows <= 1.5x".into(),
            limit: format!("{:.2} ms", first.open.0),
            measured: format!("{:.2} ms", last.open.0),
            ratio: Some(grown),
            pass: grown <= 1.5,
        });
        let scale = last.count as f64 / first.count as f64;
        for (what, a, b) in [
            ("filtered list", first.list, last.list),
            ("counts", first.counts, last.counts),
            ("search", first.search, last.search),
        ] {
            // The raw query of the same answer grows as the answer does.
            let (grown, raw) = (b.0 / a.0, b.1 / a.1);
            rows.push(Row {
                id: format!("S12 {what}, {} to {}", first.count, last.count),
                goal: format!("grows as the answer does, never faster than {scale}x"),
                limit: format!("raw grows {raw:.1}x"),
                measured: format!("{:.2} to {:.2} ms", a.0, b.0),
                ratio: Some(grown / raw),
                pass: grown <= raw.max(1.0) * 1.5 || grown <= 1.5,
            });
        }
    }
    Ok(rows)
}

fn at_large(times: &Times) -> Vec<Row> {
    let row = |id: &str, goal: f64, cap_ms: Option<f64>, (ours, limit): (f64, f64)| Row {
        id: format!("{id} on {}", times.count),
        goal: match cap_ms {
            Some(cap) => format!("<= {goal}x raw and < {cap} ms"),
            None => format!("<= {goal}x raw"),
        },
        limit: format!("{limit:.2} ms"),
        measured: format!("{ours:.2} ms"),
        ratio: Some(ours / limit),
        pass: ours / limit <= goal && cap_ms.is_none_or(|cap| ours < cap),
    };
    vec![
        row("S5 open and first page of 50", 2.0, None, times.open),
        row("S6 filtered list", 1.5, Some(20.0), times.list),
        row("S6 counts by building and week", 1.5, Some(20.0), times.counts),
        row("S6 search trom cap", 1.5, Some(20.0), times.search),
    ]
}

fn at(count: usize) -> Result<Times> {
    let mut source = data::many(count);
    for event in source.events.iter_mut().step_by(97) {
        event.summary.push_str(" trộm cắp");
    }
    let folder = Folder::new("read")?;
    let tuquan = store::open(folder.path(), 1)?;
    tuquan.found()?;
    let places = store::places(&tuquan)?;
    for part in source.events.chunks(50_000) {
        let commands: Vec<_> = part.iter().map(|event| store::command(event, &places)).collect();
        tuquan.apply_many(&commands, &mut |_| {})?;
    }
    tuquan.pause()?;
    drop(tuquan);
    let open = paired(9, || open_ours(folder.path()), || open_raw(folder.path()))?;
    let tuquan = store::open(folder.path(), 2)?;
    let connection = raw::open_reader(folder.path())?;
    let list = paired(21, || list_ours(&tuquan), || list_raw(&connection))?;
    let counts = paired(9, || counts_ours(&tuquan), || counts_raw(&connection))?;
    let search = paired(21, || search_ours(&tuquan), || search_raw(&connection))?;
    Ok(Times { count, open, list, counts, search })
}

/// Times two closures in turn; returns both medians in ms.
fn paired(
    runs: usize,
    mut ours: impl FnMut() -> Result<usize>,
    mut limit: impl FnMut() -> Result<usize>,
) -> Result<(f64, f64)> {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for run in 0..=runs {
        let start = Instant::now();
        let ours_rows = ours()?;
        let first = start.elapsed().as_secs_f64() * 1e3;
        let start = Instant::now();
        let raw_rows = limit()?;
        let second = start.elapsed().as_secs_f64() * 1e3;
        assert_eq!(ours_rows, raw_rows, "both must give the same number of rows");
        if run > 0 {
            a.push(first);
            b.push(second);
        }
    }
    Ok((median(&a), median(&b)))
}

fn first_page() -> List {
    List { kind: "incident".into(), limit: 50, ..List::default() }
}

fn open_ours(folder: &Path) -> Result<usize> {
    Ok(store::open(folder, 3)?.list(&first_page())?.rows.len())
}

fn open_raw(folder: &Path) -> Result<usize> {
    let connection = raw::open(folder)?;
    let sql = format!("SELECT * FROM incident ORDER BY {WHEN} DESC, rid DESC LIMIT 50");
    rows(&connection, &sql)
}

fn list_ours(tuquan: &Tuquan) -> Result<usize> {
    let filter = BTreeMap::from([("category".to_owned(), Plain::from(Category::Noise.token()))]);
    Ok(tuquan.list(&List { filter, ..first_page() })?.rows.len())
}

fn list_raw(connection: &Connection) -> Result<usize> {
    let category = Category::Noise.number();
    let sql = format!(
        "SELECT * FROM incident WHERE category = {category} ORDER BY {WHEN} DESC, rid DESC LIMIT 50"
    );
    rows(connection, &sql)
}

fn counts_ours(tuquan: &Tuquan) -> Result<usize> {
    let by = vec!["place".to_owned()];
    let counts = Counts { kind: "incident".into(), by, by_week: true, ..Counts::default() };
    Ok(tuquan.counts(&counts)?.len())
}

fn counts_raw(connection: &Connection) -> Result<usize> {
    let (week, monday) = (7 * 86_400_000_i64, 4 * 86_400_000_i64);
    let sql = format!(
        "SELECT place, (({WHEN} + {OFFSET_MS} - {monday}) / {week}), count(*) \
         FROM incident GROUP BY 1, 2 ORDER BY 1, 2"
    );
    rows(connection, &sql)
}

fn search_ours(tuquan: &Tuquan) -> Result<usize> {
    let search = Search { text: "trom cap".into(), kind: Some("incident".into()), limit: 50 };
    Ok(tuquan.search(&search)?.len())
}

fn search_raw(connection: &Connection) -> Result<usize> {
    let sql = "SELECT incident.* FROM (SELECT rowid AS hit FROM incident_search WHERE \
               incident_search MATCH 'folded : (\"trom\" AND \"cap\")' \
               ORDER BY rowid DESC LIMIT 50) JOIN incident ON incident.rid = hit";
    rows(connection, sql)
}

/// Reads every column of every row, as a screen would.
fn rows(connection: &Connection, sql: &str) -> Result<usize> {
    let mut statement = connection.prepare_cached(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            let _: rusqlite::types::Value = row.get(column)?;
        }
        count += 1;
    }
    Ok(count)
}
