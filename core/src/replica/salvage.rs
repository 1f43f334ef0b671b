//! A new store from what can be read of a damaged one.
//!
//! Entries come in as if a colleague had sent them: cut into ranges that end at seals, their chain
//! and seal verified. So nothing false comes in, and what lies beyond a gap is provisional until
//! colleagues fill it. The own data log is never appended to again: nobody knows whether the end
//! that was found is the end, and two entries under one number would be a fork. Views are made
//! from the entries. Must not know: files, how damage is read around.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::params;

use super::Replica;
use super::ingest::Opened;
use super::mind::{ACK_SIGNED, IDENTITY, INSTALL, Identity, opening_of};
use super::write::ready;
use crate::error::{Error, Kind, Result};
use crate::ids::{ChunkHash, Digest, EpochId, Link, LogId, SpaceId};
use crate::log::chain::{self, RUN_ENTRIES_MAX, Run, Salts, Sort};
use crate::log::entry::Entry;
use crate::log::pack::{self, ENTRIES_MAX, Mode, NONCE_LEN, Packing, Range};
use crate::store::chunks;
use crate::store::damaged::{Damaged, Table};
use crate::store::logs::{self, LogRow, Segment};

/// What was saved of a damaged store.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Salvaged {
    /// Entries that were read, verified and kept.
    pub recovered: u64,
    /// Entries that the damaged store is known to have had. The difference comes from colleagues,
    /// except for what never left this phone.
    pub of: u64,
    /// The name of the damaged file, in the store's folder.
    pub kept: String,
}

/// All that was read of the logs, by the row numbers of the damaged store.
struct Remains {
    logs: BTreeMap<i64, LogRow>,
    segments: BTreeMap<i64, Segment>,
    tail: BTreeMap<i64, Entry>,
    seals: BTreeMap<i64, (Link, [u8; 64])>,
    runs: BTreeMap<i64, Run>,
    /// How many entries each log is known to have had.
    next: BTreeMap<i64, u64>,
}

impl Replica {
    /// Fills this new, empty store with what is left of a damaged one; `progress` gets (done, all)
    /// entries.
    ///
    /// # Errors
    /// `E-IDENTITY` when the device's own keys cannot be read; `E-NOTREADY` when there were none;
    /// of the new store.
    pub fn salvage(
        &mut self,
        source: &Damaged,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Salvaged> {
        let lost = |_| Error::new(Kind::Identity, "the device's keys were on a damaged page");
        let identity = source.meta(IDENTITY).map_err(lost)?;
        let identity = identity.map(|bytes| Identity::decode(&bytes)).transpose().map_err(lost)?;
        let none = || Error::new(Kind::NotReady, "there is no device identity to salvage");
        let identity = identity.ok_or_else(none)?;
        self.transact(|transaction, mind, _| {
            mind.set_identity(transaction, identity)?;
            // A device's statements are counted, and the count does not go back; a fence that is
            // this store's stays so.
            for key in [ACK_SIGNED, INSTALL] {
                if let Ok(Some(value)) = source.meta(key) {
                    logs::set_meta(transaction, key, &value)?;
                }
            }
            Ok(())
        })?;
        let Ok(space) = self.mind.space() else {
            return Ok(Salvaged::default());
        };
        self.take_keys(source)?;
        let remains = Remains::read(source, &space);
        let mut saved = Salvaged { of: remains.next.values().sum(), ..Salvaged::default() };
        for sort in [Sort::Control, Sort::Data] {
            for (no, row) in remains.logs.iter().filter(|(_, row)| row.sort == sort) {
                for stretch in remains.stretches(*no, row) {
                    saved.recovered += self.take_stretch(&remains, *no, row, &stretch)?;
                    progress(saved.recovered, saved.of);
                }
            }
        }
        self.take_held(source)?;
        self.take_chunks(source)?;
        self.settle_own(&remains)?;
        Ok(saved)
    }

    fn take_keys(&mut self, source: &Damaged) -> Result<()> {
        let keys = source.ends("epoch", "id, secret", |row| {
            Ok((row.get::<_, EpochId>(0)?, row.get::<_, [u8; 32]>(1)?))
        });
        self.transact(|transaction, mind, _| {
            for (id, secret) in keys {
                transaction
                    .prepare_cached("INSERT OR IGNORE INTO epoch (id, secret) VALUES (?, ?)")?
                    .execute(params![id, secret])?;
            }
            mind.load_epochs(transaction)
        })
    }

    /// Keeps the chunks of photos that can be read and that records name; a photo that never left
    /// this phone is nowhere else.
    fn take_chunks(&mut self, source: &Damaged) -> Result<()> {
        let table = Table { name: "chunk", key: "no", columns: "hash, bytes" };
        let mut full = Ok(());
        source.rows(table, None, |row| {
            let (hash, bytes): (ChunkHash, Vec<u8>) = (row.get(0)?, row.get(1)?);
            let put = self.transact(|transaction, _, _| chunks::put(transaction, &hash, &bytes));
            if let Err(error) = &put
                && error.kind.is_of_storage()
            {
                full = Err(error.clone());
            }
            put.map(drop)
        });
        full
    }

    /// Takes in a stretch of a log, range by range; returns how many entries were kept.
    fn take_stretch(
        &mut self,
        remains: &Remains,
        no: i64,
        row: &LogRow,
        stretch: &Stretch,
    ) -> Result<u64> {
        let space = self.mind.space()?;
        let identity = self.mind.identity()?;
        let secret = (row.device == identity.secret.device_key()).then(|| identity.secret.clone());
        let mut kept = 0;
        let mut from = 0;
        while from < stretch.entries.len() {
            let mut ends: Vec<(usize, [u8; 64])> = remains.seals_in(no, stretch, from);
            let last = stretch.entries.len() - 1;
            if let Some(secret) = &secret
                && last - from < ENTRIES_MAX
                && ends.first().is_none_or(|(end, _)| *end != last)
            {
                // The own end is signed as it would have been before it left the phone.
                let (seq, link) = (stretch.first + last as u64, &stretch.entries[last].link);
                ends.insert(0, (last, chain::make_seal(secret, &space, &row.id, seq, link)));
            }
            let ranges = ends.iter().map(|(end, seal)| stretch.range(row, from, *end, *seal));
            let sound = ranges.filter_map(|range| {
                Opened::of(&space, range.clone()).ok().map(|opened| (range, opened))
            });
            let Some((range, opened)) = { sound }.next() else {
                // Nothing here leads to a seal; the next segment brings its own link.
                from = stretch.next_start(from);
                continue;
            };
            from += range.entries.len();
            kept += self.take_range(range, &opened)?;
        }
        Ok(kept)
    }

    fn take_range(&mut self, range: Range, opened: &Opened) -> Result<u64> {
        let count = opened.entries();
        match self.ingest_opened(opened) {
            Ok(_) => Ok(count),
            Err(error)
                if matches!(error.kind, Kind::NotMember | Kind::WaitMembers | Kind::Fork) =>
            {
                // The team list is lost, or the beginning of a branch comes later: they wait as packs do.
                let kept = self.hold_range(range, error.kind)?;
                Ok(if kept { count } else { 0 })
            }
            Err(error) if error.kind.is_of_storage() => Err(error),
            Err(_) => Ok(0),
        }
    }

    /// Keeps a range as a pack that waits; tells whether it could be made.
    fn hold_range(&mut self, range: Range, reason: Kind) -> Result<bool> {
        let Ok((epoch, secret)) = self.mind.epoch() else {
            return Ok(false);
        };
        let mode = Mode::Sealed { epoch, key: secret.pack_key() };
        let nonce: [u8; NONCE_LEN] = self.env.random();
        let space = self.mind.space()?;
        match pack::encode(&space, &mode, &[range], &Packing::default(), &nonce) {
            Ok(bytes) => self.hold(&bytes, reason).map(|_| true),
            Err(_) => Ok(false),
        }
    }

    /// Takes over the packs that waited; one that is damaged is refused like any from outside.
    fn take_held(&mut self, source: &Damaged) -> Result<()> {
        let packs = source.ends("held", "id, bytes", |row| {
            Ok((row.get::<_, Digest>(0)?, row.get::<_, Vec<u8>>(1)?))
        });
        for (_, bytes) in packs.into_iter().filter(|(id, bytes)| pack::pack_id(bytes) == *id) {
            match self.ingest(&bytes) {
                Err(error) if error.kind.is_of_storage() => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Opens a new data log where the damaged store had one and the team list is here, else the
    /// next write does; and lets the own control log rest until all of it came back.
    fn settle_own(&mut self, remains: &Remains) -> Result<()> {
        let me = self.mind.identity()?.secret.device_key();
        let own = |sort| move |row: &LogRow| row.device == me && row.sort == sort;
        let is_founder = self.mind.identity()?.recovery.is_some();
        let control = remains.next.iter().filter(|(no, _)| match remains.logs.get(no) {
            Some(row) => own(Sort::Control)(row),
            // It may be this one of which nothing is left.
            None => is_founder,
        });
        let control_next = { control }.map(|(_, next)| *next).max();
        let found = self.mind.logs.iter().find(|log| own(Sort::Control)(&log.row));
        let found = found.map_or(0, |log| log.row.next);
        let has_written = remains.logs.values().any(own(Sort::Data));
        self.transact(|transaction, mind, env| {
            if let Some(next) = control_next.filter(|next| *next > found) {
                mind.set_control_next(transaction, next)?;
            }
            if has_written && mind.members.check_writer(&me).is_ok() {
                ready(transaction, mind, env)?;
            }
            Ok(())
        })
    }
}

const LOGS: Table =
    Table { name: "log", key: "no", columns: "no, id, device, nonce, sort, next, link, heads" };
const SEALS: Table = Table { name: "seal", key: "at", columns: "link, seal" };
const RUNS: Table = Table { name: "run", key: "at", columns: "at, count, salts" };
const SEGMENTS: Table =
    Table { name: "segment", key: "at", columns: "at, count, link, heads, body" };
const ENTRIES: Table = Table { name: "entry", key: "at", columns: "bytes, whole" };

impl Remains {
    fn read(source: &Damaged, space: &SpaceId) -> Self {
        let mut logs: BTreeMap<i64, LogRow> = source.rows(LOGS, None, logs::read_log);
        let id = |row: &LogRow| chain::log_id(space, &row.device, row.sort, &row.nonce);
        let whole: BTreeSet<LogId> = logs.values().map(|row| row.id).collect();
        // A branch has an id of its own; its entries are signed as the log's, and find their place.
        logs.retain(|_, row| whole.contains(&id(row)));
        logs.values_mut().for_each(|row| row.id = id(row));
        let mut next: BTreeMap<i64, u64> = logs.iter().map(|(no, row)| (*no, row.next)).collect();
        let note = |next: &mut BTreeMap<i64, u64>, at: i64, count: u64| {
            let (no, seq) = logs::parts(at);
            let known = next.entry(no).or_default();
            *known = (*known).max(seq + count);
        };
        let seals = source.rows(SEALS, Some(&next), |row| Ok((row.get(0)?, row.get(1)?)));
        seals.keys().for_each(|at| note(&mut next, *at, 1));
        let tail = source.rows(ENTRIES, Some(&next), |row| {
            logs::check_whole(row, 1)?;
            let bytes = row.get_ref(0)?.as_blob().unwrap_or_default();
            (!bytes.is_empty()).then(|| Entry::decode(bytes)).transpose()
        });
        tail.keys().for_each(|at| note(&mut next, *at, 1));
        let mut counts = Vec::new();
        let segments = source.rows(SEGMENTS, Some(&next), |row| {
            let (at, count): (i64, i64) = (row.get(0)?, row.get(1)?);
            counts.push((at, count.cast_unsigned()));
            let heads = row.get_ref(3)?.as_blob().unwrap_or_default();
            let body = row.get_ref(4)?.as_blob().unwrap_or_default();
            logs::decode_segment(at, row.get(2)?, heads, body)
        });
        counts.into_iter().for_each(|(at, count)| note(&mut next, at, count));
        let runs = source.rows(RUNS, Some(&next), |row| {
            let (at, count): (i64, i64) = (row.get(0)?, row.get(1)?);
            let salts = logs::read_salts(row.get_ref(2)?.as_blob().unwrap_or_default())?;
            Ok(Run { first: logs::parts(at).1, count: count.cast_unsigned(), salts })
        });
        let tail = tail.into_iter().filter_map(|(at, entry)| Some((at, entry?))).collect();
        let mut remains = Self { logs, segments, tail, seals, runs, next };
        remains.find_logs(space);
        remains
    }

    /// Finds logs whose row is lost by the entry that opens them.
    fn find_logs(&mut self, space: &SpaceId) {
        let lost: Vec<i64> =
            self.next.keys().filter(|no| !self.logs.contains_key(no)).copied().collect();
        for no in lost {
            let first = logs::at(no, 0);
            let segment = self.segments.get(&first).and_then(|segment| segment.entries.first());
            let opening = segment.or(self.tail.get(&first)).and_then(opening_of);
            if let Some(open) = opening {
                self.logs.insert(no, LogRow::empty(space, open.device, open.sort, open.nonce));
            }
        }
    }

    /// Returns link and heads before an entry, where the store keeps them.
    fn anchor<'a>(&'a self, no: i64, row: &'a LogRow, seq: u64) -> Option<(Link, &'a [Link])> {
        if let Some(segment) = self.segments.get(&logs::at(no, seq)) {
            return Some((segment.before, &segment.heads_before));
        }
        (seq == row.next).then_some((row.link, &row.heads))
    }

    fn run(&self, no: i64, seq: u64) -> Option<&Run> {
        let low = logs::at(no, seq.saturating_sub(RUN_ENTRIES_MAX));
        let mut near = self.runs.range(low..=logs::at(no, seq)).rev().map(|(_, run)| run);
        near.find(|run| run.covers(seq))
    }

    /// Returns what is left of a log as stretches whose links hold together.
    fn stretches(&self, no: i64, row: &LogRow) -> Vec<Stretch> {
        let mut stretches: Vec<Stretch> = Vec::new();
        let range = logs::at(no, 0)..logs::at(no + 1, 0);
        let mut entries: BTreeMap<u64, &Entry> =
            self.tail.range(range.clone()).map(|(at, entry)| (logs::parts(*at).1, entry)).collect();
        for (_, segment) in self.segments.range(range) {
            entries.extend((segment.first..).zip(&segment.entries));
        }
        for (seq, entry) in entries {
            let anchor = self.anchor(no, row, seq);
            let run = match row.sort {
                Sort::Control => Some(Run { first: 0, count: 0, salts: Salts::Empty }),
                Sort::Data => self.run(no, seq).map(|run| run.part(seq)),
            };
            let follows = stretches.last().is_some_and(|last| {
                let end = last.end();
                end.0 == seq && anchor.is_none_or(|(link, _)| link == end.1)
            });
            if !follows {
                let Some((before, heads)) = anchor else { continue };
                stretches.push(Stretch {
                    first: seq,
                    before,
                    heads: heads.to_vec(),
                    entries: Vec::new(),
                });
            }
            match (stretches.last_mut(), run) {
                (Some(stretch), Some(run)) => stretch.push(entry, run, anchor.is_some()),
                // Without its salts an entry proves nothing.
                _ => drop(stretches.pop_if(|stretch| stretch.entries.is_empty())),
            }
        }
        stretches
    }

    /// Returns where ranges from `from` may end, the farthest first: (index, seal).
    fn seals_in(&self, no: i64, stretch: &Stretch, from: usize) -> Vec<(usize, [u8; 64])> {
        let first = logs::at(no, stretch.first);
        let index = |at: i64| usize::try_from(at - first).unwrap_or(usize::MAX);
        let end = (from + ENTRIES_MAX).min(stretch.entries.len());
        let seq = |index: usize| logs::at(no, stretch.first + index as u64);
        let near = self.seals.range(seq(from)..seq(end)).rev();
        near.filter(|(at, (link, _))| {
            stretch.entries.get(index(**at)).is_some_and(|entry| entry.link == *link)
        })
        .map(|(at, (_, seal))| (index(*at), *seal))
        .collect()
    }
}

/// Consecutive entries of one log.
struct Stretch {
    first: u64,
    before: Link,
    heads: Vec<Link>,
    entries: Vec<Linked>,
}

/// An entry with what its place in the chain makes of it.
struct Linked {
    entry: Entry,
    run: Run,
    link: Link,
    heads: Vec<Link>,
    /// Whether the store keeps the link before it, so that a range may start here.
    is_start: bool,
}

impl Stretch {
    /// Returns the number of the next entry and the link before it.
    fn end(&self) -> (u64, Link) {
        let seq = self.first + self.entries.len() as u64;
        (seq, self.entries.last().map_or(self.before, |last| last.link))
    }

    fn heads(&self) -> &[Link] {
        self.entries.last().map_or(&self.heads, |last| &last.heads)
    }

    fn push(&mut self, entry: &Entry, run: Run, is_start: bool) {
        let (seq, before) = self.end();
        let heads = entry.control_heads.clone().unwrap_or_else(|| self.heads().to_vec());
        let digest = entry.digest(&heads, |index| run.salt(seq, index));
        let link = chain::next_link(&before, seq, &digest);
        self.entries.push(Linked { entry: entry.clone(), run, link, heads, is_start });
    }

    fn next_start(&self, from: usize) -> usize {
        let starts = self.entries.iter().enumerate().skip(from + 1);
        { starts }.find(|(_, entry)| entry.is_start).map_or(self.entries.len(), |(at, _)| at)
    }

    /// Returns the range from one entry to another, both included, under a seal.
    fn range(&self, row: &LogRow, from: usize, end: usize, seal: [u8; 64]) -> Range {
        let before = from.checked_sub(1).and_then(|before| self.entries.get(before));
        let entries = self.entries.get(from..=end).unwrap_or_default();
        let mut runs: Vec<Run> = Vec::new();
        for linked in entries.iter().filter(|_| row.sort == Sort::Data) {
            let run = &linked.run;
            match runs.last_mut() {
                Some(last) if last.continues(run) => last.count += run.count,
                _ => runs.push(run.clone()),
            }
        }
        Range {
            device: row.device,
            nonce: row.nonce,
            sort: row.sort,
            first: self.first + from as u64,
            link_before: before.map_or(self.before, |before| before.link),
            heads: before.map_or_else(|| self.heads.clone(), |before| before.heads.clone()),
            seal,
            runs,
            entries: entries.iter().map(|linked| linked.entry.clone()).collect(),
        }
    }
}
