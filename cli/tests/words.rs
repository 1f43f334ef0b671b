//! The words file: both languages of every token, error code and key that the code names.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use toml::{Table, Value};
use tuquan_core::{
    domain::DORMITORY,
    record::declare::{Declaration, Type},
};

const WORDS: &str = include_str!("../../words/words.toml");
const ERRORS: &str = include_str!("../../core/src/error.rs");

fn words() -> BTreeSet<String> {
    let file: Table = toml::from_str(WORDS).unwrap();
    let mut keys = BTreeSet::new();
    for (section, entries) in &file {
        for (name, entry) in entries.as_table().unwrap() {
            let said = |lang: &str| entry.get(lang).and_then(Value::as_str).unwrap_or_default();
            assert!(!said("vi").trim().is_empty(), "{section}.{name} has no Vietnamese");
            assert!(!said("en").trim().is_empty(), "{section}.{name} has no English");
            let slots = |lang: &str| -> BTreeSet<String> {
                let parts = said(lang).split('{').skip(1).map(str::to_owned);
                parts.filter_map(|part| Some(part.split_once('}')?.0.to_owned())).collect()
            };
            assert_eq!(slots("vi"), slots("en"), "{section}.{name}");
            keys.insert(format!("{section}.{name}"));
        }
    }
    keys
}

fn list_of(of: &Declaration, field: &str) -> String {
    match (of.name, field) {
        (kind, "state") => format!("{kind}_state"),
        ("place", "kind") => "place_kind".to_owned(),
        ("timeline", "kind") => "timeline_kind".to_owned(),
        (_, field) => field.to_owned(),
    }
}

#[test]
fn every_record_type_field_and_token_has_its_words() {
    let words = words();
    let has = |key: String| assert!(words.contains(&key), "{key} is not in the words file");
    for of in DORMITORY {
        has(format!("record.{}", of.name));
        for field in of.fields() {
            has(format!("field.{}", field.name));
            if let Type::Choice(all) = field.ty {
                for choice in all {
                    has(format!("{}.{}", list_of(of, field.name), choice.token));
                }
            }
            let Type::Element(parts) = field.ty else {
                continue;
            };
            for part in parts {
                if let Type::Choice(all) = part.ty {
                    for choice in all {
                        has(format!("{}_{}.{}", field.name, part.name, choice.token));
                    }
                }
            }
        }
    }
}

#[test]
fn every_error_code_has_its_words() {
    let words = words();
    let codes: Vec<&str> = ERRORS
        .split('"')
        .filter(|text| (text.starts_with("E-") || text.starts_with("I-")) && !text.contains(' '))
        .collect();
    assert!(codes.len() > 25, "{codes:?}");
    for code in codes.into_iter().chain(["E-USAGE", "E-FILE"]) {
        assert!(words.contains(&format!("error.{code}")), "{code}");
    }
}

#[test]
fn every_key_that_the_code_names_is_in_the_file() {
    let words = words();
    let sections: BTreeSet<&str> = words.iter().filter_map(|key| key.split('.').next()).collect();
    let mut pending = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    let mut named = 0;
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for quoted in text.split('"') {
            let Some((section, name)) = quoted.split_once('.') else {
                continue;
            };
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            let is_key = !name.is_empty() && name.chars().all(plain) && sections.contains(section);
            if is_key {
                named += 1;
                assert!(words.contains(quoted), "{quoted} in {}", path.display());
            }
        }
    }
    assert!(named > 80, "{named}");
}

/// The core's files whose errors answer what people asked for.
const ASKED: [(&str, &str); 10] = [
    ("command", include_str!("../../core/src/door/command.rs")),
    ("attaching", include_str!("../../core/src/door/attaching.rs")),
    ("image", include_str!("../../core/src/attachment/image.rs")),
    ("query", include_str!("../../core/src/door/query.rs")),
    ("door", include_str!("../../core/src/door/mod.rs")),
    ("plain", include_str!("../../core/src/record/plain.rs")),
    ("courier", include_str!("../../core/src/sync/courier.rs")),
    ("members", include_str!("../../core/src/team/members.rs")),
    ("incident", include_str!("../../core/src/domain/incident.rs")),
    ("log_entry", include_str!("../../core/src/domain/log_entry.rs")),
];

/// Returns the texts of the errors that a file makes, with `{}` for whatever is filled in.
fn contexts(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let starts = ["Error::new(", "invalid(", "let what = ", "Err(", "bad("];
    let mut found = Vec::new();
    for start in starts {
        for call in code.split(start).skip(1) {
            let Some((before, rest)) = call.split_once('"') else { continue };
            let kind = before.trim_start();
            let kind = match kind.split_once(", ") {
                Some((kind, rest)) if kind.starts_with("Kind::") => rest,
                _ => kind,
            };
            if !matches!(kind.trim(), "" | "format!(" | "&format!(") {
                continue;
            }
            let text = rest.split('"').next().unwrap_or_default();
            let mut parts = text.split('{');
            let mut shape = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                shape += "{}";
                shape += part.split_once('}').map_or("", |(_, after)| after);
            }
            found.push(shape);
        }
    }
    found
}

#[test]
fn what_an_error_of_the_core_is_about_has_its_words() {
    let file: Table = toml::from_str(WORDS).unwrap();
    let entries = file["context"].as_table().unwrap();
    let known: BTreeSet<String> = entries
        .values()
        .flat_map(|entry| contexts(&format!("bad({:?})", entry["en"].as_str().unwrap())))
        .collect();
    let mut asked = 0;
    for (name, source) in ASKED {
        for context in contexts(source) {
            asked += 1;
            assert!(known.contains(&context), "{name}: {context:?} is not in the words file");
        }
    }
    assert!(asked > 35, "{asked}");
}
