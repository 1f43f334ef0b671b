//! The whole interface, once from end to end.

use std::time::Duration;

use serde_json::json;
use tuquan_core::crypto;
use tuquan_core::ids::{DeviceKey, Digest, from_hex, to_hex};
use tuquan_core::log::pack::pack_id;
use tuquan_core::replica::outgoing::Vector;
use tuquan_core::sync::relay;

use crate::place::{Place, Team, digest, ids};

#[tokio::test]
async fn a_note_goes_over_the_hub_and_the_writer_hears_of_it() {
    let place = Place::new("journey", |_| {}).await;
    let team = Team::new(1, 10);
    let [founder, second] = [&team.devices[0], &team.devices[1]];
    let control = team.bring_control(&place.stranger).await.expect(200).json();
    assert!(control["packs"].as_array().unwrap().iter().all(|pack| pack["new"] == json!(true)));
    let again = team.bring_control(&place.stranger).await.expect(200).json();
    assert!(again["packs"].as_array().unwrap().iter().all(|pack| pack["new"] == json!(false)));
    let clients = team.enter(&place.stranger).await;
    let [first_client, second_client] = [&clients[0], &clients[1]];

    // Nothing new costs one short round trip.
    let before = team.state(second_client).await;
    let state = format!("/state?digest={}", before["digest"].as_str().unwrap());
    let unchanged = second_client.get(&team.path(&state)).await;
    assert!(unchanged.expect(204).body.is_empty());

    // Up, with receipts; twice is once.
    let packs = founder.write(1, "Mất xe đạp", &Vector::default());
    let brought = team.bring(first_client, &packs).await.expect(200).json();
    let hub = first_client.get("/v1/hub").await.expect(200).json();
    let key: DeviceKey = hub["hub"].as_str().unwrap().parse().unwrap();
    assert_eq!(key, place.hub.key());
    for (receipt, pack) in brought["receipts"].as_array().unwrap().iter().zip(&packs) {
        assert_eq!((digest(&receipt["id"]), &receipt["new"]), (pack_id(pack), &json!(true)));
        let signature = from_hex(receipt["signature"].as_str().unwrap()).unwrap();
        let hash = relay::receipt_hash(&team.space, &pack_id(pack));
        crypto::verify(&key, &hash, &signature.try_into().unwrap()).unwrap();
    }
    let again = team.bring(first_client, &packs).await.expect(200).json();
    assert_eq!(again["receipts"][0]["new"], json!(false));

    // Down, by listing and by name; the digest is that of what was listed.
    let after = second_client.get(&team.path(&state)).await.expect(200).json();
    let listing = second_client.get(&team.path("/packs")).await.expect(200).json();
    let all: Vec<Digest> =
        listing["packs"].as_array().unwrap().iter().map(|pack| digest(&pack["id"])).collect();
    assert_eq!(digest(&after["digest"]), relay::listing_digest(&all));
    assert_eq!(after["packs"].as_u64().unwrap(), all.len() as u64);
    let missing = Digest([9; 32]);
    let wanted = [vec![missing], ids(&packs)].concat();
    let got = second_client.post(&team.path("/packs/get"), &json!({ "ids": wanted })).await;
    assert_eq!(got.expect(200).frames(), packs);
    let one = second_client.get(&team.path(&format!("/packs/{}", pack_id(&packs[0])))).await;
    assert_eq!(one.expect(200).body, packs[0]);
    for pack in got.frames() {
        second.store.bulk(|replica| replica.ingest(&pack)).unwrap();
    }
    assert_eq!(founder.store.view_hash().unwrap(), second.store.view_hash().unwrap());
    let opened = json!({ "ids": ids(&packs) });
    second_client.post(&team.path("/opened"), &opened).await.expect(204);

    // The second device's acknowledgement reaches the first.
    let ack = second.store.bulk(relay::own_ack).unwrap();
    second_client.send("PUT", &team.path("/acks"), ack.clone()).await.expect(204);
    let acks = first_client.get(&team.path("/acks")).await;
    assert_eq!(acks.expect(200).frames(), std::slice::from_ref(&ack));
    assert!(founder.store.bulk(|replica| relay::take_ack(replica, &ack)).unwrap());
    let known = to_hex(&relay::acks_digest(&[relay::ack_hash(&ack)]).0);
    first_client.get(&team.path(&format!("/acks?digest={known}"))).await.expect(204);
}

#[tokio::test]
async fn who_waits_is_woken_by_a_new_pack_and_by_the_end_of_the_hub() {
    let place = Place::new("waiting", |_| {}).await;
    let team = Team::new(1, 20);
    let clients = team.enter(&place.stranger).await;
    let state = team.state(&clients[1]).await;
    let path = team.path(&format!("/state?wait_s=55&digest={}", state["digest"].as_str().unwrap()));
    let waiting = tokio::spawn({
        let (client, path) = (clients[1].clone(), path.clone());
        async move { client.get(&path).await }
    });
    let packs = team.founder().write(1, "Cháy bếp", &Vector::default());
    team.bring(&clients[0], &packs).await.expect(200);
    let woken = tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap().unwrap();
    assert_ne!(woken.expect(200).json()["digest"], state["digest"]);

    let digest = woken.json()["digest"].as_str().unwrap().to_owned();
    let path = team.path(&format!("/state?wait_s=55&digest={digest}"));
    let client = clients[1].clone();
    let waiting = tokio::spawn(async move { client.try_send("GET", &path, &[], Vec::new()).await });
    // One more request on the way makes it likely that the first one waits; either end is good.
    team.state(&clients[0]).await;
    tokio::time::timeout(Duration::from_secs(20), place.hub.stop()).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap().unwrap();
    assert!(ended.is_err() || ended.unwrap().status == 204);
}

#[tokio::test]
async fn chunks_come_go_and_are_erased_for_good() {
    let place = Place::new("chunks", |_| {}).await;
    let team = Team::new(2, 30);
    let clients = team.enter(&place.stranger).await;
    let chunks = [vec![7_u8; 256 << 10], b"sealed too".to_vec()];
    let hashes = chunks.clone().map(|chunk| relay::chunk_hash(&chunk));
    let have = json!({ "hashes": hashes });
    let missing = clients[1].post(&team.path("/chunks/have"), &have).await.expect(200).json();
    assert_eq!(missing, json!({ "missing": hashes }));
    for (chunk, hash) in chunks.iter().zip(&hashes) {
        let path = team.path(&format!("/chunks/{hash}"));
        clients[1].send("PUT", &path, chunk.clone()).await.expect(204);
        clients[1].send("PUT", &path, chunk.clone()).await.expect(204);
        assert_eq!(clients[2].get(&path).await.expect(200).body, *chunk);
    }
    let missing = clients[2].post(&team.path("/chunks/have"), &have).await.expect(200).json();
    assert_eq!(missing, json!({ "missing": [] }));
    let wrong = team.path(&format!("/chunks/{}", hashes[0]));
    let wrong = clients[1].send("PUT", &wrong, chunks[1].clone()).await;
    assert_eq!(wrong.refusal(), (400, "E-CHUNK".to_owned()));

    let hash = relay::chunk_delete_hash(&team.space, &hashes);
    let list = |device: usize| {
        let signature = team.devices[device].secret.sign(&hash);
        json!({ "hashes": hashes, "signature": to_hex(&signature) })
    };
    let path = team.path("/chunks/delete");
    // Another writer may not; a signature of another device is none; an admin may.
    let deleted = clients[2].post(&path, &list(2)).await.expect(200).json();
    assert_eq!(deleted, json!({ "deleted": 0 }));
    assert_eq!(clients[0].post(&path, &list(2)).await.refusal(), (400, "E-SIG".to_owned()));
    let deleted = clients[0].post(&path, &list(0)).await.expect(200).json();
    assert_eq!(deleted, json!({ "deleted": 2 }));
    let path = team.path(&format!("/chunks/{}", hashes[1]));
    assert_eq!(clients[1].get(&path).await.refusal(), (404, "E-NOTFOUND".to_owned()));
    let again = clients[1].send("PUT", &path, chunks[1].clone()).await;
    assert_eq!(again.refusal(), (410, "I-ERASED".to_owned()));
}

#[tokio::test]
async fn the_public_pages_say_what_they_should() {
    let place = Place::new("public", |_| {}).await;
    let team = Team::new(1, 40);
    let clients = team.enter(&place.stranger).await;
    let packs = team.founder().write(1, "Ồn ào", &Vector::default());
    team.bring(&clients[0], &packs).await.expect(200);
    let health = place.stranger.get("/healthz").await.expect(200).json();
    assert_eq!(health, json!({ "status": "ok" }));
    let metrics = place.stranger.get("/metrics").await;
    let metrics = String::from_utf8(metrics.expect(200).body.to_vec()).unwrap();
    let route = "route=\"/v1/spaces/{space}/packs\",status=\"200\"} 1";
    assert!(metrics.contains(route), "{metrics}");
    assert!(metrics.contains("tuquan_hub_spaces 1\n"), "{metrics}");
    let stored: usize = packs.iter().chain(&team.founder().control()).map(Vec::len).sum();
    let found = metrics.lines().find_map(|line| line.strip_prefix("tuquan_hub_pack_bytes "));
    assert_eq!(found, Some(stored.to_string().as_str()));
    let document = place.stranger.get("/openapi.json").await.expect(200).json();
    assert_eq!(document["openapi"], json!("3.1.0"));
}
