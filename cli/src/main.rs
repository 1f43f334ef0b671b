//! Command line of the tuquan sync core.

#![cfg_attr(test, allow(clippy::unwrap_used))]

#[allow(dead_code, unused_imports)]
mod import;

#[allow(dead_code)]
mod sample;

fn main() {}
