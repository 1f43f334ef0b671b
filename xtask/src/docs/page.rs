//! Reading pages as a person would: without markup, and whether they speak of something.
//!
//! Only letters and digits are compared: each tool breaks lines, escapes and marks code in a way of
//! its own. Must not know: which tool made them.

use std::fs;
use std::path::Path;

use crate::surface::{Named, spellings};

/// How far from its name, in letters, the first sentence on something may stand: between them is a
/// declaration.
const NEAR: usize = 700;

/// Returns the letters and digits of all pages in a folder.
pub(super) fn text(folder: &Path) -> Result<String, String> {
    let mut text = String::new();
    gather(folder, &mut text)?;
    match text.is_empty() {
        true => Err(format!("no page is in {}", folder.display())),
        false => Ok(text),
    }
}

/// Tells whether a text has something's name, and near it the first sentence that is said of it.
/// What nothing is said of is not told of.
pub(super) fn tells_of(text: &str, named: &Named) -> bool {
    let sentence = letters(first_sentence(&named.says));
    if sentence.is_empty() {
        return false;
    }
    let names = spellings(&named.name).map(|name| letters(&name));
    text.match_indices(&sentence).any(|(at, _)| {
        let (before, after) = (&text.as_bytes()[..at], &text.as_bytes()[at + sentence.len()..]);
        let before = &before[before.len().saturating_sub(NEAR)..];
        let after = &after[..after.len().min(NEAR)];
        names.iter().any(|name| holds(before, name) || holds(after, name))
    })
}

fn holds(text: &[u8], name: &str) -> bool {
    text.windows(name.len()).any(|part| part == name.as_bytes())
}

fn first_sentence(says: &str) -> &str {
    let ends = [". ", ": ", "; "].iter().filter_map(|end| says.find(end));
    ends.min().and_then(|end| says.get(..end)).unwrap_or(says)
}

/// Returns what of a text is a letter or a digit.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

fn gather(folder: &Path, into: &mut String) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut paths: Vec<_> =
        fs::read_dir(folder).map_err(failed)?.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            // There rustdoc shows sources, with every comment, whether or not it is on a page.
            if path.file_name().is_some_and(|name| name != "src") {
                gather(&path, into)?;
            }
            continue;
        }
        let ending = path.extension().unwrap_or_default();
        if ending == "html" {
            without_tags(&fs::read_to_string(&path).map_err(failed)?, into);
        } else if ending == "json" {
            let content = fs::read(&path).map_err(failed)?;
            let value = serde_json::from_slice(&content)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            of_json(&value, into);
        }
    }
    Ok(())
}

/// Adds what a page shows: no tags, no scripts, nothing that is escaped.
fn without_tags(html: &str, into: &mut String) {
    let mut rest = html;
    while let Some((shown, after)) = rest.split_once('<') {
        add_unescaped(shown, into);
        let end = ["script", "style"].iter().find(|name| after.starts_with(**name));
        let end = end.map_or_else(|| ">".to_owned(), |name| format!("</{name}>"));
        rest = after.split_once(&end).map_or("", |(_, rest)| rest);
    }
    add_unescaped(rest, into);
}

fn add_unescaped(shown: &str, into: &mut String) {
    for (at, part) in shown.split('&').enumerate() {
        let escaped = part.split_once(';').filter(|(name, _)| at > 0 && name.len() < 8);
        into.push_str(&letters(escaped.map_or(part, |(_, part)| part)));
    }
}

/// Adds what a page of DocC shows: it keeps pages as JSON.
fn of_json(value: &serde_json::Value, into: &mut String) {
    const SHOWN: [&str; 3] = ["text", "code", "title"];
    match value {
        serde_json::Value::Array(values) => values.iter().for_each(|value| of_json(value, into)),
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(shown) if SHOWN.contains(&name.as_str()) => into.push_str(&letters(shown)),
                    _ => of_json(value, into),
                }
            }
        }
        _ => {}
    }
}
