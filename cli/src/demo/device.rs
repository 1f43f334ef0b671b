//! One device of the demo, and how two of them meet.
//!
//! Must not know: what happened, what is shown.

use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use tuquan_core::{
    door::{Config, Tuquan, command::Command},
    ids::{RecordId, RequestId},
    record::declare::Role,
    store::open::Location,
    sync::{
        card::Card,
        courier::LEVEL,
        session::{Options, Session, Side},
    },
};

use super::data::Happening;
use crate::{failure::Outcome, import::RecordKind, place::Places, system};

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
    pub(crate) store: Tuquan,
    places: Places,
}

impl Device {
    /// Makes a device in a folder.
    pub(crate) fn new(folder: &Folder, name: &str) -> Outcome<Self> {
        let location = Location::new(folder.path().join(name), system::random());
        Ok(Self {
            store: Tuquan::open(Config::new(location), system::env())?,
            places: Places::default(),
        })
    }

    /// Lets another device join by its card; returns how many bytes were passed.
    pub(crate) fn admit(&self, other: &Self) -> Outcome<u64> {
        other.store.init()?;
        let encode = |replica: &mut tuquan_core::replica::Replica| {
            Ok(Card::encode(&replica.mind.identity()?.secret))
        };
        let card = other.store.bulk(encode)?;
        let granted = Card::decode(&card)?;
        let answer = self.store.bulk(|replica| replica.grant_bundle(&granted, Role::R2, true))?;
        other.store.bulk(|replica| replica.import_bundle(&answer, &mut |_, _| {}))?;
        Ok((card.len() + answer.len()) as u64)
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

    /// Meets another device in a session, frame by frame; returns how many bytes were passed.
    pub(crate) fn meet(&self, other: &Self) -> Outcome<u64> {
        let now_ms = system::now_ms();
        let mut one = Session::new(Side::Initiator, now_ms, Options::default());
        let mut two = Session::new(Side::Responder, now_ms, Options::default());
        let mut bytes = 0;
        loop {
            let there = pass(&self.store, &mut one, &other.store, &mut two)?;
            let back = pass(&other.store, &mut two, &self.store, &mut one)?;
            bytes += there + back;
            if there + back == 0 {
                return Ok(bytes);
            }
        }
    }

    /// Gives another device a bundle of everything; returns how many bytes it has.
    pub(crate) fn hand_bundle(&self, other: &Self, file: &Path) -> Outcome<u64> {
        let made = self.store.bulk(|replica| replica.export_bundle(None, false, LEVEL))?;
        let failed = |error: std::io::Error| crate::failure::unwritable(file, &error);
        std::fs::write(file, &made).map_err(failed)?;
        let read = std::fs::read(file).map_err(failed)?;
        let outcome = other.store.bulk(|replica| replica.import_bundle(&read, &mut |_, _| {}))?;
        match outcome.refused.into_iter().chain(outcome.truncated).next() {
            Some(error) => Err(error.into()),
            None => Ok(made.len() as u64),
        }
    }
}

/// Passes all frames that one side has for the other; returns their bytes.
fn pass(from: &Tuquan, sender: &mut Session, to: &Tuquan, taker: &mut Session) -> Outcome<u64> {
    let mut bytes = 0;
    while let Some(frame) = from.bulk(|replica| sender.poll_transmit(replica))? {
        bytes += frame.len() as u64;
        to.bulk(|replica| taker.handle_message(replica, &frame, system::now_ms()))?;
    }
    Ok(bytes)
}
