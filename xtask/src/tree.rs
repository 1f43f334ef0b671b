//! A copy of the checkout at a place of its own, where a change can be tried.
//!
//! The copy has what is tracked or could be, as it is now; only files that differ are written, so
//! that cargo builds only what did. Must not know: what is tried.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::cargo::read;

/// Brings the copy to what is tracked and not ignored, as it is now in the checkout.
pub(crate) fn copy(root: &Path, tree: &Path) -> Outcome {
    let listing = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed = read(Command::new("git").current_dir(root).args(listing))?;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let wanted: Vec<PathBuf> = listed
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .filter(|path| root.join(path).is_file())
        .collect();
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
