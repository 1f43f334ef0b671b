//! Rules on documents, and on what no tracked file may say.

use crate::scan;
use crate::tree::{File, Tree};

/// Beginnings of paths that exist on one machine only, spelled so that this file has none.
const MACHINE_PATHS: [&str; 5] = [
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
    concat!("C:", "\\"),
];

pub(crate) fn documents(tree: &Tree) -> Vec<String> {
    let documents = tree.files.iter().filter(|file| file.path.ends_with(".md"));
    documents
        .flat_map(|file| {
            let mut found = titles(file);
            found.extend(links(file, |path| tree.exists(path)));
            found
        })
        .collect()
}

/// Returns the lines outside fenced code with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

fn titles(file: &File) -> Vec<String> {
    let count = lines(&file.text).filter(|(_, line)| line.starts_with("# ")).count();
    if count == 1 {
        return Vec::new();
    }
    vec![format!("{}: {count} titles instead of one", file.path)]
}

fn links(file: &File, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut found = Vec::new();
    for (number, line) in lines(&file.text) {
        for (at, _) in line.match_indices("](") {
            let target = line[at + 2..].split([')', ' ']).next().unwrap_or_default();
            let target = target.split('#').next().unwrap_or_default();
            let outside = target.contains("://") || target.starts_with("mailto:");
            if !target.is_empty() && !outside && !exists(&resolve(folder, target)) {
                found.push(format!("{}:{number}: no such file: {target}", file.path));
            }
        }
    }
    found
}

fn resolve(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                // Above the root there is nothing of ours: such a link never resolves.
                if parts.pop().is_none() {
                    return "..".to_owned() + "/outside";
                }
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

pub(crate) fn machine_paths(tree: &Tree) -> Vec<String> {
    tree.files.iter().flat_map(machine_path).collect()
}

fn machine_path(file: &File) -> Vec<String> {
    let text = &file.text;
    let mut found = Vec::new();
    for path in MACHINE_PATHS {
        for (at, _) in text.match_indices(path) {
            let before = text[..at].chars().next_back();
            // Part of a longer path or address, such as example.org/home/.
            if !before.is_some_and(|c| scan::is_word(c) || matches!(c, '.' | '/' | '-' | '}')) {
                found.push(format!("{}:{}: {path}", file.path, scan::line(text, at)));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_and_second_titles_are_caught() {
        assert_eq!(titles(&File::new("a.md", "no title\n")).len(), 1);
        assert_eq!(titles(&File::new("a.md", "# A\n\n# B\n")).len(), 1);
        let fenced = "# A\n\n```sh\n# a comment\n```\n";
        assert!(titles(&File::new("a.md", fenced)).is_empty());
    }

    #[test]
    fn dead_links_are_caught() {
        let text = "# A\n[b](b.md) [c](../c.md#part) [d](https://example.org) [e](#here)\n";
        let file = File::new("docs/a.md", text);
        assert!(links(&file, |path| ["docs/b.md", "c.md"].contains(&path)).is_empty());
        assert_eq!(links(&file, |path| path == "c.md").len(), 1);
        let outside = File::new("a.md", "[a](../../x.md)");
        assert_eq!(links(&outside, |path| path == "x.md").len(), 1);
    }

    #[test]
    fn machine_paths_are_caught() {
        for path in MACHINE_PATHS {
            let text = format!("see {path}somebody/file\n");
            assert_eq!(machine_path(&File::new("a.md", &text)).len(), 1, "{path}");
            let text = format!("see https://example.org{path}x and ${{X}}{path}\n");
            assert!(machine_path(&File::new("a.md", &text)).is_empty(), "{path}");
        }
    }
}
