//! One store as other languages hold it: open, paused or closed; what fails, fails with a kind, also
//! a panic.
//!
//! Pausing lets go of every file: a phone's system may stop the app at any time after it. Must not
//! know: what calls do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, Runtime};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tuquan_core::boundary::TuquanError;
use tuquan_core::door::changes::Change;
use tuquan_core::door::{self, Config};
use tuquan_core::error::{Error, Kind};
use tuquan_core::replica::salvage::Salvaged;
use tuquan_core::store::open::Location;
use tuquan_net::hub::Roots;
use tuquan_net::system;
use zeroize::Zeroize as _;

use crate::journal::{LogLevel, log};

/// How long pausing waits for work that is under way.
const PAUSE_MS_MAX: u64 = 10_000;
/// How long closing waits for threads that wait for a network.
const CLOSE_MS_MAX: u64 = 1_000;

/// How to open a store.
#[derive(Debug, Clone, uniffi::Record)]
pub struct OpenOptions {
    /// The folder that holds the store's files and nothing else; made if it does not exist. In the
    /// app's private storage.
    pub dir: String,
    /// The store's key: 32 bytes that the phone's keystore wraps.
    pub key: Vec<u8>,
    /// A file outside of `dir` and of every backup, by which a copy that was put back is found
    /// out. Without one it is found out when a colleague is met.
    #[uniffi(default = None)]
    pub fence: Option<String>,
    /// The certificates that a hub may show, in PEM, for a school with an authority of its own; those
    /// of the web's authorities when left out.
    #[uniffi(default = None)]
    pub hub_roots_pem: Option<String>,
}

impl OpenOptions {
    fn location(&mut self) -> Result<Location, TuquanError> {
        let key = <[u8; 32]>::try_from(self.key.as_slice());
        self.key.zeroize();
        let key = key.map_err(|_| Error::new(Kind::Invalid, "the key of a store has 32 bytes"))?;
        let mut location = Location::new(&self.dir, key);
        location.fence = self.fence.as_ref().map(Into::into);
        Ok(location)
    }
}

/// One store of one device. Every call may come from any thread; each says whether it is fast,
/// reads or writes the disk, or waits for a network.
#[derive(Debug, uniffi::Object)]
pub struct Tuquan {
    state: RwLock<State>,
    /// Gone once the store is closed, and the key with it.
    location: Mutex<Option<Location>>,
    pub(crate) roots: Roots,
    changed: Arc<Notify>,
    is_broken: AtomicBool,
    runtime: Mutex<Option<Runtime>>,
    pub(crate) jobs: Jobs,
}

/// What calls off the jobs that wait for a network.
#[derive(Debug, Clone, Default)]
pub(crate) struct Jobs(Arc<Mutex<Vec<AbortHandle>>>);

impl Jobs {
    /// Keeps what calls a job off.
    pub(crate) fn keep(&self, job: AbortHandle) {
        let mut jobs = lock(&self.0);
        jobs.retain(|job| !job.is_finished());
        jobs.push(job);
    }
}

#[derive(Debug)]
enum State {
    Open(Arc<door::Tuquan>),
    Paused,
    Closed,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn not_ready(what: &str) -> TuquanError {
    Error::new(Kind::NotReady, what).into()
}

/// Opens the core's store and has it tell of changes.
fn open(location: Location, changed: &Arc<Notify>) -> Result<Arc<door::Tuquan>, TuquanError> {
    let core = door::Tuquan::open(Config::new(location), system::env())?;
    let changed = Arc::clone(changed);
    core.tell_changes(move || changed.notify_waiters());
    Ok(Arc::new(core))
}

#[uniffi::export]
impl Tuquan {
    /// Opens a store, which is made if it does not exist. Disk.
    ///
    /// # Errors
    /// `WrongKey`, `Damaged`, `Newer`, `Storage` (`E-BUSY` when another program has it open);
    /// nothing was changed then.
    #[uniffi::constructor]
    pub fn open(mut options: OpenOptions) -> Result<Arc<Self>, TuquanError> {
        let location = options.location()?;
        let roots = match &options.hub_roots_pem {
            Some(pem) => Roots::Pem(pem.clone().into_bytes()),
            None => Roots::Web,
        };
        let changed = Arc::new(Notify::new());
        let core = caught(|| open(location.clone(), &changed))??;
        log(LogLevel::Info, || "opened".to_owned());
        Ok(Arc::new(Self {
            state: RwLock::new(State::Open(core)),
            location: Mutex::new(Some(location)),
            roots,
            changed,
            is_broken: AtomicBool::new(false),
            runtime: Mutex::default(),
            jobs: Jobs::default(),
        }))
    }

    /// Finishes writes, calls off what waits for a network, and lets go of every file. Calls give
    /// `NotReady` until [`Tuquan::resume`]. A second pause does nothing. Disk.
    ///
    /// # Errors
    /// `Storage` when work that is under way does not end; of the store.
    pub fn pause(&self) -> Result<(), TuquanError> {
        self.cancel_sync();
        let before = {
            let mut state = self.write_state();
            match *state {
                State::Open(_) => std::mem::replace(&mut *state, State::Paused),
                _ => return Ok(()),
            }
        };
        let State::Open(core) = before else {
            return Ok(());
        };
        let written = caught(|| core.pause());
        let gone = wait_for_last(core);
        if !self.is_broken.load(Ordering::Relaxed) {
            written??;
        }
        gone
    }

    /// Opens again what was paused; after a panic too. Disk.
    ///
    /// # Errors
    /// As [`Tuquan::open`]; `NotReady` once it is closed.
    pub fn resume(&self) -> Result<(), TuquanError> {
        let mut state = self.write_state();
        if matches!(*state, State::Open(_)) {
            return Ok(());
        }
        let location = lock(&self.location).clone();
        let location = location.ok_or_else(|| not_ready("the store is closed"))?;
        *state = State::Open(caught(|| open(location, &self.changed))??);
        self.is_broken.store(false, Ordering::Relaxed);
        self.changed.notify_waiters();
        Ok(())
    }

    /// Pauses for good, forgets the key, and ends [`Tuquan::next_change`]. A second close does
    /// nothing. Disk.
    ///
    /// # Errors
    /// As [`Tuquan::pause`]; it is closed all the same.
    pub fn close(&self) -> Result<(), TuquanError> {
        let paused = self.pause();
        *self.write_state() = State::Closed;
        *lock(&self.location) = None;
        self.changed.notify_waiters();
        if let Some(runtime) = lock(&self.runtime).take() {
            runtime.shutdown_timeout(Duration::from_millis(CLOSE_MS_MAX));
        }
        log(LogLevel::Info, || "closed".to_owned());
        paused
    }

    /// Waits for the next change, whoever made it: a call here, a colleague met. Ends with none once
    /// the store is closed. One waiter at a time gets each change.
    pub async fn next_change(&self) -> Option<Change> {
        loop {
            // Made before the look, so that what comes in between wakes it.
            let changed = self.changed.notified();
            match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
                State::Closed => return None,
                State::Paused => {}
                State::Open(core) => {
                    if let Some(change) = core.next_change() {
                        return Some(change);
                    }
                }
            }
            changed.await;
        }
    }

    /// Calls off every call that waits for a network; they end with `Network`, code `E-CANCELLED`.
    /// What came stays, what was not sent stays queued. Fast.
    pub fn cancel_sync(&self) {
        for job in lock(&self.jobs.0).drain(..) {
            job.abort();
        }
    }
}

impl Tuquan {
    /// Runs a call on the core. A panic becomes `Internal`, and so does every later call until the
    /// store is paused and resumed, or opened anew: memory may not say what the disk says.
    pub(crate) fn with<T>(
        &self,
        call: impl FnOnce(&Arc<door::Tuquan>) -> Result<T, Error>,
    ) -> Result<T, TuquanError> {
        let core = self.core()?;
        let answer = caught(|| call(&core));
        if answer.is_err() {
            self.is_broken.store(true, Ordering::Relaxed);
        }
        Ok(answer??)
    }

    /// Returns the store, if it is open and sound.
    pub(crate) fn core(&self) -> Result<Arc<door::Tuquan>, TuquanError> {
        if self.is_broken.load(Ordering::Relaxed) {
            return Err(internal("a call broke off before: pause and resume"));
        }
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Open(core) => Ok(Arc::clone(core)),
            State::Paused => Err(not_ready("the store is paused")),
            State::Closed => Err(not_ready("the store is closed")),
        }
    }

    /// Returns the threads that wait for networks; none are made before the first call that waits.
    pub(crate) fn threads(&self) -> Result<Handle, TuquanError> {
        let mut runtime = lock(&self.runtime);
        if let Some(runtime) = &*runtime {
            return Ok(runtime.handle().clone());
        }
        self.core()?;
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let built = builder.worker_threads(2).thread_name("tuquan-net").enable_all().build();
        let built = built.map_err(|_| Error::new(Kind::Io, "no threads for the network"))?;
        Ok(runtime.insert(built).handle().clone())
    }

    fn write_state(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a new store of what can be read of a damaged one.
    pub(crate) fn salvaged(mut options: OpenOptions) -> Result<Salvaged, TuquanError> {
        let config = Config::new(options.location()?);
        Ok(caught(|| door::Tuquan::salvage(&config, system::env(), &mut |_, _| {}))??)
    }
}

impl Drop for Tuquan {
    fn drop(&mut self) {
        self.cancel_sync();
        // May run on a thread of an async runtime, which must not wait.
        if let Some(runtime) = lock(&self.runtime).take() {
            runtime.shutdown_background();
        }
    }
}

/// Makes a new store of all that can be read of a damaged one, which must be closed, and puts it in
/// its place; the damaged file stays in the folder. What lacks comes from colleagues. Disk, long.
///
/// # Errors
/// `Damaged` when nothing can be read or the device's own keys are lost (`E-IDENTITY`: join again);
/// `NotFound`, `Storage`, `WrongKey`, `Newer`, `Full`; the damaged store is then where it was.
#[uniffi::export]
pub fn salvage(options: OpenOptions) -> Result<Salvaged, TuquanError> {
    Tuquan::salvaged(options)
}

/// Panics inside a call, for the journeys' tests: never in a shipped library.
#[cfg(feature = "test-door")]
#[uniffi::export]
impl Tuquan {
    /// Panics.
    ///
    /// # Errors
    /// Always `Internal`.
    pub fn provoke_panic(&self) -> Result<(), TuquanError> {
        self.with(|_| -> Result<(), Error> { std::panic::panic_any("provoked") })
    }
}

/// Says that a call panicked.
pub(crate) fn broken_off() -> TuquanError {
    internal("a call broke off")
}

fn internal(reason: &str) -> TuquanError {
    TuquanError::Internal { code: "E-INTERNAL".to_owned(), reason: reason.to_owned() }
}

/// Runs what may panic, which must not cross into another language.
pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, TuquanError> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| broken_off())
}

/// Waits until nobody else uses the store, and lets go of it.
fn wait_for_last(mut core: Arc<door::Tuquan>) -> Result<(), TuquanError> {
    let start = Instant::now();
    loop {
        core = match Arc::try_unwrap(core) {
            Ok(core) => {
                drop(core);
                return Ok(());
            }
            Err(core) => core,
        };
        if start.elapsed() > Duration::from_millis(PAUSE_MS_MAX) {
            return Err(Error::new(Kind::Busy, "a call is still under way").into());
        }
        thread::sleep(Duration::from_millis(1));
    }
}
