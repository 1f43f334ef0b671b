//! What people do on a simulated phone: random commands over all record types.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;
use tuquan_core::door::Tuquan;
use tuquan_core::door::command::Command;
use tuquan_core::door::query::{List, Record};
use tuquan_core::ids::{RecordId, to_hex};
use tuquan_core::record::plain::{Draft, Plain};

use crate::phone::{edit, note, transition};

/// A command, and the text that must be readable once it is acknowledged.
pub(super) struct Deed {
    pub(super) command: Command,
    /// The list that holds the text from now on, for ever: nothing is taken out of it.
    pub(super) list: Option<&'static str>,
    pub(super) text: String,
}

fn below(rng: &mut ChaCha8Rng, bound: u64) -> u64 {
    rng.next_u64() % bound
}

fn pick<'t>(rng: &mut ChaCha8Rng, of: &[&'t str]) -> &'t str {
    of[below(rng, of.len() as u64) as usize]
}

/// Chooses what to do; `number` makes its text unlike any other.
pub(super) fn choose(rng: &mut ChaCha8Rng, store: &Tuquan, number: u64) -> Deed {
    let text = format!("lời {number}");
    let kind = pick(
        rng,
        &[
            "incident",
            "incident",
            "incident",
            "incident",
            "place",
            "shift",
            "log_entry",
            "handover",
        ],
    );
    let known = some_record(rng, store, kind);
    let command = match (known, below(rng, 9)) {
        (Some(record), 1..) => change(rng, store, &record, &text),
        _ => create(rng, kind, &text),
    };
    let list = match &command {
        Command::Add { field, element: Plain::Parts(_), .. } if field == "timeline" => {
            Some("timeline")
        }
        Command::Add { field, .. } if field == "note" => Some("note"),
        Command::Add { field, .. } if field == "notes" => Some("notes"),
        _ => None,
    };
    Deed { command, list, text }
}

fn some_record(rng: &mut ChaCha8Rng, store: &Tuquan, kind: &str) -> Option<Record> {
    let list = List { kind: kind.to_owned(), limit: 12, ..List::default() };
    let mut rows = store.list(&list).expect("a page can be read").rows;
    if rows.is_empty() {
        return None;
    }
    // Mostly one of the oldest: many hands on few records make conflicts.
    let oldest = rows.len().min(if below(rng, 3) == 0 { 12 } else { 2 });
    let at = rows.len() - 1 - below(rng, oldest as u64) as usize;
    Some(rows.swap_remove(at))
}

fn create(rng: &mut ChaCha8Rng, kind: &str, text: &str) -> Command {
    let draft = Draft::new(kind);
    let (draft, key) = match kind {
        "place" => {
            let key = pick(rng, &["b1", "b2", "b2/t3"]).to_owned();
            let draft = draft.with("name", Plain::from(text)).with("kind", Plain::from("building"));
            if rng.next_u32().is_multiple_of(2) {
                return Command::Import { draft, key };
            }
            (draft, Some(key))
        }
        "shift" => {
            let key = pick(rng, &["2026-11-05/b1/toi", "2026-11-05/b2/toi"]).to_owned();
            let weather = pick(rng, &["dry", "rain", "storm"]);
            let person = Plain::Many(vec![person(rng)]);
            (draft.with("weather", Plain::from(weather)).with("on_duty", person), Some(key))
        }
        "log_entry" => {
            let lines = Plain::Many(vec![Plain::from(text)]);
            (draft.with("category", Plain::from("noise")).with("note", lines), None)
        }
        "handover" => {
            let lines = Plain::Many(vec![Plain::from(text)]);
            (draft.with("notes", lines), None)
        }
        _ => {
            let category = pick(rng, &["theft", "hazard", "noise", "fight"]);
            (draft.with("category", Plain::from(category)).with("summary", Plain::from(text)), None)
        }
    };
    Command::Create { draft, key }
}

fn person(rng: &mut ChaCha8Rng) -> Plain {
    let number = below(rng, 4) as u8;
    Plain::Text(to_hex(&RecordId([0xa0 + number; 16]).0))
}

fn change(rng: &mut ChaCha8Rng, store: &Tuquan, row: &Record, text: &str) -> Command {
    let record = row.record;
    if row.in_conflict
        && below(rng, 3) == 0
        && let Some(resolve) = resolve(rng, store, record)
    {
        return resolve;
    }
    match row.kind.as_str() {
        "place" => edit(record, pick(rng, &["name", "entry_hint"]), Plain::from(text)),
        "shift" => match below(rng, 4) {
            0 => element(rng, record, "on_duty"),
            1 => edit(record, "weather", Plain::from(pick(rng, &["dry", "rain", "heat"]))),
            _ => transition(record, pick(rng, &["open", "handed", "closed"])),
        },
        "log_entry" => {
            Command::Add { record, field: "note".to_owned(), element: Plain::from(text) }
        }
        "handover" => {
            Command::Add { record, field: "notes".to_owned(), element: Plain::from(text) }
        }
        _ => incident(rng, record, text),
    }
}

fn incident(rng: &mut ChaCha8Rng, record: RecordId, text: &str) -> Command {
    match below(rng, 10) {
        0..3 => note(record, text),
        3 => edit(record, "summary", Plain::from(text)),
        4 | 5 => edit(
            record,
            "category",
            Plain::from(pick(rng, &["theft", "hazard", "noise", "medical"])),
        ),
        6 => edit(record, "priority", Plain::from(pick(rng, &["normal", "urgent"]))),
        7 => element(rng, record, "assignees"),
        8 => {
            let set = BTreeMap::from([("outcome".to_owned(), Some(Plain::from("repaired")))]);
            let to = pick(rng, &["resolved", "in_progress", "waiting"]).to_owned();
            Command::Transition { record, to, t_event: None, reason: None, set }
        }
        _ => transition(
            record,
            pick(rng, &["acknowledged", "in_progress", "void", "closed", "reopened"]),
        ),
    }
}

fn element(rng: &mut ChaCha8Rng, record: RecordId, field: &str) -> Command {
    let (field, element) = (field.to_owned(), person(rng));
    if rng.next_u32().is_multiple_of(3) {
        Command::Remove { record, field, element }
    } else {
        Command::Add { record, field, element }
    }
}

fn resolve(rng: &mut ChaCha8Rng, store: &Tuquan, record: RecordId) -> Option<Command> {
    let whole = store.get(&record).expect("a record can be read")?;
    let (field, values) = whole.conflicts.into_iter().next()?;
    let at = below(rng, values.len().max(1) as u64) as usize;
    let pick = values.into_iter().nth(at)?;
    let reason = Some("đã hỏi cả hai".to_owned());
    Some(Command::Resolve { record, field, pick, reason })
}
