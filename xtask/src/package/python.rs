//! The wheel: built by maturin from the library as it ships, installed elsewhere, and used.
//!
//! Must not know: what the library does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::cargo::{cargo, read, root, run as call, ship};
use crate::hub::Hub;
use crate::journey::bindgen;
use crate::python::environment;

/// What the wheel must hold to work where nothing else is installed.
const FILES: [&str; 4] = [
    "tuquan/__init__.py",
    "tuquan/_native/tuquan_core.py",
    "tuquan/_native/tuquan_ffi.py",
    "tuquan/_native/libtuquan_ffi.so",
];

/// Makes the wheel and sees that it can be used.
pub(super) fn run(args: &[&str]) -> Outcome {
    if !args.is_empty() {
        return Err("package python takes nothing".to_owned());
    }
    let root = root();
    let target = crate::cargo::target();
    let out = target.join("package/python");
    fs::remove_dir_all(&out).ok();
    let tools = environment(&out.join("tools"))?;
    call(Command::new(tools.join("pip")).args(["install", "--quiet", "maturin>=1.9,<2"]))?;
    let wheel = build(&root, &target, &tools, &out)?;
    let listing = Command::new("python3").args(["-m", "zipfile", "-l"]).arg(&wheel).output();
    let listing = listing.map_err(|error| format!("python3: {error}"))?.stdout;
    let listing = String::from_utf8_lossy(&listing);
    if let Some(missing) = FILES.iter().find(|file| !listing.contains(*file)) {
        return Err(format!("the wheel lacks {missing}:\n{listing}"));
    }
    try_out(&root, &target, &wheel, &out)?;
    println!("packaged and tried out: {}", wheel.display());
    Ok(())
}

fn build(root: &Path, target: &Path, tools: &Path, out: &Path) -> Result<PathBuf, String> {
    let bindgen = bindgen(target)?;
    let mut path = vec![tools.to_owned()];
    path.extend(bindgen.parent().map(Path::to_owned));
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let path = std::env::join_paths(path).map_err(|error| error.to_string())?;
    let mut command = Command::new(tools.join("maturin"));
    command.current_dir(root.join("bindings/python")).env("PATH", path);
    // What the sources are generated from is in the symbols.
    command.env("CARGO_PROFILE_SHIP_STRIP", "debuginfo");
    command.args(["build", "--out"]).arg(out.join("wheel"));
    call(ship(&mut command, &[]))?;
    let wheels = fs::read_dir(out.join("wheel")).map_err(|error| format!("no wheel: {error}"))?;
    let wheel = wheels.flatten().map(|entry| entry.path()).next();
    wheel.ok_or_else(|| "maturin made no wheel".to_owned())
}

/// Installs the wheel where nothing else is, and writes a first note with it.
fn try_out(root: &Path, target: &Path, wheel: &Path, out: &Path) -> Outcome {
    let user = environment(&out.join("user"))?;
    call(Command::new(user.join("pip")).args(["install", "--quiet", "--no-index"]).arg(wheel))?;
    call(&mut cargo(root, ["build", "--package", "tuquan"]))?;
    let hub = Hub::start(&target.join("debug/tuquan"), &out.join("hub"))?;
    let mut command = Command::new(user.join("python3"));
    command.current_dir(out).arg(root.join("bindings/python/examples/first_note.py"));
    let said = read(command.arg(out).arg(&hub.url))?;
    let said = String::from_utf8_lossy(&said);
    if said.contains("at the hub: True") { Ok(()) } else { Err(format!("it said {said}")) }
}
