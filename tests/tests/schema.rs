//! Numbers of record types, fields and list members that were given away once are never changed
//! and never given away again: `core/schema.lock` holds them, only additions are allowed.
//!
//! `cargo xtask schema` (`TUQUAN_BLESS=1`) adds what is new; it takes nothing away.

use std::collections::BTreeSet;
use std::path::PathBuf;

use tuquan_core::domain::DORMITORY;
use tuquan_core::record::declare::{COMMON, Declaration, Field, Type};

const HEAD: &str = "# Numbers that were given away, one a line; made by `cargo xtask schema`.";

/// Returns one line per record type, field, list member and part of an element.
fn lines(schema: &[&Declaration]) -> Vec<String> {
    let mut lines = Vec::new();
    for field in COMMON {
        lines.extend(of_field(0, field));
    }
    let mut sorted = schema.to_vec();
    sorted.sort_by_key(|of| of.kind);
    for of in sorted {
        lines.push(format!("kind {} {}", of.kind, of.name));
        let mut own: Vec<&Field> = of.own.iter().collect();
        own.sort_by_key(|field| field.number);
        for field in own {
            lines.extend(of_field(of.kind, field));
        }
    }
    lines
}

fn of_field(kind: u64, field: &Field) -> Vec<String> {
    let at = format!("{kind}.{}", field.number);
    let ty = type_name(&field.ty);
    let mut lines = vec![format!("field {at} {} {ty} {:?}", field.name, field.merge)];
    match &field.ty {
        Type::Choice(list) => {
            let mut list: Vec<_> = list.iter().map(|c| (c.number, c.token)).collect();
            list.sort_unstable();
            lines.extend(list.iter().map(|(n, token)| format!("choice {at}.{n} {token}")));
        }
        Type::Element(parts) => {
            for (n, part) in parts.iter().enumerate() {
                lines.push(format!("part {at}.{n} {} {}", part.name, type_name(&part.ty)));
            }
        }
        _ => {}
    }
    lines
}

fn type_name(ty: &Type) -> &'static str {
    match ty {
        Type::Text(_) => "text",
        Type::Int(..) => "int",
        Type::Bool => "bool",
        Type::Time => "time",
        Type::Ref => "ref",
        Type::Choice(_) => "choice",
        Type::Manifest(_) => "manifest",
        Type::Element(_) => "element",
    }
}

/// Returns lines of the lock that the schema does not say any more.
fn gone<'a>(locked: &'a str, now: &[String]) -> Vec<&'a str> {
    locked
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .filter(|line| !now.iter().any(|now| now == line))
        .collect()
}

/// Returns numbers that stand twice.
fn repeated(lines: &[String]) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    lines
        .iter()
        .filter(|line| {
            let words: Vec<&str> = line.split(' ').take(2).collect();
            !seen.insert(words)
        })
        .map(String::as_str)
        .collect()
}

#[test]
fn numbers_are_never_reused_or_changed() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../core/schema.lock");
    let locked = std::fs::read_to_string(&path).unwrap_or_default();
    let now = lines(DORMITORY);
    assert!(repeated(&now).is_empty(), "twice: {:?}", repeated(&now));
    let gone = gone(&locked, &now);
    assert!(gone.is_empty(), "given away and changed since: {gone:#?}");
    let text = format!("{HEAD}\n{}\n", now.join("\n"));
    if std::env::var_os("TUQUAN_BLESS").is_some() {
        std::fs::write(&path, &text).expect("core/schema.lock is written");
    } else {
        assert!(locked == text, "new numbers: run `cargo xtask schema`");
    }
}

#[test]
fn changed_renamed_and_doubled_numbers_are_caught() {
    let now = lines(DORMITORY);
    let first = now.iter().find(|line| line.starts_with("field 1.16 "));
    let first = first.expect("a place has a name");
    for other in [
        first.replace("1.16", "1.99"),
        first.replace("name", "title"),
        first.replace("text", "int"),
        first.replace("LW", "MV"),
    ] {
        assert_eq!(gone(&other, &now).len(), 1, "{other}");
    }
    assert!(gone(first, &now).is_empty());
    let doubled = [first.clone(), "field 1.16 other text LW".to_owned()];
    assert_eq!(repeated(&doubled).len(), 1);
}
