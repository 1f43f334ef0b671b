//! Attacks from the same address as everybody else, at a size for every run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tuquan_core::replica::outgoing::Vector;
use tuquan_core::sync::relay;
use tuquan_hub::{Setting, SystemClock};
use tuquan_tests::phone::Folder;

use crate::client::Client;
use crate::place::Team;

/// Requests of each member while the attack runs; below the burst, as a phone does.
const REQUESTS: usize = 50;
const IDLE: usize = 400;
const FLOODERS: usize = 8;

/// What members get is bounded with a large margin: the machine is busy with other tests too.
const P99_MAX: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_are_served_while_one_device_floods_and_sockets_stand_idle() {
    let folder = Folder::new("flood");
    let mut config = tuquan_hub::config::Config::loopback(folder.path());
    config.limits.header_s = 2;
    let setting = Setting { clock: Arc::new(SystemClock), ..Setting::real(config).unwrap() };
    let hub = tuquan_hub::Hub::start_with(setting).await.unwrap();
    let stranger = Client::new(hub.address()).await;
    let team = Team::new(4, 300);
    let clients = team.enter(&stranger).await;
    let packs = team.founder().write(1, "x", &Vector::default());
    team.bring(&clients[0], &packs).await.expect(200);

    let mut idle = Vec::new();
    for number in 0..IDLE {
        let mut stream = TcpStream::connect(hub.address()).await.unwrap();
        // Every second one has begun a head that it never ends.
        if number % 2 == 0 {
            stream.write_all(b"GET /healthz HTTP/1.1\r\nhost:").await.unwrap();
        }
        idle.push(stream);
    }
    let (running, refused) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
    let body = relay::write_frames(&packs);
    let flood: Vec<_> = (0..FLOODERS)
        .map(|_| {
            let (client, path, body) = (clients[4].clone(), team.path("/packs"), body.clone());
            let (running, refused) = (Arc::clone(&running), Arc::clone(&refused));
            tokio::spawn(async move {
                while running.load(Ordering::Relaxed) {
                    let answer = client.send("POST", &path, body.clone()).await;
                    refused.fetch_add(u64::from(answer.status == 429), Ordering::Relaxed);
                }
            })
        })
        .collect();
    // The members begin when the flood is at its bound.
    let began = Instant::now();
    while refused.load(Ordering::Relaxed) == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "the flood met no bound");
        tokio::task::yield_now().await;
    }
    let members: Vec<_> = clients[..4]
        .iter()
        .map(|client| {
            let (client, path) = (client.clone(), team.path("/packs"));
            tokio::spawn(async move {
                let mut took = Vec::new();
                for _ in 0..REQUESTS {
                    let began = Instant::now();
                    client.get(&path).await.expect(200);
                    took.push(began.elapsed());
                }
                took
            })
        })
        .collect();
    let mut took = Vec::new();
    for member in members {
        took.extend(member.await.unwrap());
    }
    running.store(false, Ordering::Relaxed);
    for flooder in flood {
        flooder.await.unwrap();
    }
    took.sort();
    let p99 = took[took.len() * 99 / 100];
    let refused = refused.load(Ordering::Relaxed);
    println!("{} requests of members, p99 {p99:?}; {refused} of the flood refused", took.len());
    assert!(p99 < P99_MAX, "{p99:?}");

    // The idle ones are sent away, so that they do not fill the house.
    for stream in idle {
        let mut byte = [0; 64];
        let gone = async {
            loop {
                stream.readable().await.unwrap();
                match stream.try_read(&mut byte) {
                    Ok(0) => break,
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(_) => break,
                    Ok(_) => {}
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), gone).await.expect("sent away");
    }
    hub.stop().await;
}

#[tokio::test]
async fn more_connections_than_there_is_room_for_are_closed_and_room_comes_back() {
    let place = crate::place::Place::new("room", |config| {
        config.limits.connections = 3;
        config.limits.header_s = 1;
    })
    .await;
    let mut idle = Vec::new();
    for _ in 0..3 {
        idle.push(TcpStream::connect(place.hub.address()).await.unwrap());
    }
    let mut refused = 0;
    let began = Instant::now();
    loop {
        match place.stranger.try_send("GET", "/healthz", &[], Vec::new()).await {
            Ok(answer) => {
                answer.expect(200);
                break;
            }
            Err(_) => refused += 1,
        }
        assert!(began.elapsed() < Duration::from_secs(20), "no room came back");
        tokio::task::yield_now().await;
    }
    println!("{refused} connections refused until there was room");
    assert!(refused > 0);
}
