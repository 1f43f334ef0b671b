//! The Swift toolchain: the machine's own, or one in a root of its own.
//!
//! Where the machine has no Swift 6, a Debian root with one is made outside of the checkout, once,
//! and entered in a mount namespace of its own: nothing stays mounted. Must not know: what is built
//! with it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cargo::{read, run as call};
use crate::{Outcome, debian};

/// The oldest Swift whose language mode 6 compiles what is generated.
const MAJOR_MIN: u32 = 6;

/// What the root holds: Swift 6.0.3, and what its linker and its own tools need.
const PACKAGES: &str = "swiftlang,libc6-dev,libstdc++-14-dev,bash,coreutils";
const SUITE: &str = "trixie";

/// A Swift that is new enough.
pub(crate) enum Swift {
    /// The machine's own.
    Here,
    /// The one in a root.
    In(PathBuf),
}

impl Swift {
    /// Finds one, or makes a root with one.
    pub(crate) fn find_or_install() -> Result<Self, String> {
        let mut command = Command::new("swift");
        command.arg("--version").stderr(Stdio::null());
        let version = read(&mut command).unwrap_or_default();
        if major_of(&String::from_utf8_lossy(&version)).is_some_and(|major| major >= MAJOR_MIN) {
            return Ok(Self::Here);
        }
        let root = tools()?.join("swift-root");
        if !root.join("usr/bin/swiftc").exists() {
            install(&root)?;
        }
        Ok(Self::In(root))
    }

    /// Returns a call of a program of the toolchain, which sees `folders`.
    pub(crate) fn tool(&self, name: &str, folders: &[&Path]) -> Command {
        match self {
            Self::Here => Command::new(name),
            Self::In(root) => within(root, folders, name),
        }
    }
}

/// Returns the first number of the version that `swift --version` told.
fn major_of(told: &str) -> Option<u32> {
    let (_, after) = told.split_once("Swift version ")?;
    after.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// Returns where tools are kept from one run to the next.
fn tools() -> Result<PathBuf, String> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = cache.or(home).ok_or("neither HOME nor XDG_CACHE_HOME is set")?;
    Ok(cache.join("tuquan-tools"))
}

/// Makes the root: half a minute and 2.5 GB.
fn install(root: &Path) -> Outcome {
    let failed = |error: std::io::Error| format!("{}: {error}", root.display());
    if read(Command::new("mmdebstrap").arg("--version")).is_err() {
        debian::install(&["mmdebstrap"])?;
    }
    println!("making a root with Swift in {}", root.display());
    // Under another name until it is whole: an installation that was broken off is made anew.
    let unfinished = root.with_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(failed)?;
    }
    fs::create_dir_all(root.parent().unwrap_or(root)).map_err(failed)?;
    let mut make = Command::new("mmdebstrap");
    make.args(["--mode=root", "--variant=extract"]).arg(format!("--include={PACKAGES}"));
    call(make.arg(SUITE).arg(&unfinished))?;
    // Debian's package names only some of the programs.
    std::os::unix::fs::symlink("/usr/libexec/swift/bin/swift", unfinished.join("usr/bin/swift"))
        .map_err(failed)?;
    if root.exists() {
        fs::remove_dir_all(root).map_err(failed)?;
    }
    fs::rename(&unfinished, root).map_err(failed)
}

/// Returns a call of a program of the root, which sees `folders` where they are outside.
fn within(root: &Path, folders: &[&Path], name: &str) -> Command {
    const ENTER: &str = r#"
set -eu
root=$1; shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
while [ "$1" != -- ]; do
  mkdir -p "$root$1"
  mount --rbind "$1" "$root$1"
  shift
done
shift
exec chroot "$root" /usr/bin/env PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/libexec/swift/bin HOME=/root LANG=C.UTF-8 "$@"
"#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "bash", "-c", ENTER, "enter"]);
    command.arg(root).args(folders).args(["--", name]);
    command
}
