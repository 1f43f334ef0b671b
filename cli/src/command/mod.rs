//! The commands, one function each: arguments in, an answer out.
//!
//! Must not know: how answers are printed.

mod exchange;
mod export_csv;
mod health;
mod import_csv;
mod joining;
mod joining_far;
mod meeting;
mod photo;
mod read;
mod report;
mod team;
mod write;

use crate::{
    answer::Answer,
    context::Context,
    failure::{Failure, Outcome},
};

/// Runs the command of this name.
pub(crate) fn run(name: &str, context: &Context<'_>) -> Outcome<Answer> {
    match name {
        "init" => write::init(context),
        "log" => write::log(context),
        "note" => write::note(context),
        "edit" => write::edit(context),
        "transition" => write::transition(context),
        "assign" => write::assign(context),
        "strike" => write::strike(context),
        "attach" => photo::attach(context),
        "photo" => photo::photo(context),
        "resolve" => write::resolve(context),
        "list" => read::list(context),
        "show" => read::show(context),
        "search" => read::search(context),
        "conflicts" => read::conflicts(context),
        "members" => team::members(context),
        "remove" => team::remove(context),
        "quarantine" => team::quarantine(context),
        "report" => report::report(context),
        "import-csv" => import_csv::import_csv(context),
        "export-csv" => export_csv::export_csv(context),
        "card" => exchange::card(context),
        "grant" => exchange::grant(context),
        "invite" => joining::invite(context),
        "join" => joining::join(context),
        "admit" => joining::admit(context),
        "hub" => meeting::hub(context),
        "sync" => meeting::sync(context),
        "serve-lan" => meeting::serve_lan(context),
        "status" => meeting::status(context),
        "export" => exchange::export(context),
        "import" => exchange::import(context),
        "demo" => crate::demo::demo(context),
        "doctor" => health::doctor(context),
        "stats" => health::stats(context),
        "reset-check" => health::reset_check(context),
        _ => Err(Failure::usage(name)),
    }
}
