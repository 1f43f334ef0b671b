//! Sees that SQLCipher will be compiled with this provider, and gives the linker an empty `libcrypto`:
//! what builds SQLCipher asks for one whichever provider is used.

#![allow(clippy::print_stdout, reason = "how a build script speaks to cargo")]

use std::path::PathBuf;

const FLAGS: &str = "LIBSQLITE3_FLAGS";
const FLAG: &str = "-DSQLCIPHER_CRYPTO_CUSTOM=tuquan_cipher";
/// An archive without members.
const EMPTY: &[u8] = b"!<arch>\n";

fn main() {
    println!("cargo:rerun-if-env-changed={FLAGS}");
    let flags = std::env::var(FLAGS).unwrap_or_default();
    if !flags.split_whitespace().any(|flag| flag == FLAG) {
        println!("cargo::error=set {FLAGS}={FLAG} in [env] of your .cargo/config.toml");
        return;
    }
    // Apple's systems bring what SQLCipher asks for there.
    if std::env::var("CARGO_CFG_TARGET_VENDOR").is_ok_and(|vendor| vendor == "apple") {
        return;
    }
    let folder = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    if let Err(error) = std::fs::write(folder.join("libcrypto.a"), EMPTY) {
        println!("cargo::error=an empty libcrypto.a cannot be written: {error}");
    }
    println!("cargo:rustc-link-search=native={}", folder.display());
}
