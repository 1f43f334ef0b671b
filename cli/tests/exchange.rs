//! Two devices by card, grant and bundle; the demo of three.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Device, Folder, object, run};

#[test]
fn a_device_joins_by_card_and_both_see_the_same_after_bundles() {
    let folder = Folder::new("join");
    let a = Device::founded(&folder, "a");
    let b = Device::new(&folder, "b", "en");
    let id = a.json(&["log", "-c", "hazard", "-b", "A1", "Đèn hỏng"])["record"].clone();
    let id = id.as_str().unwrap();
    b.ok(&["init", "--join"]);
    assert_eq!(b.fails(&["log", "-c", "noise", "x"]).1["code"], "E-NOTREADY");
    let (card, grant) = (folder.path("b.tqd"), folder.path("b.tqb"));
    b.ok(&["card", "-o", &card]);
    assert_eq!(b.fails(&["grant", &card]).0, 3);
    a.ok(&["grant", &card, "-o", &grant, "--role", "R2"]);
    let joined = b.json(&["import", &grant]);
    assert_eq!((&joined["joined"], &joined["complete"]), (&true.into(), &true.into()));
    assert_eq!(b.json(&["show", id])["record"]["record"], id);

    // Both edit the same field without knowing of each other.
    a.ok(&["edit", id, "category=noise"]);
    b.ok(&["edit", id, "category=outsider"]);
    b.ok(&["log", "-c", "noise", "-b", "A1", "Hát to"]);
    let (from_a, from_b) = (folder.path("from-a.tqb"), folder.path("from-b.tqb"));
    a.ok(&["export", "-o", &from_a]);
    b.ok(&["export", "-o", &from_b]);
    assert_eq!(a.json(&["import", &from_b])["conflicts"], 1);
    assert_eq!(b.json(&["import", &from_a])["conflicts"], 1);
    let hash = |device: &Device| device.json(&["stats"])["view_hash"].clone();
    assert_eq!(hash(&a), hash(&b));
    let open = a.json(&["conflicts"]);
    let values = open["conflicts"][0]["conflicts"]["category"].as_array().unwrap();
    assert_eq!(values.len(), 2);
    assert!(a.ok(&["conflicts"]).contains("Xung đột ở Loại"));
    a.ok(&["resolve", id, "category", "outsider", "--reason", "đã hỏi lại"]);
    a.ok(&["export", "-o", &from_a]);
    assert_eq!(b.json(&["import", &from_a])["conflicts"], 0);
    assert_eq!(b.json(&["import", &from_a])["entries"], 0);
    assert_eq!(hash(&a), hash(&b));

    let stranger = Device::founded(&folder, "stranger");
    assert_eq!(stranger.fails(&["import", &from_a]).1["code"], "E-SPACE");
    let whole = std::fs::read(&from_a).unwrap();
    std::fs::write(&from_a, &whole[..whole.len() - 40]).unwrap();
    let cut = b.run(&["import", &from_a, "--json"]);
    assert_eq!(cut.status.code(), Some(4));
    let cut = object(&String::from_utf8(cut.stdout).unwrap());
    assert_eq!((&cut["complete"], &cut["errors"][0]["code"]), (&false.into(), &"E-TRUNC".into()));
}

#[test]
fn a_removed_device_is_shown_so_and_what_it_wrote_late_waits_for_the_admin() {
    let folder = Folder::new("remove");
    let a = Device::founded(&folder, "a");
    let b = Device::new(&folder, "b", "vi");
    b.ok(&["init", "--join"]);
    let (card, grant) = (folder.path("b.tqd"), folder.path("b.tqb"));
    let device = b.json(&["card", "-o", &card])["device"].as_str().unwrap().to_owned();
    a.ok(&["grant", &card, "-o", &grant]);
    b.ok(&["import", &grant]);
    let short: String = device.chars().take(8).collect();
    assert_eq!(b.fails(&["remove", &short]).1["code"], "E-ROLE");
    a.ok(&["remove", &short]);
    assert!(a.ok(&["members"]).contains("đã ra khỏi tổ"));
    let late = b.json(&["log", "-c", "noise", "Viết muộn"])["record"].clone();
    let late = late.as_str().unwrap();
    let (from_a, from_b) = (folder.path("from-a.tqb"), folder.path("from-b.tqb"));
    b.ok(&["export", "-o", &from_b]);
    let apart = a.json(&["import", &from_b])["quarantined"].clone();
    assert_eq!(a.fails(&["show", late]).1["code"], "E-NOTFOUND");
    assert!(a.ok(&["quarantine"]).contains("Viết muộn"));
    let accepted = a.json(&["quarantine", "--accept"]);
    assert_eq!((&accepted["accepted"], &accepted["left"]), (&apart, &0.into()));
    assert!(a.ok(&["show", late]).contains("Viết muộn"));
    assert!(a.ok(&["quarantine"]).contains("Không có gì chờ duyệt"));

    a.ok(&["export", "-o", &from_a]);
    // What is sealed under the new key stays closed to it; the team list it reads.
    assert!(b.json(&["import", &from_a])["held"].as_u64().unwrap() > 0);
    let (code, said) = b.fails(&["log", "-c", "noise", "nữa"]);
    assert_eq!((code, &said["code"]), (3, &"E-REMOVED".into()));
    assert!(b.ok(&["show", late]).contains("Viết muộn"));
}

#[test]
fn the_demo_ends_identical_with_samples() {
    let output = run(&["demo", "--json", "--events", "300", "--seed", "7"]);
    assert!(output.status.success(), "{output:?}");
    let value = object(&String::from_utf8(output.stdout).unwrap());
    assert_eq!((&value["identical"], &value["events"]), (&true.into(), &300.into()));
    assert_eq!(value["conflicts"], 50);
    for name in ["wire_bytes", "merge_ms", "session_bytes", "bundle_bytes"] {
        assert!(value[name].as_u64().is_some(), "{name}: {value}");
    }
    assert!(value["bytes_per_event"].as_f64().unwrap() > 1.0);
    let meetings = value["meetings"].as_array().unwrap();
    for way in ["join_lan", "join_hub", "by_lan", "by_file", "by_hub", "live"] {
        let met = meetings.iter().find(|meeting| meeting["way"] == way);
        assert!(met.is_some_and(|meeting| meeting["bytes"].as_u64() > Some(0)), "{way}: {value}");
    }
}

#[test]
fn the_demo_reads_a_log_by_its_header_and_tells_what_it_could_not_read() {
    let folder = Folder::new("demo");
    let mut csv = "Ngày;Giờ;Tòa nhà;Loại;Nội dung\n31/02/2026;10h;B1;Ồn ào;hát\n".to_owned();
    for n in 0..90 {
        csv.push_str(&format!("{}/3/2026;22h30;B{};Ồn ào;mất trộm {n}\n", n % 28 + 1, n % 4));
    }
    let file = folder.write("log.csv", &csv);
    let output = run(&["demo", "--json", "--data", &file]);
    assert!(output.status.success(), "{output:?}");
    let value = object(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(value["identical"], true);
    let counts = (&value["rows"], &value["refused"], &value["events"], &value["map"]);
    assert_eq!(counts, (&91.into(), &1.into(), &90.into(), &"vietnam".into()));
    let shown = String::from_utf8(run(&["demo", "--data", &file]).stdout).unwrap();
    assert!(shown.contains("giống hệt nhau") && shown.contains("Tìm \"mat trom\""), "{shown}");
    let unknown = folder.write("unknown.csv", "a,b\n1,2\n");
    assert_eq!(run(&["demo", "--data", &unknown]).status.code(), Some(4));
}

#[test]
fn a_store_that_was_put_back_says_so_once_and_reset_check_tells_what_is_only_here() {
    let folder = Folder::new("fence");
    let a = Device::founded(&folder, "a");
    let stderr = |args: &[&str]| String::from_utf8(a.run(args).stderr).unwrap();
    a.ok(&["log", "-c", "hazard", "-b", "A1", "Đèn hỏng"]);
    let checked = a.run(&["reset-check", "--json"]);
    assert_eq!(checked.status.code(), Some(1));
    let checked = object(&String::from_utf8(checked.stdout).unwrap());
    assert_eq!((&checked["safe"], &checked["heard"]), (&false.into(), &0.into()));
    assert_eq!(checked["by"][0]["entries"], checked["entries"]);

    let (store, bundle) = (std::path::PathBuf::from(folder.path("a/store")), folder.path("a.tqb"));
    let names = |dir: &std::path::Path| -> Vec<std::path::PathBuf> {
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let copies: Vec<_> = names(&store)
        .into_iter()
        .map(|path| {
            let bytes = std::fs::read(&path).unwrap();
            (path, bytes)
        })
        .collect();
    a.ok(&["log", "-c", "noise", "-b", "A1", "Hát to"]);
    a.ok(&["export", "-o", &bundle]);
    assert!(!stderr(&["list"]).contains("I-RESTORED"));
    for path in names(&store) {
        std::fs::remove_file(path).unwrap();
    }
    for (path, bytes) in copies {
        std::fs::write(path, bytes).unwrap();
    }
    assert!(stderr(&["list"]).contains("I-RESTORED"));
    assert!(!stderr(&["list"]).contains("I-RESTORED"));
    a.ok(&["log", "-c", "noise", "-b", "A1", "Tiếp"]);
    a.ok(&["import", &bundle]);
    assert_eq!(a.json(&["list"])["rows"].as_array().unwrap().len(), 3);
}
