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
