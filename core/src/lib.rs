//! core
extern crate self as tuquan_core;
pub mod clock;
pub mod codec;
pub mod crypto;
pub mod domain;
pub mod door;
pub mod error;
pub mod ids;
pub mod log;
pub mod record;
pub mod replica;
pub mod report;
pub mod store;
pub mod sync;
pub mod team;
