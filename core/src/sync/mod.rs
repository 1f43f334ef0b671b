//! What leaves a phone and comes to it: lines, sessions, bundles, device cards, joining.
//!
//! Invariant: everything from outside is bounded and checked before it is used. Must not know:
//! sockets, what records mean.

pub mod bundle;
pub mod card;
pub mod courier;
pub mod frames;
pub mod join;
pub mod line;
pub mod session;
