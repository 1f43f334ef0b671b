//! What a shared library of Linux exports, against the list of what it may: a name that slips out,
//! SQLite's above all, binds to whatever else an app has loaded.
//!
//! Must not know: what the names are for.

use std::fs;
use std::path::Path;

use crate::Outcome;
use crate::elf::Library;

/// Sees that a library exports what `list` names, but for the beginnings in it and `extra` nothing
/// else.
pub(crate) fn check(library: &Path, list: &Path, extra: &[&str]) -> Outcome {
    let found = Library::read(library)?.exports;
    let exported: Vec<&str> = found.iter().map(String::as_str).collect();
    let text = fs::read_to_string(list).map_err(|error| format!("{}: {error}", list.display()))?;
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let (beginnings, names): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.ends_with('*'));
    let is_allowed = |name: &&str| {
        names.contains(name)
            || extra.contains(name)
            || beginnings.iter().any(|start| name.starts_with(start.trim_end_matches('*')))
    };
    let mut faults: Vec<String> = exported
        .iter()
        .filter(|name| !is_allowed(name))
        .map(|name| format!("{name} is exported and must not be"))
        .collect();
    let lacking = names.iter().chain(extra).filter(|name| !exported.contains(name));
    faults.extend(lacking.map(|name| format!("{name} is not exported")));
    match faults.is_empty() {
        true => Ok(()),
        false => Err(format!("{}: {}", library.display(), faults.join(", "))),
    }
}
