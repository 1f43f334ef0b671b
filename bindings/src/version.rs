//! What this library is: for bug reports and for checks that two parts fit.

use tuquan_core::store::open::SCHEMA_VERSION;
use tuquan_core::sync::session::VERSION;

/// What this library is.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record, serde::Serialize)]
pub struct Version {
    /// The library's own, such as `0.1.0`.
    pub library: String,
    /// The commit that it was built from; `unknown` where it was built without one.
    pub commit: String,
    /// The version of the store's tables: a store of a newer one is refused, untouched.
    pub schema: i64,
    /// The version of the protocol between phones.
    pub protocol: u64,
}

/// Returns what this library is. Fast.
#[uniffi::export]
#[must_use]
pub fn version() -> Version {
    Version {
        library: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("TUQUAN_COMMIT").unwrap_or("unknown").to_owned(),
        schema: SCHEMA_VERSION,
        protocol: VERSION,
    }
}
