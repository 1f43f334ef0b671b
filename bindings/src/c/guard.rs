//! What every function of the C ABI runs in: NULL is refused, a panic ends here, why a call failed is
//! kept at its handle; and how texts and bytes cross.
//!
//! Must not know: what calls do.

use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;
use tuquan_core::boundary::TuquanError;
use tuquan_core::error::{Error, Kind};

use super::{TQ_OK, tq_bytes, tq_core, tq_meeting, tq_status, tq_string};
use crate::store::caught;

/// Where an answer goes: memory of the caller's that may hold anything before.
pub(super) type Out<'a, T> = Option<&'a mut MaybeUninit<T>>;

/// Why a call on a handle failed last.
#[derive(Default)]
pub(super) struct Fault(Mutex<Option<TuquanError>>);

impl Fault {
    /// Returns it.
    pub(super) fn last(&self) -> Option<TuquanError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs what may fail or panic; returns how it ended.
    pub(super) fn guarded(&self, run: impl FnOnce() -> Result<(), TuquanError>) -> tq_status {
        match caught(run).and_then(|ended| ended) {
            Ok(()) => TQ_OK,
            Err(error) => {
                let number = error.number();
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                number
            }
        }
    }
}

/// What keeps why a call on it failed.
pub(super) trait Handle {
    fn fault(&self) -> &Fault;
}

impl Handle for tq_core {
    fn fault(&self) -> &Fault {
        &self.fault
    }
}

impl Handle for tq_meeting {
    fn fault(&self) -> &Fault {
        &self.fault
    }
}

/// Runs a call on a handle.
pub(super) fn on<H: Handle>(
    handle: Option<&H>,
    run: impl FnOnce(&H) -> Result<(), TuquanError>,
) -> tq_status {
    match handle {
        Some(handle) => handle.fault().guarded(|| run(handle)),
        None => null("the handle").number(),
    }
}

/// The body of a function on a handle: runs a block that gives a `Result`, and writes the answer
/// where the caller wants it, if there is one.
macro_rules! guard {
    ($handle:ident => $run:block) => {
        $crate::c::guard::on($handle, |$handle| $run)
    };
    ($handle:ident, $out:ident => $run:block) => {
        $crate::c::guard::on($handle, |$handle| {
            let place = $out.ok_or_else(|| $crate::c::guard::null(stringify!($out)))?;
            let answer: Result<_, TuquanError> = $run;
            place.write(answer?);
            Ok(())
        })
    };
}
pub(super) use guard;

/// A parameter is NULL that must not be.
pub(super) fn null(what: &str) -> TuquanError {
    invalid(format!("{what} is NULL"))
}

/// The call makes no sense.
pub(super) fn invalid(why: impl Into<String>) -> TuquanError {
    Error::new(Kind::Invalid, why).into()
}

/// Returns bytes that the caller lends for the call.
///
/// # Safety
/// `ptr` is NULL or points to `len` bytes that nobody writes for as long as `'a`.
pub(super) unsafe fn bytes<'a>(ptr: *const u8, len: usize) -> Result<&'a [u8], TuquanError> {
    match (ptr.is_null(), len) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(null("a pointer with a length")),
        (false, len) if isize::try_from(len).is_err() => Err(invalid("a length beyond memory")),
        // SAFETY: the caller says so; the length was checked.
        (false, len) => Ok(unsafe { std::slice::from_raw_parts(ptr, len) }),
    }
}

/// Returns a text that the caller lends for the call.
///
/// # Safety
/// As [`bytes`].
pub(super) unsafe fn text<'a>(ptr: *const c_char, len: usize) -> Result<&'a str, TuquanError> {
    // SAFETY: the caller says so.
    let bytes = unsafe { bytes(ptr.cast(), len) }?;
    std::str::from_utf8(bytes).map_err(|_| invalid("a text is not UTF-8"))
}

/// Reads JSON. What it says does not get into the error: it may be what a person wrote.
pub(super) fn read<T: DeserializeOwned>(json: &str) -> Result<T, TuquanError> {
    serde_json::from_str(json).map_err(|error| {
        let why = error.to_string();
        let why = if why.starts_with("missing field") { why } else { "cannot be read".to_owned() };
        invalid(format!("JSON, line {} column {}: {why}", error.line(), error.column()))
    })
}

impl From<String> for tq_string {
    fn from(text: String) -> Self {
        let (len, mut bytes) = (text.len(), text.into_bytes());
        bytes.push(0);
        Self { ptr: Box::into_raw(bytes.into_boxed_slice()).cast(), len }
    }
}

impl Drop for tq_string {
    fn drop(&mut self) {
        if !self.ptr.is_null() {
            let bytes = std::ptr::slice_from_raw_parts_mut(self.ptr.cast::<u8>(), self.len + 1);
            // SAFETY: made above, of so many bytes; whoever frees it takes the pointer away.
            drop(unsafe { Box::from_raw(bytes) });
        }
    }
}

impl From<Vec<u8>> for tq_bytes {
    fn from(bytes: Vec<u8>) -> Self {
        let len = bytes.len();
        Self { ptr: Box::into_raw(bytes.into_boxed_slice()).cast(), len }
    }
}

impl Drop for tq_bytes {
    fn drop(&mut self) {
        if !self.ptr.is_null() {
            let bytes = std::ptr::slice_from_raw_parts_mut(self.ptr, self.len);
            // SAFETY: made above, of so many bytes; whoever frees it takes the pointer away.
            drop(unsafe { Box::from_raw(bytes) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_status_and_is_told_of() {
        let fault = Fault::default();
        assert_eq!(fault.guarded(|| std::panic::panic_any("provoked")), 900);
        assert!(matches!(fault.last(), Some(TuquanError::Internal { .. })));
    }

    #[test]
    fn null_with_a_length_and_what_is_no_text_are_refused() {
        // SAFETY: NULL, or a text of this program.
        unsafe {
            assert_eq!(text(std::ptr::null(), 0), Ok(""));
            assert_eq!(text(std::ptr::null(), 3).map_err(|error| error.number()), Err(101));
            let (bad, good) = (b"\xc3\x28", "ở".as_bytes());
            assert_eq!(text(bad.as_ptr().cast(), 2).map_err(|error| error.number()), Err(101));
            assert_eq!(text(good.as_ptr().cast(), good.len()), Ok("ở"));
        }
    }

    #[test]
    fn what_a_person_wrote_stays_out_of_the_error() {
        let error = read::<u32>("\"Nguyen Van A\"").map_err(|error| error.to_string());
        assert_eq!(
            error,
            Err("E-INVALID: JSON, line 1 column 14: cannot be read".to_owned()),
            "where, not what"
        );
    }

    #[test]
    fn a_text_has_a_zero_after_it_and_may_be_empty() {
        for text in ["", "ở"] {
            let made = tq_string::from(text.to_owned());
            // SAFETY: the text was made just now.
            let read = unsafe { std::ffi::CStr::from_ptr(made.ptr) };
            assert_eq!((read.to_bytes(), made.len), (text.as_bytes(), text.len()));
        }
    }
}
