//! The line that we do not cross: the log is about events in a dormitory, never about persons.
//!
//! Walks the whole schema. A new category, a field that names or judges a person, an index or a
//! search over people fails here, so that it cannot slip in with something useful.

use std::collections::BTreeSet;

use tuquan_core::domain::DORMITORY;
use tuquan_core::domain::category::Category;
use tuquan_core::door::query::{Counts, List, Query};
use tuquan_core::error::Kind;
use tuquan_core::record::declare::{COMMON, Declaration, Field, Type};
use tuquan_core::record::plain::Plain;
use tuquan_tests::phone::{Folder, HandClock, NOON_MS, location, open};

/// The closed list: a school may rename or hide a category, never add one. A copy on purpose: it
/// does not follow the domain's own list, so that nobody adds to that one unseen.
const CATEGORIES: [&str; 18] = [
    "fire_electric",
    "medical",
    "wellbeing",
    "theft",
    "fight",
    "bullying",
    "substance",
    "health",
    "traffic",
    "outsider",
    "hazard",
    "online",
    "mediation",
    "noise",
    "weather",
    "lostfound",
    "gooddeed",
    "unsorted",
];

/// Words that no record type, field, part or choice may have in its name. A name is cut at `_`;
/// an entry of several words forbids that sequence.
const FORBIDDEN: &[&str] = &[
    // Who somebody is.
    "author",
    "profile",
    "person",
    "people",
    "student",
    "resident",
    "citizen",
    "first_name",
    "last_name",
    "full_name",
    "nickname",
    "ho_ten",
    "ten_nguoi",
    "sinh_vien",
    "mssv",
    "student_id",
    "phone",
    "sdt",
    "so_dien_thoai",
    "email",
    "id_card",
    "cccd",
    "cmnd",
    "passport",
    "birth",
    "birthday",
    "dob",
    "ngay_sinh",
    "gender",
    "sex",
    "gioi_tinh",
    "face",
    "khuon_mat",
    "fingerprint",
    "biometric",
    "van_tay",
    "photo_of",
    "chan_dung",
    "hometown",
    "que_quan",
    "family",
    "gia_dinh",
    // What somebody thinks or believes.
    "opinion",
    "belief",
    "religion",
    "religious",
    "ton_giao",
    "tin_nguong",
    "politic",
    "politics",
    "political",
    "chinh_tri",
    "ideology",
    "tu_tuong",
    "quan_diem",
    "y_kien",
    "attitude",
    "thai_do",
    "ethnic",
    "ethnicity",
    "dan_toc",
    "orientation",
    "union",
    "party",
    "dang_vien",
    "sentiment",
    // What somebody says elsewhere.
    "post",
    "posts",
    "bai_viet",
    "bai_dang",
    "comment",
    "binh_luan",
    "share",
    "like",
    "facebook",
    "fanpage",
    "zalo",
    "zalo_message",
    "tiktok",
    "instagram",
    "youtube",
    "telegram",
    "messenger",
    "message",
    "tin_nhan",
    "chat",
    "social",
    "mang_xa_hoi",
    "url",
    "link",
    "hashtag",
    "contact",
    // Where somebody goes.
    "gps",
    "lat",
    "lng",
    "lon",
    "latitude",
    "longitude",
    "vi_tri",
    "location",
    "location_trail",
    "trail",
    "track",
    "tracking",
    "theo_doi",
    "checkin",
    "imei",
    "mac",
    "device_id",
    // What somebody is suspected of.
    "suspect",
    "nghi_pham",
    "nghi_can",
    "offender",
    "doi_tuong",
    "culprit",
    "thu_pham",
    "perpetrator",
    "victim",
    "nan_nhan",
    "witness",
    "nhan_chung",
    "blacklist",
    "danh_sach_den",
    "watchlist",
    "score",
    "diem_ren_luyen",
    "risk",
    "repeat",
    "tai_pham",
    "record_of",
    "ho_so",
    "dossier",
    "informant",
    "reporter",
    "nguoi_to_cao",
];

/// Every field of type reference, and whether it refers to a person. A new one must be put here,
/// by somebody who has thought about it.
const REFERENCES: &[(&str, bool)] = &[
    ("written_by", true),
    ("place.parent", false),
    ("shift.place", false),
    ("shift.on_duty", true),
    ("log_entry.place", false),
    ("log_entry.incident", false),
    ("incident.place", false),
    ("incident.assignees", true),
    ("incident.timeline.target", false),
    ("incident.duplicates", false),
    ("handover.shift_from", false),
    ("handover.shift_to", false),
    ("handover.open_items", false),
    ("handover.sign_out.by", true),
    ("handover.sign_in.by", true),
];

/// Returns what crosses the line in a schema, each with its place.
fn crossings(schema: &[&'static Declaration]) -> Vec<String> {
    let mut found = Vec::new();
    for of in schema {
        name(of.name, of.name, &mut found);
        for field in of.fields() {
            let common = COMMON.iter().any(|shared| shared.name == field.name);
            let path =
                if common { field.name.to_owned() } else { format!("{}.{}", of.name, field.name) };
            name(&path, field.name, &mut found);
            look_into(&path, field, &mut found);
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn look_into(path: &str, field: &Field, found: &mut Vec<String>) {
    let mut persons = reference(path, &field.ty, found);
    match field.ty {
        Type::Element(parts) => {
            for part in parts {
                let path = format!("{path}.{}", part.name);
                name(&path, part.name, found);
                persons |= reference(&path, &part.ty, found);
                tokens(&path, &part.ty, found);
            }
        }
        ty => tokens(path, &ty, found),
    }
    if persons && (field.indexed || field.searched) {
        found.push(format!("{path}: index or search over persons"));
    }
    if persons && field.is_column() && !field.is_person() {
        found.push(format!("{path}: could be filtered and counted by person"));
    }
}

fn tokens(path: &str, ty: &Type, found: &mut Vec<String>) {
    let Type::Choice(choices) = ty else { return };
    for choice in *choices {
        name(&format!("{path}={}", choice.token), choice.token, found);
    }
    let category = path.ends_with("category");
    if category && !choices.iter().map(|choice| choice.token).eq(CATEGORIES) {
        found.push(format!("{path}: another list of categories"));
    }
}

/// Notes an unclassified reference; tells whether it is one to a person.
fn reference(path: &str, ty: &Type, found: &mut Vec<String>) -> bool {
    if *ty != Type::Ref {
        return false;
    }
    match REFERENCES.iter().find(|(known, _)| *known == path) {
        Some((_, person)) => *person,
        None => {
            found.push(format!("{path}: a reference that nobody has classified"));
            true
        }
    }
}

fn name(path: &str, name: &str, found: &mut Vec<String>) {
    let words = format!("_{}_", name.to_lowercase());
    let residents = path == "place.residents";
    let bad = FORBIDDEN.iter().find(|bad| words.contains(&format!("_{bad}_")));
    if let Some(bad) = bad.filter(|_| !residents) {
        found.push(format!("{path}: the word {bad}"));
    }
}

#[test]
fn the_categories_are_the_eighteen_and_no_other() {
    let tokens: Vec<&str> = Category::ALL.iter().map(|category| category.token()).collect();
    assert_eq!(tokens, CATEGORIES);
}

#[test]
fn the_schema_has_nothing_about_persons_opinions_or_posts() {
    assert_eq!(crossings(DORMITORY), Vec::<String>::new());
    let names: Vec<&str> = DORMITORY.iter().map(|of| of.name).collect();
    assert_eq!(names, ["place", "shift", "log_entry", "incident", "handover"]);
}

#[test]
fn every_classified_reference_still_exists() {
    let mut paths = BTreeSet::new();
    for of in DORMITORY {
        for field in of.fields() {
            paths.insert(field.name.to_owned());
            paths.insert(format!("{}.{}", of.name, field.name));
            if let Type::Element(parts) = field.ty {
                paths.extend(
                    parts.iter().map(|part| format!("{}.{}.{}", of.name, field.name, part.name)),
                );
            }
        }
    }
    for (path, _) in REFERENCES {
        assert!(paths.contains(*path), "{path} is gone");
    }
}

mod toy {
    //! What must be caught.
    use tuquan_core::ids::RecordId;
    use tuquan_core::{choice, element, record};

    choice! {
        /// A list of categories with one too many.
        pub enum Widened {
            /// As it is.
            Theft = 4 "theft",
            /// Not ours to know.
            Belief = 19 "belief",
        }
    }

    element! {
        /// What somebody wrote somewhere.
        pub struct Saying {
            /// Where.
            facebook: String,
            /// Who.
            by: RecordId,
        }
    }

    record! {
        /// A file on a person.
        pub struct Toy = 900, "student_profile" {
            writers: [R1],
            /// Widened.
            16 category: Widened, LW t,
            /// An opinion.
            17 political_opinion: String, LW t; searched,
            /// Whom it is about.
            18 about: RecordId, LW t; indexed,
            /// Sayings.
            19 sayings: Saying, AO t; searched,
            /// A trail.
            20 location_trail: String, AO t,
            /// A list.
            21 danh_sach_den: bool, LW t,
        }
    }
}

#[test]
fn a_file_on_a_person_is_caught_wherever_it_hides() {
    let found = crossings(&[toy::Toy::DECLARATION]).join("\n");
    for caught in [
        "student_profile: the word",
        "student_profile.category: another list of categories",
        "student_profile.category=belief: the word belief",
        "student_profile.political_opinion: the word",
        "student_profile.about: a reference that nobody has classified",
        "student_profile.about: index or search over persons",
        "student_profile.about: could be filtered and counted by person",
        "student_profile.sayings.facebook: the word facebook",
        "student_profile.sayings: index or search over persons",
        "student_profile.location_trail: the word",
        "student_profile.danh_sach_den: the word danh_sach_den",
    ] {
        assert!(found.contains(caught), "{caught} is missing in\n{found}");
    }
}

#[test]
fn there_is_no_question_about_a_person() {
    for question in ["person", "people", "author", "member", "device", "suspect", "assignee"] {
        let json = serde_json::json!({ question: { "text": "x", "limit": 1 } });
        let error = serde_json::from_value::<Query>(json).expect_err("no such question");
        let known = "expected one of `list`, `get`, `search`, `conflicts`, `counts`";
        assert!(error.to_string().contains(known), "{error}");
    }
}

#[test]
fn nothing_is_listed_or_counted_by_person() {
    let (folder, clock) = (Folder::new("purpose"), HandClock::at(NOON_MS));
    let store = open(location(folder.path(), None), 1, &clock).expect("opened");
    store.found().expect("founded");
    for of in DORMITORY {
        for field in ["written_by", "on_duty", "assignees", "sign_in", "sign_out"] {
            let kind = of.name.to_owned();
            let person = Plain::from("00112233445566778899aabbccddeeff");
            let filter = [(field.to_owned(), person)].into();
            let list = List { kind: kind.clone(), filter, limit: 5, ..List::default() };
            let counts = Counts { kind, by: vec![field.to_owned()], ..Counts::default() };
            assert_eq!(store.list(&list).expect_err("refused").kind, Kind::Invalid);
            assert_eq!(store.counts(&counts).expect_err("refused").kind, Kind::Invalid);
        }
    }
}
