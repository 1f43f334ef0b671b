//! The fence: what of the own logs, and which signed word of what is held, has left the phone; in a
//! small file outside of the database.
//!
//! ```text
//! "TQX1", CBOR [install 16, signed, [[log, next, link]...]], H of all before
//! ```
//!
//! A copy of the database that is put back does not bring it along, so it tells a restored copy.
//! It is written whole and durably before any byte of a higher entry or a newer word leaves. H has the context
//! `tuquan/1 fence`, over the raw bytes. Must not know: whose logs they are, what follows.

use std::io::ErrorKind;
use std::path::Path;

use super::open::write_durably;
use crate::codec::{Reader, Writer};
use crate::crypto;
use crate::error::{Error, Kind, Result};
use crate::ids::{Link, LogId};

const MAGIC: [u8; 4] = *b"TQX1";
const CONTEXT: &str = "tuquan/1 fence";
const HASH_LEN: usize = 32;
/// A device has two logs that grow.
const MARKS_MAX: usize = 16;
/// Row numbers leave 40 bits for sequence numbers.
const SEQ_MAX: u64 = 1 << 40;

/// How much of one log has left the phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The log.
    pub log: LogId,
    /// The sequence number after the highest entry that may have left.
    pub next: u64,
    /// The link of that entry.
    pub link: Link,
}

/// The content of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// Names the life of the store since it was made, or since it was last found to be restored.
    pub install: [u8; 16],
    /// The highest counter of an acknowledgement that was signed.
    pub signed: u64,
    /// One per log that grows here.
    pub marks: Vec<Mark>,
}

impl Fence {
    /// Returns what has left of a log.
    #[must_use]
    pub fn mark(&self, log: &LogId) -> Option<&Mark> {
        self.marks.iter().find(|mark| mark.log == *log)
    }

    /// Encodes the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::after(MAGIC.to_vec());
        to.array(3).bytes(&self.install).uint(self.signed).array(self.marks.len());
        for mark in &self.marks {
            to.array(3).bytes(&mark.log.0).uint(mark.next).bytes(&mark.link.0);
        }
        let mut bytes = to.into_bytes();
        let hash = crypto::hash_bytes(CONTEXT, &bytes);
        bytes.extend_from_slice(&hash);
        bytes
    }

    /// Decodes the file.
    ///
    /// # Errors
    /// `E-MAGIC`, `E-TRUNC`, `E-BODY`, `E-FORMAT` and the like.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        if !bytes.starts_with(&MAGIC) {
            return Err(Error::new(Kind::Magic, "not a fence"));
        }
        let end = bytes.len().checked_sub(HASH_LEN).filter(|end| *end >= MAGIC.len());
        let end = end.ok_or_else(|| Error::new(Kind::Truncated, "a fence"))?;
        let (content, hash) = bytes.split_at(end);
        if crypto::hash_bytes(CONTEXT, content) != *hash {
            return Err(Error::new(Kind::Body, "a damaged fence"));
        }
        let mut from = Reader::new(content.get(MAGIC.len()..).unwrap_or_default());
        from.tuple(3)?;
        let (install, signed) = (from.array_bytes()?, from.uint()?);
        let count = from.array(MARKS_MAX)?;
        let mut marks = Vec::with_capacity(count);
        for _ in 0..count {
            from.tuple(3)?;
            let log = LogId(from.array_bytes()?);
            let next = from.uint_max(SEQ_MAX)?;
            marks.push(Mark { log, next, link: Link(from.array_bytes()?) });
            from.end();
        }
        from.end();
        from.end();
        from.finish()?;
        Ok(Self { install, signed, marks })
    }

    /// Reads the file; none when it is not there or not whole, which says the same.
    ///
    /// # Errors
    /// `E-IO`.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(Self::decode(&bytes).ok()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the file; it is on the disk when this returns.
    ///
    /// # Errors
    /// `E-FULL`, `E-IO`; the former file is whole then.
    pub fn write(&self, path: &Path) -> Result<()> {
        match write_durably(path, &self.encode()) {
            Err(error) if error.kind == Kind::NotFound => {
                Err(Error::new(Kind::Io, "the folder of the fence is not there"))
            }
            outcome => outcome,
        }
    }
}
