//! Pages for Rust: rustdoc of the core and of the transports.

use std::fs;
use std::path::Path;

use super::Sources;
use crate::Outcome;
use crate::cargo::{cargo, run as call, target};
use crate::surface::Named;

/// The files where the core's door stands: what an app in Rust calls.
const DOOR: [&str; 3] = ["mod.rs", "attaching.rs", "team.rs"];

/// Makes them.
pub(super) fn make(sources: &Sources, to: &Path) -> Outcome {
    // What other calls left there would be listed too.
    let made = target().join("doc");
    fs::remove_dir_all(&made).ok();
    let crates = ["doc", "--no-deps", "--package", "tuquan-core", "--package", "tuquan-net"];
    call(cargo(&sources.root, crates).env("RUSTDOCFLAGS", "-D warnings"))?;
    fs::remove_dir_all(to).ok();
    fs::rename(&made, to).map_err(|error| format!("{}: {error}", to.display()))?;
    super::write(&to.join("index.html"), INDEX)
}

/// Returns the calls of the core's door.
pub(super) fn calls(root: &Path) -> Result<Vec<Named>, String> {
    let mut calls = Vec::new();
    for file in DOOR {
        let path = root.join("core/src/door").join(file);
        let text =
            fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        for part in text.split("\nimpl Tuquan {\n").skip(1) {
            collect(part.split("\n}").next().unwrap_or_default(), &mut calls);
        }
    }
    if calls.is_empty() { Err("the core's door has no calls".to_owned()) } else { Ok(calls) }
}

fn collect(body: &str, calls: &mut Vec<Named>) {
    let mut says = String::new();
    for line in body.lines() {
        if let Some(doc) = line.strip_prefix("    ///") {
            says = format!("{says} {}", doc.trim());
        } else if let Some(name) = line.strip_prefix("    pub fn ") {
            let name = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            calls.push(Named { name, says: std::mem::take(&mut says).trim().to_owned() });
        } else if !line.starts_with("    #[") {
            says.clear();
        }
    }
}

const INDEX: &str = "\
<!DOCTYPE html>
<meta charset=\"utf-8\">
<title>tuquan in Rust</title>
<ul>
<li><a href=\"tuquan_core/index.html\">tuquan_core</a>: the core; begin with its <code>door</code></li>
<li><a href=\"tuquan_net/index.html\">tuquan_net</a>: how phones meet</li>
</ul>
";
