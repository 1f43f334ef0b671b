//! Packs and control logs up and down.
//!
//! Invariant: a receipt is signed only for what is on the disk. Must not know: how it is kept.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tuquan_core::crypto;
use tuquan_core::error::{Error, Kind};
use tuquan_core::ids::{Digest, SpaceId, to_hex};
use tuquan_core::log::pack::{Header, SEALED_BYTES_MAX, pack_id};
use tuquan_core::sync::relay::{self, BATCH_BYTES_MAX};

use super::login::signature_of;
use super::{Answer, Content, IDS_BYTES_MAX, Named, Route, bytes, read_json, serve};
use crate::app::{App, Door, Sender, aside};
use crate::refusal::Refusal;
use crate::storage::{Erasable, Kept, NewPack, Quota};
use crate::team::{Extended, Team};

/// The most packs of one upload.
const BATCH_PACKS_MAX: usize = 1_024;
/// A batch with its frames.
const BATCH_BODY_MAX: usize = BATCH_BYTES_MAX + 4 * BATCH_PACKS_MAX;
/// The most packs asked for at once, and about how many bytes come.
const GET_PACKS_MAX: usize = 256;
const GET_BYTES_MAX: usize = 4 << 20;
/// The most ids of one list.
const IDS_MAX: usize = 1_024;

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "POST",
        path: "/v1/spaces/{space}/control",
        about: "Brings control logs, as frames of open packs; the first time founds the space \
                where the hub's settings allow it. What continues no log is not kept.",
        login: false,
        query: &[],
        body: Content::Bytes("frames of open packs, at most 1 MiB"),
        answers: &[(200, Content::Json("Control"))],
        refusals: &[403, 413, 507],
        service: || serve("POST", control),
    },
    Route {
        method: "POST",
        path: "/v1/spaces/{space}/packs",
        about: "Brings packs; all are on the disk before the answer, or none is.",
        login: true,
        query: &[],
        body: Content::Bytes("frames of packs, at most 1 MiB"),
        answers: &[(200, Content::Json("Receipts"))],
        refusals: &[404, 413, 507],
        service: || serve("POST", put),
    },
    Route {
        method: "POST",
        path: "/v1/spaces/{space}/packs/get",
        about: "Returns packs in the order asked, without missing ones, until about 4 MiB.",
        login: true,
        query: &[],
        body: Content::Json("Ids"),
        answers: &[(200, Content::Bytes("frames of packs"))],
        refusals: &[404, 413],
        service: || serve("POST", get_many),
    },
    Route {
        method: "GET",
        path: "/v1/spaces/{space}/packs/{id}",
        about: "Returns one pack.",
        login: true,
        query: &[],
        body: Content::Empty,
        answers: &[(200, Content::Bytes("a pack"))],
        refusals: &[404],
        service: || serve("GET", get_one),
    },
    Route {
        method: "POST",
        path: "/v1/spaces/{space}/packs/delete",
        about: "Erases sealed packs by a list that the device signed; none of them is taken \
                again. Devices of the person who brought them may, and admins.",
        login: true,
        query: &[],
        body: Content::Json("SignedIds"),
        answers: &[(200, Content::Json("Deleted"))],
        refusals: &[404, 413, 507],
        service: || serve("POST", delete),
    },
    Route {
        method: "POST",
        path: "/v1/spaces/{space}/opened",
        about: "Says that this device opened these packs whole.",
        login: true,
        query: &[],
        body: Content::Json("Ids"),
        answers: &[(204, Content::Empty)],
        refusals: &[404, 413, 507],
        service: || serve("POST", opened),
    },
];

async fn control(
    State(app): State<Arc<App>>,
    Named(space): Named<SpaceId>,
    request: Request,
) -> Answer {
    // The body first: a slow one takes no turn of others.
    let body = app.body(request, BATCH_BODY_MAX, Sender::Stranger).await?;
    let _entered = app.enter(Door::Control(space)).await?;
    let team = match app.team(space).await {
        Ok(team) => team,
        Err(refusal) if refusal == Refusal::NO_SPACE => may_found(&app, space).await?,
        Err(refusal) => return Err(refusal),
    };
    app.check_room().await?;
    let mut packs = read_packs(&space, &body)?;
    if packs.is_empty() {
        return Err(Refusal::SHORT);
    }
    if packs.iter().any(|pack| !pack.open) {
        return Err(Error::new(Kind::Invalid, "a sealed pack among control logs").into());
    }
    let ids: Vec<Digest> = packs.iter().map(|pack| pack.id).collect();
    let extends = extend(&app, &team, &packs, false).await?;
    let mut keeps = extends.iter();
    packs.retain(|_| keeps.next() == Some(&true));
    let quota = Quota { share: app.config.limits.control_bytes, ..app.quota() };
    if !packs.is_empty() {
        app.storage.put_packs(space, packs, None, quota).await?;
        app.bell.ring(space.0);
    }
    let row = |(id, new): (&Digest, &bool)| json!({ "id": id, "new": new });
    let rows: Vec<Value> = ids.iter().zip(&extends).map(row).collect();
    Ok(Json(json!({ "packs": rows })).into_response())
}

/// Returns the empty team of a space that may be founded here.
async fn may_found(app: &App, space: SpaceId) -> Answer<Arc<Team>> {
    if !app.config.registration.allows(&space) {
        return Err(Refusal::ROLE);
    }
    if app.storage.spaces().await?.len() >= app.config.limits.spaces {
        return Err(Refusal::FULL);
    }
    Ok(Arc::new(Team::of(space, &[])))
}

/// Checks control packs against the team, and tells which of them bring something.
async fn extend(
    app: &App,
    team: &Arc<Team>,
    packs: &[NewPack],
    by_member: bool,
) -> Answer<Vec<bool>> {
    let open: Vec<Vec<u8>> =
        packs.iter().filter(|pack| pack.open).map(|pack| pack.bytes.clone()).collect();
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let team = Arc::clone(team);
    let devices_max = app.config.limits.devices;
    let Extended { team, extends } = aside(move || team.extended(&open, by_member)).await??;
    if !team.is_founded() {
        return Err(Refusal::NOT_MEMBER);
    }
    if team.devices() > devices_max {
        return Err(Refusal::FULL);
    }
    Ok(extends)
}

/// Reads a batch; every pack is of the space and has a header in order.
fn read_packs(space: &SpaceId, body: &[u8]) -> Answer<Vec<NewPack>> {
    let parts = relay::read_frames(body, SEALED_BYTES_MAX)?;
    let len: usize = parts.iter().map(|part| part.len()).sum();
    if parts.len() > BATCH_PACKS_MAX || len > BATCH_BYTES_MAX {
        return Err(Refusal::SIZE);
    }
    let read = |part: &&[u8]| {
        let header = Header::read(part)?;
        if header.space != *space {
            return Err(Error::new(Kind::Space, "a pack of another team").into());
        }
        let (id, bytes) = (pack_id(part), part.to_vec());
        Ok(NewPack { id, open: header.open, ranges: header.ranges, bytes })
    };
    parts.iter().map(read).collect()
}

async fn put(
    State(app): State<Arc<App>>,
    Named(space): Named<SpaceId>,
    headers: HeaderMap,
    request: Request,
) -> Answer {
    let caller = app.member(&headers, space).await?;
    let body = app.body(request, BATCH_BODY_MAX, Sender::Member).await?;
    app.check_room().await?;
    let packs = aside(move || read_packs(&space, &body)).await??;
    extend(&app, &caller.team, &packs, true).await?;
    let ids: Vec<Digest> = packs.iter().map(|pack| pack.id).collect();
    let kept = app.storage.put_packs(space, packs, Some(caller.bearer()), app.quota()).await?;
    if kept.contains(&Kept::New) {
        app.bell.ring(space.0);
    }
    let receipt = |(id, kept): (&Digest, &Kept)| match kept {
        Kept::Erased => json!({ "id": id, "new": false, "erased": true }),
        kept => {
            let signature = app.key.sign(&relay::receipt_hash(&space, id));
            json!({ "id": id, "new": *kept == Kept::New, "signature": to_hex(&signature) })
        }
    };
    let receipts: Vec<Value> = ids.iter().zip(&kept).map(receipt).collect();
    Ok(caller.answer(Json(json!({ "receipts": receipts })).into_response()))
}

#[derive(Deserialize)]
pub(super) struct Ids {
    pub(super) ids: Vec<Digest>,
}

async fn get_many(
    State(app): State<Arc<App>>,
    Named(space): Named<SpaceId>,
    headers: HeaderMap,
    request: Request,
) -> Answer {
    let caller = app.member(&headers, space).await?;
    let Ids { ids } = read_json(&app.body(request, IDS_BYTES_MAX, Sender::Member).await?)?;
    if ids.len() > GET_PACKS_MAX {
        return Err(Refusal::SIZE);
    }
    let packs = app.storage.packs(space, ids, GET_BYTES_MAX).await?;
    Ok(caller.answer(bytes("application/octet-stream", relay::write_frames(&packs))))
}

async fn get_one(
    State(app): State<Arc<App>>,
    Named((space, id)): Named<(SpaceId, Digest)>,
    headers: HeaderMap,
) -> Answer {
    let caller = app.member(&headers, space).await?;
    let packs = app.storage.packs(space, vec![id], GET_BYTES_MAX).await?;
    let pack = packs.into_iter().next().ok_or(Refusal::NOT_FOUND)?;
    Ok(caller.answer(bytes("application/octet-stream", pack)))
}

#[derive(Deserialize)]
struct SignedIds {
    ids: Vec<Digest>,
    signature: String,
}

async fn delete(
    State(app): State<Arc<App>>,
    Named(space): Named<SpaceId>,
    headers: HeaderMap,
    request: Request,
) -> Answer {
    let caller = app.member(&headers, space).await?;
    let list: SignedIds = read_json(&app.body(request, IDS_BYTES_MAX, Sender::Member).await?)?;
    if list.ids.len() > IDS_MAX {
        return Err(Refusal::SIZE);
    }
    let hash = relay::pack_delete_hash(&space, &list.ids);
    crypto::verify(&caller.device, &hash, &signature_of(&list.signature)?)?;
    let only = (!caller.team.is_admin(&caller.device)).then_some(caller.person);
    let count = app.storage.erase(space, Erasable::Packs, list.ids, only).await?;
    app.bell.ring(space.0);
    Ok(Json(json!({ "deleted": count })).into_response())
}

async fn opened(
    State(app): State<Arc<App>>,
    Named(space): Named<SpaceId>,
    headers: HeaderMap,
    request: Request,
) -> Answer {
    let caller = app.member(&headers, space).await?;
    let Ids { ids } = read_json(&app.body(request, IDS_BYTES_MAX, Sender::Member).await?)?;
    if ids.len() > IDS_MAX {
        return Err(Refusal::SIZE);
    }
    app.storage.put_opened(space, ids, caller.person, app.now_ms()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
