//! `cargo xtask test`: everything that must pass before a change lands, cheapest first.
//!
//! One form of call builds all tests (`cargo test --workspace`), so that features are resolved
//! once and nothing is compiled twice.

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::cargo::{cargo, root, run as call, shown};

/// One step: its name and the arguments of cargo.
const STEPS: [(&str, &[&str]); 6] = [
    ("format", &["fmt", "--all", "--check"]),
    ("header", &["run", "--quiet", "--package", "xtask", "--", "header", "--check"]),
    ("lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    ("house style", &["test", "--workspace", "--test", "tidy"]),
    ("tests", &["test", "--workspace"]),
    ("documentation", &["doc", "--workspace", "--lib", "--no-deps"]),
];

/// What became of a step.
struct Done {
    name: &'static str,
    took: Duration,
    failure: Option<String>,
}

/// Runs all steps; stops at the first failure unless asked to keep going.
pub(crate) fn run(args: &[&str]) -> Outcome {
    let keep_going = match args {
        [] => false,
        ["--keep-going"] => true,
        _ => return Err("test takes --keep-going and nothing else".to_owned()),
    };
    let start = Instant::now();
    let mut done = Vec::new();
    for (name, args) in STEPS {
        let step = step(name, args);
        let failed = step.failure.is_some();
        done.push(step);
        if failed && !keep_going {
            break;
        }
    }
    close(&done, start.elapsed())
}

fn step(name: &'static str, args: &[&str]) -> Done {
    let mut command = cargo(&root(), with_all_tests(args));
    if name == "documentation" {
        command.env("RUSTDOCFLAGS", "-D warnings");
    }
    println!("\n== {name}: {}", shown(&command));
    let start = Instant::now();
    let failure = call(&mut command).err();
    let took = start.elapsed();
    println!("== {name}: {} in {}", word(failure.is_some()), seconds(took));
    Done { name, took, failure }
}

/// Lets a test run go on to its end, so that one run shows every failing test.
fn with_all_tests<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let mut args = args.to_vec();
    if args.first() == Some(&"test") {
        args.push("--no-fail-fast");
    }
    args
}

fn close(done: &[Done], took: Duration) -> Outcome {
    println!("\nstep            result      time");
    for step in done {
        let result = word(step.failure.is_some());
        println!("{:<15} {result:<8} {:>7}", step.name, seconds(step.took));
    }
    for (name, _) in &STEPS[done.len()..] {
        println!("{name:<15} not run");
    }
    println!("{:<15} {:<8} {:>7}", "all", "", seconds(took));
    let failures: Vec<&str> = done.iter().filter_map(|step| step.failure.as_deref()).collect();
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

fn word(failed: bool) -> &'static str {
    if failed { "FAILED" } else { "ok" }
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}
