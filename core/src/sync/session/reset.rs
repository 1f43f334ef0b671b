//! Is it safe to reset this phone? Only where another phone has signed that it holds everything.
//!
//! Must not know: what people are told.

use rusqlite::Connection;

use super::ack::{self, Acknowledged};
use crate::error::Result;
use crate::ids::{DeviceKey, LogId};
use crate::log::pack::Header;
use crate::replica::ingest::link_at;
use crate::replica::mind::{KnownLog, Mind};

/// How many entries of one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct EntriesOf {
    /// The device that wrote them.
    pub device: DeviceKey,
    /// How many.
    pub entries: u64,
}

/// What would be lost, as far as the signed acknowledgements of other devices say.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct ResetCheck {
    /// Whether every entry that is here was acknowledged by at least one other device of the team.
    pub safe: bool,
    /// How many entries are known to be here only.
    pub entries: u64,
    /// The devices that wrote them, with how many each.
    pub by: Vec<EntriesOf>,
    /// How many other devices have acknowledged anything.
    pub heard: u64,
}

/// Stretches (first, end) of sequence numbers, in order.
type Stretches = Vec<(u64, u64)>;

/// Compares what is here with what the other devices of the team have signed to hold.
///
/// # Errors
/// `E-NOTREADY` without an identity; `E-DBPAGE`.
pub fn reset_check(connection: &Connection, mind: &Mind) -> Result<ResetCheck> {
    let acks = ack::all(connection, mind)?;
    let waiting = waiting(connection)?;
    let heard = acks.chunk_by(|one, other| one.device == other.device).count() as u64;
    let mut check = ResetCheck { heard, ..ResetCheck::default() };
    let mut count = |device: DeviceKey, left: &Stretches| {
        let entries: u64 = left.iter().map(|(first, end)| end - first).sum();
        check.entries += entries;
        match check.by.iter_mut().find(|of| of.device == device) {
            _ if entries == 0 => {}
            Some(of) => of.entries += entries,
            None => check.by.push(EntriesOf { device, entries }),
        }
    };
    for log in &mind.logs {
        let mut left = held(mind, log);
        for found in &acks {
            for covered in covered(connection, mind, log, found)? {
                left = without(&left, covered);
            }
        }
        count(log.row.device, &left);
    }
    // What waits for a key, an author or a team list is here too, of logs known or not.
    for (log, stretch) in waiting {
        let mut left = vec![stretch];
        let known = mind.log(&log);
        for own in known.map(|log| held(mind, log)).unwrap_or_default() {
            left = without(&left, own);
        }
        for entry in acks.iter().filter_map(|found| found.vector.get(&log)) {
            left = without(&left, (0, entry.next));
        }
        count(known.map_or(DeviceKey([0; 32]), |log| log.row.device), &left);
    }
    check.safe = check.entries == 0;
    Ok(check)
}

/// Returns the entries of a log whose content is here.
fn held(mind: &Mind, log: &KnownLog) -> Stretches {
    let mut held = vec![(log.row.base, log.row.next)];
    held.extend(&log.ahead);
    let holes = mind.holes.iter().map(|(at, _)| crate::store::logs::parts(*at));
    for (_, seq) in holes.filter(|(no, _)| *no == log.row.no) {
        held = without(&held, (seq, seq + 1));
    }
    held
}

/// Returns which entries of a log or branch a device holds; none where it has another history.
pub(in crate::sync) fn covered(
    connection: &Connection,
    mind: &Mind,
    log: &KnownLog,
    found: &Acknowledged,
) -> Result<Stretches> {
    let Some(index) = mind.by_id.get(&log.row.id).copied() else {
        return Ok(Vec::new());
    };
    let mut covered = Vec::new();
    // What it calls by one name may be another history here, when it knows of others than this phone.
    for named in mind.family(&log.row.id) {
        let Some(entry) = found.vector.get(&mind.logs[named].row.id) else {
            continue;
        };
        let is_same = match entry.next {
            next if next > log.row.next => named == index && !mind.is_forked(&log.row.id),
            next if next == log.row.next => log.row.link == entry.link,
            // The tail of rows has never left this phone, so nobody else has an end in it.
            next if is_in_tail(mind, index, next) => false,
            next => link_at(connection, mind, index, next)?.0 == entry.link,
        };
        if !is_same {
            continue;
        }
        let mut of_this = vec![(0, entry.next)];
        for (first, count) in &entry.excepted {
            of_this = without(&of_this, (*first, first + count));
        }
        covered.extend(of_this);
    }
    Ok(covered)
}

fn is_in_tail(mind: &Mind, index: usize, next: u64) -> bool {
    mind.own.as_ref().is_some_and(|own| own.index == index && next > own.tail)
}

fn without(stretches: &Stretches, taken: (u64, u64)) -> Stretches {
    let mut left = Vec::with_capacity(stretches.len() + 1);
    for (first, end) in stretches {
        left.push((*first, (*end).min(taken.0)));
        left.push(((*first).max(taken.1), *end));
    }
    left.retain(|(first, end)| first < end);
    left
}

/// Returns what the packs that wait hold, by their headers.
fn waiting(connection: &Connection) -> Result<Vec<(LogId, (u64, u64))>> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM held")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(0)?.as_blob().unwrap_or_default();
        if let Ok(header) = Header::read(bytes) {
            let stretch = |first: u64, count: u64| (first, first.saturating_add(count));
            let ranges = header.ranges.iter();
            found.extend(ranges.map(|range| (range.log, stretch(range.first, range.count))));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_cut_where_something_is_taken_out_of_them() {
        assert_eq!(without(&vec![(0, 9)], (3, 5)), [(0, 3), (5, 9)]);
        assert_eq!(without(&vec![(0, 3), (5, 9)], (2, 6)), [(0, 2), (6, 9)]);
        assert_eq!(without(&vec![(2, 4)], (0, 9)), []);
        assert_eq!(without(&vec![(2, 4)], (6, 9)), [(2, 4)]);
    }
}
