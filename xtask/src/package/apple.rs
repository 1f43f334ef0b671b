//! `cargo xtask package apple [--check]`: the XCFramework and the Swift package around it.
//!
//! Building needs macOS with Xcode. `--check` checks what any machine can: the scripts, the privacy
//! manifest, the folder of headers, and that the list of what stays visible is right for the library
//! as built here. Must not know: what the calls do.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::cargo::{cargo, read, root, run as call};
use crate::journey::bindgen;
use crate::swiftpm;

/// What the checkout holds for Apple's systems.
const OWN: &str = "bindings/swift/apple";
const PRIVACY: &str = "bindings/swift/Sources/TuquanKit/PrivacyInfo.xcprivacy";

/// How many names of SQLite there are at the least: with fewer the check looked at something else.
const SQLITE_MIN: usize = 200;

/// Makes the package, or checks it.
pub(crate) fn run(args: &[&str]) -> Outcome {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let place = Place { root: root(), target };
    match args {
        [] if cfg!(target_os = "macos") => place.make(),
        [] => Err("an XCFramework is made on macOS; --check checks what can be here".to_owned()),
        ["--check"] => place.check(),
        _ => Err("cargo xtask package apple [--check]".to_owned()),
    }
}

struct Place {
    root: PathBuf,
    target: PathBuf,
}

impl Place {
    fn make(&self) -> Outcome {
        let generated = self.generate()?;
        let headers = self.headers(&generated)?;
        let package = self.out().join("TuquanKit");
        swiftpm::assemble(&self.root, &generated, &package)?;
        let mut script = Command::new("bash");
        script.arg(self.own("xcframework.sh")).args([&self.root, &headers, &package]);
        call(&mut script)?;
        println!("made {}", package.display());
        Ok(())
    }

    fn check(&self) -> Outcome {
        call(Command::new("bash").arg("-n").arg(self.own("xcframework.sh")))?;
        self.check_privacy()?;
        let generated = self.generate()?;
        let headers = self.headers(&generated)?;
        let calls = check_headers(&headers.join("TuquanFFI"))?;
        let visible = patterns(&self.own("exported.txt"))?;
        check_archive(&self.debug().join("libtuquan_ffi.a"), &calls, &visible)
    }

    fn debug(&self) -> PathBuf {
        self.target.join("debug")
    }

    fn out(&self) -> PathBuf {
        self.target.join("package/apple")
    }

    fn own(&self, name: &str) -> PathBuf {
        self.root.join(OWN).join(name)
    }

    /// Builds the library for this machine, as it ships, and makes the Swift sources from it.
    fn generate(&self) -> Result<PathBuf, String> {
        call(&mut cargo(&self.root, ["build", "--package", "tuquan-ffi"]))?;
        let generated = self.out().join("generated");
        fs::remove_dir_all(&generated).ok();
        let library = format!("libtuquan_ffi{}", std::env::consts::DLL_SUFFIX);
        let mut command = Command::new(bindgen(&self.target)?);
        command.current_dir(&self.root).arg("generate").arg(self.debug().join(library));
        command.args(["--language", "swift", "--no-format", "--out-dir"]).arg(&generated);
        call(command.stdout(Stdio::null()))?;
        Ok(generated)
    }

    /// Makes the folder of headers. They are in a folder of their own name: Xcode copies the headers
    /// of all packages into one place, where two module maps would be one too many.
    fn headers(&self, generated: &Path) -> Result<PathBuf, String> {
        let headers = self.out().join("Headers");
        fs::remove_dir_all(&headers).ok();
        for (name, content) in swiftpm::headers(generated)? {
            let path = headers.join("TuquanFFI").join(name);
            swiftpm::write(&path, content.as_bytes())
                .map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(headers)
    }

    /// Checks that the privacy manifest is one, and says why the time of files is looked at.
    fn check_privacy(&self) -> Outcome {
        const READ: &str = "import plistlib, sys; said = plistlib.load(open(sys.argv[1], 'rb')); \
            print(said['NSPrivacyTracking'], *(use['NSPrivacyAccessedAPIType'] + '=' + \
            '+'.join(use['NSPrivacyAccessedAPITypeReasons']) \
            for use in said['NSPrivacyAccessedAPITypes']))";
        let said = read(Command::new("python3").args(["-c", READ]).arg(self.root.join(PRIVACY)))?;
        let said = String::from_utf8_lossy(&said);
        let wanted = "False NSPrivacyAccessedAPICategoryFileTimestamp=C617.1";
        if said.trim() == wanted {
            return Ok(());
        }
        Err(format!("{PRIVACY} says {said:?}, not {wanted:?}"))
    }
}

/// Checks that the module map names headers that are there and that a C compiler takes; returns the
/// functions that they declare.
fn check_headers(folder: &Path) -> Result<BTreeSet<String>, String> {
    let failed = |error| format!("{}: {error}", folder.display());
    let map = fs::read_to_string(folder.join("module.modulemap")).map_err(failed)?;
    let named: BTreeSet<&str> = map
        .lines()
        .filter_map(|line| line.trim().strip_prefix("header ").map(|name| name.trim_matches('"')))
        .collect();
    let modules = map.lines().filter(|line| line.starts_with("module ")).count();
    let there = fs::read_dir(folder).map_err(failed)?.count() - 1;
    if named.is_empty() || modules != named.len() || there != named.len() {
        let count = named.len();
        return Err(format!("{there} headers, {modules} modules that name {count} headers"));
    }
    let mut calls = BTreeSet::new();
    for name in named {
        let header = folder.join(name);
        let mut compile = Command::new("cc");
        // Of clang's words for pointers other compilers know nothing.
        compile
            .args(["-fsyntax-only", "-Werror", "-D_Nonnull=", "-D_Nullable=", "-include"])
            .arg(&header);
        call(compile.args(["-x", "c", "/dev/null"]))?;
        let text = fs::read_to_string(&header).map_err(failed)?;
        calls.extend(text.lines().filter_map(declared).map(str::to_owned));
    }
    Ok(calls)
}

/// Returns the function that a line of a generated header declares.
fn declared(line: &str) -> Option<&str> {
    let (before, _) = line.split_once('(')?;
    let name = before.rsplit([' ', '*']).next()?;
    (name.starts_with("uniffi_tuquan_") || name.starts_with("ffi_tuquan_")).then_some(name)
}

/// Reads the patterns of names that stay visible: an underscore, a name, perhaps a star.
fn patterns(list: &Path) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(list).map_err(|error| format!("{}: {error}", list.display()))?;
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| match line.strip_prefix('_').map(|name| name.trim_end_matches('*')) {
            // On Apple's systems every name of C has an underscore before it.
            Some(name) if !name.is_empty() && !name.contains('*') => Ok(name.to_owned()),
            _ => Err(format!("{}: no pattern: {line}", list.display())),
        })
        .collect()
}

/// Checks that of a library's names the generated calls stay visible, and none of what it brings.
fn check_archive(archive: &Path, calls: &BTreeSet<String>, visible: &[String]) -> Outcome {
    let mut list = Command::new("nm");
    // It knows no symbols in the parts that hold Rust's metadata, and says so.
    list.args(["--defined-only", "--extern-only", "--format=just-symbols"]).stderr(Stdio::null());
    let list = read(list.arg(archive))?;
    let list = String::from_utf8_lossy(&list);
    let names: BTreeSet<&str> = list.lines().filter(|line| !line.ends_with(':')).collect();
    let stays = |name: &str| visible.iter().any(|start| name.starts_with(start.as_str()));

    let missing: Vec<&String> =
        calls.iter().filter(|call| !names.contains(call.as_str())).collect();
    let hidden: Vec<&String> = calls.iter().filter(|call| !stays(call)).collect();
    let brought = |name: &&&str| stays(name) && !calls.contains(**name);
    let strange: Vec<&&str> = names.iter().filter(brought).collect();
    let sqlite = names.iter().filter(|name| name.starts_with("sqlite3")).count();
    if calls.is_empty() || !missing.is_empty() || !hidden.is_empty() || !strange.is_empty() {
        return Err(format!(
            "of {} calls, the library lacks {missing:?}, the list hides {hidden:?}; it shows \
             {strange:?}",
            calls.len()
        ));
    }
    if sqlite < SQLITE_MIN {
        return Err(format!("only {sqlite} names of SQLite in {}", archive.display()));
    }
    if names.iter().any(|name| name.contains("provoke_panic")) {
        return Err("the library has the door for tests".to_owned());
    }
    let gone = names.len() - calls.len();
    println!("{} calls stay visible; {gone} names do not, {sqlite} of SQLite's", calls.len());
    Ok(())
}
