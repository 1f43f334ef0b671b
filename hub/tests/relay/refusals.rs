//! Bad requests and the answer that each must get; nothing of them is kept.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tuquan_core::crypto::DeviceSecret;
use tuquan_core::ids::{Digest, SpaceId, to_hex};
use tuquan_core::replica::outgoing::Vector;
use tuquan_core::sync::relay;
use tuquan_hub::config::Registration;
use tuquan_tests::rogue::Rogue;

use crate::client::Client;
use crate::place::{Place, Team};

const HALF_A_DAY_MS: i64 = 12 * 3_600_000;

fn refusal(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn no_token_a_wrong_one_and_an_old_one_have_to_log_in() {
    let place = Place::new("token", |_| {}).await;
    let (team, other) = (Team::new(0, 100), Team::new(0, 110));
    let client = team.enter(&place.stranger).await.remove(0);
    let of_other = other.enter(&place.stranger).await.remove(0);
    let path = team.path("/state");
    assert_eq!(place.stranger.get(&path).await.refusal(), refusal(401, "E-LOGIN"));
    assert_eq!(of_other.get(&path).await.refusal(), refusal(401, "E-LOGIN"));
    for token in ["", "zz", &"00".repeat(32)] {
        let wrong = Client { token: Some(token.to_owned()), ..client.clone() };
        assert_eq!(wrong.get(&path).await.refusal(), refusal(401, "E-LOGIN"));
    }
    place.clock.advance(HALF_A_DAY_MS - 1);
    client.get(&path).await.expect(200);
    place.clock.advance(1);
    assert_eq!(client.get(&path).await.refusal(), refusal(401, "E-LOGIN"));
}

#[tokio::test]
async fn a_removed_device_is_told_so_from_the_moment_that_the_hub_hears_of_it() {
    let place = Place::new("removed", |_| {}).await;
    let team = Team::new(2, 115);
    let clients = team.enter(&place.stranger).await;
    clients[1].get(&team.path("/state")).await.expect(200);
    let removed = &team.devices[1].secret;
    team.founder().store.remove(&removed.device_key()).unwrap();
    clients[1].get(&team.path("/state")).await.expect(200);
    team.bring_control(&place.stranger).await.expect(200);
    // The token is good for hours; the device is not.
    for path in ["/state", "/packs", "/acks"] {
        let answer = clients[1].get(&team.path(path)).await;
        assert_eq!(answer.refusal(), refusal(403, "E-REMOVED"));
    }
    let note = team.devices[1].write(1, "x", &Vector::default());
    let answer = team.bring(&clients[1], &note).await;
    assert_eq!(answer.refusal(), refusal(403, "E-REMOVED"));
    let answer = place.stranger.challenge(&team.space, removed).await;
    assert_eq!(answer.refusal(), refusal(403, "E-REMOVED"));
    // The others go on, and may carry what it wrote: phones judge that.
    team.bring(&clients[2], &note).await.expect(200);
    assert_eq!(team.listed(&clients[0]).await.len(), note.len());
}

#[tokio::test]
async fn a_nonce_is_good_once_for_one_device_and_for_a_minute() {
    let place = Place::new("nonce", |_| {}).await;
    let team = Team::new(1, 120);
    team.bring_control(&place.stranger).await.expect(200);
    let (client, space) = (&place.stranger, &team.space);
    let [first, second] = [&team.devices[0].secret, &team.devices[1].secret];
    let nonce = async || {
        let answer = client.challenge(space, first).await.expect(200).json();
        answer["nonce"].as_str().unwrap().parse::<Digest>().unwrap().0
    };
    let used = nonce().await;
    client.answer_challenge(space, first, &used).await.expect(200);
    let again = client.answer_challenge(space, first, &used).await;
    assert_eq!(again.refusal(), refusal(409, "E-NONCE"));
    let others = nonce().await;
    let stolen = client.answer_challenge(space, second, &others).await;
    assert_eq!(stolen.refusal(), refusal(401, "E-LOGIN"));
    let forged = DeviceSecret { sign: second.sign, unbox: second.unbox };
    let signature = forged.sign(&relay::login_hash("http://hub.test", space, &others));
    let login = json!({
        "space": space, "device": first.device_key(), "nonce": to_hex(&others),
        "signature": to_hex(&signature),
    });
    assert_eq!(client.post("/v1/login", &login).await.refusal(), refusal(401, "E-LOGIN"));
    let old = nonce().await;
    place.clock.advance(60_000);
    let old = client.answer_challenge(space, first, &old).await;
    assert_eq!(old.refusal(), refusal(401, "E-LOGIN"));
    // A login that was signed for another hub is no use here.
    let elsewhere = nonce().await;
    let signature = first.sign(&relay::login_hash("http://other.test", space, &elsewhere));
    let login = json!({
        "space": space, "device": first.device_key(), "nonce": to_hex(&elsewhere),
        "signature": to_hex(&signature),
    });
    assert_eq!(client.post("/v1/login", &login).await.refusal(), refusal(401, "E-LOGIN"));
}

#[tokio::test]
async fn strangers_get_no_nonce_and_no_team() {
    let place = Place::new("strangers", |_| {}).await;
    let team = Team::new(0, 130);
    let stranger = Team::new(0, 140);
    let unknown = place.stranger.challenge(&team.space, &team.founder().secret).await;
    assert_eq!(unknown.refusal(), refusal(404, "E-SPACE"));
    team.bring_control(&place.stranger).await.expect(200);
    let outsider = place.stranger.challenge(&team.space, &stranger.founder().secret).await;
    assert_eq!(outsider.refusal(), refusal(403, "E-NOTMEMBER"));
    // Control logs of another space, and packs that are no control logs.
    let path = team.path("/control");
    let frames = relay::write_frames(&stranger.founder().control());
    let other = place.stranger.send("POST", &path, frames).await;
    assert_eq!(other.refusal(), refusal(400, "E-SPACE"));
    let sealed = team.founder().write(1, "x", &Vector::default());
    let sealed = place.stranger.send("POST", &path, relay::write_frames(&sealed)).await;
    assert_eq!(sealed.refusal(), refusal(400, "E-INVALID"));
}

#[tokio::test]
async fn a_space_is_founded_only_where_settings_and_genesis_allow_it() {
    let team = Team::new(0, 150);
    let closed = Place::new("closed", |config| config.registration = Registration::Closed).await;
    assert_eq!(team.bring_control(&closed.stranger).await.refusal(), refusal(403, "E-ROLE"));
    let space = team.space;
    let listed = Place::new("listed", move |config| {
        config.registration = Registration::Listed(vec![space]);
    })
    .await;
    team.bring_control(&listed.stranger).await.expect(200);
    let other = Team::new(0, 160);
    assert_eq!(other.bring_control(&listed.stranger).await.refusal(), refusal(403, "E-ROLE"));
    // Nothing founds nothing.
    let open = Place::new("open", |_| {}).await;
    let path = format!("/v1/spaces/{}/control", SpaceId([1; 16]));
    let empty = open.stranger.send("POST", &path, Vec::new()).await;
    assert_eq!(empty.refusal(), refusal(400, "E-TRUNC"));
    let usage = open.stranger.get("/metrics").await;
    assert!(String::from_utf8_lossy(&usage.body).contains("tuquan_hub_spaces 0\n"));
}

#[tokio::test]
async fn a_team_of_too_many_devices_is_refused() {
    let place = Place::new("crowd", |config| config.limits.devices = 3).await;
    let team = Team::new(2, 170);
    team.bring_control(&place.stranger).await.expect(200);
    Rogue::join(&team.founder().store, tuquan_core::record::declare::Role::R1, 1).unwrap();
    assert_eq!(team.bring_control(&place.stranger).await.refusal(), refusal(507, "E-FULL"));
}

#[tokio::test]
async fn bad_packs_are_refused_with_their_own_code_and_nothing_of_the_batch_is_kept() {
    let place = Place::new("bad", |_| {}).await;
    let (team, other) = (Team::new(0, 180), Team::new(0, 190));
    let client = team.enter(&place.stranger).await.remove(0);
    let good = team.founder().write(1, "x", &Vector::default()).remove(0);
    let foreign = other.founder().write(1, "x", &Vector::default()).remove(0);
    let mut newer = good.clone();
    newer[4] = 9;
    let mut forged = team.founder().control().remove(0);
    let middle = forged.len() / 2;
    forged[middle] ^= 1;
    for (bad, status, code) in [
        (b"junk".to_vec(), 400, "E-MAGIC"),
        (good.get(..40).unwrap().to_vec(), 400, "E-TRUNC"),
        (newer, 400, "E-NEWER"),
        (foreign, 400, "E-SPACE"),
        (Vec::new(), 400, "E-MAGIC"),
    ] {
        let answer = team.bring(&client, &[good.clone(), bad]).await;
        assert_eq!(answer.refusal(), refusal(status, code));
    }
    let answer = team.bring(&client, &[good.clone(), forged]).await;
    assert_eq!(answer.status, 400, "{:?}", answer.refusal());
    let frames = relay::write_frames(std::slice::from_ref(&good));
    let cut = client.send("POST", &team.path("/packs"), frames[..frames.len() - 1].to_vec()).await;
    assert_eq!(cut.refusal(), refusal(400, "E-TRUNC"));
    assert_eq!(team.listed(&client).await, []);
    team.bring(&client, &[good]).await.expect(200);
    assert_eq!(team.listed(&client).await.len(), 1);
}

#[tokio::test]
async fn too_big_too_many_and_no_room_are_told_apart() {
    let place = Place::new("big", |config| {
        config.limits.device_bytes = 300 << 10;
        config.limits.device_burst = 12;
    })
    .await;
    let team = Team::new(1, 200);
    let clients = team.enter(&place.stranger).await;
    let large = vec![0; (1 << 20) + (8 << 10)];
    let answer = clients[0].send("POST", &team.path("/packs"), large).await;
    assert_eq!(answer.refusal(), refusal(413, "E-SIZE"));
    let chunk = |number: u8| vec![number; 200 << 10];
    let path = |number| team.path(&format!("/chunks/{}", relay::chunk_hash(&chunk(number))));
    clients[0].send("PUT", &path(1), chunk(1)).await.expect(204);
    let full = clients[0].send("PUT", &path(2), chunk(2)).await;
    assert_eq!(full.refusal(), refusal(507, "E-FULL"));
    clients[0].get(&path(2)).await.expect(404);
    // Another device has its own share.
    clients[1].send("PUT", &path(2), chunk(2)).await.expect(204);
    let mut last = None;
    for _ in 0..12 {
        last = Some(clients[0].get(&team.path("/state")).await);
    }
    let last = last.unwrap();
    assert_eq!((last.refusal(), last.retry_after), (refusal(429, "E-LIMIT"), Some(1)));
    place.clock.advance(1_000);
    clients[0].get(&team.path("/state")).await.expect(200);
}

#[tokio::test]
async fn a_full_space_and_a_full_disk_refuse_uploads_and_still_serve() {
    let place = Place::new("full", |config| config.limits.space_bytes = 20_000).await;
    let team = Team::new(0, 210);
    let client = team.enter(&place.stranger).await.remove(0);
    let packs = team.founder().write(1, "x", &Vector::default());
    team.bring(&client, &packs).await.expect(200);
    for number in 2..12 {
        team.founder().write(
            number,
            &noise(3_900, u32::try_from(number).unwrap()),
            &Vector::default(),
        );
    }
    let long = team.founder().sealed(&Vector::default());
    let full = team.bring(&client, &long).await;
    assert_eq!((full.refusal(), full.retry_after), (refusal(507, "E-FULL"), Some(3_600)));
    assert_eq!(team.listed(&client).await.len(), packs.len());

    let Place { folder, clock, hub, .. } = place;
    hub.stop().await;
    let place = Place::in_folder(folder, clock, |config| config.limits.free_bytes = u64::MAX).await;
    let client = Client { address: place.hub.address(), ..client };
    assert_eq!(team.bring(&client, &long).await.refusal(), refusal(507, "E-FULL"));
    assert_eq!(team.listed(&client).await.len(), packs.len());
}

/// A text that hardly compresses.
fn noise(len: usize, seed: u32) -> String {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + u8::try_from((state >> 24) % 26).unwrap())
    };
    (0..len).map(|_| next()).collect()
}

#[tokio::test]
async fn unknown_paths_methods_and_encodings_have_codes() {
    let place = Place::new("paths", |_| {}).await;
    let client = &place.stranger;
    assert_eq!(client.get("/v1/nothing").await.refusal(), refusal(404, "E-NOTFOUND"));
    assert_eq!(client.get("/v1/login").await.refusal(), refusal(405, "E-METHOD"));
    let gzip = [("content-encoding", "gzip")];
    let packed = client.try_send("POST", "/v1/login", &gzip, b"{}".to_vec()).await.unwrap();
    assert_eq!(packed.refusal(), refusal(415, "E-ENCODING"));
    assert_eq!(client.post("/v1/login", &json!({ "space": 1 })).await.status, 400);
    assert_eq!(client.get("/v1/spaces/zz/state").await.refusal(), refusal(400, "E-FORMAT"));
}

/// Sends raw bytes and returns what comes until the hub closes.
async fn raw(place: &Place, bytes: &[u8], close: bool) -> String {
    let mut stream = TcpStream::connect(place.hub.address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    if close {
        stream.shutdown().await.unwrap();
    }
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    // The hub may reset a connection whose rest it does not want.
    let _ = tokio::time::timeout(Duration::from_secs(20), reading).await.expect("an end");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn short_and_slow_requests_end_and_nothing_of_them_is_kept() {
    let place = Place::new("slow", |config| {
        config.limits.header_s = 1;
        config.limits.body_s = 1;
    })
    .await;
    let head = "PUT /v1/mailbox/000102030405060708090a0b0c0d0e0f/1 HTTP/1.1\r\nhost: hub\r\n";
    let short = format!("{head}content-length: 10\r\n\r\nabc");
    let answer = raw(&place, short.as_bytes(), true).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    let answer = raw(&place, short.as_bytes(), false).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("E-TRUNC"), "{answer}");
    let slot = "/v1/mailbox/000102030405060708090a0b0c0d0e0f/1";
    assert_eq!(place.stranger.get(slot).await.status, 404);
    for slow_head in ["", "G", head] {
        let answer = raw(&place, slow_head.as_bytes(), false).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
}
