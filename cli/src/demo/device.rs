//! One device of the demo and what it logs.
//!
//! Must not know: how devices meet, what is shown.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use indicatif::ProgressBar;
use tuquan_core::{
    door::{Config, Tuquan, command::Command},
    ids::{RecordId, RequestId},
    store::open::Location,
};
use tuquan_net::system;

use super::data::Happening;
use crate::{failure::Outcome, import::RecordKind, place::Places};

/// So many events are tapped one by one; the rest is logged in steps, as a backlog is.
const TAPS: usize = 20;
const COMMANDS_AT_ONCE: usize = 2_000;

/// A folder that goes when the demo ends.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Names a new folder below the system's temporary one; stores make it.
    pub(crate) fn new() -> Self {
        let name: String = tuquan_core::ids::to_hex(&system::random::<8>());
        Self(std::env::temp_dir().join(format!("tuquan-demo-{name}")))
    }

    /// Returns where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One device with a store of its own.
pub(crate) struct Device {
    /// Its store.
    pub(crate) store: Arc<Tuquan>,
    places: Places,
}

impl Device {
    /// Makes a device in a folder.
    pub(crate) fn new(folder: &Folder, name: &str) -> Outcome<Self> {
        let location = Location::new(folder.path().join(name), system::random());
        Ok(Self {
            store: Arc::new(Tuquan::open(Config::new(location), system::env())?),
            places: Places::default(),
        })
    }

    /// Logs what happened: the first ones tap by tap, the rest in steps.
    pub(crate) fn log(
        &mut self,
        happenings: &[Happening],
        bar: &ProgressBar,
    ) -> Outcome<Vec<RecordId>> {
        let mut records = Vec::with_capacity(happenings.len());
        for chunk in happenings.chunks(COMMANDS_AT_ONCE) {
            let mut commands = Vec::with_capacity(chunk.len());
            for happening in chunk {
                commands.push(self.command(happening)?);
            }
            let missing = self.places.take_missing();
            for outcome in self.store.apply_many(&missing, &mut |_| {})? {
                outcome?;
            }
            let taps = TAPS.saturating_sub(records.len()).min(commands.len());
            let rest = commands.split_off(taps);
            for command in &commands {
                records.push(self.apply(command)?);
                bar.inc(1);
            }
            for outcome in self.store.apply_many(&rest, &mut |_| {})? {
                records.push(outcome?.record);
            }
            bar.inc(rest.len() as u64);
        }
        Ok(records)
    }

    fn command(&mut self, happening: &Happening) -> Outcome<Command> {
        let (place, building) = (happening.place.as_deref(), happening.building.as_deref());
        let mut event = happening.event.clone();
        event.place = self.places.of_event(&self.store, place, building)?;
        let draft = event.draft(RecordKind::Incident);
        Ok(Command::Create { draft, key: None })
    }

    /// Does one command; returns its record.
    pub(crate) fn apply(&self, command: &Command) -> Outcome<RecordId> {
        let request = RequestId(system::random());
        Ok(self.store.apply(request, command)?.record)
    }
}
