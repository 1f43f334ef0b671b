//! `report`: the figures of a window, with bars for what is new.
//!
//! For inside the school: nothing here hides small counts. Must not know: formulas.

use std::fmt::Display;

use serde_json::json;
use tuquan_core::{
    door::Tuquan,
    report::{Cut, CutKey, Figures, Share, Spread, Window, figures, figures_by},
};

use crate::{
    answer::Answer,
    bars,
    context::Context,
    failure::{Failure, Outcome},
    show::Shower,
    time,
    words::Words,
};

/// Counts the figures of a window.
pub(crate) fn report(context: &Context<'_>) -> Outcome<Answer> {
    let window = window(context)?;
    let cut = match context.required("by")? {
        "building" => Cut::Building,
        "week" => Cut::Week,
        "none" => Cut::None,
        _ => Cut::Category,
    };
    let store = context.open()?;
    let (all, parts) = store.read(|connection, _| {
        let all = figures(connection, &window)?;
        Ok((all, figures_by(connection, &window, cut)?))
    })?;
    let words = context.words;
    let (from, to) = (time::day(window.from_ms), time::day(window.to_ms - 1));
    let title: [(&str, &dyn Display); 2] = [("from", &from), ("to", &to)];
    let mut lines = vec![words.say("report.title", &title), String::new()];
    lines.extend(totals(words, &all));
    if cut != Cut::None {
        let heading = match cut {
            Cut::Building => "report.by_building",
            Cut::Week => "report.by_week",
            _ => "report.by_category",
        };
        lines.extend([String::new(), words.get(heading).to_owned()]);
        let mut rows = Vec::with_capacity(parts.len());
        for (key, part) in &parts {
            rows.push((label(&store, words, key)?, part.new));
        }
        if cut != Cut::Week {
            rows.retain(|(_, n)| *n > 0);
            rows.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        }
        lines.extend(bars::draw(&rows, |n| words.count(n)));
    }
    let value = json!({
        "window": window,
        "figures": all,
        "by": context.text("by"),
        "parts": parts.iter().map(|(key, part)| json!({ "key": key, "figures": part }))
            .collect::<Vec<_>>(),
    });
    Ok(Answer::new(lines.join("\n"), value))
}

fn window(context: &Context<'_>) -> Outcome<Window> {
    for (name, closing) in [("month", false), ("closing", true)] {
        let Some(text) = context.text(name) else {
            continue;
        };
        let bad = || Failure::usage(context.words.say("usage.bad_time", &[("text", &text)]));
        let (year, month) = time::parse_month(text).ok_or_else(bad)?;
        return Ok(if closing {
            Window::closing_month(year, month)?
        } else {
            Window::month(year, month)?
        });
    }
    match (context.time("from")?, context.time("to")?) {
        (Some(from_ms), Some(to_ms)) => Ok(Window::custom(from_ms, to_ms)?),
        _ => Err(Failure::usage(context.words.get("usage.bad_window"))),
    }
}

fn totals(words: &Words, all: &Figures) -> Vec<String> {
    let spread = |spread: &Option<Spread>| {
        spread.as_ref().map(|spread| {
            let (median, p90) = (spread.median_min.unsigned_abs(), spread.p90_min.unsigned_abs());
            let values: [(&str, &dyn Display); 3] = [
                ("median", &words.count(median)),
                ("p90", &words.count(p90)),
                ("n", &words.count(spread.n)),
            ];
            words.say("report.spread", &values)
        })
    };
    let share = |share: &Share| {
        let values: [(&str, &dyn Display); 2] =
            [("n", &words.count(share.n)), ("of", &words.count(share.of))];
        (share.of > 0).then(|| words.say("report.share", &values))
    };
    let lag = all.log_lag_min.map(|minutes| {
        let minutes = words.count(minutes.unsigned_abs());
        words.say("report.minutes", &[("n", &minutes)])
    });
    let rows = [
        ("new", Some(words.count(all.new))),
        ("resolved", Some(words.count(all.resolved))),
        ("backlog", Some(words.count(all.backlog))),
        ("overdue", Some(words.count(all.overdue))),
        ("good_deeds", Some(words.count(all.good_deeds))),
        ("acknowledge", spread(&all.acknowledge)),
        ("resolve_gross", spread(&all.resolve_gross)),
        ("resolve_net", spread(&all.resolve_net)),
        ("in_time", share(&all.in_time)),
        ("reopened", share(&all.reopened)),
        ("log_lag", lag),
    ];
    let said = rows.into_iter().filter_map(|(name, value)| Some((name, value?)));
    said.map(|(name, value)| format!("  {}: {value}", words.get(&format!("report.{name}"))))
        .collect()
}

fn label(store: &Tuquan, words: &Words, key: &CutKey) -> Outcome<String> {
    Ok(match key {
        CutKey::All => String::new(),
        CutKey::Category(category) => {
            let token = category.map_or("unsorted", |category| category.token());
            words.token("category", token).to_owned()
        }
        CutKey::Building(None) => words.get("report.no_place").to_owned(),
        CutKey::Building(Some(id)) => Shower::new(store, words).place_name(id)?,
        CutKey::Week(week) => {
            let values: [(&str, &dyn Display); 2] = [("week", &week.week), ("year", &week.year)];
            words.say("report.week", &values)
        }
    })
}
