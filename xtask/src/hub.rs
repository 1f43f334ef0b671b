//! A hub that runs beside a check: the command line's own, at a port of its choice.
//!
//! Must not know: who meets it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A hub that ends when it goes out of scope.
pub(crate) struct Hub {
    process: Child,
    /// Its address.
    pub(crate) url: String,
}

impl Hub {
    /// Starts the hub of a command line that was built, with its data in `data`, which is emptied.
    pub(crate) fn start(program: &Path, data: &Path) -> Result<Self, String> {
        fs::remove_dir_all(data).ok();
        let mut command = Command::new(program);
        command.args(["hub", "--listen", "127.0.0.1:0", "--lang", "en", "--data-dir"]).arg(data);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().map_err(|error| format!("the hub: {error}"))?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).ok();
        }
        let address = line.split_whitespace().find(|word| word.contains("127.0.0.1:"));
        let Some(address) = address.and_then(|word| word.split("127.0.0.1:").nth(1)) else {
            process.kill().ok();
            return Err(format!("the hub said {line:?}"));
        };
        let port: String = address.chars().take_while(char::is_ascii_digit).collect();
        Ok(Self { process, url: format!("http://127.0.0.1:{port}") })
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
