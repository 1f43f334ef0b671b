//! The environment as arguments: the clock, randomness, and the hybrid logical clock.
//!
//! Nothing in the core asks the system for the time or for random bytes; the caller's [`Env`]
//! does, so a whole team of phones runs in one process from one seed. Must not know: why
//! somebody wants to know the time.

use rand_core::CryptoRng;

/// Tells the time. Wrong answers are expected: nothing is ever refused because of a clock.
pub trait Clock: Send + Sync {
    /// Returns milliseconds since 1970-01-01T00:00:00Z.
    fn now_ms(&self) -> i64;
}

/// What the core needs of the world.
pub struct Env {
    /// The wall clock.
    pub clock: Box<dyn Clock>,
    /// The source of randomness: the system's in production, a seed in tests.
    pub rng: Box<dyn CryptoRng + Send>,
}

impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Env")
    }
}

impl Env {
    /// Returns `N` random bytes.
    pub fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }
}

/// A hybrid logical clock value: `milliseconds << 16 | counter`.
///
/// For display and ordering only, never for rights. Remote clocks are never merged in, or one
/// phone in 2090 would spoil everyone's times (protocol section 14).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Hlc(pub u64);

/// How far the wall clock may fall behind before its word is taken anyway, in milliseconds.
pub const BACKWARD_MS_MAX: i64 = 60_000;

/// The latest plausible wall clock: 2200-01-01. Later times are kept and flagged.
pub const PLAUSIBLE_MS_MAX: i64 = 7_258_118_400_000;
/// The earliest plausible wall clock: 2015-01-01. Earlier times are kept and flagged.
pub const PLAUSIBLE_MS_MIN: i64 = 1_420_070_400_000;

impl Hlc {
    /// Makes a value from a wall clock reading; negative times count as zero.
    #[must_use]
    pub fn from_ms(ms: i64) -> Self {
        let ms = ms.clamp(0, (1 << 47) - 1).cast_unsigned();
        Self(ms << 16)
    }

    /// Returns the milliseconds since 1970.
    #[must_use]
    pub fn ms(self) -> i64 {
        (self.0 >> 16).cast_signed()
    }

    /// Returns the value for the next entry after `self`, and whether the clock looks wrong.
    ///
    /// Wall clock ahead: it is taken. Equal or up to a minute behind: the counter moves, carrying
    /// into the milliseconds. Further behind: the wall clock is taken and the value flagged.
    #[must_use]
    pub fn next(self, now_ms: i64) -> (Self, bool) {
        let wall = Self::from_ms(now_ms);
        let odd = !(PLAUSIBLE_MS_MIN..PLAUSIBLE_MS_MAX).contains(&now_ms);
        if wall.0 >> 16 > self.0 >> 16 {
            (wall, odd)
        } else if self.ms() - wall.ms() <= BACKWARD_MS_MAX {
            (Self(self.0 + 1), odd)
        } else {
            (wall, true)
        }
    }

    /// Tells whether a reader should flag this time as implausible.
    #[must_use]
    pub fn is_implausible(self) -> bool {
        !(PLAUSIBLE_MS_MIN..PLAUSIBLE_MS_MAX).contains(&self.ms())
    }
}
