//! No file is forgotten: each Rust file is a target of cargo or a module that somebody declares.

use crate::scan;
use crate::tree::{File, Tree};

pub(crate) fn forgotten(tree: &Tree) -> Vec<String> {
    let files: Vec<&File> = tree.rust().collect();
    let mut found: Vec<String> = files
        .iter()
        .filter(|file| !is_target(&file.path) && !is_declared(&files, file))
        .map(|file| format!("{}: no target and no module", file.path))
        .collect();
    for manifest in tree.files.iter().filter(|f| f.path.ends_with("Cargo.toml")) {
        if manifest.text.contains("autotests = false") {
            found.push(format!("{}: tests must be found by cargo", manifest.path));
        }
    }
    found
}

/// Tells whether cargo builds the file by itself.
fn is_target(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        [.., "src", "lib.rs" | "main.rs"] | [.., "build.rs"] => true,
        [.., "src", "bin", _] | [.., "fuzz_targets", _] => true,
        [.., "tests" | "benches" | "examples", folder] if folder.ends_with(".rs") => {
            !path.contains("/src/")
        }
        [.., "tests" | "benches" | "examples", _, "main.rs"] => !path.contains("/src/"),
        _ => false,
    }
}

fn is_declared(files: &[&File], file: &File) -> bool {
    let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    let (folder, stem) = if name == "mod.rs" {
        folder.rsplit_once('/').unwrap_or(("", folder))
    } else {
        (folder, file.stem())
    };
    let declares = |other: &&&File| {
        let code = scan::code(&other.text);
        let line = format!("mod {stem};");
        code.match_indices(&line).any(|(at, _)| !code[..at].ends_with(scan::is_word))
    };
    let by_path = format!("/{name}\"]");
    let is_parent = |other: &&&File| {
        let (other_folder, other_name) = other.path.rsplit_once('/').unwrap_or(("", &other.path));
        other_folder == folder && (other_name == "mod.rs" || is_target(&other.path))
            || other.path.strip_suffix(".rs") == Some(folder)
    };
    files.iter().filter(is_parent).any(|other| declares(&other))
        || files
            .iter()
            .any(|other| other.text.contains("#[path = ") && other.text.contains(&by_path))
}

#[test]
fn forgotten_files_are_caught() {
    let files = [
        File::new("core/src/lib.rs", "mod a;\npub mod b;\n// mod c;\n"),
        File::new("core/src/a.rs", "mod deep;"),
        File::new("core/src/a/deep.rs", ""),
        File::new("core/src/b/mod.rs", ""),
        File::new("core/src/c.rs", ""),
        File::new("core/src/b/lost.rs", ""),
        File::new("core/tests/one.rs", "mod support;"),
        File::new("core/tests/support/mod.rs", ""),
        File::new("core/tests/two/main.rs", "mod three;"),
        File::new("core/tests/two/three.rs", ""),
        File::new("core/tests/two/four.rs", ""),
    ];
    let files: Vec<&File> = files.iter().collect();
    let lost: Vec<&str> = files
        .iter()
        .filter(|file| !is_target(&file.path) && !is_declared(&files, file))
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(lost, ["core/src/c.rs", "core/src/b/lost.rs", "core/tests/two/four.rs"]);
}
