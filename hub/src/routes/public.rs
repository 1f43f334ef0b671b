//! What is the same for everybody: health, counts, the document, the hub's name.
//!
//! Must not know: spaces.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::{Answer, Content, Route, bytes, openapi, serve};
use crate::app::{App, Door};
use crate::refusal::Refusal;

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/healthz",
        about: "Whether the storage answers.",
        login: false,
        query: &[],
        body: Content::Empty,
        answers: &[(200, Content::Json("Health"))],
        refusals: &[],
        service: || serve("GET", health),
    },
    Route {
        method: "GET",
        path: "/metrics",
        about: "Counts and sizes for Prometheus; no ids.",
        login: false,
        query: &[],
        body: Content::Empty,
        answers: &[(200, Content::Text)],
        refusals: &[],
        service: || serve("GET", metrics),
    },
    Route {
        method: "GET",
        path: "/openapi.json",
        about: "This document.",
        login: false,
        query: &[],
        body: Content::Empty,
        answers: &[(200, Content::Json("Document"))],
        refusals: &[],
        service: || serve("GET", document),
    },
    Route {
        method: "GET",
        path: "/v1/hub",
        about: "The hub's key, its origin as devices sign it, and the versions that it speaks.",
        login: false,
        query: &[],
        body: Content::Empty,
        answers: &[(200, Content::Json("Hub"))],
        refusals: &[],
        service: || serve("GET", hub),
    },
];

async fn health(State(app): State<Arc<App>>) -> Answer {
    app.storage.epoch().await.map_err(|_| Refusal::STOPPED)?;
    Ok(Json(json!({ "status": "ok" })).into_response())
}

async fn metrics(State(app): State<Arc<App>>) -> Answer {
    let _entered = app.enter(Door::Public).await?;
    let usage = app.storage.usage().await?;
    let text = app.journal.metrics(&usage);
    Ok(bytes("text/plain; version=0.0.4", text.into_bytes()))
}

async fn document() -> Response {
    Json(openapi::document()).into_response()
}

async fn hub(State(app): State<Arc<App>>) -> Response {
    let key = app.key.device_key();
    let answer = json!({ "hub": key, "origin": app.config.origin, "versions": [1] });
    Json(answer).into_response()
}
