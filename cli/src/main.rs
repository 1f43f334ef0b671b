//! Command line of the tuquan sync core: one device, its log, and what leaves and comes to it.
//!
//! The order of a run: [`args`] reads the command line, [`command`] does the work and returns an
//! [`answer`], this file prints it. Texts for people come from [`words`], exit codes from
//! [`failure`]; only [`tuquan_net::system`] asks the system for the time and for randomness.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answer;
mod args;
mod bars;
mod choice;
mod command;
mod context;
mod demo;
mod draft;
mod failure;
mod home;
mod import;
mod maps;
mod place;
mod progress;
mod sample;
mod show;
mod time;
mod usage;
mod words;

use std::{
    ffi::OsString,
    io::{ErrorKind, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use answer::Answer;
use clap::ArgMatches;
use context::Context;
use failure::{Exit, Failure, Outcome};
use home::Home;
use serde_json::json;
use words::Words;

fn main() -> ExitCode {
    tuquan_core::record::guard::hush();
    let given: Vec<OsString> = std::env::args_os().collect();
    let words = Words::new(usage::language(&given));
    let json = given.iter().any(|arg| arg == "--json");
    let exit = match args::command(&words).try_get_matches_from(given) {
        Ok(matches) => finish(&words, json, run(&words, json, &matches)),
        Err(error) => match usage::explain(&words, &error) {
            Ok(help) => print(&help),
            Err(failure) => finish(&words, json, Err(failure)),
        },
    };
    ExitCode::from(exit as u8)
}

fn run(words: &Words, json: bool, matches: &ArgMatches) -> Outcome<Answer> {
    let Some((name, args)) = matches.subcommand() else {
        return Err(Failure::usage(words.get("usage.no_command")));
    };
    let path = |name: &str| args.get_one::<String>(name).map(PathBuf::from);
    let passphrase = match path("passphrase-file") {
        Some(file) => Some(home::read_passphrase(&file)?),
        None => std::env::var("TUQUAN_PASSPHRASE").ok(),
    };
    let home = path("home").map(|dir| Home {
        dir,
        key_file: path("key-file"),
        fence: path("fence"),
        passphrase: passphrase.filter(|text| !text.is_empty()),
    });
    let context = Context { words, home, args, json };
    command::run(name, &context)
}

/// Prints an answer, or says what went wrong; returns how the program ends.
fn finish(words: &Words, json: bool, outcome: Outcome<Answer>) -> Exit {
    match outcome {
        Ok(answer) if json => worse(answer.exit, print(&answer.json.to_string())),
        Ok(answer) => worse(answer.exit, print(&answer.text)),
        Err(failure) => {
            if json {
                let (code, kind) = (failure.code, &failure.kind);
                let error = json!({ "code": code, "kind": kind, "context": failure.context });
                print(&json!({ "error": error }).to_string());
            }
            let meaning = words.token("error", failure.code);
            let about = match &failure.words {
                Some(said) => words.tell(said),
                None => words.context(&failure.context),
            };
            let mut to = std::io::stderr().lock();
            let _ = writeln!(to, "{}: {meaning}\n  {about}", failure.code);
            failure.exit
        }
    }
}

fn worse(answered: Exit, printed: Exit) -> Exit {
    match printed {
        Exit::Ok => answered,
        failed => failed,
    }
}

/// Writes to standard output; a reader that has gone away is no failure.
fn print(text: &str) -> Exit {
    let mut to = std::io::stdout().lock();
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    match write!(to, "{text}{end}").and_then(|()| to.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Exit::Storage,
        _ => Exit::Ok,
    }
}
