//! What the dormitory log records: one file per record type, and the closed lists.
//!
//! Closed purpose: no category, field or search holds opinions, beliefs or files on persons;
//! `tests/tests/purpose.rs` walks this schema. Must not know: SQL, packs, sockets.

pub mod category;
pub mod handover;
pub mod incident;
pub mod lifecycle;
pub mod log_entry;
pub mod place;
pub mod shift;

use crate::record::declare::Declaration;

/// The record types that the core ships; adding one means a file and a line here.
pub const DORMITORY: &[&Declaration] = &[
    place::Place::DECLARATION,
    shift::Shift::DECLARATION,
    log_entry::LogEntry::DECLARATION,
    incident::Incident::DECLARATION,
    handover::Handover::DECLARATION,
];
