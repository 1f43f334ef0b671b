//! What leaves a phone and comes to it: lines, sessions, bundles and device cards.
//!
//! Invariant: everything from outside is bounded and checked before it is used. Must not know:
//! sockets, what records mean.

pub mod bundle;
pub mod card;
pub mod courier;
pub mod line;
pub mod session;
