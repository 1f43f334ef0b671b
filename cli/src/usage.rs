//! A command line that does not make sense, said in the language of the run.
//!
//! Must not know: which commands there are.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use crate::{
    failure::{Failure, Outcome},
    words::{Lang, Words},
};

/// Returns the language: `--lang`, else `TUQUAN_LANG`, else Vietnamese.
pub(crate) fn language(given: &[OsString]) -> Lang {
    let texts: Vec<&str> = given.iter().filter_map(|arg| arg.to_str()).collect();
    let joined = texts.iter().find_map(|text| text.strip_prefix("--lang="));
    let after = texts.iter().position(|text| *text == "--lang");
    let named = joined.or_else(|| texts.get(after? + 1).copied());
    let from_env = std::env::var("TUQUAN_LANG").ok();
    let found = named.or(from_env.as_deref()).and_then(Lang::parse);
    found.unwrap_or(Lang::Vi)
}

/// Returns the help that was asked for, or what is wrong with the command line.
pub(crate) fn explain(words: &Words, error: &Error) -> Outcome<String> {
    let key = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return Ok(error.to_string()),
        ErrorKind::UnknownArgument => "usage.unknown_argument",
        ErrorKind::InvalidSubcommand => "usage.unknown_command",
        ErrorKind::MissingSubcommand => "usage.no_command",
        ErrorKind::MissingRequiredArgument => "usage.missing",
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => "usage.bad_option",
        _ => "usage.other",
    };
    let one_of =
        [ContextKind::InvalidArg, ContextKind::InvalidSubcommand, ContextKind::InvalidValue];
    let named: Vec<String> = one_of
        .into_iter()
        .filter_map(|kind| error.get(kind))
        .map(|value| match value {
            ContextValue::Strings(all) => all.join(" "),
            other => other.to_string(),
        })
        .collect();
    let named = named.join(" ");
    Err(Failure::usage(words.say(key, &[("text", &named)])))
}
