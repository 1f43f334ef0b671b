//! Ten thousand sockets that stand still, heads that never end, and readers that do not read.
//!
//! The hub is a process of its own, so that it and the crowd have a bound of open files each; where
//! the system gives fewer, the crowd is as large as they allow, and at least 400. Time limits are
//! short ones of the settings: the hub's own clocks end what stands still.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tuquan_core::log::entry::kind;
use tuquan_core::record::declare::Role;
use tuquan_core::sync::relay;
use tuquan_hub::config::Config;
use tuquan_tests::phone::Folder;
use tuquan_tests::rogue::Rogue;

use crate::client::Client;
use crate::kill;
use crate::place::{Team, ids};

const IDLE: usize = 10_000;
/// Open files that are not those of the idle crowd.
const OTHERS: u64 = 600;
/// Readers that do not read: a member's, of 4 MiB each, and strangers', of 1 MiB in several
/// answers each; the system itself takes one or two of these off the hub.
const MEMBER_READERS: usize = 120;
const STRANGE_READERS: usize = 120;
const STRANGE_ANSWERS: usize = 6;
/// What the hub may keep for all of them; without bounds it would be 600 MiB.
const PEAK_KIB_MAX: u64 = 256 << 10;
const REQUESTS: usize = 50;
const P99_MAX: Duration = Duration::from_secs(1);
/// How long is waited for what the hub has to do by itself.
const PATIENCE: Duration = Duration::from_secs(24);

/// Not a test of its own: the hub that the crowd comes to.
#[test]
#[ignore = "it is started by the tests below"]
fn the_process() {
    let Ok(folder) = std::env::var(kill::FOLDER) else {
        return;
    };
    let mut config = Config::loopback(Path::new(&folder));
    let limits = &mut config.limits;
    (limits.connections, limits.header_s, limits.write_s) = (2 * IDLE, 6, 3);
    (limits.device_burst, limits.door_burst) = (400, 2_000);
    limits.answer_bytes = 64 << 20;
    kill::run(config);
}

/// A hub that goes when the test does.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    fn start(folder: &Folder) -> (Self, SocketAddr) {
        let (child, address) = kill::start("crowd::the_process", folder.path());
        (Self(child), address)
    }

    /// The most memory that it ever had, where the system tells.
    fn peak_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.split_whitespace().next()?.parse().ok()
    }
}

/// Returns how many sockets may stand idle.
fn room_for_idle() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(most.saturating_sub(OTHERS)).unwrap().min(IDLE)
}

async fn metric(client: &Client, name: &str) -> u64 {
    let text = client.get("/metrics").await.expect(200).body.clone();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("tuquan_hub_{name} ")));
    line.unwrap_or_else(|| panic!("{name} is not in {text}")).parse().unwrap()
}

/// Asks several times, reads the first status and nothing more.
async fn ask_and_stand_still(
    client: &Client,
    times: usize,
    head: &str,
    body: &str,
) -> (TcpStream, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    let mut stream = socket.connect(client.address).await.unwrap();
    let token = client.token.clone().unwrap_or_default();
    let head = format!(
        "{head} HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.repeat(times).as_bytes()).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    (stream, String::from_utf8_lossy(&status[9..]).parse().unwrap())
}

/// Reads until the hub closes.
async fn until_closed(mut stream: TcpStream) {
    let mut bytes = vec![0; 64 << 10];
    while stream.read(&mut bytes).await.is_ok_and(|len| len > 0) {}
}

/// Requests of members, one after the other each; returns how long the slowest in a hundred took.
async fn members(team: &Team, clients: &[Client]) -> Duration {
    let work = clients.iter().cloned().zip(0..).map(|(client, number)| {
        let (list, chunks) = (team.path("/packs"), team.path("/chunks/"));
        tokio::spawn(async move {
            let mut took = Vec::new();
            for at in 0..REQUESTS {
                let began = Instant::now();
                if at % 5 == 0 {
                    let chunk = vec![number; 4_000 + at];
                    let path = format!("{chunks}{}", relay::chunk_hash(&chunk));
                    client.send("PUT", &path, chunk).await.expect(204);
                } else {
                    client.get(&list).await.expect(200);
                }
                took.push(began.elapsed());
            }
            took
        })
    });
    let work: Vec<_> = work.collect();
    let mut took = Vec::new();
    for member in work {
        took.extend(member.await.unwrap());
    }
    took.sort();
    took[took.len() * 99 / 100]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_are_served_while_ten_thousand_sockets_stand_idle_and_all_are_sent_away() {
    let idle = room_for_idle();
    assert!(idle >= 400, "the system gives too few open files for this test");
    let folder = Folder::new("idle");
    let (hub, address) = Process::start(&folder);
    let stranger = Client::new(address).await;
    let team = Team::new(3, 700);
    let clients = team.enter(&stranger).await;

    let mut crowd = Vec::new();
    for number in 0..idle {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let begun: &[u8] = match number % 3 {
            0 => b"",
            1 => b"GET /healthz HTTP/1.1\r\nhost:",
            _ => b"PUT /v1/mailbox/000102030405060708090a0b0c0d0e0f/1 HTTP/1.1\r\nho",
        };
        stream.write_all(begun).await.unwrap();
        crowd.push(stream);
    }
    let standing = metric(&stranger, "connections").await;
    let p99 = members(&team, &clients).await;
    println!("{idle} sockets stand idle, {standing} at a time; p99 of members {p99:?}");
    assert!(standing as usize > idle / 2, "{standing} of {idle} were there at a time");
    assert!(p99 < P99_MAX, "{p99:?}");
    let closing = async {
        for stream in crowd {
            until_closed(stream).await;
        }
    };
    tokio::time::timeout(PATIENCE, closing).await.expect("idle sockets are sent away");
    println!("peak of the hub {:?} KiB", hub.peak_kib());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_do_not_read_take_bounded_memory_and_are_sent_away() {
    let folder = Folder::new("readers");
    let (hub, address) = Process::start(&folder);
    let stranger = Client::new(address).await;
    let team = Team::new(3, 710);
    let mut rogue = Rogue::join(&team.founder().store, Role::R1, 5).unwrap();
    let clients = team.enter(&stranger).await;
    let greedy = stranger.login(&team.space, &rogue.secret).await;
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut noise = |len| {
        let mut bytes = vec![0; len];
        rng.fill_bytes(&mut bytes);
        bytes
    };
    let mut packs = Vec::new();
    for _ in 0..5 {
        rogue.push(kind::WRITE, (0..15).map(|_| noise(60_000)).collect());
        let pack = rogue.pack().unwrap();
        team.bring(&greedy, std::slice::from_ref(&pack)).await.expect(200);
        packs.push(pack);
    }
    let slot = "/v1/mailbox/000102030405060708090a0b0c0d0e0f/3";
    stranger.send("PUT", slot, noise(1 << 20)).await.expect(204);

    let wanted = json!({ "ids": ids(&packs) }).to_string();
    let head = format!("POST {}", team.path("/packs/get"));
    let (mut standing, mut statuses) = (Vec::new(), [Vec::new(), Vec::new()]);
    for number in 0..MEMBER_READERS.max(STRANGE_READERS) {
        if number < MEMBER_READERS {
            let (stream, status) = ask_and_stand_still(&greedy, 1, &head, &wanted).await;
            standing.push(stream);
            statuses[0].push(status);
        }
        if number < STRANGE_READERS {
            let head = format!("GET {slot}");
            let (stream, status) = ask_and_stand_still(&stranger, STRANGE_ANSWERS, &head, "").await;
            standing.push(stream);
            statuses[1].push(status);
        }
    }
    let crowded = stranger.get(slot).await.refusal();
    let p99 = members(&team, &clients).await;
    let peak = hub.peak_kib();
    let served = |at: usize| statuses[at].iter().filter(|status| **status == 200).count();
    println!("{} and {} served; peak {peak:?} KiB; p99 {p99:?}", served(0), served(1));
    assert!(p99 < P99_MAX, "{p99:?}");
    assert!(statuses.iter().flatten().all(|status| [200, 429].contains(status)), "{statuses:?}");
    assert_eq!(served(0), 8, "a device has so many turns");
    assert_eq!(crowded, (429, "E-LIMIT".to_owned()), "answers to strangers have bounds too");
    assert!(peak.is_none_or(|peak| peak < PEAK_KIB_MAX), "a peak of {peak:?} KiB");

    // They are sent away by the clock of the hub, and the device has its turns again.
    let again = async {
        while greedy.post(&team.path("/packs/get"), &json!({ "ids": ids(&packs) })).await.status
            != 200
        {
            tokio::task::yield_now().await;
        }
        while stranger.get(slot).await.status != 200 {
            tokio::task::yield_now().await;
        }
        for stream in standing {
            until_closed(stream).await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.expect("readers that stand still are sent away");
}
