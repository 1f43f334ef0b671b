//! The accept loop: connections with bounds on their number and on every wait.
//!
//! Heads come within `header_s`, bytes that are sent are taken within `write_s`, else the connection
//! goes. Must not know: routes.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::app::App;

/// How long to stand back when the system has no more sockets to give.
const STAND_BACK: Duration = Duration::from_millis(100);
const HEAD_BYTES_MAX: usize = 32 << 10;
const HEADERS_MAX: usize = 64;
/// Requests at a time on one HTTP/2 connection.
const STREAMS_MAX: u32 = 16;

/// Serves until the hub is to stop, then lets requests end for a while.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    app: Arc<App>,
) {
    let room = Arc::new(Semaphore::new(app.config.limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(ended) = connections.join_next(), if !connections.is_empty() => {
                if ended.is_err() {
                    // It takes nobody along, but somebody should look.
                    app.journal.failure("connection", "E-IO");
                    app.journal.add("panics", 1);
                    app.journal.add("connections", -1);
                }
                continue;
            }
            () = app.stopped() => break,
        };
        let Ok((stream, _)) = accepted else {
            app.journal.failure("accept", "E-IO");
            sleep(STAND_BACK).await;
            continue;
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            app.journal.add("connections_refused", 1);
            continue;
        };
        let (app, router, tls) = (Arc::clone(&app), router.clone(), tls.clone());
        connections.spawn(async move {
            app.journal.add("connections", 1);
            connection(stream, tls, router, &app).await;
            app.journal.add("connections", -1);
            drop(place);
        });
    }
    drop(listener);
    let limit = Duration::from_secs(app.config.limits.stop_s);
    let ended = timeout(limit, async { while connections.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        connections.shutdown().await;
    }
}

/// Serves one connection; what goes wrong on it is nobody else's business.
async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router, app: &App) {
    // An answer is written whole: waiting to fill a segment would only delay it.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return speak(stream, false, router, app).await;
    };
    let first = Duration::from_secs(app.config.limits.header_s);
    let Ok(Ok(stream)) = timeout(first, tls.accept(stream)).await else {
        return app.journal.add("handshakes_failed", 1);
    };
    let is_second = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    speak(stream, is_second, router, app).await;
}

/// Speaks HTTP/1.1 or 2 until the other side goes or the hub stops.
async fn speak<S>(stream: S, is_second: bool, router: Router, app: &App)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let limits = &app.config.limits;
    let (first, write) =
        (Duration::from_secs(limits.header_s), Duration::from_secs(limits.write_s));
    let stream = TokioIo::new(Patient::new(stream, first, write));
    let service = TowerToHyperService::new(router);
    // Errors here are those of a line that broke or a request that was none.
    if is_second {
        let mut http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
            .keep_alive_interval(Some(Duration::from_secs(30)))
            .keep_alive_timeout(first);
        let mut connection = pin!(http.serve_connection(stream, service));
        tokio::select! {
            _ = connection.as_mut() => return,
            () = app.stopped() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    } else {
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(first)
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEAD_BYTES_MAX);
        let mut connection = pin!(http.serve_connection(stream, service));
        tokio::select! {
            _ = connection.as_mut() => return,
            () = app.stopped() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}

/// A stream that gives up when nothing comes at first, or when nobody takes what is written.
struct Patient<S> {
    stream: S,
    first: Option<Pin<Box<Sleep>>>,
    write: Duration,
    writing: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    fn new(stream: S, first: Duration, write: Duration) -> Self {
        Self { stream, first: Some(Box::pin(sleep(first))), write, writing: None }
    }

    /// Passes on what a write said, unless it has said nothing for too long.
    fn watch<T>(&mut self, poll: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.writing = None;
            return poll;
        }
        let limit = self.write;
        let writing = self.writing.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(writing.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if poll.is_ready() {
            self.first = None;
        } else if let Some(first) = &mut self.first {
            ready!(first.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(poll, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.watch(poll, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(poll, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(poll, cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// The other side took the connection and does nothing more.
    struct Still;

    impl AsyncRead for Still {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Still {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn nothing_waits_for_ever_on_a_line_that_stands_still() {
        let short = Duration::from_millis(5);
        let mut line = Patient::new(Still, short, short);
        let mut byte = [0];
        let all = async {
            let ends = [
                line.read(&mut byte).await.err(),
                line.write(&byte).await.err(),
                line.flush().await.err(),
                line.shutdown().await.err(),
            ];
            ends.map(|end| end.map(|error| error.kind()))
        };
        let ends = timeout(Duration::from_secs(20), all).await.expect("all of them end");
        assert_eq!(ends, [Some(io::ErrorKind::TimedOut); 4]);
    }
}
