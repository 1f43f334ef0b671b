//! Proves that the fault-injecting disk bites: what must survive does, what must not does not.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test says why it fails by panicking and what it saw by printing"
)]

mod control;
mod cut;
mod damage;
mod failure;
mod reader;
mod support;
