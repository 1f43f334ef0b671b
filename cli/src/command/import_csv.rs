//! `import-csv`: a foreign log into the store, row by row, with a word for every row.
//!
//! Invariant: imported, refused and duplicates add up to the rows of the file. Memory does not
//! grow with the file, but for the refused rows and the names of places.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::Write as _,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tuquan_core::{
    door::{
        Applied, Tuquan,
        command::{Command, Effect},
    },
    error::Result as CoreResult,
    ids::RecordId,
    record::plain::{Draft, Plain},
};

use super::export_csv::{escape, unescape};
use crate::{
    answer::Answer,
    context::Context,
    draft::Event,
    failure::{Outcome, unwritable},
    import::{ImportReader, ImportRow, RecordKind, RefusedRow, RowFlag, is_sealed},
    maps,
    place::Places,
    progress,
    words::Said,
};

/// How many rows are turned into commands at once.
const ROWS_AT_ONCE: usize = 2_000;
/// How many refused rows people are shown, and programs unless they ask for all.
const SHOWN_MAX: usize = 20;
const LISTED_MAX: usize = 1_000;
/// Rows that this program exported are known by the id of their record.
const OWN_PREFIX: &str = "tuquan:";

/// What became of the rows.
#[derive(Default)]
struct Tally {
    rows: u64,
    created: u64,
    edited: u64,
    duplicates: u64,
    refused: Vec<Refused>,
    flags: BTreeMap<RowFlag, u64>,
}

struct Refused {
    line: u64,
    reason: &'static str,
    detail: Said,
}

/// Imports a file.
pub(crate) fn import_csv(context: &Context<'_>) -> Outcome<Answer> {
    let path = PathBuf::from(context.required("file")?);
    let (reader, mapping, map) = maps::open(context.words, &path, context.text("map"))?;
    let store = context.open()?;
    let (latest, count) = latest(reader);
    let (reader, _, _) = maps::open(context.words, &path, context.text("map"))?;
    let bar = progress::bar(context.words.get("progress.import"), count);
    let mut import = Import {
        store: &store,
        kind: mapping.record(),
        places: Places::default(),
        latest,
        tally: Tally::default(),
    };
    let mut rows = Vec::with_capacity(ROWS_AT_ONCE);
    for row in reader {
        import.tally.rows += 1;
        match row {
            Ok(row) => rows.push(row),
            Err(refused) => import.tally.refuse(&refused),
        }
        if rows.len() == ROWS_AT_ONCE {
            import.apply(std::mem::take(&mut rows))?;
            bar.set_position(import.tally.rows);
        }
    }
    import.apply(rows)?;
    bar.finish_and_clear();
    let mut tally = import.tally;
    store.pause()?;
    tally.refused.sort_by_key(|refused| refused.line);
    if let Some(file) = context.text("report-file") {
        write_report(context, Path::new(file), &tally.refused)?;
    }
    Ok(Answer::new(text(context, &tally, &map), value(context, &tally, &map)))
}

struct Import<'a> {
    store: &'a Tuquan,
    kind: RecordKind,
    places: Places,
    latest: HashMap<u64, Latest>,
    tally: Tally,
}

/// The last row of a key in the file: its line, and whether an earlier one was met.
struct Latest {
    line: u64,
    met: bool,
}

/// Finds the last row of every key that the file holds more than once, and counts the rows.
fn latest(reader: ImportReader) -> (HashMap<u64, Latest>, u64) {
    let (mut lines, mut rows) = (HashMap::new(), 0);
    let mut repeated = HashMap::new();
    for row in reader {
        rows += 1;
        let Ok(row) = row else {
            continue;
        };
        let (key, line) = (hash(&row.key), row.line);
        if lines.insert(key, line).is_some() {
            repeated.insert(key, Latest { line, met: false });
        }
    }
    (repeated, rows)
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

impl Import<'_> {
    fn apply(&mut self, rows: Vec<ImportRow>) -> Outcome<()> {
        let mut lines = Vec::with_capacity(rows.len());
        let mut commands = Vec::with_capacity(rows.len());
        for mut row in rows {
            if row.key.starts_with(OWN_PREFIX) {
                take_escapes(&mut row);
            }
            for flag in &row.flags {
                *self.tally.flags.entry(*flag).or_default() += 1;
            }
            if self.is_superseded(&row)? {
                self.tally.duplicates += 1;
                continue;
            }
            let (place, building) = (row.place.as_deref(), row.building.as_deref());
            let place = self.places.of_event(self.store, place, building)?;
            lines.push(row.line);
            let key = row.key.clone();
            let draft = Event::of_row(row, place).draft(self.kind);
            commands.push(self.command(draft, key)?);
        }
        let missing = self.places.take_missing();
        for outcome in self.store.apply_many(&missing, &mut |_| {})? {
            outcome?;
        }
        let outcomes = self.store.apply_many(&commands, &mut |_| {})?;
        for (line, outcome) in lines.into_iter().zip(outcomes) {
            self.tally.take(line, outcome);
        }
        Ok(())
    }

    /// Tells whether a later row of the file says what this record is now, so that reading the
    /// same file again does not take the record back and forth.
    fn is_superseded(&mut self, row: &ImportRow) -> Outcome<bool> {
        let Some(latest) = self.latest.get_mut(&hash(&row.key)) else {
            return Ok(false);
        };
        if row.line >= latest.line {
            return Ok(false);
        }
        let was_met = std::mem::replace(&mut latest.met, true);
        let kind = match self.kind {
            RecordKind::Incident => "incident",
            RecordKind::LogEntry => "log_entry",
        };
        let record = self.store.natural(kind, &row.key)?;
        Ok(was_met || self.store.get(&record)?.is_some())
    }

    /// A row that this very store exported edits its record; any other is known by its key.
    fn command(&self, draft: Draft, key: String) -> Outcome<Command> {
        let own = key.strip_prefix(OWN_PREFIX).and_then(|id| id.parse::<RecordId>().ok());
        let Some(record) = own else {
            return Ok(Command::Import { draft, key });
        };
        let Some(held) = self.store.get(&record)? else {
            return Ok(Command::Import { draft, key });
        };
        let category = draft.fields.get("category");
        let sealed = matches!(category, Some(Plain::Text(token)) if is_sealed(token));
        let mut set = BTreeMap::new();
        for name in ["category", "place", "priority", "summary"] {
            // An export names no exact place of a sealed kind; the record keeps what it has.
            let is_withheld = name == "place" && sealed;
            if let (false, Some(plain)) = (is_withheld, draft.fields.get(name)) {
                set.insert(name.to_owned(), Some(plain.clone()));
            }
        }
        // An export says when to the second, and when it was saved where nobody said.
        if let Some(Plain::Int(ms)) = draft.fields.get("t_occ")
            && held.when_ms.div_euclid(1_000) != ms.div_euclid(1_000)
        {
            set.insert("t_occ".to_owned(), Some(Plain::Int(*ms)));
        }
        Ok(Command::Edit { record, set })
    }
}

impl Tally {
    fn take(&mut self, line: u64, outcome: CoreResult<Applied>) {
        match outcome.map(|applied| applied.effect) {
            Ok(Effect::Created) => self.created += 1,
            Ok(Effect::Changed) => self.edited += 1,
            Ok(Effect::Unchanged) => self.duplicates += 1,
            Err(error) => self.refused.push(Refused {
                line,
                reason: "not_allowed",
                detail: Said::new("refused.core", &[("code", &error.code())])
                    .with(Said::of_core(error.context)),
            }),
        }
    }

    fn refuse(&mut self, row: &RefusedRow) {
        self.refused.push(Refused {
            line: row.line,
            reason: row.reason.token(),
            detail: row.detail.clone(),
        });
    }

    const fn imported(&self) -> u64 {
        self.created + self.edited
    }
}

/// Takes away what an export put before cells that look like formulas.
fn take_escapes(row: &mut ImportRow) {
    let texts = [Some(&mut row.text), row.note.as_mut(), row.place.as_mut(), row.building.as_mut()];
    for text in texts.into_iter().flatten() {
        if let Some(plain) = unescape(text) {
            *text = plain.to_owned();
        }
    }
}

fn text(context: &Context<'_>, tally: &Tally, map: &str) -> String {
    let words = context.words;
    let done: [(&str, &dyn std::fmt::Display); 4] = [
        ("imported", &words.count(tally.imported())),
        ("refused", &words.count(tally.refused.len() as u64)),
        ("duplicates", &words.count(tally.duplicates)),
        ("rows", &words.count(tally.rows)),
    ];
    let mut lines =
        vec![words.say("import.map", &[("map", &map)]), words.say("import.done", &done)];
    if tally.edited > 0 {
        lines.push(words.say("import.edited", &[("n", &words.count(tally.edited))]));
    }
    if !tally.refused.is_empty() {
        lines.push(words.get("import.refused").to_owned());
    }
    for refused in tally.refused.iter().take(SHOWN_MAX) {
        let row: [(&str, &dyn std::fmt::Display); 3] = [
            ("line", &refused.line),
            ("reason", &words.token("refusal", refused.reason)),
            ("detail", &words.tell(&refused.detail)),
        ];
        lines.push(words.say("import.refused_row", &row));
    }
    let more = tally.refused.len().saturating_sub(SHOWN_MAX);
    if more > 0 {
        lines.push(words.say("import.more_refused", &[("n", &words.count(more as u64))]));
    }
    lines.join("\n")
}

fn value(context: &Context<'_>, tally: &Tally, map: &str) -> Value {
    let listed = match context.flag("all-refused") {
        true => usize::MAX,
        false => LISTED_MAX,
    };
    let refused = tally.refused.iter().take(listed);
    let rows: Vec<Value> = refused
        .map(|row| {
            json!({ "line": row.line, "reason": row.reason,
            "detail": context.words.tell(&row.detail) })
        })
        .collect();
    json!({
        "map": map,
        "rows": tally.rows,
        "imported": tally.imported(),
        "edited": tally.edited,
        "refused": tally.refused.len(),
        "duplicates": tally.duplicates,
        "flags": tally.flags.iter().map(|(flag, n)| (token(*flag), json!(n))).collect::<serde_json::Map<_, _>>(),
        "refused_rows": rows,
    })
}

fn token(flag: RowFlag) -> String {
    let value = json!(flag);
    value.as_str().unwrap_or_default().to_owned()
}

fn write_report(context: &Context<'_>, path: &Path, refused: &[Refused]) -> Outcome<()> {
    let words = context.words;
    let header = ["import.column_line", "import.column_reason", "import.column_detail"];
    let mut to = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| unwritable(path, &error.into());
    to.write_record(header.map(|key| words.get(key))).map_err(failed)?;
    for row in refused {
        let (line, detail) = (row.line.to_string(), escape(&words.tell(&row.detail)));
        let reason = words.token("refusal", row.reason);
        to.write_record([line.as_str(), reason, &detail]).map_err(failed)?;
    }
    let bytes = to.into_inner().unwrap_or_default();
    let written = File::create(path).and_then(|mut file| file.write_all(&bytes));
    written.map_err(|error| unwritable(path, &error))
}
