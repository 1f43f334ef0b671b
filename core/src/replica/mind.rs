//! What a replica knows by heart: its identity, logs, members, keys and waiting items.
//!
//! All of it is read from disk at open; nothing here exists only in memory. Must not know:
//! sessions, commands.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use rusqlite::Connection;

use super::ingest::link_at;
use super::standing::Shift;
use crate::clock::Hlc;
use crate::codec::{Reader, Writer};
use crate::crypto::DeviceSecret;
use crate::error::{Error, Kind, Result};
use crate::ids::{EpochId, Link, LogId, PersonId, RecordId, RequestId, SpaceId};
use crate::log::chain::{self, RUN_ENTRIES_MAX, Run, Salts, Sort};
use crate::log::entry::{Body, Entry, kind};
use crate::log::item::Place;
use crate::record::declare::Declaration;
use crate::record::document::{Build, Document};
use crate::store::fence::Fence;
use crate::store::logs::{self, LogRow};
use crate::store::views::View;
use crate::team::control::{Act, LogOpen};
use crate::team::epoch::EpochSecret;
use crate::team::history::Piece;
use crate::team::members::{ControlEntry, Members};

/// The setting that holds the [`Identity`].
pub(super) const IDENTITY: &str = "identity";
/// The setting that holds the last (counter, vector hash) that this device signed.
pub const ACK_SIGNED: &str = "ack_signed";
/// The setting that names the own data log. A former one of this device has the same key and is
/// never appended to again: after damage nobody knows whether its end is the end.
const OWN_LOG: &str = "own_log";
/// The setting that says how many entries the own control log is known to have had; written when
/// some of them were lost.
const CONTROL_NEXT: &str = "own_control_next";

/// The setting that names the life of this store, as the fence does.
pub(super) const INSTALL: &str = "install";
/// The setting that is there until somebody was told that this is a restored copy.
pub(super) const RESTORED: &str = "restored";
/// Of an own control log of which nobody here knows how long it was.
pub(super) const CONTROL_UNKNOWN: u64 = 1 << 40;
/// Of an own control log with two histories: it never grows again.
pub(super) const CONTROL_FORKED: u64 = CONTROL_UNKNOWN + 1;

/// Who this device is. Lives inside the encrypted store only.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The device's secrets.
    pub secret: DeviceSecret,
    /// The person whose device it is.
    pub person: PersonId,
    /// The space, once the device has founded or joined one.
    pub space: Option<SpaceId>,
    /// The recovery secret that a founder prints and then forgets.
    pub recovery: Option<[u8; 32]>,
}

impl Identity {
    /// Encodes the identity for the encrypted store.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::new();
        to.array(5).bytes(&self.secret.sign).bytes(&self.secret.unbox).bytes(&self.person.0);
        match &self.space {
            None => to.null(),
            Some(space) => to.bytes(&space.0),
        };
        match &self.recovery {
            None => to.null(),
            Some(secret) => to.bytes(secret),
        };
        to.into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut from = Reader::new(bytes);
        from.tuple(5)?;
        let secret = DeviceSecret { sign: from.array_bytes()?, unbox: from.array_bytes()? };
        let person = PersonId(from.array_bytes()?);
        let space = if from.null()? { None } else { Some(SpaceId(from.array_bytes()?)) };
        let recovery = if from.null()? { None } else { Some(from.array_bytes()?) };
        Ok(Self { secret, person, space, recovery })
    }
}

/// One log and the stretches of it that lie beyond a gap.
#[derive(Debug, Clone)]
pub struct KnownLog {
    /// The log; for the own data log its end is that of the tail.
    pub row: LogRow,
    /// Stretches (first, end) beyond a gap: verified by their seals, provisional until it closes.
    pub ahead: Vec<(u64, u64)>,
    /// The grant that its first entry names, read only where the device had several.
    pub grant: Option<Link>,
    /// What becomes of its entries, by the members; nothing in a control log.
    pub pieces: Vec<Piece>,
}

impl KnownLog {
    /// Tells whether entry `seq` is here.
    #[must_use]
    pub fn holds(&self, seq: u64) -> bool {
        (self.row.base..self.row.next).contains(&seq)
            || self.ahead.iter().any(|(first, end)| (*first..*end).contains(&seq))
    }
}

/// The end of the own data log.
#[derive(Debug, Clone)]
pub struct Own {
    /// Its index in [`Mind::logs`].
    pub index: usize,
    /// The clock of its last entry.
    pub hlc: Hlc,
    /// The current run of salts.
    pub run: Option<Run>,
    /// How many entries and bytes follow the last seal.
    pub unsealed: (u64, u64),
    /// The first entry that lies in the tail of rows, not in a segment.
    pub tail: u64,
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// The entry's sequence number.
    pub seq: u64,
    /// The first record that it wrote to.
    pub record: RecordId,
    /// The caller's note.
    pub note: i64,
}

/// What a replica knows by heart.
#[derive(Debug)]
pub struct Mind {
    /// The record types.
    pub schema: &'static [&'static Declaration],
    /// What builds the document of a merge; a test hands in one that fails.
    pub build: Build,
    /// Their views.
    pub views: Arc<Vec<View>>,
    /// Who this device is; none before `init`.
    pub identity: Option<Identity>,
    /// Every log, in the order of local numbers.
    pub logs: Vec<KnownLog>,
    /// Index in `logs` by id.
    pub by_id: HashMap<LogId, usize>,
    /// Of each forked log its branches, as indexes in `logs`.
    pub branches: BTreeMap<LogId, Vec<usize>>,
    /// The own data log, once it is open.
    pub own: Option<Own>,
    /// How many entries the own control log must have before it grows here again.
    pub control_next: u64,
    /// Whether this was found to be a restored copy, and nobody was told yet.
    pub restored: bool,
    /// What has left of the own logs, as the fence's file says; none without such a file.
    pub fence: Option<Fence>,
    /// Who is in the space.
    pub members: Arc<Members>,
    /// The epoch secrets that this device holds.
    pub epochs: BTreeMap<EpochId, EpochSecret>,
    /// For each missing item: those that wait for it.
    pub waiting: BTreeMap<Place, Vec<(i64, u32)>>,
    /// The items that wait.
    pub pending: HashSet<(i64, u32)>,
    /// The items whose content is absent.
    pub holes: HashSet<(i64, u32)>,
    /// The entries that are kept apart, by row number.
    pub quarantine: BTreeSet<i64>,
    /// Whether the views still follow from an older team list.
    pub shift: Shift,
    /// Lockboxes for this device that did not open.
    pub broken: BTreeSet<Vec<u8>>,
    /// While the views are rebuilt: where each log's part that they hold already ends.
    pub rebuilt: Option<HashMap<i64, u64>>,
    /// Recent requests and what came of them.
    pub requests: HashMap<RequestId, Remembered>,
}

impl Mind {
    /// Reads everything from disk.
    ///
    /// # Errors
    /// `E-DBPAGE` and the like.
    pub fn load(connection: &Connection, schema: &'static [&'static Declaration]) -> Result<Self> {
        let identity = logs::meta(connection, IDENTITY)?;
        let identity = identity.map(|bytes| Identity::decode(&bytes)).transpose()?;
        let mut mind = Self {
            schema,
            build: Document::new,
            views: Arc::new(schema.iter().map(|of| View::new(of)).collect()),
            identity,
            logs: Vec::new(),
            by_id: HashMap::new(),
            branches: BTreeMap::new(),
            own: None,
            control_next: 0,
            restored: logs::meta(connection, RESTORED)?.is_some(),
            fence: None,
            members: Arc::default(),
            epochs: BTreeMap::new(),
            waiting: BTreeMap::new(),
            pending: HashSet::new(),
            holes: HashSet::new(),
            quarantine: BTreeSet::new(),
            shift: Shift::None,
            broken: BTreeSet::new(),
            rebuilt: None,
            requests: HashMap::new(),
        };
        for row in logs::all(connection)? {
            mind.add_log(row);
        }
        mind.find_branches();
        mind.load_members(connection)?;
        mind.load_quarantine(connection)?;
        mind.load_epochs(connection)?;
        mind.load_ahead(connection)?;
        mind.load_pending(connection)?;
        mind.load_holes(connection)?;
        mind.load_own(connection)?;
        Ok(mind)
    }

    /// Reads everything from disk again, inside a transaction that changed which logs there are.
    ///
    /// # Errors
    /// `E-DBPAGE` and the like.
    pub(super) fn read_anew(&mut self, connection: &Connection) -> Result<()> {
        let fence = self.fence.take();
        *self = Self { fence, build: self.build, ..Self::load(connection, self.schema)? };
        Ok(())
    }

    /// Keeps the identity.
    ///
    /// # Errors
    /// `E-FULL`, `E-IO` and the like.
    pub fn set_identity(
        &mut self,
        transaction: &rusqlite::Transaction<'_>,
        identity: Identity,
    ) -> Result<()> {
        logs::set_meta(transaction, IDENTITY, &identity.encode())?;
        self.identity = Some(identity);
        Ok(())
    }

    /// Makes a log the own data log; the former one stays as it is.
    ///
    /// # Errors
    /// `E-FULL`, `E-IO` and the like.
    pub(super) fn set_own(
        &mut self,
        transaction: &rusqlite::Transaction<'_>,
        index: usize,
    ) -> Result<()> {
        logs::set_meta(transaction, OWN_LOG, &self.logs[index].row.id.0)?;
        self.own = Some(Own { index, hlc: Hlc::default(), run: None, unsealed: (0, 0), tail: 0 });
        Ok(())
    }

    /// Names no data log as the own one: the next write opens another.
    ///
    /// # Errors
    /// `E-FULL`, `E-IO` and the like.
    pub(super) fn leave_own(&mut self, transaction: &rusqlite::Transaction<'_>) -> Result<()> {
        transaction.execute("DELETE FROM meta WHERE key = ?", [OWN_LOG])?;
        self.own = None;
        self.requests.clear();
        Ok(())
    }

    /// Returns before which entry a log may leave this phone now: of a log that grows here, what is
    /// behind the fence.
    #[must_use]
    pub fn may_leave(&self, log: &KnownLog) -> u64 {
        match &self.fence {
            Some(fence) if self.grows_here(&log.row.id) => {
                fence.mark(&log.row.id).map_or(0, |mark| mark.next.min(log.row.next))
            }
            _ => log.row.next,
        }
    }

    /// Keeps how many entries the own control log must have before it grows here again.
    ///
    /// # Errors
    /// `E-FULL`, `E-IO` and the like.
    pub(super) fn set_control_next(
        &mut self,
        transaction: &rusqlite::Transaction<'_>,
        next: u64,
    ) -> Result<()> {
        logs::set_meta(transaction, CONTROL_NEXT, Writer::new().uint(next).as_slice())?;
        self.control_next = next;
        Ok(())
    }

    /// Tells whether a log grows on this phone and nowhere else: the own data log, and the own
    /// control log unless its end was lost. A former log comes back from colleagues as any other.
    #[must_use]
    pub fn grows_here(&self, id: &LogId) -> bool {
        let Some(index) = self.by_id.get(id) else {
            return false;
        };
        let row = &self.logs[*index].row;
        match row.sort {
            Sort::Data => self.own.as_ref().is_some_and(|own| own.index == *index),
            Sort::Control => {
                let me = self.identity.as_ref().map(|identity| identity.secret.device_key());
                me == Some(row.device) && row.next >= self.control_next
            }
        }
    }

    /// Returns this device's identity.
    ///
    /// # Errors
    /// `E-NOTREADY` before `init`.
    pub fn identity(&self) -> Result<&Identity> {
        self.identity
            .as_ref()
            .ok_or_else(|| Error::new(Kind::NotReady, "this store has no device identity yet"))
    }

    /// Returns the space.
    ///
    /// # Errors
    /// `E-NOTREADY` before the device has founded or joined one.
    pub fn space(&self) -> Result<SpaceId> {
        let space = self.identity()?.space;
        space.ok_or_else(|| Error::new(Kind::NotReady, "this device is in no team yet"))
    }

    /// Adds a log that has its local number.
    pub fn add_log(&mut self, row: LogRow) -> usize {
        let index = self.logs.len();
        self.by_id.insert(row.id, index);
        let pieces = self.members.standing(&row.device, &row.id, None).unwrap_or_default();
        self.logs.push(KnownLog { row, ahead: Vec::new(), grant: None, pieces });
        index
    }

    /// Returns a log by id.
    #[must_use]
    pub fn log(&self, id: &LogId) -> Option<&KnownLog> {
        self.logs.get(*self.by_id.get(id)?)
    }

    /// Returns a log by its local number.
    #[must_use]
    pub fn log_numbered(&self, no: i64) -> Option<&KnownLog> {
        self.logs.iter().find(|log| log.row.no == no)
    }

    /// Returns the local number of a log, 0 for an unknown one.
    #[must_use]
    pub fn local_no(&self, id: &LogId) -> i64 {
        self.log(id).map_or(0, |log| log.row.no)
    }

    /// Returns the view of a record type by its number.
    #[must_use]
    pub fn view(&self, kind: u64) -> Option<usize> {
        self.views.iter().position(|view| view.of.kind == kind)
    }

    /// Returns the epoch that writers use now, and its secret: of those that may seal and are held
    /// here the one of greatest depth, then id. Who is no member any more hands in what it has under
    /// the last key that it holds.
    ///
    /// # Errors
    /// `E-WAIT-KEY` when none is held.
    pub fn epoch(&self) -> Result<(EpochId, &EpochSecret)> {
        let space = self.space()?;
        let me = self.identity()?.secret.device_key();
        let mut usable = self.members.eligible();
        if self.members.removed.contains_key(&me) {
            usable = self.members.epochs.values().collect();
            usable
                .sort_unstable_by_key(|epoch| std::cmp::Reverse((epoch.depth, epoch.id, epoch.at)));
        }
        let held = usable.into_iter().find_map(|epoch| {
            let secret = self.epochs.get(&epoch.id)?;
            secret.makes(&space, epoch).then_some((epoch.id, secret))
        });
        held.ok_or_else(|| Error::new(Kind::WaitKey, "no epoch key to seal with is held"))
    }

    /// Evaluates the control logs anew.
    ///
    /// # Errors
    /// `E-DBPAGE` and the like.
    pub fn load_members(&mut self, connection: &Connection) -> Result<()> {
        let Ok(space) = self.space() else {
            return Ok(());
        };
        let entries = self.control_entries(connection)?;
        self.members = Arc::new(Members::of(&space, &entries));
        self.stand_anew(connection)
    }

    /// Reads the control logs that are here, log by log and in order.
    ///
    /// # Errors
    /// `E-NOTREADY` without a team; `E-DBPAGE` and the like.
    pub fn control_entries(&self, connection: &Connection) -> Result<Vec<ControlEntry>> {
        let mut entries = Vec::new();
        for (index, log) in self.logs.iter().enumerate() {
            if log.row.sort == Sort::Control {
                let before = link_at(connection, self, index, log.row.base)?;
                let log_id = self.root(&log.row.id);
                read_control(connection, (log_id, &log.row), before, &mut entries)?;
            }
        }
        Ok(entries)
    }

    pub(super) fn load_epochs(&mut self, connection: &Connection) -> Result<()> {
        let mut statement = connection.prepare_cached("SELECT id, secret FROM epoch")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.epochs.insert(row.get(0)?, EpochSecret(row.get(1)?));
        }
        Ok(())
    }

    fn load_ahead(&mut self, connection: &Connection) -> Result<()> {
        for log in &mut self.logs {
            for (first, count) in logs::segments_beyond(connection, log.row.no, log.row.next)? {
                extend(&mut log.ahead, first, first + count);
            }
        }
        Ok(())
    }

    fn load_pending(&mut self, connection: &Connection) -> Result<()> {
        let sql = "SELECT dep_log, dep_seq, dep_index, at, item FROM pending";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let place = Place {
                log: row.get(0)?,
                seq: row.get::<_, i64>(1)?.cast_unsigned(),
                index: row.get(2)?,
            };
            let item = (row.get(3)?, row.get(4)?);
            self.waiting.entry(place).or_default().push(item);
            self.pending.insert(item);
        }
        Ok(())
    }

    fn load_holes(&mut self, connection: &Connection) -> Result<()> {
        let mut statement = connection.prepare_cached("SELECT at, item FROM hole")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.holes.insert((row.get(0)?, row.get(1)?));
        }
        Ok(())
    }

    /// Tells whether the views hold entry `seq` of log `no`, as far as a rebuild has come.
    #[must_use]
    pub fn is_rebuilt(&self, no: i64, seq: u64) -> bool {
        let rebuilt = self.rebuilt.as_ref();
        rebuilt.is_none_or(|ends| ends.get(&no).is_some_and(|end| seq < *end))
    }

    /// Finds the end of the own data log: its row, rolled forward over the tail.
    fn load_own(&mut self, connection: &Connection) -> Result<()> {
        if let Some(next) = logs::meta(connection, CONTROL_NEXT)? {
            self.control_next = Reader::new(&next).uint()?;
        }
        let Some(id) = logs::meta(connection, OWN_LOG)? else {
            return Ok(());
        };
        let missing = || Error::new(Kind::DbPage, "the own data log is not there");
        let index = *self.by_id.get(&LogId::from_slice(&id)?).ok_or_else(missing)?;
        let row = &mut self.logs[index].row;
        let tail = row.next;
        let mut hlc = Hlc::default();
        if tail > 0
            && let Some(segment) = logs::segment_of(connection, row.no, tail - 1)?
        {
            let last = usize::try_from(tail - 1 - segment.first).unwrap_or(usize::MAX);
            hlc = segment.entries.get(last).map_or(hlc, |entry| entry.hlc);
        }
        let sql = "SELECT at, bytes, request, record, note, whole FROM entry \
                   WHERE at >= ? AND at < ? ORDER BY at";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([logs::at(row.no, 0), logs::at(row.no + 1, 0)])?;
        let mut bytes_after_seal = 0;
        while let Some(found) = rows.next()? {
            logs::check_whole(found, 5)?;
            let (_, seq) = logs::parts(found.get(0)?);
            let bytes = found.get_ref(1)?.as_blob().unwrap_or_default();
            if let (Some(request), Some(record)) = (found.get(2)?, found.get(3)?) {
                self.requests.insert(request, Remembered { seq, record, note: found.get(4)? });
            }
            if seq < row.next {
                continue;
            }
            bytes_after_seal += bytes.len() as u64;
            hlc = roll_forward(connection, row, seq, bytes)?;
        }
        let sealed = logs::seal_before(connection, row.no, 0, row.next)?;
        let unsealed = row.next - sealed.map_or(0, |(seq, ..)| seq + 1);
        let run = current_run(connection, row)?;
        self.own = Some(Own { index, hlc, run, unsealed: (unsealed, bytes_after_seal), tail });
        Ok(())
    }
}

/// Adds a stretch to stretches that are in order, joining neighbours.
pub fn extend(stretches: &mut Vec<(u64, u64)>, first: u64, end: u64) {
    stretches.push((first, end));
    stretches.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::with_capacity(stretches.len());
    for (first, end) in stretches.drain(..) {
        match joined.last_mut() {
            Some(last) if first <= last.1 => last.1 = last.1.max(end),
            _ => joined.push((first, end)),
        }
    }
    *stretches = joined;
}

/// Applies one entry of the tail to the end of its log, checking the chain as it goes.
fn roll_forward(connection: &Connection, row: &mut LogRow, seq: u64, bytes: &[u8]) -> Result<Hlc> {
    let damaged = || Error::new(Kind::DbPage, format!("the own log is damaged at entry {seq}"));
    if seq != row.next {
        return Err(damaged());
    }
    let entry = Entry::decode(bytes).map_err(|_| damaged())?;
    let runs = logs::runs(connection, row.no, seq, seq + 1)?;
    if let Some(heads) = &entry.control_heads {
        row.heads.clone_from(heads);
    }
    let digest = entry.digest(&row.heads, |index| runs[0].salt(seq, index));
    row.link = chain::next_link(&row.link, seq, &digest);
    row.next = seq + 1;
    Ok(entry.hlc)
}

fn current_run(connection: &Connection, row: &LogRow) -> Result<Option<Run>> {
    if row.next == 0 {
        return Ok(None);
    }
    // The own runs are written with their full length ahead; what is left of the last one is used.
    let last = logs::runs(connection, row.no, row.next - 1, row.next)?;
    let first = (row.next - 1) / RUN_ENTRIES_MAX * RUN_ENTRIES_MAX;
    Ok(match last.into_iter().next() {
        Some(Run { salts: Salts::Seed(seed), .. }) => {
            Some(Run { first, count: RUN_ENTRIES_MAX, salts: Salts::Seed(seed) })
        }
        _ => None,
    })
}

/// Reads the control entries of one log with their links.
fn read_control(
    connection: &Connection,
    (log, row): (LogId, &LogRow),
    (mut link, mut heads): (Link, Vec<Link>),
    into: &mut Vec<ControlEntry>,
) -> Result<()> {
    logs::for_each(connection, row.no, row.base, row.next, |seq, entry| {
        if let Some(changed) = &entry.control_heads {
            heads.clone_from(changed);
        }
        let digest = entry.digest(&heads, |_| Vec::new());
        let before = link;
        link = chain::next_link(&before, seq, &digest);
        let act = match entry.items.first() {
            Some(Body::Bytes(bytes)) => Act::decode(entry.kind, bytes),
            _ => Ok(Act::Unknown(entry.kind)),
        };
        into.push(ControlEntry {
            log,
            device: row.device,
            seq,
            before,
            link,
            heads: heads.clone(),
            act: act.unwrap_or(Act::Unknown(entry.kind)),
        });
        Ok(())
    })
}

/// Reads what the first entry of a log says when it opens the log; none when it is not here.
///
/// # Errors
/// `E-DBPAGE`.
pub fn opening(connection: &Connection, no: i64) -> Result<Option<LogOpen>> {
    let entry = match logs::segment_of(connection, no, 0)? {
        Some(segment) => segment.entries.into_iter().next(),
        None => logs::tail_entry(connection, no, 0)?,
    };
    Ok(entry.and_then(|entry| opening_of(&entry)))
}

/// Returns what an entry says that opens a log.
#[must_use]
pub fn opening_of(entry: &Entry) -> Option<LogOpen> {
    let Some(Body::Bytes(bytes)) = entry.items.first() else {
        return None;
    };
    match Act::decode(entry.kind, bytes) {
        Ok(Act::LogOpen(open)) => Some(open),
        _ => None,
    }
}

/// Tells whether an entry kind belongs to a control log.
#[must_use]
pub fn is_control(number: u64) -> bool {
    number >= kind::CONTROL_LOG_OPEN
}
