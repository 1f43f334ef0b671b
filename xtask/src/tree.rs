//! A copy of the checkout at a place of its own, where a change can be tried.
//!
//! The copy has what is tracked or could be, as it is now; only files that differ are written, so
//! that cargo builds only what did. Must not know: what is tried.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::cargo::read;

/// Brings the copy to what is tracked and not ignored, as it is now in the checkout.
pub(crate) fn copy(root: &Path, tree: &Path) -> Outcome {
    let wanted = listed(root)?;
    let told = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    for path in &wanted {
        let (from, to) = (root.join(path), tree.join(path));
        let bytes = fs::read(&from).map_err(|error| told(&from, error))?;
        if fs::read(&to).is_ok_and(|there| there == bytes) {
            continue;
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(|error| told(folder, error))?;
        }
        fs::write(&to, bytes).map_err(|error| told(&to, error))?;
    }
    remove_others(tree, tree, &wanted)
}

/// Everything that a copy holds, by path in it.
pub(crate) type Contents = BTreeMap<PathBuf, Vec<u8>>;

/// Returns what a copy holds, to be compared later.
pub(crate) fn contents(tree: &Path) -> Result<Contents, String> {
    let mut contents = Contents::new();
    gather(tree, tree, &mut contents)?;
    Ok(contents)
}

/// Returns the files that are not the same in both, or are in one of them only.
pub(crate) fn changed(before: &Contents, after: &Contents) -> Vec<PathBuf> {
    let paths: BTreeSet<&PathBuf> = before.keys().chain(after.keys()).collect();
    let differ = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
    differ.cloned().collect()
}

/// Lists the files that are tracked, or could be.
fn listed(root: &Path) -> Result<Vec<PathBuf>, String> {
    let listing = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed = read(Command::new("git").current_dir(root).args(listing))?;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let paths = listed.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from);
    Ok(paths.filter(|path| root.join(path).is_file()).collect())
}

fn gather(tree: &Path, folder: &Path, into: &mut Contents) -> Outcome {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    for path in fs::read_dir(folder).map_err(failed)?.flatten().map(|entry| entry.path()) {
        match path.is_dir() {
            true => gather(tree, &path, into)?,
            false => {
                let inside = path.strip_prefix(tree).unwrap_or(&path).to_owned();
                into.insert(inside, fs::read(&path).map_err(failed)?);
            }
        }
    }
    Ok(())
}

fn remove_others(tree: &Path, folder: &Path, wanted: &[PathBuf]) -> Outcome {
    let entries = fs::read_dir(folder).map_err(|error| error.to_string())?;
    for entry in entries.flatten() {
        let path = entry.path();
        let inside = path.strip_prefix(tree).unwrap_or(&path);
        if path.is_dir() {
            remove_others(tree, &path, wanted)?;
        } else if !wanted.iter().any(|wanted| wanted == inside) {
            fs::remove_file(&path).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}
