//! The words that people read, Vietnamese first and English second, from one file.
//!
//! Invariant: no text for people stands in code; a test finds every key that the code names and
//! every token and error code of the core in the file, in both languages. Must not know: what the
//! words are for.

use std::{collections::HashMap, fmt::Display};

use toml::{Table, Value};

/// The words file, shared with the phones' resources.
const FILE: &str = include_str!("../../words/words.toml");

/// A language that the words file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lang {
    /// Vietnamese, the default.
    Vi,
    /// English.
    En,
}

impl Lang {
    /// Reads `vi` or `en`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "vi" => Some(Self::Vi),
            "en" => Some(Self::En),
            _ => None,
        }
    }

    const fn key(self) -> &'static str {
        match self {
            Self::Vi => "vi",
            Self::En => "en",
        }
    }
}

/// The words of one language.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    lang: Lang,
    entries: HashMap<String, String>,
}

impl Words {
    /// Reads the words file.
    pub(crate) fn new(lang: Lang) -> Self {
        // The file is part of the program, and a test reads it.
        let file: Table = toml::from_str(FILE).unwrap_or_default();
        let mut entries = HashMap::new();
        flatten("", &file, lang, &mut entries);
        Self { lang, entries }
    }

    /// Returns the words under a key, or the key itself where there are none.
    pub(crate) fn get<'a>(&'a self, key: &'a str) -> &'a str {
        self.find(key).unwrap_or(key)
    }

    /// Returns the words under a key, if there are any.
    pub(crate) fn find(&self, key: &str) -> Option<&str> {
        self.entries.get(key).map(String::as_str)
    }

    /// Returns the words under a key with every `{name}` filled in.
    pub(crate) fn say(&self, key: &str, values: &[(&str, &dyn Display)]) -> String {
        let mut text = self.get(key).to_owned();
        for (name, value) in values {
            text = text.replace(&format!("{{{name}}}"), &value.to_string());
        }
        text
    }

    /// Returns the word for a token of a closed list, or the token itself.
    pub(crate) fn token<'a>(&'a self, list: &str, token: &'a str) -> &'a str {
        self.find(&format!("{list}.{token}")).unwrap_or(token)
    }

    /// Writes a count with the language's mark between thousands.
    pub(crate) fn count(&self, number: u64) -> String {
        let digits = number.to_string();
        let mark = match self.lang {
            Lang::Vi => '.',
            Lang::En => ',',
        };
        let mut out = String::with_capacity(digits.len() + digits.len() / 3);
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                out.push(mark);
            }
            out.push(digit);
        }
        out
    }

    /// Writes tenths, such as a mean or seconds, with the language's decimal mark.
    pub(crate) fn tenths(&self, tenths: u64) -> String {
        let mark = match self.lang {
            Lang::Vi => ',',
            Lang::En => '.',
        };
        format!("{}{mark}{}", self.count(tenths / 10), tenths % 10)
    }
}

fn flatten(prefix: &str, table: &Table, lang: Lang, entries: &mut HashMap<String, String>) {
    for (name, value) in table {
        let key = match prefix {
            "" => name.clone(),
            prefix => format!("{prefix}.{name}"),
        };
        let Value::Table(inner) = value else {
            continue;
        };
        match inner.get(lang.key()) {
            Some(Value::String(text)) => {
                entries.insert(key, text.clone());
            }
            _ => flatten(&key, inner, lang, entries),
        }
    }
}
