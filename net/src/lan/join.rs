//! Joining face to face on the same network: both ends of the core's joining, on TCP.
//!
//! Must not know: what is said, only who is asked whether the digits are the same.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tuquan_core::door::Tuquan;
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::ids::DeviceKey;
use tuquan_core::sync::courier::BundleOutcome;
use tuquan_core::sync::join::{Compared, JoinEvent, JoinGuest, JoinHost};
use tuquan_core::sync::session::{Side, Stats};

use crate::step;
use crate::stream::on_line;

const READ_BYTES: usize = 16 << 10;
/// A person compares digits meanwhile.
const SILENCE_S_MAX: u64 = 300;

/// Waits for the newcomer who answers an invitation, lets `compare` ask the admin about the
/// digits, and admits or refuses; a session follows at once. Returns who was admitted.
///
/// Strangers who come meanwhile get nothing: they do not hold the invitation's secret.
///
/// # Errors
/// `E-INVITE`, `E-MITM`, `E-IO`; what the session gives, after which the newcomer is a member all
/// the same.
pub async fn host<C, F>(
    store: &Arc<Tuquan>,
    listener: &TcpListener,
    invitation: [u8; 16],
    compare: C,
) -> Result<(DeviceKey, Stats)>
where
    C: Fn(DeviceKey, String) -> F,
    F: Future<Output = Compared>,
{
    loop {
        let broke = |_| Error::new(Kind::Io, "the local network listener broke");
        let (stream, _) = listener.accept().await.map_err(broke)?;
        stream.set_nodelay(true).ok();
        match host_one(store, stream, invitation, &compare).await {
            // Somebody who does not hold the secret, or walked away before the digits: the
            // invitation stands, the next one may be the newcomer.
            Err(error)
                if matches!(
                    error.kind,
                    Kind::Body | Kind::Io | Kind::Truncated | Kind::Format | Kind::Size
                ) => {}
            other => return other,
        }
    }
}

async fn host_one<C, F>(
    store: &Arc<Tuquan>,
    mut stream: TcpStream,
    invitation: [u8; 16],
    compare: &C,
) -> Result<(DeviceKey, Stats)>
where
    C: Fn(DeviceKey, String) -> F,
    F: Future<Output = Compared>,
{
    let mut host = step(store, move |replica| JoinHost::new(replica, invitation)).await?;
    let mut admitted = None;
    while !host.has_ended() {
        let bytes = receive(&mut stream).await?;
        let (back, outcome) = step(store, move |replica| {
            let outcome = host.handle_bytes(replica, &bytes);
            Ok((host, outcome))
        })
        .await?;
        host = back;
        send(&mut stream, || host.poll_transmit()).await?;
        outcome?;
        if let Some(JoinEvent::Digits { device, digits }) = host.poll_event() {
            let compared = compare(device, digits).await;
            let (back, outcome) = step(store, move |replica| {
                let outcome = host.answer(replica, compared);
                Ok((host, outcome))
            })
            .await?;
            host = back;
            send(&mut stream, || host.poll_transmit()).await?;
            outcome?;
            admitted = Some(device);
        }
    }
    let device = admitted.ok_or_else(|| Error::new(Kind::NotReady, "nobody was admitted"))?;
    let line = host.into_line();
    let stats = on_line(store, stream, line, Side::Responder, |_| {}).await?;
    Ok((device, stats))
}

/// Answers an invitation at an address: `show` gets the six digits, and says false when they are
/// not those on the admin's screen. A session follows at once.
///
/// # Errors
/// `E-INVITE`, `E-MITM`, `E-PEER`, `E-IO`; what the session gives, after which this device is a
/// member all the same.
pub async fn guest<C, F>(
    store: &Arc<Tuquan>,
    address: std::net::SocketAddr,
    invite: Vec<u8>,
    show: C,
) -> Result<(BundleOutcome, Stats)>
where
    C: Fn(String) -> F,
    F: Future<Output = bool>,
{
    let mut stream = super::connect(address).await?;
    let mut guest = step(store, move |replica| JoinGuest::new(replica, &invite)).await?;
    send(&mut stream, || guest.poll_transmit()).await?;
    let mut joined = None;
    while !guest.has_ended() {
        let bytes = receive(&mut stream).await?;
        let (back, outcome) = step(store, move |replica| {
            let outcome = guest.handle_bytes(replica, &bytes);
            Ok((guest, outcome))
        })
        .await?;
        guest = back;
        while let Some(event) = guest.poll_event() {
            match event {
                JoinEvent::Digits { digits, .. } => {
                    if !show(digits).await {
                        guest.differ();
                        send(&mut stream, || guest.poll_transmit()).await?;
                        return Err(Error::new(Kind::Mitm, "the digits differ"));
                    }
                }
                JoinEvent::Joined { outcome } => joined = Some(outcome),
                JoinEvent::Admitted { .. } | JoinEvent::Failed { .. } => {}
            }
        }
        send(&mut stream, || guest.poll_transmit()).await?;
        outcome?;
    }
    let outcome = joined.ok_or_else(|| Error::new(Kind::NotReady, "the joining ended"))?;
    let line = guest.into_line();
    let stats = on_line(store, stream, line, Side::Initiator, |_| {}).await?;
    Ok((outcome, stats))
}

async fn receive(stream: &mut TcpStream) -> Result<Vec<u8>> {
    use tokio::io::AsyncReadExt as _;
    let mut buffer = vec![0; READ_BYTES];
    let limit = std::time::Duration::from_secs(SILENCE_S_MAX);
    let broke = || Error::new(Kind::Io, "the line to the other phone broke");
    let count = tokio::time::timeout(limit, stream.read(&mut buffer)).await;
    let count = count.map_err(|_| broke())?.map_err(|_| broke())?;
    if count == 0 {
        return Err(Error::new(Kind::Io, "the other phone closed the line"));
    }
    buffer.truncate(count);
    Ok(buffer)
}

async fn send(stream: &mut TcpStream, mut next: impl FnMut() -> Option<Vec<u8>>) -> Result<()> {
    use tokio::io::AsyncWriteExt as _;
    let broke = |_| Error::new(Kind::Io, "the line to the other phone broke");
    while let Some(bytes) = next() {
        stream.write_all(&bytes).await.map_err(broke)?;
    }
    stream.flush().await.map_err(broke)
}
