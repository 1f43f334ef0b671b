//! `cargo xtask schema`: the record types' numbers as a file, so that none is ever given away twice.
//!
//! The test `schema` of the tests crate makes and compares it; this only asks it to write.

use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::cargo::{cargo, root, run as call};

/// Writes `core/schema.lock`, or only compares with `--check`.
pub(crate) fn run(args: &[&str]) -> Outcome {
    let bless = match args {
        [] => true,
        ["--check"] => false,
        _ => return Err("schema takes --check and nothing else".to_owned()),
    };
    call(&mut test(&root(), bless))
}

/// Returns the call that compares a checkout's file, or writes it.
pub(crate) fn test(checkout: &Path, bless: bool) -> Command {
    let mut command = cargo(checkout, ["test", "--workspace", "--test", "schema"]);
    if bless {
        command.env("TUQUAN_BLESS", "1");
    }
    command
}
