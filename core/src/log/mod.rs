//! The append-only logs: items, entries, the hash chain, seals, and the packs that carry them.
//!
//! Invariant: what is signed or hashed is kept as received. Must not know: record types, the
//! database, who is a member.

pub mod chain;
pub mod dictionary;
pub mod entry;
pub mod item;
pub mod pack;
