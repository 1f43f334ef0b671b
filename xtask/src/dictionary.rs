//! `cargo xtask dictionary`: trains the zstd dictionary of suite 1 on generated events.
//!
//! Never on collected logs: a dictionary is part of every copy of the program, so whatever it was
//! trained on is published. A released dictionary never changes; another one is another suite.

use crate::Outcome;

#[cfg(feature = "train")]
mod train;

/// Trains and measures; with `--write` replaces the dictionary and its hash.
#[cfg(feature = "train")]
pub(crate) fn run(args: &[&str]) -> Outcome {
    match args {
        [] => train::run(false),
        ["--write"] => train::run(true),
        _ => Err("dictionary takes --write and nothing else".to_owned()),
    }
}

/// Starts this program again with what training needs built in.
#[cfg(not(feature = "train"))]
pub(crate) fn run(args: &[&str]) -> Outcome {
    use crate::cargo::{cargo, root, run as call};

    let mut command = cargo(&root(), ["run", "--release", "--package", "xtask"]);
    command.args(["--features", "train", "--", "dictionary"]);
    call(command.args(args))
}
