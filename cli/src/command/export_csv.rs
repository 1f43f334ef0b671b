//! `export-csv`: records as rows that the map `tuquan` reads back.
//!
//! Sealed kinds leave with category and building only. A cell that a spreadsheet would take for a
//! formula is escaped with an apostrophe. Must not know: who reads the file.

use std::{collections::HashMap, io::Write as _, path::Path};

use serde_json::json;
use tuquan_core::{
    door::{
        Tuquan,
        query::{List, PAGE_ROWS_MAX, Record},
    },
    ids::RecordId,
    record::plain::Plain,
};

use crate::{
    answer::Answer,
    context::Context,
    failure::{Outcome, unwritable},
    import::is_sealed,
    place,
    show::notes,
    time,
};

const COLUMNS: [&str; 10] = [
    "key", "t_occ", "priority", "category", "state", "outcome", "building", "place", "text", "note",
];
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Exports records, oldest page last, to a file or to standard output.
pub(crate) fn export_csv(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let mut list = List {
        kind: context.required("kind")?.to_owned(),
        from_ms: context.time("from")?,
        to_ms: context.time("to")?,
        limit: PAGE_ROWS_MAX,
        ..List::default()
    };
    let mut to = csv::Writer::from_writer(Vec::new());
    let out = context.text("out").map(Path::new);
    let failed = |error: csv::Error| unwritable(out.unwrap_or(Path::new("-")), &error.into());
    to.write_record(COLUMNS).map_err(failed)?;
    let mut places = HashMap::new();
    let mut rows = 0_u64;
    loop {
        let page = store.list(&list)?;
        for record in &page.rows {
            let cells = cells(&store, record, &mut places)?;
            to.write_record(cells.iter().map(|cell| escape(cell))).map_err(failed)?;
            rows += 1;
        }
        match page.next {
            Some(next) => list.after = Some(next),
            None => break,
        }
    }
    let mut bytes = Vec::new();
    if context.flag("bom") {
        bytes.extend_from_slice(BYTE_ORDER_MARK);
    }
    bytes.extend(to.into_inner().unwrap_or_default());
    finish(context, out, &bytes, rows)
}

fn finish(context: &Context<'_>, out: Option<&Path>, bytes: &[u8], rows: u64) -> Outcome<Answer> {
    let Some(path) = out else {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let value = json!({ "rows": rows, "csv": text });
        return Ok(Answer::new(text, value));
    };
    let written = std::fs::File::create(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| unwritable(path, &error))?;
    let file = path.display();
    let values: [(&str, &dyn std::fmt::Display); 2] =
        [("n", &context.words.count(rows)), ("file", &file)];
    let value = json!({ "rows": rows, "file": file.to_string(), "bytes": bytes.len() });
    Ok(Answer::new(context.words.say("export.rows", &values), value))
}

type Names = HashMap<RecordId, (Option<String>, Option<String>)>;

fn cells(store: &Tuquan, record: &Record, places: &mut Names) -> Outcome<[String; 10]> {
    let field = |name: &str| match record.fields.get(name) {
        Some(Plain::Text(text)) => text.clone(),
        _ => String::new(),
    };
    let (mut place, building) = match record.fields.get("place") {
        Some(Plain::Text(id)) => names(store, id.parse()?, places)?,
        _ => (None, None),
    };
    let category = field("category");
    let sealed = is_sealed(&category);
    let mut text = field("summary");
    let mut note = String::new();
    if sealed {
        (place, text) = (None, String::new());
    } else if let Some(whole) = store.get(&record.record)? {
        let mut said = if record.kind == "log_entry" { notes(&whole) } else { timeline(&whole) };
        if record.kind == "log_entry" && !said.is_empty() {
            text = said.remove(0);
        }
        note = said.join("\n");
    }
    let urgent = record.fields.get("urgent") == Some(&Plain::Bool(true));
    let priority = if urgent { "urgent".to_owned() } else { field("priority") };
    Ok([
        record.record.to_string(),
        time::iso(record.when_ms),
        priority,
        category,
        field("state"),
        field("outcome"),
        building.unwrap_or_default(),
        place.unwrap_or_default(),
        text,
        note,
    ])
}

fn names(
    store: &Tuquan,
    id: RecordId,
    places: &mut Names,
) -> Outcome<(Option<String>, Option<String>)> {
    if let Some(names) = places.get(&id) {
        return Ok(names.clone());
    }
    let names = place::names(store, &id)?;
    places.insert(id, names.clone());
    Ok(names)
}

/// Returns what a timeline says, without what was struck, in the order of events.
fn timeline(record: &Record) -> Vec<String> {
    let mut said = Vec::new();
    for element in record.lists.get("timeline").into_iter().flatten() {
        let Plain::Parts(parts) = &element.value else {
            continue;
        };
        let is_strike = parts.get("kind") == Some(&Plain::from("strike"));
        if let (Some(Plain::Text(body)), false) = (parts.get("body"), element.struck || is_strike) {
            let at = match parts.get("t_event") {
                Some(Plain::Int(ms)) => *ms,
                _ => element.saved_ms,
            };
            said.push((at, body.clone()));
        }
    }
    said.sort();
    said.into_iter().map(|(_, body)| body).collect()
}

/// Returns a cell that no spreadsheet takes for a formula.
pub(crate) fn escape(cell: &str) -> String {
    if is_escaped(cell) { format!("'{cell}") } else { cell.to_owned() }
}

/// Returns what a cell said before [`escape`].
pub(crate) fn unescape(cell: &str) -> Option<&str> {
    cell.strip_prefix('\'').filter(|plain| is_escaped(plain))
}

/// Apostrophes before such a character are escaped too, so that every cell comes back.
fn is_escaped(cell: &str) -> bool {
    let first = cell.trim_start_matches('\'');
    first.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_comes_back() {
        for cell in ["=1", "+1", "-1", "@x", "'=1", "''-", "'x", "", "a=b", "\t1"] {
            let escaped = escape(cell);
            assert_eq!(unescape(&escaped).unwrap_or(&escaped), cell);
            assert!(!escaped.starts_with(['=', '+', '-', '@']), "{cell}");
        }
    }
}
