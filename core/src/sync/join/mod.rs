//! Joining a team: an admin invites, a newcomer asks, both compare six digits, the admin admits.
//!
//! ```text
//! admin                          newcomer
//! INVITE (shown as a code)  ->                  secret, commitment to the admin's nonce
//!                           <-   REQUEST        card and the newcomer's nonce, sealed
//! REVEAL                    ->                  the admin's nonce, sealed; both show six digits
//! WELCOME (a bundle)        ->                  once a person has compared them
//! ```
//!
//! The messages travel as codes from hand to hand, by a mailbox, or over a line ([`JoinHost`],
//! [`JoinGuest`]). Whoever photographed the code knows the secret too: therefore the digits. The
//! admin's nonce is committed to before the newcomer's is known, the newcomer's is told before the
//! admin's is revealed, and the first request binds the invitation with all that the digits are
//! made of, so that nobody can search for digits that match. Must not know: sockets, screens.

mod code;
mod guest;
mod host;
mod invitation;
mod message;
mod newcomer;
mod talk;

pub use self::code::{Code, CodeKind};
pub use self::guest::JoinGuest;
pub use self::host::JoinHost;
pub use self::invitation::{Admitted, Compared, InviteOptions, Invited, LIFETIME_MS, Taken};
pub use self::message::{Invite, Request, Reveal};
pub use self::newcomer::Revealed;
pub use self::talk::JoinEvent;

use crate::codec::Writer;
use crate::crypto;
use crate::ids::{DeviceKey, SpaceId};
use crate::sync::card::Card;

/// The hash of a line's handshake, or nothing where messages came otherwise.
pub type Binding = Option<[u8; 32]>;

/// The one-time secret of an invitation; everything else about it is derived.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret(pub [u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Returns the invitation's id, which the grant will name.
    #[must_use]
    pub fn id(&self) -> [u8; 16] {
        self.derived("tuquan/1 invitation")
    }

    /// Returns the id of the mailbox where both may leave their messages.
    #[must_use]
    pub fn mailbox(&self) -> [u8; 16] {
        self.derived("tuquan/1 join box")
    }

    /// Returns the key that both ends of a line must have.
    #[must_use]
    pub fn psk(&self) -> [u8; 32] {
        crypto::derive_key("tuquan/1 join psk", &self.0)
    }

    fn key(&self) -> [u8; 32] {
        crypto::derive_key("tuquan/1 join key", &self.0)
    }

    fn derived(&self, context: &str) -> [u8; 16] {
        let mut args = Writer::new();
        args.array(1).bytes(&self.0);
        crypto::short(&crypto::hash(context, &args))
    }
}

/// Returns the hash by which the admin commits to its nonce.
#[must_use]
pub fn commitment(nonce: &[u8; 32]) -> [u8; 32] {
    let mut args = Writer::new();
    args.array(1).bytes(nonce);
    crypto::hash("tuquan/1 join commit", &args)
}

/// Returns the six digits that both screens show; `nonces` are the admin's and the newcomer's.
#[must_use]
pub fn digits(
    space: &SpaceId,
    inviter: &DeviceKey,
    card: &Card,
    nonces: (&[u8; 32], &[u8; 32]),
    binding: &Binding,
) -> String {
    let mut args = Writer::new();
    args.array(7).bytes(&space.0).bytes(&inviter.0).bytes(&card.device.0).bytes(&card.unbox.0);
    args.bytes(nonces.0).bytes(nonces.1);
    args.bytes(binding.as_ref().map_or(&[], |hash| &hash[..]));
    let hash = crypto::hash("tuquan/1 join digits", &args);
    let number = hash[..8].iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    format!("{:06}", number % 1_000_000)
}
