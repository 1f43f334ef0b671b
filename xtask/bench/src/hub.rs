//! H: a new device joins a large space through a real hub on this machine, and meets it again with
//! nothing new.
//!
//! Must not know: how packs are made.

use std::sync::Arc;
use std::time::Instant;

use tuquan_core::door::query::List;
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::sync::relay::RelayEvent;
use tuquan_hub::Hub;
use tuquan_hub::config::Config;
use tuquan_net::hub::{HubClient, HubOptions, sync};

use crate::Scale;
use crate::data;
use crate::raw;
use crate::store::{self, Folder};
use crate::sync::join;
use crate::table::Row;

const NOW_MS: i64 = 1_790_000_000_000;

/// Times joining through a hub, its first page, and a meeting without news.
pub(crate) fn join_through(scale: &Scale) -> Result<Vec<Row>> {
    let source = data::many(scale.large);
    let (a, b, kept) = (Folder::new("hub-a")?, Folder::new("hub-b")?, Folder::new("hub")?);
    let left = Arc::new(store::open(a.path(), 1)?);
    left.found()?;
    let places = store::places(&left)?;
    for part in source.events.chunks(50_000) {
        let commands: Vec<_> = part.iter().map(|event| store::command(event, &places)).collect();
        left.apply_many(&commands, &mut |_| {})?;
    }
    let right = Arc::new(store::open(b.path(), 2)?);
    join(&left, &right, false)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let hub = runtime.block_on(Hub::start(Config::loopback(kept.path())))?;
    let client = HubClient::new(&HubOptions::new(hub.origin()))?;
    runtime.block_on(sync(&left, &client, NOW_MS, |_| {}))?;

    let (started, mut first) = (Instant::now(), None);
    let page = List { kind: "incident".into(), limit: 50, ..List::default() };
    let stats = runtime.block_on(sync(&right, &client, NOW_MS, |event| {
        if first.is_none() && matches!(event, RelayEvent::Received(_)) {
            let rows = right.list(&page).map(|page| page.rows.len());
            first = rows.is_ok_and(|rows| rows == 50).then(|| started.elapsed().as_secs_f64());
        }
    }))?;
    let seconds = started.elapsed().as_secs_f64();
    if left.view_hash()? != right.view_hash()? {
        return Err(Error::new(Kind::Invalid, "the new device differs"));
    }
    for store in [&left, &right] {
        runtime.block_on(sync(store, &client, NOW_MS, |_| {}))?;
    }
    let before = client.traffic();
    runtime.block_on(sync(&right, &client, NOW_MS, |_| {}))?;
    let after = client.traffic();
    runtime.block_on(hub.stop());

    let floor = {
        let (folder, start) = (Folder::new("hub-raw")?, Instant::now());
        raw::insert_all(&folder, &source)?;
        start.elapsed().as_secs_f64()
    };
    let quiet = (
        after.requests - before.requests,
        after.sent_bytes - before.sent_bytes,
        after.received_bytes - before.received_bytes,
    );
    Ok(rows(scale, source.name, (seconds, floor), first, (stats.received_bytes, quiet)))
}

fn rows(
    scale: &Scale,
    source: &str,
    (seconds, floor): (f64, f64),
    first: Option<f64>,
    (bytes, quiet): (u64, (u64, u64, u64)),
) -> Vec<Row> {
    vec![
        Row {
            id: format!("H join {} records through a hub ({source})", scale.large),
            goal: "<= 2.5x raw bulk insert and < 5 s".into(),
            limit: format!("{floor:.2} s"),
            measured: format!("{seconds:.2} s, {:.1} MB", bytes as f64 / 1e6),
            ratio: Some(seconds / floor),
            pass: seconds / floor <= 2.5 && seconds < 5.0,
        },
        Row {
            id: "H first page of the list".into(),
            goal: "< 0.5 s".into(),
            limit: "-".into(),
            measured: first.map_or("never".into(), |first| format!("{first:.2} s")),
            ratio: None,
            pass: first.is_some_and(|first| first < 0.5),
        },
        Row {
            id: "H nothing new at the hub".into(),
            goal: "1 round trip, < 200 bytes each way above HTTP".into(),
            limit: "-".into(),
            measured: format!("{} requests, {} and {} bytes", quiet.0, quiet.1, quiet.2),
            ratio: None,
            pass: quiet.0 == 1 && quiet.1 < 200 && quiet.2 < 200,
        },
    ]
}
