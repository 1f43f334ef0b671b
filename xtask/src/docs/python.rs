//! Pages for Python: pdoc of the package as the wheel has it.
//!
//! The generator leaves out of Python what is said of a record's fields; here it is brought back from
//! the Kotlin sources, in the copy that is documented. Must not know: what the records are.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Sources, write};
use crate::Outcome;
use crate::cargo::run as call;
use crate::python::{assemble, environment};

/// The tool, from PyPI.
const PDOC: &str = "pdoc>=15,<17";
/// The generated modules, and the Kotlin sources of the same.
const MODULES: [(&str, &str); 2] = [
    ("tuquan_core.py", "kotlin/vn/tuquan/data/tuquan_core.kt"),
    ("tuquan_ffi.py", "kotlin/vn/tuquan/ffi/tuquan_ffi.kt"),
];

/// Makes them.
pub(super) fn make(sources: &Sources, to: &Path) -> Outcome {
    let package = sources.build.join("python");
    assemble(&sources.root, &sources.generated, &sources.library, &package)?;
    for (module, kotlin) in MODULES {
        let path = package.join("tuquan/_native").join(module);
        let fields = fields(&read(&sources.generated.join(kotlin))?);
        write(&path, &with_fields(&read(&path)?, &fields))?;
    }
    let tools = environment(&sources.build.join("pdoc"))?;
    call(Command::new(tools.join("pip")).args(["install", "--quiet", PDOC]))?;
    let mut pdoc = Command::new(tools.join("pdoc"));
    pdoc.env("PYTHONPATH", &package).args(["--no-show-source", "--output-directory"]);
    // What is generated is shown where an app finds it.
    call(pdoc.arg(to).args(["tuquan", "!tuquan._native"]))
}

/// A field of a class, and what is said of it.
struct Field {
    class: String,
    name: String,
    says: String,
}

/// Reads the fields of a Kotlin source's data classes.
fn fields(kotlin: &str) -> Vec<Field> {
    let mut fields = Vec::new();
    let (mut class, mut says) = (String::new(), String::new());
    for line in kotlin.lines() {
        if let Some(rest) = line.strip_prefix("data class ") {
            class = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
        } else if line.starts_with(|c: char| c.is_alphabetic()) {
            class.clear();
        }
        let text = line.trim();
        if text == "/**" {
            says.clear();
        } else if let Some(doc) = text.strip_prefix("* ") {
            says = format!("{says} {doc}");
        } else if let Some(rest) = line.strip_prefix("    val `").filter(|_| !class.is_empty()) {
            let name = snake(rest.split('`').next().unwrap_or_default());
            let says = std::mem::take(&mut says).trim().to_owned();
            fields.push(Field { class: class.clone(), name, says });
        }
    }
    fields
}

/// Adds to what a Python source says of each class what is said of its fields.
fn with_fields(python: &str, fields: &[Field]) -> String {
    let mut out = String::with_capacity(python.len());
    let mut class = None;
    for line in python.lines() {
        let opened = line.strip_prefix("class ").and_then(|rest| rest.strip_suffix(':'));
        if let Some(name) = opened {
            class = Some(name);
        } else if let (Some(name), "\"\"\"") = (class, line) {
            out.push('\n');
            for field in fields.iter().filter(|field| field.class == name) {
                out.push_str(&format!("    - `{}`: {}\n", field.name, field.says));
            }
            class = None;
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// Returns a name of Kotlin as Python spells it.
fn snake(name: &str) -> String {
    let mut spelled = String::with_capacity(name.len() + 2);
    for c in name.chars() {
        if c.is_uppercase() {
            spelled.push('_');
        }
        spelled.extend(c.to_lowercase());
    }
    spelled
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
