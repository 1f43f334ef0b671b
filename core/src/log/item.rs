//! Items: what an entry does to one record, as a few typed operations at named heads.
//!
//! `item = [record kind, record, deps, ops]`, protocol section 2 and 14. `record` is null for a
//! record created here, 16 bytes for a known one, and a text for a natural key (the reader
//! computes the id; see `docs/adr/0002-natural-keys-on-the-wire.md`). Invariant: decoding and
//! encoding give the same bytes. Must not know: what a kind or a field means.

use crate::clock::Hlc;
use crate::codec::{Reader, Value, Writer};
use crate::crypto;
use crate::error::{Error, Kind, Result};
use crate::ids::{Digest, ElementKey, LogId, RecordId, SpaceId};

/// The most operations in an item.
pub const OPS_MAX: usize = 1_000;
/// The most bytes of an item.
pub const ITEM_BYTES_MAX: usize = 64 << 10;
/// The most bytes of one text or byte value.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// The most heads that an item may name.
pub const DEPS_MAX: usize = 256;
/// The most bytes of a natural key.
pub const NATURAL_KEY_BYTES_MAX: usize = 256;

/// Where an item stands: its log, the entry's sequence number, its index inside the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The author's data log.
    pub log: LogId,
    /// The entry's sequence number.
    pub seq: u64,
    /// The item's index inside the entry.
    pub index: u32,
}

impl Place {
    /// Returns the id of the record that the item at this place creates at time `hlc`:
    /// the clock, big-endian, so that rows land at the end of the index, then half a hash.
    #[must_use]
    pub fn record_id(&self, hlc: Hlc) -> RecordId {
        let hash = self.hash("tuquan/1 record", 0);
        let mut id = [0; 16];
        id[..8].copy_from_slice(&hlc.0.to_be_bytes());
        id[8..].copy_from_slice(&hash[..8]);
        RecordId(id)
    }

    /// Returns the key of the list element that operation `op` of the item at this place adds.
    #[must_use]
    pub fn element_key(&self, op: usize) -> ElementKey {
        ElementKey(crypto::short(&self.hash("tuquan/1 element", op as u64)))
    }

    fn hash(&self, context: &str, op: u64) -> [u8; 32] {
        let mut args = Writer::new();
        args.array(4).bytes(&self.log.0).uint(self.seq).uint(u64::from(self.index)).uint(op);
        crypto::hash(context, &args)
    }
}

/// Returns the id of the record that has `key` as its natural key in `space`.
#[must_use]
pub fn natural_id(space: &SpaceId, kind: u64, key: &str) -> RecordId {
    let mut args = Writer::new();
    args.array(3).bytes(&space.0).uint(kind).text(key);
    RecordId(crypto::short(&crypto::hash("tuquan/1 natural", &args)))
}

/// Returns the key of `element` in a set: the hash of the value.
#[must_use]
pub fn set_key(element: &Value) -> ElementKey {
    let mut args = Writer::new();
    args.array(1).value(element);
    ElementKey(crypto::short(&crypto::hash("tuquan/1 set", &args)))
}

/// A head that the author knew: an item before this one on the same record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dep {
    /// Where it stands.
    pub place: Place,
    /// The first four bytes of its digest; absent in the own log.
    pub check: Option<[u8; 4]>,
}

/// Which record an item writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A record that this item creates.
    New,
    /// A record by its id.
    Record(RecordId),
    /// A record that two devices may create independently, by its natural key.
    Natural(String),
}

/// One operation on one field. Numbers 0 to 6 on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Sets a field to a value.
    Set(u16, Value),
    /// Takes a field's value away.
    Unset(u16),
    /// Adds an element to a set or a list.
    Add(u16, Value),
    /// Takes an element out of a set.
    Remove(u16, ElementKey),
    /// Edits a text: position, count of characters deleted, text inserted; in Unicode scalars.
    Splice(u16, u64, u64, String),
    /// Adds to a count.
    Count(u16, i64),
    /// Makes a field a text that can be spliced.
    Text(u16),
}

impl Op {
    /// Returns the number of the field that it touches.
    #[must_use]
    pub fn field(&self) -> u16 {
        match self {
            Self::Set(field, _)
            | Self::Unset(field)
            | Self::Add(field, _)
            | Self::Remove(field, _)
            | Self::Splice(field, ..)
            | Self::Count(field, _)
            | Self::Text(field) => *field,
        }
    }

    /// Returns how many bytes it takes on the wire: what the bound of a record counts.
    #[must_use]
    pub fn size(&self) -> usize {
        let mut to = Writer::new();
        self.write(&mut to);
        to.as_slice().len()
    }

    /// Returns about how many bytes it takes, for room that need not grow.
    fn room(&self) -> usize {
        let content = match self {
            Self::Set(_, Value::Text(text))
            | Self::Add(_, Value::Text(text))
            | Self::Splice(_, _, _, text) => text.len(),
            Self::Add(_, Value::List(_)) => 64,
            _ => 16,
        };
        content + 12
    }

    fn write(&self, to: &mut Writer) {
        match self {
            Self::Set(field, value) => to.array(3).uint(0).uint(u64::from(*field)).value(value),
            Self::Unset(field) => to.array(2).uint(1).uint(u64::from(*field)),
            Self::Add(field, value) => to.array(3).uint(2).uint(u64::from(*field)).value(value),
            Self::Remove(field, key) => to.array(3).uint(3).uint(u64::from(*field)).bytes(&key.0),
            Self::Splice(field, at, delete, text) => {
                to.array(5).uint(4).uint(u64::from(*field)).uint(*at).uint(*delete).text(text)
            }
            Self::Count(field, delta) => to.array(3).uint(5).uint(u64::from(*field)).int(*delta),
            Self::Text(field) => to.array(2).uint(6).uint(u64::from(*field)),
        };
    }

    fn read(from: &mut Reader<'_>) -> Result<Self> {
        let count = from.array(5)?;
        let code = from.uint()?;
        let number = from.uint()?;
        let field = u16::try_from(number)
            .map_err(|_| Error::new(Kind::Format, format!("field number {number}")))?;
        let op = match (code, count) {
            (0, 3) => Self::Set(field, from.value(TEXT_BYTES_MAX)?),
            (1, 2) => Self::Unset(field),
            (2, 3) => Self::Add(field, from.value(TEXT_BYTES_MAX)?),
            (3, 3) => Self::Remove(field, ElementKey(from.array_bytes()?)),
            (4, 5) => {
                let (at, delete) = (from.uint()?, from.uint()?);
                Self::Splice(field, at, delete, from.text(TEXT_BYTES_MAX)?.to_owned())
            }
            (5, 3) => Self::Count(field, from.int()?),
            (6, 2) => Self::Text(field),
            _ => {
                return Err(Error::new(Kind::Format, format!("unknown operation {code}")));
            }
        };
        from.end();
        Ok(op)
    }
}

/// What an entry does to one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The number of the record type.
    pub kind: u64,
    /// Which record.
    pub target: Target,
    /// The record's heads that the author knew; empty for a creation. Sorted, without repeats.
    pub deps: Vec<Dep>,
    /// What it does.
    pub ops: Vec<Op>,
}

impl Item {
    /// Encodes the item as the author at `own` writes it: own deps without log and check.
    #[must_use]
    pub fn encode(&self, own: &LogId) -> Vec<u8> {
        let room = self.ops.iter().map(Op::room).sum::<usize>() + self.deps.len() * 40 + 32;
        let mut to = Writer::after(Vec::with_capacity(room));
        to.array(4).uint(self.kind);
        match &self.target {
            Target::New => to.null(),
            Target::Record(id) => to.bytes(&id.0),
            Target::Natural(key) => to.text(key),
        };
        to.array(self.deps.len());
        for dep in &self.deps {
            let index = u64::from(dep.place.index);
            match dep.check.filter(|_| dep.place.log != *own) {
                None => to.array(2).uint(dep.place.seq).uint(index),
                Some(check) => to
                    .array(4)
                    .bytes(&dep.place.log.0)
                    .uint(dep.place.seq)
                    .uint(index)
                    .bytes(&check),
            };
        }
        to.array(self.ops.len());
        for op in &self.ops {
            op.write(&mut to);
        }
        to.into_bytes()
    }

    /// Decodes an item from the log `own`, within all bounds.
    ///
    /// # Errors
    /// `E-CHANGE-BIG` over a cap, `E-FORMAT` on anything that is not the canonical form.
    pub fn decode(bytes: &[u8], own: &LogId) -> Result<Self> {
        Self::decode_strict(bytes, own).map_err(|error| match error.kind {
            // Inside an item every defect is the author's, never the transfer's.
            Kind::Truncated | Kind::Trailing => Error::new(Kind::Format, error.context),
            Kind::Size => Error::new(Kind::ChangeTooBig, error.context),
            _ => error,
        })
    }

    fn decode_strict(bytes: &[u8], own: &LogId) -> Result<Self> {
        if bytes.len() > ITEM_BYTES_MAX {
            return Err(Error::new(Kind::ChangeTooBig, "an item over 64 KiB"));
        }
        let mut from = Reader::new(bytes);
        from.tuple(4)?;
        let kind = from.uint()?;
        let target = if from.null()? {
            Target::New
        } else if from.is_text() {
            Target::Natural(from.text(NATURAL_KEY_BYTES_MAX)?.to_owned())
        } else {
            Target::Record(RecordId(from.array_bytes()?))
        };
        let count = from.array(DEPS_MAX)?;
        let mut deps = Vec::with_capacity(count);
        for _ in 0..count {
            deps.push(Self::read_dep(&mut from, own)?);
        }
        from.end();
        // Two at one place are of two histories of that log: their digests tell them apart.
        if !deps.is_sorted_by(|a: &Dep, b| a < b) {
            return Err(Error::new(Kind::Format, "deps out of order or repeated"));
        }
        let count = from.array(OPS_MAX)?;
        let mut ops = Vec::with_capacity(count);
        for _ in 0..count {
            ops.push(Op::read(&mut from)?);
        }
        from.end();
        from.end();
        from.finish()?;
        Ok(Self { kind, target, deps, ops })
    }

    fn read_dep(from: &mut Reader<'_>, own: &LogId) -> Result<Dep> {
        let (log, other) = match from.array(4)? {
            2 => (*own, false),
            4 => (LogId(from.array_bytes()?), true),
            _ => return Err(Error::new(Kind::Format, "a dep of a wrong length")),
        };
        if other && log == *own {
            return Err(Error::new(Kind::Format, "a dep that spells out its own log"));
        }
        let seq = from.uint()?;
        let index = u32::try_from(from.uint_max(u64::from(u8::MAX))?).unwrap_or(u32::MAX);
        let check = if other { Some(from.array_bytes()?) } else { None };
        from.end();
        Ok(Dep { place: Place { log, seq, index }, check })
    }
}

/// Returns the digest of an item's bytes under its salt.
#[must_use]
pub fn item_digest(salt: &[u8], bytes: &[u8]) -> Digest {
    let mut args = Writer::after(Vec::with_capacity(salt.len() + bytes.len() + 16));
    args.array(2).bytes(salt).bytes(bytes);
    Digest(crypto::hash("tuquan/1 item", &args))
}
