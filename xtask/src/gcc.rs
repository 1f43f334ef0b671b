//! The C toolchain: installed where it lacks, called the same way by the journey and by packaging.
//!
//! Must not know: what is compiled.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Outcome, debian};

/// A program that shows that a package of Debian is there, and the package.
pub(crate) type Tool = (&'static str, &'static str);

/// What compiles.
pub(crate) const COMPILERS: [Tool; 3] =
    [("gcc", "gcc"), ("g++", "g++"), ("pkg-config", "pkg-config")];

/// How everything in C is compiled.
const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-Werror", "-pedantic"];

/// Installs what lacks.
pub(crate) fn install(tools: &[Tool], libraries: &[Tool]) -> Outcome {
    let mut lacking: Vec<&str> = Vec::new();
    let says = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    lacking.extend(tools.iter().filter(|(name, _)| !says(name, &["--version"])).map(|(_, of)| of));
    let is_missing = |(name, _): &&Tool| !says("pkg-config", &["--exists", name]);
    lacking.extend(libraries.iter().filter(is_missing).map(|(_, of)| of));
    debian::install(&lacking)
}

/// A compiler call with every warning an error.
pub(crate) fn strict(language: Language, include: &Path) -> Command {
    let (program, standard) = match language {
        Language::C11 => ("gcc", ["-x", "c", "-std=c11"]),
        Language::Cpp17 => ("g++", ["-x", "c++", "-std=c++17"]),
    };
    let mut command = Command::new(program);
    command.args(standard).arg("-D_POSIX_C_SOURCE=200809L").args(STRICT).arg("-g");
    command.arg("-I").arg(include);
    command
}

/// What a source is compiled as.
#[derive(Clone, Copy)]
pub(crate) enum Language {
    C11,
    Cpp17,
}
