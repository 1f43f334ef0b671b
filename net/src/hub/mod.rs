//! Meeting a hub over HTTP.
//!
//! `client` speaks, `wire` is the form of what is said, `meet` drives the core's state machine,
//! `join` says who leaves what in a mailbox.
//! Must not know: what packs hold.

mod client;
pub mod join;
mod mailbox;
mod meet;
mod wire;

pub use self::client::{HubClient, HubOptions, Roots, Traffic};
pub use self::mailbox::Mailbox;
pub use self::meet::{sync, wait_for_news};
