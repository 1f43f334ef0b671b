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

/// Returns a call of cargo in `folder` with OpenSSL from the system where its headers are.
pub(crate) fn cargo<A: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = A>) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(folder).args(args);
    if has_openssl() {
        command.env("OPENSSL_NO_VENDOR", "1");
    }
    command
}

/// Tells whether SQLCipher can use the system's OpenSSL; building it from source takes minutes.
fn has_openssl() -> bool {
    let found = Command::new("pkg-config").args(["--exists", "openssl"]).status();
    found.is_ok_and(|status| status.success()) || Path::new("/usr/include/openssl/ssl.h").exists()
}

/// Has OpenSSL put into what is built: whoever takes it need not have this machine's. Built from source
/// where the system has no archive of it.
pub(crate) fn with_openssl_inside(command: &mut Command) -> &mut Command {
    let ask = |name: &str| {
        let mut ask = Command::new("pkg-config");
        let said = read(ask.arg(format!("--variable={name}")).arg("openssl")).ok()?;
        Some(PathBuf::from(String::from_utf8_lossy(&said).trim()))
    };
    match (ask("libdir"), ask("includedir")) {
        // Named by its folder, because what pkg-config finds in the system's is linked as shared.
        (Some(libraries), Some(headers)) if libraries.join("libcrypto.a").exists() => command
            .env("OPENSSL_STATIC", "1")
            .env("OPENSSL_LIB_DIR", libraries)
            .env("OPENSSL_INCLUDE_DIR", headers),
        _ => command.env_remove("OPENSSL_NO_VENDOR"),
    }
}

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
