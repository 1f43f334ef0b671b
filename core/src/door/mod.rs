//! The one door: everything above the core goes through [`Tuquan`], with few verbs.
//!
//! `apply` is the only way to change anything; reads never wait for a writer; a tap goes before
//! bulk work. Must not know: sockets, files outside of the store's folder, the system's clock.

pub mod attaching;
pub mod changes;
pub mod code;
pub mod command;
pub mod gate;
pub mod query;
pub mod team;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use self::changes::{Change, Changes};
use self::command::{Command, Effect, Planned, Planner};
use self::gate::{Gate, Readers};
use self::query::{Answer, Count, Counts, List, Page, Query, Record, Search};
use crate::clock::Env;
use crate::error::{Error, Kind, Result};
use crate::ids::{DeviceKey, LogId, PersonId, RecordId, RequestId, SpaceId, to_hex};
use crate::log::item::{Place, natural_id};
use crate::record::declare::{Declaration, Role};
use crate::replica::mind::Mind;
use crate::replica::rebuild::Checked;
use crate::replica::salvage::Salvaged;
use crate::replica::{Changed, Replica};
use crate::store::damaged::Damaged;
use crate::store::exchange::{self, Exchange};
use crate::store::open::{Location, Lock, check_key, lock};
use crate::store::views::{self, View};
use crate::sync::session::{ResetCheck, held_elsewhere, reset_check};
use crate::sync::truth::{Truth, Whereabouts, truth};
use crate::team::members::Members;

/// How many entries one step of bulk work writes.
const BATCH: usize = 1_500;

/// How to open a store.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the store is and its key.
    pub location: Location,
    /// The record types; [`crate::domain::DORMITORY`] unless an embedder adds some.
    pub schema: &'static [&'static Declaration],
}

impl Config {
    /// Opens the dormitory's record types at `location`.
    #[must_use]
    pub fn new(location: Location) -> Self {
        Self { location, schema: crate::domain::DORMITORY }
    }
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Applied {
    /// The record.
    pub record: RecordId,
    /// What became of it.
    pub effect: Effect,
    /// The own log's entry that says so; none when nothing was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<EntryAt>,
    /// Whether the phone's clock looks wrong (W-CLOCK); the entry is saved all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clock_suspect: bool,
}

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct EntryAt {
    /// The log.
    pub log: LogId,
    /// The sequence number.
    pub seq: u64,
}

/// Who this device is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct DeviceInfo {
    /// The device.
    pub device: DeviceKey,
    /// The person whose device it is.
    pub person: PersonId,
    /// The team, once the device is in one.
    pub space: Option<SpaceId>,
    /// The domain role, `R1` to `R3`.
    pub role: Option<String>,
    /// The own data log, once something was written.
    pub log: Option<LogId>,
}

/// How many records of a type there are.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct RecordCount {
    /// The record type's name.
    pub kind: String,
    /// How many.
    pub count: u64,
}

/// Sizes and counts of a store.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Stats {
    /// Entries of all data logs.
    pub entries: u64,
    /// Logs.
    pub logs: u64,
    /// Records by type.
    pub records: Vec<RecordCount>,
    /// Records with values to choose from.
    pub conflicts: u64,
    /// Items that wait for another one.
    pub pending: u64,
    /// Items that cannot be read.
    pub damaged: u64,
    /// Packs that wait for a key, an author or a team list.
    pub held: u64,
    /// Of those: packs that wait for a key (`E-WAIT-KEY`).
    pub locked: u64,
    /// Entries that are kept apart until an admin accepts them (`E-AFTER-REMOVAL`).
    pub quarantined: u64,
    /// Bytes of the database.
    pub bytes: u64,
}

/// One open store. Cheap to share between threads.
#[derive(Debug)]
pub struct Tuquan {
    writer: Gate<Replica>,
    readers: Readers,
    views: Arc<Vec<View>>,
    members: RwLock<Arc<Members>>,
    changes: Changes,
    has_read: AtomicBool,
    _lock: Lock,
}

impl Tuquan {
    /// Opens a store, which is made if it does not exist.
    ///
    /// # Errors
    /// `E-BUSY`, `E-DBKEY`, `E-DBPAGE`, `E-DBNEWER`, `E-IO`; nothing was changed then.
    pub fn open(config: Config, env: Env) -> Result<Self> {
        let lock = lock(&config.location)?;
        exchange::finish(&config.location.dir)?;
        check_key(&config.location)?;
        let replica = Replica::open(config.location.clone(), config.schema, env)?;
        Ok(Self {
            views: Arc::clone(&replica.mind.views),
            members: RwLock::new(Arc::clone(&replica.mind.members)),
            changes: Changes::default(),
            has_read: AtomicBool::new(false),
            readers: Readers::new(config.location),
            writer: Gate::new(replica),
            _lock: lock,
        })
    }

    /// Makes a new store of all that can be read of a damaged one, and puts it in its place. The
    /// damaged file stays in the store's folder under the name that the answer tells. What lacks
    /// comes from colleagues at the next meetings; this device goes on in a new data log. For a
    /// store that [`Tuquan::open`] or [`Tuquan::doctor`] found damaged, and that is closed.
    ///
    /// # Errors
    /// `E-IDENTITY` when the device's own keys are lost; `E-DBPAGE` when nothing can be read;
    /// `E-NOTFOUND`, `E-NOTREADY`, `E-BUSY`, `E-DBKEY`, `E-DBNEWER`, `E-FULL`, `E-IO`. The damaged
    /// store is then where it was.
    pub fn salvage(
        config: &Config,
        env: Env,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Salvaged> {
        let location = &config.location;
        let _lock = lock(location)?;
        exchange::finish(&location.dir)?;
        check_key(location)?;
        let exchange = Exchange::start(location)?;
        let fill = || -> Result<Salvaged> {
            let source = Damaged::open(location, &exchange.scratch())?;
            let mut replica = Replica::open(exchange.location(location), config.schema, env)?;
            let saved = replica.salvage(&source, progress)?;
            replica.write_out()?;
            Ok(saved)
        };
        match fill() {
            Ok(saved) => Ok(Salvaged { kept: exchange.finish()?, ..saved }),
            Err(error) => {
                // What remains of it is removed when the next salvage starts.
                let _ = exchange.cancel();
                Err(error)
            }
        }
    }

    /// Makes this device's identity and founds a team with it as admin.
    ///
    /// # Errors
    /// `E-INVALID` when that was done before; of the store.
    pub fn found(&self) -> Result<DeviceInfo> {
        self.bulk(|replica| {
            if replica.mind.identity.is_none() {
                replica.init()?;
            }
            replica.found()
        })?;
        self.device()
    }

    /// Makes this device's identity, to join a team with.
    ///
    /// # Errors
    /// `E-INVALID` when that was done before; of the store.
    pub fn init(&self) -> Result<DeviceInfo> {
        self.bulk(Replica::init)?;
        self.device()
    }

    /// Tells who this device is.
    ///
    /// # Errors
    /// `E-NOTREADY` before [`Tuquan::init`] or [`Tuquan::found`].
    pub fn device(&self) -> Result<DeviceInfo> {
        let replica = self.writer.tap();
        let identity = replica.mind.identity()?;
        let device = identity.secret.device_key();
        let member = replica.mind.members.devices.get(&device);
        let own = replica.mind.own.as_ref();
        Ok(DeviceInfo {
            device,
            person: identity.person,
            space: identity.space,
            role: member.and_then(|member| member.role).map(|role| format!("{role:?}")),
            log: own.map(|own| replica.mind.logs[own.index].row.id),
        })
    }

    /// Does one command, durably: when this returns, it is saved on this phone.
    ///
    /// A repeated request id returns the first answer and writes nothing.
    ///
    /// # Errors
    /// `E-INVALID`, `E-ROLE`, `E-NOTFOUND`, `E-CHANGE-BIG` for the command; `E-REMOVED` once this
    /// device knows that it is no member any more; `E-FULL` means NOT saved; `E-IO` means not sure, and looked up again before it is returned.
    pub fn apply(&self, request: RequestId, command: &Command) -> Result<Applied> {
        self.write_planned(request, |planner| planner.plan(command))
    }

    /// Writes what `plan` wants written, as one entry.
    fn write_planned(
        &self,
        request: RequestId,
        plan: impl FnOnce(&Planner<'_>) -> Result<Planned>,
    ) -> Result<Applied> {
        let mut replica = self.writer.tap();
        replica.refresh()?;
        if let Some(answer) = repeated(&replica.mind, &request) {
            return Ok(answer);
        }
        let now_ms = replica.env.clock.now_ms();
        let role = role_of(&replica.mind)?;
        let mut unchanged = None;
        let written = replica.write(Some(request), |transaction, mind| {
            let planner = Planner { transaction, mind, step: None, now_ms, role };
            let planned = plan(&planner)?;
            if planned.items.is_empty() {
                unchanged = planned.record;
            }
            Ok((planned.items, effect_number(planned.effect)))
        })?;
        let log = own_log(&replica.mind)?;
        drop(replica);
        let Some(written) = written else {
            let record = unchanged.ok_or_else(|| Error::new(Kind::Invalid, "nothing to do"))?;
            let effect = Effect::Unchanged;
            return Ok(Applied { record, effect, entry: None, clock_suspect: false });
        };
        self.note_changes(written.changed.clone());
        Ok(Applied {
            record: written.records.first().copied().unwrap_or_default(),
            effect: effect_of(written.note),
            entry: Some(EntryAt { log, seq: written.seq }),
            clock_suspect: written.clock_suspect,
        })
    }

    /// Does many commands in steps of one transaction each, letting taps go first; a command that
    /// is refused stops only itself.
    ///
    /// # Errors
    /// Of the store; whole steps before it are kept.
    pub fn apply_many(
        &self,
        commands: &[Command],
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<Result<Applied>>> {
        let mut outcomes = Vec::with_capacity(commands.len());
        for batch in commands.chunks(BATCH) {
            outcomes.extend(self.apply_batch(batch)?);
            progress(outcomes.len());
        }
        Ok(outcomes)
    }

    fn apply_batch(&self, batch: &[Command]) -> Result<Vec<Result<Applied>>> {
        let mut replica = self.writer.bulk();
        replica.refresh()?;
        let now_ms = replica.env.clock.now_ms();
        let role = role_of(&replica.mind)?;
        let mut planned: Vec<Result<(Option<RecordId>, Effect)>> = Vec::with_capacity(batch.len());
        let written = replica.write_many(batch.len(), |index, transaction, mind, step| {
            let planner = Planner { transaction, mind, step: Some(step), now_ms, role };
            match planner.plan(&batch[index]) {
                Ok(Planned { items, record, effect }) => {
                    planned.push(Ok((record, effect)));
                    Ok(items)
                }
                Err(error) if is_refusal(error.kind) => {
                    planned.push(Err(error));
                    Ok(Vec::new())
                }
                Err(error) => Err(error),
            }
        })?;
        let log = own_log(&replica.mind)?;
        drop(replica);
        let mut outcomes = Vec::with_capacity(batch.len());
        for (planned, written) in planned.into_iter().zip(written) {
            outcomes.push(planned.map(|(record, effect)| {
                let first = written.as_ref().and_then(|written| written.records.first().copied());
                let entry = written.as_ref().map(|written| EntryAt { log, seq: written.seq });
                let clock_suspect = written.as_ref().is_some_and(|written| written.clock_suspect);
                if let Some(written) = written {
                    self.note_changes(written.changed);
                }
                let record = first.or(record).unwrap_or_default();
                Applied { record, effect, entry, clock_suspect }
            }));
        }
        Ok(outcomes)
    }

    /// Returns the id that a natural key names in this team.
    ///
    /// # Errors
    /// `E-INVALID` for an unknown record type, `E-NOTREADY` outside of a team.
    pub fn natural(&self, kind: &str, key: &str) -> Result<RecordId> {
        let view = query::view_named(&self.views, kind)?;
        let space = self.writer.tap().mind.space()?;
        Ok(natural_id(&space, view.of.kind, &crate::record::plain::clean(key)))
    }

    /// Answers a query.
    ///
    /// # Errors
    /// `E-INVALID` for unknown names; of the store.
    pub fn query(&self, query: &Query) -> Result<Answer> {
        Ok(match query {
            Query::List(list) => Answer::Page(self.list(list)?),
            Query::Get { record } => Answer::Record(self.get(record)?.map(Box::new)),
            Query::Search(search) => Answer::Records(self.search(search)?),
            Query::Conflicts { limit } => Answer::Records(self.conflicts(*limit)?),
            Query::Counts(counts) => Answer::Counts(self.counts(counts)?),
        })
    }

    /// Returns a page of records, newest first.
    ///
    /// # Errors
    /// As [`Tuquan::query`].
    pub fn list(&self, list: &List) -> Result<Page> {
        // The first page after opening is read on the connection that is open already, when
        // nobody writes: making another one would take longer than the page.
        if !self.has_read.swap(true, Ordering::Relaxed)
            && let Some(replica) = self.writer.try_tap()
        {
            return query::list(&replica.connection, &self.views, list);
        }
        self.readers.read(|connection| query::list(connection, &self.views, list))
    }

    /// Returns one record with all that it says.
    ///
    /// # Errors
    /// As [`Tuquan::query`].
    pub fn get(&self, record: &RecordId) -> Result<Option<Record>> {
        self.readers.read(|connection| query::get(connection, &self.views, record))
    }

    /// Returns the records that hold all the words.
    ///
    /// # Errors
    /// As [`Tuquan::query`].
    pub fn search(&self, search: &Search) -> Result<Vec<Record>> {
        self.readers.read(|connection| query::search(connection, &self.views, search))
    }

    /// Returns the records that a person must choose for.
    ///
    /// # Errors
    /// As [`Tuquan::query`].
    pub fn conflicts(&self, limit: u32) -> Result<Vec<Record>> {
        self.readers.read(|connection| query::conflicts(connection, &self.views, limit))
    }

    /// Counts records by fields and week.
    ///
    /// # Errors
    /// As [`Tuquan::query`].
    pub fn counts(&self, counts: &Counts) -> Result<Vec<Count>> {
        self.readers.read(|connection| query::counts(connection, &self.views, counts))
    }

    /// Returns the code that people say to each other, such as `B2-261105-K7F`.
    ///
    /// # Errors
    /// Of the store.
    pub fn code(&self, record: &Record) -> Result<String> {
        self.readers.read(|connection| code::of(connection, &self.views, record))
    }

    /// Returns the records that a person may mean by an id, the first six or more digits of one, or
    /// a code; at most `limit`.
    ///
    /// # Errors
    /// Of the store.
    pub fn find(&self, text: &str, limit: usize) -> Result<Vec<RecordId>> {
        self.readers.read(|connection| code::find(connection, &self.views, text, limit))
    }

    /// Returns the other devices that have acknowledged, signed, every head of a record: the truth
    /// behind "on another phone". Empty means that it is known to be on this phone only.
    ///
    /// # Errors
    /// `E-NOTFOUND`; of the store.
    pub fn held_elsewhere(&self, record: &RecordId) -> Result<Vec<DeviceKey>> {
        let missing = || Error::new(Kind::NotFound, format!("record {record}"));
        let replica = self.writer.tap();
        let (connection, mind) = (&replica.connection, &replica.mind);
        let mut found = None;
        for view in self.views.iter() {
            found = found.or(view.load(connection, record)?);
        }
        let mut common: Option<Vec<DeviceKey>> = None;
        for head in found.ok_or_else(missing)?.heads {
            let devices = held_elsewhere(connection, mind, &head.place.log, head.place.seq)?;
            common = Some(match common {
                None => devices,
                Some(common) => common.into_iter().filter(|d| devices.contains(d)).collect(),
            });
        }
        Ok(common.unwrap_or_default())
    }

    /// Tells whether it is safe to reset this phone: whether another device of the team has signed
    /// that it holds each entry that is here. Nothing else counts, above all no relay.
    ///
    /// # Errors
    /// `E-NOTREADY` before there is a device identity; of the store.
    pub fn safe_to_reset(&self) -> Result<ResetCheck> {
        let replica = self.writer.tap();
        reset_check(&replica.connection, &replica.mind)
    }

    /// Tells, once, that this store was found to be a restored copy (`I-RESTORED`): it is older than
    /// what left the phone, or another copy of it is in use. What came after is fetched from
    /// colleagues, and this device goes on in a new data log.
    ///
    /// # Errors
    /// Of the store.
    pub fn take_restored(&self) -> Result<Option<Error>> {
        let restored = self.bulk(Replica::take_restored)?;
        let what = "what came after is fetched from colleagues";
        Ok(restored.then(|| Error::new(Kind::Restored, what)))
    }

    /// Says what is on this phone only, on another one, at a hub, and what is missing; all of it
    /// from signatures, nothing guessed.
    ///
    /// # Errors
    /// `E-NOTREADY` without a team; of the store.
    pub fn truth(&self) -> Result<Truth> {
        let replica = self.writer.tap();
        truth(&replica.connection, &replica.mind)
    }

    /// Tells whether a hub has given a receipt for every head of a record.
    ///
    /// # Errors
    /// `E-NOTFOUND`; of the store.
    pub fn at_hub(&self, record: &RecordId) -> Result<bool> {
        let missing = || Error::new(Kind::NotFound, format!("record {record}"));
        let replica = self.writer.tap();
        let mut found = None;
        for view in self.views.iter() {
            found = found.or(view.load(&replica.connection, record)?);
        }
        let known = Whereabouts::read(&replica.connection, &replica.mind)?;
        let heads = found.ok_or_else(missing)?.heads;
        Ok(heads.iter().all(|head| known.at_hub(head.place.log, head.place.seq)))
    }

    /// Returns the hash over all views, in hexadecimal: equal on replicas with equal entries.
    ///
    /// # Errors
    /// Of the store.
    pub fn view_hash(&self) -> Result<String> {
        self.readers.read(|connection| Ok(to_hex(&views::hash_all(connection, &self.views)?)))
    }

    /// Returns sizes and counts.
    ///
    /// # Errors
    /// Of the store.
    pub fn stats(&self) -> Result<Stats> {
        let logs: Vec<u64> = {
            let replica = self.writer.tap();
            replica.mind.logs.iter().map(|log| log.row.next - log.row.base).collect()
        };
        self.readers.read(|connection| {
            let number = |sql: &str| -> Result<u64> {
                Ok(connection.query_row(sql, [], |row| row.get::<_, i64>(0))?.cast_unsigned())
            };
            let (mut records, mut conflicts) = (Vec::new(), 0);
            for view in self.views.iter() {
                let name = view.of.name;
                let count = number(&format!("SELECT count(*) FROM \"{name}\""))?;
                let open = views::FLAG_CONFLICT;
                conflicts +=
                    number(&format!("SELECT count(*) FROM \"{name}\" WHERE flags & {open}"))?;
                records.push(RecordCount { kind: name.to_owned(), count });
            }
            let pages = number("PRAGMA page_count")?;
            // SQLCipher answers this one with a text.
            let page_size = number("SELECT CAST(page_size AS INTEGER) FROM pragma_page_size")?;
            Ok(Stats {
                entries: logs.iter().sum(),
                logs: logs.len() as u64,
                records,
                conflicts,
                pending: number("SELECT count(*) FROM pending")?,
                damaged: number("SELECT count(*) FROM damaged")?,
                held: number("SELECT count(*) FROM held")?,
                locked: number("SELECT count(*) FROM held WHERE reason = 'E-WAIT-KEY'")?,
                quarantined: number("SELECT count(*) FROM quarantine")?,
                bytes: pages * page_size,
            })
        })
    }

    /// Takes the oldest change that was not asked for yet.
    pub fn next_change(&self) -> Option<Change> {
        self.changes.take()
    }

    /// Sets who is told, at once and on the thread that made it, that there is a change to ask for.
    /// It must not call back into the store.
    pub fn tell_changes(&self, waker: impl Fn() + Send + Sync + 'static) {
        self.changes.tell(Box::new(waker));
    }

    /// Checks every page, rebuilds the views from the entries and compares them.
    ///
    /// # Errors
    /// Of the store.
    pub fn doctor(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Checked> {
        self.readers.close();
        self.bulk(|replica| replica.doctor(progress))
    }

    /// Writes out what waits in memory and the write-ahead log; the store can then be closed by
    /// dropping it, or used on.
    ///
    /// # Errors
    /// Of the store.
    pub fn pause(&self) -> Result<()> {
        self.readers.close();
        self.bulk(Replica::write_out)
    }

    /// Reads from the views on a connection of its own: for figures.
    ///
    /// # Errors
    /// What `read` returns.
    pub fn read<T>(
        &self,
        read: impl FnOnce(&rusqlite::Connection, &[View]) -> Result<T>,
    ) -> Result<T> {
        self.readers.read(|connection| read(connection, &self.views))
    }

    /// Runs one step of bulk work on the replica: a message of a session, a bundle, a grant. Taps
    /// that wait go first; changes are noted.
    ///
    /// # Errors
    /// What `act` returns.
    pub fn bulk<T>(&self, act: impl FnOnce(&mut Replica) -> Result<T>) -> Result<T> {
        let mut replica = self.writer.bulk();
        replica.refresh()?;
        let outcome = act(&mut replica);
        if let Err(error) = &outcome
            && error.kind.is_of_storage()
        {
            replica.doubt(error.kind);
        }
        let members = Arc::clone(&replica.mind.members);
        drop(replica);
        *self.members.write().unwrap_or_else(PoisonError::into_inner) = members;
        outcome
    }

    /// Adds changes for [`Tuquan::next_change`].
    pub fn note_changes(&self, changed: Vec<Changed>) {
        self.changes.add(changed);
    }
}

fn own_log(mind: &Mind) -> Result<LogId> {
    let own = mind.own.as_ref();
    let own = own.ok_or_else(|| Error::new(Kind::NotReady, "the data log is not open"))?;
    Ok(mind.logs[own.index].row.id)
}

fn role_of(mind: &Mind) -> Result<Role> {
    mind.space()?;
    let device = mind.identity()?.secret.device_key();
    let role = mind.members.check_writer(&device)?.role;
    role.ok_or_else(|| Error::new(Kind::Newer, "this device's role is of a newer version"))
}

fn repeated(mind: &Mind, request: &RequestId) -> Option<Applied> {
    let remembered = mind.requests.get(request)?;
    let own = mind.own.as_ref()?;
    let place = Place { log: mind.logs[own.index].row.id, seq: remembered.seq, index: 0 };
    Some(Applied {
        record: remembered.record,
        effect: effect_of(remembered.note),
        entry: Some(EntryAt { log: place.log, seq: place.seq }),
        clock_suspect: false,
    })
}

fn effect_number(effect: Effect) -> i64 {
    match effect {
        Effect::Created => 1,
        Effect::Changed => 2,
        Effect::Unchanged => 3,
    }
}

fn effect_of(number: i64) -> Effect {
    match number {
        1 => Effect::Created,
        2 => Effect::Changed,
        _ => Effect::Unchanged,
    }
}

/// Tells whether an error refuses one command and not the whole step.
fn is_refusal(kind: Kind) -> bool {
    matches!(kind, Kind::Invalid | Kind::Role | Kind::NotFound | Kind::ChangeTooBig | Kind::Format)
}
