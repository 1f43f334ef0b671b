//! Programs of this machine: found on the path, or installed from Debian's packages.
//!
//! Must not know: what they are for.

use std::path::PathBuf;
use std::process::Command;

use crate::Outcome;
use crate::cargo::{read, run as call};

/// Installs packages, as root or through `sudo`.
pub(crate) fn install(packages: &[&str]) -> Outcome {
    if packages.is_empty() {
        return Ok(());
    }
    println!("installing {}", packages.join(" "));
    let by_hand = |why| format!("{why}; install yourself: {}", packages.join(" "));
    if on_path("apt-get").is_none() {
        return Err(by_hand("there is no apt-get".to_owned()));
    }
    let user = read(Command::new("id").arg("-u")).map_err(by_hand)?;
    let is_root = user.trim_ascii() == b"0";
    let as_root = |args: &[&str]| {
        let mut command = match is_root {
            true => Command::new("env"),
            false => Command::new("sudo"),
        };
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(args);
        command
    };
    call(&mut as_root(&["update", "-q"])).map_err(by_hand)?;
    let mut command = as_root(&["install", "-qy", "--no-install-recommends"]);
    call(command.args(packages)).map_err(by_hand)
}

/// Returns where a program is.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}
