//! Phones on the same network: TCP, a beacon that says "somebody of the team is here" to those who
//! hold the team's key and nothing to others, and joining face to face.
//!
//! Must not know: what is exchanged.

pub mod beacon;
mod join;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tuquan_core::door::Tuquan;
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::sync::session::{Event, Side, Stats};

pub use self::join::{guest, host};
use crate::stream;

/// How many phones are met at the same time; others wait for their turn.
const GUESTS_MAX: usize = 8;
const CONNECT_TIMEOUT_S: u64 = 5;

/// What a phone that serves hears.
#[derive(Debug)]
pub enum Served {
    /// Something of a meeting.
    Event(Event),
    /// A meeting ended well.
    Met(Stats),
    /// A meeting ended early.
    Failed(Error),
}

/// Meets the phone at an address once.
///
/// # Errors
/// `E-IO` when it cannot be reached; as [`stream::meet`].
pub async fn dial(
    store: &Arc<Tuquan>,
    address: SocketAddr,
    tell: impl FnMut(Event),
) -> Result<Stats> {
    let stream = connect(address).await?;
    stream::meet(store, stream, Side::Initiator, tell).await
}

pub(crate) async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let limit = Duration::from_secs(CONNECT_TIMEOUT_S);
    let stream = tokio::time::timeout(limit, TcpStream::connect(address)).await;
    let unreachable = || Error::new(Kind::Io, "the other phone cannot be reached");
    let stream = stream.map_err(|_| unreachable())?.map_err(|_| unreachable())?;
    stream.set_nodelay(true).map_err(|_| unreachable())?;
    Ok(stream)
}

/// Meets every phone that comes, until the future is dropped; `tell` hears of it.
///
/// # Errors
/// `E-IO` when the listener breaks.
pub async fn serve(
    store: Arc<Tuquan>,
    listener: TcpListener,
    tell: impl Fn(SocketAddr, Served) + Send + Sync + 'static,
) -> Result<()> {
    let (tell, room) = (Arc::new(tell), Arc::new(Semaphore::new(GUESTS_MAX)));
    let mut guests = tokio::task::JoinSet::new();
    loop {
        let full = || Error::new(Kind::Io, "the local network listener broke");
        let place = Arc::clone(&room).acquire_owned().await.map_err(|_| full())?;
        let (stream, address) = listener.accept().await.map_err(|_| full())?;
        while guests.try_join_next().is_some() {}
        let (store, tell) = (Arc::clone(&store), Arc::clone(&tell));
        guests.spawn(async move {
            stream.set_nodelay(true).ok();
            let each = |event| tell(address, Served::Event(event));
            let met = stream::meet(&store, stream, Side::Responder, each).await;
            tell(address, met.map_or_else(Served::Failed, Served::Met));
            drop(place);
        });
    }
}
