//! `cargo xtask bite`: plants each known bug in a copy of the tree and sees the test that guards
//! against it fail. A test that passes with its bug in place guards nothing.
//!
//! `tests/bites/bites.toml` lists them. The copy has the same place each time and only files that
//! differ are written, so that dependencies are built once and a bug costs one crate and a test.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::cargo::{cargo, root, run as call};
use crate::{Outcome, tree};

const LIST: &str = "tests/bites/bites.toml";

/// The file that lists the bugs.
#[derive(serde::Deserialize)]
struct List {
    #[serde(default)]
    bite: Vec<Bite>,
}

/// One bug and the test that must notice it.
#[derive(Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Bite {
    /// The patch, beside the list.
    patch: String,
    /// The package of the test.
    package: String,
    /// The test binary; `lib` for unit tests.
    test: String,
    /// The test's full name in that binary.
    name: String,
    /// What the bug would do to people.
    why: String,
}

/// What became of a bite.
enum Found {
    /// The test failed, as it should.
    Bitten,
    /// The test passed with the bug in place.
    Missed,
    /// It could not be told: the patch did not apply, nothing compiled, or no such test ran.
    Broken(String),
}

/// Tries every bug, or those whose patch has one of `names` in its name.
pub(crate) fn run(names: &[&str]) -> Outcome {
    let root = root();
    let text = fs::read_to_string(root.join(LIST)).map_err(|error| format!("{LIST}: {error}"))?;
    let list: List = toml::from_str(&text).map_err(|error| format!("{LIST}: {error}"))?;
    let chosen = |bite: &Bite| names.is_empty() || names.iter().any(|n| bite.patch.contains(n));
    let bites: Vec<Bite> = list.bite.into_iter().filter(chosen).collect();
    if bites.is_empty() {
        return Err(format!("{LIST} lists no such bug"));
    }
    let place = std::env::temp_dir().join("tuquan-bite");
    let mut lines = Vec::new();
    let mut all_bitten = true;
    for bite in &bites {
        println!("\n== {}: {}", bite.patch, bite.why);
        let start = Instant::now();
        let found = attempt(&root, &place, bite).unwrap_or_else(Found::Broken);
        all_bitten &= matches!(found, Found::Bitten);
        lines.push(line(bite, &found, start.elapsed()));
    }
    println!("\nbug                                result      time  test");
    for line in lines {
        println!("{line}");
    }
    if all_bitten { Ok(()) } else { Err("some bug goes unnoticed".to_owned()) }
}

fn line(bite: &Bite, found: &Found, took: Duration) -> String {
    let (word, why) = match found {
        Found::Bitten => ("bitten", String::new()),
        Found::Missed => ("MISSED", String::new()),
        Found::Broken(why) => ("BROKEN", format!("\n    {why}")),
    };
    let (patch, seconds) = (&bite.patch, took.as_secs_f64());
    let test = format!("{}/{} {}", bite.package, bite.test, bite.name);
    format!("{patch:<34} {word:<8} {seconds:>5.1} s  {test}{why}")
}

fn attempt(root: &Path, place: &Path, bite: &Bite) -> Result<Found, String> {
    let copy = place.join("tree");
    tree::copy(root, &copy)?;
    let patch = root.join("tests/bites").join(&bite.patch);
    let mut apply = Command::new("git");
    // The copy is no repository: git must not look for one above it.
    apply.env("GIT_CEILING_DIRECTORIES", place);
    call(apply.current_dir(&copy).arg("apply").arg(&patch))?;
    let target = match bite.test.as_str() {
        "lib" => vec!["--lib"],
        test => vec!["--test", test],
    };
    let common = ["test", "--package", &bite.package];
    let with_target = || {
        let mut command = cargo(&copy, common);
        command.args(&target).env("CARGO_TARGET_DIR", place.join("target"));
        command
    };
    // A bug that does not compile proves nothing.
    call(with_target().arg("--no-run"))?;
    let mut test = with_target();
    test.args(["--", "--exact", &bite.name]);
    let output = test.output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout);
    if said.contains(&format!("test {} ... FAILED", bite.name)) {
        Ok(Found::Bitten)
    } else if said.contains(&format!("test {} ... ok", bite.name)) {
        Ok(Found::Missed)
    } else {
        let last: Vec<&str> = said.lines().rev().take(3).collect();
        Ok(Found::Broken(format!("no such test ran: {}", last.join(" | "))))
    }
}
