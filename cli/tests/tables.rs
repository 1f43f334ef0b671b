//! CSV in and out: what is read, what is refused, what is escaped, what comes back equal.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Device, Folder, shared};
use serde_json::Value;

const HEADER: &str = "key,t_occ,priority,category,state,outcome,building,place,text,note\n";

fn counts(value: &Value) -> [u64; 4] {
    ["rows", "imported", "refused", "duplicates"].map(|name| value[name].as_u64().unwrap())
}

#[test]
fn every_row_is_accounted_for_and_reading_again_changes_nothing() {
    let folder = Folder::new("rows");
    let device = Device::founded(&folder, "a");
    let csv = "Ngày;Giờ;Tòa nhà;Loại;Nội dung;Số\n\
               05/11/2026;22h;B2;Ồn ào;hát to;1\n\
               05/11/2026;23h;B2;Bắt nạt;không được lưu;2\n\
               31/02/2026;23h;B2;Ồn ào;ngày sai;3\n\
               05/11/2026;22h;B2;Ồn ào;hát rất to;1\n";
    let file = folder.write("log.csv", csv);
    let report = folder.path("refused.csv");
    let first = device.json(&["import-csv", &file, "--report-file", &report]);
    assert_eq!(counts(&first), [4, 3, 1, 0]);
    assert_eq!(first["refused_rows"][0]["line"], 4);
    assert_eq!(first["refused_rows"][0]["reason"], "bad_date");
    assert!(std::fs::read_to_string(&report).unwrap().contains("ngày giờ sai"));
    let again = device.json(&["import-csv", &file, "--map", "vietnam"]);
    assert_eq!(counts(&again), [4, 0, 1, 3]);
    assert!(device.ok(&["import-csv", &file]).contains("dòng 4: ngày giờ sai"));
    let lines = device.json(&["list", "--kind", "log_entry"]);
    let sealed = &lines["rows"][0];
    assert_eq!(sealed["fields"]["category"], "bullying");
    assert!(!lines.to_string().contains("không được lưu"));
    assert!(device.json(&["search", "khong duoc luu"])["rows"].as_array().unwrap().is_empty());
}

#[test]
fn what_is_refused_is_said_in_the_language_that_was_asked_for() {
    let folder = Folder::new("said");
    let device = Device::founded(&folder, "a");
    let english = Device { home: device.home.clone(), lang: "en" };
    let csv = "Ngày;Giờ;Tòa nhà;Loại;Nội dung;Số\n\
               31/02/2026;23h;B2;Ồn ào;ngày sai;3\n\
               05/11/2026;22h;B2;Ồn ào\n\
               ;;B2;Ồn ào;không giờ;5\n\
               05/11/2026;22h;B2;Ồn ào;\"không đóng;6\n";
    let file = folder.write("log.csv", csv);
    let (said, told) = (device.ok(&["import-csv", &file]), english.ok(&["import-csv", &file]));
    let pairs = [
        ("không có ngày giờ như vậy: 31/02/2026", "no such date or time: 31/02/2026"),
        ("có 4 ô, dòng tiêu đề có 6", "4 fields, the header has 6"),
        ("không có giờ xảy ra lẫn giờ báo", "no time of the event or of the report"),
        ("nuốt các dòng 5 đến", "swallows lines 5 to"),
    ];
    for (vi, en) in pairs {
        assert!(said.contains(vi) && !said.contains(en), "{said}");
        assert!(told.contains(en) && !told.contains(vi), "{told}");
    }
    let report = folder.path("refused.csv");
    device.ok(&["import-csv", &file, "--report-file", &report]);
    assert!(std::fs::read_to_string(&report).unwrap().contains(pairs[1].0));
    let detail = device.json(&["import-csv", &file])["refused_rows"][1]["detail"].clone();
    assert_eq!(detail, "có 4 ô, dòng tiêu đề có 6");
}

#[test]
fn errors_are_about_something_in_the_language_that_was_asked_for() {
    let folder = Folder::new("errors");
    let device = Device::founded(&folder, "a");
    let english = Device { home: device.home.clone(), lang: "en" };
    let id = device.json(&["log", "-c", "noise", "hát to"])["record"].clone();
    let id = id.as_str().unwrap();
    let map = "record = \"incident\"\nencoding = \"latin\"\n[key]\nprefix = \"a\"\n\
               [category]\ncolumns = []\n[time]\nforms = []\ndate_order = \"dmy\"\n";
    let (map, file) = (folder.write("map.toml", map), folder.write("log.csv", "a,b\n1,2\n"));
    let cases: [(&[&str], &str, &str); 4] = [
        (&["transition", id, "closed"], "không có bước từ Mới sang Đóng", "no step from New to"),
        (
            &["transition", id, "reopened"],
            "không có bước từ Mới sang Mở lại",
            "no step from New to Re",
        ),
        (&["import-csv", &file, "--map", &map], "encoding phải là", "encoding must be"),
        (&["import", "no/such/file"], "không có ở đó", "not there"),
    ];
    for (args, vi, en) in cases {
        let text = |device: &Device| String::from_utf8(device.run(args).stderr).unwrap();
        let (said, told) = (text(&device), text(&english));
        assert!(said.contains(vi) && !said.contains(en), "{args:?}: {said}");
        assert!(told.contains(en) && !told.contains(vi), "{args:?}: {told}");
    }
}

#[test]
fn an_export_comes_back_equal_in_another_store_and_changes_nothing_in_its_own() {
    let folder = Folder::new("round");
    let (a, b) = (Device::founded(&folder, "a"), Device::founded(&folder, "b"));
    for (category, text) in
        [("noise", "=1+1"), ("theft", "@mất, \"xe\"\nhai dòng"), ("hazard", "'-x")]
    {
        a.ok(&["log", "-c", category, "-b", "B2", "-p", "B2, tầng 3", "--urgent", "--", text]);
    }
    let id = a.json(&["log", "-c", "medical", "-b", "+B9", "ngã"])["record"].clone();
    let id = id.as_str().unwrap();
    a.ok(&["note", id, "đã sơ cứu"]);
    a.ok(&["transition", id, "acknowledged"]);
    a.ok(&["transition", id, "in_progress"]);
    a.ok(&["transition", id, "resolved", "--outcome", "handled_on_spot"]);
    a.ok(&["log", "-c", "wellbeing", "-b", "B2", "-p", "B2, tầng 7"]);

    let file = folder.path("export.csv");
    let exported = a.json(&["export-csv", "-o", &file]);
    assert_eq!(exported["rows"], 5);
    let first = std::fs::read_to_string(&file).unwrap();
    assert!(first.starts_with(HEADER), "{first}");
    assert!(first.contains(",'=1+1,") && first.contains(",'+B9,"), "{first}");
    assert!(!first.contains("tầng 7"));
    assert_eq!(counts(&a.json(&["import-csv", &file])), [5, 0, 0, 5]);
    assert_eq!(counts(&b.json(&["import-csv", &file])), [5, 5, 0, 0]);
    assert_eq!(counts(&b.json(&["import-csv", &file])), [5, 0, 0, 5]);
    let second = b.ok(&["export-csv"]);
    let without_keys = |text: &str| {
        let mut rows: Vec<Vec<String>> = csv::Reader::from_reader(text.as_bytes())
            .into_records()
            .map(|row| row.unwrap().iter().skip(1).map(str::to_owned).collect())
            .collect();
        rows.sort();
        rows
    };
    assert_eq!(without_keys(&first), without_keys(&second));

    let marked = folder.path("bom.csv");
    a.ok(&["export-csv", "--bom", "-o", &marked]);
    assert!(std::fs::read(&marked).unwrap().starts_with("\u{feff}key,".as_bytes()));
    assert_eq!(counts(&a.json(&["import-csv", &marked])), [5, 0, 0, 5]);
}

#[test]
fn the_real_logs_are_read_to_the_last_row() {
    let names =
        ["ucsd_police_log.csv", "uchicago_police_log.csv.gz", "montgomery_911_calls.csv.gz"];
    for name in names {
        let Some(path) = shared(name) else {
            eprintln!("{name} is not here: not read");
            continue;
        };
        let folder = Folder::new("real");
        let device = Device::founded(&folder, "a");
        let [rows, imported, refused, duplicates] =
            counts(&device.json(&["import-csv", path.to_str().unwrap()]));
        assert_eq!(imported + refused + duplicates, rows, "{name}");
        assert!(imported > rows * 9 / 10, "{name}");
        if rows > 50_000 {
            continue;
        }
        let again = device.json(&["import-csv", path.to_str().unwrap()]);
        assert_eq!(counts(&again), [rows, 0, refused, rows - refused], "{name}");
    }
}
