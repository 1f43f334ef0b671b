//! Mailboxes, which two devices use that do not know each other yet.

use std::time::Duration;

use crate::place::Place;

const BOX: &str = "/v1/mailbox/000102030405060708090a0b0c0d0e0f";
const OTHER: &str = "/v1/mailbox/ff0102030405060708090a0b0c0d0e0f";
const HALF_AN_HOUR_MS: i64 = 30 * 60_000;

#[tokio::test]
async fn a_slot_is_filled_once_and_is_gone_after_half_an_hour() {
    let place = Place::new("mailbox", |_| {}).await;
    let client = &place.stranger;
    let one = format!("{BOX}/1");
    assert_eq!(client.get(&one).await.refusal(), (404, "E-NOTFOUND".to_owned()));
    client.send("PUT", &one, b"request".to_vec()).await.expect(204);
    client.send("PUT", &one, b"request".to_vec()).await.expect(204);
    let other = client.send("PUT", &one, b"another".to_vec()).await;
    assert_eq!(other.refusal(), (409, "E-INVITE".to_owned()));
    assert_eq!(client.get(&one).await.expect(200).body, "request");
    assert_eq!(client.get(&format!("{OTHER}/1")).await.status, 404);
    place.clock.advance(HALF_AN_HOUR_MS - 1);
    assert_eq!(client.get(&one).await.status, 200);
    place.clock.advance(1);
    assert_eq!(client.get(&one).await.status, 404);
    client.send("PUT", &one, b"another".to_vec()).await.expect(204);
}

#[tokio::test]
async fn the_other_side_is_woken_when_its_slot_is_filled() {
    let place = Place::new("mailbox-wait", |_| {}).await;
    let client = place.stranger.clone();
    let waiting = tokio::spawn(async move { client.get(&format!("{BOX}/2?wait_s=55")).await });
    place.stranger.send("PUT", &format!("{BOX}/2"), b"reveal".to_vec()).await.expect(204);
    let found = tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap().unwrap();
    assert_eq!(found.expect(200).body, "reveal");
}

#[tokio::test]
async fn mailboxes_are_bounded_in_size_number_and_rate() {
    let place = Place::new("mailbox-bounds", |config| {
        config.limits.mailbox_bytes = 300 << 10;
        config.limits.door_burst = 12;
    })
    .await;
    let client = &place.stranger;
    let large = vec![1; (64 << 10) + 1];
    let put = |slot: &str, bytes: &[u8]| {
        let (path, bytes) = (format!("{BOX}/{slot}"), bytes.to_vec());
        async move { client.send("PUT", &path, bytes).await }
    };
    assert_eq!(put("1", &large).await.refusal(), (413, "E-SIZE".to_owned()));
    put("3", &large).await.expect(204);
    assert_eq!(put("8", b"x").await.refusal(), (400, "E-FORMAT".to_owned()));
    for slot in ["0", "1", "2"] {
        put(slot, large.get(1..).unwrap()).await.expect(204);
    }
    assert_eq!(put("4", large.get(1..).unwrap()).await.refusal(), (507, "E-FULL".to_owned()));
    let short = client.send("PUT", "/v1/mailbox/0001/1", b"x".to_vec()).await;
    assert_eq!(short.refusal(), (400, "E-FORMAT".to_owned()));
    let mut last = None;
    for _ in 0..12 {
        last = Some(client.get(&format!("{BOX}/0")).await);
    }
    let last = last.unwrap();
    assert_eq!((last.refusal(), last.retry_after), ((429, "E-LIMIT".to_owned()), Some(1)));
    assert_eq!(client.get(&format!("{OTHER}/0")).await.status, 404, "another box has its own rate");
}
