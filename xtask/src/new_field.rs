//! `cargo xtask new-field`: adds a field to a record type in a copy of the checkout and sees it in
//! Kotlin, Swift, Python and C, with no line written in `bindings/`.
//!
//! The copy has the same place each time, so that only what differs is built. Must not know: how the
//! bindings are made.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::{cargo, read, root, run as call, target};
use crate::gcc::{COMPILERS, Language, install, strict};
use crate::journey::{bindgen, generate};
use crate::surface::{camel, kinds};
use crate::{Outcome, schema, tree};

/// The record type, its declaration, and the field that it gets: a yes or no.
const KIND: &str = "handover";
const TYPE: &str = "Handover";
const DECLARED: &str = "core/src/domain/handover.rs";
const FIELD: &str = "keys_counted";
const SAYS: &str = "Whether the keys of the house were counted.";
/// What people read for it.
const WORDS: &str = "words/words.toml";
const WORD: &str = "keys_counted = { vi = \"Đã đếm chìa khóa\", en = \"Keys counted\" }\n";
/// Given away by the command for it.
const NUMBERS: &str = "core/schema.lock";

/// Runs it.
pub(crate) fn run(args: &[&str]) -> Outcome {
    if !args.is_empty() {
        return Err("new-field takes nothing".to_owned());
    }
    let place = std::env::temp_dir().join("tuquan-new-field");
    let (copy, built) = (place.join("tree"), place.join("target"));
    tree::copy(&root(), &copy)?;
    let before = tree::contents(&copy)?;
    let number = declare(&copy)?;
    println!("== {KIND} gets field {number}, {FIELD}; its number is given away");
    call(schema::test(&copy, true).env("CARGO_TARGET_DIR", &built))?;
    let wanted = [NUMBERS, DECLARED, WORDS].map(PathBuf::from);
    let changed = tree::changed(&before, &tree::contents(&copy)?);
    if changed != wanted {
        return Err(format!(
            "a new field changes {wanted:?} and nothing else, but it was {changed:?}"
        ));
    }
    println!("== the library is built of it, and the sources of each language");
    let build = ["build", "--workspace", "--lib"];
    call(cargo(&copy, build).env("CARGO_TARGET_DIR", &built))?;
    let (library, generated) = (built.join("debug"), place.join("generated"));
    generate(&copy, &bindgen(&target())?, &library, &generated)?;
    let mut failures = Vec::new();
    for (language, outcome) in [
        ("kotlin", in_kotlin(&generated)),
        ("swift", in_swift(&generated)),
        ("python", in_python(&generated)),
        ("c", in_c(&copy, &library, &place)),
    ] {
        match outcome {
            Ok(line) => println!("{language:<7} {line}"),
            Err(why) => failures.push(format!("{language}: {why}")),
        }
    }
    // Again, as what was built since may have written too.
    if tree::changed(&before, &tree::contents(&copy)?) != wanted {
        failures.push("building changed more of the copy than the field".to_owned());
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

/// Adds the field and its words to the copy, with the next number that was never given away.
fn declare(copy: &Path) -> Result<u32, String> {
    let kinds = kinds(copy)?;
    let kind = kinds.iter().find(|kind| kind.token == KIND);
    let fields = &kind.ok_or_else(|| format!("{DECLARED} has no {KIND}"))?.fields;
    if fields.iter().any(|(_, named)| named.name == FIELD) {
        return Err(format!("{KIND} has {FIELD} already: choose another field here"));
    }
    let number = fields.iter().map(|(number, _)| number + 1).max().unwrap_or_default();
    let line = format!("\n        /// {SAYS}\n        {number} {FIELD}: bool, LW t,\n    }}\n}}\n");
    insert(&copy.join(DECLARED), "\n    }\n}\n", &line)?;
    insert(&copy.join(WORDS), "\n[field]\n", &format!("\n[field]\n{WORD}"))?;
    Ok(number)
}

/// Puts a text in the place of the last `old` of a file.
fn insert(path: &Path, old: &str, new: &str) -> Outcome {
    let text = text_of(path)?;
    let (before, after) =
        text.rsplit_once(old).ok_or_else(|| format!("{}: no {old:?}", path.display()))?;
    fs::write(path, format!("{before}{new}{after}"))
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn in_kotlin(generated: &Path) -> Result<String, String> {
    let source = text_of(&generated.join("kotlin/vn/tuquan/data/tuquan_core.kt"))?;
    let wanted = format!("val `{}`: kotlin.Boolean?", camel(FIELD));
    within(&source, &format!("\ndata class {TYPE} ("), "\n)", &wanted)
}

fn in_swift(generated: &Path) -> Result<String, String> {
    let source = text_of(&generated.join("swift/TuquanData.swift"))?;
    let wanted = format!("public let {}: Bool?", camel(FIELD));
    within(&source, &format!("\npublic struct {TYPE}:"), "\n}", &wanted)
}

fn in_python(generated: &Path) -> Result<String, String> {
    let source = text_of(&generated.join("python/tuquan_core.py"))?;
    let wanted = format!("{FIELD}:typing.Optional[bool]");
    within(&source, &format!("\nclass {TYPE}:"), "\nclass ", &wanted)
}

/// Writes a draft with the field through the C ABI and reads it back.
fn in_c(copy: &Path, library: &Path, place: &Path) -> Result<String, String> {
    install(&COMPILERS, &[])?;
    let (program, store) = (place.join("written-and-read"), place.join("store"));
    let mut compile = strict(Language::C11, &copy.join("bindings/c/include"));
    compile.arg(copy.join("xtask/src/new_field/written_and_read.c")).arg("-o").arg(&program);
    compile.arg("-L").arg(library).arg("-ltuquan_ffi");
    call(&mut compile)?;
    fs::remove_dir_all(&store).ok();
    let draft = serde_json::json!({ "kind": KIND, "fields": { FIELD: true } });
    let command = serde_json::json!({ "create": { "draft": draft } }).to_string();
    let query = serde_json::json!({ "list": { "kind": KIND, "limit": 10 } }).to_string();
    let mut run = Command::new(program);
    // Cargo names the checkout's own library there for what it runs, before any path in a program.
    run.env("LD_LIBRARY_PATH", library);
    let said = read(run.arg(&store).args([command, query]))?;
    let said: serde_json::Value =
        serde_json::from_slice(&said).map_err(|error| format!("no JSON: {error}"))?;
    let row = &said["page"]["rows"][0];
    match row["fields"][FIELD] == true {
        true => Ok(format!("{{\"{FIELD}\":true}} was written and read back")),
        false => Err(format!("{FIELD} was written and is not in {said}")),
    }
}

/// Returns what was wanted if it stands between the one line that begins with `start` and the next
/// `end`.
fn within(source: &str, start: &str, end: &str, wanted: &str) -> Result<String, String> {
    let (_, after) =
        source.split_once(start).ok_or_else(|| format!("there is no {}", start.trim()))?;
    let (inside, _) = after.split_once(end).unwrap_or((after, ""));
    match inside.contains(wanted) {
        true => Ok(wanted.to_owned()),
        false => Err(format!("{} has no {wanted}", start.trim())),
    }
}

fn text_of(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
