//! The one order of the core's modules, as `docs/architecture.md` lists it: each module sees only
//! what comes after it.

use std::collections::BTreeSet;

use crate::scan;
use crate::tree::{File, Tree};

const LIST: &str = "## The one order of the core's modules";

pub(crate) fn out_of_order(tree: &Tree) -> Vec<String> {
    let document = tree.get("docs/architecture.md").expect("docs/architecture.md");
    let order = order(&document.text);
    assert!(order.len() > 10, "the list of modules was not found");
    let files: Vec<&File> = tree.rust().filter(|file| file.is_core()).collect();
    let known = root_names(&files);
    let present: BTreeSet<&str> =
        files.iter().map(|file| module(file)).filter(|module| *module != "lib").collect();
    let mut found = Vec::new();
    for name in &present {
        if !order.iter().any(|known| known == name) {
            found.push(format!("`{name}` is not in docs/architecture.md"));
        }
    }
    for name in &order {
        let planned = document.text.contains(&format!("`{name}`, planned"));
        if !present.contains(name.as_str()) && !planned {
            found.push(format!("docs/architecture.md lists `{name}`, which is gone"));
        }
    }
    found.extend(files.iter().flat_map(|file| check(&order, &known, file)));
    found
}

/// Reads "1. `door` ..." lines.
fn order(text: &str) -> Vec<String> {
    let section = text.split(LIST).nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    section
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        .filter_map(|line| line.split('`').nth(1))
        .map(str::to_owned)
        .collect()
}

/// Returns the top-level module that the file belongs to.
fn module(file: &File) -> &str {
    let inside = file.path.strip_prefix("core/src/").unwrap_or(&file.path);
    let first = inside.split('/').next().unwrap_or_default();
    first.strip_suffix(".rs").unwrap_or(first)
}

/// Returns names at the root that are no modules of ours: macros, which live there whoever makes
/// them, and crates that the root hands on for these.
fn root_names(files: &[&File]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in files {
        let code = scan::code(&file.text);
        let handed_on = if module(file) == "lib" { "pub use " } else { "macro_rules! " };
        for marker in ["macro_rules! ", handed_on] {
            for (at, marker) in code.match_indices(marker) {
                let name = code[at + marker.len()..].split(|c: char| !scan::is_word(c));
                names.extend(name.take(1).map(str::to_owned));
            }
        }
    }
    names
}

fn check(order: &[String], known: &BTreeSet<String>, file: &File) -> Vec<String> {
    let own = module(file);
    let Some(rank) = order.iter().position(|name| name == own) else {
        return Vec::new();
    };
    let code = scan::without_tests(&scan::code(&file.text));
    let code = if file.is_test() { "" } else { code.as_str() };
    let mut found = Vec::new();
    for (at, name) in imports(code, &file.path) {
        let other = order.iter().position(|known| *known == name);
        let why = match other {
            Some(other) if other >= rank => continue,
            Some(_) => "stands above it",
            None if known.contains(&name) => continue,
            None => "is in no list",
        };
        let line = scan::line(code, at);
        found.push(format!("{}:{line}: {own} uses `{name}`, which {why}", file.path));
    }
    found
}

/// Returns the first names of all paths that start at the crate's root.
fn imports(code: &str, path: &str) -> Vec<(usize, String)> {
    let mut roots = vec!["crate::", "tuquan_core::"];
    let depth = path.matches('/').count() - usize::from(path.ends_with("/mod.rs"));
    if depth == 2 {
        roots.push("super::");
    } else if depth == 3 {
        roots.push("super::super::");
    }
    let mut found = Vec::new();
    for root in roots {
        for (at, _) in code.match_indices(root) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| scan::is_word(c) || c == ':') {
                continue;
            }
            let rest = &code[at + root.len()..];
            found.extend(first_names(rest).into_iter().map(|name| (at, name)));
        }
    }
    found
}

/// Returns the first name after `crate::`, or of each member of a braced group.
fn first_names(rest: &str) -> Vec<String> {
    let word = |text: &str| -> String { text.chars().take_while(|c| scan::is_word(*c)).collect() };
    if !rest.starts_with('{') {
        return vec![word(rest)];
    }
    let group = &rest[1..scan::close(rest, 0).saturating_sub(1).max(1)];
    let (mut depth, mut names, mut start) = (0, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if start && scan::is_word(c) => {
                names.push(word(&group[at..]));
                start = false;
            }
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> usize {
        let document = format!("# A\n{LIST}\n\n1. `door`: x\n2. `log`: y\n3. `ids`: z\n\n## B\n");
        let root = File::new("core/src/lib.rs", "pub use serde;\nmacro_rules! record { }");
        let known = root_names(&[&root]);
        check(&order(&document), &known, &File::new(path, text)).len()
    }

    #[test]
    fn imports_against_the_order_are_caught() {
        assert_eq!(findings("core/src/log/entry.rs", "use crate::door::A;"), 1);
        assert_eq!(findings("core/src/log/entry.rs", "fn a() { crate::door::b() }"), 1);
        assert_eq!(findings("core/src/ids.rs", "use crate::{ids, log::{a, b}, door};"), 2);
        assert_eq!(findings("core/src/ids.rs", "use super::log;"), 1);
        assert_eq!(findings("core/src/log/mod.rs", "use super::door;"), 1);
        assert_eq!(findings("core/src/log/entry.rs", "use super::super::door;"), 1);
        assert_eq!(findings("core/src/log/entry.rs", "use crate::unheard_of;"), 1);
    }

    #[test]
    fn imports_in_order_pass() {
        assert_eq!(findings("core/src/door/mod.rs", "use crate::{ids, log::{a, b}};"), 0);
        assert_eq!(findings("core/src/log/entry.rs", "use super::item; use crate::log::b;"), 0);
        assert_eq!(findings("core/src/log/entry.rs", "crate::record! { }"), 0);
        assert_eq!(findings("core/src/log/entry.rs", "$crate::serde::A"), 0);
        let test = "#[cfg(test)]\nmod tests { use crate::door::A; }";
        assert_eq!(findings("core/src/log/entry.rs", test), 0);
    }
}
