//! Who writes when, and who reads meanwhile: a gate where taps overtake bulk work, and a pool of
//! reading connections.
//!
//! Imports and merges take the gate once per step and let every waiting tap go first, so a tap
//! waits for one step at most. Must not know: what is written or read.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};

use rusqlite::Connection;

use crate::error::Result;
use crate::store::open::{Location, reader};

/// A lock with two classes: taps, which go first, and bulk work.
#[derive(Debug)]
pub struct Gate<T> {
    inner: Mutex<T>,
    waiting: Mutex<usize>,
    calm: Condvar,
}

impl<T> Gate<T> {
    /// Guards `inner`.
    pub fn new(inner: T) -> Self {
        Self { inner: Mutex::new(inner), waiting: Mutex::new(0), calm: Condvar::new() }
    }

    /// Enters for a tap.
    pub fn tap(&self) -> MutexGuard<'_, T> {
        *self.count() += 1;
        let guard = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waiting = self.count();
        *waiting -= 1;
        if *waiting == 0 {
            self.calm.notify_all();
        }
        drop(waiting);
        guard
    }

    /// Enters for one step of bulk work, once no tap waits.
    pub fn bulk(&self) -> MutexGuard<'_, T> {
        let mut waiting = self.count();
        while *waiting > 0 {
            waiting = self.calm.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        drop(waiting);
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters when nobody is inside or waits.
    pub fn try_tap(&self) -> Option<MutexGuard<'_, T>> {
        if *self.count() > 0 {
            return None;
        }
        match self.inner.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn count(&self) -> MutexGuard<'_, usize> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connections that only read, made as needed and used again.
#[derive(Debug)]
pub struct Readers {
    location: Location,
    idle: Mutex<Vec<Connection>>,
}

/// How many idle readers are kept.
const READERS_KEPT: usize = 4;

impl Readers {
    /// Makes an empty pool.
    #[must_use]
    pub fn new(location: Location) -> Self {
        Self { location, idle: Mutex::new(Vec::new()) }
    }

    /// Runs `read` on a connection of its own; a connection that met an error is not used again.
    ///
    /// # Errors
    /// What `read` returns; `E-DBPAGE` and the like when a connection cannot be made.
    pub fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = self.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => reader(&self.location)?,
        };
        let outcome = read(&connection);
        if outcome.is_ok() {
            let mut idle = self.lock();
            if idle.len() < READERS_KEPT {
                idle.push(connection);
            }
        }
        outcome
    }

    /// Closes every idle connection.
    pub fn close(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::thread;

    #[test]
    fn a_tap_that_waits_goes_before_the_next_step_of_bulk_work() {
        let gate = Arc::new(Gate::new(Vec::new()));
        let step = gate.bulk();
        let (started, is_started) = channel();
        let tapper = thread::spawn({
            let gate = Arc::clone(&gate);
            move || {
                started.send(()).expect("the test listens");
                gate.tap().push("tap");
            }
        });
        is_started.recv().expect("the tapper starts");
        while *gate.count() == 0 {
            thread::yield_now();
        }
        drop(step);
        gate.bulk().push("bulk");
        tapper.join().expect("the tapper ends");
        assert_eq!(*gate.tap(), ["tap", "bulk"]);
    }
}
