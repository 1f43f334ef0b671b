//! What crosses crates: simulation, faults, bad inputs.

pub mod copy;
pub mod meeting;
pub mod pen;
pub mod phone;

pub mod picture;
pub mod relay;
pub mod rogue;
pub mod simulator;
pub mod team;
pub mod vfs;
