//! Joining by codes and files between two homes without a network, each step a process of its own.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Device, Folder};
use serde_json::Value;

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap().to_owned()
}

fn hash(device: &Device) -> Value {
    device.json(&["stats"])["view_hash"].clone()
}

/// Invites and asks; returns the request, the answer to it, and the digits of both screens.
fn ask(admin: &Device, newcomer: &Device) -> (String, [String; 2]) {
    let invited = admin.json(&["invite", "--role", "R1"]);
    let request = text(&newcomer.json(&["join", &text(&invited, "code")]), "code");
    let taken = admin.json(&["admit", &request]);
    assert_eq!(text(&taken, "invitation"), text(&invited, "invitation"));
    let shown = newcomer.json(&["join", &text(&taken, "code")]);
    (request, [text(&taken, "digits"), text(&shown, "digits")])
}

#[test]
fn a_newcomer_joins_by_codes_and_both_see_the_same_after_a_bundle() {
    let folder = Folder::new("codes");
    let a = Device::founded(&folder, "a");
    let b = Device::new(&folder, "b", "en");
    a.ok(&["log", "-c", "hazard", "-b", "A1", "Đèn hỏng"]);
    let (request, digits) = ask(&a, &b);
    assert_eq!(digits[0], digits[1]);
    assert_eq!(a.json(&["members"])["members"].as_array().unwrap().len(), 1);
    let welcome = folder.path("b.tqb");
    let admitted = a.json(&["admit", &request, "--digits", &digits[1], "-o", &welcome]);
    assert_eq!(admitted["rights"], "writer");
    assert_eq!(b.json(&["join", "--file", &welcome])["joined"], true);
    assert_eq!(hash(&a), hash(&b));
    b.ok(&["log", "-c", "noise", "-b", "A1", "Hát to"]);
    let news = folder.path("news.tqb");
    b.ok(&["export", "-o", &news]);
    assert_eq!(a.json(&["import", &news])["errors"], Value::Array(Vec::new()));
    assert_eq!(hash(&a), hash(&b));
    // A welcome that was lost is written again; used up for everybody else.
    a.ok(&["admit", &request, "--digits", &digits[1], "-o", &welcome]);
    let c = Device::new(&folder, "c", "vi");
    assert!(c.fails(&["join", "--file", &welcome]).1["code"].is_string());
}

#[test]
fn a_newcomer_joins_by_files_and_frames_as_a_reader() {
    let folder = Folder::new("frames");
    let a = Device::founded(&folder, "a");
    let b = Device::new(&folder, "b", "en");
    a.ok(&["log", "-c", "hazard", "-b", "A1", "Đèn hỏng"]);
    let [one, two, three, four] = ["1", "2", "3", "4"].map(|name| folder.path(name));
    assert!(a.ok(&["invite", "-o", &one]).contains("TQ1."));
    b.ok(&["join", "--file", &one, "-o", &two]);
    a.ok(&["admit", "--file", &two, "-o", &three]);
    assert!(b.ok(&["join", "--file", &three]).contains("Six digits"));
    let admitted = a.json(&["admit", "--file", &two, "--reader", "--frames", "-o", &four]);
    assert_eq!(admitted["rights"], "reader");
    let frames = std::fs::read_to_string(&four).unwrap();
    let half: Vec<&str> = frames.lines().skip(2).collect();
    let part = folder.write("half", &half.join("\n"));
    let (exit, error) = b.fails(&["join", "--file", &part]);
    assert_eq!((exit, &error["code"]), (4, &"E-QR".into()));
    assert!(text(&error, "context").starts_with("frames 1, 2 of "), "{error}");
    let turned: Vec<&str> = frames.lines().rev().collect();
    let turned = folder.write("turned", &turned.join("\n"));
    assert_eq!(b.json(&["join", "--file", &turned])["joined"], true);
    assert_eq!(hash(&a), hash(&b));
    assert_eq!(b.fails(&["log", "-c", "noise", "x"]).1["code"], "E-ROLE");
    assert_eq!(b.fails(&["invite"]).1["code"], "E-ROLE");
}

#[test]
fn wrong_digits_and_used_or_wrong_codes_are_refused_with_their_codes() {
    let folder = Folder::new("refused");
    let a = Device::founded(&folder, "a");
    let (b, c) = (Device::new(&folder, "b", "vi"), Device::new(&folder, "c", "en"));
    let invited = text(&a.json(&["invite"]), "code");
    let request = text(&b.json(&["join", &invited]), "code");
    let other = text(&c.json(&["join", &invited]), "code");
    a.ok(&["admit", &request]);
    let code = |outcome: (i32, Value)| (outcome.0, text(&outcome.1, "code"));
    let is = |exit: i32, code: &str| (exit, code.to_owned());
    assert_eq!(code(a.fails(&["admit", &other])), is(3, "E-INVITE"));
    let wrong = a.fails(&["admit", &request, "--digits", "no digits"]);
    assert_eq!(code(wrong), is(3, "E-MITM"));
    assert_eq!(code(a.fails(&["admit", &request, "--reader"])), is(3, "E-INVITE"));
    assert_eq!(code(b.fails(&["join", "--differ"])), is(3, "E-MITM"));
    assert_eq!(code(a.fails(&["admit", &invited])), is(4, "E-MAGIC"));
    assert_eq!(code(a.fails(&["join", &invited])), is(3, "E-INVALID"));
    assert_eq!(code(b.fails(&["join", "hello"])), is(4, "E-MAGIC"));
    let cut: String = invited.chars().take(invited.len() - 8).collect();
    assert_eq!(b.fails(&["join", &cut]).0, 4);
    assert_eq!(code(b.fails(&["join"])), is(2, "E-USAGE"));
    assert_eq!(a.json(&["members"])["members"].as_array().unwrap().len(), 1);
}
