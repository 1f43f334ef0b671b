//! Meeting over a network, with the real binary: the script of the documents, and two processes on
//! one network.

#![allow(clippy::unwrap_used)]

mod common;

use std::{
    io::{BufReader, Write as _},
    process::{Child, Command, Stdio},
};

use common::{Device, Folder};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tuquan");

/// A program that goes when the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["--lang", "en"]).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    /// Reads lines until one holds `word`; returns what follows it.
    fn hear(out: &mut impl std::io::BufRead, word: &str) -> String {
        let mut line = String::new();
        while out.read_line(&mut line).unwrap() > 0 {
            if let Some((_, rest)) = line.split_once(word) {
                return rest.trim().to_owned();
            }
            line.clear();
        }
        panic!("it never said {word}");
    }

    fn out(&mut self) -> BufReader<std::process::ChildStdout> {
        BufReader::new(self.0.stdout.take().unwrap())
    }
}

#[test]
fn the_script_of_the_documents_takes_two_people_to_one_log() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/two-people.sh");
    let output = Command::new("sh").arg(script).env("TUQUAN", PROGRAM).output().unwrap();
    let (said, failed) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{failed}");
    let last = said.lines().last().unwrap_or_default();
    assert!(last.starts_with("Lan and Minh share one log: \"view_hash\":\""), "{said}");
}

#[test]
fn two_processes_on_one_network_join_by_comparing_digits_and_sync() {
    let folder = Folder::new("lan");
    let (admin, newcomer) = (Device::founded(&folder, "a"), Device::new(&folder, "b", "en"));
    admin.ok(&["log", "-c", "hazard", "-b", "B2", "Đèn", "hỏng"]);
    let code = admin.json(&["invite"])["code"].as_str().unwrap().to_owned();
    let mut host =
        Running::start(&["--home", &admin.home, "admit", &code, "--listen", "127.0.0.1:0"]);
    let mut heard = host.out();
    let address = Running::hear(&mut heard, "Waiting at ");
    let mut guest = Running::start(&["--home", &newcomer.home, "join", &code, "--lan", &address]);
    let digits = Running::hear(&mut guest.out(), "Six digits: ");
    let seen = Running::hear(&mut heard, "Six digits: ");
    assert_eq!(seen, digits);
    writeln!(host.0.stdin.take().unwrap(), "{digits}").unwrap();
    assert!(host.0.wait().unwrap().success());
    assert!(guest.0.wait().unwrap().success());
    assert_eq!(newcomer.json(&["list"])["rows"].as_array().unwrap().len(), 1);

    newcomer.ok(&["log", "-c", "noise", "-b", "B2", "Ồn"]);
    let mut serving = Running::start(&[
        "--home",
        &admin.home,
        "serve-lan",
        "--listen",
        "127.0.0.1:0",
        "--quiet",
        "--for",
        "60",
    ]);
    let address = Running::hear(&mut serving.out(), "Waiting at ");
    let met = newcomer.json(&["sync", "--lan", &address]);
    assert!(met["phone"]["sent"].as_u64().unwrap() > 0);
    assert_eq!(met["only_here"], 0);
    drop(serving);
    let hash = |device: &Device| device.json(&["stats"])["view_hash"].clone();
    assert_eq!(hash(&admin), hash(&newcomer));
    let status = admin.json(&["status"]);
    assert_eq!((&status["missing"], &status["peers"][0]["lacks"]), (&0.into(), &0.into()));
}

#[test]
fn digits_that_differ_let_nobody_in() {
    let folder = Folder::new("mitm");
    let (admin, newcomer) = (Device::founded(&folder, "a"), Device::new(&folder, "b", "en"));
    let code = admin.json(&["invite"])["code"].as_str().unwrap().to_owned();
    let mut host =
        Running::start(&["--home", &admin.home, "admit", &code, "--listen", "127.0.0.1:0"]);
    let mut heard = host.out();
    let address = Running::hear(&mut heard, "Waiting at ");
    let mut guest = Running::start(&["--home", &newcomer.home, "join", &code, "--lan", &address]);
    Running::hear(&mut heard, "Six digits: ");
    writeln!(host.0.stdin.take().unwrap(), "not these").unwrap();
    assert_eq!(host.0.wait().unwrap().code(), Some(3));
    assert_eq!(guest.0.wait().unwrap().code(), Some(3));
    assert_eq!(admin.json(&["members"])["members"].as_array().map(Vec::len), Some(1));
}
