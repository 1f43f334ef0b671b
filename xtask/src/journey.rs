//! `cargo xtask journey <language>...`: the golden journey through the bindings of a language, on the
//! real library and a real hub.
//!
//! Each language writes what it found as JSON; `bindings/journey/expected.json` is what all of them
//! must find. Must not know: what the journey does.

mod c;
pub(crate) mod cost;
mod kotlin;
mod python;
mod swift;
mod together;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::cargo::{cargo, root, run as call};
use crate::hub::Hub;

/// What every language's journey is given.
pub(crate) struct Kit {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// The folder with `libtuquan_ffi.so` and `.a`, with the test door.
    pub(crate) library: PathBuf,
    /// The folder with the generated sources, one folder for each language.
    pub(crate) generated: PathBuf,
    /// Where a language keeps what it builds, outside of the checkout's tracked files.
    pub(crate) build: PathBuf,
    /// The hub's address.
    hub: String,
    work: PathBuf,
}

/// Runs the journeys of the languages named, or of all.
pub(crate) fn run(args: &[&str]) -> Outcome {
    let all = ["python", "c", "kotlin", "swift"];
    let languages = if args.is_empty() { &all[..] } else { args };
    if let Some(unknown) = languages.iter().find(|name| !all.contains(name)) {
        return Err(format!("no journey in {unknown}; there are {}", all.join(", ")));
    }
    let target = crate::cargo::target();
    let library = build(&target)?;
    let hub_program = library.join("tuquan");
    let journeys = target.join("journey");
    let generated = journeys.join("generated");
    generate(&root(), &bindgen(&target)?, &library, &generated)?;
    let kit_of = |language: &str, hub: &Hub| -> Result<Kit, String> {
        let work = journeys.join(format!("work-{language}"));
        fs::remove_dir_all(&work).ok();
        fs::create_dir_all(&work).map_err(|error| format!("{}: {error}", work.display()))?;
        Ok(Kit {
            root: root(),
            library: library.clone(),
            generated: generated.clone(),
            build: journeys.join(format!("build-{language}")),
            hub: hub.url.clone(),
            work,
        })
    };
    let mut failures = Vec::new();
    for language in languages {
        println!("\n== journey in {language}");
        let hub = Hub::start(&hub_program, &journeys.join(format!("hub-{language}")))?;
        let kit = kit_of(language, &hub)?;
        let outcome = match *language {
            "python" => python::run(&kit),
            "c" => c::run(&kit),
            "kotlin" => kotlin::run(&kit),
            _ => swift::run(&kit),
        };
        match outcome.and_then(|()| kit.compare()).and_then(|()| kit.is_whole(language)) {
            Ok(()) => println!("== journey in {language}: as expected"),
            Err(why) => failures.push(format!("{language}: {why}")),
        }
    }
    if ["python", "c"].iter().all(|language| languages.contains(language)) {
        println!("\n== Python and C in one team");
        let hub = Hub::start(&hub_program, &journeys.join("hub-together"))?;
        let (host, guest) = (kit_of("python", &hub)?, kit_of("c", &hub)?);
        match together::run(&host, &guest) {
            Ok(()) => println!("== Python and C in one team: the same on both"),
            Err(why) => failures.push(format!("together: {why}")),
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

/// Builds the library with the test door, and the command line that runs the hub: in the form of call
/// that the tests use, so that nothing is compiled twice.
pub(crate) fn build(target: &Path) -> Result<PathBuf, String> {
    let args = ["build", "--workspace", "--features", "tuquan-ffi/test-door"];
    call(&mut cargo(&root(), args))?;
    Ok(target.join("debug"))
}

/// Builds what makes sources of the library, and returns its place.
pub(crate) fn bindgen(target: &Path) -> Result<PathBuf, String> {
    let target = target.join("bindgen");
    let args = ["build", "--manifest-path", "bindings/bindgen/Cargo.toml", "--locked"];
    call(cargo(&root(), args).arg("--target-dir").arg(&target))?;
    Ok(target.join("debug/uniffi-bindgen"))
}

/// Makes the sources of each language from the library that was built of a checkout.
pub(crate) fn generate(checkout: &Path, bindgen: &Path, library: &Path, to: &Path) -> Outcome {
    fs::remove_dir_all(to).ok();
    for language in ["kotlin", "swift", "python"] {
        let mut command = Command::new(bindgen);
        command.current_dir(checkout).arg("generate").arg(library.join("libtuquan_ffi.so"));
        command.args(["--language", language, "--no-format", "--out-dir"]);
        call(command.arg(to.join(language)).stdout(Stdio::null()))?;
    }
    Ok(())
}

impl Kit {
    /// Gives a command what a journey needs to find.
    pub(crate) fn equip<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .env("TUQUAN_LIBRARY", &self.library)
            .env("TUQUAN_GENERATED", &self.generated)
            .env("TUQUAN_HUB", &self.hub)
            .env("TUQUAN_WORK", &self.work)
            .env("TUQUAN_JOURNEY", self.root.join("bindings/journey"))
    }

    /// Tells whether the journey's source names every exported call.
    fn is_whole(&self, language: &str) -> Outcome {
        let source = match language {
            "python" => "bindings/python/tests/journey.py",
            "c" => "bindings/c/tests/journey.c",
            "kotlin" => "bindings/kotlin/src/test/kotlin/vn/tuquan/JourneyTest.kt",
            _ => "bindings/swift/Tests/TuquanKitTests/JourneyTests.swift",
        };
        let missing = crate::surface::missing(&self.generated, &self.root.join(source))?;
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!("{source} does not go through {}", missing.join(", ")))
    }

    /// Compares what was found with what all languages must find.
    fn compare(&self) -> Outcome {
        let read = |path: PathBuf| -> Result<serde_json::Value, String> {
            let text = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
        };
        let expected = read(self.root.join("bindings/journey/expected.json"))?;
        let found = read(self.work.join("result.json"))?;
        let (Some(expected), Some(found)) = (expected.as_object(), found.as_object()) else {
            return Err("a result is an object".to_owned());
        };
        let mut differ = Vec::new();
        for name in expected.keys().chain(found.keys()) {
            let (wanted, got) = (expected.get(name), found.get(name));
            let line = format!("{name}: expected {wanted:?}, found {got:?}");
            if wanted != got && !differ.contains(&line) {
                differ.push(line);
            }
        }
        if differ.is_empty() { Ok(()) } else { Err(differ.join("\n  ")) }
    }
}
