//! The one place where a panic stops: calls of the merge library become an error.
//!
//! A panic hook runs before any catch, belongs to the whole process and prints the message, which
//! may quote a value that somebody wrote. So the choice is the application's and not this library's:
//! nothing here is installed silently. A shell that starts the process calls [`hush`] once; one that
//! has a hook of its own asks [`is_guarded`] in it; one that does neither gets the message on its
//! standard error and the same typed error. Must not know: what runs inside.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Error, Kind, Result};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs what calls the merge library.
///
/// # Errors
/// What `run` returns; `E-CHANGE` in place of a panic, without its message.
pub(super) fn guarded<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    let outer = GUARDED.replace(true);
    // What it may leave half-done is thrown away with the error.
    let outcome = catch_unwind(AssertUnwindSafe(run));
    GUARDED.set(outer);
    outcome.unwrap_or_else(|_| Err(Error::new(Kind::Change, "the merge library panicked")))
}

/// Tells whether a panic of this thread would be caught and given as `E-CHANGE`.
#[must_use]
pub fn is_guarded() -> bool {
    GUARDED.get()
}

/// Makes the process silent about panics that are caught here; all others go to the hook that is
/// in force now. For the program that starts the process, once.
pub fn hush() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !is_guarded() {
            before(info);
        }
    }));
}
