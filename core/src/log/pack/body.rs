//! The body of a pack: its content, compressed, padded and sealed; and back.
//!
//! Invariant: nothing is inflated, allocated or believed beyond the bounds, and ranges come out
//! only if they are those that the header declares. Must not know: what entries say.

use crate::codec::{Reader, Writer};
use crate::crypto::{self, TAG_LEN};
use crate::error::{Error, Kind, Result};
use crate::ids::{EpochId, Link, SpaceId};
use crate::log::chain::{RUN_ENTRIES_MAX, Run, Salts, Sort};
use crate::log::dictionary;
use crate::log::entry::{Entry, ITEMS_MAX, read_heads, write_heads};
use crate::log::pack::columns;
use crate::log::pack::header::{Extent, Header, Left};
use crate::log::pack::range::{ENTRIES_MAX, Range, check_cover};
use crate::log::pack::{
    INFLATED_BYTES_MAX, Known, Layout, Mode, NONCE_LEN, Packing, SEALED_BYTES_MAX, padded_len,
};

const LEN_BYTES: usize = 4;
/// Up to so many entries layout 0 can be the smaller one.
const BOTH_ENTRIES_MAX: u64 = 64;
/// Below so many bytes one block is smaller than several with their own tables.
const CUT_BYTES_MIN: usize = 4 << 10;

/// Makes a pack of `ranges`: all control logs in an open pack, all data logs in a sealed one.
///
/// # Errors
/// `E-SIZE` over a bound (the caller takes fewer entries); `E-INVALID` for ranges that do not
/// fit the mode, a trimmed pack of several ranges, or runs that do not cover.
pub fn encode(
    space: &SpaceId,
    mode: &Mode,
    ranges: &[Range],
    packing: &Packing,
    nonce: &[u8; NONCE_LEN],
) -> Result<Vec<u8>> {
    let header = plan(space, mode, ranges, packing, nonce)?;
    let attempt = |layout: Layout| -> Result<Option<(Layout, Vec<u8>)>> {
        let Some((content, cuts)) = lay_out(&header, ranges, layout)? else {
            return Ok(None);
        };
        let frame = dictionary::compress(&content, &cuts, packing.level())?;
        Ok(Some((layout, frame)))
    };
    let columns = match packing.layout {
        Some(Layout::Entries) => None,
        Some(Layout::Columns) | None => attempt(Layout::Columns)?,
    };
    let chosen = match (columns, packing.layout) {
        (Some(columns), layout) if layout.is_some() || header.entries() > BOTH_ENTRIES_MAX => {
            Some(columns)
        }
        (Some(columns), _) => {
            let entries = attempt(Layout::Entries)?;
            entries.filter(|entries| entries.1.len() <= columns.1.len()).or(Some(columns))
        }
        (None, _) => attempt(Layout::Entries)?,
    };
    let (layout, frame) = chosen.ok_or_else(|| Error::new(Kind::Invalid, "no layout"))?;
    finish(Header { layout, ..header }, mode, &frame)
}

/// Returns what the frame of a pack holds, for training a dictionary; columns that do not
/// rebuild give layout 0.
///
/// # Errors
/// As [`encode`].
pub fn content(
    space: &SpaceId,
    mode: &Mode,
    ranges: &[Range],
    packing: &Packing,
) -> Result<Vec<u8>> {
    let header = plan(space, mode, ranges, packing, &[0; NONCE_LEN])?;
    let laid_out = match packing.layout {
        Some(Layout::Entries) => None,
        _ => lay_out(&header, ranges, Layout::Columns)?,
    };
    let laid_out = match laid_out {
        None => lay_out(&header, ranges, Layout::Entries)?,
        some => some,
    };
    Ok(laid_out.unwrap_or_default().0)
}

/// Opens a pack whose header was read before from the same `bytes`; `key` for a sealed one.
///
/// # Errors
/// `E-WAIT-KEY` without a key; `E-BODY` when authentication or decompression fails; `E-SIZE`
/// over a bound; `E-TRUNC` and `E-TRAIL`; `E-FORMAT` for content that is not canonical or not
/// what the header declares.
pub fn open(bytes: &[u8], header: &Header, key: Option<&[u8; 32]>) -> Result<Vec<Range>> {
    if bytes.len() > SEALED_BYTES_MAX {
        return Err(Error::new(Kind::Size, format!("{} bytes", bytes.len())));
    }
    let body = bytes.get(header.body_at..).unwrap_or_default();
    let opened;
    let body = if header.open {
        body
    } else {
        let key =
            key.ok_or_else(|| Error::new(Kind::WaitKey, format!("epoch {}", header.epoch)))?;
        opened = crypto::open(key, &header.nonce, &header.full(), body)?;
        &opened
    };
    let frame = unpad(bytes.len(), body)?;
    let content = dictionary::inflate(frame, INFLATED_BYTES_MAX)?;
    read_content(&content, header)
}

/// Checks what the caller asks for and lays out the header, in layout 0 for now.
fn plan(
    space: &SpaceId,
    mode: &Mode,
    ranges: &[Range],
    packing: &Packing,
    nonce: &[u8; NONCE_LEN],
) -> Result<Header> {
    let invalid = |what: &str| Error::new(Kind::Invalid, what);
    let (open, epoch, nonce) = match mode {
        Mode::Open => (true, EpochId::default(), [0; NONCE_LEN]),
        Mode::Sealed { epoch, .. } => (false, *epoch, *nonce),
    };
    let sort = if open { Sort::Control } else { Sort::Data };
    if ranges.is_empty() || ranges.iter().any(|range| range.sort != sort) {
        return Err(invalid("a pack of control logs is open, one of data logs sealed"));
    }
    let mut total = 0;
    for range in ranges {
        total += range.entries.len();
        if range.entries.is_empty() || total > ENTRIES_MAX {
            return Err(Error::new(Kind::Size, format!("{total} entries")));
        }
        check_cover(&range.runs, sort, range.first, range.entries.len() as u64)
            .map_err(|error| Error::new(Kind::Invalid, error.context))?;
    }
    let left = match (&packing.trim, ranges) {
        (None, _) => None,
        (Some(trim), [range]) => Some(Left {
            index: trim.index,
            known: Known {
                device: range.device,
                nonce: range.nonce,
                sort,
                before: Some((range.link_before, range.heads.clone())),
            },
            link: !trim.with_link,
            epoch: trim.with_epoch && !open,
        }),
        (Some(_), _) => return Err(invalid("a trimmed pack holds one range")),
    };
    Ok(Header {
        open,
        layout: Layout::Entries,
        space: *space,
        epoch,
        ranges: ranges.iter().map(|range| range.extent(space)).collect(),
        nonce,
        left,
        body_at: 0,
    })
}

/// Returns the content in `layout` and where new blocks should start, or nothing when the
/// layout does not rebuild the same entries.
fn lay_out(
    header: &Header,
    ranges: &[Range],
    layout: Layout,
) -> Result<Option<(Vec<u8>, Vec<usize>)>> {
    let mut to = Writer::new();
    to.array(2).array(ranges.len());
    for range in ranges {
        write_range(&mut to, header, range);
    }
    let mut cuts = vec![to.as_slice().len()];
    match layout {
        Layout::Entries => write_entries(&mut to, ranges),
        Layout::Columns => {
            if !columns::write(&mut to, &mut cuts, &header.space, ranges) {
                return Ok(None);
            }
        }
    }
    let content = to.into_bytes();
    if content.len() > INFLATED_BYTES_MAX {
        let what = format!("{} bytes inflated", content.len());
        return Err(Error::new(Kind::Size, what));
    }
    if content.len() < CUT_BYTES_MIN {
        cuts.clear();
    }
    Ok(Some((content, cuts)))
}

/// Pads, seals and prepends the header.
fn finish(header: Header, mode: &Mode, frame: &[u8]) -> Result<Vec<u8>> {
    let mut pack = header.sent();
    let tag_len = if header.open { 0 } else { TAG_LEN };
    let whole = padded_len(pack.len() + LEN_BYTES + frame.len() + tag_len);
    if whole > SEALED_BYTES_MAX {
        return Err(Error::new(Kind::Size, format!("a pack of {whole} bytes")));
    }
    let mut body = Vec::with_capacity(whole);
    let frame_len = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    body.extend_from_slice(&frame_len.to_le_bytes());
    body.extend_from_slice(frame);
    body.resize(whole - pack.len() - tag_len, 0);
    match mode {
        Mode::Open => pack.extend_from_slice(&body),
        Mode::Sealed { key, .. } => {
            pack.extend(crypto::seal(key, &header.nonce, &header.full(), &body)?);
        }
    }
    Ok(pack)
}

/// Returns the frame inside `body` of a pack of `pack_len` bytes; checks length and padding.
fn unpad(pack_len: usize, body: &[u8]) -> Result<&[u8]> {
    let short = || Error::new(Kind::Truncated, "a pack ends too early");
    let (len, rest) = body.split_first_chunk::<LEN_BYTES>().ok_or_else(short)?;
    let len = usize::try_from(u32::from_le_bytes(*len)).unwrap_or(usize::MAX);
    if len > SEALED_BYTES_MAX {
        return Err(Error::new(Kind::Size, format!("a frame of {len} bytes")));
    }
    let (frame, padding) = rest.split_at_checked(len).ok_or_else(short)?;
    let expected = padded_len(pack_len - padding.len());
    if pack_len < expected {
        return Err(short());
    }
    if pack_len > expected {
        return Err(Error::new(Kind::Trailing, "bytes after a pack"));
    }
    if padding.iter().any(|byte| *byte != 0) {
        return Err(Error::new(Kind::Format, "padding that is not zeros"));
    }
    Ok(frame)
}

fn write_range(to: &mut Writer, header: &Header, range: &Range) {
    let with_link = header.link_known().is_none();
    match (&header.left, with_link) {
        (None, _) => to.array(6).bytes(&range.device.0).bytes(&range.nonce),
        (Some(_), true) => to.array(4),
        (Some(_), false) => to.array(2),
    };
    if with_link {
        write_heads(to.bytes(&range.link_before.0), &range.heads);
    }
    to.bytes(&range.seal).array(range.runs.len());
    for run in &range.runs {
        to.array(2).uint(run.count);
        match &run.salts {
            Salts::Empty => {
                to.array(0);
            }
            Salts::Seed(seed) => {
                to.bytes(seed);
            }
            Salts::Kept(kept) => {
                to.array(kept.len());
                for (seq, index, salt) in kept {
                    let offset = seq.saturating_sub(run.first);
                    to.array(3).uint(offset).uint(u64::from(*index)).bytes(salt);
                }
            }
        }
    }
}

fn write_entries(to: &mut Writer, ranges: &[Range]) {
    to.array(ranges.iter().map(|range| range.entries.len()).sum());
    for entry in ranges.iter().flat_map(|range| &range.entries) {
        to.raw(&entry.encode());
    }
}

fn read_content(content: &[u8], header: &Header) -> Result<Vec<Range>> {
    let inside = |error: Error| match error.kind {
        // The frame was whole, so a short or long content is its maker's fault.
        Kind::Truncated | Kind::Trailing => Error::new(Kind::Format, error.context),
        _ => error,
    };
    let mut from = Reader::new(content);
    let mut ranges = read_ranges(&mut from, header).map_err(inside)?;
    match header.layout {
        Layout::Entries => read_entries(&mut from, &mut ranges, header),
        Layout::Columns => columns::read(&mut from, &mut ranges, header),
    }
    .map_err(inside)?;
    from.end();
    from.finish().map_err(inside)?;
    Ok(ranges)
}

fn read_ranges(from: &mut Reader<'_>, header: &Header) -> Result<Vec<Range>> {
    from.tuple(2)?;
    from.tuple(header.ranges.len())?;
    let mut ranges = Vec::with_capacity(header.ranges.len());
    for extent in &header.ranges {
        let range = read_range(from, header, extent)?;
        if range.log_id(&header.space) != extent.log {
            return Err(Error::new(
                Kind::Format,
                format!("log {} of the header is not the body's", extent.log),
            ));
        }
        ranges.push(range);
    }
    from.end();
    Ok(ranges)
}

fn read_range(from: &mut Reader<'_>, header: &Header, extent: &Extent) -> Result<Range> {
    let known = header.left.as_ref().map(|left| &left.known);
    let link_known = header.link_known();
    from.tuple(match (known, link_known) {
        (None, _) => 6,
        (Some(_), None) => 4,
        (Some(_), Some(_)) => 2,
    })?;
    let (device, nonce) = match known {
        Some(known) => (known.device, known.nonce),
        None => (crate::ids::DeviceKey(from.array_bytes()?), from.array_bytes()?),
    };
    let (link_before, heads) = match link_known {
        Some((link, heads)) => (*link, heads.clone()),
        None => (Link(from.array_bytes()?), read_heads(from)?),
    };
    let seal = from.array_bytes()?;
    let runs = read_runs(from, extent)?;
    from.end();
    check_cover(&runs, header.sort(), extent.first, extent.count)?;
    Ok(Range {
        device,
        nonce,
        sort: header.sort(),
        first: extent.first,
        link_before,
        heads,
        seal,
        runs,
        entries: Vec::new(),
    })
}

fn read_runs(from: &mut Reader<'_>, extent: &Extent) -> Result<Vec<Run>> {
    let run_count = from.array(ENTRIES_MAX)?;
    let mut runs = Vec::with_capacity(run_count);
    let mut first = extent.first;
    for _ in 0..run_count {
        from.tuple(2)?;
        let count = from.uint_max(RUN_ENTRIES_MAX)?;
        let salts = if from.is_bytes() {
            Salts::Seed(from.array_bytes()?)
        } else {
            Salts::Kept(read_kept(from, first)?)
        };
        from.end();
        runs.push(Run { first, count, salts });
        first = first.saturating_add(count);
    }
    from.end();
    Ok(runs)
}

fn read_kept(from: &mut Reader<'_>, first: u64) -> Result<Vec<(u64, u32, [u8; 16])>> {
    let count = from.array(usize::try_from(RUN_ENTRIES_MAX).unwrap_or(0) * ITEMS_MAX)?;
    let mut kept = Vec::new();
    for _ in 0..count {
        from.tuple(3)?;
        let seq = first.saturating_add(from.uint_max(RUN_ENTRIES_MAX)?);
        let index = u32::try_from(from.uint_max(ITEMS_MAX as u64)?).unwrap_or(u32::MAX);
        kept.push((seq, index, from.array_bytes()?));
        from.end();
    }
    from.end();
    Ok(kept)
}

fn read_entries(from: &mut Reader<'_>, ranges: &mut [Range], header: &Header) -> Result<()> {
    from.tuple(usize::try_from(header.entries()).unwrap_or(usize::MAX))?;
    for (range, extent) in ranges.iter_mut().zip(&header.ranges) {
        for _ in 0..extent.count {
            range.entries.push(Entry::read(from)?);
        }
    }
    from.end();
    Ok(())
}
