//! A real hub on this machine, spoken to over real sockets by devices with real stores.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test says why it fails by panicking, and measurements are looked for"
)]

mod blind;
mod client;
mod conformance;
mod crowd;
mod flood;
mod full;
mod hostile;
mod journey;
mod keeping;
mod kill;
mod mailbox;
mod place;
mod refusals;
mod secure;
