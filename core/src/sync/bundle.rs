//! Bundles: `.tqb` files of whole packs, for a memory stick, a chat or a stream of QR codes.
//!
//! ```text
//! "TQB1", suite u8, space 16, u32 packs, u32 entries, (u32 length, pack)*, H of all before
//! ```
//!
//! Integers are little-endian; H is the BLAKE3 hash of protocol section 14 under the context
//! `tuquan/1 bundle`, over the raw bytes. Packs may stand in any order, and any bundle may come
//! any number of times. Invariant: a file that was cut off gives out its complete packs, whose
//! own seals protect them; a file that was altered gives out none. Must not know: keys, what the
//! packs hold beyond their headers.

use std::io::Write;

use crate::codec::Reader;
use crate::crypto::{Hashing, SUITE, hash_bytes};
use crate::error::{Error, Kind, Result};
use crate::ids::SpaceId;
use crate::log::pack::{Header, SEALED_BYTES_MAX};

/// The first bytes of a bundle.
pub const MAGIC: [u8; 4] = *b"TQB1";

const CONTEXT: &str = "tuquan/1 bundle";
const HASH_LEN: usize = 32;

/// Writes a bundle pack by pack, so that it never has to fit in memory.
#[derive(Debug)]
pub struct BundleWriter<W> {
    to: W,
    hashing: Hashing,
    packs_left: u32,
    entries_left: u32,
}

impl<W: Write> BundleWriter<W> {
    /// Writes the head of a bundle that will hold `packs` packs with `entries` entries.
    ///
    /// # Errors
    /// `E-IO` and `E-FULL` of the output.
    pub fn start(to: W, space: &SpaceId, packs: u32, entries: u32) -> Result<Self> {
        let mut bundle =
            Self { to, hashing: Hashing::new(CONTEXT), packs_left: packs, entries_left: entries };
        bundle.write(&MAGIC)?;
        bundle.write(&[SUITE])?;
        bundle.write(&space.0)?;
        bundle.write(&packs.to_le_bytes())?;
        bundle.write(&entries.to_le_bytes())?;
        Ok(bundle)
    }

    /// Writes one whole pack.
    ///
    /// # Errors
    /// `E-INVALID` for more than was declared, `E-IO` and `E-FULL` of the output, and what
    /// [`Header::read`] says of the pack.
    pub fn push(&mut self, pack: &[u8]) -> Result<()> {
        let over = || Error::new(Kind::Invalid, "more in the bundle than declared");
        let entries = u32::try_from(Header::read(pack)?.entries()).unwrap_or(u32::MAX);
        self.packs_left = self.packs_left.checked_sub(1).ok_or_else(over)?;
        self.entries_left = self.entries_left.checked_sub(entries).ok_or_else(over)?;
        self.write(&u32::try_from(pack.len()).unwrap_or(u32::MAX).to_le_bytes())?;
        self.write(pack)
    }

    /// Writes the trailing hash and returns the output, flushed.
    ///
    /// # Errors
    /// `E-INVALID` for less than was declared, `E-IO` and `E-FULL` of the output.
    pub fn finish(mut self) -> Result<W> {
        if (self.packs_left, self.entries_left) != (0, 0) {
            return Err(Error::new(Kind::Invalid, "less in the bundle than declared"));
        }
        let hash = self.hashing.finish();
        self.to.write_all(&hash)?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hashing.update(bytes);
        Ok(self.to.write_all(bytes)?)
    }
}

/// What a bundle holds, as far as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed<'a> {
    /// The space that the bundle says it is of; the caller compares it (`E-SPACE`).
    pub space: SpaceId,
    /// How many packs it should hold.
    pub declared_packs: u32,
    /// How many entries it should hold.
    pub declared_entries: u32,
    /// The complete packs; none when the bundle was altered.
    pub packs: Vec<&'a [u8]>,
    /// How many entries those packs hold; packs of a newer form count as none.
    pub entries_received: u64,
    /// Whether it arrived whole: `E-TRUNC` with the numbers, `E-TRAIL` or `E-BODY`.
    pub complete: Result<()>,
}

/// The reader of bundles.
#[derive(Debug, Clone, Copy)]
pub struct Bundle;

impl Bundle {
    /// Reads a bundle from all its bytes, or as many as arrived.
    ///
    /// # Errors
    /// `E-MAGIC`, `E-NEWER`, `E-TRUNC` inside the head, `E-SIZE` and `E-FORMAT` for a pack
    /// length that cannot be. What goes wrong later is told in [`Parsed::complete`].
    pub fn read(bytes: &[u8]) -> Result<Parsed<'_>> {
        let mut from = Reader::new(bytes);
        let (space, declared_packs, declared_entries) = read_head(&mut from, bytes)?;
        let mut parsed = Parsed {
            space,
            declared_packs,
            declared_entries,
            packs: Vec::new(),
            entries_received: 0,
            complete: Ok(()),
        };
        for _ in 0..declared_packs {
            let Some(pack) = read_pack(&mut from)? else {
                parsed.complete = Err(parsed.cut_off());
                return Ok(parsed);
            };
            parsed.packs.push(pack);
            parsed.entries_received += Header::read(pack).map_or(0, |header| header.entries());
        }
        let content = bytes.get(..from.position()).unwrap_or_default();
        let Ok(hash) = from.raw(HASH_LEN) else {
            parsed.complete = Err(parsed.cut_off());
            return Ok(parsed);
        };
        let whole = from.finish().and_then(|()| {
            if hash == hash_bytes(CONTEXT, content) {
                Ok(())
            } else {
                Err(Error::new(Kind::Body, "the bundle's hash differs"))
            }
        });
        if let Err(error) = whole {
            parsed.packs.clear();
            parsed.entries_received = 0;
            parsed.complete = Err(error);
        }
        Ok(parsed)
    }
}

impl Parsed<'_> {
    fn cut_off(&self) -> Error {
        Error::new(
            Kind::Truncated,
            format!("{} of {} entries", self.entries_received, self.declared_entries),
        )
    }
}

fn read_head(from: &mut Reader<'_>, bytes: &[u8]) -> Result<(SpaceId, u32, u32)> {
    let present = MAGIC.len().min(bytes.len());
    if bytes.is_empty() || bytes[..present] != MAGIC[..present] {
        return Err(Error::new(Kind::Magic, "not a bundle"));
    }
    from.raw(MAGIC.len())?;
    let suite = from.raw(1)?;
    if suite != [SUITE] {
        return Err(Error::new(Kind::Newer, format!("suite {}", suite[0])));
    }
    let space = SpaceId::from_slice(from.raw(SpaceId::LEN)?)?;
    Ok((space, read_u32(from)?, read_u32(from)?))
}

/// Takes the next pack, if all of it is there.
fn read_pack<'a>(from: &mut Reader<'a>) -> Result<Option<&'a [u8]>> {
    let Ok(len) = read_u32(from) else {
        return Ok(None);
    };
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    if len > SEALED_BYTES_MAX {
        return Err(Error::new(Kind::Size, format!("a pack of {len} bytes")));
    }
    if len == 0 {
        return Err(Error::new(Kind::Format, "an empty pack"));
    }
    Ok(from.raw(len).ok())
}

fn read_u32(from: &mut Reader<'_>) -> Result<u32> {
    let bytes = from.raw(4)?;
    Ok(bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}
