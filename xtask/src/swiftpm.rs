//! The Swift package: hand-written files of the checkout and generated ones, in one folder where
//! SwiftPM builds.
//!
//! Must not know: whether it is for Linux or for Apple's systems.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Outcome;

/// The folders of hand-written files.
const FOLDERS: [&str; 3] = ["Sources", "Tests", "Examples"];

/// Assembles the package in `to`. Files that did not change are left alone, so that SwiftPM builds
/// only what did; files that are no longer part of it go.
///
/// Where generated files changed, all that was built goes too: the compiler of 6.0 overlooks that a
/// method of a class of another module has got another place, and calls its neighbour.
pub(crate) fn assemble(root: &Path, generated: &Path, to: &Path) -> Outcome {
    let own = root.join("bindings/swift");
    let mut parts = Vec::new();
    let failed = |error| format!("the Swift package in {}: {error}", to.display());
    for folder in FOLDERS {
        collect(&own.join(folder), Path::new(folder), &mut parts).map_err(failed)?;
    }
    parts.push((PathBuf::from("Package.swift"), own.join("Package.swift")));
    let rust = Path::new("Sources/TuquanRust");
    let mut made = Vec::new();
    for source in files_ending(generated, "swift").map_err(failed)? {
        let name = rust.join(source.file_name().unwrap_or_default());
        made.push((name, fs::read(source).map_err(failed)?));
    }
    for (name, content) in headers(generated)? {
        made.push((Path::new("Sources/TuquanFFI").join(name), content.into_bytes()));
    }
    let is_new = made.iter().any(|(path, content)| !says(&to.join(path), content));
    let built = to.join(".build");
    if is_new && built.exists() {
        fs::remove_dir_all(built).map_err(failed)?;
    }
    for (path, from) in parts {
        made.push((path, fs::read(from).map_err(failed)?));
    }
    let mut wanted = BTreeSet::new();
    for (path, content) in made {
        write(&to.join(&path), &content).map_err(failed)?;
        wanted.insert(path);
    }
    for folder in FOLDERS {
        let mut found = Vec::new();
        collect(&to.join(folder), Path::new(folder), &mut found).map_err(failed)?;
        for (path, file) in found {
            if !wanted.contains(&path) {
                fs::remove_file(file).map_err(failed)?;
            }
        }
    }
    Ok(())
}

/// Returns the headers of the library with one module map for all of them, by file name.
pub(crate) fn headers(generated: &Path) -> Result<Vec<(String, String)>, String> {
    let failed = |error| format!("{}: {error}", generated.display());
    let mut headers = Vec::new();
    for path in files_ending(generated, "h").map_err(failed)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        headers.push((name, fs::read_to_string(&path).map_err(failed)?));
    }
    let mut map = String::new();
    for path in files_ending(generated, "modulemap").map_err(failed)? {
        map.push_str(fs::read_to_string(&path).map_err(failed)?.trim_end());
        map.push('\n');
    }
    headers.push(("module.modulemap".to_owned(), map));
    Ok(headers)
}

/// Writes a file unless it says so already.
pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    if says(path, content) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, content)
}

fn says(path: &Path, content: &[u8]) -> bool {
    fs::read(path).is_ok_and(|there| there == content)
}

/// Lists the files below `folder`, each with its path below `shown`.
fn collect(folder: &Path, shown: &Path, into: &mut Vec<(PathBuf, PathBuf)>) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let shown = shown.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            collect(&path, &shown, into)?;
        } else {
            into.push((shown, path));
        }
    }
    Ok(())
}

fn files_ending(folder: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
