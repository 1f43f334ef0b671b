//! The algorithms that SQLCipher needs, for the store's file: AES-256 in CBC mode, HMAC-SHA-512 and
//! PBKDF2 with it, and the system's randomness.
//!
//! SQLCipher asks a provider for them, a C struct of functions, and names the function that fills it
//! when it is compiled (`SQLCIPHER_CRYPTO_CUSTOM`, see `.cargo/config.toml`). With this one an app carries no
//! OpenSSL: a quarter of its room, and the slowest part of its build. The format of the file is the
//! same with any provider, so a store opens whichever a program was built with. Must not know: keys'
//! origin, pages, what is stored.

#![allow(
    unsafe_code,
    reason = "SQLCipher takes a provider as a C struct of function pointers only"
)]

mod algorithm;
mod provider;

pub use self::provider::{Provider, tuquan_cipher};

/// Makes a program that opens stores hold the provider: the linker takes only what somebody names.
#[must_use]
pub fn name() -> &'static str {
    // Through the function's address, which nothing can leave out.
    let setup: unsafe extern "C" fn(_) -> _ = tuquan_cipher;
    if std::hint::black_box(setup as usize) == 0 { "" } else { provider::NAME }
}
