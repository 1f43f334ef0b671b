//! Who is in the space: control entries, members, epochs.
//!
//! Members, epochs and void acts are a pure function of the set of control entries, without clocks:
//! `causes` orders the entries, `rules` finds which acts are valid, `history` answers who was a
//! member when and which data stands, `keys` which epochs may seal. Must not know: records, the
//! database.

pub mod causes;
pub mod chains;
pub mod control;
pub mod epoch;
pub mod history;
pub mod keys;
pub mod members;
pub mod removal;
mod rules;
