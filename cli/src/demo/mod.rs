//! `demo`: three devices log without a network, merge, and are compared; exit code 1 unless they
//! are identical.
//!
//! Rows of a real log are printed for the person at the terminal only, never in the answer for
//! programs.

mod data;
mod device;
mod network;
mod play;

use std::{collections::HashMap, fmt::Display, path::Path};

use serde_json::{Value, json};
use tuquan_core::{
    door::{
        Tuquan,
        query::{Counts, List, Record, Search},
    },
    record::plain::Plain,
    store::search::fold,
};
use tuquan_net::system;

use crate::{answer::Answer, bars, context::Context, failure::Outcome, show::Shower, words::Words};
use data::Data;
use device::Folder;
use play::{Measured, Played, play};

const EVENTS: u64 = 3_000;
const SHOWN: u32 = 5;
const HITS_MAX: u32 = 500;
const WORD_CHARS_MIN: usize = 4;

/// Runs the demo.
pub(crate) fn demo(context: &Context<'_>) -> Outcome<Answer> {
    let number = |name| context.args.get_one::<u64>(name).copied();
    let data = match context.text("data").filter(|path| !path.is_empty()) {
        Some(path) => data::of_file(context.words, Path::new(path))?,
        None => {
            let count = usize::try_from(number("events").unwrap_or(EVENTS)).unwrap_or(usize::MAX);
            data::of_samples(number("seed").unwrap_or(1), count, system::now_ms())
        }
    };
    let folder = Folder::new();
    let played = play(context.words, &data, &folder)?;
    let mut hashes = Vec::with_capacity(played.devices.len());
    for device in &played.devices {
        hashes.push(device.store.view_hash()?);
    }
    let identical = hashes.windows(2).all(|pair| pair[0] == pair[1]);
    let store = &played.devices[0].store;
    let counts = counts(store)?;
    let text = match context.json {
        true => String::new(),
        false => text(context.words, &data, &played, &counts, &hashes)?,
    };
    let value = value(&data, &played, &counts, &hashes)?;
    Ok(Answer::new(text, value).checked(identical))
}

fn counts(store: &Tuquan) -> Outcome<Vec<(String, u64)>> {
    let asked = Counts {
        kind: "incident".to_owned(),
        by: vec!["category".to_owned()],
        ..Counts::default()
    };
    let mut counts = Vec::new();
    for count in store.counts(&asked)? {
        if let Some(Some(Plain::Text(token))) = count.by.into_iter().next() {
            counts.push((token, count.count));
        }
    }
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    Ok(counts)
}

fn value(
    data: &Data,
    played: &Played,
    counts: &[(String, u64)],
    hashes: &[String],
) -> Outcome<Value> {
    let measured = &played.measured;
    let stats = played.devices[0].store.stats()?;
    let tenths = per_event_tenths(measured);
    Ok(json!({
        "source": if data.map.is_some() { "file" } else { "samples" },
        "map": data.map,
        "rows": data.rows,
        "refused": data.refused,
        "events": measured.events,
        "edits": measured.edits,
        "conflicts": stats.conflicts,
        "session_bytes": measured.session.0,
        "session_events": measured.session.1,
        "bundle_bytes": measured.bytes_of("demo.by_file"),
        "wire_bytes": measured.wire_bytes(),
        "meetings": measured.meetings.iter().map(|meeting| json!({
            "way": meeting.way.trim_start_matches("demo."), "who": meeting.who,
            "entries": meeting.passed.entries, "bytes": meeting.passed.bytes, "ms": meeting.ms,
        })).collect::<Vec<_>>(),
        "bytes_per_event": f64::from(u32::try_from(tenths).unwrap_or(u32::MAX)) / 10.0,
        "log_ms": measured.log_ms,
        "merge_ms": measured.merge_ms,
        "entries": stats.entries,
        "categories": counts.iter().cloned().map(|(token, n)| (token, json!(n)))
            .collect::<serde_json::Map<_, _>>(),
        "identical": hashes.windows(2).all(|pair| pair[0] == pair[1]),
        "view_hashes": hashes,
    }))
}

fn per_event_tenths(measured: &Measured) -> u64 {
    let (bytes, events) = measured.session;
    (bytes * 10 + events / 2) / events.max(1)
}

fn text(
    words: &Words,
    data: &Data,
    played: &Played,
    counts: &[(String, u64)],
    hashes: &[String],
) -> Outcome<String> {
    let store = &played.devices[0].store;
    let mut lines = vec![words.get("demo.title").to_owned(), source(words, data), String::new()];
    lines.extend(table(words, &played.measured, store.stats()?.conflicts));
    lines.extend(meetings(words, &played.measured));

    let shower = Shower::new(store, words);
    lines.extend([String::new(), words.get("demo.newest").to_owned()]);
    let list = List { kind: "incident".to_owned(), limit: SHOWN, ..List::default() };
    for record in store.list(&list)?.rows {
        lines.push(format!("  {}", shower.line(&record)?));
    }
    if let Some((word, hits)) = found(store, data)? {
        let values: [(&str, &dyn Display); 2] =
            [("text", &word), ("n", &words.count(hits.len() as u64))];
        lines.extend([String::new(), words.say("demo.search", &values)]);
        for record in hits.iter().take(3) {
            lines.push(format!("  {}", shower.line(record)?));
        }
    }
    lines.extend([String::new(), words.get("demo.counts").to_owned()]);
    let rows: Vec<(String, u64)> =
        counts.iter().map(|(token, n)| (words.token("category", token).to_owned(), *n)).collect();
    lines.extend(bars::draw(&rows, |n| words.count(n)));
    let identical = hashes.windows(2).all(|pair| pair[0] == pair[1]);
    let key = if identical { "demo.identical" } else { "demo.different" };
    let hash = if identical { hashes[0].clone() } else { hashes.join(" / ") };
    lines.extend([String::new(), words.say(key, &[("hash", &hash)])]);
    Ok(lines.join("\n"))
}

fn source(words: &Words, data: &Data) -> String {
    let Some(map) = &data.map else {
        return words.say("demo.source_sample", &[("rows", &words.count(data.rows))]);
    };
    let values: [(&str, &dyn Display); 3] =
        [("rows", &words.count(data.rows)), ("refused", &words.count(data.refused)), ("map", map)];
    words.say("demo.source_file", &values)
}

fn table(words: &Words, measured: &Measured, conflicts: u64) -> Vec<String> {
    let rows = [
        ("demo.events", words.count(measured.events)),
        ("demo.edits", words.count(measured.edits)),
        ("demo.conflicts", words.count(conflicts)),
        ("demo.session_bytes", words.count(measured.session.0)),
        ("demo.bytes_per_event", words.tenths(per_event_tenths(measured))),
        ("demo.wire_bytes", words.count(measured.wire_bytes())),
        ("demo.log_time", words.tenths(measured.log_ms / 100)),
        ("demo.merge_time", words.tenths(measured.merge_ms / 100)),
    ];
    let labels = rows.iter().map(|(key, _)| words.get(key).chars().count());
    let width = labels.max().unwrap_or_default();
    let line = |(key, value): (&str, String)| format!("  {:<width$}  {value:>12}", words.get(key));
    rows.into_iter().map(line).collect()
}

/// Draws every meeting: how, who, entries, bytes, time.
fn meetings(words: &Words, measured: &Measured) -> Vec<String> {
    let heads = ["demo.way", "demo.who", "demo.entries", "demo.bytes", "demo.ms"];
    let heads = heads.map(|key| words.get(key).to_owned());
    let row = |meeting: &play::Meeting| {
        [
            words.get(meeting.way).to_owned(),
            meeting.who.to_owned(),
            words.count(meeting.passed.entries),
            words.count(meeting.passed.bytes),
            words.count(meeting.ms),
        ]
    };
    let rows: Vec<[String; 5]> =
        std::iter::once(heads).chain(measured.meetings.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..5).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &[String; 5]| {
        format!(
            "  {:<a$}  {:<b$}  {:>c$}  {:>d$}  {:>e$}",
            row[0],
            row[1],
            row[2],
            row[3],
            row[4],
            a = widths[0],
            b = widths[1],
            c = widths[2],
            d = widths[3],
            e = widths[4]
        )
    };
    std::iter::once(String::new()).chain(rows.iter().map(line)).collect()
}

/// Searches for words that the data holds, typed without accents.
fn found(store: &Tuquan, data: &Data) -> Outcome<Option<(String, Vec<Record>)>> {
    let mut candidates = vec!["trom cap".to_owned(), "mat trom".to_owned()];
    candidates.extend(frequent(data));
    for text in candidates {
        let search = Search { text: text.clone(), limit: HITS_MAX, ..Search::default() };
        let hits = store.search(&search)?;
        if !hits.is_empty() {
            return Ok(Some((text, hits)));
        }
    }
    Ok(None)
}

/// Returns the most frequent word of the texts without accents, if there is one.
fn frequent(data: &Data) -> Option<String> {
    let mut counts: HashMap<String, u64> = HashMap::new();
    for happening in &data.happenings {
        for word in fold(&happening.event.text).split_whitespace() {
            let is_word = word.chars().all(char::is_alphabetic);
            if is_word && word.chars().count() >= WORD_CHARS_MIN {
                *counts.entry(word.to_owned()).or_default() += 1;
            }
        }
    }
    let most = counts.into_iter().max_by_key(|(word, n)| (*n, std::cmp::Reverse(word.clone())));
    most.map(|(word, _)| word)
}
