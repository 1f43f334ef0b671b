//! Answers on their way out: how many of them wait in memory, and how long.
//!
//! A large answer is given out in pieces. Whoever does not take the next one in time loses the
//! rest, and with it the room that it took; HTTP/2 needs this too, where a stream can stand still
//! on a line that lives. Must not know: routes, what an answer says.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::app::Turn;
use crate::refusal::Refusal;

/// What is taken at once; an answer that is no larger goes as it is.
const PIECE: usize = 16 << 10;

/// Room for answers, in KiB: of members, whom each device's own bound keeps apart, and of others.
#[derive(Debug)]
pub(crate) struct Outgoing {
    kib: usize,
    patience: Duration,
    rooms: [Arc<Semaphore>; 2],
}

impl Outgoing {
    /// `bytes` of members and of others each; the next piece is taken within `patience`.
    pub(crate) fn new(bytes: usize, patience: Duration) -> Self {
        let kib = bytes >> 10;
        Self { kib, patience, rooms: [kib; 2].map(|kib| Arc::new(Semaphore::new(kib))) }
    }

    /// Sends an answer on its way, or refuses it when too much waits to be taken. The turn of its
    /// device ends only when it was taken.
    pub(crate) async fn send(&self, response: Response) -> Response {
        let len = response.body().size_hint().exact();
        if len.is_some_and(|len| len <= PIECE as u64) {
            return response;
        }
        let (mut parts, body) = response.into_parts();
        let Ok(body) = body.collect().await else {
            return Refusal::STOPPED.into_response();
        };
        let bytes = body.to_bytes();
        let turn = parts.extensions.remove::<Turn>();
        let room = Arc::clone(&self.rooms[usize::from(turn.is_none())]);
        let kib = bytes.len().div_ceil(1_024).min(self.kib);
        let Ok(room) = room.try_acquire_many_owned(u32::try_from(kib).unwrap_or(u32::MAX)) else {
            return Refusal::busy(1).into_response();
        };
        let load = Load { bytes, _room: room, _turn: turn };
        Response::from_parts(parts, Body::new(Pieces::new(load, self.patience)))
    }
}

/// What was not taken yet.
struct Load {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
    _turn: Option<Turn>,
}

/// A body that gives its bytes out in pieces.
struct Pieces {
    load: Arc<Mutex<Option<Load>>>,
    left: usize,
    watching: JoinHandle<()>,
}

impl Pieces {
    fn new(load: Load, patience: Duration) -> Self {
        let left = load.bytes.len();
        let load = Arc::new(Mutex::new(Some(load)));
        let watching = tokio::spawn(watch(Arc::downgrade(&load), left, patience));
        Self { load, left, watching }
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

/// Drops the load once nothing of it was taken for a while.
async fn watch(load: Weak<Mutex<Option<Load>>>, mut left: usize, patience: Duration) {
    loop {
        tokio::time::sleep(patience).await;
        let Some(load) = load.upgrade() else { return };
        let mut load = load.lock().unwrap_or_else(PoisonError::into_inner);
        match load.as_ref().map(|load| load.bytes.len()) {
            Some(now) if now < left => left = now,
            _ => return *load = None,
        }
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let piece = {
            let mut load = self.load.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(held) = load.as_mut() else {
                return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
            };
            let piece = held.bytes.split_to(PIECE.min(held.bytes.len()));
            // A copy: a slice would keep all of the answer in memory when its room is free again.
            let piece = Bytes::copy_from_slice(&piece);
            if held.bytes.is_empty() {
                *load = None;
            }
            piece
        };
        self.left -= piece.len();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}
