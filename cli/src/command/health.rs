//! Commands about the store itself: check it, count what it holds.

use serde_json::json;
use tuquan_core::{error::Kind, replica::rebuild::Checked};

use crate::{answer::Answer, context::Context, failure::Outcome, progress};

/// Checks every page and rebuilds the views from the entries; exit code 1 for damage. With
/// `--salvage` a damaged store is replaced by what can be read of it.
pub(crate) fn doctor(context: &Context<'_>) -> Outcome<Answer> {
    let checked = check(context)?;
    if checked.pages_ok || !context.flag("salvage") {
        return Ok(told(context, &checked));
    }
    let home = context.home()?;
    let bar = progress::bar(context.words.get("progress.salvage"), 0);
    let saved = home.salvage(&mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    // What was made is checked too.
    let answer = told(context, &check(context)?);
    let words = context.words;
    let key = if saved.recovered < saved.of { "doctor.salvaged" } else { "doctor.salvaged_all" };
    let (n, of) = (words.count(saved.recovered), words.count(saved.of));
    let kept = home.in_store(&saved.kept).display().to_string();
    let lines = [
        words.say(key, &[("n", &n), ("of", &of)]),
        words.say("doctor.kept", &[("file", &kept)]),
        answer.text,
    ];
    let mut value = answer.json;
    value["salvaged"] = json!({ "recovered": saved.recovered, "of": saved.of, "kept": kept });
    Ok(Answer { text: lines.join("\n"), json: value, exit: answer.exit })
}

/// Checks the store; one that is too damaged to be opened is told like any other damage.
fn check(context: &Context<'_>) -> Outcome<Checked> {
    let bar = progress::bar(context.words.get("progress.doctor"), 0);
    let checked = context.open().and_then(|store| {
        Ok(store.doctor(&mut |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        })?)
    });
    bar.finish_and_clear();
    match checked {
        Err(failure) if failure.code == Kind::DbPage.code() => Ok(Checked::default()),
        outcome => outcome,
    }
}

fn told(context: &Context<'_>, checked: &Checked) -> Answer {
    let healthy = checked.pages_ok && checked.views_ok && checked.damaged == 0;
    let words = context.words;
    let mut lines = vec![
        words.get(if healthy { "doctor.healthy" } else { "doctor.damaged" }).to_owned(),
        words.say("doctor.entries", &[("n", &words.count(checked.entries))]),
    ];
    let counts = [
        (u64::from(!checked.pages_ok), "doctor.pages"),
        (u64::from(!checked.pages_ok), "doctor.salvage"),
        (u64::from(checked.pages_ok && !checked.views_ok), "doctor.views"),
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
    Answer::new(lines.join("\n"), value).checked(healthy)
}

/// Counts what the store holds.
pub(crate) fn stats(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let (stats, hash) = (store.stats()?, store.view_hash()?);
    let words = context.words;
    let mut lines = Vec::new();
    for of in &stats.records {
        lines.push(format!("{:>9}  {}", words.count(of.count), words.token("record", &of.kind)));
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
        stats.records.iter().map(|of| (of.kind.clone(), json!(of.count))).collect();
    let mut value = json!(stats);
    value["records"] = json!(records);
    value["view_hash"] = json!(hash);
    Ok(Answer::new(lines.join("\n"), value))
}

/// Tells whether this device may be reset: exit code 1 while it holds what nobody else is known to.
pub(crate) fn reset_check(context: &Context<'_>) -> Outcome<Answer> {
    let check = context.open()?.safe_to_reset()?;
    let words = context.words;
    let mut lines = Vec::new();
    if check.safe {
        lines.push(words.get("reset.safe").to_owned());
    } else {
        lines.push(words.say("reset.unsafe", &[("n", &words.count(check.entries))]));
        for of in &check.by {
            let values: [(&str, &dyn std::fmt::Display); 2] =
                [("device", &of.device), ("n", &words.count(of.entries))];
            lines.push(words.say("reset.by", &values));
        }
    }
    lines.push(words.say("reset.heard", &[("n", &words.count(check.heard))]));
    let value = json!({
        "safe": check.safe,
        "entries": check.entries,
        "by": check.by,
        "heard": check.heard,
    });
    Ok(Answer::new(lines.join("\n"), value).checked(check.safe))
}
