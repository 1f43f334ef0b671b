//! Meeting others over a network: `hub`, `sync`, `serve-lan`, `status`.
//!
//! Must not know: what is exchanged.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use serde_json::json;
use tokio::{net::TcpListener, runtime::Runtime};
use tuquan_core::{
    door::Tuquan,
    error::{Error, Kind},
    sync::{relay::RelayEvent, truth::Truth},
};
use tuquan_hub::config::{Config, Registration};
use tuquan_net::{
    hub::{HubClient, HubOptions, Roots, sync as meet_hub},
    lan::{self, Served, beacon},
    system,
};

use crate::{
    answer::Answer,
    context::Context,
    failure::{Failure, Outcome, unreadable},
    progress, time,
};

/// Makes the runtime that waits for sockets.
pub(super) fn runtime() -> Outcome<Runtime> {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    built.map_err(|_| Error::new(Kind::Io, "no threads for the network").into())
}

/// Prints a line at once, for whoever waits for it.
pub(super) fn say_now(line: &str) {
    use std::io::Write as _;
    let mut to = std::io::stdout().lock();
    let _ = writeln!(to, "{line}").and_then(|()| to.flush());
}

/// Returns the client of the hub that was named, or that this device met last.
pub(super) fn client(context: &Context<'_>, store: &Tuquan) -> Outcome<Option<HubClient>> {
    let kept = store.bulk(|replica| replica.hub_url())?;
    let Some(url) = context.text("hub").map(str::to_owned).or(kept) else {
        return Ok(None);
    };
    client_of(context, store, &url).map(Some)
}

/// Returns the client of a hub, which is remembered.
pub(super) fn client_of(context: &Context<'_>, store: &Tuquan, url: &str) -> Outcome<HubClient> {
    let roots = match context.text("hub-roots") {
        Some(path) => {
            let path = Path::new(path);
            Roots::Pem(std::fs::read(path).map_err(|error| unreadable(path, &error))?)
        }
        None => Roots::Web,
    };
    let client = HubClient::new(&HubOptions { roots, ..HubOptions::new(url) })?;
    store.bulk(|replica| replica.set_hub_url(url))?;
    Ok(client)
}

/// Runs a hub until it is told to end.
pub(crate) fn hub(context: &Context<'_>) -> Outcome<Answer> {
    let config = match context.text("config") {
        Some(path) => Config::read(Path::new(path))?,
        None => {
            let data = context.required("data-dir")?;
            let mut config = Config::loopback(Path::new(data));
            if let Some(listen) = context.text("listen") {
                config.listen = address(context, listen)?;
            }
            config.registration = Registration::Open;
            config
        }
    };
    let sink: tuquan_hub::Sink = Box::new(std::io::stderr());
    tuquan_hub::run(config, sink, |address| {
        say_now(&context.words.say("meeting.hub_listens", &[("address", &address)]));
    })?;
    Ok(Answer::new(context.words.get("meeting.hub_ended"), json!({ "ended": true })))
}

/// Reads an address that was given.
pub(super) fn address(context: &Context<'_>, text: &str) -> Outcome<SocketAddr> {
    let bad = || Failure::usage(context.words.say("usage.bad_address", &[("text", &text)]));
    text.parse().map_err(|_| bad())
}

/// Meets the hub, and phones on the network where they were named or are to be found.
pub(crate) fn sync(context: &Context<'_>) -> Outcome<Answer> {
    let store = Arc::new(context.open()?);
    let runtime = runtime()?;
    let (mut lines, mut value) = (Vec::new(), json!({}));
    let mut phones: Vec<SocketAddr> = Vec::new();
    if let Some(text) = context.text("lan") {
        phones.push(address(context, text)?);
    }
    if let Some(seconds) = context.args.get_one::<u64>("find") {
        phones.extend(found(&store, *seconds)?);
    }
    let hub = client(context, &store)?;
    if hub.is_none() && phones.is_empty() && context.args.get_one::<u64>("find").is_none() {
        return Err(Failure::usage(context.words.get("usage.no_meeting")));
    }
    if let Some(hub) = hub {
        let met = with_hub(context, &runtime, &store, &hub)?;
        lines.push(met.text);
        value["hub"] = met.json;
    }
    for phone in phones {
        let stats = runtime.block_on(lan::dial(&store, phone, |_| {}))?;
        let words = context.words;
        lines.push(words.say(
            "meeting.phone",
            &[
                ("address", &phone),
                ("sent", &words.count(stats.sent)),
                ("received", &words.count(stats.received)),
                ("bytes", &words.count(stats.sent_bytes + stats.received_bytes)),
            ],
        ));
        value["phone"] = json!({ "sent": stats.sent, "received": stats.received,
            "bytes": stats.sent_bytes + stats.received_bytes });
    }
    let truth = store.truth()?;
    lines.push(queue(context, &truth));
    value["only_here"] = json!(truth.only_here);
    value["missing"] = json!(truth.missing);
    Ok(Answer::new(lines.join("\n"), value))
}

/// Meets a hub once.
pub(super) fn with_hub(
    context: &Context<'_>,
    runtime: &Runtime,
    store: &Arc<Tuquan>,
    hub: &HubClient,
) -> Outcome<Answer> {
    let words = context.words;
    let bar = progress::bar(words.get("progress.meeting"), 0);
    let mut older = false;
    let stats = runtime.block_on(meet_hub(store, hub, system::now_ms(), |event| match event {
        RelayEvent::Progress(stats) => {
            let done = stats.sent_packs + stats.received_packs;
            bar.set_length(done + stats.remaining);
            bar.set_position(done);
        }
        RelayEvent::HubOlder => older = true,
        _ => {}
    }))?;
    bar.finish_and_clear();
    let mut text = words.say(
        "meeting.hub",
        &[
            ("url", &hub.url()),
            ("sent", &words.count(stats.sent_packs)),
            ("received", &words.count(stats.received_packs)),
            ("entries", &words.count(stats.entries)),
            ("bytes", &words.count(stats.sent_bytes + stats.received_bytes)),
        ],
    );
    if older {
        text = format!("{text}\n{}: {}", Kind::HubOld.code(), words.token("error", "W-HUB-OLD"));
    }
    let mut value = json!(stats);
    value["url"] = json!(hub.url());
    value["hub_older"] = json!(older);
    Ok(Answer::new(text, value))
}

/// Meets phones of the team that come, for so long or until it is told to end.
pub(crate) fn serve_lan(context: &Context<'_>) -> Outcome<Answer> {
    let store = Arc::new(context.open()?);
    let listen = address(context, context.text("listen").unwrap_or("0.0.0.0:0"))?;
    let runtime = runtime()?;
    let met = Arc::new(std::sync::atomic::AtomicU64::new(0));
    runtime.block_on(async {
        let taken = |_| Error::new(Kind::Io, "the port is taken");
        let listener = TcpListener::bind(listen).await.map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        say_now(&context.words.say("meeting.serves", &[("address", &address)]));
        let key = beacon_key(&store)?;
        let announce = move || {
            // A network that forbids announcing does not forbid meeting by address.
            beacon::Beacon::start(&key, address.port(), system::now_ms(), false).ok()
        };
        let _beacon = (!context.flag("quiet")).then(announce).flatten();
        let count = Arc::clone(&met);
        let serving = lan::serve(Arc::clone(&store), listener, move |_, served| {
            if let Served::Met(_) = served {
                count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        });
        let time_is_over = async {
            match context.args.get_one::<u64>("for") {
                Some(seconds) => tokio::time::sleep(Duration::from_secs(*seconds)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            served = serving => served,
            () = time_is_over => Ok(()),
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    })?;
    let met = met.load(std::sync::atomic::Ordering::Relaxed);
    let text = context.words.say("meeting.served", &[("n", &context.words.count(met))]);
    Ok(Answer::new(text, json!({ "met": met })))
}

fn beacon_key(store: &Tuquan) -> Result<[u8; 32], Error> {
    store.bulk(|replica| Ok(replica.mind.epoch()?.1.beacon_key()))
}

/// Looks for phones of the team on the network.
fn found(store: &Tuquan, seconds: u64) -> Outcome<Vec<SocketAddr>> {
    let key = beacon_key(store)?;
    Ok(beacon::find(&key, system::now_ms(), Duration::from_secs(seconds), false)?)
}

/// Says what is where, and what is missing.
pub(crate) fn status(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let (truth, stats) = (store.truth()?, store.stats()?);
    let words = context.words;
    let mut lines = vec![words.say("status.entries", &[("n", &words.count(truth.entries))])];
    let counts = [
        (truth.elsewhere, "status.elsewhere"),
        (truth.at_hub, "status.at_hub"),
        (truth.only_here, "status.only_here"),
        (truth.missing, "status.missing"),
        (stats.pending, "stats.pending"),
        (stats.held, "stats.held"),
        (stats.quarantined, "stats.quarantined"),
    ];
    for (count, key) in counts {
        lines.push(words.say(key, &[("n", &words.count(count))]));
    }
    for peer in &truth.peers {
        let device: String = peer.device.to_string().chars().take(8).collect();
        let met = match peer.met_ms {
            Some(ms) => time::moment(ms).to_string(),
            None => words.get("status.never").to_owned(),
        };
        lines.push(words.say(
            "status.peer",
            &[
                ("device", &device),
                ("met", &met),
                ("lacks", &words.count(peer.lacks)),
                ("ahead", &words.count(peer.ahead)),
            ],
        ));
    }
    for hub in &truth.hubs {
        lines.push(words.say("status.hub", &[("met", &time::moment(hub.met_ms))]));
    }
    let forked = store.forked();
    for log in &forked {
        let device: String = log.device.to_string().chars().take(8).collect();
        let values: [(&str, &dyn std::fmt::Display); 2] =
            [("device", &device), ("n", &words.count(log.histories))];
        lines.push(words.say("status.forked", &values));
    }
    let mut value = json!(truth);
    value["forked"] = json!(forked);
    for (name, count) in
        [("pending", stats.pending), ("held", stats.held), ("quarantined", stats.quarantined)]
    {
        value[name] = json!(count);
    }
    Ok(Answer::new(lines.join("\n"), value))
}

fn queue(context: &Context<'_>, truth: &Truth) -> String {
    let words = context.words;
    words.say("status.only_here", &[("n", &words.count(truth.only_here))])
}
