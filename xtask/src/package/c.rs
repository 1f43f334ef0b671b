//! The archive for C: both libraries as they ship, the header, what pkg-config and CMake read. It is
//! unpacked elsewhere, and an example is built against it in three ways and run.
//!
//! Must not know: what the library does.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cargo::{cargo, read, root, run as call, ship};
use crate::gcc::{COMPILERS, Language, Tool, install, strict};
use crate::{Outcome, header, symbols};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const TOOLS: [Tool; 1] = [("cmake", "cmake")];
/// What every Linux has.
const OF_SYSTEM: [&str; 4] = ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux"];

struct Packaging {
    root: PathBuf,
    target: PathBuf,
    /// What goes into the archive.
    content: PathBuf,
    out: PathBuf,
}

/// Makes the archive and sees that it can be used.
pub(super) fn run(args: &[&str]) -> Outcome {
    if !args.is_empty() {
        return Err("package c takes nothing".to_owned());
    }
    install(&[&COMPILERS[..], &TOOLS[..]].concat(), &[])?;
    header::run(&["--check"])?;
    let root = root();
    let target = crate::cargo::target();
    let out = target.join("package/c");
    fs::remove_dir_all(&out).ok();
    let name = format!("tuquan-c-{VERSION}-linux-{}", std::env::consts::ARCH);
    let packaging = Packaging { root, target, content: out.join(&name), out };
    let private = packaging.build()?;
    packaging.fill(&private)?;
    let archive = packaging.out.join(format!("{name}.tar.gz"));
    call(tar(&packaging.out).arg("-czf").arg(&archive).arg(&name))?;
    packaging.try_out(&archive, &name)?;
    println!("packaged and tried out: {}", archive.display());
    Ok(())
}

fn tar(folder: &Path) -> Command {
    let mut command = Command::new("tar");
    command.arg("-C").arg(folder);
    command
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> String {
    move |error| format!("{}: {error}", path.display())
}

fn so() -> String {
    format!("libtuquan.so.{VERSION}")
}

impl Packaging {
    /// Builds both libraries as they ship; returns what the static one must be linked with.
    fn build(&self) -> Result<String, String> {
        let private = self.target.join("native-static-libs");
        let build = ["rustc", "--profile", "ship", "--package", "tuquan-ffi", "--lib", "--"];
        let mut command = cargo(&self.root, build);
        // No promise is made between versions, so the loader is not let mix them.
        command.args(["-C", &format!("link-arg=-Wl,-soname,{}", so()), "--print"]);
        command.arg(format!("native-static-libs={}", private.display()));
        call(ship(&mut command, &[]))?;
        let text = fs::read_to_string(&private).map_err(failed(&private))?;
        Ok(text.trim().trim_start_matches("native-static-libs: ").to_owned())
    }

    /// Puts everything into the archive's folder.
    fn fill(&self, private: &str) -> Outcome {
        let built = self.target.join("ship");
        let bindings = self.root.join("bindings/c");
        let copies = [
            (built.join("libtuquan_ffi.so"), format!("lib/{}", so())),
            (built.join("libtuquan_ffi.a"), "lib/libtuquan.a".to_owned()),
            (bindings.join("include/tuquan.h"), "include/tuquan.h".to_owned()),
            (bindings.join("README.md"), "share/doc/tuquan/README.md".to_owned()),
            (self.root.join("LICENSE-MIT"), "share/doc/tuquan/LICENSE-MIT".to_owned()),
            (self.root.join("LICENSE-APACHE"), "share/doc/tuquan/LICENSE-APACHE".to_owned()),
        ];
        for (from, to) in copies {
            let to = self.place(&to)?;
            fs::copy(&from, to).map_err(failed(&from))?;
        }
        let link = self.place("lib/libtuquan.so")?;
        symlink(so(), &link).map_err(failed(&link))?;
        let templates = [
            ("tuquan.pc.in", "lib/pkgconfig/tuquan.pc", private.to_owned()),
            (
                "tuquan-config.cmake.in",
                "lib/cmake/tuquan/tuquan-config.cmake",
                private.split_whitespace().collect::<Vec<_>>().join(";"),
            ),
            (
                "tuquan-config-version.cmake.in",
                "lib/cmake/tuquan/tuquan-config-version.cmake",
                String::new(),
            ),
        ];
        for (from, to, private) in templates {
            let from = bindings.join(from);
            let text = fs::read_to_string(&from).map_err(failed(&from))?;
            let text = text.replace("@VERSION@", VERSION).replace("@PRIVATE@", &private);
            let to = self.place(to)?;
            fs::write(&to, text).map_err(failed(&to))?;
        }
        Ok(())
    }

    /// Returns the place of a file in the archive's folder.
    fn place(&self, path: &str) -> Result<PathBuf, String> {
        let path = self.content.join(path);
        let folder = path.parent().unwrap_or(&path);
        fs::create_dir_all(folder).map_err(failed(folder))?;
        Ok(path)
    }

    /// Unpacks the archive elsewhere, looks at the library, and builds and runs an example with it.
    fn try_out(&self, archive: &Path, name: &str) -> Outcome {
        let scratch = self.out.join("scratch");
        fs::create_dir_all(&scratch).map_err(failed(&scratch))?;
        call(tar(&scratch).arg("-xzf").arg(archive))?;
        let prefix = scratch.join(name);
        let library = prefix.join("lib").join(so());
        symbols::check(&library, &self.root.join("bindings/c/symbols.txt"), &[])?;
        let (own, needed) = dynamic(&library)?;
        if own != [so()] {
            return Err(format!("the library is called {own:?}"));
        }
        let is_foreign = |name: &&String| !OF_SYSTEM.iter().any(|of| name.starts_with(of));
        if let Some(foreign) = needed.iter().find(is_foreign) {
            return Err(format!("the library needs {foreign}, which not every machine has"));
        }
        for (way, program) in [
            ("pkg-config", self.by_pkg_config(&prefix, false)?),
            ("pkg-config --static", self.by_pkg_config(&prefix, true)?),
            ("CMake", self.by_cmake(&prefix)?),
        ] {
            let is_static = way.ends_with("static");
            if dynamic(&program)?.1.contains(&so()) == is_static {
                return Err(format!("{way} linked the other library"));
            }
            self.meet(&program, &prefix).map_err(|why| format!("by {way}: {why}"))?;
            println!("built by {way}, and run");
        }
        let bytes = |path: &Path| fs::metadata(path).map_or(0, |file| file.len());
        println!("{}: {} bytes; archive: {} bytes", so(), bytes(&library), bytes(archive));
        Ok(())
    }

    fn by_pkg_config(&self, prefix: &Path, is_static: bool) -> Result<PathBuf, String> {
        let mut ask = Command::new("pkg-config");
        ask.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")).args(["--cflags", "--libs"]);
        ask.args(is_static.then_some("--static")).arg(format!("tuquan = {VERSION}"));
        let flags = String::from_utf8_lossy(&read(&mut ask)?).into_owned();
        let program = self.out.join(if is_static { "two_devices-static" } else { "two_devices" });
        let mut command = strict(Language::C11, &prefix.join("include"));
        command.arg(self.root.join("bindings/c/examples/two_devices.c")).arg("-o").arg(&program);
        for flag in flags.split_whitespace() {
            // The linker prefers the shared one of two that have one name.
            command.arg(if is_static && flag == "-ltuquan" { "-l:libtuquan.a" } else { flag });
        }
        call(&mut command)?;
        Ok(program)
    }

    fn by_cmake(&self, prefix: &Path) -> Result<PathBuf, String> {
        let build = self.out.join("cmake");
        let mut configure = Command::new("cmake");
        configure.arg("-S").arg(self.root.join("bindings/c")).arg("-B").arg(&build);
        configure.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display()));
        call(configure.stdout(Stdio::null()))?;
        call(Command::new("cmake").arg("--build").arg(&build).stdout(Stdio::null()))?;
        Ok(build.join("two_devices"))
    }

    /// Runs the example: two devices meet and say the same.
    fn meet(&self, program: &Path, prefix: &Path) -> Outcome {
        let work = self.out.join("work");
        fs::remove_dir_all(&work).ok();
        fs::create_dir_all(&work).map_err(failed(&work))?;
        let mut command = Command::new(program);
        let said = read(command.arg(&work).env("LD_LIBRARY_PATH", prefix.join("lib")))?;
        let said = String::from_utf8_lossy(&said).into_owned();
        let hashes: Vec<&str> = said.split_whitespace().filter(|word| word.len() > 60).collect();
        match hashes.as_slice() {
            [one, other] if one == other => Ok(()),
            _ => Err(format!("two devices met and differ:\n{said}")),
        }
    }
}

/// Returns what a library or a program is called, and what it needs.
fn dynamic(file: &Path) -> Result<(Vec<String>, Vec<String>), String> {
    let table = read(Command::new("objdump").arg("-p").arg(file))?;
    let table = String::from_utf8_lossy(&table).into_owned();
    let named = |tag: &str| {
        let lines = table.lines().map(str::trim);
        lines.filter_map(|line| Some(line.strip_prefix(tag)?.trim().to_owned())).collect()
    };
    Ok((named("SONAME"), named("NEEDED")))
}
