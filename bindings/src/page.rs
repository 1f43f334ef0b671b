//! The page for app developers says what the code does: its examples are the files that journeys run,
//! its tables are those of the declarations.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tuquan_core::boundary::TuquanError;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page() -> String {
    std::fs::read_to_string(root().join("docs/embedding.md")).expect("the page is there")
}

#[test]
fn the_examples_are_the_files_that_journeys_run() {
    let page = page();
    let mut count = 0;
    for part in page.split("<!-- ").skip(1) {
        let (path, rest) = part.split_once(" -->\n```").expect("a file and a block");
        let (_, rest) = rest.split_once('\n').expect("a language");
        let (block, _) = rest.split_once("```\n").expect("an end");
        let file = std::fs::read_to_string(root().join(path)).expect(path);
        assert!(file.ends_with(block) && !block.is_empty(), "{path} differs from the page");
        count += 1;
    }
    assert_eq!(count, 4);
}

#[test]
fn the_table_of_errors_has_every_kind_with_its_number() {
    let page = page();
    for (kind, number) in TuquanError::NUMBERS {
        assert!(page.contains(&format!("| `{kind}` | {number} |")), "{kind} {number}");
    }
}

#[test]
fn the_table_of_times_has_every_call_with_what_its_declaration_says() {
    let sources = [
        include_str!("verbs.rs"),
        include_str!("network.rs"),
        include_str!("store.rs"),
        include_str!("meeting.rs"),
        include_str!("version.rs"),
        include_str!("journal.rs"),
    ];
    let mut wanted: BTreeMap<&str, &str> = BTreeMap::new();
    for source in sources {
        let mut said = None;
        for line in source.lines().map(str::trim) {
            if let Some(doc) = line.strip_prefix("/// ") {
                let times = ["Fast.", "Disk.", "Disk, long.", "Network."];
                said = times.into_iter().find(|time| doc.ends_with(time)).or(said);
            } else if let Some(name) = ["fn ", "pub fn ", "pub async fn "]
                .iter()
                .find_map(|start| line.strip_prefix(start))
            {
                let name = name.split(['(', '<']).next().unwrap_or_default();
                if let Some(said) = said.take() {
                    wanted.insert(name, said);
                }
            } else if line.is_empty() || line == "}" {
                said = None;
            }
        }
    }
    assert!(wanted.len() > 50, "{wanted:?}");
    let rows: Vec<String> = wanted
        .iter()
        .map(|(name, time)| format!("| `{name}` | {} |", time.trim_end_matches('.').to_lowercase()))
        .collect();
    let page = page();
    let missing: Vec<&String> = rows.iter().filter(|row| !page.contains(*row)).collect();
    assert!(missing.is_empty(), "the table should be\n{}", rows.join("\n"));
}
