//! Calls that wait for a network: a hub, phones nearby.
//!
//! Each runs on a thread of this library and is waited for: a caller that stops waiting leaves it
//! running; [`Tuquan::cancel_sync`] ends it. Must not know: what is exchanged.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tuquan_core::boundary::TuquanError;
use tuquan_core::door;
use tuquan_core::error::{Error, Kind, Result as CoreResult};
use tuquan_core::sync::join::{CodeKind, Compared, Invite};
use tuquan_core::sync::relay::RelayEvent;
use tuquan_core::sync::session::Stats;
use tuquan_net::hub::{self, HubClient, HubOptions, Mailbox, Roots, join};
use tuquan_net::lan::{self, beacon};
use tuquan_net::system::now_ms;

use crate::answers::{Admittance, HubMeeting, Joined, Newcomer, Revealed};
use crate::journal::{LogLevel, log};
use crate::store::{Jobs, Tuquan, broken_off};
use crate::verbs::{invitation_id, json, of_kind};

type Core = Arc<door::Tuquan>;

/// What a call may need besides the store.
#[derive(Clone)]
struct Way {
    core: Core,
    roots: Roots,
    jobs: Jobs,
}

impl Way {
    /// Returns the client of the hub that was set or met last.
    fn client(&self) -> CoreResult<HubClient> {
        let url = self.core.bulk(|replica| replica.hub_url())?;
        let none = || Error::new(Kind::NotReady, "no hub was set");
        client_of(&self.core, &self.roots, &url.ok_or_else(none)?)
    }

    async fn sync(&self, client: &HubClient) -> CoreResult<HubMeeting> {
        let mut hub_older = false;
        let tell = |event| hub_older |= matches!(event, RelayEvent::HubOlder);
        let stats = hub::sync(&self.core, client, now_ms(), tell).await?;
        Ok(HubMeeting { stats, hub_older })
    }

    /// Returns the mailbox that an invitation names, with the client of its hub.
    fn mailbox(&self, invitation: &str) -> CoreResult<(Mailbox, HubClient, Vec<u8>)> {
        let bytes = of_kind(invitation, CodeKind::Invite)?;
        let invite = Invite::decode(&bytes)?;
        let none = || Error::new(Kind::Invalid, "the invitation names no hub");
        let client = client_of(&self.core, &self.roots, &invite.hub.ok_or_else(none)?)?;
        Ok((Mailbox::new(client.clone(), &invite.secret.mailbox()), client, bytes))
    }

    fn beacon_key(&self) -> CoreResult<[u8; 32]> {
        self.core.bulk(|replica| Ok(replica.mind.epoch()?.1.beacon_key()))
    }
}

/// Returns the client of a hub, which is remembered.
pub(crate) fn client_of(core: &Core, roots: &Roots, url: &str) -> CoreResult<HubClient> {
    let client = HubClient::new(&HubOptions { roots: roots.clone(), ..HubOptions::new(url) })?;
    core.bulk(|replica| replica.set_hub_url(url))?;
    Ok(client)
}

fn address_of(text: &str) -> CoreResult<SocketAddr> {
    text.parse().map_err(|_| Error::new(Kind::Invalid, "no address with a port"))
}

fn seconds(wait_s: u32) -> Duration {
    Duration::from_secs(u64::from(wait_s))
}

/// What the network did not do is no fault of the storage.
fn of_network(error: Error) -> TuquanError {
    match error.kind {
        Kind::Io => TuquanError::Network { code: error.code().to_owned(), reason: error.context },
        _ => error.into(),
    }
}

impl Tuquan {
    /// Runs a call on this library's threads, where it goes on if the caller stops waiting.
    async fn away<T, F>(&self, call: impl FnOnce(Way) -> F) -> Result<T, TuquanError>
    where
        T: Send + 'static,
        F: Future<Output = CoreResult<T>> + Send + 'static,
    {
        let (core, roots, jobs) = (self.core()?, self.roots.clone(), self.jobs.clone());
        let slot = Arc::new(Mutex::new(None));
        let (filled, call) = (Arc::clone(&slot), call(Way { core, roots, jobs }));
        // Boxed: the runtime's code for a task would be here once for each call that there is.
        let call: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            let answer = call.await;
            *filled.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        });
        let job = self.threads()?.spawn(call);
        self.jobs.keep(job.abort_handle());
        let ended = job.await;
        let answer = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        match ended.map(|()| answer) {
            Ok(Some(Ok(answer))) => Ok(answer),
            Ok(Some(Err(error))) => {
                log(LogLevel::Warn, || format!("a meeting failed: {error}"));
                Err(of_network(error))
            }
            Err(join) if join.is_cancelled() => Err(TuquanError::Network {
                code: "E-CANCELLED".to_owned(),
                reason: "called off".to_owned(),
            }),
            Ok(None) | Err(_) => Err(broken_off()),
        }
    }
}

macro_rules! errands {
    ($(
        $(#[$doc:meta])*
        fn $name:ident($($arg:ident: $ty:ty),* $(,)?) -> $out:ty = |$way:ident| $body:expr;
    )*) => {
        #[uniffi::export]
        impl Tuquan {
            $(
                $(#[$doc])*
                pub async fn $name(&self, $($arg: $ty),*) -> Result<$out, TuquanError> {
                    self.away(move |$way| async move { $body }).await
                }
            )*
        }

        /// A call as C gives it: its name, and what it takes by name.
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "snake_case", deny_unknown_fields)]
        #[allow(non_camel_case_types, reason = "the names of the calls")]
        pub(crate) enum Errand {
            $($name { $($arg: $ty),* },)*
        }

        impl Errand {
            /// Does the call; the answer is JSON.
            pub(crate) async fn run(self, store: &Tuquan) -> Result<String, TuquanError> {
                match self {
                    $(Self::$name { $($arg),* } => json(&store.$name($($arg),*).await?),)*
                }
            }

            /// The names of all of them.
            pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),*];
        }
    };
}

errands! {
    /// Meets the hub once: fetches what is new there, gives what is new here, photos last. What
    /// fails is repeated with growing pauses; what was not sent stays queued. Network.
    ///
    /// # Errors
    /// `Network`; `Forbidden` once this device was removed; `NotReady` without a hub.
    fn sync_hub() -> HubMeeting = |way| {
        let client = way.client()?;
        way.sync(&client).await
    };

    /// Waits until the hub has something that this phone has not seen, at most 55 seconds; tells
    /// whether it has. Network.
    ///
    /// # Errors
    /// As [`Tuquan::sync_hub`].
    fn wait_for_news(wait_s: u32) -> bool = |way| {
        let client = way.client()?;
        hub::wait_for_news(&way.core, &client, now_ms(), u64::from(wait_s)).await
    };

    /// Answers an invitation through the hub that it names, and waits for the inviter: returns the
    /// digits to compare. Network.
    ///
    /// # Errors
    /// `Refused` (`E-INVITE`) when it is over or used; `Network` when nobody answers in time.
    fn ask_to_join(code: String, wait_s: u32) -> Revealed = |way| {
        if way.core.device().is_err() {
            way.core.init()?;
        }
        let (mailbox, _, bytes) = way.mailbox(&code)?;
        Ok(join::ask(&way.core, &mailbox, bytes, seconds(wait_s)).await?.into())
    };

    /// Waits for the welcome after [`Tuquan::ask_to_join`], joins, and meets the hub. Network.
    ///
    /// # Errors
    /// As [`Tuquan::ask_to_join`].
    fn finish_joining(code: String, wait_s: u32) -> Joined = |way| {
        let (mailbox, client, _) = way.mailbox(&code)?;
        let outcome = join::enter(&way.core, &mailbox, seconds(wait_s)).await?;
        let met = way.sync(&client).await?;
        Ok(Joined { entries: outcome.entries + met.stats.entries })
    };

    /// Waits at the hub for who answers the own invitation, given by its code: returns the digits
    /// to compare. Network.
    ///
    /// # Errors
    /// As [`Tuquan::ask_to_join`].
    fn await_newcomer(code: String, wait_s: u32) -> Newcomer = |way| {
        let (mailbox, _, _) = way.mailbox(&code)?;
        Ok(join::hear(&way.core, &mailbox, seconds(wait_s)).await?.into())
    };

    /// Admits who answered the own invitation, by what a person said of the digits, and leaves the
    /// welcome at the hub. Network.
    ///
    /// # Errors
    /// `Refused` (`E-MITM`) when they differ; as [`Tuquan::sync_hub`].
    fn admit_at_hub(code: String, invitation: String, compared: Compared) -> Admittance = |way| {
        let (mailbox, client, _) = way.mailbox(&code)?;
        let invitation = invitation_id(&invitation)?;
        let admitted = way.core.bulk(|replica| replica.admit(&invitation, compared, false))?;
        // The hub is told of the newcomer before the newcomer is told that it may come.
        way.sync(&client).await?;
        join::let_in(&mailbox, &admitted).await?;
        Ok(admitted.into())
    };

    /// Meets phones of the team that come over the local network, at an address such as
    /// `0.0.0.0:0`, until [`Tuquan::cancel_sync`]; `announce` lets them find this one. Returns the
    /// address with its port at once. Network.
    ///
    /// # Errors
    /// `Network` when the port is taken; `NotReady` without a team.
    fn serve_lan(address: String, announce: bool) -> String = |way| {
        let taken = |_| Error::new(Kind::Io, "the port is taken");
        let listener = TcpListener::bind(address_of(&address)?).await.map_err(taken)?;
        let here = listener.local_addr().map_err(taken)?;
        let beacon = match announce {
            // A network that forbids announcing does not forbid meeting by address.
            true => beacon::Beacon::start(&way.beacon_key()?, here.port(), now_ms(), false).ok(),
            false => None,
        };
        let job = tokio::spawn(async move {
            let _beacon = beacon;
            lan::serve(way.core, listener, |_, _| {}).await
        });
        way.jobs.keep(job.abort_handle());
        Ok(here.to_string())
    };

    /// Looks for phones of the team on the local network; returns their addresses. Network.
    ///
    /// # Errors
    /// `NotReady` without a team; `Network`.
    fn find_phones(wait_s: u32) -> Vec<String> = |way| {
        let key = way.beacon_key()?;
        let find = move || beacon::find(&key, now_ms(), seconds(wait_s), false);
        let found = tokio::task::spawn_blocking(find).await;
        let found = found.unwrap_or_else(|_| Err(Error::new(Kind::Io, "looking broke off")))?;
        Ok(found.iter().map(SocketAddr::to_string).collect())
    };

    /// Meets the phone at an address of the local network once. Network.
    ///
    /// # Errors
    /// `Refused` (`E-PEER`) when it is no member; `Network` when it cannot be reached.
    fn meet_lan(address: String) -> Stats = |way| {
        lan::dial(&way.core, address_of(&address)?, |_| {}).await
    };
}
