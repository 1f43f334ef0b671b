//! A hub in a folder with a clock that is set by hand, and teams that use it.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tuquan_core::crypto::DeviceSecret;
use tuquan_core::door::Tuquan;
use tuquan_core::ids::{Digest, SpaceId};
use tuquan_core::log::pack::{Header, pack_id};
use tuquan_core::record::declare::Role;
use tuquan_core::replica::outgoing::Vector;
use tuquan_core::sync::relay;
use tuquan_hub::config::Config;
use tuquan_hub::{Hub, Setting};
use tuquan_tests::phone::{self, Folder, HandClock, NOON_MS};
use tuquan_tests::team;

use crate::client::{Answer, Client};

/// What the hub wrote into its log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A hub and what surrounds it.
pub(crate) struct Place {
    pub(crate) folder: Folder,
    pub(crate) clock: HandClock,
    pub(crate) lines: Lines,
    pub(crate) hub: Hub,
    pub(crate) stranger: Client,
}

impl Place {
    pub(crate) async fn new(name: &str, change: impl FnOnce(&mut Config)) -> Self {
        Self::in_folder(Folder::new(name), HandClock::at(NOON_MS), change).await
    }

    pub(crate) async fn in_folder(
        folder: Folder,
        clock: HandClock,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = Config::loopback(folder.path());
        config.origin = "http://hub.test".to_owned();
        change(&mut config);
        let lines = Lines::default();
        let setting = Setting {
            clock: Arc::new(clock.clone()),
            sink: Box::new(lines.clone()),
            ..Setting::real(config).unwrap()
        };
        let hub = Hub::start_with(setting).await.unwrap();
        let stranger = Client::new(hub.address()).await;
        Self { folder, clock, lines, hub, stranger }
    }
}

/// A device of a team, with its store.
pub(crate) struct Device {
    pub(crate) store: Tuquan,
    pub(crate) secret: DeviceSecret,
    _folder: Folder,
}

impl Device {
    fn new(seed: u64) -> Self {
        let folder = Folder::new("device");
        let clock = HandClock::at(NOON_MS);
        let store = phone::open(phone::location(folder.path(), None), seed, &clock).unwrap();
        Self { store, secret: DeviceSecret { sign: [0; 32], unbox: [0; 32] }, _folder: folder }
    }

    /// Writes an incident and returns the packs of all that `but` does not say it has.
    pub(crate) fn write(&self, number: u64, text: &str, but: &Vector) -> Vec<Vec<u8>> {
        self.store.apply(phone::request(number), &phone::incident(text)).unwrap();
        self.sealed(but)
    }

    pub(crate) fn vector(&self) -> Vector {
        team::vector(&self.store).unwrap()
    }

    pub(crate) fn sealed(&self, but: &Vector) -> Vec<Vec<u8>> {
        self.packs(but, false)
    }

    pub(crate) fn control(&self) -> Vec<Vec<u8>> {
        self.packs(&Vector::default(), true)
    }

    fn packs(&self, but: &Vector, open: bool) -> Vec<Vec<u8>> {
        let mut packs = team::packs(&self.store, but).unwrap();
        packs.retain(|pack| Header::read(pack).unwrap().open == open);
        packs
    }
}

/// A team of one founder and others.
pub(crate) struct Team {
    pub(crate) space: SpaceId,
    pub(crate) devices: Vec<Device>,
}

impl Team {
    pub(crate) fn new(others: u64, seed: u64) -> Self {
        let mut founder = Device::new(seed);
        founder.store.found().unwrap();
        let mut devices: Vec<Device> = Vec::new();
        for number in 1..=others {
            let device = Device::new(seed + number);
            team::join(&founder.store, &device.store, Role::R1).unwrap();
            devices.push(device);
        }
        let space = founder.store.bulk(|replica| replica.mind.space()).unwrap();
        founder.secret = secret(&founder);
        for device in &mut devices {
            device.secret = secret(device);
        }
        devices.insert(0, founder);
        Self { space, devices }
    }

    pub(crate) fn founder(&self) -> &Device {
        &self.devices[0]
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/v1/spaces/{}{rest}", self.space)
    }

    /// Brings the team list and logs everybody in.
    pub(crate) async fn enter(&self, stranger: &Client) -> Vec<Client> {
        self.bring_control(stranger).await.expect(200);
        let mut clients = Vec::new();
        for device in &self.devices {
            clients.push(stranger.login(&self.space, &device.secret).await);
        }
        clients
    }

    pub(crate) async fn bring_control(&self, stranger: &Client) -> Answer {
        let frames = relay::write_frames(&self.founder().control());
        stranger.send("POST", &self.path("/control"), frames).await
    }

    pub(crate) async fn bring(&self, client: &Client, packs: &[Vec<u8>]) -> Answer {
        client.send("POST", &self.path("/packs"), relay::write_frames(packs)).await
    }

    /// Returns the ids of all sealed packs that are listed.
    pub(crate) async fn listed(&self, client: &Client) -> Vec<Digest> {
        let mut ids = Vec::new();
        let mut after = 0;
        loop {
            let listing = client.get(&self.path(&format!("/packs?after={after}&limit=7"))).await;
            let listing = listing.expect(200).json();
            for pack in listing["packs"].as_array().unwrap() {
                after = pack["seq"].as_u64().unwrap();
                if pack["open"] == json!(false) {
                    ids.push(digest(&pack["id"]));
                }
            }
            if listing["more"] == json!(false) {
                return ids;
            }
        }
    }

    pub(crate) async fn state(&self, client: &Client) -> Value {
        client.get(&self.path("/state")).await.expect(200).json()
    }
}

fn secret(device: &Device) -> DeviceSecret {
    device.store.bulk(|replica| Ok(replica.mind.identity()?.secret.clone())).unwrap()
}

pub(crate) fn digest(value: &Value) -> Digest {
    value.as_str().unwrap().parse().unwrap()
}

pub(crate) fn ids(packs: &[Vec<u8>]) -> Vec<Digest> {
    packs.iter().map(|pack| pack_id(pack)).collect()
}
