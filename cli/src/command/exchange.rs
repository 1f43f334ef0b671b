//! What leaves a device as a file and comes to it: cards, grants, bundles.
//!
//! Must not know: what the files hold; the core reads and writes them.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

use serde_json::json;
use tuquan_core::{
    record::declare::Role,
    replica::mind::Mind,
    sync::{card::Card, courier::LEVEL},
};

use crate::{
    answer::Answer,
    context::Context,
    failure::{Exit, Outcome, unreadable, unwritable},
    progress,
};

/// Writes this device's card.
pub(crate) fn card(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let bytes = store.bulk(|replica| Ok(Card::encode(&replica.mind.identity()?.secret)))?;
    let path = match context.text("out") {
        Some(path) => PathBuf::from(path),
        None => context.home()?.dir.join("card.tqd"),
    };
    write(&path, &bytes)?;
    let file = path.display().to_string();
    let text = context.words.say("export.card", &[("file", &file)]);
    let device = store.device()?.device;
    Ok(Answer::new(text, json!({ "file": file, "device": device })))
}

/// Lets the device of a card in, and writes the bundle that it joins with.
pub(crate) fn grant(context: &Context<'_>) -> Outcome<Answer> {
    let card = Card::decode(&read(Path::new(context.required("file")?))?)?;
    let role = role(context)?;
    let store = context.open()?;
    let bytes = store.bulk(|replica| replica.grant_bundle(&card, role, true))?;
    let device = card.device.to_string();
    let path = match context.text("out") {
        Some(path) => PathBuf::from(path),
        None => {
            let short: String = device.chars().take(8).collect();
            context.home()?.dir.join(format!("grant-{short}.tqb"))
        }
    };
    write(&path, &bytes)?;
    let file = path.display().to_string();
    let values: [(&str, &dyn std::fmt::Display); 3] =
        [("device", &device), ("file", &file), ("bytes", &context.words.count(bytes.len() as u64))];
    let value = json!({ "file": file, "device": device, "role": context.text("role"),
        "bytes": bytes.len() });
    Ok(Answer::new(context.words.say("export.granted", &values), value))
}

/// Returns the role that was given.
pub(super) fn role(context: &Context<'_>) -> Outcome<Role> {
    Ok(match context.required("role")? {
        "R1" => Role::R1,
        "R3" => Role::R3,
        _ => Role::R2,
    })
}

/// Writes a bundle of everything that this device holds.
pub(crate) fn export(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let bytes = store.bulk(|replica| replica.export_bundle(None, false, LEVEL))?;
    let path = PathBuf::from(context.required("out")?);
    write(&path, &bytes)?;
    let entries = store.bulk(|replica| Ok(entries(&replica.mind)))?;
    let file = path.display().to_string();
    let values: [(&str, &dyn std::fmt::Display); 3] = [
        ("entries", &context.words.count(entries)),
        ("file", &file),
        ("bytes", &context.words.count(bytes.len() as u64)),
    ];
    let value = json!({ "file": file, "entries": entries, "bytes": bytes.len() });
    Ok(Answer::new(context.words.say("export.bundle", &values), value))
}

fn entries(mind: &Mind) -> u64 {
    mind.logs.iter().map(|log| log.row.next - log.row.base).sum()
}

/// Takes a bundle in; what came whole of one that was cut off is kept.
pub(crate) fn import(context: &Context<'_>) -> Outcome<Answer> {
    let bytes = read(Path::new(context.required("file")?))?;
    let store = context.open()?;
    let bar = progress::bar(context.words.get("progress.import"), 0);
    let outcome = store.bulk(|replica| {
        replica.import_bundle(&bytes, &mut |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        })
    })?;
    bar.finish_and_clear();
    let conflicts = store.stats()?.conflicts;
    let words = context.words;
    let received: [(&str, &dyn std::fmt::Display); 2] =
        [("entries", &words.count(outcome.entries)), ("conflicts", &words.count(conflicts))];
    let mut lines = Vec::new();
    if outcome.joined {
        lines.push(words.get("export.joined").to_owned());
    }
    lines.push(words.say("export.received", &received));
    if outcome.held > 0 {
        lines.push(words.say("stats.held", &[("n", &words.count(outcome.held))]));
    }
    if outcome.quarantined > 0 {
        lines.push(words.say("stats.quarantined", &[("n", &words.count(outcome.quarantined))]));
    }
    let troubles: Vec<_> = outcome.refused.iter().chain(&outcome.truncated).collect();
    for error in outcome.forked.iter().chain(troubles.iter().copied()) {
        let meaning = words.token("error", error.code());
        lines.push(format!("{}: {meaning} ({})", error.code(), error.context));
    }
    let refused: Vec<_> = troubles
        .iter()
        .map(|error| json!({ "code": error.code(), "context": error.context }))
        .collect();
    let value = json!({
        "joined": outcome.joined,
        "entries": outcome.entries,
        "duplicates": outcome.duplicates,
        "held": outcome.held,
        "forked": outcome.forked.iter().map(|error| &error.context).collect::<Vec<_>>(),
        "quarantined": outcome.quarantined,
        "changed": outcome.changed.len(),
        "conflicts": conflicts,
        "complete": outcome.truncated.is_none(),
        "errors": refused,
    });
    let mut answer = Answer::new(lines.join("\n"), value);
    if !troubles.is_empty() {
        answer.exit = Exit::File;
    }
    Ok(answer)
}

/// Reads a file that a person named.
pub(super) fn read(path: &Path) -> Outcome<Vec<u8>> {
    fs::read(path).map_err(|error| unreadable(path, &error))
}

/// Writes a file that a person named, durably.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Outcome<()> {
    let written = File::create(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| unwritable(path, &error))
}
