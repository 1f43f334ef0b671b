//! Whole-file tests: made-up dirt, arbitrary bytes, and the public logs when they are at hand.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Cursor, Write},
    path::{Path, PathBuf},
};

use tuquan_core::domain::category::Category;

use super::{
    ImportError, ImportReader, ImportRow, Mapping, RefusalReason, RefusedRow, RowFlag, is_sealed,
};
use crate::words::{Lang, Words};

const MAP: &str = r#"
record = "incident"
place = ["room"]
building = ["house"]
text = ["text"]
note = ["note?"]
[key]
prefix = "t"
columns = ["no"]
[time]
occurred = ["day", "hour"]
reported = ["reported"]
forms = ["iso", "slash_date", "clock12", "clock24"]
date_order = "dmy"
[category]
columns = ["kind"]
[[category.rule]]
to = "noise"
contains = ["ồn"]
[[category.rule]]
to = "substance"
contains = ["rượu"]
"#;

const HEADER: &str = "no,day,hour,reported,kind,house,room,text\n";

type Row = Result<ImportRow, RefusedRow>;

fn import(map: &str, csv: impl Into<Vec<u8>>) -> Result<Vec<Row>, ImportError> {
    let mapping = Mapping::parse(map)?;
    Ok(ImportReader::new(Cursor::new(csv.into()), mapping)?.collect())
}

fn rows(csv: &str) -> Vec<Row> {
    import(MAP, format!("{HEADER}{csv}")).unwrap()
}

fn one(csv: &str) -> ImportRow {
    rows(csv).remove(0).unwrap()
}

fn refusal(row: &Row) -> Option<(u64, RefusalReason)> {
    row.as_ref().err().map(|refused| (refused.line, refused.reason))
}

#[test]
fn a_clean_row_keeps_every_part() {
    let row = one("7,17/5/2023,22:30,17/5/2023 22:45,Ồn ào,A1,Tầng 3,hát to\n");
    assert_eq!((row.line, row.key.as_str(), row.category), (2, "t:7", "noise"));
    assert_eq!(row.t_occ_ms, Some(1_684_337_400_000));
    assert_eq!(row.t_reported_ms, Some(1_684_338_300_000));
    assert_eq!((row.building.as_deref(), row.place.as_deref()), (Some("A1"), Some("Tầng 3")));
    assert_eq!((row.text.as_str(), row.note, row.urgent), ("hát to", None, false));
    assert_eq!(row.flags, []);
}

#[test]
fn bom_crlf_quoted_line_breaks_and_other_delimiters_are_read() {
    for delimiter in [",", ";", "\t", "|"] {
        let header = HEADER.replace(',', delimiter).replace('\n', "\r\n");
        let fields =
            ["7", "17/5/2023", "22:30", "", "ồn", "A1", "", "\"một\r\nhai\"\r\n"].join(delimiter);
        let csv = format!("\u{feff}{header}{fields}\r\n{fields}");
        let rows = import(MAP, csv).unwrap();
        let lines: Vec<u64> = rows.iter().map(|row| row.as_ref().unwrap().line).collect();
        assert_eq!(lines, [2, 5], "{delimiter:?}");
        assert_eq!(rows[1].as_ref().unwrap().text, "một\nhai");
    }
}

#[test]
fn each_kind_of_dirt_is_refused_with_its_line_and_reason() {
    use RefusalReason::*;
    let giant = "x".repeat(70_000);
    let good = "1,17/5/2023,,,ồn,A1,,a\n";
    for (bad, reason) in [
        ("2,17/5/2023,,,ồn,A1\n".to_owned(), TooFewFields),
        ("2,17/5/2023,,,ồn,A1,,a,b\n".to_owned(), TooManyFields),
        (format!("2{}\n", ",".repeat(100_000)), TooManyFields),
        ("2,17/5/2023,,,ồn,A1,,a\0b\n".to_owned(), NulByte),
        (format!("2,17/5/2023,,,ồn,A1,,{giant}\n"), FieldTooLong),
        (",,,,,,, \n".to_owned(), EmptyRow),
        ("2,31/2/2023,,17/5/2023,ồn,A1,,a\n".to_owned(), BadDate),
        ("2,1/1/3036,,17/5/2023,ồn,A1,,a\n".to_owned(), BadDate),
        ("2,,,,ồn,A1,,a\n".to_owned(), NoTime),
    ] {
        let rows = rows(&format!("{good}{bad}{good}"));
        let refused: Vec<_> = rows.iter().map(refusal).collect();
        assert_eq!(refused, [None, Some((3, reason)), None], "{reason:?}");
    }
}

#[test]
fn an_unclosed_quote_names_the_lines_it_swallows() {
    let rows = rows("1,17/5/2023,,,ồn,A1,,a\n2,17/5/2023,,,ồn,A1,,\"b\n3,x\n4,y\n");
    assert_eq!(refusal(&rows[1]), Some((3, RefusalReason::UnclosedQuote)));
    assert_eq!(rows.len(), 2);
    let words = Words::new(Lang::En);
    assert!(words.tell(&rows[1].as_ref().unwrap_err().detail).contains("3 to 5"));
}

#[test]
fn broken_utf8_is_refused_unless_the_map_allows_repair() {
    let csv = [HEADER.as_bytes(), b"1,17/5/2023,,,x,A1,,caf\xe9\n"].concat();
    let strict = import(MAP, csv.clone()).unwrap();
    assert_eq!(refusal(&strict[0]), Some((2, RefusalReason::NotUtf8)));
    let lossy = import(&format!("encoding = \"lossy\"\n{MAP}"), csv).unwrap().remove(0).unwrap();
    assert_eq!(lossy.text, "caf\u{fffd}");
    assert!(lossy.flags.contains(&RowFlag::TextRepaired));
}

#[test]
fn a_missing_date_takes_the_report_and_says_so() {
    let row = one("1,,,17/5/2023 22:45,ồn,A1,,a\n");
    assert_eq!(row.t_occ_ms, row.t_reported_ms);
    assert_eq!(row.flags, [RowFlag::TimeFromReport]);
    let row = one("1,Unknown,,17/5/2023,ồn,,,a\n");
    let wanted = [RowFlag::TimeUnknown, RowFlag::TimeFromReport, RowFlag::PlaceMissing];
    assert_eq!(row.flags, wanted);
}

#[test]
fn a_bad_date_takes_the_report_when_the_map_says_so() {
    let map = MAP.replace("[category]", "bad_date = \"use_reported\"\n[category]");
    let csv = format!("{HEADER}1,31/2/2023,,17/5/2023,ồn,A1,,a\n2,31/2/2023,,,ồn,A1,,a\n");
    let rows = import(&map, csv).unwrap();
    assert!(rows[0].as_ref().unwrap().flags.contains(&RowFlag::BadDateReplaced));
    assert_eq!(refusal(&rows[1]), Some((3, RefusalReason::BadDate)));
}

#[test]
fn an_event_after_its_report_is_kept_and_flagged() {
    let row = one("1,25/5/2023,10:00,17/5/2023 22:45,ồn,A1,,a\n");
    assert_eq!(row.flags, [RowFlag::DateImplausible, RowFlag::OccurredAfterReported]);
}

#[test]
fn a_sealed_row_keeps_category_building_and_times_only() {
    let row = one("1,17/5/2023,22:00,,say RƯỢU,A1,Phòng 301,bạn ấy say\n");
    assert_eq!((row.category, row.building.as_deref()), ("substance", Some("A1")));
    assert_eq!((row.place, row.text.as_str(), row.note), (None, "", None));
    assert!(row.flags.contains(&RowFlag::SealedTextWithheld));
    let other = one(",17/5/2023,22:00,,say rượu,A1,Phòng 301,một\n");
    let same = one(",17/5/2023,22:00,,say rượu,A1,Phòng 301,hai\n");
    assert_eq!(other.key, same.key, "not even a hash of the text may stay");
}

#[test]
fn personal_numbers_in_text_are_masked() {
    let row = one("1,17/5/2023,22:00,,ồn,A1,,gọi 0912345678\n");
    assert_eq!(row.text, "gọi […]");
    assert_eq!(row.flags, [RowFlag::PersonalDataMasked]);
}

#[test]
fn one_key_serves_copies_and_amendments_and_content_serves_the_rest() {
    let keys: Vec<String> = rows(
        "1,17/5/2023,,,ồn,A1,,a\n1,17/5/2023,,,ồn,A1,,b\n,17/5/2023,,,ồn,A1,,a\n\
         ,17/5/2023,,,ồn,A1,,b\n,17/5/2023,,,ồn,A1,,a\n",
    )
    .into_iter()
    .map(|row| row.unwrap().key)
    .collect();
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[2], keys[3]);
    assert_eq!(keys[2], keys[4]);
}

#[test]
fn required_parts_are_required() {
    let map = format!("require = [\"occurred\", \"place\"]\n{MAP}");
    let csv = format!("{HEADER}1,,,17/5/2023,ồn,A1,,a\n2,17/5/2023,,,ồn,,,a\n");
    let refused: Vec<_> = import(&map, csv).unwrap().iter().map(refusal).collect();
    let reason = RefusalReason::MissingRequired;
    assert_eq!(refused, [Some((2, reason)), Some((3, reason))]);
}

#[test]
fn a_header_that_does_not_fit_is_one_error_for_the_file() {
    let error = import(MAP, "no,day,hour\n1,2,3\n").err().unwrap();
    let ImportError::MissingColumn { column, header } = error else { panic!("{error}") };
    assert_eq!((column.as_str(), header.len()), ("kind", 3));
    let twice = import(MAP, HEADER.replace("room", "house"));
    assert!(matches!(twice, Err(ImportError::MissingColumn { .. })));
    let twice = import(MAP, HEADER.replace("room", "room,text"));
    assert!(matches!(twice, Err(ImportError::DuplicateColumn { count: 2, .. })));
    assert_eq!(import(MAP, HEADER.replace("room", "room,x,x")).unwrap().len(), 0);
    assert!(matches!(import(MAP, ""), Err(ImportError::Empty)));
    assert!(matches!(import(MAP, "\u{feff}\r\n\r\n"), Err(ImportError::Empty)));
    assert!(matches!(import(MAP, b"\xff\xfen\0".as_slice()), Err(ImportError::Utf16)));
    assert!(matches!(import(MAP, ",".repeat(5_000)), Err(ImportError::Header(_))));
    assert!(matches!(import(MAP, "no,\"day"), Err(ImportError::Header(_))));
}

#[test]
fn a_map_with_an_unknown_word_is_refused() {
    for (from, to) in [
        ("to = \"noise\"", "to = \"opinion\""),
        ("[key]", "author = [\"x\"]\n[key]"),
        ("date_order = \"dmy\"", "date_order = \"ymd\""),
        ("date_order = \"dmy\"", "date_order = \"dmy\"\noffset = \"7\""),
        ("prefix = \"t\"", "prefix = \"\""),
    ] {
        assert!(matches!(Mapping::parse(&MAP.replace(from, to)), Err(ImportError::Mapping(_))));
    }
}

#[test]
fn gzip_is_read_and_a_damaged_archive_ends_with_a_refusal() {
    let mut csv = HEADER.to_owned();
    for number in 0..20_000 {
        csv += &format!("{number},17/5/2023,,,ồn,A1,,dòng {number}\n");
    }
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(csv.as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    assert_eq!(import(MAP, packed.clone()).unwrap().len(), 20_000);
    let cut = import(MAP, packed[..packed.len() / 2].to_vec()).unwrap();
    let (last, before) = cut.split_last().unwrap();
    assert_eq!(refusal(last).map(|(_, reason)| reason), Some(RefusalReason::Unreadable));
    assert!(before.len() > 1_000 && before.iter().all(Result::is_ok));
}

#[test]
fn the_vietnamese_sheet_and_our_own_export_are_read() {
    let sheet = "Ngày;Giờ;Toà nhà;Tầng;Loại;Nội dung\n\
                 17/5/2023;22h30;B2;Tầng 3;Ồn ào;mở nhạc to sau giờ nghỉ\n\
                 18/5/2023;05:47 pm;A1;;;chap dien o hanh lang, goi 114\n";
    let rows = import(include_str!("../../maps/vietnam.toml"), sheet).unwrap();
    let rows: Vec<_> = rows.into_iter().map(Result::unwrap).collect();
    assert_eq!((rows[0].category, rows[0].urgent), ("noise", false));
    assert_eq!((rows[1].category, rows[1].urgent), ("fire_electric", true));
    assert_eq!(rows[0].place.as_deref(), Some("B2, Tầng 3"));
    let export = "key,t_occ,category,place,text,note,priority,state\n\
                  B2-1,2026-11-05T22:30:00+07:00,hazard,B2,vỡ ống nước,đã khóa van,khẩn,closed\n\
                  B2-2,2026-11-05T22:30:00+07:00,rumour,B2,x,,,\n";
    let rows = import(include_str!("../../maps/tuquan.toml"), export).unwrap();
    let row = rows[0].as_ref().unwrap();
    assert_eq!((row.category, row.urgent, row.state), ("hazard", true, Some("closed")));
    assert_eq!(refusal(&rows[1]), Some((3, RefusalReason::MissingRequired)));
}

#[test]
fn arbitrary_bytes_never_panic_and_every_record_comes_out_once() {
    let map = format!("delimiter = \",\"\n{MAP}");
    let bytes = proptest::collection::vec(
        proptest::prop_oneof![
            3 => proptest::sample::select(b",,,,,\n\r\"17/5/2023 :AMPM;\t\0".as_slice()),
            1 => proptest::num::u8::ANY
        ],
        0..400,
    );
    proptest::proptest!(|(bytes in bytes)| {
        let csv = [HEADER.as_bytes(), &bytes].concat();
        let mut reference = csv::ReaderBuilder::new().flexible(true).from_reader(csv.as_slice());
        let wanted = reference.byte_records().count();
        assert_eq!(import(&map, csv).unwrap().len(), wanted);
        let _ = import(&map, bytes);
    });
}

#[test]
fn the_public_logs_import_without_loss() {
    let Some(folder) = data_folder() else {
        eprintln!("skipped: set TUQUAN_DATA_DIR to the folder of the public logs");
        return;
    };
    let logs = [
        ("ucsd_police_log.csv", include_str!("../../maps/ucsd.toml")),
        ("uchicago_police_log.csv.gz", include_str!("../../maps/uchicago.toml")),
        ("montgomery_911_calls.csv.gz", include_str!("../../maps/montgomery.toml")),
    ];
    for (name, map) in logs {
        let tally = Tally::new(&folder.join(name), Mapping::parse(map).unwrap());
        eprintln!("{name}: {tally:#?}");
        let records = count_records(&folder.join(name));
        let refused: usize = tally.refused.values().sum();
        assert_eq!(tally.imported + refused, records, "{name}");
        assert!(share(refused, records) < 0.03, "{name}: {refused} refused");
        let unknown = tally.flags.get(&RowFlag::CategoryUnknown).copied().unwrap_or(0);
        assert!(share(unknown, tally.imported) < 0.05, "{name}: {unknown} of no known category");
    }
}

/// Counts what came out of one file.
#[derive(Debug)]
#[allow(dead_code, reason = "shown by Debug")]
struct Tally {
    imported: usize,
    keys: usize,
    refused: BTreeMap<&'static str, usize>,
    categories: BTreeMap<&'static str, usize>,
    flags: BTreeMap<RowFlag, usize>,
}

impl Tally {
    fn new(path: &Path, mapping: Mapping) -> Self {
        let mut tally = Self {
            imported: 0,
            keys: 0,
            refused: BTreeMap::new(),
            categories: BTreeMap::new(),
            flags: BTreeMap::new(),
        };
        let mut keys = BTreeSet::new();
        for row in ImportReader::open(path, mapping).unwrap() {
            match row {
                Ok(row) => {
                    assert!(Category::from_token(row.category).is_some());
                    assert!(
                        !is_sealed(row.category) || (row.text.is_empty() && row.note.is_none())
                    );
                    tally.imported += 1;
                    *tally.categories.entry(row.category).or_default() += 1;
                    for flag in row.flags {
                        *tally.flags.entry(flag).or_default() += 1;
                    }
                    keys.insert(row.key);
                }
                Err(refused) => *tally.refused.entry(refused.reason.token()).or_default() += 1,
            }
        }
        tally.keys = keys.len();
        tally
    }
}

fn data_folder() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("TUQUAN_DATA_DIR").map_or(beside, PathBuf::from);
    folder.join("ucsd_police_log.csv").is_file().then_some(folder)
}

fn count_records(path: &Path) -> usize {
    let file = std::fs::File::open(path).unwrap();
    let input: Box<dyn std::io::Read> = if path.extension().is_some_and(|end| end == "gz") {
        Box::new(flate2::read::MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    csv::ReaderBuilder::new().flexible(true).from_reader(input).byte_records().count()
}

#[allow(clippy::cast_precision_loss, reason = "counts of a test")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
