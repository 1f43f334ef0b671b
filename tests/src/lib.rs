//! What crosses crates: simulation, faults, bad inputs.

pub mod meeting;
pub mod phone;
pub mod rogue;
pub mod simulator;
pub mod team;
pub mod vfs;
