//! Who is in the space: control entries, members, epochs.
//!
//! Here the simplest membership that the formats allow: one founder (admin of rank 0) who grants
//! devices, one compartment (`team`), one epoch at a time. The members are a pure function of the
//! set of control entries, without clocks. Must not know: records, the database.

pub mod chains;
pub mod control;
pub mod epoch;
pub mod members;
