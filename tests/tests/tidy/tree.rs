//! The files of the checkout, without what is built or ignored; no git is asked.

use std::fs;
use std::path::{Path, PathBuf};

/// A text file of the checkout.
pub(crate) struct File {
    /// The path from the root, with forward slashes.
    pub(crate) path: String,
    /// The content.
    pub(crate) text: String,
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Tells whether the file holds tests, or is there for tests alone.
    pub(crate) fn is_test(&self) -> bool {
        self.path
            .split('/')
            .any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "fuzz_targets" | "fuzz"))
    }

    pub(crate) fn is_core(&self) -> bool {
        self.path.starts_with("core/src/")
    }

    /// Returns the last part of the path without `.rs`.
    pub(crate) fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.strip_suffix(".rs").unwrap_or(name)
    }
}

/// All text files of the checkout.
pub(crate) struct Tree {
    root: PathBuf,
    /// The files, sorted by path.
    pub(crate) files: Vec<File>,
}

impl Tree {
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let ignored = fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
        let mut tree = Self { root: root.to_owned(), files: Vec::new() };
        tree.walk(root, &ignored);
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        assert!(tree.files.len() > 50, "the checkout was not found");
        tree
    }

    fn walk(&mut self, folder: &Path, ignored: &str) {
        for found in fs::read_dir(folder).unwrap() {
            let found = found.unwrap().path();
            let path = found.strip_prefix(&self.root).unwrap().to_string_lossy();
            let path = path.replace('\\', "/");
            let skipped = ignored.lines().any(|line| is_ignored(&path, line));
            if path == ".git" || skipped {
                continue;
            }
            if found.is_dir() {
                self.walk(&found, ignored);
            } else if let Ok(text) = fs::read_to_string(&found) {
                self.files.push(File { path, text });
            }
        }
    }

    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    pub(crate) fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Tells whether a file or folder is there, text or not.
    pub(crate) fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }
}

/// Knows the three forms of pattern that this project's `.gitignore` uses.
fn is_ignored(path: &str, pattern: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    match (pattern.strip_prefix('/'), pattern.strip_prefix('*')) {
        _ if pattern.is_empty() || pattern.starts_with('#') => false,
        (Some(rooted), _) => path == rooted.trim_end_matches('/'),
        (_, Some(ending)) => name.ends_with(ending),
        _ => name == pattern.trim_end_matches('/'),
    }
}

#[test]
fn ignored_files_are_left_out_and_others_are_not() {
    assert!(is_ignored("target", "/target"));
    assert!(is_ignored("a/b.profraw", "*.profraw"));
    assert!(is_ignored("a/node_modules", "node_modules/"));
    assert!(!is_ignored("a/target", "/target"));
    assert!(!is_ignored("a/b.rs", "*.profraw"));
    assert!(!is_ignored("a", ""));
}
