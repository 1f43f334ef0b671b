//! `cargo xtask package <system>`: what a system's apps take in, built and checked.
//!
//! Must not know: how any of them is made.

mod apple;

use crate::Outcome;

/// Makes the package of a system.
pub(crate) fn run(args: &[&str]) -> Outcome {
    match args {
        ["apple", rest @ ..] => apple::run(rest),
        _ => Err("packages are made for apple".to_owned()),
    }
}
