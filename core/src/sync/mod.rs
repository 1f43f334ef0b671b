//! What leaves a phone and comes to it: sessions, bundles, device cards, and the words of a relay.
//!
//! Invariant: everything from outside is bounded and checked before it is used. Must not know:
//! sockets, what records mean.

pub mod bundle;
pub mod card;
pub mod courier;
pub mod relay;
pub mod session;
