//! Which crate may depend on which: the table of `docs/architecture.md` is what is checked.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::tree::{File, Tree};

const TABLE: &str = "## Folders";

/// Per folder, the packages that its crate must not depend on.
type Forbidden = BTreeMap<String, Vec<String>>;

pub(crate) fn forbidden(tree: &Tree) -> Vec<String> {
    let document = tree.get("docs/architecture.md").expect("docs/architecture.md");
    let table = table(&document.text);
    assert!(table.len() > 4, "the table of folders was not found");
    let manifests = tree.files.iter().filter(|file| {
        let path = file.path.as_str();
        path.ends_with("/Cargo.toml")
    });
    manifests.flat_map(|file| check(&table, file)).collect()
}

/// Reads `| folder | crate | what | must not depend on |`.
fn table(text: &str) -> Forbidden {
    let section = text.split(TABLE).nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        let names = |cell: usize| {
            let cell = cells.get(cell).copied().unwrap_or_default();
            cell.split('`').skip(1).step_by(2).map(str::to_owned)
        };
        let folder = names(1).next().unwrap_or_default();
        (folder.trim_end_matches('/').to_owned(), names(4).collect())
    })
    .collect()
}

fn check(table: &Forbidden, manifest: &File) -> Vec<String> {
    let folder = manifest.path.split('/').next().unwrap_or_default();
    let Some(forbidden) = table.get(folder) else {
        return vec![format!("{folder}/ is not in the table of folders")];
    };
    let parsed: Table = manifest.text.parse().expect("a manifest is TOML");
    let mut found = Vec::new();
    for (name, optional) in dependencies(&parsed) {
        // Derives behind a feature that is off by default are the one exception.
        let excused = folder == "core" && name == "uniffi" && optional;
        if forbidden.contains(&name) && !excused {
            found.push(format!("{}: must not depend on {name}", manifest.path));
        }
    }
    found
}

/// Returns the packages that a crate needs to be built, and whether each is optional.
fn dependencies(manifest: &Table) -> Vec<(String, bool)> {
    let mut tables: Vec<&Value> = Vec::new();
    tables.extend(manifest.get("dependencies"));
    tables.extend(manifest.get("build-dependencies"));
    let targets = manifest.get("target").and_then(Value::as_table);
    for target in targets.into_iter().flatten() {
        tables.extend(target.1.get("dependencies"));
    }
    let entries = tables.iter().filter_map(|table| table.as_table()).flatten();
    entries
        .map(|(key, value)| {
            let package = value.get("package").and_then(Value::as_str).unwrap_or(key);
            let optional = value.get("optional").and_then(Value::as_bool);
            (package.to_owned(), optional.unwrap_or_default())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "# A\n\n## Folders\n\n| folder | crate | what | must not depend on |\n\
        |---|---|---|---|\n| `core/` | `tuquan-core` | x | `tokio`, `uniffi` |\n\n## Next\n";

    fn findings(text: &str) -> usize {
        check(&table(DOCUMENT), &File::new("core/Cargo.toml", text)).len()
    }

    #[test]
    fn forbidden_dependencies_are_caught() {
        assert_eq!(findings("[dependencies]\ntokio = \"1\"\n"), 1);
        assert_eq!(findings("[dependencies]\na = { package = \"tokio\" }\n"), 1);
        assert_eq!(findings("[target.'cfg(unix)'.dependencies]\ntokio = \"1\"\n"), 1);
        assert_eq!(findings("[build-dependencies]\ntokio.workspace = true\n"), 1);
        assert_eq!(findings("[dependencies]\nuniffi = \"1\"\n"), 1);
        assert_eq!(findings("[dependencies.uniffi]\noptional = true\n"), 0);
        assert_eq!(findings("[dev-dependencies]\ntokio = \"1\"\n"), 0);
    }

    #[test]
    fn a_crate_outside_the_table_is_caught() {
        let file = File::new("other/Cargo.toml", "");
        assert_eq!(check(&table(DOCUMENT), &file).len(), 1);
    }
}
