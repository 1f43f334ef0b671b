//! Mailboxes for joining: eight slots, each written once, gone after half an hour.
//!
//! Who knows a mailbox's id was shown the secret that it is made of; what lies in it is sealed.
//! Must not know: what the messages say.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde::Deserialize;
use tuquan_core::ids::from_hex;
use tuquan_core::sync::relay::BATCH_BYTES_MAX;

use super::{Answer, Asked, Content, Named, Route, WAIT_S_MAX, bytes, serve, wait};
use crate::app::{App, Door, Sender};
use crate::refusal::Refusal;
use crate::storage::Slot;

const SLOTS: u8 = 8;
/// The slot of the bundle that a newcomer joins with.
const LARGE_SLOT: u8 = 3;
const SMALL_BYTES_MAX: usize = 64 << 10;
const KEPT_MS: i64 = 30 * 60_000;

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "PUT",
        path: "/v1/mailbox/{mailbox}/{slot}",
        about: "Fills a slot, once.",
        login: false,
        query: &[],
        body: Content::Bytes("a message, at most 64 KiB; 1 MiB in slot 3"),
        answers: &[(204, Content::Empty)],
        refusals: &[409, 413, 507],
        service: || serve("PUT", put),
    },
    Route {
        method: "GET",
        path: "/v1/mailbox/{mailbox}/{slot}",
        about: "Returns what is in a slot, after waiting for it for wait_s seconds.",
        login: false,
        query: &[("wait_s", "how long to wait, at most 55")],
        body: Content::Empty,
        answers: &[(200, Content::Bytes("a message"))],
        refusals: &[404],
        service: || serve("GET", get),
    },
];

fn read_slot((mailbox, number): &(String, u8)) -> Answer<Slot> {
    let mailbox = from_hex(mailbox).ok().and_then(|id| <[u8; 16]>::try_from(id).ok());
    match mailbox {
        Some(mailbox) if *number < SLOTS => Ok(Slot { mailbox, number: *number }),
        _ => Err(Refusal::FORMAT),
    }
}

async fn put(
    State(app): State<Arc<App>>,
    Named(slot): Named<(String, u8)>,
    request: Request,
) -> Answer {
    let slot = read_slot(&slot)?;
    let max = if slot.number == LARGE_SLOT { BATCH_BYTES_MAX } else { SMALL_BYTES_MAX };
    let body = app.body(request, max, Sender::Stranger).await?;
    let _entered = app.enter(Door::Mailbox(slot.mailbox)).await?;
    app.check_room().await?;
    let now_ms = app.now_ms();
    let (expires_ms, all) = (now_ms.saturating_add(KEPT_MS), app.config.limits.mailbox_bytes);
    match app.storage.put_slot(slot, body.to_vec(), now_ms, expires_ms, all).await? {
        Some(true) => {
            app.bell.ring(slot.mailbox);
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Some(false) => Err(Refusal::INVITE),
        None => Err(Refusal::FULL),
    }
}

#[derive(Deserialize)]
struct Patience {
    #[serde(default)]
    wait_s: u64,
}

async fn get(
    State(app): State<Arc<App>>,
    Named(slot): Named<(String, u8)>,
    Asked(patience): Asked<Patience>,
) -> Answer {
    let slot = read_slot(&slot)?;
    let entered = app.enter(Door::Mailbox(slot.mailbox)).await?;
    let found = app.storage.slot(slot, app.now_ms()).await?;
    drop(entered);
    if let Some(message) = found {
        return Ok(bytes("application/octet-stream", message));
    }
    let wait_s = patience.wait_s.min(WAIT_S_MAX);
    if wait_s == 0 {
        return Err(Refusal::NOT_FOUND);
    }
    let _place = app.waiting.try_acquire().map_err(|_| Refusal::busy(10))?;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(wait_s);
    loop {
        let bell = app.bell.listen(slot.mailbox);
        let mut rung = pin!(bell.notified());
        rung.as_mut().enable();
        if let Some(message) = app.storage.slot(slot, app.now_ms()).await? {
            return Ok(bytes("application/octet-stream", message));
        }
        if !wait(&app, rung, deadline).await {
            return Err(Refusal::NOT_FOUND);
        }
    }
}
