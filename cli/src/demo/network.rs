//! How the devices of the demo meet: a hub of their own on this machine, TCP, files.
//!
//! Must not know: what happened, what is shown.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{net::TcpListener, runtime::Runtime, sync::watch};
use tuquan_core::{
    door::Tuquan,
    error::{Error, Kind},
    record::declare::Role,
    sync::{
        courier::LEVEL,
        join::{Compared, Invite, InviteOptions},
    },
    team::control::Rights,
};
use tuquan_hub::{Hub, config::Config};
use tuquan_net::{
    hub::{HubClient, HubOptions, Mailbox, join, sync},
    lan, system,
};

use crate::failure::Outcome;

const PATIENCE: Duration = Duration::from_secs(20);

/// What one meeting passed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Passed {
    /// Bytes.
    pub(crate) bytes: u64,
    /// Entries that were new to one of the two.
    pub(crate) entries: u64,
}

/// A hub on this machine and what waits for sockets.
pub(crate) struct Network {
    runtime: Runtime,
    hub: Option<Hub>,
    client: HubClient,
}

impl Network {
    /// Starts a hub in a folder.
    pub(crate) fn start(folder: &Path) -> Outcome<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|_| Error::new(Kind::Io, "no threads for the network"))?;
        let hub = runtime.block_on(Hub::start(Config::loopback(folder)))?;
        let client = HubClient::new(&HubOptions::new(hub.origin()))?;
        Ok(Self { runtime, hub: Some(hub), client })
    }

    /// Lets a newcomer in face to face: both screens show six digits, which are compared.
    pub(crate) fn join_by_lan(
        &self,
        admin: &Arc<Tuquan>,
        newcomer: &Arc<Tuquan>,
    ) -> Outcome<Passed> {
        newcomer.init()?;
        let (invitation, code) = invite(admin)?;
        let stats = self.runtime.block_on(async {
            let (listener, address) = listen().await?;
            let (shown, seen) = watch::channel(None::<String>);
            let host = lan::host(admin, &listener, invitation, |_, digits| {
                let mut seen = seen.clone();
                async move {
                    let other = seen.wait_for(Option::is_some).await;
                    let same = other.is_ok_and(|other| other.as_ref() == Some(&digits));
                    if same { Compared::Equal } else { Compared::Differ }
                }
            });
            let guest = lan::guest(newcomer, address, code, |digits| {
                shown.send_replace(Some(digits));
                async { true }
            });
            let (host, guest) = tokio::join!(host, guest);
            host?;
            guest.map(|(_, stats)| stats)
        })?;
        let bytes = stats.sent_bytes + stats.received_bytes;
        Ok(Passed { bytes, entries: stats.sent + stats.received })
    }

    /// Lets a newcomer in who is far away, through the mailbox of the hub.
    pub(crate) fn join_by_hub(
        &self,
        admin: &Arc<Tuquan>,
        newcomer: &Arc<Tuquan>,
    ) -> Outcome<Passed> {
        newcomer.init()?;
        let (invitation, code) = invite(admin)?;
        let mailbox = Mailbox::new(self.client.clone(), &Invite::decode(&code)?.secret.mailbox());
        let carry = |slot: u8, message: &[u8]| -> Outcome<Vec<u8>> {
            self.runtime.block_on(mailbox.put(slot, message))?;
            let got = self.runtime.block_on(mailbox.get(slot, PATIENCE))?;
            Ok(got.ok_or_else(|| Error::new(Kind::Io, "the mailbox lost a message"))?)
        };
        let request = newcomer.bulk(|replica| replica.accept_invitation(&code))?;
        let request = carry(join::REQUEST, &request)?;
        let taken = admin.bulk(|replica| replica.take_request(&request, None))?;
        let reveal = carry(join::REVEAL, &taken.reveal)?;
        let revealed = newcomer.bulk(|replica| replica.take_reveal(&reveal))?;
        let same = revealed.digits == taken.digits;
        let compared = if same { Compared::Equal } else { Compared::Differ };
        let admitted = admin.bulk(|replica| replica.admit(&invitation, compared, false))?;
        let welcome = carry(join::WELCOME, &admitted.welcome)?;
        let joined = newcomer.bulk(|replica| replica.take_welcome(&welcome, &mut |_, _| {}))?;
        let bytes = request.len() + reveal.len() + welcome.len();
        Ok(Passed { bytes: bytes as u64, entries: joined.entries })
    }

    /// Lets two devices meet on the same network, in an encrypted line over TCP.
    pub(crate) fn meet(&self, one: &Arc<Tuquan>, other: &Arc<Tuquan>) -> Outcome<Passed> {
        let stats = self.runtime.block_on(async {
            let (listener, address) = listen().await?;
            let serving = lan::serve(Arc::clone(other), listener, |_, _| {});
            let met = lan::dial(one, address, |_| {});
            tokio::select! {
                met = met => met,
                served = serving => served.and(Err(Error::new(Kind::Io, "nobody serves"))),
            }
        })?;
        let bytes = stats.sent_bytes + stats.received_bytes;
        Ok(Passed { bytes, entries: stats.sent + stats.received })
    }

    /// Lets devices meet the hub one after the other, until none has anything new.
    pub(crate) fn meet_hub(&self, stores: &[&Arc<Tuquan>]) -> Outcome<Passed> {
        let mut all = Passed::default();
        for _ in 0..2 {
            for store in stores {
                let meeting = sync(store, &self.client, system::now_ms(), |_| {});
                let stats = self.runtime.block_on(meeting)?;
                all.bytes += stats.sent_bytes + stats.received_bytes;
                all.entries += stats.entries;
            }
        }
        Ok(all)
    }

    /// Gives another device a file with everything.
    pub(crate) fn hand_file(&self, from: &Tuquan, to: &Tuquan, file: &Path) -> Outcome<Passed> {
        let made = from.bulk(|replica| replica.export_bundle(None, false, LEVEL))?;
        let failed = |error: std::io::Error| crate::failure::unwritable(file, &error);
        std::fs::write(file, &made).map_err(failed)?;
        let read = std::fs::read(file).map_err(failed)?;
        let outcome = to.bulk(|replica| replica.import_bundle(&read, &mut |_, _| {}))?;
        match outcome.refused.into_iter().chain(outcome.truncated).next() {
            Some(error) => Err(error.into()),
            None => Ok(Passed { bytes: made.len() as u64, entries: outcome.entries }),
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(hub) = self.hub.take() {
            self.runtime.block_on(hub.stop());
        }
    }
}

async fn listen() -> tuquan_core::error::Result<(TcpListener, std::net::SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn invite(admin: &Tuquan) -> Outcome<([u8; 16], Vec<u8>)> {
    let options = InviteOptions { role: Role::R2, rights: Rights::Writer, person: None, hub: None };
    let invited = admin.bulk(|replica| replica.invite(&options))?;
    Ok((invited.id, invited.invite.encode()))
}
