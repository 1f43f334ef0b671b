//! The blind relay: it keeps packs for devices that are never online together, and cannot read
//! them.
//!
//! It admits exactly the devices that a team's own signatures admit: it reads control logs as every
//! phone does and has no accounts. What it says is stored is on its disk. It may lose everything
//! without a note being lost, since no phone deletes its copy on its word.
//!
//! - [`Hub::start`] runs a hub inside another program, such as a demo on one machine.
//! - [`run`] runs one until the process is told to stop.
//! - [`storage::Storage`] is all that another database has to do.
//!
//! The HTTP interface is served at `/openapi.json`; `docs/hub.md` is for who runs one.
//!
//! ```no_run
//! # async fn demo() -> tuquan_core::error::Result<()> {
//! use std::path::Path;
//! use tuquan_hub::{Hub, config::Config};
//!
//! let hub = Hub::start(Config::loopback(Path::new("hub-data"))).await?;
//! let origin = hub.origin(); // http://127.0.0.1:PORT
//! hub.stop().await;
//! # Ok(())
//! # }
//! ```

mod app;
mod bucket;
pub mod config;
mod journal;
mod key;
mod outgoing;
mod refusal;
mod routes;
mod server;
pub mod storage;
mod sweep;
mod team;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tuquan_core::clock::Clock;
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::ids::DeviceKey;

use crate::app::App;
use crate::config::Config;
use crate::journal::Journal;
pub use crate::journal::Sink;
use crate::storage::Storage;
use crate::storage::sqlite::Sqlite;

/// How often what is over is dropped.
const SWEEP: Duration = Duration::from_secs(3_600);

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// What a hub runs on; tests put their own in.
pub struct Setting {
    /// The settings.
    pub config: Config,
    /// What is kept.
    pub storage: Arc<dyn Storage>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where log lines go.
    pub sink: Sink,
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setting").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Setting {
    /// Returns the real things for a configuration: a file, the machine's clock, no log.
    ///
    /// # Errors
    /// Of the data folder.
    pub fn real(config: Config) -> Result<Self> {
        let storage = Arc::new(Sqlite::open(&config.data)?);
        let sink = Box::new(std::io::sink());
        Ok(Self { config, storage, clock: Arc::new(SystemClock), sink })
    }
}

/// A running hub; it stops when this is dropped, and in order by [`Hub::stop`].
pub struct Hub {
    address: SocketAddr,
    app: Arc<App>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    sweeping: JoinHandle<()>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Hub {
    /// Starts a hub with the real things of [`Setting::real`].
    ///
    /// # Errors
    /// As [`Hub::start_with`].
    pub async fn start(config: Config) -> Result<Self> {
        Self::start_with(Setting::real(config)?).await
    }

    /// Starts a hub. When the origin is `http://localhost`, it becomes the address that the hub
    /// listens at.
    ///
    /// # Errors
    /// `E-INVALID` for bad settings, `E-IO` when the address is taken; of the data folder.
    pub async fn start_with(setting: Setting) -> Result<Self> {
        let Setting { mut config, storage, clock, sink } = setting;
        config.check()?;
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        std::fs::create_dir_all(&config.data)?;
        let key = key::load(&config.data)?;
        let listener = TcpListener::bind(config.listen).await?;
        let address = listener.local_addr()?;
        if config.origin == "http://localhost" {
            config.origin = format!("http://{address}");
        }
        let (stop, stopping) = watch::channel(false);
        let journal = Journal::new(Arc::clone(&clock), sink);
        let app = Arc::new(App::new(config, storage, key, clock, journal, stopping));
        let router = routes::router(Arc::clone(&app));
        app.journal.event("start", &[("port", u64::from(address.port()))]);
        let serving = tokio::spawn(server::serve(listener, tls, router, Arc::clone(&app)));
        let sweeping = tokio::spawn(sweep_now_and_then(Arc::clone(&app)));
        Ok(Self { address, app, stop, serving, sweeping })
    }

    /// Returns where the hub listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the origin that devices sign when they log in.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.app.config.origin
    }

    /// Returns the key that signs receipts.
    #[must_use]
    pub fn key(&self) -> DeviceKey {
        self.app.key.device_key()
    }

    /// Drops what is over, as the hub does by itself every hour; returns how many packs went.
    ///
    /// # Errors
    /// `E-IO` when the storage fails; its own log has the code.
    pub async fn sweep(&self) -> Result<u64> {
        self.app.sweep().await.map_err(|refusal| Error::new(Kind::Io, refusal.code))
    }

    /// Takes no more requests, lets those that run end, and returns when all is closed.
    pub async fn stop(self) {
        // Nobody listens any more when it has ended by itself.
        let _ = self.stop.send(true);
        self.sweeping.abort();
        let _ = self.serving.await;
        self.app.journal.event("stop", &[]);
    }
}

async fn sweep_now_and_then(app: Arc<App>) {
    let mut times = tokio::time::interval(SWEEP);
    loop {
        times.tick().await;
        if let Err(refusal) = app.sweep().await {
            app.journal.failure("sweep", refusal.code);
        }
    }
}

/// Lets the process open as many files as the system ever lets it: each connection is one, and the
/// usual bound of 1,024 would shut members out long before `connections` does.
#[cfg(unix)]
fn open_more_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where it is refused, the accept loop stands back at the bound that there is.
    let _ =
        setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit });
}

#[cfg(not(unix))]
fn open_more_files() {}

/// Runs a hub until the process is asked to end (SIGTERM or Ctrl-C). `started` is told the address
/// once the hub listens.
///
/// # Errors
/// As [`Hub::start_with`].
pub fn run(config: Config, sink: Sink, started: impl FnOnce(SocketAddr)) -> Result<()> {
    open_more_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let hub = Hub::start_with(Setting { sink, ..Setting::real(config)? }).await?;
        started(hub.address());
        told_to_end().await?;
        hub.stop().await;
        Ok(())
    })
}

#[cfg(unix)]
async fn told_to_end() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn told_to_end() -> Result<()> {
    Ok(tokio::signal::ctrl_c().await?)
}
