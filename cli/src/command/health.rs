//! Commands about the store itself: check it, count what it holds.

use serde_json::json;

use crate::{answer::Answer, context::Context, failure::Outcome, progress};

/// Checks every page and rebuilds the views from the entries; exit code 1 for damage.
pub(crate) fn doctor(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let bar = progress::bar(context.words.get("progress.doctor"), 0);
    let checked = store.doctor(&mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    let healthy = checked.pages_ok && checked.views_ok && checked.damaged == 0;
    let words = context.words;
    let mut lines = vec![
        words.get(if healthy { "doctor.healthy" } else { "doctor.damaged" }).to_owned(),
        words.say("doctor.entries", &[("n", &words.count(checked.entries))]),
    ];
    let counts = [
        (u64::from(!checked.pages_ok), "doctor.pages"),
        (u64::from(!checked.views_ok), "doctor.views"),
        (checked.damaged, "doctor.items"),
        (checked.pending, "stats.pending"),
        (checked.held, "stats.held"),
    ];
    for (count, key) in counts {
        if count > 0 {
            lines.push(words.say(key, &[("n", &words.count(count))]));
        }
    }
    let mut value = json!(checked);
    value["healthy"] = json!(healthy);
    Ok(Answer::new(lines.join("\n"), value).checked(healthy))
}

/// Counts what the store holds.
pub(crate) fn stats(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let (stats, hash) = (store.stats()?, store.view_hash()?);
    let words = context.words;
    let mut lines = Vec::new();
    for (kind, count) in &stats.records {
        lines.push(format!("{:>9}  {}", words.count(*count), words.token("record", kind)));
    }
    let counts = [
        (stats.entries, "stats.entries"),
        (stats.logs, "stats.logs"),
        (stats.conflicts, "stats.conflicts"),
        (stats.pending, "stats.pending"),
        (stats.damaged, "doctor.items"),
        (stats.held, "stats.held"),
        (stats.quarantined, "stats.quarantined"),
        (stats.bytes, "stats.bytes"),
    ];
    for (count, key) in counts {
        lines.push(words.say(key, &[("n", &words.count(count))]));
    }
    lines.push(words.say("stats.hash", &[("hash", &hash)]));
    let records: serde_json::Map<_, _> =
        stats.records.iter().cloned().map(|(k, n)| (k, json!(n))).collect();
    let mut value = json!(stats);
    value["records"] = json!(records);
    value["view_hash"] = json!(hash);
    Ok(Answer::new(lines.join("\n"), value))
}
