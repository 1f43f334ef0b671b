//! `cargo xtask header [--check]`: `tuquan.h`, written from the declarations and their comments in
//! `bindings/src/c`, or compared with it.
//!
//! A generator of our own because the declarations have one shape and the statuses stand in a macro,
//! which other generators cannot see through. Must not know: what the functions do.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::Outcome;
use crate::cargo::root;

const HEADER: &str = "bindings/c/include/tuquan.h";
const FOLDER: &str = "bindings/src/c";
/// In the order of a reader.
const FILES: [&str; 4] = ["mod.rs", "library.rs", "store.rs", "meeting.rs"];
const WIDTH: usize = 100;

/// Runs it.
pub(crate) fn run(args: &[&str]) -> Outcome {
    let root = root();
    let wanted = header(&root)?;
    let path = root.join(HEADER);
    match args {
        [] => fs::write(&path, wanted).map_err(|error| format!("{HEADER}: {error}")),
        ["--check"] if read(&path)? == wanted => Ok(()),
        ["--check"] => Err(format!("{HEADER} is not what {FOLDER} says: cargo xtask header")),
        _ => Err("header takes --check and nothing else".to_owned()),
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn header(root: &Path) -> Result<String, String> {
    let manifest: toml::Table =
        read(&root.join("Cargo.toml"))?.parse().map_err(|error| format!("Cargo.toml: {error}"))?;
    let version = manifest["workspace"]["package"]["version"].as_str().unwrap_or_default();
    let number = version.split('.').try_fold(0_u32, |sum, part| {
        part.parse::<u32>().map(|part| sum * 1_000 + part).map_err(|error| error.to_string())
    })?;
    let sources: Vec<String> =
        FILES.iter().map(|file| read(&root.join(FOLDER).join(file))).collect::<Result<_, _>>()?;
    let intro: Vec<&str> = sources[0].lines().map_while(|line| line.strip_prefix("//!")).collect();
    let intro: Vec<&str> =
        intro.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    let mut out = comment(&intro, "");
    let _ = write!(
        out,
        "#ifndef TUQUAN_H\n#define TUQUAN_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n\
         #ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n\
         /* The version that this header belongs to, and the same as one number: major * 1000000 +\n\
         \x20* minor * 1000 + patch. */\n\
         #define TQ_VERSION \"{version}\"\n#define TQ_VERSION_NUMBER {number}\n\n"
    );
    let statuses = statuses(&read(&root.join("core/src/boundary.rs"))?)?;
    for source in &sources {
        let mut is_list = false;
        for item in items(source) {
            // Numbers of one list stand together.
            let is_number = item.text.starts_with("const ");
            if is_list && is_number {
                out.truncate(out.trim_end().len() + 1);
            }
            is_list = is_number;
            out.push_str(&declaration(&item)?);
            if item.text.starts_with("const TQ_OK") {
                out.truncate(out.trim_end().len() + 1);
                out.push_str(&statuses);
            }
        }
    }
    out.push_str("#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
    Ok(out)
}

/// One declaration of the ABI as it stands in Rust.
struct Item {
    docs: Vec<String>,
    text: String,
    is_data: bool,
    for_tests: bool,
}

/// Finds the declarations whose names are those of the ABI.
fn items(source: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let (mut docs, mut attributes) = (Vec::new(), String::new());
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if let Some(doc) = line.strip_prefix("///") {
            docs.push(doc.trim().to_owned());
        } else if line.starts_with("#[") {
            attributes.push_str(line);
        } else {
            let starts = ["type tq_", "const TQ_", "struct tq_", "extern \"C\" fn tq_"];
            if starts.iter().any(|start| line.starts_with(start)) {
                let mut text = line.to_owned();
                let is_struct = line.starts_with("struct");
                let ends = |text: &str| match is_struct {
                    true => text.ends_with("\n}"),
                    false => text.ends_with(';') || text.ends_with('{'),
                };
                while !ends(&text) {
                    let Some(line) = lines.next() else { break };
                    text.push('\n');
                    text.push_str(line);
                }
                items.push(Item {
                    docs: std::mem::take(&mut docs),
                    text,
                    is_data: attributes.contains("repr(C)"),
                    for_tests: attributes.contains("test-door"),
                });
            }
            docs.clear();
            attributes.clear();
        }
    }
    items
}

/// Writes a comment, and what it is about comes on the next line.
fn comment(lines: &[impl AsRef<str>], indent: &str) -> String {
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        let start = if at == 0 { "/*" } else { " *" };
        let line = line.as_ref();
        let space = if line.is_empty() { "" } else { " " };
        let _ = write!(out, "{}{indent}{start}{space}{line}", if at == 0 { "" } else { "\n" });
    }
    out.push_str(" */\n");
    out
}

fn declaration(item: &Item) -> Result<String, String> {
    let docs = comment(&item.docs, "");
    let text = item.text.as_str();
    let Some(first) = text.lines().next().filter(|_| !item.docs.is_empty()) else {
        return Err(format!("no comment says what this is:\n{text}"));
    };
    if let Some((name, parameters, output)) = signature(text) {
        let mut lines = item.docs.clone();
        lines.push(terms(parameters));
        let docs = comment(&lines, "");
        let declared = format!("{docs}{};\n\n", function(name, parameters, output)?);
        return Ok(match item.for_tests {
            true => format!("#ifdef TQ_TEST_DOOR\n{}#endif\n\n", declared.replace("\n\n", "\n")),
            false => declared,
        });
    }
    if let Some(constant) = first.strip_prefix("const ") {
        let (name, rest) = constant.split_once(": ").unwrap_or((constant, ""));
        let value = rest.split(" = ").nth(1).unwrap_or_default().trim_end_matches(';');
        return Ok(format!("{docs}#define {name} {value}\n\n"));
    }
    if let Some(alias) = text.strip_prefix("type ") {
        let (name, of) = alias.split_once(" =").unwrap_or((alias, ""));
        let Some(call) = of.split_once("fn(") else {
            let of = c_type(of.trim().trim_end_matches(';'))?;
            return Ok(format!("{docs}typedef {of} {name};\n\n"));
        };
        let parameters = call.1.rsplit_once(')').map_or("", |(parameters, _)| parameters);
        return Ok(format!("{docs}typedef void (*{name})({});\n\n", all(parameters)?.join(", ")));
    }
    let name = first.trim_start_matches("struct ").trim_end_matches(" {");
    if !item.is_data {
        return Ok(format!("{docs}typedef struct {name} {name};\n\n"));
    }
    let mut out = format!("{docs}typedef struct {name} {{\n");
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().skip(1).map(str::trim).filter(|line| *line != "}") {
        match line.strip_prefix("/// ") {
            Some(doc) => lines.push(doc),
            None => {
                if !lines.is_empty() {
                    out.push_str(&comment(&std::mem::take(&mut lines), "    "));
                }
                let _ = writeln!(out, "    {};", parameter(line.trim_end_matches(','))?);
            }
        }
    }
    let _ = write!(out, "}} {name};\n\n");
    Ok(out)
}

/// Says of a function who may call it, what it borrows and what its caller must free, which its types
/// say in Rust.
fn terms(parameters: &str) -> String {
    let (mut lent, mut texts, mut others, mut taken) = (Vec::new(), Vec::new(), Vec::new(), false);
    for (name, of) in parameters.split(',').filter_map(|one| one.trim().split_once(": ")) {
        let of = of.trim_start_matches("Option<").trim_end_matches('>');
        match of.strip_prefix("&mut MaybeUninit<") {
            Some("tq_string") => texts.push(name),
            Some("tq_bytes") => others.push(format!("{name} with tq_bytes_free")),
            Some("Box<tq_core") => others.push(format!("{name} with tq_free")),
            Some("Box<tq_meeting") => others.push(format!("{name} with tq_meeting_free")),
            Some(_) => {}
            None if of.starts_with("*const ") => lent.push(name),
            None => taken |= ["Box<", "&mut tq_"].iter().any(|own| of.starts_with(own)),
        }
    }
    if !texts.is_empty() {
        others.push(format!("{} with tq_string_free", texts.join(" and ")));
    }
    let mut terms = "Any thread".to_owned();
    if taken {
        terms.push_str(", once no other uses it");
    }
    if !lent.is_empty() {
        let _ = write!(terms, "; lent for the call: {}", lent.join(", "));
    }
    if !others.is_empty() {
        let _ = write!(terms, "; free {}", others.join(", "));
    }
    terms + "."
}

/// Splits a function into its name, its parameters and what it returns.
fn signature(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.strip_prefix("extern \"C\" fn ")?.split_once('(')?;
    let (parameters, output) = rest.rsplit_once(')')?;
    Some((name, parameters, output.trim().trim_end_matches('{').trim()))
}

fn function(name: &str, parameters: &str, output: &str) -> Result<String, String> {
    let output = match output.strip_prefix("-> ") {
        Some(output) => c_type(output)?,
        None => "void".to_owned(),
    };
    let mut parameters = all(parameters)?;
    if parameters.is_empty() {
        parameters.push("void".to_owned());
    }
    let short = format!("{output} {name}({})", parameters.join(", "));
    Ok(match short.len() < WIDTH {
        true => short,
        false => format!("{output} {name}(\n    {})", parameters.join(",\n    ")),
    })
}

/// Returns the parameters in C.
fn all(parameters: &str) -> Result<Vec<String>, String> {
    let each = parameters.split(',').map(str::trim).filter(|one| !one.is_empty());
    each.map(parameter).collect()
}

/// Returns a parameter or a field in C.
fn parameter(rust: &str) -> Result<String, String> {
    let (name, of) = rust.split_once(": ").ok_or_else(|| format!("no parameter: {rust}"))?;
    let of = c_type(of)?;
    let space = if of.ends_with('*') { "" } else { " " };
    Ok(format!("{of}{space}{name}"))
}

/// Returns a type in C.
fn c_type(rust: &str) -> Result<String, String> {
    let inside = |start: &str, end: &str| rust.strip_prefix(start)?.strip_suffix(end);
    let pointer = |of: &str| {
        let of = c_type(of)?;
        Ok(format!("{of}{}*", if of.ends_with('*') { "" } else { " " }))
    };
    if let Some(of) = inside("Option<&mut MaybeUninit<", ">>").or(inside("Option<&mut ", ">")) {
        return pointer(of);
    }
    if let Some(of) = inside("Option<Box<", ">>").or(inside("Box<", ">")) {
        return pointer(of);
    }
    if let Some(of) = inside("Option<&", ">").or(inside("*mut ", "")) {
        return pointer(of);
    }
    if let Some(of) = inside("*const ", "") {
        return Ok(format!("const {}", pointer(of)?));
    }
    Ok(match rust {
        "usize" => "size_t".to_owned(),
        "u8" => "uint8_t".to_owned(),
        "u32" => "uint32_t".to_owned(),
        "i32" => "int32_t".to_owned(),
        "c_char" => "char".to_owned(),
        "c_void" => "void".to_owned(),
        own if own.starts_with("tq_") => own.to_owned(),
        other => return Err(format!("no type of C is known for {other}")),
    })
}

/// Returns the numbers of the kinds of failure, as the core declares them.
fn statuses(boundary: &str) -> Result<String, String> {
    let declared =
        boundary.split_once("\noutcomes! {\n").and_then(|(_, rest)| rest.split_once("\n}"));
    let (declared, _) = declared.ok_or("the kinds of failure are not where they were")?;
    let mut out = String::new();
    let mut docs: Vec<&str> = Vec::new();
    for line in declared.lines().map(str::trim) {
        if let Some(doc) = line.strip_prefix("/// ") {
            docs.push(doc);
            continue;
        }
        let (name, number) = line.trim_end_matches(',').split_once(" = ").ok_or(line)?;
        let mut spelled = String::from("TQ");
        for c in name.chars() {
            if c.is_uppercase() {
                spelled.push('_');
            }
            spelled.extend(c.to_uppercase());
        }
        out.push_str(&comment(&std::mem::take(&mut docs), ""));
        let _ = writeln!(out, "#define {spelled} {number}");
    }
    out.push('\n');
    Ok(out)
}
