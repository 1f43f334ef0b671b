//! What all requests share: settings, storage, teams, limits; and who is asking.
//!
//! Whatever must outlive the process is in the storage; what is here can be lost at any time. Must
//! not know: routes, sockets.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH};
use axum::http::{HeaderMap, Request};
use axum::response::Response;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::sync::{Notify, Semaphore, SemaphorePermit, watch};
use tuquan_core::clock::Clock;
use tuquan_core::crypto::{self, DeviceSecret};
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::ids::{DeviceKey, Digest, PersonId, SpaceId, from_hex};
use tuquan_core::sync::relay;

use crate::bucket::{Buckets, Pass};
use crate::config::Config;
use crate::journal::Journal;
use crate::outgoing::Outgoing;
use crate::refusal::Refusal;
use crate::storage::{Bearer, Quota, Storage, Token, Version};
use crate::sweep;
use crate::team::{Standing, Team};

/// How many teams, listings and tokens are remembered; the storage has all.
const REMEMBERED: usize = 4_096;
/// How long a request without login waits for its turn.
const DOOR_WAIT: Duration = Duration::from_secs(2);

/// One hub.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) key: DeviceSecret,
    pub(crate) journal: Journal,
    pub(crate) bell: Bell,
    pub(crate) stopping: watch::Receiver<bool>,
    clock: Arc<dyn Clock>,
    teams: Memory<SpaceId, (u64, Arc<Team>)>,
    listings: Memory<SpaceId, (u64, Digest)>,
    tokens: Memory<[u8; 32], Token>,
    devices: Arc<Buckets<(SpaceId, DeviceKey)>>,
    doors: Arc<Buckets<Door>>,
    /// Requests without login that run, and that wait for a mailbox.
    door: Semaphore,
    pub(crate) waiting: Semaphore,
    /// KiB of bodies of each sort: a slow upload without login keeps no login out.
    bodies: [Semaphore; 3],
    pub(crate) outgoing: Outgoing,
}

/// What a request without login is about; each has its own rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Door {
    /// Control logs of a space.
    Control(SpaceId),
    /// A login of a device.
    Login(SpaceId, DeviceKey),
    /// A mailbox.
    Mailbox([u8; 16]),
    /// Anything that is the same for all.
    Public,
}

/// Who sends a body.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sender {
    /// A member.
    Member,
    /// Somebody who logs in.
    Login,
    /// Somebody else.
    Stranger,
}

/// A device that is logged in and a member.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) device: DeviceKey,
    pub(crate) person: PersonId,
    pub(crate) team: Arc<Team>,
    turn: Turn,
}

/// One of the requests that a device may make at the same time; it ends with the last copy.
#[derive(Debug, Clone)]
pub(crate) struct Turn(#[expect(dead_code, reason = "it is held")] Arc<Pass<(SpaceId, DeviceKey)>>);

impl Caller {
    pub(crate) fn bearer(&self) -> Bearer {
        Bearer { device: self.device, person: self.person }
    }

    /// Lets the turn go on until the answer was taken.
    pub(crate) fn answer(self, mut response: Response) -> Response {
        response.extensions_mut().insert(self.turn);
        response
    }
}

/// The right to one request without login.
#[derive(Debug)]
pub(crate) struct Entered<'a> {
    _turn: SemaphorePermit<'a>,
    _pass: Pass<Door>,
}

impl App {
    pub(crate) fn new(
        config: Config,
        storage: Arc<dyn Storage>,
        key: DeviceSecret,
        clock: Arc<dyn Clock>,
        journal: Journal,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let limits = &config.limits;
        let kib = limits.body_bytes >> 10;
        Self {
            devices: Buckets::new(limits.device_rate, limits.device_burst, limits.device_parallel),
            doors: Buckets::new(limits.door_rate, limits.door_burst, limits.door_burst),
            door: Semaphore::new(limits.door_parallel),
            waiting: Semaphore::new(limits.door_waiting),
            bodies: [kib; 3].map(Semaphore::new),
            outgoing: Outgoing::new(limits.answer_bytes, Duration::from_secs(limits.write_s)),
            bell: Bell::default(),
            teams: Memory::default(),
            listings: Memory::default(),
            tokens: Memory::default(),
            clock,
            config,
            storage,
            key,
            journal,
            stopping,
        }
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Lets a request without login in.
    pub(crate) async fn enter(&self, door: Door) -> Result<Entered<'_>, Refusal> {
        let pass = self.doors.enter(door, self.now_ms()).map_err(Refusal::busy)?;
        let turn = tokio::time::timeout(DOOR_WAIT, self.door.acquire()).await;
        match turn {
            Ok(Ok(turn)) => Ok(Entered { _turn: turn, _pass: pass }),
            _ => Err(Refusal::busy(5)),
        }
    }

    /// Finds out who is asking, and lets it in.
    pub(crate) async fn member(
        &self,
        headers: &HeaderMap,
        space: SpaceId,
    ) -> Result<Caller, Refusal> {
        let hash = bearer_token(headers).ok_or(Refusal::LOGIN)?;
        let now_ms = self.now_ms();
        let token = match self.tokens.get(&hash) {
            Some(token) => token,
            None => {
                let token = self.storage.token(hash).await?.ok_or(Refusal::LOGIN)?;
                self.tokens.put(hash, token);
                token
            }
        };
        if token.space != space || now_ms >= token.expires_ms {
            return Err(Refusal::LOGIN);
        }
        let pass = self.devices.enter((space, token.device), now_ms).map_err(Refusal::busy)?;
        let turn = Turn(Arc::new(pass));
        let team = self.team(space).await?;
        let person = match team.standing(&token.device) {
            Standing::Active(member) => member.person,
            Standing::Removed => return Err(Refusal::REMOVED),
            Standing::Unknown => return Err(Refusal::NOT_MEMBER),
        };
        Ok(Caller { device: token.device, person, team, turn })
    }

    /// Returns the team of a space that is here.
    pub(crate) async fn team(&self, space: SpaceId) -> Result<Arc<Team>, Refusal> {
        let version = self.storage.version(space).await?.ok_or(Refusal::NO_SPACE)?;
        if let Some((control, team)) = self.teams.get(&space)
            && control == version.control
        {
            return Ok(team);
        }
        let (version, packs) = self.storage.open_packs(space).await?;
        let team = Arc::new(aside(move || Team::of(space, &packs)).await?);
        self.teams.put(space, (version.control, Arc::clone(&team)));
        Ok(team)
    }

    /// Returns digest and version of a space's listing.
    pub(crate) async fn listing(&self, space: SpaceId) -> Result<(Digest, Version), Refusal> {
        let version = self.storage.version(space).await?.ok_or(Refusal::NO_SPACE)?;
        if let Some((change, digest)) = self.listings.get(&space)
            && change == version.change
        {
            return Ok((digest, version));
        }
        let (version, ids) = self.storage.ids(space).await?;
        let digest = aside(move || relay::listing_digest(&ids)).await?;
        self.listings.put(space, (version.change, digest));
        Ok((digest, version))
    }

    /// Reads a body of at most `max` bytes in time.
    pub(crate) async fn body(
        &self,
        request: Request<Body>,
        max: usize,
        from: Sender,
    ) -> Result<Bytes, Refusal> {
        let declared = request.headers().get(CONTENT_LENGTH);
        let declared = declared.and_then(|len| len.to_str().ok()?.parse::<usize>().ok());
        let len = declared.unwrap_or(max);
        if len > max {
            return Err(Refusal::SIZE);
        }
        let kib = u32::try_from(len.div_ceil(1_024)).unwrap_or(u32::MAX);
        let pool = &self.bodies[from as usize];
        let _room = pool.try_acquire_many(kib).map_err(|_| Refusal::busy(1))?;
        let limit = Duration::from_secs(self.config.limits.body_s);
        let reading = Limited::new(request.into_body(), max).collect();
        match tokio::time::timeout(limit, reading).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::SIZE),
            Ok(Err(_)) => Err(Refusal::SHORT),
            Err(_) => Err(Refusal::SLOW),
        }
    }

    /// Refuses uploads when the disk runs full; what is here is still served.
    pub(crate) async fn check_room(&self) -> Result<(), Refusal> {
        match self.storage.free_bytes().await? {
            Some(free) if free < self.config.limits.free_bytes => {
                Err(Error::new(Kind::Full, "the disk has little room").into())
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn quota(&self) -> Quota {
        Quota { space: self.config.limits.space_bytes, share: self.config.limits.device_bytes }
    }

    /// Drops what is over: nonces, tokens, slots, covered packs. Returns how many packs went.
    pub(crate) async fn sweep(&self) -> Result<u64, Refusal> {
        let now_ms = self.now_ms();
        self.storage.purge(now_ms).await?;
        let mut count = 0;
        for space in self.storage.spaces().await? {
            let packs = self.storage.opened(space).await?;
            let persons = self.team(space).await?.persons();
            let covered = aside(move || sweep::covered(&packs, &persons, now_ms)).await?;
            for (id, by) in covered {
                count += u64::from(self.storage.drop_covered(space, id, by).await?);
            }
            self.bell.ring(space.0);
        }
        self.journal.event("sweep", &[("packs", count)]);
        Ok(count)
    }

    /// Waits until the hub is to stop.
    pub(crate) async fn stopped(&self) {
        let mut stopping = self.stopping.clone();
        // The sender is gone when the hub is: that is a stop too.
        let _ = stopping.wait_for(|stop| *stop).await;
    }
}

/// Does work that takes its time where it stops nobody.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::STOPPED)
}

/// Returns the hash under which the token of a request is kept.
fn bearer_token(headers: &HeaderMap) -> Option<[u8; 32]> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let token = from_hex(header.strip_prefix("Bearer ")?).ok()?;
    (token.len() == 32).then(|| token_hash(&token))
}

/// Returns the hash under which a token is kept.
pub(crate) fn token_hash(token: &[u8]) -> [u8; 32] {
    crypto::hash_bytes("tuquan/1 hub token", token)
}

/// A bounded memory of what the storage has too.
#[derive(Debug)]
struct Memory<K, V>(Mutex<HashMap<K, V>>);

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq, V: Clone> Memory<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn put(&self, key: K, value: V) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= REMEMBERED && !kept.contains_key(&key) {
            kept.clear();
        }
        kept.insert(key, value);
    }
}

/// Wakes requests that wait for something new in a space or a mailbox.
#[derive(Debug, Default)]
pub(crate) struct Bell(Mutex<HashMap<[u8; 16], Weak<Notify>>>);

impl Bell {
    /// Returns what to wait on; it has to be enabled before the storage is asked.
    pub(crate) fn listen(&self, id: [u8; 16]) -> Arc<Notify> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = waiting.get(&id).and_then(Weak::upgrade) {
            return bell;
        }
        waiting.retain(|_, bell| bell.strong_count() > 0);
        let bell = Arc::new(Notify::new());
        waiting.insert(id, Arc::downgrade(&bell));
        bell
    }

    /// Wakes all that wait.
    pub(crate) fn ring(&self, id: [u8; 16]) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = waiting.get(&id).and_then(Weak::upgrade) {
            bell.notify_waiters();
        }
    }
}
