//! The system's clock and randomness: the only place of this crate that asks for them.

use std::time::{SystemTime, UNIX_EPOCH};

use getrandom::SysRng;
use rand_core::UnwrapErr;
use tuquan_core::clock::{Clock, Env};

struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        now_ms()
    }
}

/// Returns the system's environment.
pub(crate) fn env() -> Env {
    Env { clock: Box::new(SystemClock), rng: Box::new(UnwrapErr(SysRng)) }
}

/// Returns the milliseconds since 1970 by the system's clock.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
