//! The phone's own disk: one encrypted SQLite file, its logs, views and search.
//!
//! Invariant: entry, view rows and search rows of one act commit together, durably
//! (`synchronous=FULL`), or not at all; every view can be rebuilt from entries. Writers take a
//! `&Transaction`, readers a `&Connection`. Must not know: networks, sessions.

pub mod branches;
pub mod chunks;
pub mod damaged;
pub mod exchange;
pub mod fence;
pub mod logs;
pub mod open;
pub mod search;
pub mod views;
