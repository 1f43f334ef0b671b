//! The core as a library of its own, to see how large it is; not an interface for anybody.
//!
//! The exported functions keep alive what an app uses: open, found, apply, query, bundles. Data
//! goes in and out as JSON inside the process, so no serialisation is optimised away.

#![allow(unsafe_code, reason = "a name must survive linking, or the linker drops what is measured")]

use std::path::PathBuf;
use std::sync::OnceLock;

use rand_core::{TryCryptoRng, TryRng};
use tuquan_core::clock::{Clock, Env};
use tuquan_core::door::command::Command;
use tuquan_core::door::query::Query;
use tuquan_core::door::{Config, Tuquan};
use tuquan_core::ids::RequestId;
use tuquan_core::store::open::Location;
use tuquan_core::sync::bundle::Bundle;

static STORE: OnceLock<Tuquan> = OnceLock::new();

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now_ms(&self) -> i64 {
        0
    }
}

/// No randomness at all: this library is measured, never used.
#[derive(Debug)]
struct Zeros;

impl TryRng for Zeros {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Self::Error> {
        to.fill(0);
        Ok(())
    }
}

impl TryCryptoRng for Zeros {}

/// Opens a store and founds a team in it.
#[unsafe(no_mangle)]
pub extern "C" fn tuquan_size_open() -> bool {
    let env = Env { clock: Box::new(Still), rng: Box::new(Zeros) };
    let folder = std::env::var_os("TUQUAN_SIZE").map(PathBuf::from);
    let location = Location::new(folder.unwrap_or_default(), [0; 32]);
    let Ok(store) = Tuquan::open(Config::new(location), env) else {
        return false;
    };
    store.found().is_ok() && STORE.set(store).is_ok()
}

/// Does whatever command the environment names.
#[unsafe(no_mangle)]
pub extern "C" fn tuquan_size_apply() -> bool {
    let Some(command) = input().and_then(|text| serde_json::from_str::<Command>(&text).ok()) else {
        return false;
    };
    let applied = STORE.get().map(|store| store.apply(RequestId([1; 16]), &command));
    applied.is_some_and(|applied| applied.is_ok())
}

/// Answers whatever query the environment names.
#[unsafe(no_mangle)]
pub extern "C" fn tuquan_size_query() -> usize {
    let Some(query) = input().and_then(|text| serde_json::from_str::<Query>(&text).ok()) else {
        return 0;
    };
    let answer = STORE.get().and_then(|store| store.query(&query).ok());
    answer.map_or(0, |answer| serde_json::to_string(&answer).map_or(0, |text| text.len()))
}

/// Reads whatever bundle the environment names.
#[unsafe(no_mangle)]
pub extern "C" fn tuquan_size_bundle() -> bool {
    input().is_some_and(|text| Bundle::read(text.as_bytes()).is_ok())
}

fn input() -> Option<String> {
    std::env::var("TUQUAN_SIZE_INPUT").ok()
}
