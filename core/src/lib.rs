//! core
pub mod clock;
pub mod codec;
pub mod crypto;
pub mod error;
pub mod ids;
pub mod log;
pub mod sync;
