//! Joining over a network: through the mailbox of a hub, or face to face on the same network.
//!
//! The same messages as by codes; what differs is who carries them. Must not know: what the messages
//! hold.

use std::{io::BufRead as _, sync::Arc, time::Duration};

use serde_json::json;
use tokio::net::TcpListener;
use tuquan_core::{
    door::Tuquan,
    error::{Error, Kind},
    ids::DeviceKey,
    sync::join::{Admitted, Compared, Invite},
    team::control::Rights,
};
use tuquan_net::{
    hub::{Mailbox, join},
    lan,
};

use super::meeting::{address, client_of, runtime, say_now, with_hub};
use crate::{answer::Answer, context::Context, failure::Outcome};

/// How long the other side is waited for, unless it is said.
const WAIT_S: u64 = 600;

fn wait(context: &Context<'_>) -> Duration {
    Duration::from_secs(context.args.get_one::<u64>("wait").copied().unwrap_or(WAIT_S))
}

/// Joins through the hub that the invitation names: leaves the request, shows the digits, waits for
/// the welcome, and syncs.
pub(super) fn join_by_hub(context: &Context<'_>, bytes: &[u8], url: &str) -> Outcome<Answer> {
    let invite = Invite::decode(bytes)?;
    let store = Arc::new(ready(context)?);
    let client = client_of(context, &store, url)?;
    let (runtime, wait) = (runtime()?, wait(context));
    let mailbox = Mailbox::new(client.clone(), &invite.secret.mailbox());
    let revealed = runtime.block_on(join::ask(&store, &mailbox, bytes.to_vec(), wait))?;
    say_now(&context.words.say("joining.compare", &[("digits", &revealed.digits)]));
    let outcome = runtime.block_on(join::enter(&store, &mailbox, wait))?;
    let met = with_hub(context, &runtime, &store, &client)?;
    let entries = met.json["entries"].as_u64().unwrap_or(0) + outcome.entries;
    let counted = context.words.count(entries);
    let text = context.words.say("joining.joined", &[("entries", &counted)]);
    let value = json!({
        "joined": outcome.joined, "entries": entries, "digits": revealed.digits, "hub": met.json,
    });
    Ok(Answer::new(format!("{text}\n{}", met.text), value))
}

/// Joins the phone at an address on the same network.
pub(super) fn join_by_lan(context: &Context<'_>, bytes: Vec<u8>, to: &str) -> Outcome<Answer> {
    let to = address(context, to)?;
    let store = Arc::new(ready(context)?);
    let show = |digits: String| {
        say_now(&context.words.say("joining.compare", &[("digits", &digits)]));
        async { true }
    };
    let (outcome, stats) = runtime()?.block_on(lan::guest(&store, to, bytes, show))?;
    let entries = outcome.entries + stats.received;
    let counted = context.words.count(entries);
    let text = context.words.say("joining.joined", &[("entries", &counted)]);
    Ok(Answer::new(text, json!({ "joined": outcome.joined, "entries": entries })))
}

fn ready(context: &Context<'_>) -> Outcome<Tuquan> {
    let store = context.home()?.make()?;
    if store.device().is_err() {
        store.init()?;
    }
    Ok(store)
}

/// Admits through the hub that the own invitation names. Without digits it shows them, and is to be
/// called again with those that the newcomer reads out.
pub(super) fn admit_by_hub(context: &Context<'_>, bytes: &[u8], url: &str) -> Outcome<Answer> {
    let invite = Invite::decode(bytes)?;
    let store = Arc::new(context.open()?);
    let client = client_of(context, &store, url)?;
    let runtime = runtime()?;
    let mailbox = Mailbox::new(client.clone(), &invite.secret.mailbox());
    let taken = runtime.block_on(join::hear(&store, &mailbox, wait(context)))?;
    let compared = match context.text("digits") {
        Some(digits) if digits.trim() == taken.digits => Compared::Equal,
        Some(_) => Compared::Differ,
        None if context.flag("reader") => Compared::Not,
        None => {
            let text = context.words.say("joining.digits", &[("digits", &taken.digits)]);
            let value = json!({ "digits": taken.digits, "device": taken.device });
            return Ok(Answer::new(text, value));
        }
    };
    let admitted = store.bulk(|replica| replica.admit(&taken.invitation, compared, false))?;
    // The hub is told of the newcomer before the newcomer is told that it may come.
    let met = with_hub(context, &runtime, &store, &client)?;
    runtime.block_on(join::let_in(&mailbox, &admitted))?;
    Ok(admitted_answer(context, &admitted, met.text))
}

fn admitted_answer(context: &Context<'_>, admitted: &Admitted, met: String) -> Answer {
    let mut lines = vec![context.words.say("joining.let_in", &[("device", &admitted.device)])];
    let is_reader = admitted.rights == Rights::Reader;
    if is_reader {
        lines.push(context.words.get("joining.reader").to_owned());
    }
    lines.push(met);
    let rights = if is_reader { "reader" } else { "writer" };
    Answer::new(lines.join("\n"), json!({ "device": admitted.device, "rights": rights }))
}

/// Waits at an address for the newcomer, and asks on the terminal for the digits that it reads out.
pub(super) fn admit_by_lan(context: &Context<'_>, bytes: &[u8], at: &str) -> Outcome<Answer> {
    let invitation = Invite::decode(bytes)?.secret.id();
    let at = address(context, at)?;
    let store = Arc::new(context.open()?);
    let wait = wait(context);
    let runtime = runtime()?;
    let (device, stats) = runtime.block_on(async {
        let taken = |_| Error::new(Kind::Io, "the port is taken");
        let nobody = || Error::new(Kind::Io, "the other side did not answer in time");
        let listener = TcpListener::bind(at).await.map_err(taken)?;
        let here = listener.local_addr().map_err(taken)?;
        say_now(&context.words.say("meeting.serves", &[("address", &here)]));
        let compare = |_: DeviceKey, digits: String| {
            say_now(&context.words.say("joining.type", &[("digits", &digits)]));
            async move {
                let read = tokio::task::spawn_blocking(|| {
                    let mut line = String::new();
                    std::io::stdin().lock().read_line(&mut line).map(|_| line)
                });
                match read.await {
                    Ok(Ok(line)) if line.trim() == digits => Compared::Equal,
                    _ => Compared::Differ,
                }
            }
        };
        let hosting = lan::host(&store, &listener, invitation, compare);
        tokio::time::timeout(wait, hosting).await.map_err(|_| nobody())?
    })?;
    let words = context.words;
    let text = words.say("joining.let_in", &[("device", &device)]);
    Ok(Answer::new(text, json!({ "device": device, "sent": stats.sent })))
}
