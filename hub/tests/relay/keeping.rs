//! What the hub keeps, what it lets go, and what happens when an older copy of it comes back.

use std::fs;

use serde_json::json;
use tuquan_core::replica::outgoing::Vector;
use tuquan_tests::phone::Folder;

use crate::client::Client;
use crate::place::{Place, Team, ids};

const DAY_MS: i64 = 86_400_000;

async fn log_in_again(team: &Team, place: &Place) -> Vec<Client> {
    let mut clients = Vec::new();
    for device in &team.devices {
        clients.push(place.stranger.login(&team.space, &device.secret).await);
    }
    clients
}

#[tokio::test]
async fn covered_packs_go_thirty_days_after_two_other_persons_opened_the_covering_one() {
    let place = Place::new("covered", |_| {}).await;
    let team = Team::new(3, 500);
    let clients = team.enter(&place.stranger).await;
    let first = team.founder().write(1, "một", &Vector::default());
    let after_first = team.founder().vector();
    let second = team.founder().write(2, "hai", &after_first);
    for packs in [&first, &second] {
        team.bring(&clients[0], packs).await.expect(200);
    }
    let all = team.founder().sealed(&Vector::default());
    team.bring(&clients[0], &all).await.expect(200);
    let small = [ids(&first), ids(&second)].concat();
    let both = [small.clone(), ids(&all)].concat();
    assert_eq!(team.listed(&clients[0]).await, both);

    let opened = json!({ "ids": ids(&all) });
    clients[0].post(&team.path("/opened"), &opened).await.expect(204);
    clients[1].post(&team.path("/opened"), &opened).await.expect(204);
    place.clock.advance(40 * DAY_MS);
    assert_eq!(place.hub.sweep().await.unwrap(), 0, "its bearer does not count");
    let clients = log_in_again(&team, &place).await;
    clients[2].post(&team.path("/opened"), &opened).await.expect(204);
    place.clock.advance(30 * DAY_MS - 1);
    assert_eq!(place.hub.sweep().await.unwrap(), 0);
    place.clock.advance(1);
    assert_eq!(place.hub.sweep().await.unwrap(), small.len() as u64);
    let clients = log_in_again(&team, &place).await;
    assert_eq!(team.listed(&clients[0]).await, ids(&all));
}

#[tokio::test]
async fn junk_under_a_good_header_destroys_nothing() {
    let place = Place::new("junk", |_| {}).await;
    let team = Team::new(3, 510);
    let clients = team.enter(&place.stranger).await;
    let good = team.founder().write(1, "một", &Vector::default());
    team.bring(&clients[0], &good).await.expect(200);
    // The header says that it covers everything; nobody can open it.
    let mut junk = good[0].clone();
    let len = junk.len();
    junk[len - 20..].fill(0x55);
    team.bring(&clients[1], std::slice::from_ref(&junk)).await.expect(200);
    let lie = json!({ "ids": ids(std::slice::from_ref(&junk)) });
    clients[1].post(&team.path("/opened"), &lie).await.expect(204);
    // One more liar is not enough either: the bearer does not count.
    clients[2].post(&team.path("/opened"), &lie).await.expect(204);
    place.clock.advance(400 * DAY_MS);
    assert_eq!(place.hub.sweep().await.unwrap(), 0);
    let clients = log_in_again(&team, &place).await;
    assert!(team.listed(&clients[0]).await.contains(&ids(&good)[0]));
    // Who tries it is told, and the note is whole all the same.
    let second = &team.devices[2];
    second.store.bulk(|replica| replica.ingest(&junk)).unwrap_err();
    second.store.bulk(|replica| replica.ingest(&good[0])).unwrap();
}

#[tokio::test]
async fn a_hub_from_an_older_copy_lists_something_else_and_is_filled_again() {
    let place = Place::new("older", |_| {}).await;
    let team = Team::new(1, 520);
    let clients = team.enter(&place.stranger).await;
    let first = team.founder().write(1, "một", &Vector::default());
    team.bring(&clients[0], &first).await.expect(200);
    let Place { folder, clock, hub, .. } = place;
    hub.stop().await;
    let copy = Folder::new("older-copy");
    for file in fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let place = Place::in_folder(folder, clock, |_| {}).await;
    let clients: Vec<Client> = clients
        .into_iter()
        .map(|client| Client { address: place.hub.address(), ..client })
        .collect();
    let second = team.founder().write(2, "hai", &Vector::default());
    team.bring(&clients[0], &second).await.expect(200);
    let newest = team.state(&clients[1]).await;

    let Place { clock, hub, .. } = place;
    hub.stop().await;
    let place = Place::in_folder(copy, clock, |_| {}).await;
    let clients: Vec<Client> = clients
        .into_iter()
        .map(|client| Client { address: place.hub.address(), ..client })
        .collect();
    let older = team.state(&clients[1]).await;
    assert_ne!(older["digest"], newest["digest"]);
    assert_ne!(older["epoch"], newest["epoch"]);
    assert_eq!(team.listed(&clients[1]).await, ids(&first));
    // The founder offers what is not listed any more; then all is as it was.
    let receipts = team.bring(&clients[0], &second).await.expect(200).json();
    assert_eq!(receipts["receipts"][0]["new"], json!(true));
    assert_eq!(team.state(&clients[1]).await["digest"], newest["digest"]);
}
