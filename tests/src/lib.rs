//! What crosses crates: simulation, faults, bad inputs.

pub mod phone;
pub mod picture;
pub mod rogue;
pub mod simulator;
pub mod team;
pub mod vfs;
