//! What leaves a phone and comes to it: lines, sessions, bundles, device cards, joining, meetings
//! with a hub.
//!
//! Invariant: everything from outside is bounded and checked before it is used. Must not know:
//! sockets, what records mean.

pub mod bundle;
pub mod card;
pub mod courier;
mod cover;
pub mod frames;
pub mod join;
pub mod line;
pub mod meeting;
pub mod relay;
pub mod session;
pub mod truth;
