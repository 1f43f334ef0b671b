//! Every multi-step build and check of tuquan, as `cargo xtask <command>`; people and CI use the
//! same ones.
//!
//! Each command is a file. This crate must build in a moment: what needs the core itself runs as a
//! test (`schema`) or behind the feature `train` (`dictionary`), so nothing is built twice.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "talking to the person who called is what this program is for"
)]

mod bite;
mod cargo;
mod check;
mod debian;
mod dictionary;
mod docs;
mod elf;
mod gcc;
mod header;
mod hub;
mod journey;
mod maven;
mod new_field;
mod package;
mod portable;
mod python;
#[cfg(feature = "train")]
#[path = "../../cli/src/sample.rs"]
#[allow(dead_code, unreachable_pub, reason = "the command line's generator, used as it is")]
mod sample;
mod schema;
mod size;
mod surface;
mod swift;
mod swiftpm;
mod symbols;
mod tree;

use std::process::ExitCode;

/// What a command says when it did not succeed.
type Outcome = Result<(), String>;

const USAGE: &str = "\
cargo xtask <command>

  test [--keep-going]   format, lints, house style, all tests, documentation
  bite [name...]        plants each known bug and sees its test fail
  schema [--check]      writes core/schema.lock, or compares with it
  dictionary [--write]  trains the zstd dictionary on generated events and measures it
  bench [arg...]        measures the core beside raw SQLite, release build; and what crossing into
                        each language costs (`languages` that alone)
  header [--check]      writes bindings/c/include/tuquan.h, or compares with it
  journey [language...] the golden journey in Kotlin, Swift, Python and C, on a real library and hub
  package <platform> [--check]
                        makes what an app takes in: android, apple, python, c
  docs [language...]    the API documentation for developers of apps: rust, python, kotlin, swift, c
  new-field             adds a field to a record type in a copy, and sees it in every language
  size [level...]       builds the library as it ships and prints what takes how much room
  static                builds tuquan, hub included, as one file that needs no other
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        ["test", rest @ ..] => check::run(rest),
        ["bite", rest @ ..] => bite::run(rest),
        ["schema", rest @ ..] => schema::run(rest),
        ["dictionary", rest @ ..] => dictionary::run(rest),
        ["bench", rest @ ..] => bench(rest),
        ["header", rest @ ..] => header::run(rest),
        ["journey", rest @ ..] => journey::run(rest),
        ["package", rest @ ..] => package::run(rest),
        ["docs", rest @ ..] => docs::run(rest),
        ["new-field", rest @ ..] => new_field::run(rest),
        ["size", rest @ ..] => size::run(rest),
        ["static", rest @ ..] => portable::run(rest),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => Err(format!("no such command\n\n{USAGE}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the measurements, which are a program of their own because they need the core; then, where
/// all was asked for, what crossing into each language costs.
fn bench(args: &[&str]) -> Outcome {
    if args != ["languages"] {
        let call = ["run", "--release", "--package", "tuquan-bench", "--"];
        cargo::run(cargo::cargo(&cargo::root(), call).args(args))?;
    }
    if args.is_empty() || args == ["languages"] { journey::cost::run() } else { Ok(()) }
}
