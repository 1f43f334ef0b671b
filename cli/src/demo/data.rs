//! What happened in the demo: a real log where one is named, else made-up dormitory events.
//!
//! Rows of a real log stay on this machine. Must not know: devices.

use std::path::Path;

use crate::{
    draft::Event,
    failure::Outcome,
    import::ImportRow,
    maps,
    place::building_of,
    sample::{SampleEvent, sample_events},
    words::Words,
};

const DAY_MS: i64 = 86_400_000;
/// Samples have some 12 events a day.
const EVENTS_A_DAY: usize = 12;

/// One thing that happened, before it is logged.
#[derive(Clone, Debug)]
pub(crate) struct Happening {
    /// What it says; its place is looked up when it is logged.
    pub(crate) event: Event,
    /// Where.
    pub(crate) place: Option<String>,
    /// In which building.
    pub(crate) building: Option<String>,
}

/// All that happened, and where it comes from.
pub(crate) struct Data {
    /// In the order of the source.
    pub(crate) happenings: Vec<Happening>,
    /// Rows of the source, and how many of them could not be read.
    pub(crate) rows: u64,
    /// Rows that could not be read.
    pub(crate) refused: u64,
    /// The column map; none for samples.
    pub(crate) map: Option<String>,
}

/// Reads a real log with the map that its header fits.
pub(crate) fn of_file(words: &Words, path: &Path) -> Outcome<Data> {
    let (reader, _, map) = maps::open(words, path, None)?;
    let mut data = Data { happenings: Vec::new(), rows: 0, refused: 0, map: Some(map) };
    for row in reader {
        data.rows += 1;
        match row {
            Ok(row) => data.happenings.push(of_row(row)),
            Err(_) => data.refused += 1,
        }
    }
    Ok(data)
}

fn of_row(mut row: ImportRow) -> Happening {
    let (place, building) = (row.place.take(), row.building.take());
    // States of another log are not steps that these devices made.
    (row.state, row.outcome) = (None, None);
    Happening { event: Event::of_row(row, None), place, building }
}

/// Makes sample events that end about now.
pub(crate) fn of_samples(seed: u64, count: usize, now_ms: i64) -> Data {
    let days = i64::try_from(count / EVENTS_A_DAY + 1).unwrap_or(1);
    let events = sample_events(seed, count, now_ms - days * DAY_MS);
    let happenings: Vec<Happening> = events.map(of_sample).collect();
    Data { rows: happenings.len() as u64, happenings, refused: 0, map: None }
}

fn of_sample(sample: SampleEvent) -> Happening {
    let building = building_of(&sample.place).unwrap_or(&sample.place);
    let building = Some(building.to_owned());
    Happening {
        place: Some(sample.place),
        building,
        event: Event {
            t_occ_ms: Some(sample.t_occ_ms),
            t_note_ms: Some(sample.t_occ_ms),
            category: sample.category,
            text: sample.text,
            note: sample.note,
            urgent: sample.urgent,
            ..Event::default()
        },
    }
}
