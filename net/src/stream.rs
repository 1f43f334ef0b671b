//! Two phones over any stream of bytes: the line, the session on it, and how it is pumped.
//!
//! TCP on the local network, Bluetooth, a pipe: whatever reads and writes bytes will do. Must not
//! know: which stream it is.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tuquan_core::door::Tuquan;
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::sync::line::Line;
use tuquan_core::sync::meeting::Meeting;
use tuquan_core::sync::session::{Event, IDLE_MS_MAX, Side, Stats};

use crate::step;

/// How many bytes are read at once.
const READ_BYTES: usize = 64 << 10;

/// Meets the phone at the other end of a stream: both end with the same entries. `tell` hears how
/// it goes.
///
/// # Errors
/// `E-PEER` when the other end is no member of the team, or another than it says; `E-BODY` for
/// bytes that were altered on the way; `E-IO` when the stream breaks or falls silent; what the
/// session gives. What came before is kept.
pub async fn meet<S>(
    store: &Arc<Tuquan>,
    stream: S,
    side: Side,
    tell: impl FnMut(Event),
) -> Result<Stats>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let meeting = step(store, move |replica| Meeting::new(replica, side)).await?;
    carry(store, stream, meeting, tell).await
}

/// As [`meet`], on a line that stands already: after a joining.
///
/// # Errors
/// As [`meet`].
pub async fn on_line<S>(
    store: &Arc<Tuquan>,
    stream: S,
    line: Line,
    side: Side,
    tell: impl FnMut(Event),
) -> Result<Stats>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    carry(store, stream, Meeting::on_line(line, side), tell).await
}

/// Carries bytes between a meeting and its stream until it is over.
async fn carry<S>(
    store: &Arc<Tuquan>,
    mut stream: S,
    mut meeting: Meeting,
    mut tell: impl FnMut(Event),
) -> Result<Stats>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let turn;
        (meeting, turn) = step(store, move |replica| {
            let turn = meeting.turn(replica)?;
            Ok((meeting, turn))
        })
        .await?;
        let mut failed = None;
        for event in turn.events {
            match &event {
                Event::Received { ingested } => store.note_changes(ingested.changed.clone()),
                Event::Failed { error, .. } => failed = Some(error.clone()),
                _ => {}
            }
            tell(event);
        }
        let mut wrote = false;
        while let Some(bytes) = meeting.poll_transmit() {
            in_time(stream.write_all(&bytes)).await?;
            wrote = true;
        }
        in_time(stream.flush()).await?;
        if let Some(error) = failed {
            return Err(error);
        }
        if meeting.has_ended() {
            stream.shutdown().await.ok();
            return Ok(meeting.stats());
        }
        if !turn.moved && !wrote {
            let count = in_time(stream.read(&mut buffer)).await?;
            if count == 0 {
                meeting.finish()?;
                return Err(Error::new(Kind::Io, "the other phone closed the line"));
            }
            meeting.handle_bytes(buffer.get(..count).unwrap_or_default())?;
        }
    }
}

/// Waits for the stream, but not for ever: a phone that walked away says nothing.
async fn in_time<T>(work: impl Future<Output = std::io::Result<T>>) -> Result<T> {
    let limit = Duration::from_millis(IDLE_MS_MAX.unsigned_abs());
    match tokio::time::timeout(limit, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(_)) => Err(Error::new(Kind::Io, "the line to the other phone broke")),
        Err(_) => Err(Error::new(Kind::Io, "the other phone fell silent")),
    }
}
