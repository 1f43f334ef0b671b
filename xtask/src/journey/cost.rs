//! What crossing into a language costs, in microseconds, side by side: an empty call, a list of 50
//! rows, a row more, one tap.
//!
//! On the library as it ships. C's rows are JSON texts that nobody has read yet. Must not know: how
//! a language measures.

use std::fs;

use super::{Kit, bindgen, c, generate, kotlin, python, swift};
use crate::Outcome;
use crate::cargo::{cargo, root, run as call, ship, target};

/// The most that lifting a row may cost on the JVM.
const ROW_US_MAX: f64 = 3.0;
const COLUMNS: [(&str, &str); 5] = [
    ("empty_us", "empty call"),
    ("list50_us", "list of 50"),
    ("row_us", "a row more"),
    ("lift_us", "lifting a row"),
    ("tap_us", "one tap"),
];

/// Measures every language and prints the table.
pub(crate) fn run() -> Outcome {
    let target = target();
    // With the test door, as the journeys stand beside what measures.
    let args = ["build", "--profile", "ship", "--package", "tuquan-ffi", "--features", "test-door"];
    let mut command = cargo(&root(), args);
    // What the sources are generated from is in the symbols.
    command.env("CARGO_PROFILE_SHIP_STRIP", "debuginfo");
    call(ship(&mut command, &[]))?;
    let library = target.join("ship");
    let generated = target.join("cost/generated");
    generate(&root(), &bindgen(&target)?, &library, &generated)?;
    let mut rows = Vec::new();
    for language in ["c", "python", "kotlin", "swift"] {
        let work = target.join(format!("cost/work-{language}"));
        fs::remove_dir_all(&work).ok();
        fs::create_dir_all(&work).map_err(|error| format!("{}: {error}", work.display()))?;
        let kit = Kit {
            root: root(),
            library: library.clone(),
            generated: generated.clone(),
            build: target.join(format!("cost/build-{language}")),
            hub: String::new(),
            work,
        };
        let said = match language {
            "c" => c::cost(&kit),
            "python" => python::cost(&kit),
            "kotlin" => kotlin::cost(&kit),
            _ => swift::cost(&kit),
        }?;
        let said = String::from_utf8_lossy(&said).into_owned();
        let object = said.lines().find(|line| line.contains("\"language\""));
        let (_, rest) = object
            .and_then(|line| line.split_once('{'))
            .ok_or_else(|| format!("{language} told no figures:\n{said}"))?;
        let line = format!("{{{rest}");
        let figures: serde_json::Value = serde_json::from_str(line.trim())
            .map_err(|error| format!("{language}: {error}: {line}"))?;
        rows.push((language, figures));
    }
    print(&rows)
}

fn print(rows: &[(&str, serde_json::Value)]) -> Outcome {
    let names: Vec<&str> = COLUMNS.iter().map(|(_, name)| *name).collect();
    println!("\n| us | {} |\n|---|{}", names.join(" | "), "---|".repeat(COLUMNS.len()));
    for (language, figures) in rows {
        let cells = COLUMNS.iter().map(|(key, _)| match figures[*key].as_f64() {
            Some(us) => format!("{us:.1}"),
            None => String::new(),
        });
        println!("| {language} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
    let kotlin = rows.iter().find(|(language, _)| *language == "kotlin");
    let lift = kotlin.and_then(|(_, figures)| figures["lift_us"].as_f64());
    let word = if lift.is_some_and(|us| us <= ROW_US_MAX) { "pass" } else { "short" };
    println!("\nlifting a row in Kotlin on the JVM: at most {ROW_US_MAX} us: {word}");
    Ok(())
}
