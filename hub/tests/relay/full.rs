//! A disk that is full in the middle of a write: what was acknowledged stays, the rest is not there
//! by half, what is there is served, and with room again the same upload goes through.
//!
//! The disk is the one of the fault tests, under the real SQLite: from the n-th write on every
//! write fails after half of its bytes, for each n that the script reaches.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use tuquan_core::ids::Digest;
use tuquan_core::replica::outgoing::Vector;
use tuquan_core::sync::relay;
use tuquan_hub::config::Config;
use tuquan_hub::storage::sqlite::Sqlite;
use tuquan_hub::{Hub, Setting};
use tuquan_tests::phone::{Folder, HandClock, NOON_MS};
use tuquan_tests::vfs::{CutMode, Fault, FaultDisk, Permanence};

use crate::client::{Answer, Client};
use crate::place::{Team, ids};

const SLOT: &str = "/v1/mailbox/000102030405060708090a0b0c0d0e0f/1";
const MESSAGE: &[u8] = b"a message for a newcomer";

/// Starts a hub whose database is on `disk`.
async fn start(folder: &Folder, disk: &FaultDisk) -> Hub {
    let mut config = Config::loopback(folder.path());
    config.origin = "http://hub.test".to_owned();
    (config.limits.device_burst, config.limits.door_burst) = (10_000, 10_000);
    let storage = Sqlite::open_on(folder.path(), Some(disk.vfs_name())).unwrap();
    let clock = Arc::new(HandClock::at(NOON_MS));
    let sink = Box::new(std::io::sink());
    Hub::start_with(Setting { config, storage: Arc::new(storage), clock, sink }).await.unwrap()
}

/// What is brought, and what was there before.
struct Load<'a> {
    team: &'a Team,
    before: Vec<Vec<u8>>,
    packs: Vec<Vec<u8>>,
    chunk: Vec<u8>,
}

impl Load<'_> {
    fn chunk_path(&self) -> String {
        self.team.path(&format!("/chunks/{}", relay::chunk_hash(&self.chunk)))
    }

    /// Brings everything; returns what was said to packs, the chunk and the slot.
    async fn bring(&self, client: &Client) -> [Answer; 4] {
        let opened = json!({ "ids": ids(&self.before) });
        [
            self.team.bring(client, &self.packs).await,
            client.send("PUT", &self.chunk_path(), self.chunk.clone()).await,
            client.send("PUT", SLOT, MESSAGE.to_vec()).await,
            client.post(&self.team.path("/opened"), &opened).await,
        ]
    }

    /// Checks that what was there is served, and of the load just what was acknowledged, whole.
    async fn check(&self, client: &Client, is_acknowledged: [bool; 3], place: &str) {
        client.get("/healthz").await.expect(200);
        let listed: BTreeSet<Digest> = self.team.listed(client).await.into_iter().collect();
        let mut expected: BTreeSet<Digest> = ids(&self.before).into_iter().collect();
        if is_acknowledged[0] {
            expected.extend(ids(&self.packs));
        }
        assert_eq!(listed, expected, "{place}");
        let all: Vec<Vec<u8>> = [&self.before[..], &self.packs].concat();
        for (pack, id) in all.iter().zip(ids(&all)).filter(|(_, id)| expected.contains(id)) {
            let found = client.get(&self.team.path(&format!("/packs/{id}"))).await;
            assert_eq!(found.expect(200).body, pack.as_slice(), "{place}");
        }
        for (path, bytes, is_there) in [
            (self.chunk_path(), self.chunk.as_slice(), is_acknowledged[1]),
            (SLOT.to_owned(), MESSAGE, is_acknowledged[2]),
        ] {
            let found = client.get(&path).await;
            let status = if is_there { 200 } else { 404 };
            assert_eq!(found.status, status, "{place}, {path}");
            assert!(!is_there || found.body == bytes, "{place}, {path}");
        }
    }
}

/// Checks that the file is whole and that its sums are those of its rows.
fn examine(folder: &Folder, disk: &FaultDisk, place: &str) {
    let file = folder.path().join("hub.db");
    let flags = OpenFlags::default();
    let connection = Connection::open_with_flags_and_vfs(file, flags, disk.vfs_name()).unwrap();
    let text: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(text, "ok", "{place}");
    let sql = "SELECT (SELECT sum(packs) FROM space) = (SELECT count(*) FROM pack),
        (SELECT sum(bytes) FROM space) =
            (SELECT sum(size) FROM pack) + (SELECT coalesce(sum(size), 0) FROM chunk),
        (SELECT sum(bytes) FROM space) = (SELECT sum(bytes) FROM share),
        (SELECT max(size != length(bytes)) FROM pack) = 0";
    let sums: [bool; 4] = connection
        .query_row(sql, [], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))
        .unwrap();
    assert_eq!(sums, [true; 4], "{place}");
}

#[tokio::test]
async fn a_disk_that_fills_during_any_write_leaves_nothing_half_and_takes_it_when_there_is_room() {
    let (folder, base) = (Folder::new("full-disk"), FaultDisk::new(1));
    // The hub asks the system which file it is; the bytes are on the simulated disk.
    std::fs::write(folder.path().join("hub.db"), b"").unwrap();
    let team = Team::new(0, 730);
    let hub = start(&folder, &base).await;
    let mut client = team.enter(&Client::new(hub.address()).await).await.remove(0);
    let before = team.founder().write(1, "một", &Vector::default());
    team.bring(&client, &before).await.expect(200);
    hub.stop().await;
    let since = team.founder().vector();
    let mut packs = Vec::new();
    for number in 2..5 {
        let then = team.founder().vector();
        packs.extend(team.founder().write(number, &format!("sau {number}"), &then));
    }
    assert!(packs.len() == 3 && since != team.founder().vector());
    let load = Load { team: &team, before, packs, chunk: vec![7; 20_000] };

    let (mut refused, mut struck) = ([0; 4], 0);
    for n in 1.. {
        let place = format!("write {n}");
        let disk = base.fork();
        let hub = start(&folder, &disk).await;
        client.address = hub.address();
        let before = disk.stats().faults;
        disk.fail_nth(n, Fault::Full, Permanence::Permanent);
        let answers = load.bring(&client).await;
        let was_full = disk.stats().faults > before;
        let is_good = answers.each_ref().map(|answer| answer.status / 100 == 2);
        for (at, answer) in answers.iter().enumerate().filter(|(at, _)| !is_good[*at]) {
            assert_eq!(answer.refusal(), (507, "E-FULL".to_owned()), "{place}, {at}");
            assert_eq!(answer.retry_after, Some(3_600), "{place}, {at}");
            refused[at] += 1;
        }
        load.check(&client, [is_good[0], is_good[1], is_good[2]], &place).await;
        if n % 2 == 0 {
            // The power goes while the disk is full.
            hub.stop().await;
            disk.heal();
            disk.cut_with(n, CutMode::Reordered);
            let hub = start(&folder, &disk).await;
            client.address = hub.address();
            load.check(&client, [is_good[0], is_good[1], is_good[2]], &place).await;
            again(&load, &client, &place).await;
            hub.stop().await;
        } else {
            disk.heal();
            again(&load, &client, &place).await;
            hub.stop().await;
        }
        examine(&folder, &disk, &place);
        if !was_full {
            println!("{struck} writes failed for want of room; {refused:?} uploads were refused");
            break;
        }
        struck += 1;
    }
    assert!(struck > 30 && refused.iter().all(|count| *count > 0), "{struck}, {refused:?}");
}

/// With room again everything goes through, on the same hub.
async fn again(load: &Load<'_>, client: &Client, place: &str) {
    for answer in load.bring(client).await {
        assert!(answer.status / 100 == 2, "{place}: {answer:?}");
    }
    load.check(client, [true; 3], place).await;
}
