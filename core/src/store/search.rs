//! Search that needs no accents: the Vietnamese fold, and the words of an index and a query.
//!
//! Two columns: every word folded, and those words that have accents once more as typed (NFC,
//! lower case), so that an accented query ranks exact hits first (domain section 8). SQLite's own
//! `remove_diacritics` never finds "xe đạp" for `xe dap`, so the fold is here. Must not know:
//! which fields are searched.

use std::sync::OnceLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Folds a text for comparison: NFKC, đ and its look-alikes to d, no marks, lower case, single
/// spaces.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return collapse(&text.to_ascii_lowercase());
    }
    if let Some(folded) = fold_by_table(text) {
        return collapse(&folded);
    }
    collapse(&fold_slowly(text))
}

/// One past the last character of the table: Latin with all marks of Vietnamese, and punctuation.
const TABLE_END: usize = 0x2070;

/// Folds character by character, where each folds to one character on its own; that is so for
/// composed Vietnamese, and several times faster than normalising.
fn fold_by_table(text: &str) -> Option<String> {
    static TABLE: OnceLock<Vec<Option<char>>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        (0..TABLE_END)
            .map(|code| {
                let single = char::from_u32(u32::try_from(code).ok()?)?;
                let folded = fold_slowly(single.encode_utf8(&mut [0; 4]));
                let mut chars = folded.chars();
                let first = chars.next()?;
                chars.next().is_none().then_some(first)
            })
            .collect()
    });
    text.chars().map(|c| table.get(c as usize).copied().flatten()).collect()
}

fn fold_slowly(text: &str) -> String {
    text.nfkc()
        .map(|c| if matches!(c, 'đ' | 'Đ' | 'ð' | 'Ð' | 'ɖ' | 'Ɖ') { 'd' } else { c })
        .nfd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .collect()
}

fn collapse(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Splits a text into words: runs of letters and digits.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && !is_combining_mark(c))
        .filter(|word| !word.is_empty())
}

/// The two columns of the index for one record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Indexed {
    /// Every word, folded.
    pub folded: String,
    /// The words that have accents, as typed.
    pub accented: String,
}

impl Indexed {
    /// Adds the words of a text.
    pub fn push(&mut self, text: &str) {
        if !self.folded.is_empty() {
            self.folded.push(' ');
        }
        self.folded.push_str(&fold(text));
        if text.is_ascii() {
            return;
        }
        let lower: String = text.nfc().flat_map(char::to_lowercase).collect();
        for word in words(&lower).filter(|word| !word.is_ascii()) {
            if !self.accented.is_empty() {
                self.accented.push(' ');
            }
            self.accented.push_str(&normal_tone(word));
        }
    }

    /// Tells whether there is nothing to index.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.folded.is_empty()
    }
}

/// Brings the new placement of a tone mark (`hoà`) to the old one (`hòa`), for ranking only.
///
/// They differ in open `oa`, `oe`, `uy` at the end of a syllable; `quý` keeps its mark, the `u`
/// belonging to the consonant.
fn normal_tone(word: &str) -> String {
    let letters: Vec<char> = word.chars().collect();
    let [.., before, last] = letters.as_slice() else {
        return word.to_owned();
    };
    let parts: Vec<char> = last.nfd().collect();
    let (&[base, tone], true) = (parts.as_slice(), matches!(before, 'o' | 'u')) else {
        return word.to_owned();
    };
    let tones = ['\u{300}', '\u{301}', '\u{303}', '\u{309}', '\u{323}'];
    let open = matches!((before, base), ('o', 'a' | 'e') | ('u', 'y'));
    let after_q = letters.len() >= 3 && letters[letters.len() - 3] == 'q';
    if !open || !tones.contains(&tone) || after_q {
        return word.to_owned();
    }
    let mut moved: String = letters[..letters.len() - 2].iter().collect();
    moved.extend([*before, tone].into_iter().nfc());
    moved.push(base);
    moved
}

/// Returns the FTS5 expressions for what a person typed, the best hits' first; none without words.
///
/// All words must be there: with the accents that were typed, then as whole words without accents,
/// then with the last word as a beginning, as it may still be on its way. A beginning looks through
/// every word that starts so, which costs in proportion to the records that hold one; so it comes
/// last, for those places of a page that whole words left free.
#[must_use]
pub fn query(typed: &str) -> Vec<String> {
    let mut indexed = Indexed::default();
    indexed.push(typed);
    let whole = expression("folded", &indexed.folded, false);
    let begun = expression("folded", &indexed.folded, true);
    let accented = expression("accented", &indexed.accented, false);
    let exact =
        accented.zip(begun.as_ref()).map(|(as_typed, all)| format!("({as_typed}) AND ({all})"));
    let mut forms: Vec<String> = [exact, whole, begun].into_iter().flatten().collect();
    forms.dedup();
    forms
}

fn expression(column: &str, text: &str, is_prefix: bool) -> Option<String> {
    /// A shorter beginning says too little.
    const PREFIX_CHARS_MIN: usize = 3;
    let mut terms: Vec<&str> = words(text).collect();
    let last = terms.pop()?;
    let star = if is_prefix && last.chars().count() >= PREFIX_CHARS_MIN { "*" } else { "" };
    let before: String = terms.iter().map(|word| format!("\"{word}\" AND ")).collect();
    Some(format!("{column} : ({before}\"{last}\"{star})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fold_meets_the_vectors_of_the_vocabulary() {
        for (text, folded) in [
            ("Trộm cắp", "trom cap"),
            ("TRỘM CẮP", "trom cap"),
            ("Tro\u{323}\u{302}m ca\u{306}\u{301}p", "trom cap"),
            ("Đánh nhau", "danh nhau"),
            ("Ðánh  nhau", "danh nhau"),
            ("hoà", "hoa"),
            ("hòa", "hoa"),
            ("thuỷ", "thuy"),
            ("thủy", "thuy"),
            ("quý", "quy"),
            ("qúy", "quy"),
            ("Xe Đạp", "xe dap"),
        ] {
            assert_eq!(fold(text), folded, "{text}");
            assert_eq!(collapse(&fold_slowly(text)), folded, "{text} without the table");
        }
    }

    #[test]
    fn both_tone_placements_are_one_word_to_the_ranking() {
        for (new, old) in [("hoà", "hòa"), ("hoè", "hòe"), ("thuỷ", "thủy")] {
            assert_eq!(normal_tone(new), old);
            assert_eq!(normal_tone(old), old);
        }
        assert_eq!(normal_tone("quý"), "quý");
        assert_eq!(normal_tone("toàn"), "toàn");
    }

    #[test]
    fn a_query_quotes_its_words_so_that_operators_are_plain_words() {
        let whole = "folded : (\"cap\" AND \"or\" AND \"drop\")".to_owned();
        let begun = "folded : (\"cap\" AND \"or\" AND \"drop\"*)".to_owned();
        assert_eq!(query("cap OR \"drop\" *"), [whole, begun]);
        assert_eq!(query(" * "), Vec::<String>::new());
    }
}
