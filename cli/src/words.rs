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

/// Words under a key and what fills them in, not yet in any language; or a text as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    key: &'static str,
    values: Vec<(&'static str, String)>,
    inner: Option<Box<Self>>,
}

impl Said {
    /// Names words and fills them in.
    pub(crate) fn new(key: &'static str, values: &[(&'static str, &dyn Display)]) -> Self {
        let values = values.iter().map(|(name, value)| (*name, value.to_string())).collect();
        Self { key, values, inner: None }
    }

    /// Takes a text that is no word of ours: a name, a path, what another program said.
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self { key: "", values: vec![("", text.into())], inner: None }
    }

    /// Takes the context of one of the core's errors, which the words file knows by its English.
    pub(crate) fn of_core(context: impl Into<String>) -> Self {
        Self { key: CONTEXT, values: vec![("", context.into())], inner: None }
    }

    /// Puts other words into the place of `{text}`.
    pub(crate) fn with(self, inner: Self) -> Self {
        Self { inner: Some(Box::new(inner)), ..self }
    }

    /// Names the words for what reading or writing a file ran into.
    pub(crate) fn io(error: &std::io::Error) -> Self {
        use std::io::ErrorKind as Kind;
        let key = match error.kind() {
            Kind::NotFound => "io.not_found",
            Kind::PermissionDenied => "io.permission",
            Kind::UnexpectedEof => "io.ends_early",
            Kind::InvalidData | Kind::InvalidInput => "io.damaged",
            Kind::IsADirectory => "io.folder",
            Kind::StorageFull => "io.full",
            _ => "io.other",
        };
        Self::new(key, &[])
    }
}

/// The section of what the core's errors are about.
const CONTEXT: &str = "context";

/// The words of one language.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    lang: Lang,
    /// What the core's errors are about: as the core says it, and in this language.
    contexts: Vec<(String, String)>,
    entries: HashMap<String, String>,
}

impl Words {
    /// Reads the words file.
    pub(crate) fn new(lang: Lang) -> Self {
        // The file is part of the program, and a test reads it.
        let file: Table = toml::from_str(FILE).unwrap_or_default();
        let mut entries = HashMap::new();
        flatten("", &file, lang, &mut entries);
        let contexts = file.get(CONTEXT).and_then(Value::as_table).into_iter().flatten();
        let both = |entry: &Value| {
            let said = |lang: Lang| Some(entry.get(lang.key())?.as_str()?.to_owned());
            Some((said(Lang::En)?, said(lang)?))
        };
        let contexts = contexts.filter_map(|(_, entry)| both(entry)).collect();
        Self { lang, contexts, entries }
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

    /// Returns in this language what an error of the core is about: names of fields and record
    /// types in words, all else in it as it stands. What is not in the file stays as it is.
    pub(crate) fn context(&self, text: &str) -> String {
        let found = self.contexts.iter().filter_map(|(known, said)| {
            let slots = fill(known, text)?;
            Some((
                known.len() - slots.iter().map(|(name, _)| name.len() + 2).sum::<usize>(),
                slots,
                said,
            ))
        });
        // Of several that fit, the one that leaves least to its slots.
        let Some((_, slots, said)) = found.max_by_key(|(fixed, ..)| *fixed) else {
            return text.to_owned();
        };
        slots.iter().fold(said.clone(), |said, (name, value)| {
            let lists = ["field", "record", "incident_state", "shift_state"].iter();
            let word = lists.filter_map(|list| self.find(&format!("{list}.{value}"))).next();
            said.replace(&format!("{{{name}}}"), word.unwrap_or(value))
        })
    }

    /// Returns what was said, in this language.
    pub(crate) fn tell(&self, said: &Said) -> String {
        if said.key.is_empty() {
            return said.values.first().map(|(_, text)| text.clone()).unwrap_or_default();
        }
        if said.key == CONTEXT {
            return said.values.first().map(|(_, text)| self.context(text)).unwrap_or_default();
        }
        let inner = said.inner.as_deref().map(|inner| self.tell(inner));
        let values: Vec<(&str, &dyn Display)> = (said.values.iter())
            .map(|(name, value)| (*name, value as &dyn Display))
            .chain(inner.iter().map(|text| ("text", text as &dyn Display)))
            .collect();
        self.say(said.key, &values)
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

/// Reads out of `text` what stands in the `{slots}` of `known`; none when the rest differs.
fn fill<'a>(known: &'a str, text: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let (head, mut known) = known.split_once('{').unwrap_or((known, ""));
    let mut text = text.strip_prefix(head)?;
    let mut slots = Vec::new();
    while !known.is_empty() {
        let (name, rest) = known.split_once('}')?;
        let (between, next) = rest.split_once('{').unwrap_or((rest, ""));
        let (value, after) = match next.is_empty() {
            true => (text.strip_suffix(between)?, ""),
            false => text.split_once(between)?,
        };
        slots.push((name, value));
        text = after;
        known = next;
    }
    text.is_empty().then_some(slots)
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
