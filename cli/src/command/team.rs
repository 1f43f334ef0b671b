//! Who is in the team: members, removal, and what is kept apart because of one.
//!
//! Must not know: keys, control entries.

use serde_json::json;
use tuquan_core::{
    door::{Tuquan, query::MemberStatus},
    error::{Error, Kind},
    ids::{DeviceKey, LogId},
    record::plain::Plain,
    replica::quarantine::{Quarantined, Said},
};

use crate::{
    answer::Answer,
    context::Context,
    failure::{Failure, Outcome},
};

/// How many digits of a key a person must type.
const DIGITS_MIN: usize = 6;
/// How many items of a log are shown for review.
const REVIEW_MAX: usize = 200;

/// Lists the devices that are members or were.
pub(crate) fn members(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let (members, device, forked) = (store.members()?, store.device()?, store.forked());
    let mut lines = Vec::with_capacity(members.len());
    for member in &members {
        let status = match (member.status, member.is_this) {
            (MemberStatus::Removed, _) => context.words.get("members.removed"),
            (MemberStatus::Active, true) => context.words.get("members.this"),
            (MemberStatus::Active, false) => "",
        };
        let role = context.words.token("role", &member.role);
        let histories = forked.iter().filter(|log| log.device == member.device);
        let told = histories.map(|log| log.histories).max().map(|count| {
            let count = context.words.count(count);
            context.words.say("members.forked", &[("n", &count)])
        });
        let line = format!("{}  {role}  {status}", member.device).trim_end().to_owned();
        lines.push([line, told.unwrap_or_default()].join("  ").trim_end().to_owned());
    }
    if lines.is_empty() {
        lines.push(context.words.get("members.none").to_owned());
    }
    let value = json!({ "device": device, "members": members, "forked": forked });
    Ok(Answer::new(lines.join("\n"), value))
}

/// Removes a device from the team.
pub(crate) fn remove(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let device = device_named(&store, context.required("device")?)?;
    store.remove(&device)?;
    let text = context.words.say("members.was_removed", &[("device", &device)]);
    Ok(Answer::new(text, json!({ "device": device })))
}

/// Shows what is kept apart, or accepts a part of it.
pub(crate) fn quarantine(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let mut apart = store.quarantined();
    if let Some(text) = context.text("log-of") {
        let log = log_named(&apart, text)?;
        apart.retain(|one| one.log == log);
    }
    if !context.flag("accept") {
        return show(context, &store, &apart);
    }
    let [one] = apart.as_slice() else {
        return Err(Failure::usage(context.words.get("quarantine.which")));
    };
    let last = match context.text("last") {
        Some(text) => text.parse().map_err(|_| Failure::usage(text))?,
        None => one.last,
    };
    store.accept_quarantined(&one.log, last)?;
    let words = context.words;
    let rest: u64 = store.quarantined().iter().filter(|o| o.log == one.log).map(|o| o.count).sum();
    let values: [(&str, &dyn std::fmt::Display); 2] =
        [("n", &words.count(one.count - rest)), ("device", &one.device)];
    let value = json!({ "log": one.log, "last": last, "accepted": one.count - rest, "left": rest });
    Ok(Answer::new(words.say("quarantine.accepted", &values), value))
}

fn show(context: &Context<'_>, store: &Tuquan, apart: &[Quarantined]) -> Outcome<Answer> {
    let words = context.words;
    let (mut lines, mut values) = (Vec::new(), Vec::new());
    for one in apart {
        let told: [(&str, &dyn std::fmt::Display); 3] =
            [("n", &words.count(one.count)), ("device", &one.device), ("log", &one.log)];
        lines.push(words.say("quarantine.log", &told));
        let said = store.review(&one.log, REVIEW_MAX)?;
        lines.extend(said.iter().map(|said| line(context, said)));
        let mut value = json!(one);
        value["entries"] = json!(said);
        values.push(value);
    }
    if lines.is_empty() {
        lines.push(words.get("quarantine.none").to_owned());
    }
    let count: u64 = apart.iter().map(|one| one.count).sum();
    Ok(Answer::new(lines.join("\n"), json!({ "quarantined": values, "count": count })))
}

/// Returns an item on one line: entry, time, record type, and the texts that it says.
fn line(context: &Context<'_>, said: &Said) -> String {
    let mut texts = Vec::new();
    for said in &said.fields {
        collect(&said.value, &mut texts);
    }
    let kind = context.words.token("record", &said.kind);
    let time = crate::time::moment(said.saved_ms);
    format!("  {:>6}  {time}  {kind}  {}", said.seq, texts.join(" · "))
}

fn collect(value: &Plain, into: &mut Vec<String>) {
    match value {
        Plain::Text(text) => into.push(text.clone()),
        Plain::Many(all) => all.iter().for_each(|one| collect(one, into)),
        Plain::Parts(parts) => parts.values().for_each(|one| collect(one, into)),
        Plain::Int(_) | Plain::Bool(_) => {}
    }
}

/// Returns the one member device whose key starts with these digits.
fn device_named(store: &Tuquan, text: &str) -> Outcome<DeviceKey> {
    let members = store.members()?;
    let keys: Vec<DeviceKey> = members.iter().map(|member| member.device).collect();
    one_of(&keys, text, Kind::NotMember)
}

fn log_named(apart: &[Quarantined], text: &str) -> Outcome<LogId> {
    let logs: Vec<LogId> = apart.iter().map(|one| one.log).collect();
    one_of(&logs, text, Kind::NotFound)
}

fn one_of<T: Copy + ToString>(all: &[T], text: &str, missing: Kind) -> Outcome<T> {
    let text = text.trim().to_lowercase();
    let mut found = all.iter().filter(|one| one.to_string().starts_with(&text));
    match (found.next(), found.next()) {
        (Some(one), None) if text.len() >= DIGITS_MIN => Ok(*one),
        (None, _) => Err(Error::new(missing, text).into()),
        _ => Err(Failure::invalid(text)),
    }
}
