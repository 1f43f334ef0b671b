//! The messages of a session and their frames.
//!
//! ```text
//! frame  = u32 length of what follows, u8 type, payload
//! hello  1 = [[version...], space, device, data log | null, counter, vector hash, signature]
//! vector 2 = [[log, next, link, [[first, count]...]]...], sorted by log
//! want   3 = [newest first, [[index in the receiver's vector, first, count]...]]
//! pack   4 = a whole or a trimmed pack
//! ack    5 = [data log | null, counter, vector, signature]
//! credit 6 = [bytes]
//! done   7 = [entries sent]
//! error  8 = [code]
//! who    9 = nothing: whoever greeted is not known here
//! intro 10 = [open control pack...]
//! lack  11 = [hash of a chunk...], what is missing here, at most 256
//! chunk 12 = a sealed chunk; without bytes: no more of what was asked for
//! ```
//!
//! A hello whose device lacks chunks of photos has an eighth part, `true`; so one that lacks none is
//! as short as ever. The first byte of a whole pack is `T`, the flags of a trimmed one are below 32. Invariant: a
//! length is compared with its cap before anything is kept. Must not know: what a session does
//! with a message.

use crate::attachment::SEALED_CHUNK_LEN_MAX;
use crate::codec::{Reader, Writer};
use crate::crypto::SIGNATURE_LEN;
use crate::error::{Error, Kind, Result};
use crate::ids::{ChunkHash, DeviceKey, LogId, SpaceId};
use crate::log::pack::SEALED_BYTES_MAX;
use crate::replica::outgoing::Vector;

/// The version that this code speaks.
pub const VERSION: u64 = 1;
/// The most bytes that may follow a frame's length.
pub const FRAME_BYTES_MAX: usize = 1 + SEALED_BYTES_MAX;
/// Bytes of a frame before its payload: length and type.
pub const FRAME_HEAD_LEN: usize = 5;
/// The most stretches that a `want` names as here already.
pub const WANT_HELD_MAX: usize = 256;

/// The most packs of an introduction, and the most bytes of them together.
pub const INTRODUCTION_MAX: (usize, usize) = (64, 1_000_000);

/// The most chunks that a `lack` asks for.
pub const LACK_MAX: usize = 256;

const LEN_BYTES: usize = 4;
const VERSIONS_MAX: usize = 16;
const CODE_BYTES_MAX: usize = 32;

/// What both `hello` and `ack` sign: that a device holds what a vector says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The device's data log; none while it has written nothing.
    pub log: Option<LogId>,
    /// Rises with every vector that the device signs.
    pub counter: u64,
    /// The signature over (space, log, counter, vector hash).
    pub signature: [u8; SIGNATURE_LEN],
}

/// The first message of both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The space.
    pub space: SpaceId,
    /// The device that speaks.
    pub device: DeviceKey,
    /// Its acknowledgement of its own vector.
    pub claim: Claim,
    /// The hash of that vector.
    pub vector_hash: [u8; 32],
    /// Whether it lacks chunks of photos.
    pub lacks: bool,
}

/// How a side would like to be sent what it lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Want {
    /// Whether the newest entries come first.
    pub newest_first: bool,
    /// Stretches beyond a gap that are here: (index in the other side's vector, first, count).
    pub held: Vec<(u64, u64, u64)>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// Who speaks, and the hash of what it holds.
    Hello(Hello),
    /// What it holds.
    Vector(Vector),
    /// How it would like to be sent what it lacks; sending starts with it.
    Want(Want),
    /// A pack.
    Pack(&'a [u8]),
    /// What it holds in the end.
    Ack(Claim, Vector),
    /// So many more bytes of packs may come.
    Credit(u64),
    /// No more packs come; so many entries were sent.
    Done(u64),
    /// The session ends, with a code.
    Error(String),
    /// Whoever greeted is not known here: who is it?
    Who,
    /// The answer to that: control packs that make the asked one a member.
    Introduction(Vec<&'a [u8]>),
    /// Chunks of photos that are missing here.
    Lack(Vec<ChunkHash>),
    /// One of those asked for, or no bytes: no more of them come.
    Chunk(&'a [u8]),
}

impl<'a> Message<'a> {
    /// Encodes the message as a frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Writer::after(vec![0; FRAME_HEAD_LEN]);
        let number = match self {
            Self::Hello(hello) => {
                write_hello(&mut to, hello);
                1
            }
            Self::Vector(vector) => {
                vector.write(&mut to);
                2
            }
            Self::Want(want) => {
                to.array(2).bool(want.newest_first).array(want.held.len());
                for (index, first, count) in &want.held {
                    to.array(3).uint(*index).uint(*first).uint(*count);
                }
                3
            }
            Self::Pack(bytes) => {
                to.raw(bytes);
                4
            }
            Self::Ack(claim, vector) => {
                to.array(4);
                write_claim(&mut to, claim);
                vector.write(&mut to);
                to.bytes(&claim.signature);
                5
            }
            Self::Credit(bytes) => {
                to.array(1).uint(*bytes);
                6
            }
            Self::Done(entries) => {
                to.array(1).uint(*entries);
                7
            }
            Self::Error(code) => {
                to.array(1).text(code);
                8
            }
            Self::Who => 9,
            Self::Introduction(packs) => {
                to.array(packs.len());
                for pack in packs {
                    to.bytes(pack);
                }
                10
            }
            Self::Lack(hashes) => {
                to.array(hashes.len());
                for hash in hashes {
                    to.bytes(&hash.0);
                }
                11
            }
            Self::Chunk(bytes) => {
                to.raw(bytes);
                12
            }
        };
        let mut frame = to.into_bytes();
        let len = u32::try_from(frame.len() - LEN_BYTES).unwrap_or(u32::MAX);
        frame[..LEN_BYTES].copy_from_slice(&len.to_le_bytes());
        frame[LEN_BYTES] = number;
        frame
    }

    /// Decodes one whole frame.
    ///
    /// # Errors
    /// `E-SIZE`, `E-TRUNC`, `E-TRAIL` when the frame is not as long as it says; `E-NEWER` for a
    /// hello of another version or an unknown type; `E-FORMAT`.
    pub fn decode(frame: &'a [u8]) -> Result<Self> {
        let rest = match frame_len(frame)? {
            Some(len) if len == frame.len() => frame.get(LEN_BYTES..).unwrap_or_default(),
            Some(len) if len < frame.len() => {
                return Err(Error::new(Kind::Trailing, "bytes after a frame"));
            }
            _ => return Err(Error::new(Kind::Truncated, "a frame ends too early")),
        };
        let (number, payload) =
            rest.split_first().ok_or_else(|| Error::new(Kind::Format, "a frame without a type"))?;
        if *number == 4 {
            return Ok(Self::Pack(payload));
        }
        if *number == 12 {
            return match payload.len() {
                0..=SEALED_CHUNK_LEN_MAX => Ok(Self::Chunk(payload)),
                len => Err(Error::new(Kind::Size, format!("a chunk of {len} bytes"))),
            };
        }
        let mut from = Reader::new(payload);
        let message = match number {
            1 => Self::Hello(read_hello(&mut from)?),
            2 => Self::Vector(Vector::read(&mut from)?),
            3 => Self::Want(read_want(&mut from)?),
            5 => {
                from.tuple(4)?;
                let (log, counter) = (read_log(&mut from)?, from.uint()?);
                let vector = Vector::read(&mut from)?;
                let signature = from.array_bytes()?;
                from.end();
                let claim = Claim { log, counter, signature };
                Self::Ack(claim, vector)
            }
            6 => Self::Credit(read_one(&mut from)?),
            7 => Self::Done(read_one(&mut from)?),
            8 => {
                from.tuple(1)?;
                let code = from.text(CODE_BYTES_MAX)?.to_owned();
                from.end();
                Self::Error(code)
            }
            9 => Self::Who,
            10 => Self::Introduction(read_packs(&mut from)?),
            11 => Self::Lack(read_hashes(&mut from)?),
            other => return Err(Error::new(Kind::Newer, format!("message type {other}"))),
        };
        from.finish()?;
        Ok(message)
    }
}

fn read_packs<'a>(from: &mut Reader<'a>) -> Result<Vec<&'a [u8]>> {
    let (packs_max, bytes_max) = INTRODUCTION_MAX;
    let count = from.array(packs_max)?;
    let mut packs = Vec::with_capacity(count);
    let mut left = bytes_max;
    for _ in 0..count {
        let pack = from.bytes(left)?;
        left -= pack.len();
        packs.push(pack);
    }
    from.end();
    Ok(packs)
}

fn read_hashes(from: &mut Reader<'_>) -> Result<Vec<ChunkHash>> {
    let count = from.array(LACK_MAX)?;
    let mut hashes = Vec::with_capacity(count);
    for _ in 0..count {
        hashes.push(ChunkHash(from.array_bytes()?));
    }
    from.end();
    Ok(hashes)
}

fn write_claim(to: &mut Writer, claim: &Claim) {
    match &claim.log {
        None => to.null(),
        Some(log) => to.bytes(&log.0),
    };
    to.uint(claim.counter);
}

fn write_hello(to: &mut Writer, hello: &Hello) {
    to.array(7 + usize::from(hello.lacks)).array(1).uint(VERSION);
    to.bytes(&hello.space.0).bytes(&hello.device.0);
    write_claim(to, &hello.claim);
    to.bytes(&hello.vector_hash).bytes(&hello.claim.signature);
    if hello.lacks {
        to.bool(true);
    }
}

fn read_log(from: &mut Reader<'_>) -> Result<Option<LogId>> {
    if from.null()? {
        return Ok(None);
    }
    Ok(Some(LogId(from.array_bytes()?)))
}

fn read_one(from: &mut Reader<'_>) -> Result<u64> {
    from.tuple(1)?;
    let value = from.uint()?;
    from.end();
    Ok(value)
}

fn read_hello(from: &mut Reader<'_>) -> Result<Hello> {
    let fields = from.array(usize::MAX)?;
    let count = from.array(VERSIONS_MAX)?;
    let mut spoken = false;
    for _ in 0..count {
        spoken |= from.uint()? == VERSION;
    }
    from.end();
    if !spoken {
        return Err(Error::new(Kind::Newer, "a peer of other versions"));
    }
    if !matches!(fields, 7 | 8) {
        return Err(Error::new(Kind::Format, "a hello of a wrong length"));
    }
    let space = SpaceId(from.array_bytes()?);
    let device = DeviceKey(from.array_bytes()?);
    let (log, counter) = (read_log(from)?, from.uint()?);
    let vector_hash = from.array_bytes()?;
    let signature = from.array_bytes()?;
    let lacks = fields == 8;
    if lacks && !from.bool()? {
        return Err(Error::new(Kind::Format, "a hello longer than it need be"));
    }
    from.end();
    let claim = Claim { log, counter, signature };
    Ok(Hello { space, device, claim, vector_hash, lacks })
}

fn read_want(from: &mut Reader<'_>) -> Result<Want> {
    from.tuple(2)?;
    let newest_first = from.bool()?;
    let count = from.array(WANT_HELD_MAX)?;
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        from.tuple(3)?;
        held.push((from.uint()?, from.uint()?, from.uint()?));
        from.end();
    }
    from.end();
    from.end();
    Ok(Want { newest_first, held })
}

/// Returns the length of the frame that `bytes` start with, once its own length is there.
fn frame_len(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(len) = bytes.first_chunk::<LEN_BYTES>() else {
        return Ok(None);
    };
    let len = usize::try_from(u32::from_le_bytes(*len)).unwrap_or(usize::MAX);
    if len > FRAME_BYTES_MAX {
        return Err(Error::new(Kind::Size, format!("a frame of {len} bytes")));
    }
    Ok(Some(LEN_BYTES + len))
}

/// Cuts a stream of bytes into frames, holding at most one frame and what came with it.
#[derive(Debug, Clone, Default)]
pub struct Framer {
    bytes: Vec<u8>,
    start: usize,
}

impl Framer {
    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the next whole frame, if it is there.
    ///
    /// # Errors
    /// `E-SIZE` for a frame over the cap; the stream cannot go on then.
    pub fn next_frame(&mut self) -> Result<Option<Vec<u8>>> {
        let rest = self.bytes.get(self.start..).unwrap_or_default();
        let Some(len) = frame_len(rest)? else {
            return Ok(None);
        };
        let Some(frame) = rest.get(..len) else {
            return Ok(None);
        };
        let frame = frame.to_vec();
        self.start += len;
        Ok(Some(frame))
    }

    /// Checks that the stream did not end inside a frame.
    ///
    /// # Errors
    /// `E-TRUNC`.
    pub fn finish(&self) -> Result<()> {
        if self.start == self.bytes.len() {
            return Ok(());
        }
        Err(Error::new(Kind::Truncated, "the stream ends in a frame"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_of_any_cut_of_the_stream() {
        let frames = [
            Message::Credit(4 << 20).encode(),
            Message::Pack(&[7; 300]).encode(),
            Message::Error("E-SPACE".to_owned()).encode(),
        ];
        let stream = frames.concat();
        for cut in 1..stream.len() {
            let mut framer = Framer::default();
            let mut found = Vec::new();
            for part in stream.chunks(cut) {
                framer.push(part);
                while let Some(frame) = framer.next_frame().expect("within the cap") {
                    found.push(frame);
                }
            }
            assert_eq!(found, frames);
            framer.finish().expect("nothing left");
        }
    }

    #[test]
    fn a_frame_of_a_wrong_length_says_so() {
        let frame = Message::Done(3).encode();
        let kind = |bytes: &[u8]| Message::decode(bytes).expect_err("refused").kind;
        assert_eq!(Message::decode(&frame), Ok(Message::Done(3)));
        for len in 0..frame.len() {
            assert_eq!(kind(&frame[..len]), Kind::Truncated);
        }
        assert_eq!(kind(&[&frame[..], &[0]].concat()), Kind::Trailing);
        assert_eq!(kind(&[0, 0, 0, 0]), Kind::Format);
        assert_eq!(kind(&[0xff; 9]), Kind::Size);
        assert_eq!(kind(&[2, 0, 0, 0, 99, 0]), Kind::Newer);
        let mut framer = Framer::default();
        framer.push(&[0xff; 4]);
        assert_eq!(framer.next_frame().expect_err("over").kind, Kind::Size);
    }
}
