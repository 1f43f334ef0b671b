//! Rules on one Rust file.

use crate::scan;
use crate::tree::File;

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
/// Names that say nothing, and what to do instead: name the thing by a noun of the domain.
const BANNED_NAMES: [&str; 10] = [
    "util", "utils", "utility", "helper", "helpers", "manager", "misc", "common", "shared", "stuff",
];
/// Where unsafe code may stand, each with its reason at its `allow`.
const UNSAFE_ALLOWED: [&str; 3] = ["cipher/src/", "tests/src/vfs/", "bindings/src/c/"];
/// What would tie the core to one machine, one moment or one runtime.
const CORE_BANNED: [&str; 12] = [
    "println",
    "print",
    "eprintln",
    "eprint",
    "SystemTime::now",
    "Instant::now",
    "thread_rng",
    "getrandom",
    "std::net",
    "tokio",
    "reqwest",
    "std::env",
];

fn finding(file: &File, line: usize, what: &str) -> String {
    format!("{}:{line}: {what}", file.path)
}

/// Returns the code of the file that is no test.
fn product(file: &File) -> String {
    if file.is_test() {
        return String::new();
    }
    scan::without_tests(&scan::code(&file.text))
}

fn each(file: &File, code: &str, words: &[&str], why: &str) -> Vec<String> {
    let at = |word: &&str| -> Vec<(usize, String)> {
        scan::words(code, word).map(|at| (scan::line(code, at), (*word).to_owned())).collect()
    };
    let mut found: Vec<_> = words.iter().flat_map(at).collect();
    found.sort();
    found.iter().map(|(line, word)| finding(file, *line, &format!("`{word}`: {why}"))).collect()
}

pub(crate) fn long_file(file: &File) -> Vec<String> {
    let lines = file.text.lines().count();
    if lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    let what = format!("{lines} lines, at most {FILE_LINES_MAX}: split it by what it knows");
    vec![finding(file, lines, &what)]
}

pub(crate) fn long_functions(file: &File) -> Vec<String> {
    let code = product(file);
    let mut found = Vec::new();
    for at in scan::words(&code, "fn") {
        let Some(open) = body(&code, at) else {
            continue;
        };
        let start = scan::line(&code, at);
        let lines = scan::line(&code, scan::close(&code, open)) - start + 1;
        if lines > FUNCTION_LINES_MAX {
            let name = code[at + 2..].split_whitespace().next().unwrap_or_default();
            let name = name.split(['(', '<']).next().unwrap_or_default();
            let what = format!("`{name}` has {lines} lines, at most {FUNCTION_LINES_MAX}");
            found.push(finding(file, start, &what));
        }
    }
    found
}

/// Returns where the body of the function at `at` opens; none for a declaration or a type.
fn body(code: &str, at: usize) -> Option<usize> {
    let mut depth = 0_i32;
    for (offset, c) in code[at..].char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' if depth == 0 => return Some(at + offset),
            ';' | ',' | '=' | '}' if depth == 0 => return None,
            _ if depth < 0 => return None,
            _ => {}
        }
    }
    None
}

pub(crate) fn no_purpose(file: &File) -> Vec<String> {
    let first = file.text.lines().next().unwrap_or_default();
    if first.starts_with("//! ") || first.starts_with("/*!") {
        return Vec::new();
    }
    vec![finding(file, 1, "begin with `//!`: what is it for?")]
}

pub(crate) fn banned_name(file: &File) -> Vec<String> {
    if file.is_test() {
        return Vec::new();
    }
    let in_path = |name: &str| {
        let mut parts = file.path.split('/');
        parts.any(|part| part == name) || file.stem() == name
    };
    let code = product(file);
    let declared = |name: &str| {
        code.contains(&format!("mod {name};")) || code.contains(&format!("mod {name} "))
    };
    BANNED_NAMES
        .iter()
        .filter(|name| in_path(name) || declared(name))
        .map(|name| finding(file, 1, &format!("`{name}` says nothing: name what is in it")))
        .collect()
}

pub(crate) fn unfinished(file: &File) -> Vec<String> {
    let code = scan::code(&file.text);
    let mut found = Vec::new();
    for name in ["todo", "unimplemented", "dbg"] {
        for at in scan::words(&code, name) {
            if code[at + name.len()..].starts_with('!') {
                found.push(finding(file, scan::line(&code, at), &format!("`{name}!`")));
            }
        }
    }
    for marker in [concat!("FIX", "ME"), concat!("XX", "X")] {
        for at in scan::words(&file.text, marker) {
            found.push(finding(file, scan::line(&file.text, at), marker));
        }
    }
    found
}

pub(crate) fn unwraps(file: &File) -> Vec<String> {
    let code = product(file);
    code.match_indices(".unwrap()")
        .map(|(at, _)| finding(file, scan::line(&code, at), "`unwrap`: say what cannot fail"))
        .collect()
}

pub(crate) fn core_reaches_out(file: &File) -> Vec<String> {
    if !file.is_core() {
        return Vec::new();
    }
    let why = "the core neither prints nor asks the system; it is given what it needs";
    each(file, &product(file), &CORE_BANNED, why)
}

pub(crate) fn unsafe_code(file: &File) -> Vec<String> {
    if UNSAFE_ALLOWED.iter().any(|path| file.path.starts_with(path)) {
        return Vec::new();
    }
    each(file, &scan::code(&file.text), &["unsafe"], "not allowed here")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(path: &str, text: &str, rule: fn(&File) -> Vec<String>) -> usize {
        rule(&File::new(path, text)).len()
    }

    #[test]
    fn long_files_and_functions_are_caught() {
        let lines = |n: usize| "    a();\n".repeat(n);
        assert_eq!(bad("core/src/a.rs", &lines(801), long_file), 1);
        assert_eq!(bad("core/src/a.rs", &lines(800), long_file), 0);
        let function = |n: usize| format!("//! A\nfn a<T>(b: [u8; 4]) -> C\n{{\n{}}}\n", lines(n));
        assert_eq!(bad("core/src/a.rs", &function(68), long_functions), 1);
        assert_eq!(bad("core/src/a.rs", &function(67), long_functions), 0);
        let test = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function(80));
        assert_eq!(bad("core/src/a.rs", &test, long_functions), 0);
        let pointer = format!("struct A {{ b: fn(u8) -> u8 }}\nimpl A {{\n{}}}\n", lines(90));
        assert_eq!(bad("core/src/a.rs", &pointer, long_functions), 0);
    }

    #[test]
    fn files_without_purpose_and_empty_names_are_caught() {
        assert_eq!(bad("core/src/a.rs", "use b;\n", no_purpose), 1);
        assert_eq!(bad("core/src/a.rs", "//! A.\n", no_purpose), 0);
        assert_eq!(bad("core/src/utils.rs", "", banned_name), 1);
        assert_eq!(bad("cli/src/helpers/a.rs", "", banned_name), 1);
        assert_eq!(bad("cli/src/a.rs", "mod misc { }", banned_name), 1);
        assert_eq!(bad("core/tests/common/mod.rs", "", banned_name), 0);
    }

    #[test]
    fn leftovers_are_caught_also_in_tests() {
        let marker = concat!("// FIX", "ME later\n");
        assert_eq!(bad("core/tests/a.rs", marker, unfinished), 1);
        assert_eq!(bad("core/src/a.rs", "fn a() { todo!() }", unfinished), 1);
        assert_eq!(bad("core/src/a.rs", "fn a() { dbg!(1); }", unfinished), 1);
        assert_eq!(bad("core/src/a.rs", "// todo! and \"dbg!\"", unfinished), 0);
    }

    #[test]
    fn unwraps_are_caught_outside_tests() {
        let text = "fn a() { b.unwrap(); }\n#[cfg(test)]\nmod tests { fn c() { d.unwrap() } }";
        assert_eq!(bad("cli/src/a.rs", text, unwraps), 1);
        assert_eq!(bad("cli/src/tests.rs", text, unwraps), 0);
        assert_eq!(bad("cli/src/a.rs", "fn a() { b.unwrap_or(1); }", unwraps), 0);
    }

    #[test]
    fn what_ties_the_core_to_a_machine_is_caught() {
        for text in [
            "println!(\"\")",
            "std::time::Instant::now()",
            "SystemTime::now()",
            "use std::net::TcpStream;",
            "tokio::spawn(a)",
            "rand::thread_rng()",
        ] {
            assert_eq!(bad("core/src/a.rs", text, core_reaches_out), 1, "{text}");
            assert_eq!(bad("cli/src/a.rs", text, core_reaches_out), 0, "{text}");
        }
    }

    #[test]
    fn unsafe_code_is_caught_elsewhere() {
        let text = "fn a() { unsafe { b() } }";
        assert_eq!(bad("core/src/a.rs", text, unsafe_code), 1);
        assert_eq!(bad("tests/src/vfs/a.rs", text, unsafe_code), 0);
        assert_eq!(bad("core/src/a.rs", "// an unsafe act", unsafe_code), 0);
    }
}
