//! A night's work on one device, unattended, in both languages; exit codes; keys.
#![allow(clippy::unwrap_used)]

mod common;

use serde_json::Value;

use common::{Device, Folder, object, run};

const DOCS: &str = include_str!("../../docs/cli.md");

fn journey(lang: &'static str) {
    let folder = Folder::new("journey");
    let device = Device::new(&folder, "a", lang);
    let made = device.json(&["init"]);
    assert_eq!(made["role"], "R3");
    let logged = device.json(&[
        "log",
        "-c",
        "theft",
        "-b",
        "B2",
        "-p",
        "B2, tầng 3",
        "--request",
        "one",
        "Mất",
        "trộm",
        "xe",
    ]);
    assert_eq!(logged["effect"], "created");
    let code = logged["code"].as_str().unwrap();
    let id = logged["record"].as_str().unwrap();
    let prefix = id.get(..14).unwrap();
    assert!(code.starts_with("B2-"), "{code}");
    let again = device.json(&["log", "-c", "theft", "--request", "one", "Mất"]);
    assert_eq!(again["record"], logged["record"]);
    device.ok(&["log", "-c", "noise", "--line", "--at", "05/11/2026 23:30", "Hát to"]);

    for (state, given) in [("acknowledged", code), ("in_progress", prefix)] {
        let moved = device.json(&["transition", given, state]);
        assert_eq!(moved["effect"], "changed");
    }
    device.ok(&["note", id, "--kind-of-note", "call", "Đã gọi 113"]);
    device.ok(&["note", id, "Ghi nhầm"]);
    let shown = device.json(&["show", id]);
    let timeline = shown["record"]["lists"]["timeline"].as_array().unwrap();
    let wrong = timeline.iter().find(|entry| entry["value"]["body"] == "Ghi nhầm").unwrap();
    device.ok(&["strike", id, wrong["key"].as_str().unwrap(), "nhầm phòng"]);
    device.ok(&["edit", id, "priority=urgent", "place=B7", "dangerous=1"]);
    device.ok(&["assign", id, "me"]);
    let (exit, error) = device.fails(&["transition", id, "resolved"]);
    assert_eq!((exit, &error["kind"]), (3, &"invalid".into()));
    device.ok(&["transition", id, "resolved", "--outcome", "handed_over", "--reason", "113"]);

    look(&device, id, &made["person"]);
}

fn look(device: &Device, id: &str, person: &Value) {
    let shown = device.json(&["show", id])["record"].clone();
    assert_eq!(shown["fields"]["state"], "resolved");
    assert_eq!(shown["fields"]["priority"], "urgent");
    assert_eq!(shown["lists"]["assignees"][0]["value"], *person);
    let struck = shown["lists"]["timeline"].as_array().unwrap();
    assert_eq!(struck.iter().filter(|entry| entry["struck"] == true).count(), 1);
    assert!(device.ok(&["show", id]).contains("Đã gọi 113"));

    for text in ["trom xe", "TRỘM"] {
        assert_eq!(device.json(&["search", text])["rows"][0]["record"], id);
    }
    let listed = device.json(&["list", "-c", "theft", "--state", "resolved", "-p", "b7"]);
    assert_eq!(listed["rows"].as_array().unwrap().len(), 1);
    let lines = device.json(&["list", "--kind", "log_entry"]);
    assert_eq!(lines["rows"][0]["when_ms"], 1_793_896_200_000_i64);
    assert_eq!(device.json(&["conflicts"])["count"], 0);
    assert_eq!(device.json(&["members"])["members"].as_array().unwrap().len(), 1);
    let report = device.json(&["report", "--from", "2020-01-01", "--to", "2099-01-01"]);
    assert_eq!(report["figures"]["new"], 1);
    device.ok(&["report", "--closing", "2026-11", "--by", "week"]);
    assert_eq!(device.json(&["doctor"])["healthy"], true);
    assert_eq!(device.json(&["stats"])["records"]["incident"], 1);
}

#[test]
fn a_night_of_work_runs_unattended_in_vietnamese() {
    journey("vi");
}

#[test]
fn a_night_of_work_runs_unattended_in_english() {
    journey("en");
}

#[test]
fn people_read_their_own_language() {
    let folder = Folder::new("words");
    let device = Device::founded(&folder, "a");
    device.ok(&["log", "-c", "Mất trộm – mất tài sản", "Mất ví"]);
    assert!(device.ok(&["list"]).contains("Mất trộm – mất tài sản  Mới"));
    let english = Device { lang: "en", ..device };
    assert!(english.ok(&["list"]).contains("Theft  New"));
    let help = run(&["--help"]);
    assert!(String::from_utf8(help.stdout).unwrap().contains("Cách dùng: tuquan"));
    let help = run(&["log", "--help", "--lang", "en"]);
    assert!(String::from_utf8(help.stdout).unwrap().contains("Usage: tuquan log"));
}

#[test]
fn every_command_has_its_help_in_both_languages() {
    let help = String::from_utf8(run(&["--help", "--lang", "en"]).stdout).unwrap();
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(commands.len(), 35, "{commands:?}");
    for lang in ["vi", "en"] {
        for command in &commands {
            let output = run(&[command, "--help", "--lang", lang]);
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success() && text.contains(command), "{text}");
            let example = text.lines().last().unwrap_or_default();
            assert!(example.starts_with("  tuquan ") && example.contains(command), "{text}");
            assert!(DOCS.contains(&format!("| `{command}` |")), "{command}");
            let keys = ["command.", "option.", "help.", "example."];
            assert!(!keys.iter().any(|key| text.contains(key)), "{text}");
        }
    }
}

#[test]
fn exit_codes_say_whose_fault_it_was() {
    let folder = Folder::new("codes");
    let nobody = Device::new(&folder, "none", "en");
    assert_eq!(nobody.fails(&["list"]).1["code"], "E-NOTREADY");
    let device = Device::founded(&folder, "a");
    for args in [&["foo"][..], &["log"], &["list", "--limit", "x"], &["report"], &[]] {
        let output = run(&[&["--home", &device.home, "--json"], args].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let value = object(&String::from_utf8(output.stdout).unwrap());
        assert_eq!(value["error"]["code"], "E-USAGE");
    }
    assert_eq!(run(&["list"]).status.code(), Some(2));
    assert_eq!(device.fails(&["show", "abcdef"]).0, 3);
    assert_eq!(device.fails(&["log", "-c", "bullying", "chuyện"]).1["code"], "E-INVALID");
    let junk = folder.write("junk", "junk");
    for args in [["grant", &junk], ["import", &junk], ["import-csv", &junk]] {
        assert_eq!(device.fails(&args).0, 4, "{args:?}");
    }
    assert_eq!(device.fails(&["import", &folder.path("missing")]).1["code"], "E-FILE");
    let key = folder.write("other", &"8".repeat(64));
    let (exit, error) = device.fails(&["list", "--key-file", &key]);
    assert_eq!((exit, error["code"].as_str().unwrap()), (5, "E-DBKEY"));
    let out = folder.path("no/such/folder/x.csv");
    assert_eq!(device.fails(&["export-csv", "-o", &out]).0, 6);
}

#[test]
fn the_key_is_a_private_file_or_comes_from_a_passphrase() {
    let folder = Folder::new("keys");
    let device = Device::founded(&folder, "a");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let key = std::fs::metadata(format!("{}/key", device.home)).unwrap();
        assert_eq!(key.permissions().mode() & 0o777, 0o600);
    }
    let elsewhere = Device::new(&folder, "b", "vi");
    let key = folder.path("key-of-b");
    elsewhere.ok(&["init", "--key-file", &key]);
    elsewhere.ok(&["log", "-c", "noise", "--key-file", &key, "ồn"]);
    assert_eq!(elsewhere.fails(&["list"]).0, 5);
    let phrase = folder.write("phrase", "đêm qua có mưa\n");
    let secret = Device::new(&folder, "c", "vi");
    secret.ok(&["init", "--passphrase-file", &phrase]);
    secret.ok(&["list", "--passphrase-file", &phrase]);
    let wrong = folder.write("wrong", "đêm qua có gió\n");
    assert_eq!(secret.fails(&["list", "--passphrase-file", &wrong]).0, 5);
}

#[test]
fn a_damaged_store_is_told_and_salvaged() {
    let folder = Folder::new("damaged");
    let device = Device::founded(&folder, "a");
    for text in ["Mất xe", "Cháy bóng đèn", "Ồn ào"] {
        device.ok(&["log", "-c", "theft", text]);
    }
    assert!(device.ok(&["doctor", "--salvage"]).contains("lành lặn"));
    let file = folder.0.join("a/store/store.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 8_192 * 4_096;
    bytes[middle + 100] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let told = device.run(&["doctor", "--json"]);
    assert_eq!(told.status.code(), Some(1));
    let told = object(&String::from_utf8(told.stdout).unwrap());
    assert_eq!((&told["healthy"], &told["pages_ok"]), (&false.into(), &false.into()));
    let told = String::from_utf8(device.run(&["doctor"]).stdout).unwrap();
    assert!(told.contains("doctor --salvage"), "{told}");
    let saved = device.json(&["doctor", "--salvage"]);
    assert_eq!(saved["healthy"], true);
    assert_eq!(saved["salvaged"]["of"], saved["salvaged"]["recovered"]);
    assert!(std::fs::read(saved["salvaged"]["kept"].as_str().unwrap()).unwrap() == bytes);
    assert_eq!(device.json(&["list"])["rows"].as_array().unwrap().len(), 3);
    device.ok(&["log", "-c", "noise", "Sau khi cứu"]);
}
