//! A store in C: open, ask, change, wait, close.
//!
//! Must not know: what a call means; each goes by its name in JSON.

use std::collections::BTreeMap;
use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use serde::de::IgnoredAny;
use tuquan_core::boundary::TuquanError;
use tuquan_core::door::query::Query;
use tuquan_core::error::{Error, Kind};

use super::guard::{Fault, bytes, guard, invalid, null, read, text};
use super::library::told;
use super::{tq_core, tq_status, tq_string};
use crate::network::Errand;
use crate::store::{OpenOptions, Tuquan};
use crate::verbs::{Verb, json};

/// How long a thread sleeps that waits without an end, before it looks again and goes on waiting.
const FOREVER: Duration = Duration::from_secs(3_600);

/// How to open a store. Texts and bytes are copied; the copy of the key is wiped.
#[repr(C)]
#[derive(Clone, Copy)]
struct tq_open_options {
    /// sizeof(tq_open_options); tells versions of it apart.
    size: usize,
    /// The folder that holds the store's files and nothing else; made if it does not exist.
    dir: *const c_char,
    dir_len: usize,
    /// The store's key: 32 bytes that the device's keystore wraps.
    key: *const u8,
    key_len: usize,
    /// A file outside of `dir` and of every backup, by which a copy that was put back is found out;
    /// NULL for none.
    fence: *const c_char,
    fence_len: usize,
    /// The certificates that a hub may show, in PEM; NULL for those of the web's authorities.
    hub_roots_pem: *const c_char,
    hub_roots_pem_len: usize,
}

/// Opens a store, which is made if it does not exist. `error`, which may be NULL, gets why not as
/// tq_last_error gives it, only if the status is not TQ_OK. Disk.
#[unsafe(no_mangle)]
extern "C" fn tq_open(
    options: *const tq_open_options,
    out: Option<&mut MaybeUninit<Box<tq_core>>>,
    error: Option<&mut MaybeUninit<tq_string>>,
) -> tq_status {
    without_handle(error, || {
        let place = out.ok_or_else(|| null("out"))?;
        let store = Tuquan::open(read_options(options)?)?;
        place.write(Box::new(tq_core { store, fault: Arc::default() }));
        Ok(())
    })
}

/// Makes a new store of all that can be read of a damaged one, which must be closed, and puts it in
/// its place; gives what was saved, as JSON. `error` is as of tq_open. Disk, long.
#[unsafe(no_mangle)]
extern "C" fn tq_salvage(
    options: *const tq_open_options,
    out: Option<&mut MaybeUninit<tq_string>>,
    error: Option<&mut MaybeUninit<tq_string>>,
) -> tq_status {
    without_handle(error, || {
        let place = out.ok_or_else(|| null("out"))?;
        place.write(json(&crate::store::salvage(read_options(options)?)?)?.into());
        Ok(())
    })
}

/// Finishes writes, calls off what waits for a network and lets go of every file; calls give
/// TQ_NOT_READY until tq_resume. A second pause does nothing. Disk.
#[unsafe(no_mangle)]
extern "C" fn tq_pause(core: Option<&tq_core>) -> tq_status {
    guard!(core => { core.store.pause() })
}

/// Opens again what was paused, after TQ_INTERNAL too; once it is closed, TQ_NOT_READY. Disk.
#[unsafe(no_mangle)]
extern "C" fn tq_resume(core: Option<&tq_core>) -> tq_status {
    guard!(core => { core.store.resume() })
}

/// Pauses for good, forgets the key and ends tq_next_change. A second close does nothing; every
/// other call gives TQ_NOT_READY. The handle is still to be freed. Disk.
#[unsafe(no_mangle)]
extern "C" fn tq_close(core: Option<&tq_core>) -> tq_status {
    guard!(core => { core.store.close() })
}

/// Frees a handle, which no thread uses any more; NULL is nothing to do. Close before, to learn
/// whether that went well. Disk.
#[unsafe(no_mangle)]
extern "C" fn tq_free(core: Option<Box<tq_core>>) {
    Fault::default().guarded(|| {
        drop(core);
        Ok(())
    });
}

/// Does one command, as JSON: `{"create":{"draft":{...}}}`; when it returns TQ_OK, it is saved.
/// Gives what it did. `request` is an id of 32 hexadecimal digits: make one for each tap, and repeat
/// with it; a repeated id gets the first answer and writes nothing. Disk.
#[unsafe(no_mangle)]
extern "C" fn tq_apply(
    core: Option<&tq_core>,
    request: *const c_char,
    request_len: usize,
    command: *const c_char,
    command_len: usize,
    out: Option<&mut MaybeUninit<tq_string>>,
) -> tq_status {
    guard!(core, out => {
        // SAFETY: the header asks for so many bytes, which stay through the call.
        let (request, command) = unsafe { (text(request, request_len)?, text(command, command_len)?) };
        let request = request.parse().map_err(|_| invalid("the request is no id"))?;
        json(&core.store.apply(request, read(command)?)?).map(Into::into)
    })
}

/// Answers a question, as JSON: `{"list":{"kind":"incident","limit":50}}`, or `get`, `search`,
/// `conflicts`, `counts`. Fast.
#[unsafe(no_mangle)]
extern "C" fn tq_query(
    core: Option<&tq_core>,
    query: *const c_char,
    query_len: usize,
    out: Option<&mut MaybeUninit<tq_string>>,
) -> tq_status {
    guard!(core, out => {
        // SAFETY: the header asks for so many bytes, which stay through the call.
        let query: Query = read(unsafe { text(query, query_len) }?)?;
        json(&core.store.with(|core| core.query(&query))?).map(Into::into)
    })
}

/// Does any other call, named in JSON with what it takes by name: `{"device":{}}`,
/// `{"set_hub":{"url":"https://..."}}`, `{"sync_hub":{}}`; the names and answers are those of all
/// languages (`bindings/c/README.md`). Those that wait for a network block until they are done or
/// tq_cancel_sync is called on another thread. Fast, disk or network, as the call is.
#[unsafe(no_mangle)]
extern "C" fn tq_call(
    core: Option<&tq_core>,
    call: *const c_char,
    call_len: usize,
    out: Option<&mut MaybeUninit<tq_string>>,
) -> tq_status {
    guard!(core, out => {
        // SAFETY: the header asks for so many bytes, which stay through the call.
        run_named(&core.store, unsafe { text(call, call_len) }?).map(Into::into)
    })
}

/// Calls off every call that waits for a network; each ends with TQ_NETWORK, code `E-CANCELLED`.
/// What came stays, what was not sent stays queued. Fast.
#[unsafe(no_mangle)]
extern "C" fn tq_cancel_sync(core: Option<&tq_core>) -> tq_status {
    guard!(core => {
        core.store.cancel_sync();
        Ok(())
    })
}

/// Waits for the next change, whoever made it, and gives it as JSON; an empty text if there is none
/// within `timeout_ms`; TQ_NOT_READY once the store is closed. Each change goes to one waiter.
#[unsafe(no_mangle)]
extern "C" fn tq_next_change(
    core: Option<&tq_core>,
    timeout_ms: u32,
    out: Option<&mut MaybeUninit<tq_string>>,
) -> tq_status {
    guard!(core, out => {
        let timeout = Duration::from_millis(u64::from(timeout_ms));
        match wait_for(core.store.next_change(), Some(timeout)) {
            Some(Some(change)) => json(&change).map(Into::into),
            Some(None) => Err(Error::new(Kind::NotReady, "the store is closed").into()),
            None => Ok(String::new().into()),
        }
    })
}

/// Gives why a call on this handle, or on a meeting of it, failed last, on whatever thread:
/// `{"kind":"not_found","code":"E-NOTFOUND","reason":"..."}`; an empty text if none has. The kind is
/// the status, the reason is for developers and is not to be shown to people. Fast.
#[unsafe(no_mangle)]
extern "C" fn tq_last_error(
    core: Option<&tq_core>,
    out: Option<&mut MaybeUninit<tq_string>>,
) -> tq_status {
    guard!(core, out => { Ok(told(core.fault.last())) })
}

/// Panics inside, for tests: TQ_INTERNAL. Never in a shipped library.
#[cfg(feature = "test-door")]
#[unsafe(no_mangle)]
extern "C" fn tq_provoke_panic(core: Option<&tq_core>) -> tq_status {
    guard!(core => { core.store.provoke_panic() })
}

/// Runs a call that has no handle to keep why it failed.
fn without_handle(
    error: Option<&mut MaybeUninit<tq_string>>,
    run: impl FnOnce() -> Result<(), TuquanError>,
) -> tq_status {
    let fault = Fault::default();
    let status = fault.guarded(run);
    if let (Some(place), Some(why)) = (error, fault.last()) {
        place.write(told(Some(why)));
    }
    status
}

fn read_options(options: *const tq_open_options) -> Result<OpenOptions, TuquanError> {
    if options.is_null() {
        return Err(null("the options"));
    }
    // SAFETY: the header asks for an options struct, whose first field is its size.
    if unsafe { (&raw const (*options).size).read() } != size_of::<tq_open_options>() {
        return Err(invalid("options of another size"));
    }
    // SAFETY: as above, and it is as long as it says.
    let options = unsafe { options.read() };
    let optional = |ptr: *const c_char, len| {
        // SAFETY: the header asks for so many bytes, which stay through the call.
        let text = (!ptr.is_null()).then(|| unsafe { text(ptr, len) }).transpose()?;
        Ok::<_, TuquanError>(text.map(str::to_owned))
    };
    Ok(OpenOptions {
        dir: optional(options.dir, options.dir_len)?.ok_or_else(|| null("the folder"))?,
        // SAFETY: as above.
        key: unsafe { bytes(options.key, options.key_len) }?.to_vec(),
        fence: optional(options.fence, options.fence_len)?,
        hub_roots_pem: optional(options.hub_roots_pem, options.hub_roots_pem_len)?,
    })
}

/// Does the call that JSON names.
fn run_named(store: &Tuquan, call: &str) -> Result<String, TuquanError> {
    let names: BTreeMap<String, IgnoredAny> = read(call)?;
    let mut names = names.keys();
    match (names.next(), names.next()) {
        (Some(name), None) if Verb::NAMES.contains(&name.as_str()) => {
            read::<Verb>(call)?.run(store)
        }
        (Some(name), None) if Errand::NAMES.contains(&name.as_str()) => {
            let done = wait_for(read::<Errand>(call)?.run(store), None);
            done.unwrap_or_else(|| Err(invalid("no call")))
        }
        (Some(_), None) => Err(invalid("no call has this name")),
        _ => Err(invalid("one call at a time")),
    }
}

/// What a thread that waits is woken by.
#[derive(Default)]
struct Bell {
    has_rung: Mutex<bool>,
    bell: Condvar,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.has_rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_one();
    }
}

/// Waits on this thread until something is done; none if it takes longer than it may.
fn wait_for<F: Future>(work: F, at_most: Option<Duration>) -> Option<F::Output> {
    let start = Instant::now();
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut work = pin!(work);
    loop {
        if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(done);
        }
        let left = at_most.map_or(FOREVER, |most| most.saturating_sub(start.elapsed()));
        if left.is_zero() {
            return None;
        }
        let has_rung = bell.has_rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = bell.bell.wait_timeout_while(has_rung, left, |has_rung| !*has_rung);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::de::DeserializeOwned;
    use tuquan_core::door::command::Command;

    use super::*;

    /// Reads the JSON of one part of the README; returns the names of what is in it.
    fn read_part<T: DeserializeOwned>(part: &str) -> BTreeSet<String> {
        let page = include_str!("../../c/README.md");
        let (_, rest) = page.split_once(&format!("<!-- {part} -->\n```json\n")).expect(part);
        let (lines, _) = rest.split_once("```").expect("an end");
        let name = |line: &str| {
            read::<T>(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            read::<BTreeMap<String, IgnoredAny>>(line).expect(line).into_keys()
        };
        lines.lines().flat_map(name).collect()
    }

    fn all(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_readme_shows_every_call_as_it_is_read() {
        assert_eq!(read_part::<Verb>("calls"), all(Verb::NAMES));
        assert_eq!(read_part::<Errand>("errands"), all(Errand::NAMES));
        assert_eq!(read_part::<Command>("commands").len(), 8);
        assert_eq!(read_part::<Query>("questions").len(), 5);
    }

    #[test]
    fn waiting_ends_when_the_time_is_over_or_somebody_rings() {
        assert_eq!(wait_for(std::future::ready(7), None), Some(7));
        assert_eq!(wait_for(std::future::pending::<()>(), Some(Duration::from_millis(1))), None);
        let (tell, told) = tokio::sync::oneshot::channel();
        let teller = std::thread::spawn(move || tell.send(7));
        assert_eq!(wait_for(told, None), Some(Ok(7)));
        assert_eq!(teller.join().ok(), Some(Ok(())));
    }
}
