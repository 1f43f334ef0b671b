//! Login: a nonce once, a signature, a token for half a day.
//!
//! The nonce is used up by the first attempt, whatever comes of it. Must not know: packs.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;
use tuquan_core::crypto::{self, SIGNATURE_LEN};
use tuquan_core::ids::{DeviceKey, Digest, SpaceId, from_hex, to_hex};
use tuquan_core::sync::relay;

use super::{Answer, Content, Route, read_json, serve};
use crate::app::{App, Door, Sender, token_hash};
use crate::key;
use crate::refusal::Refusal;
use crate::storage::{Nonce, Token};
use crate::team::{Standing, Team};

/// How long a nonce is good.
const NONCE_S: i64 = 60;
/// How long a token is good.
const TOKEN_S: i64 = 12 * 3_600;
const BODY_BYTES_MAX: usize = 4 << 10;

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "POST",
        path: "/v1/login/challenge",
        about: "Gives a member device a nonce, good once and for a minute.",
        login: false,
        query: &[],
        body: Content::Json("Asking"),
        answers: &[(200, Content::Json("Challenge"))],
        refusals: &[403, 404, 413, 507],
        service: || serve("POST", challenge),
    },
    Route {
        method: "POST",
        path: "/v1/login",
        about: "Changes a signed nonce into a token.",
        login: false,
        query: &[],
        body: Content::Json("Login"),
        answers: &[(200, Content::Json("Token"))],
        refusals: &[401, 403, 404, 409, 413, 507],
        service: || serve("POST", login),
    },
];

#[derive(Deserialize)]
struct Asking {
    space: SpaceId,
    device: DeviceKey,
}

#[derive(Deserialize)]
struct Login {
    space: SpaceId,
    device: DeviceKey,
    nonce: Digest,
    signature: String,
}

async fn challenge(State(app): State<Arc<App>>, request: Request) -> Answer {
    let body = app.body(request, BODY_BYTES_MAX, Sender::Login).await?;
    let Asking { space, device } = read_json(&body)?;
    let _entered = app.enter(Door::Login(space, device)).await?;
    // Before anything is stored: only members take up room.
    check(&*app.team(space).await?, &device)?;
    let nonce = key::random()?;
    let expires_ms = app.now_ms().saturating_add(NONCE_S * 1_000);
    app.storage.put_nonce(nonce, space, device, expires_ms).await?;
    Ok(Json(json!({ "nonce": to_hex(&nonce), "expires_s": NONCE_S })).into_response())
}

async fn login(State(app): State<Arc<App>>, request: Request) -> Answer<Response> {
    let body = app.body(request, BODY_BYTES_MAX, Sender::Login).await?;
    let Login { space, device, nonce, signature } = read_json(&body)?;
    let _entered = app.enter(Door::Login(space, device)).await?;
    check(&*app.team(space).await?, &device)?;
    match app.storage.take_nonce(nonce.0, space, device, app.now_ms()).await? {
        Nonce::Fresh => {}
        Nonce::Used => return Err(Refusal::NONCE),
        Nonce::Unknown => return Err(Refusal::LOGIN),
    }
    let hash = relay::login_hash(&app.config.origin, &space, &nonce.0);
    let signature = signature_of(&signature)?;
    crypto::verify(&device, &hash, &signature).map_err(|_| Refusal::LOGIN)?;
    let token: [u8; 32] = key::random()?;
    let expires_ms = app.now_ms().saturating_add(TOKEN_S * 1_000);
    app.storage.put_token(token_hash(&token), Token { space, device, expires_ms }).await?;
    Ok(Json(json!({ "token": to_hex(&token), "expires_s": TOKEN_S })).into_response())
}

fn check(team: &Team, device: &DeviceKey) -> Answer<()> {
    match team.standing(device) {
        Standing::Active(_) => Ok(()),
        Standing::Removed => Err(Refusal::REMOVED),
        Standing::Unknown => Err(Refusal::NOT_MEMBER),
    }
}

/// Reads a signature from its hexadecimal form.
pub(super) fn signature_of(text: &str) -> Answer<[u8; SIGNATURE_LEN]> {
    let bytes = from_hex(text).map_err(|_| Refusal::FORMAT)?;
    <[u8; SIGNATURE_LEN]>::try_from(bytes.as_slice()).map_err(|_| Refusal::FORMAT)
}
