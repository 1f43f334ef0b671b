//! `kill -9` at any moment: what a hub gave a receipt for is there after it, once and whole.
//!
//! The number of kills is 100 unless `TUQUAN_HUB_KILLS` says otherwise.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tokio::sync::mpsc;
use tuquan_core::ids::Digest;
use tuquan_core::log::entry::kind;
use tuquan_core::log::pack::pack_id;
use tuquan_core::record::declare::Role;
use tuquan_core::sync::relay;
use tuquan_hub::config::Config;
use tuquan_tests::phone::Folder;
use tuquan_tests::rogue::Rogue;

use crate::client::Client;
use crate::place::{Team, digest};

pub(crate) const FOLDER: &str = "TUQUAN_HUB_FOLDER";
const PROCESS: &str = "kill::the_process";
const SAYS: &str = "listening at ";

/// Not a test of its own: the process that is killed.
#[test]
#[ignore = "it is started and killed by the test below"]
fn the_process() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let mut config = Config::loopback(Path::new(&folder));
    config.limits.device_rate = 100_000;
    config.limits.device_burst = 100_000;
    config.limits.device_parallel = 100;
    run(config);
}

/// Runs a hub until it is killed, and says where.
pub(crate) fn run(mut config: Config) {
    config.origin = "http://hub.test".to_owned();
    let started = |address| println!("\n{SAYS}{address}");
    tuquan_hub::run(config, Box::new(std::io::sink()), started).unwrap();
}

/// Starts a hub in a process of its own: an ignored test that calls [`run`].
pub(crate) fn start(process: &str, folder: &Path) -> (Child, SocketAddr) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", process, "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with(SAYS) {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0, "the hub did not start");
    }
    let address = line.trim_end().strip_prefix(SAYS).unwrap().parse().unwrap();
    // Its pipe stays open, so that it never waits for a reader.
    std::mem::forget(out);
    (child, address)
}

/// What the hub said it has.
enum Said {
    Pack(Digest),
    Chunk(Digest),
}

/// Brings packs and chunks, one after the other, until the hub is gone.
async fn bring(
    client: Client,
    team: Arc<Team>,
    packs: Arc<Vec<Vec<u8>>>,
    from: usize,
    said: mpsc::UnboundedSender<Said>,
) {
    for at in from.. {
        let batch: Vec<&Vec<u8>> =
            packs.iter().cycle().skip(at * 3 % packs.len()).take(3).collect();
        let frames = relay::write_frames(&batch);
        let sent = client.try_send("POST", &team.path("/packs"), &[], frames).await;
        let Ok(answer) = sent else { return };
        for receipt in answer.expect(200).json()["receipts"].as_array().unwrap() {
            let _ = said.send(Said::Pack(digest(&receipt["id"])));
        }
        let mut chunk = vec![0; 200 << 10];
        ChaCha8Rng::seed_from_u64(at as u64).fill_bytes(&mut chunk);
        let hash = relay::chunk_hash(&chunk);
        let path = team.path(&format!("/chunks/{hash}"));
        let Ok(answer) = client.try_send("PUT", &path, &[], chunk).await else { return };
        answer.expect(204);
        let _ = said.send(Said::Chunk(hash));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_hub_has_every_pack_that_it_gave_a_receipt_for_once_and_whole() {
    let wanted = std::env::var("TUQUAN_HUB_KILLS").ok().and_then(|kills| kills.parse().ok());
    let kills: usize = wanted.unwrap_or(100);
    let folder = Folder::new("hub-kill");
    let team = Arc::new(Team::new(0, 600));
    let packs = Arc::new(packs_of_a_writer(&team, 600));
    let (mut token, mut rng) = (None, ChaCha8Rng::seed_from_u64(8));
    let (mut saved, mut chunks) = (BTreeMap::new(), Vec::new());
    for kill in 0..kills {
        let (mut child, address) = start(PROCESS, folder.path());
        let mut client = Client::new(address).await;
        if token.is_none() {
            token = team.enter(&client).await.remove(0).token;
        }
        // The token outlives the process.
        client.token.clone_from(&token);
        let (said, mut hear) = mpsc::unbounded_channel();
        let bringing =
            tokio::spawn(bring(client, Arc::clone(&team), Arc::clone(&packs), kill * 5, said));
        let mut note = |said: Said| match said {
            Said::Pack(id) => *saved.entry(id).or_insert(0_u64) += 1,
            Said::Chunk(id) => chunks.push(id),
        };
        for _ in 0..rng.next_u32() % 8 {
            note(hear.recv().await.unwrap());
        }
        (0..rng.next_u32() % 4_000_000).for_each(|_| std::hint::spin_loop());
        child.kill().unwrap();
        child.wait().unwrap();
        tokio::time::timeout(Duration::from_secs(20), bringing).await.unwrap().unwrap();
        while let Some(said) = hear.recv().await {
            note(said);
        }
        if kill % 10 == 9 || kill + 1 == kills {
            examine(folder.path(), &team, token.as_deref(), &saved, &chunks).await;
        }
    }
    println!("{kills} kills, {} packs and {} chunks, none lost", saved.len(), chunks.len());
    assert!(saved.len() * 2 > kills && !chunks.is_empty());
}

async fn examine(
    folder: &Path,
    team: &Team,
    token: Option<&str>,
    saved: &BTreeMap<Digest, u64>,
    chunks: &[Digest],
) {
    let (mut child, address) = start(PROCESS, folder);
    let mut client = Client::new(address).await;
    client.token = token.map(str::to_owned);
    let listed = team.listed(&client).await;
    let mut once = listed.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), listed.len(), "a pack is listed twice");
    for id in saved.keys() {
        assert!(once.binary_search(id).is_ok(), "pack {id} is gone");
    }
    // Also what got no receipt is whole or not there.
    for id in &listed {
        let pack = client.get(&team.path(&format!("/packs/{id}"))).await;
        assert_eq!(pack_id(&pack.expect(200).body), *id);
    }
    for id in chunks {
        let chunk = client.get(&team.path(&format!("/chunks/{id}"))).await;
        assert_eq!(relay::chunk_hash(&chunk.expect(200).body), *id);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Packs of one writer, each with one entry of another length.
fn packs_of_a_writer(team: &Team, count: usize) -> Vec<Vec<u8>> {
    let mut rogue = Rogue::join(&team.founder().store, Role::R1, 3).unwrap();
    (0..count)
        .map(|number| {
            rogue.push(kind::WRITE, vec![vec![7; 10 + number * 5]]);
            rogue.pack().unwrap()
        })
        .collect()
}
