//! Stores of the core to measure: founded, filled, opened again.
//!
//! Must not know: what is timed.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use tuquan_core::clock::Env;
use tuquan_core::domain::incident::Incident;
use tuquan_core::domain::place::{Place, PlaceKind};
use tuquan_core::door::command::Command;
use tuquan_core::door::{Config, Tuquan};
use tuquan_core::error::Result;
use tuquan_core::ids::{RecordId, RequestId};
use tuquan_core::record::declare::Declaration;
use tuquan_core::record::plain::Plain;
use tuquan_core::store::open::Location;
use tuquan_net::system::SystemClock;

use crate::data::{Event, PLACES};

/// Returns an environment whose randomness comes from a seed.
pub(crate) fn env(seed: u64) -> Env {
    Env { clock: Box::new(SystemClock), rng: Box::new(ChaCha8Rng::seed_from_u64(seed)) }
}

/// A folder that goes when the measuring ends.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes one.
    pub(crate) fn new(name: &str) -> Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let name = format!("tuquan-bench-{name}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Returns its path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Opens the store in `folder` with the dormitory's record types.
pub(crate) fn open(folder: &Path, seed: u64) -> Result<Tuquan> {
    Tuquan::open(Config::new(Location::new(folder, [9; 32])), env(seed))
}

/// Opens the store in `folder` with other record types.
pub(crate) fn open_with(
    folder: &Path,
    seed: u64,
    schema: &'static [&'static Declaration],
) -> Result<Tuquan> {
    Tuquan::open(Config { location: Location::new(folder, [9; 32]), schema }, env(seed))
}

/// Makes the places and returns their ids.
pub(crate) fn places(store: &Tuquan) -> Result<Vec<RecordId>> {
    let commands: Vec<Command> = (0..PLACES)
        .map(|number| {
            let place = Place {
                name: Some(format!("Nhà {number}")),
                kind: Some(PlaceKind::Building),
                ..Place::default()
            };
            Command::Import { draft: place.draft(), key: format!("place:{number}") }
        })
        .collect();
    let applied = store.apply_many(&commands, &mut |_| {})?;
    applied.into_iter().map(|applied| applied.map(|applied| applied.record)).collect()
}

/// Returns the command that logs an event.
pub(crate) fn command(event: &Event, places: &[RecordId]) -> Command {
    let incident = Incident {
        category: Some(event.category),
        place: Some(places[event.place]),
        summary: Some(event.summary.clone()),
        ..Incident::default()
    };
    let draft = incident.draft().with("t_occ", Plain::Int(event.t_occ_ms));
    Command::Create { draft, key: None }
}

/// Returns the request id of tap `number`.
pub(crate) fn request(number: u64) -> RequestId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    RequestId(id)
}

/// Returns the bytes of the files of a store.
pub(crate) fn bytes_on_disk(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for file in std::fs::read_dir(folder)? {
        bytes += file?.metadata()?.len();
    }
    Ok(bytes)
}
