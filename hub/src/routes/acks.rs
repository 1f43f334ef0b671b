//! Acknowledgements: signed statements of what devices hold, kept for the others.
//!
//! Must not know: what the vectors say.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use serde::Deserialize;
use tuquan_core::ids::{Digest, SpaceId};
use tuquan_core::sync::relay::{self, SignedAck};

use super::{Answer, Asked, Content, Named, Route, bytes, serve};
use crate::app::{App, Sender, aside};
use crate::refusal::Refusal;
use crate::storage::Ack;
use crate::team::Standing;

/// The most bytes of one acknowledgement.
const ACK_BYTES_MAX: usize = 1 << 20;

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "PUT",
        path: "/v1/spaces/{space}/acks",
        about: "Brings an acknowledgement of any member device; of each device and log the one \
                with the highest counter is kept.",
        login: true,
        query: &[],
        body: Content::Bytes("an acknowledgement"),
        answers: &[(204, Content::Empty)],
        refusals: &[404, 413, 507],
        service: || serve("PUT", put),
    },
    Route {
        method: "GET",
        path: "/v1/spaces/{space}/acks",
        about: "Returns all acknowledgements; 204 when their digest is the one that was asked with.",
        login: true,
        query: &[("digest", "what the client has, as hexadecimal")],
        body: Content::Empty,
        answers: &[(200, Content::Bytes("frames of acknowledgements")), (204, Content::Empty)],
        refusals: &[404],
        service: || serve("GET", get),
    },
];

async fn put(
    State(app): State<Arc<App>>,
    Named(space): Named<SpaceId>,
    headers: HeaderMap,
    request: Request,
) -> Answer {
    let caller = app.member(&headers, space).await?;
    let body = app.body(request, ACK_BYTES_MAX, Sender::Member).await?;
    app.check_room().await?;
    let ack = aside(move || -> Answer<Ack> {
        let ack = SignedAck::decode(&body)?;
        ack.check(&space)?;
        Ok(Ack {
            device: ack.device,
            log: ack.claim.log,
            counter: ack.claim.counter,
            hash: relay::ack_hash(&body),
            bytes: body.to_vec(),
        })
    });
    let ack = ack.await??;
    match caller.team.standing(&ack.device) {
        Standing::Active(_) => {}
        Standing::Removed | Standing::Unknown => return Err(Refusal::NOT_MEMBER),
    }
    app.storage.put_ack(space, ack, app.now_ms()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

#[derive(Deserialize)]
struct Known {
    digest: Option<Digest>,
}

async fn get(
    State(app): State<Arc<App>>,
    Named(space): Named<SpaceId>,
    Asked(known): Asked<Known>,
    headers: HeaderMap,
) -> Answer {
    let caller = app.member(&headers, space).await?;
    let hashes = app.storage.ack_hashes(space).await?;
    if known.digest == Some(relay::acks_digest(&hashes)) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let acks = app.storage.acks(space).await?;
    Ok(caller.answer(bytes("application/octet-stream", relay::write_frames(&acks))))
}
