//! `cargo xtask size`: how many bytes the core adds to an app.
//!
//! Builds `tests/size`, a library that keeps open, apply, query and bundles alive and nothing else,
//! under the profile `ship`, and prints what is left after stripping.

use std::fs;

use crate::Outcome;
use crate::cargo::{cargo, root, run as call};

/// Measures each optimisation level given; `3` and `s` when none is.
pub(crate) fn run(levels: &[&str]) -> Outcome {
    let levels = if levels.is_empty() {
        &["3", "s"]
    } else {
        levels
    };
    let root = root();
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root.join("target"), std::path::PathBuf::from);
    let mut lines = Vec::new();
    for level in levels {
        let mut command = cargo(&root, ["build", "--package", "tuquan-size"]);
        command.args(["--profile", "ship"]);
        command.env("CARGO_PROFILE_SHIP_OPT_LEVEL", level);
        call(&mut command)?;
        let library = target.join("ship/libtuquan_size.so");
        let bytes = fs::metadata(&library)
            .map_err(|error| format!("{}: {error}", library.display()))?
            .len();
        let millions = bytes as f64 / 1e6;
        lines.push(format!(
            "opt-level {level:<2} {bytes:>10} bytes ({millions:.2} MB)"
        ));
    }
    println!("\nthe core as a stripped library of its own; OPENSSL_STATIC=1 counts OpenSSL too:");
    for line in lines {
        println!("  {line}");
    }
    Ok(())
}
