//! Joining through a hub: who leaves which message in the mailbox, and waits for which.
//!
//! ```text
//! newcomer: ask     -> slot 1: request      admin: hear
//!                   <- slot 2: reveal       (both compare the digits; the admin admits)
//! newcomer: enter   <- slot 3: welcome      admin: let_in
//! ```
//!
//! Must not know: what the messages say, who compares the digits.

use std::sync::Arc;
use std::time::Duration;

use tuquan_core::door::Tuquan;
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::replica::Replica;
use tuquan_core::sync::courier::BundleOutcome;
use tuquan_core::sync::join::{Admitted, Revealed, Taken};

use super::mailbox::Mailbox;
use crate::step;

/// The slot of the newcomer's request.
pub const REQUEST: u8 = 1;
/// The slot of the admin's answer to it.
pub const REVEAL: u8 = 2;
/// The slot of the bundle that the newcomer joins with.
pub const WELCOME: u8 = 3;

/// Answers an invitation, and waits for the admin: returns the digits to compare.
///
/// # Errors
/// `E-INVITE` when the invitation is over or used; `E-IO` when nobody answers in time; of the hub
/// and of the store.
pub async fn ask(
    store: &Arc<Tuquan>,
    mailbox: &Mailbox,
    invitation: Vec<u8>,
    wait: Duration,
) -> Result<Revealed> {
    let request = step(store, move |replica| replica.accept_invitation(&invitation)).await?;
    mailbox.put(REQUEST, &request).await?;
    let reveal = awaited(mailbox, REVEAL, wait).await?;
    step(store, move |replica| replica.take_reveal(&reveal)).await
}

/// Waits for the welcome, and joins with it.
///
/// # Errors
/// As [`ask`].
pub async fn enter(
    store: &Arc<Tuquan>,
    mailbox: &Mailbox,
    wait: Duration,
) -> Result<BundleOutcome> {
    let welcome = awaited(mailbox, WELCOME, wait).await?;
    let enter = move |replica: &mut Replica| replica.take_welcome(&welcome, &mut |_, _| {});
    let outcome = step(store, enter).await?;
    store.note_changes(outcome.changed.clone());
    Ok(outcome)
}

/// Waits for who answers the own invitation, and answers: returns the digits to compare.
///
/// # Errors
/// As [`ask`].
pub async fn hear(store: &Arc<Tuquan>, mailbox: &Mailbox, wait: Duration) -> Result<Taken> {
    let request = awaited(mailbox, REQUEST, wait).await?;
    let taken = step(store, move |replica| replica.take_request(&request, None)).await?;
    mailbox.put(REVEAL, &taken.reveal).await?;
    Ok(taken)
}

/// Leaves the welcome of a newcomer that was admitted. To be called after a meeting with the hub,
/// which is told of the newcomer before the newcomer is told that it may come.
///
/// # Errors
/// Of the hub.
pub async fn let_in(mailbox: &Mailbox, admitted: &Admitted) -> Result<()> {
    mailbox.put(WELCOME, &admitted.welcome).await
}

async fn awaited(mailbox: &Mailbox, slot: u8, wait: Duration) -> Result<Vec<u8>> {
    let nobody = || Error::new(Kind::Io, "the other side did not answer in time");
    mailbox.get(slot, wait).await?.ok_or_else(nobody)
}
