//! The system's clock and randomness, for programs that run on a real machine: what they give to the
//! core, which asks for neither.

use std::time::{SystemTime, UNIX_EPOCH};

use getrandom::SysRng;
use rand_core::{Rng as _, UnwrapErr};
use tuquan_core::clock::{Clock, Env};

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        now_ms()
    }
}

/// Returns the system's environment.
#[must_use]
pub fn env() -> Env {
    Env { clock: Box::new(SystemClock), rng: Box::new(UnwrapErr(SysRng)) }
}

/// Returns the milliseconds since 1970 by the system's clock.
#[must_use]
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Returns random bytes of the system.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    UnwrapErr(SysRng).fill_bytes(&mut bytes);
    bytes
}
