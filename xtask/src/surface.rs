//! What the library offers in every language: its calls, the fields of its records, and what is said
//! of each.
//!
//! Calls are read from the sources that were generated from the library, fields from the
//! declarations. Must not know: what the calls do, nor what looks for them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Something with a name that documentation speaks of.
pub(crate) struct Named {
    /// The name, in Rust's and Python's spelling.
    pub(crate) name: String,
    /// What is said of it, in one line.
    pub(crate) says: String,
}

/// One record type's declaration.
pub(crate) struct Kind {
    /// Its token, such as `log_entry`.
    pub(crate) token: String,
    /// Its fields with their numbers.
    pub(crate) fields: Vec<(u32, Named)>,
}

/// Returns the calls that a journey's source does not name, in the language's own spelling.
pub(crate) fn missing(generated: &Path, journey: &Path) -> Result<Vec<String>, String> {
    let calls = calls(generated)?;
    let source = read(journey)?;
    let words: BTreeSet<&str> = source.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let is_there = |call: &Named| spellings(&call.name).iter().any(|name| words.contains(&**name));
    Ok(calls.into_iter().filter(|call| !is_there(call)).map(|call| call.name).collect())
}

/// Returns all functions and methods that the generated sources have.
pub(crate) fn calls(generated: &Path) -> Result<Vec<Named>, String> {
    let calls = of_python(&read(&generated.join("python/tuquan_ffi.py"))?);
    match calls.is_empty() {
        true => Err("no calls were found in the generated sources".to_owned()),
        false => Ok(calls),
    }
}

/// Returns a name as Python, Kotlin and Swift, and C spell it.
pub(crate) fn spellings(name: &str) -> [String; 4] {
    [name.to_owned(), camel(name), format!("tq_{name}"), format!("tq_meeting_{name}")]
}

/// Returns a name as Kotlin and Swift spell it.
pub(crate) fn camel(name: &str) -> String {
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

/// Returns the record types that the core declares, with their fields.
pub(crate) fn kinds(root: &Path) -> Result<Vec<Kind>, String> {
    let folder = root.join("core/src/domain");
    let entries =
        fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut kinds = Vec::new();
    for file in files {
        for line in read(&file)?.split("\nrecord! {\n").skip(1) {
            kinds.push(declared(line).ok_or_else(|| format!("no record in {}", file.display()))?);
        }
    }
    if kinds.is_empty() { Err("no record type was found".to_owned()) } else { Ok(kinds) }
}

/// Reads what follows `record! {`, up to its end.
fn declared(text: &str) -> Option<Kind> {
    let (text, _) = text.split_once("\n}")?;
    let declared = text.lines().find(|line| line.contains("pub struct "))?;
    let token = declared.split('"').nth(1)?.to_owned();
    let mut fields = Vec::new();
    let mut says = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(doc) = line.strip_prefix("///") {
            says = format!("{says} {}", doc.trim());
            continue;
        }
        let says = std::mem::take(&mut says);
        let Some((number, rest)) = line.split_once(' ') else { continue };
        if let (Ok(number), Some((name, _))) = (number.parse(), rest.split_once(": ")) {
            let says = says.trim().to_owned();
            fields.push((number, Named { name: name.to_owned(), says }));
        }
    }
    (!fields.is_empty()).then_some(Kind { token, fields })
}

/// Returns all functions and methods of a generated Python module, by name.
fn of_python(source: &str) -> Vec<Named> {
    let mut calls: Vec<Named> = Vec::new();
    let mut in_object = false;
    let mut lines = source.lines().peekable();
    while let Some(line) = lines.next() {
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
        if name.starts_with('_') || name.starts_with("uniffi_") {
            continue;
        }
        let says = match lines.next_if(|line| line.trim() == "\"\"\"") {
            Some(_) => said(lines.by_ref()),
            None => String::new(),
        };
        if calls.iter().all(|call| call.name != name) {
            calls.push(Named { name, says });
        }
    }
    calls.sort_by(|one, other| one.name.cmp(&other.name));
    calls
}

/// Reads a text up to its closing quotes into one line.
fn said<'l>(lines: impl Iterator<Item = &'l str>) -> String {
    let text = lines.map(str::trim).take_while(|line| *line != "\"\"\"");
    text.collect::<Vec<_>>().join(" ").trim().to_owned()
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
