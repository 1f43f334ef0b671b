//! Bundles between phones: joining, carrying onward, repeats, cut and foreign files.

use tuquan_core::error::Kind;
use tuquan_core::record::declare::Role;
use tuquan_core::sync::session::{all, held_elsewhere};

use crate::device::{Device, sync};

fn quiet(_: u64, _: u64) {}

#[test]
fn a_bundle_carried_from_the_second_phone_to_the_third_gives_the_same_views() {
    let mut a = Device::founder(100);
    let mut b = Device::member(101, &mut a, true);
    let mut c = Device::member(102, &mut a, true);
    a.write_many(200);
    b.write_many(200);
    sync(&mut a, &mut b);
    let bundle = b.replica.export_bundle(None, false, 9).expect("exported");
    let outcome = c.replica.import_bundle(&bundle, &mut quiet).expect("imported");
    assert_eq!((outcome.entries, outcome.refused.len()), (402, 0));
    assert_eq!(outcome.changed.len(), 400);
    assert_eq!(c.hash(), b.hash());
    for level in [3, 9] {
        let again = b.replica.export_bundle(None, level == 3, level).expect("exported");
        let outcome = c.replica.import_bundle(&again, &mut quiet).expect("imported");
        assert_eq!((outcome.entries, outcome.changed.len()), (0, 0));
        assert!(outcome.duplicates >= 402);
        assert_eq!(c.hash(), b.hash());
    }
    // Only what is new since the last acknowledgement.
    let key = b.key();
    let acks = all(&a.replica.connection, &a.replica.mind).expect("read");
    let known = acks.into_iter().find(|ack| ack.device == key).map(|ack| ack.vector);
    a.write();
    let news = a.replica.export_bundle(known.as_ref(), false, 9).expect("exported");
    assert!(news.len() < 1_000, "{}", news.len());
    let outcome = b.replica.import_bundle(&news, &mut quiet).expect("imported");
    assert_eq!(outcome.entries, 1);
    let own = a.replica.mind.own.as_ref().expect("own").index;
    let row = &a.replica.mind.logs[own].row;
    let holders = held_elsewhere(&a.replica.connection, &a.replica.mind, &row.id, row.next - 1);
    assert!(holders.expect("read").is_empty());
}

#[test]
fn own_entries_that_come_back_do_not_move_the_end_of_the_own_log() {
    let mut a = Device::founder(105);
    let mut b = Device::member(106, &mut a, true);
    a.write();
    sync(&mut a, &mut b);
    // These three lie in the tail, not in a segment, when the older ones come back.
    (0..3).for_each(|_| assert_ne!(a.write().0, [0; 16]));
    let bundle = b.replica.export_bundle(None, false, 3).expect("exported");
    let outcome = a.replica.import_bundle(&bundle, &mut quiet).expect("imported");
    assert_eq!(outcome.entries, 0);
    a.reopen();
    a.write();
    sync(&mut a, &mut b);
    assert_eq!(a.hash(), b.hash());
    assert!(a.replica.doctor(&mut quiet).expect("checked").views_ok);
}

#[test]
fn who_was_not_granted_joins_nothing_and_stores_nothing() {
    let mut a = Device::founder(110);
    a.write_many(20);
    let mut stranger = Device::new(111);
    let bundle = a.replica.export_bundle(None, false, 9).expect("exported");
    let error = stranger.replica.import_bundle(&bundle, &mut quiet);
    assert_eq!(error.expect_err("refused").kind, Kind::NotMember);
    assert!(stranger.replica.mind.logs.is_empty());
    assert!(stranger.replica.mind.space().is_err());
    let joined = a.replica.grant_bundle(&stranger.card(), Role::R2, true).expect("granted");
    let outcome = stranger.replica.import_bundle(&joined, &mut quiet).expect("joined");
    assert!(outcome.joined);
    assert_eq!(stranger.hash(), a.hash());
    stranger.write();
    sync(&mut a, &mut stranger);
    assert_eq!(stranger.hash(), a.hash());
}

#[test]
fn cut_altered_and_foreign_bundles_are_told_apart() {
    let mut a = Device::founder(120);
    let mut b = Device::member(121, &mut a, true);
    a.write_many(5_000);
    let bundle = a.replica.export_bundle(None, false, 9).expect("exported");
    let mut kind = |bytes: &[u8]| {
        let outcome = b.replica.import_bundle(bytes, &mut quiet);
        outcome.expect_err("refused").kind
    };
    assert_eq!(kind(b"PK\x03\x04"), Kind::Magic);
    assert_eq!(kind(&[&bundle[..], b"x"].concat()), Kind::Trailing);
    let mut altered = bundle.clone();
    altered[bundle.len() / 2] ^= 1;
    assert_eq!(kind(&altered), Kind::Body);
    let mut other = Device::founder(122);
    other.write();
    let foreign = other.replica.export_bundle(None, false, 9).expect("exported");
    assert_eq!(kind(&foreign), Kind::Space);
    let cut = &bundle[..bundle.len() - 100];
    let outcome = b.replica.import_bundle(cut, &mut quiet).expect("imported");
    let truncated = outcome.truncated.expect("told");
    assert_eq!(truncated.kind, Kind::Truncated);
    assert!(outcome.entries > 4_000, "{truncated}");
    let outcome = b.replica.import_bundle(&bundle, &mut quiet).expect("imported");
    assert!(outcome.entries > 0 && outcome.truncated.is_none());
    assert_eq!(b.hash(), a.hash());
}
