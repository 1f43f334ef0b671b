//! Maven on a JDK: found, or installed from Debian's packages.
//!
//! Must not know: what is built with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::debian::{install, on_path};

/// The oldest Java that runs the compiler's plugin and the tests.
const JAVA_MIN: u32 = 17;

/// A JDK and Maven.
pub(crate) struct Maven {
    /// The folder of the JDK.
    java_home: PathBuf,
}

impl Maven {
    /// Finds both, or installs what lacks.
    pub(crate) fn find() -> Result<Self, String> {
        let mut missing = Vec::new();
        if java_home().is_none() {
            missing.push("openjdk-17-jdk-headless");
        }
        if on_path("mvn").is_none() {
            missing.push("maven");
        }
        install(&missing)?;
        let java_home = java_home().ok_or("no JDK was found after installing one")?;
        Ok(Self { java_home })
    }

    /// Returns a call of Maven on a project that keeps what it builds in `build`.
    ///
    /// What was fetched once is in `~/.m2` and is not asked for again: all versions are pinned.
    pub(crate) fn on(&self, project: &Path, build: &Path) -> Command {
        let mut command = Command::new("mvn");
        command.args(["-q", "-B", "-ntp", "-f"]).arg(project.join("pom.xml"));
        command.arg(format!("-Dtuquan.build={}", build.display()));
        command.env("JAVA_HOME", &self.java_home);
        command
    }

    /// Returns the folder of the JDK.
    pub(crate) fn home(&self) -> &Path {
        &self.java_home
    }

    /// Returns a call of a program of the JDK.
    pub(crate) fn tool(&self, name: &str) -> Command {
        Command::new(self.java_home.join("bin").join(name))
    }
}

/// Returns the folder of a JDK that is new enough: the one that is named, the one on the path, or one
/// where Debian has them.
fn java_home() -> Option<PathBuf> {
    let named = std::env::var_os("JAVA_HOME").map(PathBuf::from);
    let javac = on_path("javac").and_then(|file| fs::canonicalize(file).ok());
    let beside = javac.and_then(|file| Some(file.parent()?.parent()?.to_owned()));
    let folders = fs::read_dir("/usr/lib/jvm").into_iter().flatten().flatten();
    let installed = folders.map(|folder| folder.path());
    named.into_iter().chain(beside).chain(installed).find(|home| is_jdk(home))
}

/// Tells whether a folder holds a JDK that is new enough, by its `release` file.
fn is_jdk(home: &Path) -> bool {
    let release = fs::read_to_string(home.join("release")).unwrap_or_default();
    let version = release.lines().find_map(|line| line.strip_prefix("JAVA_VERSION=\""));
    let major: String =
        version.unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
    home.join("bin/javac").exists() && major.parse::<u32>().is_ok_and(|major| major >= JAVA_MIN)
}
