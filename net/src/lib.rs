//! How phones meet: through a hub, and on the local network.
//!
//! | you want to | start in |
//! |---|---|
//! | meet a hub | [`hub::HubClient`], [`hub::sync`] |
//! | join through a hub | [`hub::join`] |
//! | meet a phone on the same network | [`lan::serve`], [`lan::dial`] |
//! | meet over another stream of bytes | [`stream::meet`] |
//! | give the core a clock and randomness | [`system::env`] |
//!
//! Every step of work on a store is one blocking call on a thread of its own, so that a tap never
//! waits for the network. A future that is dropped stops between two steps: what was taken in
//! stays, what was not sent stays queued. Must not know: record types, keys.

pub mod hub;
pub mod lan;
pub mod stream;
pub mod system;

use std::sync::{Arc, Mutex, PoisonError};

use tuquan_core::door::Tuquan;
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::replica::Replica;

/// Runs one step of work on a store, on a thread where it may block.
pub(crate) async fn step<T, F>(store: &Arc<Tuquan>, act: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce(&mut Replica) -> Result<T> + Send + 'static,
{
    let (store, done) = (Arc::clone(store), Arc::new(Mutex::new(None)));
    let slot = Arc::clone(&done);
    // Boxed: a runtime's code for a task would be in a library once for each step that there is.
    let work: Box<dyn FnOnce() + Send> = Box::new(move || {
        let answer = store.bulk(act);
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    });
    // A step that broke off has left nothing.
    drop(tokio::task::spawn_blocking(work).await);
    let answer = done.lock().unwrap_or_else(PoisonError::into_inner).take();
    answer.unwrap_or_else(|| Err(Error::new(Kind::Io, "a step of work broke off")))
}
