//! Bytes cut into numbered frames, each small enough for one QR code, and put together again.
//!
//! ```text
//! frame = set 8, u16 number, u16 count, u32 length of all, part       as a code of kind F
//! ```
//!
//! The set is the first 8 bytes of a hash of all bytes, so frames of two sets never mix and what
//! was put together is what was cut. Frames are shown in a loop and may come in any order, any
//! number of times. Must not know: pictures, what the bytes are.

use crate::crypto;
use crate::error::{Error, Kind, Result};
use crate::sync::join::{Code, CodeKind};

/// The most bytes that are cut: more is for a file.
pub const BYTES_MAX: usize = 1 << 20;
/// The most content of one frame.
pub const PART_BYTES_MAX: usize = 2_048;

const SET_LEN: usize = 8;
const HEAD_LEN: usize = SET_LEN + 2 + 2 + 4;
/// How many missing frames an error names.
const NAMED_MAX: usize = 8;

/// Cuts bytes into frames with at most `part_bytes` each, as text codes.
///
/// # Errors
/// `E-SIZE` for nothing, for too much, or when the frames would be too many.
pub fn cut(bytes: &[u8], part_bytes: usize) -> Result<Vec<String>> {
    let over = || Error::new(Kind::Size, format!("{} bytes as frames", bytes.len()));
    if bytes.is_empty() || bytes.len() > BYTES_MAX || part_bytes == 0 || part_bytes > PART_BYTES_MAX
    {
        return Err(over());
    }
    let count = u16::try_from(bytes.len().div_ceil(part_bytes)).map_err(|_| over())?;
    let len = u32::try_from(bytes.len()).map_err(|_| over())?;
    let mut head = set_of(bytes).to_vec();
    Ok((0_u16..)
        .zip(bytes.chunks(part_bytes))
        .map(|(number, part)| {
            head.truncate(SET_LEN);
            head.extend_from_slice(&number.to_le_bytes());
            head.extend_from_slice(&count.to_le_bytes());
            head.extend_from_slice(&len.to_le_bytes());
            Code::write(CodeKind::Frame, &[&head, part].concat())
        })
        .collect())
}

fn set_of(bytes: &[u8]) -> [u8; SET_LEN] {
    let [a, b, c, d, e, f, g, h, ..] = crypto::hash_bytes("tuquan/1 frames", bytes);
    [a, b, c, d, e, f, g, h]
}

/// Puts frames together.
#[derive(Debug, Clone, Default)]
pub struct Gathering {
    set: Option<([u8; SET_LEN], u32)>,
    parts: Vec<Option<Vec<u8>>>,
}

impl Gathering {
    /// Takes a frame; returns how many are here and how many there are.
    ///
    /// # Errors
    /// `E-QR` for a frame of another set; the errors of [`Code::read`]; `E-TRUNC`, `E-SIZE`,
    /// `E-FORMAT`. What was gathered stays in all cases.
    pub fn take(&mut self, text: &str) -> Result<(usize, usize)> {
        let bytes = Code::read_as(CodeKind::Frame, text)?;
        let frame = Frame::read(&bytes)?;
        let set = (frame.set, frame.len);
        match self.set {
            None => {
                self.set = Some(set);
                self.parts = vec![None; usize::from(frame.count)];
            }
            Some(known) if known == set && self.parts.len() == usize::from(frame.count) => {}
            Some(_) => return Err(Error::new(Kind::Qr, "a frame of another set")),
        }
        let others = (0_u16..).zip(&self.parts).filter(|(number, _)| *number != frame.number);
        let bytes: usize = others.filter_map(|(_, part)| part.as_ref()).map(Vec::len).sum();
        if (bytes + frame.part.len()) as u64 > u64::from(frame.len) {
            return Err(Error::new(Kind::Size, "frames of more than they say"));
        }
        if let Some(part) = self.parts.get_mut(usize::from(frame.number)) {
            *part = Some(frame.part.to_vec());
        }
        let here = self.parts.iter().flatten().count();
        Ok((here, self.parts.len()))
    }

    /// Returns the numbers of the frames that are missing, counted from 1.
    #[must_use]
    pub fn missing(&self) -> Vec<usize> {
        (1..)
            .zip(&self.parts)
            .filter(|(_, part)| part.is_none())
            .map(|(number, _)| number)
            .collect()
    }

    /// Returns all bytes once every frame is here.
    ///
    /// # Errors
    /// `E-QR` while frames are missing, naming the first ones; `E-BODY` when they do not make what
    /// was cut: the gathering is empty then, to begin anew.
    pub fn finish(&mut self) -> Result<Vec<u8>> {
        let missing = self.missing();
        let Some((set, len)) = self.set.filter(|_| missing.is_empty()) else {
            let named: Vec<String> =
                missing.iter().take(NAMED_MAX).map(ToString::to_string).collect();
            let more = if missing.len() > NAMED_MAX { " and more" } else { "" };
            let what =
                format!("frames {}{more} of {} are missing", named.join(", "), self.parts.len());
            return Err(Error::new(Kind::Qr, what));
        };
        let all: Vec<u8> = self.parts.iter().flatten().flatten().copied().collect();
        if all.len() as u64 == u64::from(len) && set_of(&all) == set {
            return Ok(all);
        }
        *self = Self::default();
        Err(Error::new(Kind::Body, "the frames do not make what was cut"))
    }
}

struct Frame<'a> {
    set: [u8; SET_LEN],
    number: u16,
    count: u16,
    len: u32,
    part: &'a [u8],
}

impl<'a> Frame<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        let short = || Error::new(Kind::Truncated, "a frame ends too early");
        let (head, part) = bytes.split_first_chunk::<HEAD_LEN>().ok_or_else(short)?;
        let [a, b, c, d, e, f, g, h, n0, n1, c0, c1, l0, l1, l2, l3] = *head;
        let frame = Self {
            set: [a, b, c, d, e, f, g, h],
            number: u16::from_le_bytes([n0, n1]),
            count: u16::from_le_bytes([c0, c1]),
            len: u32::from_le_bytes([l0, l1, l2, l3]),
            part,
        };
        let len = usize::try_from(frame.len).unwrap_or(usize::MAX);
        if len > BYTES_MAX || part.len() > PART_BYTES_MAX || usize::from(frame.count) > len {
            return Err(Error::new(Kind::Size, "a frame of too much"));
        }
        if frame.number >= frame.count || part.is_empty() {
            return Err(Error::new(Kind::Format, "a frame of a wrong number"));
        }
        Ok(frame)
    }
}
