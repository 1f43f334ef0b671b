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
use tuquan_core::sync::session::{Event, IDLE_MS_MAX, Options, Session, Side, Stats};

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
    now_ms: i64,
    tell: impl FnMut(Event),
) -> Result<Stats>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let line = step(store, move |replica| {
        let secret = replica.mind.identity()?.secret.clone();
        Line::new(side, &secret, None, &mut replica.env)
    })
    .await?;
    on_line(store, stream, line, side, now_ms, tell).await
}

/// As [`meet`], on a line that stands already: after a joining.
///
/// # Errors
/// As [`meet`].
pub async fn on_line<S>(
    store: &Arc<Tuquan>,
    mut stream: S,
    mut line: Line,
    side: Side,
    now_ms: i64,
    mut tell: impl FnMut(Event),
) -> Result<Stats>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut buffer = vec![0; READ_BYTES];
    flush(&mut stream, &mut line).await?;
    while line.remote_static().is_none() {
        read(&mut stream, &mut line, &mut buffer).await?;
        flush(&mut stream, &mut line).await?;
    }
    let options = Options { line: line.remote_static(), ..Options::default() };
    let mut session = Session::new(side, now_ms, options);
    loop {
        let outcome = turn(store, session, line).await;
        let (events, turned, ended);
        (session, line, events, ended) = match outcome {
            Ok(turned) => turned,
            Err(error) => return Err(error),
        };
        turned = events.is_empty();
        let mut failed = None;
        for event in events {
            match &event {
                Event::Received { ingested } => store.note_changes(ingested.changed.clone()),
                Event::Failed { error, .. } => failed = Some(error.clone()),
                _ => {}
            }
            tell(event);
        }
        let wrote = flush(&mut stream, &mut line).await?;
        if let Some(error) = failed {
            return Err(error);
        }
        if ended {
            stream.shutdown().await.ok();
            return Ok(session.stats());
        }
        if turned && !wrote {
            read(&mut stream, &mut line, &mut buffer).await?;
        }
    }
}

/// One step of the session: at most one frame in and one out.
async fn turn(
    store: &Arc<Tuquan>,
    mut session: Session,
    mut line: Line,
) -> Result<(Session, Line, Vec<Event>, bool)> {
    step(store, move |replica| {
        let now_ms = replica.env.clock.now_ms();
        // An error ends the session, says so in an event, and leaves a last frame to be sent.
        let came = line.next_frame().map(|frame| session.handle_message(replica, &frame, now_ms));
        let goes = session.poll_transmit(replica);
        if let Ok(Some(frame)) = &goes {
            line.send(frame)?;
        }
        let events: Vec<Event> = std::iter::from_fn(|| session.poll_event()).collect();
        let told = events.iter().any(|event| matches!(event, Event::Failed { .. }));
        if !told {
            came.transpose()?;
            goes?;
        }
        let ended = session.has_ended() && session.poll_transmit(replica)?.is_none();
        Ok((session, line, events, ended))
    })
    .await
}

/// Sends what the line has for the stream; tells whether there was anything.
pub(crate) async fn flush<S: AsyncWrite + Unpin>(stream: &mut S, line: &mut Line) -> Result<bool> {
    let mut wrote = false;
    while let Some(bytes) = line.poll_transmit() {
        in_time(stream.write_all(&bytes)).await?;
        wrote = true;
    }
    in_time(stream.flush()).await?;
    Ok(wrote)
}

/// Reads some bytes into the line.
pub(crate) async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    line: &mut Line,
    buffer: &mut [u8],
) -> Result<()> {
    let count = in_time(stream.read(buffer)).await?;
    if count == 0 {
        line.finish()?;
        return Err(Error::new(Kind::Io, "the other phone closed the line"));
    }
    line.handle_bytes(buffer.get(..count).unwrap_or_default())
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
