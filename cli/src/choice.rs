//! Values as people type them: tokens or their words, times, places, yes and no.
//!
//! Must not know: what is done with the value.

use tuquan_core::{
    door::Tuquan,
    record::{
        declare::{Choice, Type},
        plain::Plain,
    },
    store::search::fold,
};
use tuquan_net::system;

use crate::{
    context::Context,
    failure::{Failure, Outcome},
    place,
    show::{choice_list, declaration},
    time,
};

/// Reads a value of a field; an empty one takes the field's value away.
pub(crate) fn read(
    context: &Context<'_>,
    store: &Tuquan,
    kind: &str,
    field: &str,
    text: &str,
) -> Outcome<Option<Plain>> {
    let unknown = || {
        let what = context.words.say("usage.no_field", &[("field", &field)]);
        Failure::invalid(what)
    };
    let declared = declaration(kind).and_then(|of| of.field_named(field));
    let ty = declared.ok_or_else(unknown)?.ty;
    if text.is_empty() {
        return Ok(None);
    }
    let bad = || {
        let values: [(&str, &dyn std::fmt::Display); 2] = [("field", &field), ("text", &text)];
        Failure::invalid(context.words.say("usage.bad_value", &values))
    };
    let read = match ty {
        Type::Text(_) => Some(Plain::from(text)),
        Type::Int(..) => text.parse().ok().map(Plain::Int),
        Type::Bool => yes_or_no(context, text).map(Plain::Bool),
        Type::Time => time::parse(text, system::now_ms()).map(Plain::Int),
        Type::Choice(all) => token(context, choice_list(kind, field), all, text),
        Type::Ref if field == "place" || field == "parent" => {
            let found = match place::find(store, text)? {
                Some(id) => id,
                None => context.find(store, text)?,
            };
            Some(Plain::Text(found.to_string()))
        }
        Type::Ref => Some(Plain::Text(context.find(store, text)?.to_string())),
        Type::Manifest(_) | Type::Element(_) => None,
    };
    read.map(Some).ok_or_else(bad)
}

/// Reads a category, by its token or by its word in the language of this run.
pub(crate) fn category(context: &Context<'_>, text: &str) -> Outcome<Plain> {
    listed(context, "incident", "category", text)
}

/// Reads a member of the closed list of a field.
pub(crate) fn listed(context: &Context<'_>, kind: &str, field: &str, text: &str) -> Outcome<Plain> {
    let declared = declaration(kind).and_then(|of| of.field_named(field));
    let found = match declared.map(|field| field.ty) {
        Some(Type::Choice(all)) => token(context, choice_list(kind, field), all, text),
        _ => None,
    };
    found.ok_or_else(|| {
        let values: [(&str, &dyn std::fmt::Display); 2] = [("field", &field), ("text", &text)];
        Failure::invalid(context.words.say("usage.bad_value", &values))
    })
}

fn token(context: &Context<'_>, list: &str, all: &[Choice], text: &str) -> Option<Plain> {
    let typed = fold(text);
    let said = |choice: &&Choice| fold(context.words.token(list, choice.token)) == typed;
    let exact = all.iter().find(|choice| choice.token == text);
    let found = exact.or_else(|| all.iter().find(said))?;
    Some(Plain::from(found.token))
}

fn yes_or_no(context: &Context<'_>, text: &str) -> Option<bool> {
    let typed = fold(text);
    match typed.as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ if typed == fold(context.words.get("show.yes")) => Some(true),
        _ if typed == fold(context.words.get("show.no")) => Some(false),
        _ => None,
    }
}
