//! Makes the natural key of a row.
//!
//! The key depends on the row alone, never on its neighbours or on earlier rows. So the same
//! record gets the same key from every issue of a log and in any order; a later issue of the
//! record is an amendment. Where a source reuses a number for several events, the map's
//! `distinct_by` columns join the key of every row: an amendment of those columns then shows as a
//! second record, which a person can merge, while a collapse would hide an event.

use super::{
    mapping::KeyRules,
    text::{clean, fold},
};

const KEY_BYTES_MAX: usize = 120;

/// Returns the key and whether it had to be made from the content.
///
/// `numbers` are the key columns, `distinct` the `distinct_by` columns; `content` yields what
/// identifies a row without a number and is asked only then.
pub(super) fn natural_key(
    rules: &KeyRules,
    numbers: &[&str],
    distinct: &[&str],
    content: impl FnOnce() -> Vec<String>,
) -> (String, bool) {
    let number: Vec<String> = numbers.iter().map(|part| clean(part)).collect();
    let digits = number.iter().flat_map(|part| part.chars()).filter(|c| c.is_numeric()).count();
    let missing = number.iter().all(String::is_empty) || digits < rules.digits_min;
    let prefix = &rules.prefix;
    if missing {
        return (format!("{prefix}:#{}", digest(&content(), 16)), true);
    }
    let number = number.join("|").replace('\n', " ");
    let number = if number.len() > KEY_BYTES_MAX { digest(&[number], 16) } else { number };
    if distinct.is_empty() {
        return (format!("{prefix}:{number}"), false);
    }
    let distinct: Vec<String> = distinct.iter().map(|part| fold(part)).collect();
    (format!("{prefix}:{number}~{}", digest(&distinct, 4)), false)
}

/// Hashes the parts with their lengths, so that no two lists of parts run together.
fn digest(parts: &[String], bytes: usize) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&part.len().to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex().chars().take(bytes * 2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(numbers: &[&str], distinct: &[&str], content: &[&str]) -> (String, bool) {
        let rules = KeyRules { prefix: "log".into(), digits_min: 3 };
        natural_key(&rules, numbers, distinct, || content.iter().map(|c| (*c).into()).collect())
    }

    #[test]
    fn a_number_is_the_key_whatever_the_content() {
        assert_eq!(key(&[" CSA   25-002 "], &[], &["a"]), ("log:CSA 25-002".into(), false));
        assert_eq!(key(&["25-002"], &[], &["a"]), key(&["25-002"], &[], &["b"]));
    }

    #[test]
    fn a_missing_or_truncated_number_falls_back_to_the_content() {
        for number in ["", "  ", "LJ", "LJ25"] {
            let (made, from_content) = key(&[number], &[], &["a", "b"]);
            assert!(from_content && made.starts_with("log:#"), "{number}");
            assert_eq!(made, key(&["9"], &[], &["a", "b"]).0);
            assert_ne!(made, key(&["9"], &[], &["ab", ""]).0);
        }
    }

    #[test]
    fn distinct_columns_separate_reused_numbers_and_ignore_spelling() {
        let first = key(&["24-00002"], &["Nhà A1"], &[]);
        assert_ne!(first, key(&["24-00002"], &["Nhà B1"], &[]));
        assert_eq!(first, key(&["24-00002"], &["NHA  A1."], &[]));
    }
}
