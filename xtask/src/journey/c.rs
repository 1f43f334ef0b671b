//! The journey in C: under AddressSanitizer and again under Valgrind; the examples; the header as C
//! and as C++; what the library exports.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Kit;
use crate::cargo::{read, run as call};
use crate::gcc::{COMPILERS, Language, Tool, install, strict};
use crate::{Outcome, header, symbols};

const TOOLS: [Tool; 1] = [("valgrind", "valgrind")];
const LIBRARIES: [Tool; 1] = [("jansson", "libjansson-dev")];
/// What is there only for tests.
const TEST_DOOR: [&str; 1] = ["tq_provoke_panic"];
/// Everything that was lost counts; what the system's libraries keep to the end does not.
const VALGRIND: [&str; 5] = [
    "--quiet",
    "--error-exitcode=9",
    "--leak-check=full",
    "--show-leak-kinds=definite,indirect,possible",
    "--errors-for-leak-kinds=definite,indirect,possible",
];

/// Runs it.
pub(crate) fn run(kit: &Kit) -> Outcome {
    install(&[&COMPILERS[..], &TOOLS[..]].concat(), &LIBRARIES)?;
    header::run(&["--check"])?;
    let folder = kit.root.join("bindings/c");
    let library = kit.library.join("libtuquan_ffi.so");
    symbols::check(&library, &folder.join("symbols.txt"), &TEST_DOOR)?;
    let build = Build { kit, folder };
    fs::create_dir_all(&kit.build).map_err(|error| format!("{}: {error}", kit.build.display()))?;
    build.both_languages()?;
    build.journey()?;
    build.examples()
}

/// Builds the guest of another language's team.
pub(super) fn guest(kit: &Kit) -> Result<PathBuf, String> {
    install(&COMPILERS, &LIBRARIES)?;
    fs::create_dir_all(&kit.build).map_err(|error| format!("{}: {error}", kit.build.display()))?;
    let build = Build { kit, folder: kit.root.join("bindings/c") };
    build.program("guest", &["tests/kit.c", "tests/guest.c"], &["-fsanitize=address"])
}

/// Tells what crossing costs.
pub(super) fn cost(kit: &Kit) -> Result<Vec<u8>, String> {
    install(&COMPILERS, &LIBRARIES)?;
    fs::create_dir_all(&kit.build).map_err(|error| format!("{}: {error}", kit.build.display()))?;
    let build = Build { kit, folder: kit.root.join("bindings/c") };
    let cost = build.program("cost", &["tests/kit.c", "tests/cost.c"], &["-O2"])?;
    read(kit.equip(&mut Command::new(cost)))
}

struct Build<'k> {
    kit: &'k Kit,
    folder: PathBuf,
}

impl Build<'_> {
    /// Compiles and links a program of `bindings/c` against the library with the test door.
    fn program(&self, name: &str, sources: &[&str], flags: &[&str]) -> Result<PathBuf, String> {
        let to = self.kit.build.join(name);
        let mut command = strict(Language::C11, &self.folder.join("include"));
        command.arg("-DTQ_TEST_DOOR").args(flags);
        command.args(sources.iter().map(|source| self.folder.join(source)));
        command.arg("-o").arg(&to).arg("-L").arg(&self.kit.library).arg("-ltuquan_ffi");
        command.arg(format!("-Wl,-rpath,{}", self.kit.library.display()));
        call(command.args(["-ljansson", "-pthread"]))?;
        Ok(to)
    }

    /// Compiles the header alone, and the examples, as C and as C++.
    fn both_languages(&self) -> Outcome {
        let alone = self.kit.build.join("alone.c");
        let text = "#include \"tuquan.h\"\nint main(void) { return TQ_OK; }\n";
        fs::write(&alone, text).map_err(|error| format!("{}: {error}", alone.display()))?;
        let examples = ["two_devices", "first_note"]
            .map(|name| self.folder.join("examples").join(name).with_extension("c"));
        for language in [Language::C11, Language::Cpp17] {
            for source in examples.iter().chain([&alone]) {
                let mut command = strict(language, &self.folder.join("include"));
                call(command.arg("-fsyntax-only").arg(source))?;
            }
        }
        Ok(())
    }

    fn journey(&self) -> Outcome {
        let sources = ["tests/kit.c", "tests/journey.c"];
        let plain = self.program("journey", &sources, &[])?;
        let watched = self.program("journey-asan", &sources, &["-fsanitize=address"])?;
        println!("under AddressSanitizer");
        call(self.kit.equip(&mut Command::new(watched)))?;
        println!("under Valgrind");
        let again = self.emptied("valgrind")?;
        let mut command = Command::new("valgrind");
        self.kit.equip(command.args(VALGRIND).arg(plain)).env("TUQUAN_WORK", &again);
        call(&mut command)?;
        let result = |folder: &Path| fs::read(folder.join("result.json")).unwrap_or_default();
        match result(&again) == result(&self.kit.work) {
            true => Ok(()),
            false => Err("two runs did not find the same".to_owned()),
        }
    }

    fn examples(&self) -> Outcome {
        let sanitized = ["-fsanitize=address"];
        let two = self.program("two_devices", &["examples/two_devices.c"], &sanitized)?;
        let said = read(Command::new(two).arg(self.emptied("two")?))?;
        let said = String::from_utf8_lossy(&said).into_owned();
        let hashes: Vec<&str> =
            said.lines().filter_map(|line| Some(line.split_once(' ')?.1)).collect();
        if hashes.len() != 2 || hashes[0] != hashes[1] || hashes[0].len() < 64 {
            return Err(format!("two devices met and differ:\n{said}"));
        }
        let first = self.program("first_note", &["examples/first_note.c"], &sanitized)?;
        let said = read(Command::new(first).arg(self.emptied("first")?).arg(&self.kit.hub))?;
        match String::from_utf8_lossy(&said).contains("Ổ điện hành lang bị chập") {
            true => Ok(()),
            false => Err("the first note is not in the list".to_owned()),
        }
    }

    /// Returns an empty folder for one run.
    fn emptied(&self, name: &str) -> Result<PathBuf, String> {
        let folder = self.kit.work.join(name);
        fs::remove_dir_all(&folder).ok();
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(folder)
    }
}
