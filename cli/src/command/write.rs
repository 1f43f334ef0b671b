//! Commands that change something: each is one entry, durable when it is answered.
//!
//! Must not know: how a change is checked; the core does that.

use std::collections::BTreeMap;

use serde_json::json;
use tuquan_core::{
    domain::{category::Priority, incident::Incident, log_entry::LogEntry},
    door::{
        Applied, Tuquan,
        command::{Command, Effect},
    },
    ids::RequestId,
    record::plain::Plain,
};
use tuquan_net::system;

use crate::{
    answer::Answer,
    choice,
    context::Context,
    failure::{Failure, Outcome},
    place::{Places, building_of},
    show::Shower,
};

/// Makes this device's identity and, unless it is to join one, a team.
pub(crate) fn init(context: &Context<'_>) -> Outcome<Answer> {
    let home = context.home()?;
    let store = home.make()?;
    let joins = context.flag("join");
    let device = if joins { store.init()? } else { store.found()? };
    store.pause()?;
    let key = if joins { "init.joins" } else { "init.founded" };
    let dir = home.dir.display();
    let values: [(&str, &dyn std::fmt::Display); 2] = [("dir", &dir), ("device", &device.device)];
    Ok(Answer::new(context.words.say(key, &values), json!(device)))
}

/// Logs an event: an incident, or a line of the duty book.
pub(crate) fn log(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let category = choice::category(context, context.required("category")?)?;
    let mut places = Places::default();
    let building = context.text("building");
    let building = building.or_else(|| building_of(context.text("place")?));
    // A sealed kind takes its building only.
    let sealed = matches!(&category, Plain::Text(token) if crate::import::is_sealed(token));
    let place = context.text("place").filter(|_| !sealed || building.is_none());
    let at = places.of_event(&store, place, building)?;
    for missing in places.take_missing() {
        store.apply(RequestId(system::random()), &missing)?;
    }
    let text = context.joined("text");
    let urgent = context.flag("urgent");
    let mut draft = if context.flag("line") {
        let line = LogEntry {
            place: at,
            note: text.into_iter().collect(),
            urgent: urgent.then_some(true),
            ..LogEntry::default()
        };
        line.draft()
    } else {
        let incident = Incident {
            place: at,
            summary: text,
            priority: urgent.then_some(Priority::Urgent),
            ..Incident::default()
        };
        incident.draft()
    };
    draft = draft.with("category", category);
    if let Some(ms) = context.time("at")? {
        draft = draft.with("t_occ", Plain::Int(ms));
    }
    apply(context, &store, &Command::Create { draft, key: None })
}

/// Adds to a timeline or to a line of the duty book.
pub(crate) fn note(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let record = context.record(&store)?;
    let text = context.joined("text").unwrap_or_default();
    let (field, element) = if record.kind == "incident" {
        let kind = context.text("kind-of-note").unwrap_or("note");
        let at = context.time("at")?.unwrap_or_else(system::now_ms);
        let parts = BTreeMap::from([
            ("kind".to_owned(), Plain::from(kind)),
            ("body".to_owned(), Plain::Text(text)),
            ("t_event".to_owned(), Plain::Int(at)),
        ]);
        ("timeline", Plain::Parts(parts))
    } else {
        let field = if record.kind == "handover" { "notes" } else { "note" };
        (field, Plain::Text(text))
    };
    let command = Command::Add { record: record.record, field: field.to_owned(), element };
    apply(context, &store, &command)
}

/// Sets fields of a record.
pub(crate) fn edit(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let record = context.record(&store)?;
    let given = context.args.get_many::<String>("set");
    let mut set = BTreeMap::new();
    for pair in given.into_iter().flatten() {
        let bad = || Failure::usage(context.words.say("usage.bad_set", &[("text", &pair)]));
        let (field, value) = pair.split_once('=').ok_or_else(bad)?;
        let value = if field == "place" && !value.is_empty() {
            Some(place(&store, value)?)
        } else {
            choice::read(context, &store, &record.kind, field, value)?
        };
        set.insert(field.to_owned(), value);
    }
    let record = record.record;
    apply(context, &store, &Command::Edit { record, set })
}

/// Returns the place of this name, which is made where it is new.
fn place(store: &Tuquan, name: &str) -> Outcome<Plain> {
    let mut places = Places::default();
    let id = places.of_event(store, Some(name), building_of(name))?;
    for missing in places.take_missing() {
        store.apply(RequestId(system::random()), &missing)?;
    }
    Ok(Plain::Text(id.map(|id| id.to_string()).unwrap_or_default()))
}

/// Moves a record to another state.
pub(crate) fn transition(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let record = context.record(&store)?;
    let to = choice::listed(context, &record.kind, "state", context.required("state")?)?;
    let Plain::Text(to) = to else {
        return Err(Failure::usage("state"));
    };
    let mut set = BTreeMap::new();
    if let Some(outcome) = context.text("outcome") {
        let outcome = choice::listed(context, &record.kind, "outcome", outcome)?;
        set.insert("outcome".to_owned(), Some(outcome));
    }
    let command = Command::Transition {
        record: record.record,
        to,
        t_event: context.time("at")?,
        reason: context.text("reason").map(str::to_owned),
        set,
    };
    apply(context, &store, &command)
}

/// Says who sees to an incident, or that somebody does no longer.
pub(crate) fn assign(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let record = context.record(&store)?.record;
    let person = match context.required("person")? {
        "me" => store.device()?.person.to_string(),
        id => id.to_owned(),
    };
    let (field, element) = ("assignees".to_owned(), Plain::Text(person));
    let command = if context.flag("remove") {
        Command::Remove { record, field, element }
    } else {
        Command::Add { record, field, element }
    };
    apply(context, &store, &command)
}

/// Strikes a wrong entry of a timeline; it stays to be read.
pub(crate) fn strike(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let record = context.record(&store)?;
    let given = context.required("entry")?;
    let timeline = record.lists.get("timeline").into_iter().flatten();
    let keys: Vec<&str> = timeline.map(|element| element.key.as_str()).collect();
    let mut found = keys.into_iter().filter(|key| key.starts_with(given));
    let (Some(key), None) = (found.next(), found.next()) else {
        let what = context.words.say("usage.no_record", &[("text", &given)]);
        return Err(Failure::not_found(what));
    };
    let mut parts = BTreeMap::from([
        ("kind".to_owned(), Plain::from("strike")),
        ("target".to_owned(), Plain::from(key)),
        ("t_event".to_owned(), Plain::Int(system::now_ms())),
    ]);
    if let Some(text) = context.joined("text") {
        parts.insert("body".to_owned(), Plain::Text(text));
    }
    let command = Command::Add {
        record: record.record,
        field: "timeline".to_owned(),
        element: Plain::Parts(parts),
    };
    apply(context, &store, &command)
}

/// Picks one of the values that a field holds at once.
pub(crate) fn resolve(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let record = context.record(&store)?;
    let (field, value) = (context.required("field")?, context.required("value")?);
    let pick = choice::read(context, &store, &record.kind, field, value)?;
    let command = Command::Resolve {
        record: record.record,
        field: field.to_owned(),
        pick: pick.ok_or_else(|| Failure::usage("value"))?,
        reason: context.text("reason").map(str::to_owned),
    };
    apply(context, &store, &command)
}

fn apply(context: &Context<'_>, store: &Tuquan, command: &Command) -> Outcome<Answer> {
    answer(context, store, &store.apply(context.request(), command)?)
}

/// Says what became of a record.
pub(super) fn answer(context: &Context<'_>, store: &Tuquan, applied: &Applied) -> Outcome<Answer> {
    let key = match applied.effect {
        Effect::Created => "saved.created",
        Effect::Changed => "saved.changed",
        Effect::Unchanged => "saved.unchanged",
    };
    let mut text = context.words.get(key).to_owned();
    if applied.clock_suspect {
        text = format!("{text} ({})", context.words.get("list.clock_suspect"));
    }
    let mut value = json!(applied);
    if let Some(record) = store.get(&applied.record)? {
        let shower = Shower::new(store, context.words);
        text = format!("{text}\n{}", shower.line(&record)?);
        if let Some(fields) = value.as_object_mut() {
            fields.insert("code".to_owned(), json!(store.code(&record)?));
        }
    }
    Ok(Answer::new(text, value))
}
