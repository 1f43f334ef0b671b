//! What the tests of the command line share: the real binary in folders of their own.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicU64, Ordering},
};

use serde_json::Value;

/// A folder that goes when the test ends.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let name = format!("tuquan-cli-{name}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // A run that was killed may have left one of the same name: process numbers come round.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One device of a test.
pub struct Device {
    pub home: String,
    pub lang: &'static str,
}

impl Device {
    pub fn new(folder: &Folder, name: &str, lang: &'static str) -> Self {
        Self { home: folder.path(name), lang }
    }

    pub fn founded(folder: &Folder, name: &str) -> Self {
        let device = Self::new(folder, name, "vi");
        device.ok(&["init"]);
        device
    }

    pub fn run(&self, args: &[&str]) -> Output {
        run(&[&["--home", &self.home, "--lang", self.lang], args].concat())
    }

    /// Runs a command that must succeed; returns what it prints.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must succeed with `--json`; returns its object.
    pub fn json(&self, args: &[&str]) -> Value {
        object(&self.ok(&[args, &["--json"]].concat()))
    }

    /// Runs a command that must fail; returns its exit code and the error's object.
    pub fn fails(&self, args: &[&str]) -> (i32, Value) {
        let output = self.run(&[args, &["--json"]].concat());
        let stderr = String::from_utf8(output.stderr).unwrap();
        let value = object(&String::from_utf8(output.stdout).unwrap());
        let code = value["error"]["code"].as_str().unwrap().to_owned();
        assert!(stderr.starts_with(&format!("{code}: ")), "{stderr}");
        (output.status.code().unwrap(), value["error"].clone())
    }
}

/// Runs the binary with an environment of its own.
pub fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tuquan"))
        .args(args)
        .env_remove("TUQUAN_HOME")
        .env_remove("TUQUAN_LANG")
        .env_remove("TUQUAN_DATA")
        .env_remove("TUQUAN_PASSPHRASE")
        .output()
        .unwrap()
}

/// Reads exactly one object.
pub fn object(text: &str) -> Value {
    let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(value.is_object(), "{text}");
    value
}

/// Returns a file of the real logs, which are not part of the repository.
pub fn shared(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folders = ["shared/data", "../shared/data"];
    folders.iter().map(|folder| root.join(folder).join(name)).find(|path| path.is_file())
}
