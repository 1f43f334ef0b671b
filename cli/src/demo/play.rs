//! What the three devices do, step by step, and what was measured on the way.
//!
//! Must not know: what is shown of it.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use tuquan_core::{
    door::{Tuquan, command::Command},
    ids::RecordId,
    record::plain::{Draft, Plain},
};

use super::{
    data::{Data, Happening},
    device::{Device, Folder},
    network::{Network, Passed},
};
use crate::{failure::Outcome, progress, words::Words};

/// So many incidents are known to A and B before both edit them without a network.
const COMMON: usize = 150;
/// Categories that edits choose from; none is sealed, so texts stay as they are.
const CHOICES: [&str; 3] = ["hazard", "noise", "outsider"];

/// One way of meeting, and what it passed.
pub(crate) struct Meeting {
    /// The word for it.
    pub(crate) way: &'static str,
    /// Who met.
    pub(crate) who: &'static str,
    /// What was passed.
    pub(crate) passed: Passed,
    /// How long it took.
    pub(crate) ms: u64,
}

/// What was measured.
#[derive(Default)]
pub(crate) struct Measured {
    /// Events logged.
    pub(crate) events: u64,
    /// Edits made without a network.
    pub(crate) edits: u64,
    /// Bytes of the session of A and B after the offline work, and the events that it carried.
    pub(crate) session: (u64, u64),
    /// Every meeting, in order.
    pub(crate) meetings: Vec<Meeting>,
    /// How long logging took.
    pub(crate) log_ms: u64,
    /// How long merging took.
    pub(crate) merge_ms: u64,
}

impl Measured {
    /// All bytes that left a device.
    pub(crate) fn wire_bytes(&self) -> u64 {
        self.meetings.iter().map(|meeting| meeting.passed.bytes).sum()
    }

    /// Bytes of one way of meeting.
    pub(crate) fn bytes_of(&self, way: &str) -> u64 {
        let meetings = self.meetings.iter().filter(|meeting| meeting.way == way);
        meetings.map(|meeting| meeting.passed.bytes).sum()
    }

    fn time(
        &mut self,
        way: &'static str,
        who: &'static str,
        meet: impl FnOnce() -> Outcome<Passed>,
    ) -> Outcome<Passed> {
        let started = Instant::now();
        let passed = meet()?;
        self.meetings.push(Meeting { way, who, passed, ms: elapsed_ms(started) });
        Ok(passed)
    }
}

/// The three devices after the play, and what was measured.
pub(crate) struct Played {
    /// A founded the team; B joined face to face, C through the hub.
    pub(crate) devices: [Device; 3],
    /// What was measured.
    pub(crate) measured: Measured,
}

/// Lets three devices join, log without a network, edit the same incidents, and meet in every way.
pub(crate) fn play(words: &Words, data: &Data, folder: &Folder) -> Outcome<Played> {
    let mut a = Device::new(folder, "a")?;
    let (mut b, mut c) = (Device::new(folder, "b")?, Device::new(folder, "c")?);
    let mut measured = Measured { events: data.happenings.len() as u64, ..Measured::default() };
    a.store.found()?;
    let network = Network::start(&folder.path().join("hub"))?;
    let (sa, sb, sc) = (Arc::clone(&a.store), Arc::clone(&b.store), Arc::clone(&c.store));
    measured.time("demo.join_lan", "A–B", || network.join_by_lan(&sa, &sb))?;
    measured.time("demo.join_hub", "A–C", || network.join_by_hub(&sa, &sc))?;

    let started = Instant::now();
    let bar = progress::bar(words.get("progress.logging"), measured.events);
    let common_count = COMMON.min(data.happenings.len() / 2);
    let (common, rest) = data.happenings.split_at(common_count);
    let common = a.log(common, &bar)?;
    measured.time("demo.by_lan", "A–B", || network.meet(&sa, &sb))?;
    let mut shares: [Vec<Happening>; 3] = Default::default();
    for (turn, happening) in rest.iter().enumerate() {
        shares[turn % 3].push(happening.clone());
    }
    a.log(&shares[0], &bar)?;
    b.log(&shares[1], &bar)?;
    c.log(&shares[2], &bar)?;
    bar.finish_and_clear();
    for (turn, record) in common.iter().enumerate() {
        measured.edits += edit_both(&a, &b, *record, turn)?;
    }
    measured.log_ms = elapsed_ms(started);

    let started = Instant::now();
    let bar = progress::bar(words.get("progress.merging"), 4);
    let met = measured.time("demo.by_lan", "A–B", || network.meet(&sa, &sb))?;
    measured.session = (met.bytes, (shares[0].len() + shares[1].len()) as u64);
    bar.inc(1);
    let file = folder.path().join("news.tqb");
    measured.time("demo.by_file", "C–B", || network.hand_file(&sc, &sb, &file))?;
    bar.inc(1);
    measured.time("demo.by_file", "B–C", || network.hand_file(&sb, &sc, &file))?;
    bar.inc(1);
    let all = [&sa, &sb, &sc];
    measured.time("demo.by_hub", "A–B–C", || network.meet_hub(&all))?;
    bar.finish_and_clear();
    measured.merge_ms = elapsed_ms(started);
    live(&a, &b, &network, &mut measured, &all)?;
    Ok(Played { devices: [a, b, c], measured })
}

/// What is logged while all are connected: one note each, at the others a moment later.
fn live(
    a: &Device,
    b: &Device,
    network: &Network,
    measured: &mut Measured,
    all: &[&Arc<Tuquan>],
) -> Outcome<()> {
    for (device, category) in [(a, "hazard"), (b, "noise")] {
        let fields = BTreeMap::from([("category".to_owned(), Plain::from(category))]);
        let draft = Draft { kind: "incident".to_owned(), fields };
        device.apply(&Command::Create { draft, key: None })?;
        measured.edits += 1;
    }
    measured.time("demo.live", "A–B–C", || network.meet_hub(all)).map(drop)
}

fn elapsed_ms(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Lets A and B edit one incident without knowing of each other; returns how many edits.
///
/// In turn: the same field to different values, which a person must choose between; different
/// fields; a step of the lifecycle beside a note.
fn edit_both(a: &Device, b: &Device, record: RecordId, turn: usize) -> Outcome<u64> {
    match turn % 3 {
        0 => {
            let held = a.store.get(&record)?;
            let held = held.and_then(|record| record.fields.get("category").cloned());
            let others = CHOICES.iter().filter(|token| Some(Plain::from(**token)) != held);
            let others: Vec<&str> = others.copied().take(2).collect();
            for (device, token) in [a, b].into_iter().zip(others) {
                device.apply(&set(record, "category", Plain::from(token)))?;
            }
        }
        1 => {
            a.apply(&set(record, "injury_n", Plain::Int(1)))?;
            b.apply(&set(record, "dangerous", Plain::Bool(true)))?;
        }
        _ => {
            a.apply(&Command::Transition {
                record,
                to: "acknowledged".to_owned(),
                t_event: None,
                reason: None,
                set: BTreeMap::new(),
            })?;
            b.apply(&set(record, "outcome", Plain::from("handled_on_spot")))?;
        }
    }
    Ok(2)
}

fn set(record: RecordId, field: &str, value: Plain) -> Command {
    let set = BTreeMap::from([(field.to_owned(), Some(value))]);
    Command::Edit { record, set }
}
