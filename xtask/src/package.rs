//! `cargo xtask package <platform> [--check]`: what an app takes in, made from the library as it ships.
//!
//! `--check` goes as far as a machine without the platform's own tools can, and says where it ends.

mod apple;
mod python;

use crate::Outcome;

/// Packages for one platform.
pub(crate) fn run(args: &[&str]) -> Outcome {
    match args {
        ["apple", rest @ ..] => apple::run(rest),
        ["python", rest @ ..] => python::run(rest),
        _ => Err("package for what? there are: apple, python".to_owned()),
    }
}
