//! Photos on the command line: attached, listed, written out, taken out; refused with their code.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{Device, Folder};

/// A JPEG of 3 by 2 pixels with a comment in it, and the same without.
fn picture() -> (Vec<u8>, Vec<u8>) {
    let start = [0xff, 0xd8];
    let comment = [&[0xff, 0xfe, 0, 8][..], b"secret"].concat();
    let frame = [0xff, 0xc0, 0, 11, 8, 0, 2, 0, 3, 1, 1, 0x11, 0];
    let scan = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 1, 2, 3, 0xff, 0xd9];
    let rest = [&frame[..], &scan].concat();
    ([&start[..], &comment, &rest].concat(), [&start[..], &rest].concat())
}

#[test]
fn a_photo_is_attached_listed_written_out_and_taken_out() {
    let folder = Folder::new("photos");
    let device = Device::founded(&folder, "a");
    let (given, kept) = picture();
    let (file, out) = (folder.path("socket.jpg"), folder.path("out.jpg"));
    fs::write(&file, &given).unwrap();
    let logged = device.json(&["log", "-c", "hazard", "-b", "B2", "Ổ điện"]);
    let id = logged["record"].as_str().unwrap();
    for _ in 0..2 {
        let attached = device.json(&["attach", id, &file, "--request", "one"]);
        assert_eq!(attached["effect"], "changed");
    }
    let listed = device.json(&["photo", id]);
    assert_eq!(listed["photos"].as_array().unwrap().len(), 1);
    assert_eq!(listed["photos"][0]["size"], kept.len());
    let written = device.json(&["photo", id, "1", "-o", &out]);
    assert_eq!((&written["width"], &written["height"]), (&3.into(), &2.into()));
    assert_eq!(fs::read(&out).unwrap(), kept);
    // What leaves as a table or on a page has nothing that opens it.
    for answer in [device.ok(&["show", id]), device.ok(&["export-csv"])] {
        assert!(answer.contains("B2") && !answer.to_lowercase().contains("manifest"), "{answer}");
    }
    let (exit, error) = device.fails(&["photo", id, "2", "-o", &out]);
    assert_eq!((exit, &error["code"]), (3, &"E-NOTFOUND".into()));
    fs::write(&file, b"no image").unwrap();
    let (exit, error) = device.fails(&["attach", id, &file]);
    assert_eq!((exit, &error["code"]), (4, &"E-IMAGE".into()));
    device.ok(&["photo", id, "1", "--take-out"]);
    assert!(device.json(&["photo", id])["photos"].as_array().unwrap().is_empty());
}
