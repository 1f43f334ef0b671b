//! Text rules: cleaning what is stored, folding what is compared, masking what must not stay.
//!
//! Stored text is NFC without control or zero-width characters. The fold ignores case, accents,
//! punctuation and width; it is used to compare, never to store or show.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

const MASK: &str = "[…]";

/// Returns the text as it may be stored: NFC, trimmed, inner runs of spaces made single.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut gap = Gap::None;
    for c in text.nfc() {
        match c {
            '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => {}
            '\n' | '\r' => gap = Gap::Line,
            c if c.is_whitespace() || c.is_control() => {
                if gap == Gap::None {
                    gap = Gap::Space;
                }
            }
            c => {
                match gap {
                    Gap::Space if !out.is_empty() => out.push(' '),
                    Gap::Line if !out.is_empty() => out.push('\n'),
                    _ => {}
                }
                gap = Gap::None;
                out.push(c);
            }
        }
    }
    out
}

/// Returns the form that two texts share when they differ only in case, accents or punctuation.
pub(super) fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in flatten(text) {
        if c.is_alphanumeric() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Yields lower-case characters without accents; punctuation stays.
pub(super) fn flatten(text: &str) -> impl Iterator<Item = char> + '_ {
    text.nfkc()
        .map(|c| if matches!(c, 'đ' | 'Đ' | 'ð' | 'Ð' | 'ɖ' | 'Ɖ') { 'd' } else { c })
        .nfd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
}

/// Cuts the text at the last character boundary within the limit; returns whether it did.
pub(super) fn truncate(text: &mut String, bytes_max: usize) -> bool {
    let too_long = text.len() > bytes_max;
    if too_long {
        text.truncate(text.floor_char_boundary(bytes_max));
    }
    too_long
}

/// Replaces phone numbers, identity numbers and number plates; returns `None` if there are none.
pub(crate) fn mask(text: &str) -> Option<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut found = false;
    let mut at = 0;
    while at < chars.len() {
        let after_word = at > 0 && chars[at - 1].is_alphanumeric();
        match personal_number(&chars, at).filter(|_| !after_word) {
            Some(end) => {
                out.push_str(MASK);
                found = true;
                at = end;
            }
            None => {
                out.push(chars[at]);
                at += 1;
            }
        }
    }
    found.then_some(out)
}

fn personal_number(chars: &[char], start: usize) -> Option<usize> {
    phone(chars, start).or_else(|| identity(chars, start)).or_else(|| plate(chars, start))
}

/// `(\+?84|0)[35789]\d{8}` with single spaces, dots or dashes allowed between the digits.
fn phone(chars: &[char], start: usize) -> Option<usize> {
    let mut digits = String::new();
    let mut at = start + usize::from(chars[start] == '+');
    let mut end = at;
    while let Some(c) = chars.get(at) {
        if c.is_ascii_digit() {
            digits.push(*c);
            end = at + 1;
        } else if !matches!(c, ' ' | '.' | '-') || end < at || digits.is_empty() {
            break;
        }
        at += 1;
        if digits.len() > 11 {
            return None;
        }
    }
    let local = digits.strip_prefix("84").or_else(|| digits.strip_prefix('0'))?;
    let mobile = local.len() == 9 && local.starts_with(['3', '5', '7', '8', '9']);
    mobile.then_some(end)
}

/// `\b(\d{9}|\d{12})\b`
fn identity(chars: &[char], start: usize) -> Option<usize> {
    let count = digit_run(chars, start);
    let closed = chars.get(start + count).is_none_or(|c| !c.is_alphanumeric());
    (matches!(count, 9 | 12) && closed).then_some(start + count)
}

/// `\d{2}[A-Z]\d?-?\d{3}\.?\d{2}`
fn plate(chars: &[char], start: usize) -> Option<usize> {
    if digit_run(chars, start) != 2 || !chars.get(start + 2)?.is_ascii_uppercase() {
        return None;
    }
    let rest: Vec<char> = chars.iter().skip(start + 3).take(9).copied().collect();
    (0..=1).find_map(|series| {
        if digit_run(&rest, 0) < series {
            return None;
        }
        let mut at = series;
        at += usize::from(rest.get(at) == Some(&'-'));
        if digit_run(&rest, at) < 3 {
            return None;
        }
        at += 3;
        at += usize::from(rest.get(at) == Some(&'.'));
        (digit_run(&rest, at) == 2).then_some(start + 3 + at + 2)
    })
}

fn digit_run(chars: &[char], start: usize) -> usize {
    chars.iter().skip(start).take_while(|c| c.is_ascii_digit()).count()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gap {
    None,
    Space,
    Line,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fold_joins_spellings_of_one_word() {
        for (written, folded) in [
            ("Trộm cắp", "trom cap"),
            ("TRỘM  CẮP!", "trom cap"),
            ("Ðánh nhau", "danh nhau"),
            ("hoà / hòa", "hoa hoa"),
            ("Fire-Alarm: 2‐B", "fire alarm 2 b"),
        ] {
            assert_eq!(fold(written), folded);
        }
    }

    #[test]
    fn cleaning_keeps_words_and_lines_and_drops_the_rest() {
        assert_eq!(clean(" a\u{200b}b \t c\r\n\r\nd\u{7} "), "ab c\nd");
        assert_eq!(clean("e\u{301}"), "é");
    }

    #[test]
    fn personal_numbers_are_masked_and_other_numbers_stay() {
        for secret in ["0912345678", "+84 912 345 678", "012345678901", "29B1-123.45", "30A12345"] {
            let masked = mask(&format!("thấy {secret} ở cổng")).unwrap();
            assert_eq!(masked, "thấy […] ở cổng", "{secret}");
        }
        for harmless in ["phòng 301", "2.365 lượt", "23/11/2025 10:05", "case 2511230001"] {
            assert_eq!(mask(harmless), None, "{harmless}");
        }
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        let mut text = "ộộ".to_owned();
        assert!(truncate(&mut text, 4));
        assert_eq!(text, "ộ");
    }
}
