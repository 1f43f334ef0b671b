//! What crosses crates: simulation, faults, bad inputs.

pub mod phone;
pub mod team;
pub mod vfs;
