//! What leaves a phone and comes to it: bundles and device cards.
//!
//! Invariant: everything from outside is bounded and checked before it is used. Must not know:
//! sockets, the database, what records mean.

pub mod bundle;
pub mod card;
