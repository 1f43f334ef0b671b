//! What needs no store: versions, log lines, freeing.
//!
//! Must not know: how stores work.

use std::ffi::{c_char, c_void};
use std::mem::MaybeUninit;
use std::sync::Arc;

use tuquan_core::boundary::TuquanError;

use super::guard::{Fault, Out, invalid, null};
use super::{tq_bytes, tq_status, tq_string};
use crate::journal::{LogLevel, LogSink, forget_log_sink, set_log_sink};
use crate::verbs::json;

/// A fault of the library.
const TQ_LOG_ERROR: i32 = 0;
/// Something that a person may have to do something about.
const TQ_LOG_WARN: i32 = 1;
/// What happens: opened, closed, met.
const TQ_LOG_INFO: i32 = 2;

/// Takes one line of the log, without personal data, on whatever thread has something to say. `line`
/// ends with a zero after `len` bytes and is gone after the call. It must not call this library.
type tq_log_sink = Option<
    unsafe extern "C" fn(userdata: *mut c_void, level: i32, line: *const c_char, len: usize),
>;

/// Returns the version of the library that runs, to compare with TQ_VERSION_NUMBER. Fast.
#[unsafe(no_mangle)]
extern "C" fn tq_version_number() -> u32 {
    let part = |text: &str| text.parse::<u32>().unwrap_or_default();
    part(env!("CARGO_PKG_VERSION_MAJOR")) * 1_000_000
        + part(env!("CARGO_PKG_VERSION_MINOR")) * 1_000
        + part(env!("CARGO_PKG_VERSION_PATCH"))
}

/// Gives what the library is, as JSON: `{"library":"0.1.0","commit":"...","schema":1,"protocol":1}`.
/// Fast.
#[unsafe(no_mangle)]
extern "C" fn tq_version(out: Option<&mut MaybeUninit<tq_string>>) -> tq_status {
    Fault::default().guarded(|| {
        let out: Out<'_, _> = out;
        out.ok_or_else(|| null("out"))?.write(json(&crate::version())?.into());
        Ok(())
    })
}

/// Sets where log lines up to a level go, for the whole process; NULL for nowhere. The sink and what
/// `userdata` points to must stay until the process ends: a line may be on its way. Fast.
#[unsafe(no_mangle)]
extern "C" fn tq_set_log_sink(level: i32, sink: tq_log_sink, userdata: *mut c_void) -> tq_status {
    Fault::default().guarded(|| {
        let level = match level {
            TQ_LOG_ERROR => LogLevel::Error,
            TQ_LOG_WARN => LogLevel::Warn,
            TQ_LOG_INFO => LogLevel::Info,
            _ => return Err(invalid("no such level")),
        };
        match sink {
            Some(call) => set_log_sink(level, Arc::new(Sink { call, userdata })),
            None => forget_log_sink(),
        }
        Ok(())
    })
}

/// Frees a text of this library and sets it to NULL; nothing to do for one that is NULL. Fast.
#[unsafe(no_mangle)]
extern "C" fn tq_string_free(text: Option<&mut tq_string>) {
    if let Some(text) = text {
        drop(std::mem::replace(text, tq_string { ptr: std::ptr::null_mut(), len: 0 }));
    }
}

/// Frees bytes of this library and sets them to NULL; nothing to do for NULL. Fast.
#[unsafe(no_mangle)]
extern "C" fn tq_bytes_free(bytes: Option<&mut tq_bytes>) {
    if let Some(bytes) = bytes {
        drop(std::mem::replace(bytes, tq_bytes { ptr: std::ptr::null_mut(), len: 0 }));
    }
}

/// A function in C that takes log lines.
struct Sink {
    call: unsafe extern "C" fn(*mut c_void, i32, *const c_char, usize),
    userdata: *mut c_void,
}

// SAFETY: the header says that the function is called on any thread, and that what the pointer points
// to stays; the pointer itself is only handed back.
unsafe impl Send for Sink {}
// SAFETY: as above.
unsafe impl Sync for Sink {}

impl LogSink for Sink {
    fn log(&self, level: LogLevel, line: String) {
        let level = match level {
            LogLevel::Error => TQ_LOG_ERROR,
            LogLevel::Warn => TQ_LOG_WARN,
            LogLevel::Info => TQ_LOG_INFO,
        };
        let line = tq_string::from(line);
        // SAFETY: the function takes these by the header's word; the line lives through the call.
        unsafe { (self.call)(self.userdata, level, line.ptr, line.len) };
    }
}

/// Gives the kind, the code and the reason of a failure as JSON.
pub(super) fn told(error: Option<TuquanError>) -> tq_string {
    error.and_then(|error| json(&error).ok()).unwrap_or_default().into()
}
