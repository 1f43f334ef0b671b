//! What every command is given: the words, the folder, and its own arguments.
//!
//! Must not know: what commands do with it.

use std::io::Write as _;

use clap::ArgMatches;
use tuquan_core::{
    door::{Tuquan, query::Record},
    ids::{RecordId, RequestId},
};
use tuquan_net::system;

use crate::{
    failure::{Failure, Outcome},
    home::Home,
    time,
    words::Words,
};

/// How many meanings of an ambiguous id are looked up.
const MEANINGS_MAX: usize = 4;

/// One run of the program.
pub(crate) struct Context<'a> {
    /// The words that people read.
    pub(crate) words: &'a Words,
    /// The device's folder; none when nobody named one.
    pub(crate) home: Option<Home>,
    /// The arguments of the command.
    pub(crate) args: &'a ArgMatches,
    /// Whether the answer is for programs.
    pub(crate) json: bool,
}

impl Context<'_> {
    /// Returns the device's folder.
    pub(crate) fn home(&self) -> Outcome<&Home> {
        let home = self.home.as_ref();
        home.ok_or_else(|| Failure::usage(self.words.get("usage.no_home")))
    }

    /// Opens the device's store; says so, once, where it is a restored copy.
    pub(crate) fn open(&self) -> Outcome<Tuquan> {
        let store = self.home()?.open()?;
        if let Some(notice) = store.take_restored()? {
            let meaning = self.words.token("error", notice.code());
            let _ = writeln!(std::io::stderr().lock(), "{}: {meaning}", notice.code());
        }
        Ok(store)
    }

    /// Returns an argument.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let given = self.args.try_get_one::<String>(name).ok().flatten();
        given.map(String::as_str)
    }

    /// Returns an argument that clap has required.
    pub(crate) fn required(&self, name: &str) -> Outcome<&str> {
        self.text(name).ok_or_else(|| Failure::usage(name))
    }

    /// Returns an argument of several words, joined.
    pub(crate) fn joined(&self, name: &str) -> Option<String> {
        let given = self.args.try_get_many::<String>(name).ok().flatten()?;
        let words: Vec<&str> = given.map(String::as_str).collect();
        Some(words.join(" ")).filter(|text| !text.trim().is_empty())
    }

    /// Tells whether a flag was given.
    pub(crate) fn flag(&self, name: &str) -> bool {
        let given = self.args.try_get_one::<bool>(name).ok().flatten();
        given.copied().unwrap_or_default()
    }

    /// Returns a number that has a default.
    pub(crate) fn limit(&self) -> u32 {
        self.args.get_one::<u32>("limit").copied().unwrap_or(20)
    }

    /// Returns a time that was given.
    pub(crate) fn time(&self, name: &str) -> Outcome<Option<i64>> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let ms = time::parse(text, system::now_ms());
        let bad = || Failure::usage(self.words.say("usage.bad_time", &[("text", &text)]));
        ms.map(Some).ok_or_else(bad)
    }

    /// Returns the id of this act: made from the caller's name for it, so that a repeated call
    /// is done once, or a random one.
    pub(crate) fn request(&self) -> RequestId {
        let mut id = [0; 16];
        match self.text("request") {
            Some(name) => {
                let hash = blake3::derive_key("tuquan cli request", name.as_bytes());
                id.copy_from_slice(&hash[..16]);
            }
            None => id = system::random(),
        }
        RequestId(id)
    }

    /// Returns the one record that a person means by an id, its first digits, or a code.
    pub(crate) fn find(&self, store: &Tuquan, text: &str) -> Outcome<RecordId> {
        match store.find(text, MEANINGS_MAX)?.as_slice() {
            [one] => Ok(*one),
            [] => {
                let what = self.words.say("usage.no_record", &[("text", &text)]);
                Err(Failure::not_found(what))
            }
            _ => {
                let what = self.words.say("usage.several_records", &[("text", &text)]);
                Err(Failure::not_found(what))
            }
        }
    }

    /// Returns the record that the argument `id` names.
    pub(crate) fn record(&self, store: &Tuquan) -> Outcome<Record> {
        let text = self.required("id")?;
        let id = self.find(store, text)?;
        let record = store.get(&id)?;
        record.ok_or_else(|| Failure::not_found(text))
    }
}
