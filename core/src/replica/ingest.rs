//! Packs from outside: opened, verified and judged before anything is stored, then absorbed in
//! steps that keep no tap waiting.
//!
//! A pack that cannot be used yet (key, author or team list missing) is kept whole and tried again
//! when that may have changed. Entries beyond a gap are provisional: seen, not counted in the
//! vector. Must not know: how the pack came.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::branch::{self, Rest, Route, route};
use super::mind::{Mind, extend};
use super::standing::Shift;
use super::step::{Content, Incoming, Step};
use super::{Changed, Replica};
use crate::clock::Env;
use crate::error::{Error, Kind, Result};
use crate::ids::{Digest, Link, LogId, SpaceId};
use crate::log::chain::{self, Sort};
use crate::log::entry::{Body, Entry, kind};
use crate::log::item::Place;
use crate::log::pack::{self, Extent, Header, Range, Verified};
use crate::record::declare::Role;
use crate::store::logs::{self, Chained, LogRow};
use crate::team::control::Act;
use crate::team::history::Verdict;

/// The most entries that one transaction takes in: under 50 ms of work.
const STEP_ENTRIES_MAX: usize = 2_048;
/// The most packs that wait for a key, an author or a team list.
const HELD_PACKS_MAX: i64 = 256;

/// What became of a pack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Entries that are new here.
    pub entries: u64,
    /// Entries that were here already.
    pub duplicates: u64,
    /// Of the new ones: those that are kept apart, written past a removal (`E-AFTER-REMOVAL`).
    pub quarantined: u64,
    /// Records that changed; where views had to be made anew, not all of them.
    pub changed: Vec<Changed>,
    /// Lockboxes for this device that do not open (`E-LOCKBOX`): who made them is named.
    pub broken: Vec<Error>,
    /// Why the pack waits, when it does.
    pub held: Option<Kind>,
    /// Whether members or keys changed.
    pub team_changed: bool,
    /// The own log that another copy of this store wrote to: this one goes on in another.
    pub restored: Option<LogId>,
    /// The log of which another history came: both are kept, and its device is to be replaced.
    pub forked: Option<LogId>,
}

impl Ingested {
    /// Adds what became of another pack.
    pub fn add(&mut self, other: Self) {
        self.entries += other.entries;
        self.duplicates += other.duplicates;
        self.quarantined += other.quarantined;
        self.broken.extend(other.broken);
        self.changed.extend(other.changed);
        self.held = self.held.or(other.held);
        self.team_changed |= other.team_changed;
        self.restored = self.restored.or(other.restored);
        self.forked = self.forked.or(other.forked);
    }
}

/// A pack that was opened and whose seals hold.
#[derive(Debug)]
pub struct Opened {
    ranges: Vec<(Range, Vec<Verified>)>,
}

impl Opened {
    /// Verifies chain and seal of a range that came in no pack.
    ///
    /// # Errors
    /// As [`Range::verify`]; `E-FORMAT` when it does not open its log.
    pub fn of(space: &SpaceId, range: Range) -> Result<Self> {
        let verified = range.verify(space)?;
        check_opening(&range)?;
        Ok(Self { ranges: vec![(range, verified)] })
    }

    /// Returns how many entries it has.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.ranges.iter().map(|(range, _)| range.entries.len() as u64).sum()
    }

    /// Returns what it carries by logs and branches as they are here; none where that is what its header
    /// says.
    ///
    /// # Errors
    /// `E-DBPAGE`.
    pub fn extents(&self, connection: &Connection, mind: &Mind) -> Result<Option<Vec<Extent>>> {
        if mind.branches.is_empty() {
            return Ok(None);
        }
        let mut extents = Vec::with_capacity(self.ranges.len());
        for (range, verified) in &self.ranges {
            extents.extend(mind.extents(connection, range, verified)?);
        }
        Ok(Some(extents))
    }

    /// Tells whether every item's content is there, so that the pack covers what it says.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let entries = self.ranges.iter().flat_map(|(range, _)| &range.entries);
        entries.flat_map(|entry| &entry.items).all(|item| matches!(item, Body::Bytes(_)))
    }
}

/// Opens a pack and verifies every chain and seal in it; touches no store.
///
/// # Errors
/// `E-SPACE` for another team's pack, `E-WAIT-KEY` without its key, and what the pack's own
/// checks give.
pub fn open(mind: &Mind, header: &Header, bytes: &[u8]) -> Result<Opened> {
    let space = mind.space()?;
    if header.space != space {
        return Err(Error::new(Kind::Space, "a pack of another team"));
    }
    let key = match header.open {
        true => None,
        false => match mind.epochs.get(&header.epoch) {
            Some(secret) => Some(secret.pack_key()),
            None => return Err(Error::new(Kind::WaitKey, format!("epoch {}", header.epoch))),
        },
    };
    let mut ranges = Vec::with_capacity(header.ranges.len());
    for range in pack::open(bytes, header, key.as_ref())? {
        ranges.extend(Opened::of(&space, range)?.ranges);
    }
    Ok(Opened { ranges })
}

/// Checks that a range from the start of a log begins with the entry that opens this very log.
fn check_opening(range: &Range) -> Result<()> {
    if range.first > 0 {
        return Ok(());
    }
    let bad = || Error::new(Kind::Format, format!("a log of {} does not open", range.device));
    let entry = range.entries.first().ok_or_else(bad)?;
    let Some(Body::Bytes(bytes)) = entry.items.first() else {
        return Err(bad());
    };
    match Act::decode(entry.kind, bytes)? {
        Act::LogOpen(open)
            if open.device == range.device
                && open.nonce == range.nonce
                && open.sort == range.sort =>
        {
            Ok(())
        }
        _ => Err(bad()),
    }
}

impl Replica {
    /// Takes in a whole pack, from a file or a hub.
    ///
    /// # Errors
    /// What makes the pack worthless: `E-MAGIC`, `E-SPACE`, `E-SIG`, `E-BODY`, `E-FORK` and the
    /// like; then nothing of it was stored, or only whole steps before a fork was seen.
    pub fn ingest(&mut self, bytes: &[u8]) -> Result<Ingested> {
        let header = Header::read(bytes)?;
        let opened = match open(&self.mind, &header, bytes) {
            Ok(opened) => opened,
            Err(error) if error.kind == Kind::WaitKey => return self.hold(bytes, error.kind),
            Err(error) => return Err(error),
        };
        self.ingest_or_hold(&opened, bytes)
    }

    /// Takes in a pack that was opened from `bytes`, or keeps it while its author or the team
    /// list that it cites is unknown, or the beginning of its history.
    ///
    /// # Errors
    /// As [`Replica::ingest`].
    pub fn ingest_or_hold(&mut self, opened: &Opened, bytes: &[u8]) -> Result<Ingested> {
        match self.ingest_opened(opened) {
            Err(error)
                if matches!(error.kind, Kind::NotMember | Kind::WaitMembers | Kind::Fork) =>
            {
                self.hold(bytes, error.kind)
            }
            outcome => outcome,
        }
    }

    /// Takes in a pack that was opened already, in steps.
    ///
    /// # Errors
    /// `E-NOTMEMBER`, `E-WAIT-MEMBERS` before anything is stored; `E-FORK`; of the store.
    pub fn ingest_opened(&mut self, opened: &Opened) -> Result<Ingested> {
        for (range, verified) in &opened.ranges {
            judge(&self.mind, range, verified)?;
        }
        let mut outcome = Ingested { changed: self.settle_views()?, ..Ingested::default() };
        for (range, verified) in &opened.ranges {
            let id = range.log_id(&self.mind.space()?);
            if self.check_own(range)? {
                outcome.restored = Some(id);
            }
            for start in (0..range.entries.len()).step_by(STEP_ENTRIES_MAX) {
                let end = (start + STEP_ENTRIES_MAX).min(range.entries.len());
                let step = |replica: &mut Self| {
                    replica.transact(|transaction, mind, env| {
                        take_in(transaction, mind, env, (range, verified), start..end)
                    })
                };
                let mut taken = step(self);
                if taken.as_ref().is_err_and(|error| error.kind == Kind::Fork)
                    && self.leave_forked(&id)?
                {
                    outcome.restored = Some(id);
                    taken = step(self);
                }
                outcome.add(taken?);
            }
        }
        outcome.changed.extend(self.settle_views()?);
        if outcome.team_changed || (outcome.entries > 0 && self.waits_for_histories()?) {
            outcome.add(self.retry_held()?);
        }
        Ok(outcome)
    }

    /// Keeps a pack that cannot be used yet, whole.
    pub(super) fn hold(&mut self, bytes: &[u8], reason: Kind) -> Result<Ingested> {
        self.transact(|transaction, _, _| {
            let held: i64 =
                transaction.query_row("SELECT count(*) FROM held", [], |row| row.get(0))?;
            if held < HELD_PACKS_MAX { put_held(transaction, bytes, reason) } else { Ok(()) }
        })?;
        Ok(Ingested { held: Some(reason), ..Ingested::default() })
    }

    /// Tells whether packs wait for the beginning of their history.
    ///
    /// # Errors
    /// Of the store.
    pub fn waits_for_histories(&self) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM held WHERE reason = ?)";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row([Kind::Fork.code()], |row| row.get(0))?)
    }

    /// Tries the packs that were kept for later once more.
    ///
    /// Done when the team changes, and at open, because a crash may have come in between.
    pub(super) fn retry_held(&mut self) -> Result<Ingested> {
        let mut waiting: Vec<Digest> = Vec::new();
        {
            let mut statement = self.connection.prepare_cached("SELECT id FROM held")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            for row in rows {
                waiting.push(row?);
            }
        }
        let mut outcome = Ingested::default();
        for id in waiting {
            let sql = "SELECT bytes FROM held WHERE id = ?";
            let row = self.connection.query_row(sql, [id], |row| row.get(0));
            // A pack that brought the team list may have tried all others already.
            let Some(bytes): Option<Vec<u8>> = row.optional()? else {
                continue;
            };
            let done = match self.ingest(&bytes) {
                Ok(ingested) => {
                    let held = ingested.held.is_some();
                    outcome.add(Ingested { held: None, ..ingested });
                    !held
                }
                // Worthless after all: it was refused with its reason when it was tried.
                Err(error) => !error.kind.is_retryable(),
            };
            if done {
                self.transact(|transaction, _, _| {
                    transaction.execute("DELETE FROM held WHERE id = ?", [id])?;
                    Ok(())
                })?;
            }
        }
        Ok(outcome)
    }
}

/// Tells whether the author was ever granted, and whether the team list that it cites is here. Which
/// entries go into views is for each of them to be told.
fn judge(mind: &Mind, range: &Range, verified: &[Verified]) -> Result<()> {
    if range.sort == Sort::Control {
        return Ok(());
    }
    let log = range.log_id(&mind.space()?);
    if mind.members.standing(&range.device, &log, None).is_none() {
        return Err(Error::new(Kind::NotMember, format!("device {}", range.device)));
    }
    let mut last: Option<&[Link]> = None;
    for entry in verified {
        let heads: &[Link] = &entry.heads;
        if last.is_some_and(|last| std::ptr::eq(last, heads)) {
            continue;
        }
        last = Some(heads);
        if heads.iter().any(|head| !mind.members.links.contains(head)) {
            let what = format!("device {} cites a team list that is not here", range.device);
            return Err(Error::new(Kind::WaitMembers, what));
        }
    }
    Ok(())
}

/// Takes in the entries `part` of a range: one step, one transaction.
fn take_in(
    transaction: &Transaction<'_>,
    mind: &mut Mind,
    env: &mut Env,
    (range, verified): (&Range, &[Verified]),
    part: std::ops::Range<usize>,
) -> Result<Ingested> {
    let space = mind.space()?;
    let id = range.log_id(&space);
    let root = match mind.by_id.get(&id) {
        Some(index) => *index,
        None => {
            let mut row = LogRow::empty(&space, range.device, range.sort, range.nonce);
            logs::insert(transaction, &mut row)?;
            mind.add_log(row)
        }
    };
    let mut outcome = Ingested::default();
    let parts = places(transaction, mind, env, (range, verified), (root, &part), &mut outcome)?;
    let mut items = Vec::new();
    for (index, part) in parts {
        let no = mind.logs[index].row.no;
        let at = (range.first + part.start as u64, range.first + part.end as u64);
        while let Some(stretch) = unlike(transaction, mind, index, at, (range, verified))? {
            branch::set_loose(transaction, mind, env, index, stretch)?;
        }
        let mut fresh = Vec::with_capacity(part.len());
        for offset in part {
            let seq = verified[offset].seq;
            if mind.logs[index].holds(seq) {
                outcome.duplicates += 1;
                let indexes = fill_hole(transaction, mind, (no, seq), &range.entries[offset])?;
                items.extend((!indexes.is_empty()).then_some((index, offset, indexes)));
            } else {
                fresh.push(offset);
            }
        }
        outcome.entries += fresh.len() as u64;
        store(transaction, mind, index, range, verified, &fresh)?;
        items.extend(fresh.into_iter().map(|offset| (index, offset, Vec::new())));
    }
    if range.sort == Sort::Control {
        mind.load_members(transaction)?;
        mind.keep_shift(transaction)?;
        outcome.broken = mind.open_lockboxes(transaction)?;
        outcome.team_changed = outcome.entries > 0;
        return Ok(outcome);
    }
    if (range.first == 0 && part.start == 0) || mind.is_forked(&id) {
        // The entry that opens the log says which grant it is of; one that a cut names says which of
        // several histories is meant.
        for index in mind.family(&id) {
            mind.stand(transaction, index)?;
        }
        mind.keep_shift(transaction)?;
    }
    if mind.shift == Shift::Rebuild {
        // The views are made anew from what is stored now.
        return Ok(outcome);
    }
    show(transaction, mind, (range, verified), items, &mut outcome)?;
    Ok(outcome)
}

/// Finds in which logs and branches the entries of a part belong, by index and offsets; another
/// history is attached.
fn places(
    transaction: &Transaction<'_>,
    mind: &mut Mind,
    env: &mut Env,
    (range, verified): (&Range, &[Verified]),
    (root, part): (usize, &std::ops::Range<usize>),
    outcome: &mut Ingested,
) -> Result<Vec<(usize, std::ops::Range<usize>)>> {
    let id = mind.logs[root].row.id;
    let Route { mut parts, rest } = route(transaction, mind, root, range, verified, part)?;
    match rest {
        Rest::None => {}
        Rest::Loose => {
            // Beyond a gap, unless it is of another history or meets what is.
            let at = (range.first + part.start as u64, range.first + part.end as u64);
            let is_beyond = at.0 > mind.logs[root].row.next && !mind.is_forked(&id);
            if !is_beyond || unlike(transaction, mind, root, at, (range, verified))?.is_some() {
                return Err(branch::told(&range.device));
            }
            parts.push((root, part.clone()));
        }
        Rest::Fork(..) if mind.grows_here(&id) => return Err(branch::told(&range.device)),
        Rest::Fork(index, seq) => {
            // Of which history it is what lies beyond a gap, nobody knows any more.
            while let Some(stretch) = mind.logs[index].ahead.first().copied() {
                branch::set_loose(transaction, mind, env, index, stretch)?;
            }
            let offset = usize::try_from(seq - range.first).unwrap_or(usize::MAX);
            let no = branch::attach(transaction, mind, index, seq, verified[offset].link)?;
            let goes_on = mind.logs.iter().position(|log| log.row.no == no);
            parts.extend(goes_on.map(|index| (index, offset..part.end)));
            outcome.forked = Some(id);
        }
    }
    Ok(parts)
}

/// Brings entries into the views: all items of each, or those at the indexes that came now.
fn show(
    transaction: &Transaction<'_>,
    mind: &mut Mind,
    (range, verified): (&Range, &[Verified]),
    items: Vec<(usize, usize, Vec<u32>)>,
    outcome: &mut Ingested,
) -> Result<()> {
    let mut step = Step::new(transaction, mind);
    let mut accepted = Vec::with_capacity(items.len());
    for (index, offset, indexes) in items {
        let entry = (&range.entries[offset], &verified[offset]);
        let log = &step.mind().logs[index];
        let (id, no, verdict) = (log.row.id, log.row.no, log.verdict(entry.1.seq).clone());
        match verdict {
            Verdict::Accepted(role) => {
                step.expect(logs::at(no, entry.1.seq), entry.0, &indexes);
                accepted.push((id, role, entry, indexes));
            }
            Verdict::Quarantined(_) if indexes.is_empty() => {
                set_apart(&mut step, id, no, entry)?;
                outcome.quarantined += 1;
            }
            Verdict::Quarantined(_) => {}
        }
    }
    for (log, role, entry, indexes) in accepted {
        feed(&mut step, log, role, entry, &indexes)?;
    }
    if outcome.quarantined > 0 {
        step.adopt_again()?;
    }
    outcome.changed = step.finish()?;
    Ok(())
}

/// Hands items of one entry to a step: those at `indexes`, or all when there are none.
fn feed(
    step: &mut Step<'_>,
    log: LogId,
    role: Option<Role>,
    (entry, verified): (&Entry, &Verified),
    indexes: &[u32],
) -> Result<()> {
    if entry.kind != kind::WRITE {
        return step.close_entry(log, verified.seq);
    }
    for (index, (item, digest)) in (0_u32..).zip(entry.items.iter().zip(&verified.item_digests)) {
        let place = Place { log, seq: verified.seq, index };
        if !indexes.is_empty() && !indexes.contains(&index) {
            continue;
        }
        match item {
            Body::Bytes(bytes) => step.absorb(Incoming {
                place,
                hlc: entry.hlc,
                digest: *digest,
                content: match step.mind().read_item(bytes, &log) {
                    Ok(item) => Content::Item(item),
                    // Read again, and noted as what it is, in its turn.
                    Err(_) => Content::Bytes(bytes.clone()),
                },
                role,
            })?,
            Body::Absent(_) => step.note_hole(place)?,
        }
    }
    step.close_entry(log, verified.seq)
}

/// Keeps a pack, whole, until what it waits for may have come.
pub(super) fn put_held(transaction: &Transaction<'_>, bytes: &[u8], reason: Kind) -> Result<()> {
    let sql = "INSERT OR IGNORE INTO held (id, reason, bytes) VALUES (?, ?, ?)";
    let id = pack::pack_id(bytes);
    transaction.prepare_cached(sql)?.execute(params![id, reason.code(), bytes])?;
    Ok(())
}

/// Keeps an entry apart that its author had no right to write.
fn set_apart(
    step: &mut Step<'_>,
    log: LogId,
    no: i64,
    (entry, verified): (&Entry, &Verified),
) -> Result<()> {
    for (index, item) in (0..).zip(&entry.items) {
        if let Body::Absent(_) = item {
            step.note_hole(Place { log, seq: verified.seq, index })?;
        }
    }
    step.quarantine(logs::at(no, verified.seq))
}

/// Returns a stretch beyond a gap of a log that a part of a range meets or overlaps and that is of
/// another history.
fn unlike(
    transaction: &Transaction<'_>,
    mind: &Mind,
    index: usize,
    (first, end): (u64, u64),
    (range, verified): (&Range, &[Verified]),
) -> Result<Option<(u64, u64)>> {
    let link_before = |seq: u64| {
        let offset = usize::try_from(seq - range.first).unwrap_or(usize::MAX);
        match offset.checked_sub(1) {
            None => Some(range.link_before),
            Some(offset) => verified.get(offset).map(|entry| entry.link),
        }
    };
    let known = &mind.logs[index];
    for (start, stop) in &known.ahead {
        // Chains that are equal where the later of both begins or the earlier ends were so before.
        let last = end.min(*stop);
        if last < first.max(*start) {
            continue;
        }
        let link = match last == *start {
            true => logs::before_segment(transaction, known.row.no, *start)?.map(|(link, _)| link),
            false => Some(link_at(transaction, mind, index, last)?.0),
        };
        if link != link_before(last) {
            return Ok(Some((*start, *stop)));
        }
    }
    Ok(None)
}

/// Returns the link before entry `seq` of a log, and the control heads in force there.
///
/// # Errors
/// `E-BODY-MISSING` when the log does not reach so far, `E-DBPAGE`.
pub fn link_at(
    connection: &Connection,
    mind: &Mind,
    index: usize,
    seq: u64,
) -> Result<(Link, Vec<Link>)> {
    let space = mind.space()?;
    let row = &mind.logs[index].row;
    if let Some(parent) = row.parent.filter(|_| seq <= row.base) {
        // What is before a branch is that of the log that it comes from.
        let what = || Error::new(Kind::DbPage, "a branch of an unknown log");
        let parent = *mind.by_id.get(&parent).ok_or_else(what)?;
        return link_at(connection, mind, parent, seq);
    }
    if seq == 0 {
        return Ok((chain::first_link(&space, &row.id), Vec::new()));
    }
    if seq == row.next {
        return Ok((row.link, row.heads.clone()));
    }
    if let Some(before) = logs::before_segment(connection, row.no, seq)? {
        return Ok(before);
    }
    let missing = || Error::new(Kind::BodyMissing, format!("entry {} of a log", seq - 1));
    let segment = logs::segment_of(connection, row.no, seq - 1)?.ok_or_else(missing)?;
    let (mut link, mut heads) = (segment.before, segment.heads_before);
    let runs = match row.sort {
        Sort::Control => Vec::new(),
        Sort::Data => logs::runs(connection, row.no, segment.first, seq)?,
    };
    for (at, entry) in (segment.first..seq).zip(segment.entries) {
        if let Some(changed) = &entry.control_heads {
            heads.clone_from(changed);
        }
        let run = runs.iter().find(|run| run.covers(at));
        let digest = entry.digest(&heads, |i| run.map(|r| r.salt(at, i)).unwrap_or_default());
        link = chain::next_link(&link, at, &digest);
    }
    Ok((link, heads))
}

/// Writes the fresh entries of a range, which may lie in several stretches.
fn store(
    transaction: &Transaction<'_>,
    mind: &mut Mind,
    index: usize,
    range: &Range,
    verified: &[Verified],
    fresh: &[usize],
) -> Result<()> {
    if fresh.is_empty() {
        // Above all for the own log, whose end on disk may lag behind its tail of rows.
        return Ok(());
    }
    let no = mind.logs[index].row.no;
    for stretch in fresh.chunk_by(|a, b| a + 1 == *b) {
        let (Some(first), Some(last)) = (stretch.first(), stretch.last()) else {
            continue;
        };
        let mut entries = Vec::with_capacity(stretch.len());
        for offset in *first..=*last {
            let (before, heads_before) = match offset.checked_sub(1) {
                None => (range.link_before, range.heads.clone()),
                Some(before) => (verified[before].link, verified[before].heads.to_vec()),
            };
            let bytes = range.entries[offset].encode();
            entries.push(Chained { seq: verified[offset].seq, before, heads_before, bytes });
        }
        logs::write_segments(transaction, no, &entries)?;
        let (start, end) = (verified[*first].seq, verified[*last].seq + 1);
        for run in range.runs.iter().filter(|run| run.first < end && run.first + run.count > start)
        {
            logs::put_run(transaction, no, run)?;
        }
        if end == range.last() + 1 {
            let link = &verified[*last].link;
            logs::put_seal(transaction, no, range.last(), link, &range.seal)?;
        }
        let known = &mut mind.logs[index];
        if start == known.row.next {
            known.row.next = end;
            known.row.link = verified[*last].link;
            known.row.heads = verified[*last].heads.to_vec();
            close_gap(transaction, mind, index)?;
        } else {
            extend(&mut known.ahead, start, end);
        }
    }
    logs::advance(transaction, &mind.logs[index].row)
}

/// Moves the end of a log over a stretch that was ahead and now follows without a gap.
fn close_gap(transaction: &Transaction<'_>, mind: &mut Mind, index: usize) -> Result<()> {
    let known = &mind.logs[index];
    let next = known.row.next;
    let Some(position) = known.ahead.iter().position(|(first, _)| *first == next) else {
        return Ok(());
    };
    let (_, end) = known.ahead[position];
    let segment = logs::segment_of(transaction, known.row.no, next)?;
    if segment.is_none_or(|segment| segment.before != known.row.link) {
        let what = format!("device {} has two histories", known.row.device);
        return Err(Error::new(Kind::Fork, what));
    }
    let (link, heads) = link_at(transaction, mind, index, end)?;
    let known = &mut mind.logs[index];
    known.row.next = end;
    known.row.link = link;
    known.row.heads = heads;
    known.ahead.remove(position);
    Ok(())
}

/// Puts content where only a digest was, when another copy of the entry brings it.
///
/// Returns the indexes of the items that were absent.
fn fill_hole(
    transaction: &Transaction<'_>,
    mind: &mut Mind,
    (no, seq): (i64, u64),
    entry: &Entry,
) -> Result<Vec<u32>> {
    let at = logs::at(no, seq);
    let indexes = (0_u32..).zip(&entry.items).map(|(index, _)| index);
    let absent: Vec<u32> = indexes.filter(|index| mind.holes.contains(&(at, *index))).collect();
    let is_absent = |item: &Body| matches!(item, Body::Absent(_));
    if absent.is_empty() || entry.items.iter().any(is_absent) {
        return Ok(Vec::new());
    }
    logs::replace_entry(transaction, no, seq, entry)?;
    transaction.execute("DELETE FROM hole WHERE at = ?", [at])?;
    for index in &absent {
        mind.holes.remove(&(at, *index));
    }
    Ok(absent)
}
