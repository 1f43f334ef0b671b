//! What is there: the digest of the listing, waiting for another one, and the listing itself.
//!
//! Sequence numbers are a convenience: a client compares the digest of what it mirrored, and lists
//! anew where it differs. Must not know: bytes of packs.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tuquan_core::ids::{Digest, SpaceId, to_hex};
use tuquan_core::sync::relay::{acks_digest, receipt_hash};

use super::{Answer, Asked, Content, Named, Route, WAIT_S_MAX, serve, wait};
use crate::app::App;
use crate::storage::Listed;

/// The most packs of one listing.
const LIST_MAX: u32 = 1_000;

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/v1/spaces/{space}/state",
        about: "The digest of the listing; 204 when it is the one that was asked with, after \
                waiting for another one for wait_s seconds.",
        login: true,
        query: &[
            ("digest", "what the client has of the listing, as hexadecimal"),
            ("acks", "what it has of the acknowledgements; left out when it does not matter"),
            ("wait_s", "how long to wait, at most 55"),
        ],
        body: Content::Empty,
        answers: &[(200, Content::Json("State")), (204, Content::Empty)],
        refusals: &[404],
        service: || serve("GET", state),
    },
    Route {
        method: "GET",
        path: "/v1/spaces/{space}/packs",
        about: "Lists packs, oldest first.",
        login: true,
        query: &[
            ("after", "only packs after this sequence number"),
            ("limit", "at most so many, 1000 unless it says less"),
        ],
        body: Content::Empty,
        answers: &[(200, Content::Json("Listing"))],
        refusals: &[404],
        service: || serve("GET", list),
    },
];

#[derive(Deserialize)]
struct Known {
    digest: Option<Digest>,
    acks: Option<Digest>,
    #[serde(default)]
    wait_s: u64,
}

async fn state(
    State(app): State<Arc<App>>,
    Named(space): Named<SpaceId>,
    Asked(known): Asked<Known>,
    headers: HeaderMap,
) -> Answer {
    let caller = app.member(&headers, space).await?;
    let wait_s = known.wait_s.min(WAIT_S_MAX);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(wait_s);
    loop {
        let bell = app.bell.listen(space.0);
        let mut rung = pin!(bell.notified());
        rung.as_mut().enable();
        let (digest, version) = app.listing(space).await?;
        let acks = acks_digest(&app.storage.ack_hashes(space).await?);
        if known.digest != Some(digest) || known.acks.is_some_and(|known| known != acks) {
            let epoch = to_hex(&app.storage.epoch().await?);
            let answer = json!({
                "digest": digest, "acks": acks, "packs": version.packs, "last": version.last,
                "epoch": epoch,
            });
            return Ok(Json(answer).into_response());
        }
        if wait_s == 0 || !wait(&app, rung, deadline).await {
            drop(caller);
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
    }
}

#[derive(Deserialize)]
struct From {
    #[serde(default)]
    after: u64,
    #[serde(default = "list_max")]
    limit: u32,
}

fn list_max() -> u32 {
    LIST_MAX
}

async fn list(
    State(app): State<Arc<App>>,
    Named(space): Named<SpaceId>,
    Asked(from): Asked<From>,
    headers: HeaderMap,
) -> Answer {
    let caller = app.member(&headers, space).await?;
    let limit = from.limit.clamp(1, LIST_MAX);
    let mut listed = app.storage.list(space, from.after, limit + 1).await?;
    let more = listed.len() > limit as usize;
    listed.truncate(limit as usize);
    let packs: Vec<Value> = listed.iter().map(|listed| row(&app, &space, listed)).collect();
    let epoch = to_hex(&app.storage.epoch().await?);
    let answer = json!({ "epoch": epoch, "packs": packs, "more": more });
    Ok(caller.answer(Json(answer).into_response()))
}

fn row(app: &App, space: &SpaceId, listed: &Listed) -> Value {
    // Signed anew each time: the signature is the same, and storing it would be for nothing.
    let receipt = to_hex(&app.key.sign(&receipt_hash(space, &listed.id)));
    let ranges = listed.ranges.iter().map(|range| json!([range.log, range.first, range.count]));
    json!({
        "seq": listed.seq, "id": listed.id, "size": listed.size, "open": listed.open,
        "ranges": ranges.collect::<Vec<Value>>(), "receipt": receipt,
    })
}
