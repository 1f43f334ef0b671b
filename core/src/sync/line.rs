//! A line between two phones: an encrypted stream of frames over any stream of bytes.
//!
//! ```text
//! message   = u16 length, Noise message
//! handshake = three messages of XX, or of XXpsk3 between an inviter and a newcomer; no content
//! content   = frames (u32 length, u8 type, payload), cut into parts of at most 65,519 bytes
//! ```
//!
//! The static key is the device's box key, so who is at the other end is known before anything is
//! said. The initiator's key is hidden from all but the responder, and no key is in clear.
//! Invariant: whatever comes, no more than [`WAITING_BYTES_MAX`] and one message wait in memory;
//! after the first error nothing is believed or sent. Must not know: sockets, what frames say.

use std::collections::VecDeque;

use crate::clock::Env;
use crate::codec::Writer;
use crate::crypto::noise::{self, CONTENT_BYTES_MAX, Handshake, Transport};
use crate::crypto::{self, DeviceSecret};
use crate::error::{Error, Kind, Result};
use crate::ids::{BoxKey, to_hex};
use crate::sync::session::{FRAME_BYTES_MAX, Framer, Side};

/// The most bytes of frames that wait to be taken, and of messages that wait to be sent.
pub const WAITING_BYTES_MAX: usize = 4 << 20;

/// How long a beacon keeps its name.
const BEACON_MS: i64 = 15 * 60 * 1_000;

/// Returns the name that phones with the team's key announce at `now_ms`, 16 hexadecimal digits:
/// another one every quarter of an hour, and without the key nobody can tell that two belong
/// together.
#[must_use]
pub fn beacon_name(key: &[u8; 32], now_ms: i64) -> String {
    let mut args = Writer::new();
    args.array(2).bytes(key).int(now_ms.div_euclid(BEACON_MS));
    let hash = crypto::hash("tuquan/1 beacon", &args);
    to_hex(hash.get(..8).unwrap_or_default())
}

const PROLOGUE: &[u8] = b"tuquan/1 line";
/// The longest message of both handshakes has 96 bytes.
const HANDSHAKE_BYTES_MAX: usize = 128;
const LEN_BYTES: usize = 2;

/// How far a line is.
#[derive(Debug)]
enum State {
    Greeting(Box<Handshake>),
    Open { transport: Box<Transport>, remote: BoxKey, hash: [u8; 32] },
    Failed,
}

/// One end of a line; see the module.
#[derive(Debug)]
pub struct Line {
    state: State,
    /// A message that has not come whole yet.
    came: Vec<u8>,
    framer: Framer,
    frames: Waiting,
    /// Frames that were to be sent before the handshake was done.
    early: Waiting,
    out: Waiting,
}

/// Byte strings in order, and how many bytes they are together.
#[derive(Debug, Default)]
struct Waiting {
    all: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Waiting {
    fn push(&mut self, one: Vec<u8>) -> Result<()> {
        self.bytes += one.len();
        if self.bytes > WAITING_BYTES_MAX {
            return Err(Error::new(Kind::Size, "more waits on a line than may"));
        }
        self.all.push_back(one);
        Ok(())
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let one = self.all.pop_front()?;
        self.bytes -= one.len();
        Some(one)
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Line {
    /// Starts a line; with `psk` only who has the same one gets through.
    ///
    /// # Errors
    /// `E-INVALID` when the handshake cannot be started.
    pub fn new(
        side: Side,
        secret: &DeviceSecret,
        psk: Option<&[u8; 32]>,
        env: &mut Env,
    ) -> Result<Self> {
        let handshake = Handshake::new(&noise::Side {
            initiator: side == Side::Initiator,
            secret: &secret.unbox,
            ephemeral: env.random(),
            psk,
            prologue: PROLOGUE,
        })?;
        let mut line = Self {
            state: State::Greeting(Box::new(handshake)),
            came: Vec::new(),
            framer: Framer::default(),
            frames: Waiting::default(),
            early: Waiting::default(),
            out: Waiting::default(),
        };
        line.go_on()?;
        Ok(line)
    }

    /// Takes bytes of the stream, cut anywhere.
    ///
    /// # Errors
    /// `E-BODY` for what was altered, repeated, left out, or sealed with another key; `E-KEY` for
    /// a key that gives no secret; `E-FORMAT`; `E-SIZE`, also when frames are not taken out;
    /// `E-NOTREADY` after an earlier error. The line is dead then.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        if self.has_failed() {
            return Err(Error::new(Kind::NotReady, "the line has failed"));
        }
        let outcome = self.take(bytes);
        outcome.inspect_err(|_| self.fail())
    }

    /// Returns the next bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.out.pop()
    }

    /// Returns the next frame that came.
    pub fn next_frame(&mut self) -> Option<Vec<u8>> {
        self.frames.pop()
    }

    /// Sends a frame; before the handshake is done it waits.
    ///
    /// # Errors
    /// `E-SIZE` for a frame over the cap, or when too much waits; `E-NOTREADY` after an error.
    pub fn send(&mut self, frame: &[u8]) -> Result<()> {
        if frame.len() > FRAME_BYTES_MAX + size_of::<u32>() {
            return Err(Error::new(Kind::Size, format!("a frame of {} bytes", frame.len())));
        }
        match &mut self.state {
            State::Failed => Err(Error::new(Kind::NotReady, "the line has failed")),
            State::Greeting(_) => self.early.push(frame.to_vec()),
            State::Open { transport, .. } => {
                for part in frame.chunks(CONTENT_BYTES_MAX) {
                    let message = transport.seal(part)?;
                    self.out.push(with_len(&message)?)?;
                }
                Ok(())
            }
        }
    }

    /// Returns the box key of the device at the other end, once the handshake is done.
    #[must_use]
    pub fn remote_static(&self) -> Option<BoxKey> {
        match &self.state {
            State::Open { remote, .. } => Some(*remote),
            _ => None,
        }
    }

    /// Returns the hash of the handshake, which both ends share and nobody chose.
    #[must_use]
    pub fn handshake_hash(&self) -> Option<[u8; 32]> {
        match &self.state {
            State::Open { hash, .. } => Some(*hash),
            _ => None,
        }
    }

    /// Tells whether the line is dead.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        matches!(self.state, State::Failed)
    }

    /// Checks, at the end of the stream, that it did not end inside a message, a frame or the
    /// handshake. Whether all was said is for the frames to tell: a line may be cut anywhere.
    ///
    /// # Errors
    /// `E-TRUNC`.
    pub fn finish(&self) -> Result<()> {
        if !self.came.is_empty() || !matches!(self.state, State::Open { .. }) {
            return Err(Error::new(Kind::Truncated, "the line ends too early"));
        }
        self.framer.finish()
    }

    fn fail(&mut self) {
        self.state = State::Failed;
        self.came = Vec::new();
        self.framer = Framer::default();
        self.frames.clear();
        self.early.clear();
        self.out.clear();
    }

    fn take(&mut self, mut bytes: &[u8]) -> Result<()> {
        loop {
            let whole = match self.came.first_chunk::<LEN_BYTES>() {
                None => LEN_BYTES,
                Some(len) => LEN_BYTES + self.checked_len(*len)?,
            };
            let missing = whole.saturating_sub(self.came.len());
            let (now, later) = bytes.split_at(missing.min(bytes.len()));
            self.came.extend_from_slice(now);
            bytes = later;
            if self.came.len() < whole {
                return Ok(());
            }
            if whole > LEN_BYTES {
                let came = std::mem::take(&mut self.came);
                self.on_message(came.get(LEN_BYTES..).unwrap_or_default())?;
            }
        }
    }

    /// Judges the length of a message before anything of it is kept.
    fn checked_len(&self, len: [u8; LEN_BYTES]) -> Result<usize> {
        let len = usize::from(u16::from_le_bytes(len));
        if len == 0 {
            return Err(Error::new(Kind::Format, "an empty message"));
        }
        if matches!(self.state, State::Greeting(_)) && len > HANDSHAKE_BYTES_MAX {
            return Err(Error::new(Kind::Size, format!("a handshake message of {len} bytes")));
        }
        Ok(len)
    }

    fn on_message(&mut self, message: &[u8]) -> Result<()> {
        match &mut self.state {
            State::Failed => Ok(()),
            State::Greeting(handshake) => {
                if !handshake.read(message)?.is_empty() {
                    return Err(Error::new(Kind::Format, "content in a handshake"));
                }
                self.go_on()
            }
            State::Open { transport, .. } => {
                let part = transport.open(message)?;
                self.framer.push(&part);
                while let Some(frame) = self.framer.next_frame()? {
                    self.frames.push(frame)?;
                }
                Ok(())
            }
        }
    }

    /// Writes the next message of the handshake if it is this side's turn, or ends it.
    fn go_on(&mut self) -> Result<()> {
        let State::Greeting(handshake) = &mut self.state else {
            return Ok(());
        };
        if handshake.is_my_turn() {
            let message = handshake.write(&[])?;
            self.out.push(with_len(&message)?)?;
        }
        if !handshake.is_finished() {
            return Ok(());
        }
        let State::Greeting(handshake) = std::mem::replace(&mut self.state, State::Failed) else {
            return Ok(());
        };
        let (transport, remote, hash) = handshake.finish()?;
        self.state = State::Open { transport: Box::new(transport), remote, hash };
        while let Some(frame) = self.early.pop() {
            self.send(&frame)?;
        }
        Ok(())
    }
}

fn with_len(message: &[u8]) -> Result<Vec<u8>> {
    let len = u16::try_from(message.len())
        .map_err(|_| Error::new(Kind::Size, format!("a message of {} bytes", message.len())))?;
    Ok([&len.to_le_bytes()[..], message].concat())
}
