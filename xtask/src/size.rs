//! `cargo xtask size`: how many bytes the core adds to an app.
//!
//! Builds `tests/size`, a library that keeps open, apply, query and bundles alive and nothing else,
//! under the profile `ship`, and prints what is left after stripping.

use std::fs;

use crate::Outcome;
use crate::cargo::{cargo, root, run as call};

/// Measures each optimisation level given; `3` and `s` when none is. OpenSSL counts only with
/// `--openssl` first, which builds it from source.
pub(crate) fn run(args: &[&str]) -> Outcome {
    let (openssl, levels) = match args {
        ["--openssl", levels @ ..] => (true, levels),
        levels => (false, levels),
    };
    let levels = if levels.is_empty() { &["3", "s"] } else { levels };
    let root = root();
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root.join("target"), std::path::PathBuf::from);
    let mut lines = Vec::new();
    for level in levels {
        let mut command = cargo(&root, ["build", "--package", "tuquan-size"]);
        command.args(["--profile", "ship"]);
        command.env("CARGO_PROFILE_SHIP_OPT_LEVEL", level);
        if openssl {
            command.env_remove("OPENSSL_NO_VENDOR");
        }
        call(&mut command)?;
        let library = target.join("ship/libtuquan_size.so");
        let bytes = fs::metadata(&library)
            .map_err(|error| format!("{}: {error}", library.display()))?
            .len();
        let millions = bytes as f64 / 1e6;
        lines.push(format!("opt-level {level:<2} {bytes:>10} bytes ({millions:.2} MB)"));
    }
    let inside = if openssl { "with" } else { "without" };
    println!("\nthe core as a stripped library of its own, {inside} OpenSSL's libcrypto in it:");
    for line in lines {
        println!("  {line}");
    }
    Ok(())
}
