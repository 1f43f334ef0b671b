//! `cargo xtask docs [language]...`: the API documentation for developers of apps, one folder for
//! each language in `docs-api/` below where cargo builds.
//!
//! What was made is read again: each exported call and each field of a record must stand there with
//! what is said of it. Must not know: what the calls do.

mod c;
mod kotlin;
mod page;
mod python;
mod rust;
mod swift;

use std::fs;
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::cargo::{root, target};
use crate::journey::{bindgen, build, generate};
use crate::surface::{self, Named};

const LANGUAGES: [&str; 5] = ["rust", "python", "kotlin", "swift", "c"];

/// What the pages of every language are made from.
struct Sources {
    /// The checkout.
    root: PathBuf,
    /// The folder with the library.
    library: PathBuf,
    /// The folder with the generated sources, one folder for each language.
    generated: PathBuf,
    /// Where the pages go, one folder for each language.
    out: PathBuf,
    /// Where a language puts what is no page.
    build: PathBuf,
}

/// Makes the pages of the languages named, or of all.
pub(crate) fn run(args: &[&str]) -> Outcome {
    let languages = if args.is_empty() { &LANGUAGES[..] } else { args };
    if let Some(unknown) = languages.iter().find(|name| !LANGUAGES.contains(name)) {
        return Err(format!("no pages for {unknown}; there are {}", LANGUAGES.join(", ")));
    }
    let target = target();
    let out = target.join("docs-api");
    let sources = Sources {
        root: root(),
        library: target.join("debug"),
        generated: out.join("build/generated"),
        build: out.join("build"),
        out,
    };
    if languages != ["rust"] {
        build(&target)?;
        generate(&sources.root, &bindgen(&target)?, &sources.library, &sources.generated)?;
    }
    let mut failures = Vec::new();
    for language in languages {
        println!("\n== pages for {language}");
        match sources.document(language) {
            Ok(told) => println!("== {}: {told}", sources.out.join(language).display()),
            Err(why) => failures.push(format!("{language}: {why}")),
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

impl Sources {
    /// Makes one language's pages and reads them again; tells what stands there.
    fn document(&self, language: &str) -> Result<String, String> {
        let to = self.out.join(language);
        fs::remove_dir_all(&to).ok();
        fs::create_dir_all(&to).map_err(|error| format!("{}: {error}", to.display()))?;
        match language {
            "rust" => rust::make(self, &to),
            "python" => python::make(self, &to),
            "kotlin" => kotlin::make(self, &to),
            "swift" => swift::make(self, &to),
            _ => c::make(self, &to),
        }?;
        let calls = match language {
            "rust" => rust::calls(&self.root)?,
            _ => surface::calls(&self.generated)?,
        };
        let kinds = surface::kinds(&self.root)?;
        let fields: Vec<Named> =
            kinds.into_iter().flat_map(|kind| kind.fields).map(|f| f.1).collect();
        let text = page::text(&to)?;
        let missing: Vec<&str> = calls
            .iter()
            .chain(&fields)
            .filter(|named| !page::tells_of(&text, named))
            .map(|named| named.name.as_str())
            .collect();
        match missing.is_empty() {
            true => Ok(format!("{} calls and {} fields", calls.len(), fields.len())),
            false => Err(format!("the pages do not say what these are: {}", missing.join(", "))),
        }
    }
}

/// Writes a file, and the folders above it.
fn write(path: &Path, text: &str) -> Outcome {
    let failed = |error| format!("{}: {error}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}
