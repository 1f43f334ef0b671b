//! A meeting with a hub: the core says what to ask, this asks it.
//!
//! Must not know: what packs hold, when to meet.

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use serde_json::json;
use tuquan_core::door::Tuquan;
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::sync::relay::{
    Hub, Next, RelayEvent, RelayStats, RelaySync, Request, Response, write_frames,
};

use super::client::{Answer, Body, HubClient};
use super::wire;
use crate::step;

/// The longest that a hub lets one wait for something new.
const WAIT_S_MAX: u64 = 55;

/// Meets the hub once: fetches what is new there, gives what is new here. `tell` hears how it goes.
///
/// A meeting that fails or is dropped leaves everything queued; the next one goes on from there.
///
/// # Errors
/// `E-IO` when the hub cannot be reached; `E-LOGIN`, `E-REMOVED`, `E-ROLE`, `E-FULL` as the hub
/// says; `E-SIG` when it signs wrongly; of the store.
pub async fn sync(
    store: &Arc<Tuquan>,
    client: &HubClient,
    now_ms: i64,
    mut tell: impl FnMut(RelayEvent),
) -> Result<RelayStats> {
    let hub = client.hub(store).await?;
    let mut relay = RelaySync::new(hub.clone(), now_ms);
    loop {
        let (back, next) = with(store, relay, RelaySync::next).await?;
        relay = back;
        report(store, &mut relay, &mut tell);
        match next {
            Next::Again => {}
            Next::Done => return Ok(relay.stats()),
            Next::Ask(request) => {
                let answer = ask(store, client, &hub, request, 0).await?;
                let take = |relay: &mut RelaySync, replica: &mut _| relay.take(replica, answer);
                (relay, ()) = with(store, relay, take).await?;
                report(store, &mut relay, &mut tell);
            }
        }
    }
}

/// Waits until the hub has something that this phone has not seen, at most 55 seconds; tells
/// whether it has.
///
/// # Errors
/// As [`sync`].
pub async fn wait_for_news(
    store: &Arc<Tuquan>,
    client: &HubClient,
    now_ms: i64,
    wait_s: u64,
) -> Result<bool> {
    let hub = client.hub(store).await?;
    let relay = RelaySync::new(hub.clone(), now_ms);
    let (_, next) = with(store, relay, RelaySync::next).await?;
    let Next::Ask(request) = next else {
        return Ok(false);
    };
    let answer = ask(store, client, &hub, request, wait_s.min(WAIT_S_MAX)).await?;
    Ok(!matches!(answer, Response::Same))
}

/// Runs a step of the meeting on the store's thread, and brings the meeting back.
async fn with<T: Send + 'static>(
    store: &Arc<Tuquan>,
    mut relay: RelaySync,
    act: impl FnOnce(&mut RelaySync, &mut tuquan_core::replica::Replica) -> Result<T> + Send + 'static,
) -> Result<(RelaySync, T)> {
    step(store, move |replica| {
        let value = act(&mut relay, replica)?;
        Ok((relay, value))
    })
    .await
}

fn report(store: &Tuquan, relay: &mut RelaySync, tell: &mut impl FnMut(RelayEvent)) {
    while let Some(event) = relay.poll_event() {
        if let RelayEvent::Received(ingested) = &event {
            store.note_changes(ingested.changed.clone());
        }
        tell(event);
    }
}

async fn ask(
    store: &Arc<Tuquan>,
    client: &HubClient,
    hub: &Hub,
    request: Request,
    wait_s: u64,
) -> Result<Response> {
    let (method, path, body) = match request {
        Request::State { listing, acks } => {
            let wait = if wait_s == 0 { String::new() } else { format!("&wait_s={wait_s}") };
            (Method::GET, format!("/state?digest={listing}&acks={acks}{wait}"), Body::None)
        }
        Request::List { after } => (Method::GET, format!("/packs?after={after}"), Body::None),
        Request::Get { ids } => {
            (Method::POST, "/packs/get".to_owned(), Body::Json(json!({ "ids": ids })))
        }
        Request::Put { packs } => {
            (Method::POST, "/packs".to_owned(), Body::Bytes(write_frames(&packs)))
        }
        Request::Opened { ids } => {
            (Method::POST, "/opened".to_owned(), Body::Json(json!({ "ids": ids })))
        }
        Request::PutAck { bytes } => (Method::PUT, "/acks".to_owned(), Body::Bytes(bytes)),
        Request::GetAcks => (Method::GET, "/acks".to_owned(), Body::None),
    };
    let kind = path.split('?').next().unwrap_or_default().to_owned();
    let answer = client.ask(store, hub, (method.clone(), &path), &body, wait_s).await?;
    read(&method, &kind, answer)
}

fn read(method: &Method, path: &str, answer: Answer) -> Result<Response> {
    let Answer { status, bytes } = answer;
    match (method, path) {
        (&Method::GET, "/state") if status == StatusCode::NO_CONTENT => Ok(Response::Same),
        (&Method::GET, "/state") => wire::state(&bytes),
        (&Method::GET, "/packs") => wire::listing(&bytes),
        (&Method::POST, "/packs/get") => wire::frames(&bytes).map(Response::Packs),
        (&Method::POST, "/packs") => wire::receipts(&bytes),
        (&Method::GET, "/acks") => wire::frames(&bytes).map(Response::Acks),
        (&Method::POST, "/opened") | (&Method::PUT, "/acks") => Ok(Response::Noted),
        _ => Err(Error::new(Kind::Format, "an answer to a question that was not asked")),
    }
}
