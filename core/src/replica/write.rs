//! The ways an entry of our own comes to be: found a space, grant, open the data log, write.
//!
//! A tap is one transaction: entry with its chain link, view rows, search rows, and now and then a
//! seal. Must not know: commands and roles; the door checks those.

use rusqlite::{Transaction, params};

use super::gather::target;
use super::mind::{Identity, KnownLog, Mind, Own, Remembered};
use super::step::{Content, Incoming, Step};
use super::{Changed, Replica};
use crate::clock::{Env, Hlc};
use crate::crypto::DeviceSecret;
use crate::error::{Error, Kind, Result};
use crate::ids::{Digest, Link, PersonId, RecordId, RequestId};
use crate::log::chain::{
    self, RUN_ENTRIES_MAX, Run, SEAL_BYTES_MAX, SEAL_ENTRIES_MAX, Salts, Sort,
};
use crate::log::entry::{Body, Entry, kind};
use crate::log::item::{Item, Place, item_digest};
use crate::store::logs::{self, Chained, LogRow};
use crate::team::control::{Act, Genesis, LogOpen};
use crate::team::epoch;
use crate::team::history::Verdict;

/// What became of a local write.
#[derive(Debug, Clone)]
pub struct Written {
    /// The entry's sequence number in the own data log.
    pub seq: u64,
    /// The entry's clock.
    pub hlc: Hlc,
    /// Whether the phone's clock looks wrong.
    pub clock_suspect: bool,
    /// The records that its items wrote to, in their order.
    pub records: Vec<RecordId>,
    /// What changed in the views.
    pub changed: Vec<Changed>,
    /// The caller's note.
    pub note: i64,
}

/// An entry that was encoded and linked, with what the views need of it.
struct Appended {
    chained: Chained,
    hlc: Hlc,
    clock_suspect: bool,
    digests: Vec<Digest>,
}

impl Replica {
    /// Makes this device's identity; done once, before anything else.
    ///
    /// # Errors
    /// `E-INVALID` when there is one already; of the store.
    pub fn init(&mut self) -> Result<()> {
        if self.mind.identity.is_some() {
            return Err(Error::new(Kind::Invalid, "this store has a device identity already"));
        }
        self.transact(|transaction, mind, env| {
            let identity = Identity {
                secret: DeviceSecret::generate(&mut env.rng),
                person: PersonId(env.random()),
                space: None,
                recovery: None,
            };
            mind.set_identity(transaction, identity)
        })
    }

    /// Founds a space: this device becomes its admin of rank 0.
    ///
    /// # Errors
    /// `E-INVALID` when the device is in a space already; of the store.
    pub fn found(&mut self) -> Result<()> {
        if self.mind.identity()?.space.is_some() {
            return Err(Error::new(Kind::Invalid, "this device is in a team already"));
        }
        self.transact(|transaction, mind, env| {
            let mut identity = mind.identity()?.clone();
            let recovery = DeviceSecret::generate(&mut env.rng);
            let genesis = Genesis {
                founder: identity.secret.device_key(),
                box_key: identity.secret.box_key(),
                person: identity.person,
                nonce: env.random(),
                recovery: recovery.device_key(),
            };
            let space = genesis.space();
            identity.space = Some(space);
            identity.recovery = Some(recovery.sign);
            let (device, box_key) = (genesis.founder, genesis.box_key);
            mind.set_identity(transaction, identity)?;
            let index = open_log(transaction, mind, env, Sort::Control)?;
            act(transaction, mind, env, index, &Act::Genesis(genesis))?;
            let row = &mind.logs[index].row;
            let at = (&row.id.clone(), row.next);
            let made = epoch::make(&space, at, &[], &[(device, box_key)], &mut *env.rng)?;
            act(transaction, mind, env, index, &Act::Epoch(made))?;
            mind.open_lockboxes(transaction)?;
            Ok(())
        })
    }

    /// Writes one entry, durably; its items are those that `make` returns when it sees the store
    /// inside the transaction, with a note to remember under the request. Without items nothing
    /// is written.
    ///
    /// # Errors
    /// What `make` returns; `E-CHANGE-BIG` over a bound; `E-FULL`, `E-IO` and the like.
    pub fn write(
        &mut self,
        request: Option<RequestId>,
        make: impl FnOnce(&Transaction<'_>, &Mind) -> Result<(Vec<Item>, i64)>,
    ) -> Result<Option<Written>> {
        let before = self.mind.own.as_ref().map(|own| self.mind.logs[own.index].row.next);
        let outcome = self.transact(|transaction, mind, env| {
            ready(transaction, mind, env)?;
            let (items, note) = make(transaction, mind)?;
            if items.is_empty() {
                return Ok(None);
            }
            let appended = append(transaction, mind, env, &items)?;
            let no = own_row(mind)?.no;
            let mut step = Step::new(transaction, mind);
            let records = feed(&mut step, items, &appended)?;
            let seq = appended.chained.seq;
            let sql = "INSERT INTO entry (at, bytes, request, record, note) \
                       VALUES (?, ?, ?, ?, ?)";
            // The entry is there before the step ends: when it wakes an item that waited for it,
            // a merge reads it back.
            transaction.prepare_cached(sql)?.execute(params![
                logs::at(no, seq),
                appended.chained.bytes,
                request,
                records.first(),
                note
            ])?;
            let written = Written {
                seq,
                hlc: appended.hlc,
                clock_suspect: appended.clock_suspect,
                records,
                changed: step.finish()?,
                note,
            };
            seal_if_due(transaction, mind)?;
            Ok(Some(written))
        });
        match outcome {
            Ok(Some(written)) => {
                if let (Some(request), Some(record)) = (request, written.records.first()) {
                    let remembered =
                        Remembered { seq: written.seq, record: *record, note: written.note };
                    self.mind.requests.insert(request, remembered);
                }
                Ok(Some(written))
            }
            Err(error) if error.kind == Kind::Io => {
                self.look_again(before, request, error).map(Some)
            }
            other => other,
        }
    }

    /// After an uncertain commit the store was reopened: was the entry saved or not?
    fn look_again(
        &self,
        before: Option<u64>,
        request: Option<RequestId>,
        error: Error,
    ) -> Result<Written> {
        let found = request.and_then(|request| self.mind.requests.get(&request));
        let own = self.mind.own.as_ref();
        match (found, own) {
            (Some(found), Some(own)) if Some(found.seq) >= before => Ok(Written {
                seq: found.seq,
                hlc: own.hlc,
                clock_suspect: false,
                records: vec![found.record],
                changed: Vec::new(),
                note: found.note,
            }),
            _ => Err(error),
        }
    }

    /// Writes many entries in one transaction, straight into segments: for imports.
    ///
    /// `make` is called for each of `count` entries, in order, and may return no items to pass.
    ///
    /// # Errors
    /// As [`Replica::write`]; nothing is written then.
    pub fn write_many(
        &mut self,
        count: usize,
        mut make: impl FnMut(usize, &Transaction<'_>, &Mind, &Step<'_>) -> Result<Vec<Item>>,
    ) -> Result<Vec<Option<Written>>> {
        self.transact(|transaction, mind, env| {
            ready(transaction, mind, env)?;
            settle(transaction, mind)?;
            let mut outcomes = Vec::with_capacity(count);
            let mut entries = Vec::with_capacity(count);
            let mut step = Step::new(transaction, mind);
            for index in 0..count {
                let items = make(index, transaction, step.mind(), &step)?;
                if items.is_empty() {
                    outcomes.push(None);
                    continue;
                }
                let appended = append(transaction, step.mind_mut(), env, &items)?;
                seal_if_due(transaction, step.mind_mut())?;
                let records = feed(&mut step, items, &appended)?;
                outcomes.push(Some(Written {
                    seq: appended.chained.seq,
                    hlc: appended.hlc,
                    clock_suspect: appended.clock_suspect,
                    records,
                    changed: Vec::new(),
                    note: 0,
                }));
                entries.push(appended.chained);
            }
            // The entries are there before the step ends: a merge in it reads them back.
            let row = own_row(step.mind())?.clone();
            logs::write_segments(transaction, row.no, &entries)?;
            logs::advance(transaction, &row)?;
            let changed = step.finish()?;
            if let Some(own) = &mut mind.own {
                own.tail = row.next;
            }
            if let Some(Some(last)) = outcomes.last_mut() {
                last.changed = changed;
            }
            Ok(outcomes)
        })
    }

    /// Signs the end of the own data log, moves its tail into segments, and moves the fence behind
    /// all that may leave then: done before anything leaves the phone.
    ///
    /// # Errors
    /// Of the store; `E-FULL`, `E-IO` when the fence cannot be written: nothing new leaves then.
    pub fn seal(&mut self) -> Result<()> {
        self.keep_keys()?;
        let is_open =
            |own: &Own| own.unsealed.0 > 0 || own.tail < self.mind.logs[own.index].row.next;
        if self.mind.own.as_ref().is_some_and(is_open) {
            self.transact(|transaction, mind, _| close(transaction, mind))?;
        }
        self.raise_fence()
    }
}

fn own_row(mind: &Mind) -> Result<&LogRow> {
    let own = mind.own.as_ref();
    let own = own.ok_or_else(|| Error::new(Kind::NotReady, "the data log is not open"))?;
    Ok(&mind.logs[own.index].row)
}

/// Opens the own data log when it is not open yet, or the one that is open is of a grant that ended.
pub(super) fn ready(transaction: &Transaction<'_>, mind: &mut Mind, env: &mut Env) -> Result<()> {
    let device = mind.identity()?.secret.device_key();
    mind.space()?;
    mind.members.check_writer(&device)?;
    let is_open = mind.own.as_ref().is_some_and(|own| {
        let log = &mind.logs[own.index];
        matches!(log.verdict(log.row.next), Verdict::Accepted(_))
    });
    if !is_open {
        settle(transaction, mind)?;
        seal_now(transaction, mind)?;
        open_log(transaction, mind, env, Sort::Data)?;
    }
    Ok(())
}

/// Opens a log of this device; returns its index.
pub(super) fn open_log(
    transaction: &Transaction<'_>,
    mind: &mut Mind,
    env: &mut Env,
    sort: Sort,
) -> Result<usize> {
    let (space, device) = (mind.space()?, mind.identity()?.secret.device_key());
    let nonce = env.random();
    let mut row = LogRow::empty(&space, device, sort, nonce);
    logs::insert(transaction, &mut row)?;
    let id = row.id;
    let index = mind.add_log(row);
    let grant = mind.members.devices.get(&device).map(|member| member.grant);
    let former = |log: &&KnownLog| {
        let is_own = log.row.sort == sort && log.row.device == device && log.row.id != id;
        is_own && log.row.parent.is_none() && log.row.next > 0
    };
    let former = mind.logs.iter().rfind(former).map(|log| &log.row);
    let predecessor = former.map(|row| (row.id, row.next - 1, row.link));
    let open = Act::LogOpen(LogOpen { device, sort, nonce, grant, predecessor });
    if sort == Sort::Control {
        act(transaction, mind, env, index, &open)?;
        return Ok(index);
    }
    mind.set_own(transaction, index)?;
    let appended = link(transaction, mind, env, open.entry_kind(), vec![open.encode()])?;
    let no = mind.logs[index].row.no;
    let sql = "INSERT INTO entry (at, bytes, request, record) VALUES (?, ?, NULL, NULL)";
    transaction
        .prepare_cached(sql)?
        .execute(params![logs::at(no, appended.chained.seq), appended.chained.bytes])?;
    Ok(index)
}

/// Appends an act to a control log of this device, sealed at once.
pub(super) fn act(
    transaction: &Transaction<'_>,
    mind: &mut Mind,
    env: &mut Env,
    index: usize,
    act: &Act,
) -> Result<()> {
    let space = mind.space()?;
    let secret = mind.identity()?.secret.clone();
    let heads = mind.members.heads.clone();
    let row = &mut mind.logs[index].row;
    let (hlc, _) = Hlc::default().next(env.clock.now_ms());
    let changed = (heads != row.heads).then(|| heads.clone());
    let entry = Entry {
        kind: act.entry_kind(),
        hlc,
        control_heads: changed,
        items: vec![Body::Bytes(act.encode())],
    };
    let (seq, before) = (row.next, row.link);
    let digest = entry.digest(&heads, |_| Vec::new());
    let link = chain::next_link(&before, seq, &digest);
    let chained = Chained { seq, before, heads_before: row.heads.clone(), bytes: entry.encode() };
    logs::write_segments(transaction, row.no, &[chained])?;
    let seal = chain::make_seal(&secret, &space, &row.id, seq, &link);
    logs::put_seal(transaction, row.no, seq, &link, &seal)?;
    (row.next, row.link, row.heads) = (seq + 1, link, heads);
    logs::advance(transaction, row)?;
    mind.load_members(transaction)?;
    mind.keep_shift(transaction)
}

/// Encodes items as one write entry at the end of the own data log.
fn append(
    transaction: &Transaction<'_>,
    mind: &mut Mind,
    env: &mut Env,
    items: &[Item],
) -> Result<Appended> {
    let own = own_row(mind)?.id;
    let encode = |item: &Item| match mind.branches.is_empty() {
        true => item.encode(&own),
        false => mind.written(item).encode(&own),
    };
    let bodies: Vec<Vec<u8>> = items.iter().map(encode).collect();
    let total: usize = bodies.iter().map(Vec::len).sum();
    let item_max = crate::log::item::ITEM_BYTES_MAX;
    if total > crate::log::entry::ENTRY_BYTES_MAX || bodies.iter().any(|b| b.len() > item_max) {
        return Err(Error::new(Kind::ChangeTooBig, "an entry over its cap"));
    }
    link(transaction, mind, env, kind::WRITE, bodies)
}

/// Links an entry to the end of the own data log, in memory; the caller writes it.
fn link(
    transaction: &Transaction<'_>,
    mind: &mut Mind,
    env: &mut Env,
    number: u64,
    bodies: Vec<Vec<u8>>,
) -> Result<Appended> {
    let heads = &mind.members.heads;
    let Some(own) = &mut mind.own else {
        return Err(Error::new(Kind::NotReady, "the data log is not open"));
    };
    let row = &mut mind.logs[own.index].row;
    let seq = row.next;
    let run = match own.run.take().filter(|run| run.covers(seq)) {
        Some(run) => run,
        None => {
            let salts = Salts::Seed(env.random());
            let run = Run { first: seq, count: RUN_ENTRIES_MAX, salts };
            logs::put_run(transaction, row.no, &run)?;
            run
        }
    };
    let (hlc, clock_suspect) = own.hlc.next(env.clock.now_ms());
    let digests: Vec<Digest> =
        (0..).zip(&bodies).map(|(index, body)| item_digest(&run.salt(seq, index), body)).collect();
    let entry = Entry {
        kind: number,
        hlc,
        control_heads: (*heads != row.heads).then(|| heads.clone()),
        items: bodies.into_iter().map(Body::Bytes).collect(),
    };
    let digest = crate::log::entry::entry_digest(number, hlc, heads, &digests);
    let bytes = entry.encode();
    let (before, heads_before) = (row.link, std::mem::replace(&mut row.heads, heads.clone()));
    row.link = chain::next_link(&before, seq, &digest);
    row.next = seq + 1;
    own.hlc = hlc;
    own.run = Some(run);
    own.unsealed = (own.unsealed.0 + 1, own.unsealed.1 + bytes.len() as u64);
    let chained = Chained { seq, before, heads_before, bytes };
    Ok(Appended { chained, hlc, clock_suspect, digests })
}

/// Hands the items of an own entry to a step; returns the records that they wrote to.
fn feed(step: &mut Step<'_>, items: Vec<Item>, appended: &Appended) -> Result<Vec<RecordId>> {
    let log = own_row(step.mind())?.id;
    let mut records = Vec::with_capacity(items.len());
    for ((index, item), digest) in (0_u32..).zip(items).zip(&appended.digests) {
        let place = Place { log, seq: appended.chained.seq, index };
        let hlc = appended.hlc;
        let record = target(step.mind(), &item, place, hlc)?;
        records.push(record);
        let content = Content::Own(item, record);
        step.absorb(Incoming { place, hlc, digest: *digest, content, role: None })?;
    }
    step.close_entry(log, appended.chained.seq)?;
    Ok(records)
}

fn seal_if_due(transaction: &Transaction<'_>, mind: &mut Mind) -> Result<()> {
    let due = mind
        .own
        .as_ref()
        .is_some_and(|own| own.unsealed.0 >= SEAL_ENTRIES_MAX || own.unsealed.1 >= SEAL_BYTES_MAX);
    if due { seal_now(transaction, mind) } else { Ok(()) }
}

fn seal_now(transaction: &Transaction<'_>, mind: &mut Mind) -> Result<()> {
    let space = mind.space()?;
    let secret = mind.identity()?.secret.clone();
    let Some(own) = &mut mind.own else {
        return Ok(());
    };
    let row = &mind.logs[own.index].row;
    if own.unsealed.0 == 0 || row.next == 0 {
        return Ok(());
    }
    let seal = chain::make_seal(&secret, &space, &row.id, row.next - 1, &row.link);
    logs::put_seal(transaction, row.no, row.next - 1, &row.link, &seal)?;
    own.unsealed = (0, 0);
    Ok(())
}

/// Signs the end of the own data log and moves its tail into segments.
pub(super) fn close(transaction: &Transaction<'_>, mind: &mut Mind) -> Result<()> {
    settle(transaction, mind)?;
    seal_now(transaction, mind)
}

/// Moves the tail of rows into segments; the newest rows stay, empty, for their request ids.
pub(super) fn settle(transaction: &Transaction<'_>, mind: &mut Mind) -> Result<()> {
    const REQUESTS_KEPT: u64 = 256;
    let space = mind.space()?;
    let Some(own) = &mut mind.own else {
        return Ok(());
    };
    let row = &mind.logs[own.index].row;
    if own.tail == row.next {
        return Ok(());
    }
    let stored = logs::all(transaction)?.into_iter().find(|log| log.no == row.no);
    let (mut before, mut heads): (Link, Vec<Link>) = match stored {
        Some(stored) => (stored.link, stored.heads),
        None => (chain::first_link(&space, &row.id), Vec::new()),
    };
    let runs = logs::runs(transaction, row.no, own.tail, row.next)?;
    let mut entries = Vec::new();
    logs::for_each(transaction, row.no, own.tail, row.next, |seq, entry| {
        let chained = Chained { seq, before, heads_before: heads.clone(), bytes: entry.encode() };
        entries.push(chained);
        if let Some(changed) = &entry.control_heads {
            heads.clone_from(changed);
        }
        let run = runs.iter().find(|run| run.covers(seq));
        let digest = entry.digest(&heads, |i| run.map(|r| r.salt(seq, i)).unwrap_or_default());
        before = chain::next_link(&before, seq, &digest);
        Ok(())
    })?;
    if before != row.link {
        return Err(Error::new(Kind::DbPage, "the tail does not lead to the log's end"));
    }
    logs::write_segments(transaction, row.no, &entries)?;
    logs::advance(transaction, row)?;
    let keep = logs::at(row.no, row.next.saturating_sub(REQUESTS_KEPT));
    transaction.execute("DELETE FROM entry WHERE at < ? OR request IS NULL", [keep])?;
    transaction.execute("UPDATE entry SET bytes = x'' WHERE length(bytes) > 0", [])?;
    own.tail = row.next;
    Ok(())
}
