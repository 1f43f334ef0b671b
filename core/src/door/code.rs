//! The code of a record that people say to each other: building, date, three check characters.
//!
//! Made on each phone from what the record says, so it needs no pool of reserved numbers. Must
//! not know: who asks.

use rusqlite::Connection;

use super::query::{OFFSET_MS, Record, view_named};
use crate::crypto;
use crate::error::Result;
use crate::ids::RecordId;
use crate::record::plain::Plain;
use crate::store::search::fold;
use crate::store::views::View;

/// How far up the tree of places a building is looked for.
const TREE_DEPTH_MAX: usize = 8;
const BUILDING_CHARS_MAX: usize = 4;
/// No I, L, O, U: they are misread.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Returns the code of a record, such as `B2-261105-K7F`.
///
/// # Errors
/// Of the store.
pub fn of(connection: &Connection, views: &[View], record: &Record) -> Result<String> {
    let building = match record.fields.get("place") {
        Some(Plain::Text(id)) => building(connection, views, id.parse()?)?,
        _ => None,
    };
    let hash = crypto::hash_bytes("tuquan/1 code", &record.record.0);
    let check: String = hash[..3]
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
        .collect();
    let building = building.unwrap_or_else(|| "X".to_owned());
    Ok(format!("{building}-{}-{check}", date(record.saved_ms)))
}

fn building(connection: &Connection, views: &[View], from: RecordId) -> Result<Option<String>> {
    let Ok(view) = view_named(views, "place") else {
        return Ok(None);
    };
    let mut at = from;
    let mut name = None;
    for _ in 0..TREE_DEPTH_MAX {
        let Some(place) = super::query::get(connection, std::slice::from_ref(view), &at)? else {
            break;
        };
        if let Some(Plain::Text(text)) = place.fields.get("name") {
            name = Some(short(text));
        }
        if place.fields.get("kind") == Some(&Plain::from("building")) {
            break;
        }
        match place.fields.get("parent") {
            Some(Plain::Text(parent)) => at = parent.parse()?,
            _ => break,
        }
    }
    Ok(name.filter(|name| !name.is_empty()))
}

/// Returns the letters and digits of a place's last word, in capitals: "Nhà B2" gives `B2`.
fn short(name: &str) -> String {
    let folded = fold(name);
    let word = folded.split_whitespace().last().unwrap_or_default();
    let letters = word.chars().filter(char::is_ascii_alphanumeric);
    letters
        .take(BUILDING_CHARS_MAX)
        .collect::<String>()
        .to_uppercase()
}

/// Returns the day as `yyMMdd` at +07:00 (proleptic Gregorian, Howard Hinnant's algorithm).
fn date(ms: i64) -> String {
    let days = (ms + OFFSET_MS).div_euclid(86_400_000) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{:02}{month:02}{day:02}", year.rem_euclid(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_a_code_is_the_local_one() {
        assert_eq!(date(1_793_898_000_000), "261106");
        assert_eq!(date(951_782_400_000), "000229");
        assert_eq!(date(0), "700101");
    }

    #[test]
    fn a_building_is_its_last_word() {
        assert_eq!(short("Nhà B2"), "B2");
        assert_eq!(short("Ký túc xá Đông"), "DONG");
    }
}
