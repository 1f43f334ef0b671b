//! Phones that meet over real sockets: through a real hub on this machine, and directly.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tuquan_core::door::Tuquan;
use tuquan_core::door::attaching::Opened;
use tuquan_core::error::Kind;
use tuquan_core::record::declare::Role;
use tuquan_core::sync::join::{Compared, InviteOptions};
use tuquan_core::sync::relay::RelayEvent;
use tuquan_core::team::control::Rights;
use tuquan_hub::Hub;
use tuquan_hub::config::Config;
use tuquan_net::hub::{HubClient, HubOptions, Mailbox, sync, wait_for_news};
use tuquan_net::lan;
use tuquan_tests::phone::{Folder, HandClock, NOON_MS, incident, location, open, request};
use tuquan_tests::picture::{jpeg, noise};
use tuquan_tests::team;

struct Phone {
    store: Arc<Tuquan>,
    _folder: Folder,
}

fn phone(seed: u64) -> Phone {
    let folder = Folder::new("meeting");
    let store = open(location(folder.path(), None), seed, &HandClock::at(NOON_MS));
    Phone { store: Arc::new(store.expect("opened")), _folder: folder }
}

fn founder(seed: u64) -> Phone {
    let phone = phone(seed);
    phone.store.found().expect("founded");
    phone
}

fn member(founder: &Phone, seed: u64) -> Phone {
    let phone = phone(seed);
    team::join(&founder.store, &phone.store, Role::R2).expect("joined");
    phone
}

fn write(phone: &Phone, first: u64, count: u64) {
    for number in first..first + count {
        let command = incident(&format!("Mất đèn {number}"));
        phone.store.apply(request(number), &command).expect("saved");
    }
}

async fn hub(folder: &Folder) -> (Hub, HubClient) {
    let hub = Hub::start(Config::loopback(folder.path())).await.expect("a hub");
    let options = HubOptions { retries: 1, ..HubOptions::new(hub.origin()) };
    let client = HubClient::new(&options).expect("a client");
    (hub, client)
}

fn assert_equal(phones: &[&Phone]) {
    let hash = |phone: &Phone| phone.store.view_hash().expect("a hash");
    assert!(phones.iter().all(|phone| hash(phone) == hash(phones[0])));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_phones_share_their_log_through_a_hub() {
    let folder = Folder::new("hub");
    let (hub, client) = hub(&folder).await;
    let a = founder(1);
    let b = member(&a, 2);
    write(&a, 0, 20);
    write(&b, 100, 20);
    for phone in [&a, &b, &a, &b] {
        sync(&phone.store, &client, NOON_MS, |_| {}).await.expect("met");
    }
    assert_equal(&[&a, &b]);
    let stats = sync(&a.store, &client, NOON_MS, |_| {}).await.expect("met");
    assert_eq!((stats.requests, stats.sent_packs, stats.received_packs), (1, 0, 0));
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_waits_hears_of_news() {
    let folder = Folder::new("hub");
    let (hub, client) = hub(&folder).await;
    let a = founder(3);
    let b = member(&a, 4);
    for phone in [&a, &b, &a, &b] {
        sync(&phone.store, &client, NOON_MS, |_| {}).await.expect("met");
    }
    let (store, listener) = (Arc::clone(&b.store), client.clone());
    let waiting = tokio::spawn(async move { wait_for_news(&store, &listener, NOON_MS, 30).await });
    write(&a, 0, 1);
    sync(&a.store, &client, NOON_MS, |_| {}).await.expect("met");
    assert!(waiting.await.expect("a task").expect("an answer"));
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_cannot_be_reached_leaves_everything_queued() {
    let folder = Folder::new("hub");
    let (hub, client) = hub(&folder).await;
    let a = founder(5);
    sync(&a.store, &client, NOON_MS, |_| {}).await.expect("met");
    write(&a, 0, 5);
    hub.stop().await;
    let error = sync(&a.store, &client, NOON_MS, |_| {}).await.expect_err("gone");
    assert_eq!(error.kind, Kind::Io);
    // The same folder, as after a restart; the address is another one.
    let (hub, client) = self::hub(&folder).await;
    let mut sent = 0;
    let mut tell = |event| {
        if let RelayEvent::Progress(stats) = event {
            sent = stats.sent_packs;
        }
    };
    sync(&a.store, &client, NOON_MS, &mut tell).await.expect("met");
    assert!(sent > 0);
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_phones_on_one_network_end_equal_and_a_stranger_gets_nothing() {
    let a = founder(6);
    let b = member(&a, 7);
    let stranger = founder(8);
    write(&a, 0, 10);
    write(&b, 100, 10);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = tokio::spawn(lan::serve(Arc::clone(&a.store), listener, |_, _| {}));
    lan::dial(&b.store, address, |_| {}).await.expect("met");
    assert_equal(&[&a, &b]);
    let before = stranger.store.stats().expect("stats");
    let error = lan::dial(&stranger.store, address, |_| {}).await;
    assert!(error.is_err());
    assert_eq!(stranger.store.stats().expect("stats").entries, before.entries);
    serving.abort();
}

fn invite(admin: &Phone) -> ([u8; 16], Vec<u8>) {
    let options = InviteOptions { role: Role::R1, rights: Rights::Writer, person: None, hub: None };
    let invited = admin.store.bulk(|replica| replica.invite(&options)).expect("invited");
    (invited.id, invited.invite.encode())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_joins_face_to_face_and_has_the_log_at_once() {
    let (a, c) = (founder(9), phone(10));
    c.store.init().expect("an identity");
    write(&a, 0, 10);
    let (invitation, code) = invite(&a);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (shown, seen) = oneshot::channel();
    let shown = std::sync::Mutex::new(Some(shown));
    let store = Arc::clone(&c.store);
    let newcomer = tokio::spawn(async move {
        let show = |digits: String| {
            let shown = shown.lock().expect("a lock").take().expect("shown once");
            shown.send(digits).expect("heard");
            async { true }
        };
        lan::guest(&store, address, code, show).await
    });
    let seen = std::sync::Mutex::new(Some(seen));
    let compare = |_, digits: String| {
        let seen = seen.lock().expect("a lock").take().expect("compared once");
        async move {
            let other = seen.await.expect("shown");
            if other == digits { Compared::Equal } else { Compared::Differ }
        }
    };
    lan::host(&a.store, &listener, invitation, compare).await.expect("admitted");
    newcomer.await.expect("a task").expect("joined");
    assert_equal(&[&a, &c]);
    write(&c, 200, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_joins_through_a_mailbox() {
    let folder = Folder::new("hub");
    let (hub, client) = hub(&folder).await;
    let (a, c) = (founder(11), phone(12));
    c.store.init().expect("an identity");
    write(&a, 0, 10);
    sync(&a.store, &client, NOON_MS, |_| {}).await.expect("met");
    let (invitation, code) = invite(&a);
    let decoded = tuquan_core::sync::join::Invite::decode(&code).expect("an invitation");
    let mailbox = Mailbox::new(client.clone(), &decoded.secret.mailbox());
    let wait = Duration::from_secs(10);
    let asked = c.store.bulk(|replica| replica.accept_invitation(&code)).expect("asked");
    mailbox.put(1, &asked).await.expect("left");
    let request = mailbox.get(1, wait).await.expect("an answer").expect("there");
    let taken = a.store.bulk(|replica| replica.take_request(&request, None)).expect("taken");
    mailbox.put(2, &taken.reveal).await.expect("left");
    let reveal = mailbox.get(2, wait).await.expect("an answer").expect("there");
    let revealed = c.store.bulk(|replica| replica.take_reveal(&reveal)).expect("revealed");
    assert_eq!(revealed.digits, taken.digits);
    let admitted = a.store.bulk(|replica| replica.admit(&invitation, Compared::Equal, false));
    mailbox.put(3, &admitted.expect("admitted").welcome).await.expect("left");
    let again = mailbox.put(3, b"another").await.expect_err("written once");
    assert_eq!(again.kind, Kind::Invite);
    let welcome = mailbox.get(3, wait).await.expect("an answer").expect("there");
    c.store.bulk(|replica| replica.take_welcome(&welcome, &mut |_, _| {})).expect("joined");
    // The hub does not know the newcomer yet: it brings the team list itself.
    sync(&c.store, &client, NOON_MS, |_| {}).await.expect("met");
    assert_equal(&[&a, &c]);
    assert!(mailbox.get(4, Duration::ZERO).await.expect("an answer").is_none());
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_comes_through_the_hub_after_the_text() {
    let folder = Folder::new("hub");
    let (hub, client) = hub(&folder).await;
    let a = founder(13);
    let b = member(&a, 14);
    let applied = a.store.apply(request(1), &incident("Ảnh")).expect("saved");
    let picture = jpeg(640, 480, &[], &noise(600_000, 5));
    a.store.attach(request(2), &applied.record, &picture).expect("attached");
    for phone in [&a, &b] {
        sync(&phone.store, &client, NOON_MS, |_| {}).await.expect("met");
    }
    assert_equal(&[&a, &b]);
    let key = b.store.attachments(&applied.record).expect("listed")[0].key;
    let opened = b.store.attachment(&applied.record, &key).expect("opened");
    assert!(matches!(opened, Opened::Whole(_)), "{opened:?}");
    hub.stop().await;
}

#[test]
fn a_beacon_is_found_by_who_holds_the_teams_key_and_says_nothing_to_others() {
    use tuquan_net::lan::beacon::{Beacon, find};
    let (key, other) = ([1; 32], [2; 32]);
    let _beacon = Beacon::start(&key, 7_431, NOON_MS, true).expect("announced");
    let wait = Duration::from_secs(4);
    let (ours, theirs) = std::thread::scope(|scope| {
        let ours = scope.spawn(|| find(&key, NOON_MS + 60_000, wait, true).expect("looked"));
        let theirs = scope.spawn(|| find(&other, NOON_MS, wait, true).expect("looked"));
        (ours.join().expect("a thread"), theirs.join().expect("a thread"))
    });
    assert_eq!(ours.iter().map(std::net::SocketAddr::port).collect::<Vec<_>>(), [7_431]);
    assert!(theirs.is_empty());
}
