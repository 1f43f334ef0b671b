//! How often somebody may ask: token buckets by device, space or mailbox, never by address, since
//! a whole dormitory shares one.
//!
//! Kept in memory and bounded: a bucket that is full again is forgotten. Must not know: HTTP.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// So many buckets at a time; whoever is new beyond them has to wait.
const BUCKETS_MAX: usize = 100_000;
const SECOND_MS: i64 = 1_000;

/// Buckets by key.
#[derive(Debug)]
pub(crate) struct Buckets<K: Hash + Eq> {
    rate: i64,
    burst: i64,
    parallel: u32,
    buckets: Mutex<HashMap<K, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    /// Thousandths of a request that are saved up.
    level: i64,
    at_ms: i64,
    running: u32,
}

/// The right to one request; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Pass<K: Hash + Eq + Copy> {
    buckets: Arc<Buckets<K>>,
    key: K,
}

impl<K: Hash + Eq + Copy> Drop for Pass<K> {
    fn drop(&mut self) {
        if let Some(bucket) = self.buckets.lock().get_mut(&self.key) {
            bucket.running = bucket.running.saturating_sub(1);
        }
    }
}

impl<K: Hash + Eq + Copy> Buckets<K> {
    /// Starts with full buckets: `rate` requests per second, `burst` saved up, `parallel` at once.
    pub(crate) fn new(rate: u32, burst: u32, parallel: u32) -> Arc<Self> {
        let (rate, burst) = (i64::from(rate), i64::from(burst));
        Arc::new(Self { rate, burst, parallel, buckets: Mutex::default() })
    }

    /// Takes one request, or tells after how many seconds to try again.
    pub(crate) fn enter(self: &Arc<Self>, key: K, now_ms: i64) -> Result<Pass<K>, u64> {
        let full = self.burst * SECOND_MS;
        let mut buckets = self.lock();
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| {
                bucket.refill(self.rate, full, now_ms);
                bucket.level < full || bucket.running > 0
            });
            if buckets.len() >= BUCKETS_MAX {
                return Err(1);
            }
        }
        let bucket =
            buckets.entry(key).or_insert(Bucket { level: full, at_ms: now_ms, running: 0 });
        bucket.refill(self.rate, full, now_ms);
        if bucket.level < SECOND_MS {
            let missing = SECOND_MS - bucket.level;
            return Err(missing.unsigned_abs().div_ceil((self.rate * SECOND_MS).unsigned_abs()));
        }
        if bucket.running >= self.parallel {
            return Err(1);
        }
        bucket.level -= SECOND_MS;
        bucket.running += 1;
        Ok(Pass { buckets: Arc::clone(self), key })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<K, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bucket {
    fn refill(&mut self, rate: i64, full: i64, now_ms: i64) {
        // A clock that was set back gives nothing and takes nothing.
        let passed = now_ms.saturating_sub(self.at_ms).max(0);
        self.level = self.level.saturating_add(passed.saturating_mul(rate)).min(full);
        self.at_ms = now_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_served_and_then_the_rate_holds() {
        let buckets = Buckets::new(20, 60, 100);
        for _ in 0..60 {
            assert!(buckets.enter(1, 0).is_ok());
        }
        assert_eq!(buckets.enter(1, 0).err(), Some(1));
        assert!(buckets.enter(2, 0).is_ok(), "another key has its own bucket");
        for now_ms in [50, 100, 150] {
            assert!(buckets.enter(1, now_ms).is_ok());
            assert!(buckets.enter(1, now_ms).is_err());
        }
        assert!(buckets.enter(1, -1_000_000).is_err(), "a clock set back fills no bucket");
    }

    #[test]
    fn so_many_at_once_and_no_more() {
        let buckets = Buckets::new(1_000, 1_000, 2);
        let first = buckets.enter(1, 0);
        let second = buckets.enter(1, 0);
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(buckets.enter(1, 0).err(), Some(1));
        drop(first);
        assert!(buckets.enter(1, 0).is_ok());
    }

    #[test]
    fn full_buckets_are_forgotten_and_their_number_is_bounded() {
        let buckets = Buckets::new(1, 2, 10);
        for key in 0..BUCKETS_MAX {
            assert!(buckets.enter(key, 0).is_ok());
        }
        assert!(buckets.enter(BUCKETS_MAX, 0).is_err());
        assert!(buckets.enter(BUCKETS_MAX, 2_000).is_ok());
        assert_eq!(buckets.lock().len(), 1);
    }
}
