//! The table of routes: router and OpenAPI document are made from it, so that they agree.
//!
//! Must not know: sockets.

mod acks;
mod chunks;
mod listing;
mod login;
mod mailbox;
pub(crate) mod openapi;
mod packs;
mod public;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, MatchedPath, Path, Query, Request, State};
use axum::handler::Handler;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::journal::Answered;
use crate::refusal::Refusal;

/// The longest that a request may wait for something new.
pub(crate) const WAIT_S_MAX: u64 = 55;
/// How often one looks even if nobody rang: another process may share the storage.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// The most bytes of a JSON body with lists of ids.
const IDS_BYTES_MAX: usize = 128 << 10;

type Answer<T = Response> = Result<T, Refusal>;

/// What travels in a body.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content {
    /// Nothing.
    Empty,
    /// JSON in the form of a schema of the document.
    Json(&'static str),
    /// Bytes.
    Bytes(&'static str),
    /// Text.
    Text,
}

/// One route.
pub(crate) struct Route {
    /// The method, in capitals.
    pub(crate) method: &'static str,
    /// The pattern.
    pub(crate) path: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    /// Whether a token is needed.
    pub(crate) login: bool,
    /// Names and meanings of what may stand after the question mark.
    pub(crate) query: &'static [(&'static str, &'static str)],
    /// The body of the request.
    pub(crate) body: Content,
    /// Good answers.
    pub(crate) answers: &'static [(u16, Content)],
    /// Statuses of refusals beyond those of every route.
    pub(crate) refusals: &'static [u16],
    /// What serves it.
    pub(crate) service: fn() -> MethodRouter<Arc<App>>,
}

/// Returns all routes.
pub(crate) fn all() -> impl Iterator<Item = &'static Route> {
    [public::ROUTES, login::ROUTES, listing::ROUTES, packs::ROUTES, acks::ROUTES]
        .into_iter()
        .chain([chunks::ROUTES, mailbox::ROUTES])
        .flatten()
}

/// Makes the router of a hub.
pub(crate) fn router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    for route in all() {
        router = router.route(route.path, (route.service)());
    }
    router
        .fallback(async || Refusal::NOT_FOUND)
        .method_not_allowed_fallback(async || Refusal::METHOD)
        .layer(from_fn_with_state(Arc::clone(&app), around))
        .with_state(app)
}

/// Makes the service of one method.
fn serve<H, T>(method: &'static str, handler: H) -> MethodRouter<Arc<App>>
where
    H: Handler<T, Arc<App>>,
    T: 'static,
{
    let filter = Method::from_bytes(method.as_bytes())
        .ok()
        .and_then(|method| MethodFilter::try_from(method).ok())
        .unwrap_or(MethodFilter::GET);
    on(filter, handler)
}

/// Counts and writes down every request, by its pattern only.
async fn around(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let method = method_name(request.method());
    let response = if request.headers().contains_key(CONTENT_ENCODING) {
        Refusal::ENCODING.into_response()
    } else {
        app.outgoing.send(next.run(request).await).await
    };
    app.journal.answered(&Answered {
        method,
        route,
        status: response.status().as_u16(),
        code: response.extensions().get::<Refusal>().map(|refusal| refusal.code),
        took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    response
}

/// Names a method; one that a stranger made up is not repeated.
fn method_name(method: &Method) -> &'static str {
    let known = ["GET", "PUT", "POST", "HEAD", "DELETE", "OPTIONS", "PATCH"];
    known.into_iter().find(|known| method.as_str() == *known).unwrap_or("OTHER")
}

/// What stands in the path.
struct Named<T>(T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(named)| Self(named)).map_err(|_| Refusal::FORMAT)
    }
}

/// What stands after the question mark.
struct Asked<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(asked)| Self(asked)).map_err(|_| Refusal::FORMAT)
    }
}

fn read_json<T: DeserializeOwned>(body: &Bytes) -> Answer<T> {
    serde_json::from_slice(body).map_err(|_| Refusal::FORMAT)
}

fn bytes(content: &'static str, body: Vec<u8>) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content));
    response
}

/// Waits until somebody rings, it is time to look again, or there is no time left; tells whether
/// to go on.
async fn wait(
    app: &App,
    rung: std::pin::Pin<&mut tokio::sync::futures::Notified<'_>>,
    deadline: tokio::time::Instant,
) -> bool {
    let again = deadline.min(tokio::time::Instant::now() + LOOK_AGAIN);
    tokio::select! {
        () = rung => true,
        () = tokio::time::sleep_until(again) => again < deadline,
        () = app.stopped() => false,
    }
}
