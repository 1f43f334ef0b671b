//! Sealed chunks of attachments.
//!
//! Must not know: which record they belong to.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use serde::Deserialize;
use serde_json::json;
use tuquan_core::crypto;
use tuquan_core::ids::{Digest, SpaceId};
use tuquan_core::sync::relay::{self, CHUNK_BYTES_MAX};

use super::login::signature_of;
use super::{Answer, Content, IDS_BYTES_MAX, Named, Route, bytes, read_json, serve};
use crate::app::{App, Sender};
use crate::refusal::Refusal;
use crate::storage::{Erasable, Kept};

/// The most hashes of one list.
const HASHES_MAX: usize = 1_024;

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "PUT",
        path: "/v1/spaces/{space}/chunks/{hash}",
        about: "Brings a sealed chunk under the hash of its bytes.",
        login: true,
        query: &[],
        body: Content::Bytes("a sealed chunk"),
        answers: &[(204, Content::Empty)],
        refusals: &[404, 410, 413, 507],
        service: || serve("PUT", put),
    },
    Route {
        method: "GET",
        path: "/v1/spaces/{space}/chunks/{hash}",
        about: "Returns a sealed chunk.",
        login: true,
        query: &[],
        body: Content::Empty,
        answers: &[(200, Content::Bytes("a sealed chunk"))],
        refusals: &[404],
        service: || serve("GET", get),
    },
    Route {
        method: "POST",
        path: "/v1/spaces/{space}/chunks/have",
        about: "Tells which of these chunks are not here.",
        login: true,
        query: &[],
        body: Content::Json("Hashes"),
        answers: &[(200, Content::Json("Missing"))],
        refusals: &[404, 413],
        service: || serve("POST", have),
    },
    Route {
        method: "POST",
        path: "/v1/spaces/{space}/chunks/delete",
        about: "Erases chunks by a list that the device signed; none of them is taken again. \
                Devices of the person who brought them may, and admins.",
        login: true,
        query: &[],
        body: Content::Json("SignedHashes"),
        answers: &[(200, Content::Json("Deleted"))],
        refusals: &[404, 413, 507],
        service: || serve("POST", delete),
    },
];

async fn put(
    State(app): State<Arc<App>>,
    Named((space, hash)): Named<(SpaceId, Digest)>,
    headers: HeaderMap,
    request: Request,
) -> Answer {
    let caller = app.member(&headers, space).await?;
    let body = app.body(request, CHUNK_BYTES_MAX, Sender::Member).await?;
    if relay::chunk_hash(&body) != hash {
        return Err(Refusal::CHUNK);
    }
    app.check_room().await?;
    let (bearer, quota) = (caller.bearer(), app.quota());
    match app.storage.put_chunk(space, hash, body.to_vec(), bearer, quota).await? {
        Kept::New | Kept::Known => Ok(StatusCode::NO_CONTENT.into_response()),
        Kept::Erased => Err(Refusal::ERASED),
    }
}

async fn get(
    State(app): State<Arc<App>>,
    Named((space, hash)): Named<(SpaceId, Digest)>,
    headers: HeaderMap,
) -> Answer {
    let caller = app.member(&headers, space).await?;
    let chunk = app.storage.chunk(space, hash).await?.ok_or(Refusal::NOT_FOUND)?;
    Ok(caller.answer(bytes("application/octet-stream", chunk)))
}

#[derive(Deserialize)]
struct Hashes {
    hashes: Vec<Digest>,
}

async fn have(
    State(app): State<Arc<App>>,
    Named(space): Named<SpaceId>,
    headers: HeaderMap,
    request: Request,
) -> Answer {
    let caller = app.member(&headers, space).await?;
    let Hashes { hashes } = read_json(&app.body(request, IDS_BYTES_MAX, Sender::Member).await?)?;
    if hashes.len() > HASHES_MAX {
        return Err(Refusal::SIZE);
    }
    let missing = app.storage.missing_chunks(space, hashes).await?;
    Ok(caller.answer(Json(json!({ "missing": missing })).into_response()))
}

#[derive(Deserialize)]
struct SignedHashes {
    hashes: Vec<Digest>,
    signature: String,
}

async fn delete(
    State(app): State<Arc<App>>,
    Named(space): Named<SpaceId>,
    headers: HeaderMap,
    request: Request,
) -> Answer {
    let caller = app.member(&headers, space).await?;
    let list: SignedHashes = read_json(&app.body(request, IDS_BYTES_MAX, Sender::Member).await?)?;
    if list.hashes.len() > HASHES_MAX {
        return Err(Refusal::SIZE);
    }
    let hash = relay::chunk_delete_hash(&space, &list.hashes);
    crypto::verify(&caller.device, &hash, &signature_of(&list.signature)?)?;
    let only = (!caller.team.is_admin(&caller.device)).then_some(caller.person);
    let count = app.storage.erase(space, Erasable::Chunks, list.hashes, only).await?;
    Ok(Json(json!({ "deleted": count })).into_response())
}
