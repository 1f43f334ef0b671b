//! A hash over all that happened in a run: equal seeds must give equal traces.

use std::fmt::{self, Write};

/// Takes text in, keeps 64 bits (FNV-1a).
#[derive(Debug)]
pub(super) struct Trace(u64);

impl Trace {
    pub(super) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Takes bytes that travelled.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Takes what happened, as it prints.
    pub(super) fn note(&mut self, what: fmt::Arguments<'_>) {
        let _ = self.write_fmt(what);
    }

    pub(super) fn hash(&self) -> u64 {
        self.0
    }
}

impl Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}
