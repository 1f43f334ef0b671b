//! Calling cargo and git the same way from every command.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns the folder of the checkout.
pub(crate) fn root() -> PathBuf {
    // Cargo sets it for `cargo run`; without cargo the place of the build has to do.
    let own = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    own.parent().map_or_else(|| own.clone(), Path::to_owned)
}

/// Returns where cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Returns a call of cargo in `folder`.
pub(crate) fn cargo<A: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = A>) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(folder).args(args);
    command
}

/// Has what is built take less room: equal functions once; frame pointers, with which the tables of
/// unwinding are a third shorter; none of those tables for C, through which nothing unwinds; no names
/// of this machine's folders. `more` goes to the linker.
pub(crate) fn ship<'a>(command: &'a mut Command, more: &[&str]) -> &'a mut Command {
    let mut flags = "-C force-frame-pointers=yes".to_owned();
    for arg in ["--icf=all"].iter().chain(more) {
        flags.push_str(" -C link-arg=-Wl,");
        flags.push_str(arg);
    }
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let sources = home.map(|home| home.join("registry/src"));
    let folders = sources.and_then(|sources| std::fs::read_dir(sources).ok());
    let registries = folders.into_iter().flatten().flatten().map(|folder| folder.path());
    for folder in registries.chain([root()]) {
        flags.push_str(&format!(" --remap-path-prefix={}=", folder.display()));
    }
    command.env("RUSTFLAGS", flags).env("CFLAGS", SHIP_CFLAGS)
}

/// For all that is C, and zstd without the levels that nobody asks for and the second of two ways to
/// do what one does (its own `ZSTD_LIB_MINIFY`).
const SHIP_CFLAGS: &str = "-fno-asynchronous-unwind-tables -fno-unwind-tables \
    -DZSTD_EXCLUDE_BTOPT_BLOCK_COMPRESSOR -DZSTD_EXCLUDE_BTULTRA_BLOCK_COMPRESSOR \
    -DHUF_FORCE_DECOMPRESS_X1 -DZSTD_FORCE_DECOMPRESS_SEQUENCES_SHORT \
    -DZSTD_STRIP_ERROR_STRINGS -DDYNAMIC_BMI2=0";

/// Runs a command to its end, with its output where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| {
        let program = command.get_program().to_string_lossy();
        format!("{program} cannot be started: {error}")
    })?;
    if status.success() { Ok(()) } else { Err(format!("{} failed: {status}", shown(command))) }
}

/// Runs a command to its end and returns what it printed on its standard output.
pub(crate) fn read(command: &mut Command) -> Result<Vec<u8>, String> {
    let output = command.output().map_err(|error| format!("{}: {error}", shown(command)))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        let why = String::from_utf8_lossy(&output.stderr);
        Err(format!("{} failed: {why}", shown(command)))
    }
}

/// Returns the command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let mut words = vec![name.to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}
