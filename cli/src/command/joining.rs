//! Joining a team: `invite`, `join`, `admit`; every step a run of its own, by codes and files.
//!
//! ```text
//! admin: invite          -> TQ1 code
//! newcomer: join TQ1     -> TQ2 code
//! admin: admit TQ2       -> TQ3 code and six digits
//! newcomer: join TQ3     -> six digits
//! admin: admit TQ2 --digits ...   -> a welcome, which the newcomer joins with
//! ```
//!
//! Where a hub or a network is at hand, it carries them: `joining_far`. Must not know: what the codes
//! hold; the core reads and writes them.

use std::path::{Path, PathBuf};

use serde_json::json;
use tuquan_core::{
    door::Tuquan,
    error::{Error, Kind},
    ids::to_hex,
    replica::Replica,
    sync::{
        bundle::MAGIC,
        frames::{Gathering, cut},
        join::{Code, CodeKind, Compared, Invite, InviteOptions, Taken},
    },
    team::control::Rights,
};

use super::exchange::{read, role, write};
use super::joining_far::{admit_by_hub, admit_by_lan, join_by_hub, join_by_lan};
use super::meeting::client_of;
use crate::{
    answer::Answer,
    context::Context,
    failure::{Failure, Outcome},
    time,
};

/// Content of one frame: a QR code of 400 characters is read well from a cheap phone's screen.
const FRAME_BYTES: usize = 220;

/// What the other side gave: a code, or a welcome.
enum Given {
    Code(Code),
    Welcome(Vec<u8>),
}

/// Makes an invitation.
pub(crate) fn invite(context: &Context<'_>) -> Outcome<Answer> {
    let store = context.open()?;
    let person = context.flag("own").then(|| store.device()).transpose()?;
    let options = InviteOptions {
        role: role(context)?,
        rights: Rights::Writer,
        person: person.map(|device| device.person),
        hub: context.text("hub").map(str::to_owned),
    };
    if let Some(url) = context.text("hub") {
        client_of(context, &store, url)?;
    }
    let invited = store.bulk(|replica| replica.invite(&options))?;
    let expires_ms = invited.invite.expires_ms;
    let values: [(&str, &dyn std::fmt::Display); 2] =
        [("until", &time::moment(expires_ms)), ("code", &invited.code)];
    let text = context.words.say("joining.invited", &values);
    let value = json!({
        "code": invited.code,
        "invitation": to_hex(&invited.id),
        "expires_ms": expires_ms,
    });
    hand_over(context, &invited.code, text, value)
}

/// Takes what the admin gave: an invitation, the answer to the request, or the welcome.
pub(crate) fn join(context: &Context<'_>) -> Outcome<Answer> {
    if context.flag("differ") {
        context.open()?.bulk(Replica::give_up_joining)?;
        return Err(Error::new(Kind::Mitm, "").into());
    }
    match given(context)? {
        Given::Welcome(bytes) => enter(context, &bytes),
        Given::Code(Code { kind: CodeKind::Invite, bytes }) => {
            if let Some(to) = context.text("lan") {
                return join_by_lan(context, bytes, to);
            }
            if let Some(url) = Invite::decode(&bytes)?.hub.filter(|_| !context.flag("offline")) {
                return join_by_hub(context, &bytes, &url);
            }
            let store = context.home()?.make()?;
            if store.device().is_err() {
                store.init()?;
            }
            let request = store.bulk(|replica| replica.accept_invitation(&bytes))?;
            let code = Code::write(CodeKind::Request, &request);
            let text = context.words.say("joining.request", &[("code", &code)]);
            let value = json!({ "code": code, "device": store.device()?.device });
            hand_over(context, &code, text, value)
        }
        Given::Code(Code { kind: CodeKind::Reveal, bytes }) => {
            let revealed = context.open()?.bulk(|replica| replica.take_reveal(&bytes))?;
            let text = context.words.say("joining.compare", &[("digits", &revealed.digits)]);
            let value = json!({ "digits": revealed.digits, "inviter": revealed.inviter });
            Ok(Answer::new(text, value))
        }
        Given::Code(_) => Err(another()),
    }
}

fn enter(context: &Context<'_>, bytes: &[u8]) -> Outcome<Answer> {
    let store = context.open()?;
    let outcome = store.bulk(|replica| replica.take_welcome(bytes, &mut |_, _| {}))?;
    let entries = context.words.count(outcome.entries);
    let text = context.words.say("joining.joined", &[("entries", &entries)]);
    let value = json!({ "joined": outcome.joined, "entries": outcome.entries });
    Ok(Answer::new(text, value))
}

/// Takes a newcomer's request: first shows the digits, then admits by what was said of them.
pub(crate) fn admit(context: &Context<'_>) -> Outcome<Answer> {
    let bytes = match given(context)? {
        Given::Code(Code { kind: CodeKind::Request, bytes }) => bytes,
        Given::Code(Code { kind: CodeKind::Invite, bytes }) => return admit_far(context, &bytes),
        _ => return Err(another()),
    };
    let store = context.open()?;
    let taken = store.bulk(|replica| replica.take_request(&bytes, None))?;
    let compared = match context.text("digits") {
        Some(digits) if digits.trim() == taken.digits => Compared::Equal,
        Some(_) => Compared::Differ,
        None if context.flag("reader") => Compared::Not,
        None => {
            let code = Code::write(CodeKind::Reveal, &taken.reveal);
            let values: [(&str, &dyn std::fmt::Display); 2] =
                [("digits", &taken.digits), ("code", &code)];
            let text = context.words.say("joining.reveal", &values);
            let value = json!({
                "code": code,
                "digits": taken.digits,
                "device": taken.device,
                "invitation": to_hex(&taken.invitation),
            });
            return hand_over(context, &code, text, value);
        }
    };
    welcome(context, &store, &taken, compared)
}

/// Admits by the own invitation: on the same network, or through the hub that it names.
fn admit_far(context: &Context<'_>, bytes: &[u8]) -> Outcome<Answer> {
    match (context.text("listen"), Invite::decode(bytes)?.hub) {
        (Some(at), _) => admit_by_lan(context, bytes, at),
        (None, Some(url)) => admit_by_hub(context, bytes, &url),
        (None, None) => Err(another()),
    }
}

fn welcome(
    context: &Context<'_>,
    store: &Tuquan,
    taken: &Taken,
    compared: Compared,
) -> Outcome<Answer> {
    let admitted = store.bulk(|replica| replica.admit(&taken.invitation, compared, true))?;
    let bytes = if context.flag("frames") {
        cut(&admitted.welcome, FRAME_BYTES)?.join("\n").into_bytes()
    } else {
        admitted.welcome
    };
    let device = admitted.device.to_string();
    let path = match context.text("out") {
        Some(path) => PathBuf::from(path),
        None => {
            let short: String = device.chars().take(8).collect();
            context.home()?.dir.join(format!("welcome-{short}.tqb"))
        }
    };
    write(&path, &bytes)?;
    let file = path.display().to_string();
    let values: [(&str, &dyn std::fmt::Display); 3] =
        [("device", &device), ("file", &file), ("bytes", &context.words.count(bytes.len() as u64))];
    let mut text = context.words.say("joining.admitted", &values);
    let is_reader = admitted.rights == Rights::Reader;
    if is_reader {
        text = format!("{text}\n{}", context.words.get("joining.reader"));
    }
    let rights = if is_reader { "reader" } else { "writer" };
    let value = json!({ "file": file, "device": device, "rights": rights, "bytes": bytes.len() });
    Ok(Answer::new(text, value))
}

/// Prints a code, and writes it to the file that was named.
fn hand_over(
    context: &Context<'_>,
    code: &str,
    text: String,
    mut value: serde_json::Value,
) -> Outcome<Answer> {
    if let Some(path) = context.text("out") {
        write(Path::new(path), code.as_bytes())?;
        value["file"] = path.into();
    }
    Ok(Answer::new(text, value))
}

/// Reads what was given as a text or in a file: a code, a welcome, or one as frames.
fn given(context: &Context<'_>) -> Outcome<Given> {
    let Some(path) = context.text("code-file") else {
        let code = context.text("code");
        let code = code.ok_or_else(|| Failure::usage(context.words.get("option.code")))?;
        return Ok(Given::Code(Code::read(code)?));
    };
    let bytes = read(Path::new(path))?;
    if bytes.starts_with(&MAGIC) {
        return Ok(Given::Welcome(bytes));
    }
    let bad = || Failure::from(Error::new(Kind::Magic, path));
    let text = String::from_utf8(bytes).map_err(|_| bad())?;
    let mut gathering = Gathering::default();
    let mut frames = text.lines().filter(|line| line.starts_with("TQF.")).peekable();
    if frames.peek().is_none() {
        return Ok(Given::Code(Code::read(&text)?));
    }
    for frame in frames {
        gathering.take(frame)?;
    }
    Ok(Given::Welcome(gathering.finish()?))
}

fn another() -> Failure {
    Error::new(Kind::Magic, "a code of another step").into()
}
