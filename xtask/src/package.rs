//! `cargo xtask package <platform> [--check]`: what an app takes in, made from the library as it ships.
//!
//! `--check` goes as far as a machine without the platform's own tools can, and says where it ends.

mod android;
mod elf;

use crate::Outcome;

/// Packages for one platform.
pub(crate) fn run(args: &[&str]) -> Outcome {
    match args {
        ["android", rest @ ..] => android::run(rest),
        _ => Err("package for what? there is: android".to_owned()),
    }
}
