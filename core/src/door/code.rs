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
/// How many digits of an id a person must type.
const PREFIX_DIGITS_MIN: usize = 6;
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
    let check = check_of(&record.record);
    let building = building.unwrap_or_else(|| "X".to_owned());
    Ok(format!("{building}-{}-{check}", date(record.saved_ms)))
}

/// Returns the records that a person may mean by `text`: an id, the first six or more digits of
/// one, or a code; more than one where it is not unique, though never more than `limit`.
///
/// # Errors
/// Of the store.
pub fn find(
    connection: &Connection,
    views: &[View],
    text: &str,
    limit: usize,
) -> Result<Vec<RecordId>> {
    let text = text.trim().to_lowercase();
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut found = Vec::new();
    if is_hex && (PREFIX_DIGITS_MIN..=2 * RecordId::LEN).contains(&text.len()) {
        let (low, high) = (format!("{text:0<32}"), format!("{text:f<32}"));
        let (low, high): (RecordId, RecordId) = (low.parse()?, high.parse()?);
        for view in views {
            let name = view.of.name;
            let sql = format!("SELECT id FROM \"{name}\" WHERE id BETWEEN ? AND ? LIMIT {limit}");
            let mut statement = connection.prepare_cached(&sql)?;
            let ids = statement.query_map([low, high], |row| row.get(0))?;
            for id in ids {
                found.push(id?);
            }
        }
    } else if let Some((rest, check)) = text.rsplit_once('-')
        && let Some((_, day)) = rest.rsplit_once('-')
    {
        found = of_day(connection, views, day, check)?;
        // The building changes with the place; it only tells apart what else is equal.
        if found.len() > 1 {
            let mut exact = Vec::new();
            for id in &found {
                if let Some(record) = super::query::get(connection, views, id)?
                    && of(connection, views, &record)?.eq_ignore_ascii_case(&text)
                {
                    exact.push(*id);
                }
            }
            if !exact.is_empty() {
                found = exact;
            }
        }
    }
    found.truncate(limit);
    Ok(found)
}

/// Returns the records that were saved on a day and have these check characters.
fn of_day(
    connection: &Connection,
    views: &[View],
    day: &str,
    check: &str,
) -> Result<Vec<RecordId>> {
    let mut found = Vec::new();
    for view in views {
        let sql = format!("SELECT id, saved >> 16 FROM \"{}\"", view.of.name);
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (id, saved_ms): (RecordId, i64) = (row.get(0)?, row.get(1)?);
            if date(saved_ms) == day && check_of(&id).eq_ignore_ascii_case(check) {
                found.push(id);
            }
        }
    }
    Ok(found)
}

fn check_of(id: &RecordId) -> String {
    let hash = crypto::hash_bytes("tuquan/1 code", &id.0);
    let letters = hash[..3].iter();
    letters.map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
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
    letters.take(BUILDING_CHARS_MAX).collect::<String>().to_uppercase()
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
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
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
