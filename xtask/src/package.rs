//! `cargo xtask package <platform> [--check]`: what an app takes in, made from the library as it ships.
//!
//! `--check` goes as far as a machine without the platform's own tools can, and says where it ends.

mod android;
mod apple;
mod c;
mod python;

use crate::Outcome;

/// Packages for one platform.
pub(crate) fn run(args: &[&str]) -> Outcome {
    match args {
        ["android", rest @ ..] => android::run(rest),
        ["apple", rest @ ..] => apple::run(rest),
        ["c", rest @ ..] => c::run(rest),
        ["python", rest @ ..] => python::run(rest),
        _ => Err("package for what? there are: android, apple, c, python".to_owned()),
    }
}
