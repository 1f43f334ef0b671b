//! The offline-first sync core of tuquan: a dormitory team's log that needs no network.
//!
//! Each phone has an encrypted copy. Copies meet by bundle or session and become the same, in
//! whatever order they met. The core is sans-IO: it opens its own store and nothing else; time and
//! randomness come in as [`clock::Env`], packs come in and go out as bytes.
//!
//! # Who you are, and which room is yours
//!
//! - **You build an app or a command on it**: [`door`]. One type, [`door::Tuquan`]: open, apply,
//!   query, what changed. You need nothing else but [`error`] and the plain types of [`domain`].
//! - **You add a field or a record type**: [`domain`], one file and one line each; [`record::declare`]
//!   says what a declaration can say. Numbers are locked in `core/schema.lock`.
//! - **You work on merging**: [`mod@record`]. Tests: `core/tests/merge`, where fold, document and a slow
//!   reference agree on random histories.
//! - **You work on bytes that are signed, hashed or sent**: [`log`], [`codec`], [`crypto`]. Tests:
//!   `core/tests/golden.rs`, `pack.rs`, `hostile.rs`. The formats are in `docs/protocol.md`.
//! - **You work on who may do what**: [`team`]; a pure function of control entries.
//! - **You work on disk, search, speed**: [`store`]; and [`replica`], which keeps memory and disk
//!   the same. Tests: `core/tests/door.rs`, and faults in the tests crate.
//! - **You carry bytes between phones**: [`sync`]. Tests: `core/tests/bundle.rs`, `core/tests/sync`.
//!
//! Modules see only what stands below them in the one order of `docs/architecture.md`; a test
//! checks it.
//!
//! # A tap
//!
//! ```no_run
//! use tuquan_core::clock::Env;
//! use tuquan_core::domain::category::Category;
//! use tuquan_core::domain::incident::Incident;
//! use tuquan_core::door::command::Command;
//! use tuquan_core::door::{Applied, Config, Tuquan};
//! use tuquan_core::error::Result;
//! use tuquan_core::ids::RequestId;
//! use tuquan_core::store::open::Location;
//!
//! /// `env` has the caller's clock and random bytes, `key` comes from the phone's keystore.
//! fn first_note(env: Env, key: [u8; 32]) -> Result<Applied> {
//!     let store = Tuquan::open(Config::new(Location::new("store", key)), env)?;
//!     store.found()?;
//!     let incident = Incident {
//!         category: Some(Category::Hazard),
//!         summary: Some("Ổ điện hành lang bị chập".to_owned()),
//!         ..Incident::default()
//!     };
//!     let draft = incident.draft();
//!     // When this returns, the note is on the disk. The same request again returns the same.
//!     store.apply(RequestId([1; 16]), &Command::Create { draft, key: None })
//! }
//! ```

extern crate self as tuquan_core;
#[cfg(feature = "uniffi")]
uniffi::setup_scaffolding!();

pub mod attachment;
#[cfg(feature = "uniffi")]
pub mod boundary;
pub mod clock;
pub mod codec;
pub mod crypto;
pub mod domain;
pub mod door;
pub mod error;
pub mod ids;
pub mod log;
pub mod record;
pub mod replica;
pub mod report;
pub mod store;
pub mod sync;
pub mod team;

#[doc(hidden)]
pub use serde;
