//! House style as a test: what a reader may rely on in every file, and which crate or module may
//! know which other. Each rule has a negative test beside it.

#![allow(
    clippy::unwrap_used,
    clippy::string_slice,
    reason = "a test says why it fails by panicking"
)]

mod code;
mod crates;
mod modules;
mod prose;
mod reach;
mod scan;
mod tree;

use tree::Tree;

/// Fails with every finding at once.
fn none(findings: Vec<String>) {
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

fn every_source(rule: fn(&tree::File) -> Vec<String>) {
    let tree = Tree::read();
    none(tree.rust().flat_map(rule).collect());
}

#[test]
fn files_are_short() {
    every_source(code::long_file);
}

#[test]
fn functions_are_short() {
    every_source(code::long_functions);
}

#[test]
fn every_file_says_what_it_is_for() {
    every_source(code::no_purpose);
}

#[test]
fn names_are_nouns_of_the_domain() {
    every_source(code::banned_name);
}

#[test]
fn nothing_is_left_unfinished() {
    every_source(code::unfinished);
}

#[test]
fn nothing_unwraps_outside_tests() {
    every_source(code::unwraps);
}

#[test]
fn the_core_never_prints_and_never_asks_the_system() {
    every_source(code::core_reaches_out);
}

#[test]
fn unsafe_code_stays_where_it_is_allowed() {
    every_source(code::unsafe_code);
}

#[test]
fn no_file_is_forgotten() {
    none(reach::forgotten(&Tree::read()));
}

#[test]
fn documents_have_one_title_and_links_that_resolve() {
    none(prose::documents(&Tree::read()));
}

#[test]
fn no_file_names_a_place_on_somebodys_machine() {
    none(prose::machine_paths(&Tree::read()));
}

#[test]
fn crates_depend_only_on_what_the_table_allows() {
    none(crates::forbidden(&Tree::read()));
}

#[test]
fn modules_of_the_core_keep_to_their_one_order() {
    none(modules::out_of_order(&Tree::read()));
}

/// A patch that plants a known fault says nothing once the code around it has changed.
#[test]
fn patches_that_plant_faults_fit_the_code() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("in a checkout");
    let patches = std::fs::read_dir(root.join("tests/bites")).expect("read");
    let mut patches: Vec<_> = patches.map(|entry| entry.expect("an entry").path()).collect();
    patches.retain(|path| path.extension().is_some_and(|extension| extension == "patch"));
    let unfit = patches.iter().filter(|patch| {
        let mut git = std::process::Command::new("git");
        // A copy of the sources may lie in a folder of another repository.
        git.env("GIT_CEILING_DIRECTORIES", root.parent().unwrap_or(root)).current_dir(root);
        !git.args(["apply", "--check"]).arg(patch).output().expect("git starts").status.success()
    });
    assert!(patches.len() > 10, "{patches:?}");
    none(unfit.map(|patch| format!("{} does not apply", patch.display())).collect());
}
