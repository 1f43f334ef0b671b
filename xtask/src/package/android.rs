//! The AAR: one library for each kind of phone, the wrapper with what was generated, and the rules
//! that keep a minifier from taking them apart. It lies in a folder that Gradle and Maven read as a
//! repository.
//!
//! Must not know: what the library does.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::cargo::{cargo, read, root, run as call, ship};
use crate::debian::on_path;
use crate::elf::{Library, realigned};
use crate::journey::bindgen;
use crate::maven::Maven;

/// A kind of phones.
struct Abi {
    name: &'static str,
    /// The machine's number in ELF.
    machine: u16,
    /// How its segments must be aligned: Play asks 64-bit libraries for pages of 16 KB.
    page_bytes: u64,
}

const ABIS: [Abi; 3] = [
    Abi { name: "arm64-v8a", machine: 183, page_bytes: 0x4000 },
    Abi { name: "armeabi-v7a", machine: 40, page_bytes: 0x1000 },
    HERE,
];
/// The emulator's; the one that this machine can build a library for.
const HERE: Abi = Abi { name: "x86_64", machine: 62, page_bytes: 0x4000 };
/// Android 8.0.
const API_MIN: &str = "26";
/// What every phone has.
const OF_SYSTEM: [&str; 4] = ["libc.so", "libm.so", "libdl.so", "liblog.so"];
/// How an export may begin: what is not ours must not be seen, SQLite above all.
const OURS: [&str; 5] = ["ffi_tuquan_", "uniffi_tuquan_", "UNIFFI_META_", "tq_", "tuquan_cipher"];
const VERSION: &str = env!("CARGO_PKG_VERSION");
const LIBRARY: &str = "libtuquan_ffi.so";
/// What runs `consumer-rules.pro` as an app's build does.
const MINIFIER: &str = "com.android.tools:r8:9.5.28";
const FETCH: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";
/// What an app gets of JNA: has libraries of its own. As `bindings/kotlin/android/pom.xml` has it.
const JNA: &str = "net.java.dev.jna:jna:5.19.1:aar";

struct Packaging {
    root: PathBuf,
    target: PathBuf,
    out: PathBuf,
    maven: Maven,
}

/// Makes the AAR, or with `--check` one of this machine's library, to see that everything up to the
/// NDK works.
pub(super) fn run(args: &[&str]) -> Outcome {
    let is_check = match args {
        [] => false,
        ["--check"] => true,
        _ => return Err("cargo xtask package android [--check]".to_owned()),
    };
    let root = root();
    let target = crate::cargo::target();
    let out = target.join(if is_check { "package/android-check" } else { "package/android" });
    fs::remove_dir_all(&out).ok();
    let packaging = Packaging { root, target, out, maven: Maven::find()? };
    if is_check { packaging.check() } else { packaging.make() }
}

impl Packaging {
    fn make(&self) -> Outcome {
        let has_ndk = ["ANDROID_NDK_HOME", "ANDROID_NDK_ROOT"]
            .iter()
            .any(|name| std::env::var_os(name).is_some());
        if !has_ndk || on_path("cargo-ndk").is_none() {
            return Err("needs the NDK, r28 or newer, at ANDROID_NDK_HOME, and cargo-ndk 4; what \
                        can be checked without them: cargo xtask package android --check"
                .to_owned());
        }
        let aar = self.out.join("aar");
        let mut command = cargo(&self.root, ["ndk", "--platform", API_MIN]);
        for abi in &ABIS {
            command.args(["--target", abi.name]);
        }
        command.arg("--output-dir").arg(aar.join("jni"));
        command.args(["build", "--profile", "ship", "--package", "tuquan-ffi"]);
        // Android 8 knows this packing of relocations, and not yet the general one.
        call(ship(&mut command, &["--pack-dyn-relocs=android"]))?;
        let generated = self.generate(&[])?;
        self.assemble(&generated, &aar)?;
        for abi in &ABIS {
            let library = Library::read(&aar.join("jni").join(abi.name).join(LIBRARY))?;
            let faults = faults(&library, abi, &named(&generated)?);
            let foreign = library.needs.iter().filter(|name| !OF_SYSTEM.contains(&name.as_str()));
            let foreign: Vec<String> =
                foreign.map(|name| format!("needs {name}, which no phone has")).collect();
            refuse(abi.name, &[faults, foreign].concat())?;
        }
        let repository = self.publish(&aar)?;
        println!("packaged; as a repository of Gradle: {}", repository.display());
        Ok(())
    }

    fn check(&self) -> Outcome {
        let aar = self.out.join("aar");
        // The NDK's linker aligns like this by itself from r28 on; this machine's is told to.
        let generated = self.generate(&["--", "-C", "link-arg=-Wl,-z,max-page-size=16384"])?;
        let place = aar.join("jni").join(HERE.name);
        let failed = |error: std::io::Error| format!("{}: {error}", place.display());
        fs::create_dir_all(&place).map_err(failed)?;
        fs::copy(self.target.join("debug").join(LIBRARY), place.join(LIBRARY)).map_err(failed)?;
        self.assemble(&generated, &aar)?;

        let bytes = fs::read(place.join(LIBRARY)).map_err(failed)?;
        let library = Library::parse(&bytes).ok_or("the library cannot be read")?;
        let named = named(&generated)?;
        refuse(HERE.name, &faults(&library, &HERE, &named))?;
        println!(
            "library: {} exports, pages of {} bytes",
            library.exports.len(),
            library.alignment
        );
        let small = realigned(&bytes, 0x1000).and_then(|bytes| Library::parse(&bytes));
        let small = small.ok_or("the library cannot be realigned")?;
        if faults(&small, &HERE, &named).is_empty() {
            return Err("a library with pages of 4 KB was let through".to_owned());
        }
        let repository = self.publish(&aar)?;
        self.minify(&aar)?;
        self.check_jna()?;
        println!("checked: {}", repository.display());
        println!("not done here: builds by cargo-ndk for {}, a run on a phone", abis().join(", "));
        Ok(())
    }

    /// Builds the library for this machine, and makes the Kotlin sources of it: what ships is
    /// stripped of what they are made of.
    fn generate(&self, rustc: &[&str]) -> Result<PathBuf, String> {
        let build = ["rustc", "--package", "tuquan-ffi", "--lib", "--crate-type", "cdylib"];
        call(cargo(&self.root, build).args(rustc))?;
        let debug = self.target.join("debug");
        let generated = self.out.join("generated");
        let mut command = Command::new(bindgen(&self.target)?);
        command.current_dir(&self.root).arg("generate").arg(debug.join(LIBRARY));
        command.args(["--language", "kotlin", "--no-format", "--out-dir"]);
        call(command.arg(generated.join("kotlin")).stdout(Stdio::null()))?;
        Ok(generated)
    }

    /// Puts everything but the libraries into the AAR's folder.
    fn assemble(&self, generated: &Path, aar: &Path) -> Outcome {
        let project = self.root.join("bindings/kotlin");
        let build = self.out.join("build");
        let mut command = self.maven.on(&project, &build);
        command.env("TUQUAN_GENERATED", generated).env("TUQUAN_LIBRARY", &self.target);
        call(command.args(["-Dmaven.test.skip=true", "package"]))?;
        let copies = [
            (build.join(format!("tuquan-{VERSION}.jar")), "classes.jar"),
            (project.join("android/AndroidManifest.xml"), "AndroidManifest.xml"),
            (project.join("android/consumer-rules.pro"), "proguard.txt"),
        ];
        for (from, name) in copies {
            fs::copy(&from, aar.join(name))
                .map_err(|error| format!("{} to {name}: {error}", from.display()))?;
        }
        // It has no resources, and says so.
        fs::write(aar.join("R.txt"), "").map_err(|error| format!("R.txt: {error}"))
    }

    /// Closes the AAR and puts it, with what says what it needs, where a build finds it. Reads back
    /// what is in it.
    fn publish(&self, aar: &Path) -> Result<PathBuf, String> {
        let repository = self.out.join("repository");
        let folder = repository.join("vn/tuquan/tuquan-android").join(VERSION);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let file = folder.join(format!("tuquan-android-{VERSION}.aar"));
        let mut jar = self.maven.tool("jar");
        jar.args(["--create", "--no-manifest", "--file"]).arg(&file);
        call(jar.arg("-C").arg(aar).arg("."))?;
        let from = self.root.join("bindings/kotlin/android/pom.xml");
        let pom =
            fs::read_to_string(&from).map_err(|error| format!("{}: {error}", from.display()))?;
        if !pom.contains(&format!("<version>{VERSION}</version>")) {
            return Err(format!("{} is of another version than {VERSION}", from.display()));
        }
        fs::write(folder.join(format!("tuquan-android-{VERSION}.pom")), pom)
            .map_err(|error| format!("{}: {error}", folder.display()))?;

        let listed = read(self.maven.tool("jar").arg("--list").arg("--file").arg(&file))?;
        let listed = String::from_utf8_lossy(&listed);
        let whole = ["AndroidManifest.xml", "classes.jar", "R.txt", "proguard.txt"];
        let missing = whole.iter().filter(|name| !listed.lines().any(|line| line == **name));
        refuse("the AAR", &missing.map(|name| format!("lacks {name}")).collect::<Vec<_>>())?;
        Ok(repository)
    }

    /// Sees that JNA's own libraries fit the phones' pages.
    fn check_jna(&self) -> Outcome {
        let folder = self.fetch(JNA)?;
        let file = files(&folder)?.pop().ok_or("JNA was not fetched")?;
        call(
            self.maven.tool("jar").current_dir(&folder).arg("--extract").arg("--file").arg(&file),
        )?;
        for abi in &ABIS {
            let library =
                Library::read(&folder.join("jni").join(abi.name).join("libjnidispatch.so"))?;
            if library.machine != abi.machine || library.alignment < abi.page_bytes {
                return Err(format!("JNA for {} is aligned to {}", abi.name, library.alignment));
            }
        }
        println!("JNA's own libraries fit the pages of {}", abis().join(", "));
        Ok(())
    }

    /// Gets one file of Maven's into a folder of its own.
    fn fetch(&self, artifact: &str) -> Result<PathBuf, String> {
        let name = artifact.split(':').nth(1).unwrap_or(artifact);
        let folder = self.out.join("tools").join(name);
        let project = self.root.join("bindings/kotlin");
        let mut command = self.maven.on(&project, &self.out.join("build"));
        command.arg(format!("{FETCH}:copy")).arg(format!("-Dartifact={artifact}"));
        call(command.arg(format!("-DoutputDirectory={}", folder.display())))?;
        Ok(folder)
    }

    /// Minifies the classes as an app's build would, by the rules alone: what C finds by its name
    /// must still be there.
    fn minify(&self, aar: &Path) -> Outcome {
        let build = self.out.join("build");
        let project = self.root.join("bindings/kotlin");
        let tools = self.fetch(MINIFIER)?;
        let needs = self.out.join("needs");
        let mut command = self.maven.on(&project, &build);
        command.arg(format!("{FETCH}:copy-dependencies")).arg("-DincludeScope=runtime");
        call(command.arg(format!("-DoutputDirectory={}", needs.display())))?;
        let out = self.out.join("minified.jar");
        let mut java = self.maven.tool("java");
        java.arg("-cp").arg(tools.join("*")).arg("com.android.tools.r8.R8");
        java.args(["--release", "--classfile", "--lib"]).arg(self.maven.home());
        java.arg("--pg-conf").arg(aar.join("proguard.txt")).arg("--output").arg(&out);
        java.arg(aar.join("classes.jar"));
        for need in files(&needs)? {
            java.arg(need);
        }
        call(&mut java)?;
        // The order of a structure's fields, and a call by its name.
        let wanted = [
            ("vn.tuquan.ffi.RustBuffer", "value=[\"capacity\",\"len\",\"data\"]"),
            ("vn.tuquan.ffi.UniffiLib", "uniffi_tuquan_ffi_fn_method_tuquan_apply"),
        ];
        for (class, what) in wanted {
            let mut javap = self.maven.tool("javap");
            let shown = read(javap.args(["-v", "-p", "-cp"]).arg(&out).arg(class))?;
            if !String::from_utf8_lossy(&shown).contains(what) {
                return Err(format!("{class} has lost {what} by minifying"));
            }
        }
        println!("minified by consumer-rules.pro: what C finds by its name is there");
        Ok(())
    }
}

fn abis() -> Vec<&'static str> {
    ABIS.iter().map(|abi| abi.name).collect()
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

/// Returns the functions that the generated Kotlin calls.
fn named(generated: &Path) -> Result<BTreeSet<String>, String> {
    let mut names = BTreeSet::new();
    for path in ["data/tuquan_core.kt", "ffi/tuquan_ffi.kt"] {
        let path = generated.join("kotlin/vn/tuquan").join(path);
        let source =
            fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let calls = source.lines().filter_map(|line| line.trim().strip_prefix("external fun "));
        names.extend(calls.filter_map(|call| Some(call.split_once('(')?.0.to_owned())));
    }
    if names.is_empty() { Err("the generated Kotlin calls nothing".to_owned()) } else { Ok(names) }
}

/// Returns what is wrong with a library.
fn faults(library: &Library, abi: &Abi, named: &BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    if library.machine != abi.machine {
        faults.push(format!("is for machine {}, not {}", library.machine, abi.machine));
    }
    if library.alignment < abi.page_bytes {
        faults.push(format!("is aligned to {} bytes, not {}", library.alignment, abi.page_bytes));
    }
    for export in &library.exports {
        if !OURS.iter().any(|ours| export.starts_with(ours)) {
            faults.push(format!("lets {export} be seen"));
        }
        if export.contains("provoke_panic") {
            faults.push("has the tests' door".to_owned());
        }
    }
    let lacks = named.iter().filter(|name| !library.exports.contains(name));
    faults.extend(lacks.map(|name| format!("lacks {name}")));
    faults
}

fn refuse(what: &str, faults: &[String]) -> Outcome {
    if faults.is_empty() {
        return Ok(());
    }
    Err(format!("{what} {}", faults.join(&format!("\n  {what} "))))
}
