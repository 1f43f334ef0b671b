//! `cargo xtask size`: how many bytes the library adds to an app, with everything in, and what takes
//! the room.
//!
//! Builds the bindings as they ship, but unstripped, adds up the symbols by the crate or the C library
//! that they are of, then strips.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::cargo::{cargo, read, root, run as call, ship};

/// The most bytes of one ABI, stripped.
const BYTES_MAX: u64 = 7_000_000;
/// How many parts are named; the others are added up.
const PARTS_SHOWN: usize = 24;

/// Measures each optimisation level given, or the one that ships.
pub(crate) fn run(args: &[&str]) -> Outcome {
    let levels = if args.is_empty() { &["z"] } else { args };
    let root = root();
    let target = crate::cargo::target();
    let mut over = Vec::new();
    for level in levels {
        let mut command = cargo(&root, ["rustc", "--package", "tuquan-ffi", "--lib"]);
        command.args(["--profile", "ship"]);
        command.env("CARGO_PROFILE_SHIP_OPT_LEVEL", level).env("CARGO_PROFILE_SHIP_STRIP", "none");
        // Android's linker packs relocations too, in its own way.
        call(ship(&mut command, &["-z,pack-relative-relocs"]))?;
        let library = target.join("ship/libtuquan_ffi.so");
        let parts = parts(&library)?;
        let stripped = target.join("ship/libtuquan_ffi.stripped.so");
        call(Command::new("strip").arg(&library).arg("-o").arg(&stripped))?;
        let bytes = fs::metadata(&stripped)
            .map_err(|error| format!("{}: {error}", stripped.display()))?
            .len();
        print(level, bytes, &parts);
        if bytes > BYTES_MAX {
            over.push(format!("opt-level {level}: {bytes} bytes, {BYTES_MAX} at most"));
        }
    }
    if over.is_empty() { Ok(()) } else { Err(over.join("\n")) }
}

/// Adds up the sizes of symbols by where they come from.
fn parts(library: &Path) -> Result<Vec<(String, u64)>, String> {
    let nm = ["--print-size", "--demangle", "--defined-only"];
    let text = read(Command::new("nm").args(nm).arg(library))?;
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for line in String::from_utf8_lossy(&text).lines() {
        let mut words = line.splitn(4, ' ');
        let (Some(_), Some(size), Some(sort), Some(name)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            continue;
        };
        // Zeroed memory takes no room in the file.
        if let (Ok(size), false) = (u64::from_str_radix(size, 16), "bB".contains(sort)) {
            *sums.entry(part_of(name)).or_default() += size;
        }
    }
    let mut parts: Vec<(String, u64)> = sums.into_iter().collect();
    parts.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    Ok(parts)
}

/// Returns the crate of a Rust symbol, or the library of one of C.
fn part_of(name: &str) -> String {
    if !name.contains("::") {
        let c = [
            ("sqlite3", "sqlcipher"),
            ("fts5", "sqlcipher"),
            ("sqlcipher", "sqlcipher"),
            ("ZSTD", "zstd"),
            ("HUF", "zstd"),
            ("FSE", "zstd"),
            ("ring_core", "ring"),
            ("uniffi", "tuquan_ffi, exported"),
            ("ffi_", "tuquan_ffi, exported"),
            ("tq_", "tuquan_ffi, exported"),
            ("UNIFFI", "tuquan_ffi, exported"),
            ("blake3", "blake3"),
        ];
        let found = c.iter().find(|(start, _)| name.starts_with(start));
        return found.map_or("C: static functions, most of SQLite", |(_, part)| part).to_owned();
    }
    let path = name.trim_start_matches(['<', '&', '(', '[', '*', '_']);
    let path =
        ["dyn ", "mut ", "const "].iter().fold(path, |path, word| path.trim_start_matches(word));
    let part: String = path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if matches!(part.as_str(), "core" | "alloc" | "std") { "std".to_owned() } else { part }
}

fn print(level: &str, bytes: u64, parts: &[(String, u64)]) {
    let millions = |bytes: u64| bytes as f64 / 1e6;
    println!(
        "\nopt-level {level}: {bytes} bytes stripped ({:.2} MB), everything in",
        millions(bytes)
    );
    let (shown, rest) = parts.split_at(parts.len().min(PARTS_SHOWN));
    for (part, size) in shown {
        println!("  {:>7.3} MB  {part}", millions(*size));
    }
    let rest: u64 = rest.iter().map(|(_, size)| size).sum();
    let named: u64 = parts.iter().map(|(_, size)| size).sum();
    println!("  {:>7.3} MB  other crates", millions(rest));
    println!(
        "  {:>7.3} MB  unwinding tables, texts, relocations",
        millions(bytes.saturating_sub(named))
    );
}
