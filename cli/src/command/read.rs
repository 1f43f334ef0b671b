//! Commands that only read: lists, pages, searches, conflicts.
//!
//! Must not know: how queries are answered.

use serde_json::{Value, json};
use tuquan_core::{
    door::{
        Tuquan,
        query::{List, PageKey, Record, Search},
    },
    record::plain::Plain,
};

use crate::{
    answer::Answer,
    choice,
    context::Context,
    failure::{Failure, Outcome},
    place,
    show::Shower,
};

/// Lists records, newest first.
pub(crate) fn list(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let kind = context.required("kind")?;
    let mut list = List {
        kind: kind.to_owned(),
        from_ms: context.time("from")?,
        to_ms: context.time("to")?,
        after: context.text("after").map(page_key).transpose()?,
        limit: context.limit(),
        ..List::default()
    };
    for field in ["category", "state"] {
        if let Some(text) = context.text(field) {
            let value = choice::listed(context, kind, field, text)?;
            list.filter.insert(field.to_owned(), value);
        }
    }
    if let Some(name) = context.text("place") {
        let what = || Failure::not_found(context.words.say("usage.no_place", &[("text", &name)]));
        let id = place::find(&store, name)?.ok_or_else(what)?;
        list.filter.insert("place".to_owned(), Plain::Text(id.to_string()));
    }
    let page = store.list(&list)?;
    let mut answer = rows(context, &store, &page.rows)?;
    let next = page.next.map(|next| format!("{}:{}", next.when_ms, next.row));
    if let Some(next) = &next {
        let more = context.words.say("list.more", &[("after", next)]);
        answer.text = format!("{}\n{more}", answer.text);
    }
    answer.json["next"] = json!(next);
    Ok(answer)
}

fn page_key(text: &str) -> Outcome<PageKey> {
    let parts = text.split_once(':');
    let key = parts.and_then(|(when_ms, row)| {
        Some(PageKey { when_ms: when_ms.parse().ok()?, row: row.parse().ok()? })
    });
    key.ok_or_else(|| Failure::usage(text))
}

/// Shows all that one record says.
pub(crate) fn show(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let record = context.record(&store)?;
    let shower = Shower::new(&store, context.words);
    let elsewhere = store.held_elsewhere(&record.record)?;
    let truth = match elsewhere.len() {
        0 => context.words.get("show.here_only").to_owned(),
        count => context.words.say("show.elsewhere", &[("n", &count)]),
    };
    let at_hub = store.at_hub(&record.record)?;
    let value = json!({
        "record": shower.json(&record)?, "held_elsewhere": elsewhere, "at_hub": at_hub,
    });
    let mut text = format!("{}\n  {truth}", shower.page(&record)?);
    if at_hub {
        text = format!("{text}\n  {}", context.words.get("show.at_hub"));
    }
    Ok(Answer::new(text, value))
}

/// Finds records by words, with accents or without.
pub(crate) fn search(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let search = Search {
        text: context.joined("text").unwrap_or_default(),
        kind: context.text("kind").map(str::to_owned),
        limit: context.limit(),
    };
    rows(context, &store, &store.search(&search)?)
}

/// Lists what a person must choose for.
pub(crate) fn conflicts(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let open = store.conflicts(context.limit())?;
    let shower = Shower::new(&store, context.words);
    let (mut lines, mut values) = (Vec::new(), Vec::new());
    for record in &open {
        lines.push(shower.line(record)?);
        for (field, rivals) in &record.conflicts {
            lines.push(format!("    {}", shower.conflict(record, field, rivals)?));
        }
        values.push(shower.json(record)?);
    }
    if lines.is_empty() {
        lines.push(context.words.get("conflicts.none").to_owned());
    } else {
        lines.push(context.words.get("conflicts.how").to_owned());
    }
    let count = store.stats()?.conflicts;
    let value = json!({ "conflicts": values, "count": count });
    Ok(Answer::new(lines.join("\n"), value))
}

fn rows(context: &Context<'_>, store: &Tuquan, records: &[Record]) -> Outcome<Answer> {
    let shower = Shower::new(store, context.words);
    let (mut lines, mut values) = (Vec::new(), Vec::<Value>::new());
    for record in records {
        lines.push(shower.line(record)?);
        values.push(shower.json(record)?);
    }
    if lines.is_empty() {
        lines.push(context.words.get("list.empty").to_owned());
    }
    Ok(Answer::new(lines.join("\n"), json!({ "rows": values })))
}
