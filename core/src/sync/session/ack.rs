//! Acknowledgements: signed statements of what a device holds, the truth behind "on another phone".
//!
//! A device signs (space, its data log, counter, hash of its vector). The counter rises with every
//! new vector, is on disk before the signature leaves, and orders the statements from one data log:
//! an older one never replaces a newer one. A device that was copied is two phones with a log each,
//! and each is believed for itself. One that has written nothing yet has no data log and signs null
//! in its place. Must not know: frames, packs.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::message::Claim;
use super::reset::covered;
use crate::codec::{Reader, Writer};
use crate::crypto::{self, SIGNATURE_LEN};
use crate::error::{Error, Kind, Result};
use crate::ids::{DeviceKey, LogId, SpaceId};
use crate::log::chain::Sort;
use crate::replica::Replica;
use crate::replica::mind::{ACK_SIGNED, Mind, opening};
use crate::replica::outgoing::Vector;
use crate::store::logs;

/// How exactly it is kept when a device was met, in ms.
const MET_MS: i64 = 10 * 60 * 1_000;
/// Of so many data logs of one device the statements are kept, those heard of last.
const KEPT_PER_DEVICE: i64 = 4;

/// The statement of one device, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// The device.
    pub device: DeviceKey,
    /// Its data log at that time.
    pub log: Option<LogId>,
    /// Its counter.
    pub counter: u64,
    /// What it holds.
    pub vector: Vector,
    /// When it was last heard of it, in ms, within ten minutes.
    pub met_ms: i64,
}

/// Returns what a device signs of its vector's hash.
pub(in crate::sync) fn claim_hash(
    space: &SpaceId,
    log: Option<&LogId>,
    counter: u64,
    vector: &[u8; 32],
) -> [u8; 32] {
    let mut args = Writer::new();
    args.array(4).bytes(&space.0);
    match log {
        None => args.null(),
        Some(log) => args.bytes(&log.0),
    };
    args.uint(counter).bytes(vector);
    crypto::hash("tuquan/1 ack", &args)
}

/// Signs the hash of the own vector. The same vector gets the same counter and signature, so that
/// a session that finds nothing new writes nothing.
///
/// # Errors
/// `E-NOTREADY` without a team; of the store.
pub(in crate::sync) fn sign(replica: &mut Replica, vector_hash: &[u8; 32]) -> Result<Claim> {
    let mind = &replica.mind;
    let (space, secret) = (mind.space()?, mind.identity()?.secret.clone());
    let log = mind.own.as_ref().map(|own| mind.logs[own.index].row.id);
    let signed = logs::meta(&replica.connection, ACK_SIGNED)?;
    let (last, hash) = signed.map_or(Ok((0, None)), |bytes| read_signed(&bytes))?;
    let counter = if hash == Some(*vector_hash) {
        last
    } else {
        let counter = last + 1;
        let mut to = Writer::new();
        to.array(2).uint(counter).bytes(vector_hash);
        replica
            .transact(|transaction, _, _| logs::set_meta(transaction, ACK_SIGNED, to.as_slice()))?;
        counter
    };
    replica.fence_signed(counter)?;
    let signature = secret.sign(&claim_hash(&space, log.as_ref(), counter, vector_hash));
    Ok(Claim { log, counter, signature })
}

fn read_signed(bytes: &[u8]) -> Result<(u64, Option<[u8; 32]>)> {
    let mut from = Reader::new(bytes);
    from.tuple(2)?;
    Ok((from.uint()?, Some(from.array_bytes()?)))
}

/// Checks that `device` is a member and signed this vector hash.
///
/// # Errors
/// `E-NOTMEMBER`; `E-PEER` for a removed one; `E-SIG`; `E-FORMAT` when it names another device's
/// log as its own.
pub(in crate::sync) fn check(
    mind: &Mind,
    device: &DeviceKey,
    claim: &Claim,
    vector_hash: &[u8; 32],
) -> Result<()> {
    check_peer(mind, device)?;
    check_signature(mind, device, claim, vector_hash)
}

/// Checks that `device`, member or not, signed this vector hash.
///
/// # Errors
/// `E-KEY`, `E-SIG`; `E-FORMAT` when it names another device's log as its own.
pub(super) fn check_signature(
    mind: &Mind,
    device: &DeviceKey,
    claim: &Claim,
    vector_hash: &[u8; 32],
) -> Result<()> {
    let known = claim.log.as_ref().and_then(|log| mind.log(log));
    if known.is_some_and(|log| log.row.device != *device || log.row.sort != Sort::Data) {
        let what = format!("device {device} names a log that is not its data log");
        return Err(Error::new(Kind::Format, what));
    }
    let hash = claim_hash(&mind.space()?, claim.log.as_ref(), claim.counter, vector_hash);
    crypto::verify(device, &hash, &claim.signature)
}

/// Checks that the other side is a member.
///
/// # Errors
/// `E-PEER` for a removed one, `E-NOTMEMBER`.
pub(super) fn check_peer(mind: &Mind, device: &DeviceKey) -> Result<()> {
    let member = mind.members.member(device).map(drop);
    member.map_err(|error| match error.kind {
        // That is what a device is told of itself; of another it is said so.
        Kind::Removed => Error::new(Kind::Peer, error.context),
        _ => error,
    })
}

/// Keeps a statement that was checked; returns false when a newer one is here already, as after a
/// replay or on a restored copy: the session goes on, the older statement is not believed.
///
/// # Errors
/// Of the store.
pub(in crate::sync) fn keep(
    replica: &mut Replica,
    device: &DeviceKey,
    claim: &Claim,
    vector: &Vector,
) -> Result<bool> {
    let log = claim.log.map(|log| log.0.to_vec()).unwrap_or_default();
    let sql = "SELECT counter, vector, met_ms FROM ack WHERE device = ? AND log = ?";
    let kept: Option<(i64, Vec<u8>, i64)> = replica
        .connection
        .prepare_cached(sql)?
        .query_row(params![device, log], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let now_ms = replica.env.clock.now_ms();
    let mut to = Writer::new();
    vector.write(&mut to);
    let counter = i64::try_from(claim.counter)
        .map_err(|_| Error::new(Kind::Size, format!("the counter of device {device}")))?;
    match kept {
        Some((kept_counter, kept_vector, met_ms)) if counter <= kept_counter => {
            let same = counter == kept_counter && kept_vector == to.as_slice();
            // Meeting again with nothing new costs a write only now and then.
            if same && !(0..MET_MS).contains(&(now_ms - met_ms)) {
                replica.transact(|transaction, _, _| {
                    let sql = "UPDATE ack SET met_ms = ? WHERE device = ? AND log = ?";
                    Ok(transaction.prepare_cached(sql)?.execute(params![now_ms, device, log])?)
                })?;
            }
            return Ok(same);
        }
        None if is_former(&replica.connection, &replica.mind, device, claim.log)? => {
            return Ok(false);
        }
        _ => {}
    }
    replica.transact(|transaction, _, _| {
        let sql = "INSERT OR REPLACE INTO ack (device, log, counter, vector, signature, met_ms) \
                   VALUES (?, ?, ?, ?, ?, ?)";
        let signature: &[u8; SIGNATURE_LEN] = &claim.signature;
        transaction.prepare_cached(sql)?.execute(params![
            device,
            log,
            counter,
            to.as_slice(),
            signature,
            now_ms
        ])?;
        let sql = "DELETE FROM ack WHERE device = ?1 AND log <> ?2 AND (log = x'' OR log NOT IN \
                   (SELECT log FROM ack WHERE device = ?1 ORDER BY met_ms DESC LIMIT ?3))";
        transaction.prepare_cached(sql)?.execute(params![device, log, KEPT_PER_DEVICE])?;
        Ok(true)
    })
}

/// Tells whether a device that says this is further already: it has a data log, or another one.
fn is_former(
    connection: &Connection,
    mind: &Mind,
    device: &DeviceKey,
    log: Option<LogId>,
) -> Result<bool> {
    if log.is_some() {
        return has_lapsed(connection, mind, device, log);
    }
    let sql = "SELECT EXISTS (SELECT 1 FROM ack WHERE device = ?)";
    Ok(connection.prepare_cached(sql)?.query_row([device], |row| row.get(0))?)
}

/// Returns the statements of the other devices that are members and have not lapsed, by device.
///
/// # Errors
/// `E-DBPAGE`.
pub fn all(connection: &Connection, mind: &Mind) -> Result<Vec<Acknowledged>> {
    let me = mind.identity()?.secret.device_key();
    let sql = "SELECT device, log, counter, vector, met_ms FROM ack ORDER BY device, log";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let device: DeviceKey = row.get(0)?;
        if device == me || mind.members.member(&device).is_err() {
            continue;
        }
        let log = match row.get_ref(1)?.as_blob().unwrap_or_default() {
            [] => None,
            log => Some(LogId::from_slice(log)?),
        };
        let bytes = row.get_ref(3)?.as_blob().unwrap_or_default();
        found.push(Acknowledged {
            device,
            log,
            counter: row.get::<_, i64>(2)?.cast_unsigned(),
            vector: Vector::read(&mut Reader::new(bytes))?,
            met_ms: row.get(4)?,
        });
    }
    // One from a log of which nothing is known here may be from the one after all others.
    let unknown: Vec<(DeviceKey, LogId)> = { found.iter() }
        .filter_map(|said| Some((said.device, said.log.filter(|log| mind.log(log).is_none())?)))
        .collect();
    let mut current = Vec::with_capacity(found.len());
    for said in found {
        let is_newer =
            |(of, log): &(DeviceKey, LogId)| *of == said.device && Some(*log) != said.log;
        let is_old = unknown.iter().any(is_newer);
        if !is_old && !has_lapsed(connection, mind, &said.device, said.log)? {
            current.push(said);
        }
    }
    Ok(current)
}

/// Tells whether the device opened another data log in place of this one, as it does after damage
/// or a restore.
fn has_lapsed(
    connection: &Connection,
    mind: &Mind,
    device: &DeviceKey,
    log: Option<LogId>,
) -> Result<bool> {
    let Some(log) = log else {
        return Ok(false);
    };
    let others = mind.logs.iter().map(|other| &other.row);
    let others = others.filter(|row| row.device == *device && row.sort == Sort::Data);
    for other in others.filter(|row| row.id != log) {
        let open = opening(connection, other.no)?;
        if open.and_then(|open| open.predecessor).is_some_and(|(former, ..)| former == log) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the other devices that have acknowledged entry `seq` of `log`.
///
/// # Errors
/// `E-DBPAGE`.
pub fn held_elsewhere(
    connection: &Connection,
    mind: &Mind,
    log: &LogId,
    seq: u64,
) -> Result<Vec<DeviceKey>> {
    let mut devices = Vec::new();
    let forked = mind.log(log).filter(|_| mind.is_forked(log));
    for found in all(connection, mind)? {
        if let Some(known) = forked {
            let stretches = covered(connection, mind, known, &found)?;
            let is_in = |(first, end): &(u64, u64)| (*first..*end).contains(&seq);
            devices.extend(stretches.iter().any(is_in).then_some(found.device));
            continue;
        }
        let covers = found.vector.get(log).is_some_and(|entry| {
            let is_in = |(first, count): &(u64, u64)| seq >= *first && seq - first < *count;
            seq < entry.next && !entry.excepted.iter().any(is_in)
        });
        if covers {
            devices.push(found.device);
        }
    }
    devices.dedup();
    Ok(devices)
}

/// Returns, for each log, up to before which entry at least one other device has acknowledged it
/// without a gap: for lists, where asking for each entry would be too slow.
///
/// # Errors
/// `E-DBPAGE`.
pub fn acked_floor(connection: &Connection, mind: &Mind) -> Result<HashMap<LogId, u64>> {
    let mut floor = HashMap::new();
    for found in all(connection, mind)? {
        for log in mind.logs.iter().filter(|log| mind.is_forked(&log.row.id)) {
            let ends = covered(connection, mind, log, &found)?.into_iter();
            let ends = ends.filter(|(first, _)| *first <= log.row.base).map(|(_, end)| end);
            let known = floor.entry(log.row.id).or_insert(0);
            *known = ends.max().unwrap_or(0).max(*known);
        }
        for entry in found.vector.entries.iter().filter(|entry| !mind.is_forked(&entry.log)) {
            let next = entry.excepted.first().map_or(entry.next, |hole| hole.0);
            let known = floor.entry(entry.log).or_insert(0);
            *known = next.min(entry.next).max(*known);
        }
    }
    Ok(floor)
}
