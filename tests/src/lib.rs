//! What crosses crates: simulation, faults, bad inputs.

pub mod vfs;
