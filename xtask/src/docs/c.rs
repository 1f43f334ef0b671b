//! Pages for C: Doxygen on the header, beside what `tq_call` and the records' JSON hold, which no
//! declaration of C shows.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Sources, write};
use crate::cargo::run as call;
use crate::{Outcome, gcc, surface};

const HEADER: &str = "bindings/c/include/tuquan.h";
const README: &str = "bindings/c/README.md";

/// Makes them.
pub(super) fn make(sources: &Sources, to: &Path) -> Outcome {
    gcc::install(&[("doxygen", "doxygen")], &[])?;
    let folder = sources.build.join("c");
    let read = |name: &str| {
        fs::read_to_string(sources.root.join(name)).map_err(|error| format!("{name}: {error}"))
    };
    write(&folder.join("tuquan.h"), &marked(&read(HEADER)?))?;
    write(&folder.join("README.md"), &read(README)?)?;
    write(&folder.join("calls.md"), &calls(sources)?)?;
    write(&folder.join("records.md"), &records(sources, &read("core/schema.lock")?)?)?;
    let settings = format!("{SETTINGS}OUTPUT_DIRECTORY = \"{}\"\n", to.display());
    write(&folder.join("Doxyfile"), &settings)?;
    call(Command::new("doxygen").current_dir(&folder).args(["-q", "Doxyfile"]))
}

/// Marks comments for Doxygen, which takes others for notes among programmers.
fn marked(header: &str) -> String {
    let mut out = String::with_capacity(header.len());
    for line in header.lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        match (text.strip_prefix("/*"), out.is_empty()) {
            (Some(rest), true) => {
                let _ = writeln!(out, "/** @file\n * {}", rest.trim_start());
            }
            (Some(rest), false) => {
                let _ = writeln!(out, "{:indent$}/**{rest}", "");
            }
            (None, _) => {
                let _ = writeln!(out, "{line}");
            }
        }
    }
    out
}

/// Lists what every language can call.
fn calls(sources: &Sources) -> Result<String, String> {
    let mut page =
        "# Calls\n\nWhat each does. Those that have no function of their own go through \
                    tq_call by these names; tq_apply and tq_query are the shorter way for some.\n"
            .to_owned();
    for call in surface::calls(&sources.generated)? {
        // What is said of a call is written for rustdoc.
        let says = call.says.replace(" # Errors ", "\n\nErrors: ");
        let says = says.replace("[`", "`").replace("`]", "`");
        let _ = write!(page, "\n## {}\n\n{says}\n", call.name);
    }
    Ok(page)
}

/// Lists the fields of each record type, with the shape of each as the schema has it.
fn records(sources: &Sources, schema: &str) -> Result<String, String> {
    let mut page = "# Records\n\nThe members of `fields` for each kind. A field that merges as AO \
                    or OR is an array. A time is in ms since 1970; a ref is 32 hexadecimal digits.\n"
        .to_owned();
    for kind in surface::kinds(&sources.root)? {
        let _ = write!(page, "\n## {}\n\n", kind.token);
        let number = schema
            .lines()
            .filter_map(|line| line.strip_prefix("kind ")?.split_once(' '))
            .find_map(|(number, token)| (token == kind.token).then_some(number))
            .ok_or_else(|| format!("core/schema.lock has no {}", kind.token))?;
        for (field, named) in &kind.fields {
            let of = |word: &str| format!("{word} {number}.{field}");
            let shape = schema.lines().find_map(|line| {
                line.strip_prefix(&of("field"))?.strip_prefix(' ')?.split_once(' ')
            });
            let (_, shape) = shape.ok_or_else(|| format!("core/schema.lock lacks {}", of("")))?;
            let _ = write!(page, "- `{}` ({shape}): {}", named.name, named.says);
            for (word, intro) in [("choice", "One of"), ("part", "An object of")] {
                let members = members(schema, &of(word));
                if !members.is_empty() {
                    let _ = write!(page, " {intro}: {}", members.join(", "));
                }
            }
            page.push('\n');
        }
    }
    Ok(page)
}

/// Returns the choices or parts that the schema lists below a field.
fn members(schema: &str, of: &str) -> Vec<String> {
    let lines = schema.lines().filter_map(|line| {
        let (_, member) = line.strip_prefix(of)?.strip_prefix('.')?.split_once(' ')?;
        Some(format!("`{member}`"))
    });
    lines.collect()
}

const SETTINGS: &str = "\
PROJECT_NAME = \"tuquan in C\"
INPUT = tuquan.h README.md calls.md records.md
USE_MDFILE_AS_MAINPAGE = README.md
OPTIMIZE_OUTPUT_FOR_C = YES
JAVADOC_AUTOBRIEF = YES
EXTRACT_ALL = YES
VERBATIM_HEADERS = NO
HAVE_DOT = NO
GENERATE_LATEX = NO
HTML_OUTPUT = .
WARN_IF_UNDOCUMENTED = NO
WARN_AS_ERROR = FAIL_ON_WARNINGS
";
