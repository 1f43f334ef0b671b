//! Whether a journey goes through every exported call: what nobody journeys through is not tested
//! in that language.
//!
//! The calls are read from the sources that were generated from the library. Must not know: what
//! the calls do.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Returns the calls that a journey's source does not name, in the language's own spelling.
pub(super) fn missing(generated: &Path, journey: &Path) -> Result<Vec<String>, String> {
    let read = |path: &Path| {
        fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let calls = calls(&read(&generated.join("python/tuquan_ffi.py"))?);
    if calls.is_empty() {
        return Err("no calls were found in the generated sources".to_owned());
    }
    Ok(absent(&calls, &read(journey)?))
}

/// Returns the names of all functions and methods of a generated Python module.
fn calls(source: &str) -> BTreeSet<String> {
    let mut calls = BTreeSet::new();
    let mut in_object = false;
    for line in source.lines() {
        if let Some(class) = line.strip_prefix("class ") {
            in_object = ["Tuquan(", "Meeting("].iter().any(|object| class.starts_with(object));
        }
        let method = line.strip_prefix("    ").filter(|_| in_object);
        let Some(line) = method.or((!in_object && !line.starts_with(' ')).then_some(line)) else {
            continue;
        };
        let Some(name) = line.strip_prefix("async def ").or(line.strip_prefix("def ")) else {
            continue;
        };
        in_object &= method.is_some();
        let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        // What the generator adds for itself is no call.
        if !name.starts_with('_') && !name.starts_with("uniffi_") {
            calls.insert(name);
        }
    }
    calls
}

fn absent(calls: &BTreeSet<String>, journey: &str) -> Vec<String> {
    let words: BTreeSet<&str> = journey.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let is_there = |call: &&String| {
        words.contains(call.as_str())
            || words.contains(camel(call).as_str())
            || words.contains(format!("tq_{call}").as_str())
            || words.contains(format!("tq_meeting_{call}").as_str())
    };
    calls.iter().filter(|call| !is_there(call)).cloned().collect()
}

/// Returns a name as Kotlin and Swift spell it.
fn camel(name: &str) -> String {
    let mut spelled = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                spelled.extend(c.to_uppercase());
                upper = false;
            }
            c => spelled.push(c),
        }
    }
    spelled
}
