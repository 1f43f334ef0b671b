//! Tuquan in C: an encrypted store of records on this device, which merges with those of colleagues.
//!
//! Made by `cargo xtask header` from `bindings/src/c`; what is not in this file is no interface.
//!
//! Data: requests and answers are JSON in UTF-8, the same that `bindings/c/README.md` shows; object
//! keys of one meaning have one name everywhere. Texts and bytes are given as a pointer and a length
//! (no closing zero is needed) and are only read during the call; a NULL with length 0 is empty.
//!
//! Answers: every function that can fail returns a `tq_status`; what it gives is written through the
//! last parameters, and only when the status is TQ_OK. Pointers must not overlap. Where a parameter
//! must not be NULL and is, the status is TQ_INVALID and nothing happens.
//!
//! Ownership: a handle is freed by the function named at its type, once; after that it must not be
//! used. Texts and bytes from this library are freed by tq_string_free and tq_bytes_free only.
//!
//! Threads: every function may be called on any thread, several at once on one handle, but for the
//! functions that free a handle: they must be the last on it. "Fast" takes under 5 ms, "disk" waits
//! for the storage, "network" for a network. No function calls back but for tq_set_log_sink.
//!
//! A fault of the library never crosses: it is TQ_INTERNAL, and so is every later call on that store
//! until tq_pause and tq_resume.

#![allow(unsafe_code, reason = "C has no other way to hand over texts, bytes and functions")]
#![allow(non_camel_case_types, reason = "the names of the header")]

mod guard;
mod library;
mod meeting;
mod store;

use std::ffi::c_char;
use std::sync::Arc;

use self::guard::Fault;
use crate::store::Tuquan;

/// How a call ended: TQ_OK, or why it failed. The numbers never change.
type tq_status = i32;

/// It is done.
const TQ_OK: tq_status = 0;

/// A text of this library: `len` bytes of UTF-8 at `ptr`, which are never NULL and have a zero after
/// them. Free it with tq_string_free.
#[repr(C)]
struct tq_string {
    ptr: *mut c_char,
    len: usize,
}

/// Bytes of this library: `len` of them at `ptr`, which is never NULL. Freed by tq_bytes_free.
#[repr(C)]
struct tq_bytes {
    ptr: *mut u8,
    len: usize,
}

/// One store of one device. Freed by tq_free.
struct tq_core {
    store: Arc<Tuquan>,
    fault: Arc<Fault>,
}

/// One meeting with another device over a stream of the caller's. It keeps its store open, and may
/// outlive the handle of the store. Freed by tq_meeting_free.
struct tq_meeting {
    meeting: Arc<crate::meeting::Meeting>,
    fault: Arc<Fault>,
    report: meeting::Report,
}
