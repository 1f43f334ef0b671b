//! The hub cannot read what it carries, and writes nothing of it down.

use std::fs;
use std::path::Path;

use serde_json::json;
use tuquan_core::ids::to_hex;
use tuquan_core::replica::outgoing::Vector;

use crate::place::{Place, Team, ids};

const CANARY: &str = "Nguyễn Thị Hoàng Yến phòng B417 mất điện thoại";

/// Returns every byte that the hub has on its disk.
fn everything(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        bytes.extend(fs::read(file.unwrap().path()).unwrap());
    }
    bytes
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn nothing_that_a_person_wrote_is_in_the_hubs_bytes_lines_or_counts() {
    let place = Place::new("blind", |_| {}).await;
    let team = Team::new(1, 400);
    let clients = team.enter(&place.stranger).await;
    let packs = team.founder().write(1, CANARY, &Vector::default());
    team.bring(&clients[0], &packs).await.expect(200);
    clients[1].post(&team.path("/packs/get"), &json!({ "ids": ids(&packs) })).await.expect(200);
    team.listed(&clients[1]).await;
    let metrics = place.stranger.get("/metrics").await.body;
    let stored = everything(place.folder.path());
    // What is looked for would be found: the sealed pack, and the device that may log in.
    assert!(holds(&stored, packs[0].get(..60).unwrap()));
    assert!(holds(&stored, &team.devices[1].secret.device_key().0));
    let lines = place.lines.text();
    assert!(lines.lines().count() > 8, "{lines}");
    for word in CANARY.split(' ').filter(|word| word.len() > 3).chain([CANARY]) {
        for bytes in [&stored[..], lines.as_bytes(), &metrics] {
            assert!(!holds(bytes, word.as_bytes()), "{word}");
        }
    }
    // Lines and counts name nobody; tokens are on the disk only as their hash.
    let token = clients[0].token.clone().unwrap();
    let names = [
        to_hex(&team.space.0),
        to_hex(&team.founder().secret.device_key().0),
        to_hex(&ids(&packs)[0].0),
        token.clone(),
        "127.0.0.1".to_owned(),
    ];
    for name in names {
        assert!(!lines.contains(&name) && !holds(&metrics, name.as_bytes()), "{name}");
    }
    let raw = tuquan_core::ids::from_hex(&token).unwrap();
    assert!(!holds(&stored, token.as_bytes()) && !holds(&stored, &raw));
    for line in lines.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["event"].is_string() && line["ts_ms"].is_u64());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_key_of_the_hub_is_readable_by_nobody_else_and_stays_the_same() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new("key", |_| {}).await;
    let key = place.hub.key();
    let mode = fs::metadata(place.folder.path().join("hub.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let Place { folder, clock, hub, .. } = place;
    hub.stop().await;
    let place = Place::in_folder(folder, clock, |_| {}).await;
    assert_eq!(place.hub.key(), key);
}

#[tokio::test]
async fn packs_erased_by_a_signed_list_leave_no_byte_behind() {
    let place = Place::new("erase", |_| {}).await;
    let team = Team::new(2, 410);
    let clients = team.enter(&place.stranger).await;
    let packs = team.founder().write(1, "x", &Vector::default());
    team.bring(&clients[0], &packs).await.expect(200);
    let list = |device: usize| {
        let hash = tuquan_core::sync::relay::pack_delete_hash(&team.space, &ids(&packs));
        let signature = to_hex(&team.devices[device].secret.sign(&hash));
        json!({ "ids": ids(&packs), "signature": signature })
    };
    let path = team.path("/packs/delete");
    // A writer who did not bring them can do nothing, not even before they come.
    let by_other = clients[1].post(&path, &list(1)).await.expect(200).json();
    assert_eq!(by_other, json!({ "deleted": 0 }));
    assert_eq!(team.listed(&clients[1]).await, ids(&packs));
    let deleted = clients[0].post(&path, &list(0)).await.expect(200).json();
    assert_eq!(deleted, json!({ "deleted": packs.len() }));
    let stored = everything(place.folder.path());
    for pack in &packs {
        assert!(!holds(&stored, pack.get(60..).unwrap()), "its sealed part");
    }
    let again = team.bring(&clients[1], &packs).await.expect(200).json();
    assert_eq!(again["receipts"][0]["erased"], json!(true));
    assert!(again["receipts"][0]["signature"].is_null());
    assert_eq!(team.listed(&clients[1]).await, []);
}
