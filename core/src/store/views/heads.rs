//! Heads and sizes of records, and their compact form in a row.
//!
//! Must not know: what the items say.

use rusqlite::{Connection, OptionalExtension};

use crate::error::{Error, Kind, Result};
use crate::ids::LogId;
use crate::log::item::Place;
use crate::record::bounds::Size;

/// A head of a record: the last item on one branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Head {
    /// Where the item stands.
    pub place: Place,
    /// The first four bytes of its digest.
    pub check: [u8; 4],
}

/// Heads as the row keeps them: local log number, sequence number and index as variable-length
/// integers, and the check.
pub(super) fn encode_heads(heads: &[Head], logs: &dyn Fn(&LogId) -> i64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(heads.len() * 10);
    for head in heads {
        let no = logs(&head.place.log).cast_unsigned();
        for number in [no, head.place.seq, u64::from(head.place.index)] {
            write_varint(&mut bytes, number);
        }
        bytes.extend_from_slice(&head.check);
    }
    bytes
}

/// Reads heads whose log ids hold the local number in their last eight bytes, for
/// [`View::load`] to replace.
pub(super) fn decode_heads(bytes: &[u8]) -> Result<Vec<Head>> {
    let bad = || Error::new(Kind::DbPage, "a row's heads are damaged");
    let mut heads = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let no = read_varint(bytes, &mut at).ok_or_else(bad)?;
        let seq = read_varint(bytes, &mut at).ok_or_else(bad)?;
        let index = read_varint(bytes, &mut at).ok_or_else(bad)?;
        let check = bytes.get(at..at + 4).ok_or_else(bad)?;
        at += 4;
        let mut log = LogId::default();
        log.0[8..].copy_from_slice(&no.to_be_bytes());
        let index = u32::try_from(index).map_err(|_| bad())?;
        let check = check.try_into().map_err(|_| bad())?;
        heads.push(Head { place: Place { log, seq, index }, check });
    }
    Ok(heads)
}

/// A record's size as the row keeps it: the bytes of its operations, then field and bytes of each
/// text, all as variable-length integers.
pub(super) fn encode_size(size: &Size) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(3);
    write_varint(&mut bytes, size.ops as u64);
    for (field, inserted) in &size.texts {
        write_varint(&mut bytes, u64::from(*field));
        write_varint(&mut bytes, *inserted as u64);
    }
    bytes
}

/// Reads what [`encode_size`] wrote.
pub(super) fn decode_size(bytes: &[u8]) -> Result<Size> {
    let bad = || Error::new(Kind::DbPage, "a row's size is damaged");
    let mut at = 0;
    let mut number = || read_varint(bytes, &mut at);
    let ops = number().and_then(|ops| usize::try_from(ops).ok()).ok_or_else(bad)?;
    let mut size = Size { ops, ..Size::default() };
    while let Some(field) = number() {
        let inserted = number().and_then(|inserted| usize::try_from(inserted).ok());
        let field = u16::try_from(field).map_err(|_| bad())?;
        size.texts.insert(field, inserted.ok_or_else(bad)?);
    }
    Ok(size)
}

/// Returns the local number that [`decode_heads`] left in a log id.
pub(super) fn local_no(log: &LogId) -> i64 {
    let mut number = [0; 8];
    number.copy_from_slice(&log.0[8..]);
    i64::from_be_bytes(number)
}

/// Returns the id of a log by its local number.
pub(super) fn log_of(connection: &Connection, no: i64) -> Result<LogId> {
    let mut statement = connection.prepare_cached("SELECT id FROM log WHERE no = ?")?;
    let id = statement.query_row([no], |row| row.get(0)).optional()?;
    id.ok_or_else(|| Error::new(Kind::DbPage, "a row names an unknown log"))
}

fn write_varint(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

fn read_varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
