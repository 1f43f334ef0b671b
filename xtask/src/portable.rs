//! `cargo xtask static`: the command line with the hub in it as one file that needs no other.
//!
//! Builds `tuquan` for this machine's Linux with the C library inside, sees that the system's
//! loader has nothing to add, and starts it: its version, and a hub that answers `/healthz`. Minutes
//! long, so no part of `cargo xtask test`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Outcome;
use crate::cargo::{cargo, read, root, run as call};
use crate::hub::Hub;

/// How long the hub may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Builds and checks it; prints where it is and how large.
pub(crate) fn run(args: &[&str]) -> Outcome {
    if !args.is_empty() {
        return Err("static takes no arguments".to_owned());
    }
    if !cfg!(target_os = "linux") {
        return Err(
            "static is for Linux: elsewhere the C library is always the system's".to_owned()
        );
    }
    let (root, target) = (root(), format!("{}-unknown-linux-gnu", std::env::consts::ARCH));
    let mut build = cargo(&root, ["build", "--release", "--package", "tuquan", "--bin", "tuquan"]);
    build.args(["--target", &target]);
    // Named by its target, so that build scripts and macros stay as they are.
    let flags = format!("CARGO_TARGET_{}_RUSTFLAGS", target.to_uppercase().replace('-', "_"));
    build.env(flags, "-C target-feature=+crt-static");
    build.env("CARGO_PROFILE_RELEASE_STRIP", "true");
    call(&mut build)?;
    let folder = crate::cargo::target();
    let program = folder.join(target).join("release/tuquan");
    let problem = |error: std::io::Error| format!("{}: {error}", program.display());
    check_headers(&fs::read(&program).map_err(problem)?)?;
    let version = read(Command::new(&program).arg("--version"))?;
    check_hub(&program, &folder.join("static-hub"))?;
    let bytes = fs::metadata(&program).map_err(problem)?.len();
    println!("{}", program.display());
    println!("  {}", String::from_utf8_lossy(&version).trim());
    println!(
        "  {bytes} bytes ({:.1} MB), needs no other file; its hub answers",
        bytes as f64 / 1e6
    );
    Ok(())
}

/// Sees in the file's own headers that it asks for no loader and names no library.
fn check_headers(file: &[u8]) -> Outcome {
    const INTERPRETER: u64 = 3;
    const DYNAMIC: u64 = 2;
    const NEEDED: u64 = 1;
    let number = |at: u64, len: usize| -> Result<u64, String> {
        let at = usize::try_from(at).map_err(|_| "a broken program header")?;
        let bytes = file.get(at..at + len).ok_or("a broken program header")?;
        Ok(bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    };
    if !file.starts_with(b"\x7fELF\x02\x01") {
        return Err("not a 64-bit little-endian ELF file".to_owned());
    }
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    for header in (0..count).map(|index| table + index * size) {
        match number(header, 4)? {
            INTERPRETER => return Err("the program asks for the system's loader".to_owned()),
            DYNAMIC => {
                let (start, len) = (number(header + 8, 8)?, number(header + 32, 8)?);
                for entry in (start..start + len).step_by(16) {
                    if number(entry, 8)? == NEEDED {
                        return Err("the program names a library of the system".to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Starts a hub in an empty folder and asks for its health.
fn check_hub(program: &Path, data: &Path) -> Outcome {
    let problem = |error: std::io::Error| format!("the hub: {error}");
    let hub = Hub::start(program, data)?;
    let address = hub.url.trim_start_matches("http://");
    let mut line = TcpStream::connect(address).map_err(problem)?;
    line.set_read_timeout(Some(PATIENCE)).map_err(problem)?;
    let request = b"GET /healthz HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n\r\n";
    line.write_all(request).map_err(problem)?;
    let mut answer = String::new();
    line.read_to_string(&mut answer).map_err(problem)?;
    drop(hub);
    fs::remove_dir_all(data).map_err(problem)?;
    if answer.starts_with("HTTP/1.1 200 ") {
        Ok(())
    } else {
        Err(format!("the hub is not well: {answer}"))
    }
}
