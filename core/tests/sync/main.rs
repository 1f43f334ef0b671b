//! Two and three phones: joining, sessions, bundles, acknowledgements, bad lines.

mod carrying;
mod device;
mod figures;
mod gossip;
mod introductions;
mod joining;
mod lines;
mod photos;

use tuquan_core::codec::Value;
use tuquan_core::error::Kind;
use tuquan_core::replica::outgoing;
use tuquan_core::sync::session::{
    Event, IDLE_MS_MAX, Options, Session, Side, acked_floor, held_elsewhere,
};

use device::{Device, NOW_MS, pump, pump_with, sync};

fn pair(seed: u64) -> (Device, Device) {
    let mut a = Device::founder(seed);
    let b = Device::member(seed + 1, &mut a, true);
    (a, b)
}

#[test]
fn two_phones_with_three_hundred_notes_each_and_edits_of_the_same_ones_end_equal() {
    let (mut a, mut b) = pair(10);
    let shared: Vec<_> = (0..10).map(|_| a.write()).collect();
    sync(&mut a, &mut b);
    for index in 0..300 {
        a.write();
        b.write();
        if index % 30 == 0 {
            let id = shared[index / 30];
            a.edit(id, 16, Value::Int(2));
            b.edit(id, 16, Value::Int(11));
            b.edit(id, 20, Value::Text(format!("sửa {index}")));
        }
    }
    assert_ne!(a.hash(), b.hash());
    let (one, two) = sync(&mut a, &mut b).stats();
    assert_eq!((one.sent, one.received), (310, 321));
    assert_eq!((two.sent, two.received), (321, 310));
    assert_eq!((one.sent, one.received), (one.to_send, one.to_receive));
    assert_eq!(a.hash(), b.hash());
    // Both go on from both heads.
    a.edit(shared[0], 16, Value::Int(14));
    sync(&mut b, &mut a);
    assert_eq!(a.hash(), b.hash());
    let (a_hash, checked) = (a.hash(), a.replica.doctor(&mut |_, _| {}).expect("checked"));
    assert!(checked.pages_ok && checked.views_ok, "{checked:?}");
    assert_eq!((checked.damaged, checked.pending, checked.held), (0, 0, 0));
    assert_eq!(a.hash(), a_hash);
    assert!(b.replica.doctor(&mut |_, _| {}).expect("checked").views_ok);
}

#[test]
fn shifts_that_both_phones_opened_are_one_record_each_among_those_that_one_did() {
    let (mut a, mut b) = pair(15);
    for day in 1..=60 {
        a.shift(day);
        if day % 3 == 0 {
            b.shift(day);
        }
    }
    // All of them come in one step, each to an id that is taken or lies between two that are.
    sync(&mut a, &mut b);
    assert_eq!(a.hash(), b.hash());
    assert_eq!(a.replica.mind.pending.len() + b.replica.mind.pending.len(), 0);
    let hash = b.hash();
    assert!(b.replica.doctor(&mut |_, _| {}).expect("checked").views_ok);
    assert_eq!(b.hash(), hash);
}

#[test]
fn a_resync_without_news_is_one_round_trip_of_less_than_two_hundred_bytes() {
    let (mut a, mut b) = pair(20);
    a.write_many(50);
    b.write_many(50);
    sync(&mut a, &mut b);
    for (one, two) in [(true, false), (false, true), (true, false)] {
        let pumped = if one && !two { sync(&mut a, &mut b) } else { sync(&mut b, &mut a) };
        assert_eq!((pumped.frames.0.len(), pumped.frames.1.len()), (1, 1));
        let (there, back) = pumped.bytes();
        assert!(there < 200 && back < 200, "{there} {back}");
        let acknowledged = |events: &[Event]| {
            let is = |event: &&Event| matches!(event, Event::Acknowledged { .. });
            events.iter().filter(is).count()
        };
        assert_eq!(acknowledged(&pumped.events.0), 1);
        assert_eq!(acknowledged(&pumped.events.1), 1);
    }
}

#[test]
fn a_session_cut_after_any_frame_and_begun_anew_loses_nothing() {
    let (mut whole, mut other) = pair(30);
    whole.write_many(300);
    other.write_many(300);
    let frames = sync(&mut whole, &mut other).frames;
    let total = frames.0.len() + frames.1.len();
    for cut in 0..total {
        let (mut a, mut b) = pair(30);
        a.write_many(300);
        b.write_many(300);
        pump(&mut a, &mut b, Options::default(), cut);
        a.write();
        sync(&mut b, &mut a);
        assert_eq!(a.hash(), b.hash(), "cut after {cut} of {total}");
        assert!(held(&b, &a) && held(&a, &b));
    }
}

/// Whether all of the own data of `a` is acknowledged by `b`.
fn held(a: &Device, b: &Device) -> bool {
    let mind = &a.replica.mind;
    let own = &mind.logs[mind.own.as_ref().expect("a data log").index].row;
    let devices = held_elsewhere(&a.replica.connection, mind, &own.id, own.next - 1);
    devices.expect("read") == [b.key()]
}

#[test]
fn a_note_counts_as_on_another_phone_only_after_its_acknowledgement_came() {
    let (mut a, mut b) = pair(40);
    a.write();
    let frames = {
        let (mut a, mut b) = pair(40);
        a.write();
        let frames = sync(&mut a, &mut b).frames;
        frames.0.len() + frames.1.len()
    };
    // The last frame but none is the acknowledgement of either side.
    pump(&mut a, &mut b, Options::default(), frames - 2);
    assert_eq!(a.hash(), b.hash());
    assert!(!held(&a, &b));
    sync(&mut a, &mut b);
    assert!(held(&a, &b));
    let floor = acked_floor(&a.replica.connection, &a.replica.mind).expect("read");
    let own = &a.replica.mind.logs[a.replica.mind.own.as_ref().expect("own").index].row;
    assert_eq!(floor.get(&own.id), Some(&own.next));
    a.write();
    assert!(!held(&a, &b));
    sync(&mut b, &mut a);
    assert!(held(&a, &b));
}

#[test]
fn a_newcomer_is_sent_the_newest_first_and_ends_equal_even_when_cut() {
    let mut a = Device::founder(50);
    let mut b = Device::member(51, &mut a, false);
    a.write_many(5_000);
    b.write_many(4_500);
    let id = b.write();
    sync(&mut a, &mut b);
    a.edit(id, 16, Value::Int(2));
    b.edit(id, 16, Value::Int(11));
    sync(&mut a, &mut b);
    for cut in [8, 9, 10, usize::MAX] {
        let mut c = Device::member(52, &mut a, false);
        let pumped = pump(&mut c, &mut a, Options::default(), cut);
        if cut < usize::MAX {
            sync(&mut a, &mut c);
        } else {
            pumped.stats();
            let first = pumped.events.0.iter().find_map(|event| match event {
                Event::Received { ingested } if !ingested.changed.is_empty() => Some(ingested),
                _ => None,
            });
            assert!(first.expect("data").entries < 4_096, "the end of a log");
        }
        assert_eq!(c.hash(), a.hash(), "cut after {cut}");
        assert!(c.replica.mind.logs.iter().all(|log| log.ahead.is_empty()));
        assert!(c.replica.mind.pending.is_empty());
    }
}

#[test]
fn strangers_and_other_teams_are_refused_with_their_code() {
    let (mut a, _) = pair(60);
    let mut other = Device::founder(66);
    let pumped = pump(&mut other, &mut a, Options::default(), usize::MAX);
    let failed = |events: &[Event]| match events.last() {
        Some(Event::Failed { error, .. }) => error.kind,
        event => panic!("{event:?}"),
    };
    assert_eq!(failed(&pumped.events.1), Kind::Space);
    assert_eq!(failed(&pumped.events.0), Kind::Space);
    // The responder gave nothing away.
    assert_eq!(pumped.frames.1.len(), 1);
}

#[test]
fn a_mutated_frame_never_panics_and_never_leaves_wrong_views() {
    let (mut a, mut b) = pair(70);
    a.write_many(40);
    b.write_many(40);
    let expected = {
        let (mut a, mut b) = pair(70);
        a.write_many(40);
        b.write_many(40);
        sync(&mut a, &mut b);
        a.hash()
    };
    let (a_alone, b_alone) = (a.hash(), b.hash());
    let mut failed = 0;
    for round in 0..400_usize {
        let mut state = (round as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below as u64).expect("small")
        };
        let pumped = pump_with(&mut a, &mut b, Options::default(), 64, |number, frame| {
            if number != round % 14 {
                return;
            }
            match random(4) {
                0 => frame.truncate(random(frame.len())),
                1 => frame.push(0),
                _ => {
                    let at = random(frame.len());
                    frame[at] ^= 1 << random(8);
                }
            }
        });
        let is_failure = |event: &&Event| matches!(event, Event::Failed { .. });
        failed +=
            usize::from(pumped.events.0.iter().chain(&pumped.events.1).any(|e| is_failure(&e)));
        assert!([a_alone, expected].contains(&a.hash()), "round {round}");
        assert!([b_alone, expected].contains(&b.hash()), "round {round}");
    }
    assert!(failed > 20, "{failed}");
    sync(&mut a, &mut b);
    assert_eq!((a.hash(), b.hash()), (expected, expected));
}

/// Two phones of the same keys, as after a copied backup, and the team's founder.
fn copied(seed: u64) -> (Device, Device, Device) {
    let (a, b) = pair(seed);
    let (_, copy) = pair(seed);
    assert_eq!(b.key(), copy.key());
    (a, b, copy)
}

fn has(events: &[Event], wanted: fn(&Event) -> bool) -> bool {
    events.iter().any(wanted)
}

fn own_log(of: &Device) -> tuquan_core::ids::LogId {
    let mind = &of.replica.mind;
    mind.logs[mind.own.as_ref().expect("own").index].row.id
}

#[test]
fn a_log_with_two_histories_keeps_both_and_never_grows_again() {
    // First equally long, then the copy longer, then the copy shorter.
    for (round, (longer, copied_longer)) in [(0, 0), (0, 4), (4, 0)].into_iter().enumerate() {
        let (mut a, mut b, mut copy) = copied(90 + round as u64);
        b.write_many(5 + longer);
        copy.summary();
        copy.write_many(4 + copied_longer);
        sync(&mut a, &mut b);
        let former = own_log(&copy);
        let pumped = sync(&mut copy, &mut a);
        let forked = |event: &Event| matches!(event, Event::Forked { .. });
        let (one, two) = (&pumped.events.0, &pumped.events.1);
        assert!(has(one, forked) || has(two, forked), "round {round}");
        assert_eq!(a.hash(), copy.hash(), "round {round}: one meeting is enough");
        let log = own_log(&copy);
        assert_ne!(log, former, "round {round}: it would write on in a log with two histories");
        copy.write();
        sync(&mut copy, &mut a);
        let vector = |of: &Device| {
            let vector = outgoing::vector(&of.replica.connection, &of.replica.mind);
            vector.expect("vector").get(&log).map(|entry| entry.next)
        };
        assert_eq!((vector(&a), vector(&copy)), (Some(2), Some(2)), "round {round}");
        sync(&mut a, &mut b);
        assert_eq!(a.hash(), b.hash(), "round {round}");
        assert_eq!(b.replica.mind.forked(), copy.replica.mind.forked());
        let [forked] = a.replica.mind.forked().try_into().expect("one log");
        assert_eq!((forked.device, forked.histories), (b.key(), 2));
    }
}

#[test]
fn a_copy_takes_its_own_entries_back_and_goes_on_in_another_log() {
    let (mut a, mut b, mut copy) = copied(94);
    b.write();
    copy.write();
    b.write();
    sync(&mut a, &mut b);
    let former = own_log(&copy);
    let pumped = sync(&mut a, &mut copy);
    let restored = |event: &Event| matches!(event, Event::Restored { .. });
    let forked = |event: &Event| matches!(event, Event::Forked { .. });
    assert!(has(&pumped.events.1, restored) && !has(&pumped.events.1, forked));
    assert_ne!(own_log(&copy), former);
    assert!(copy.replica.take_restored().expect("told"));
    assert!(!copy.replica.take_restored().expect("told"));
    copy.write();
    sync(&mut a, &mut copy);
    assert_eq!(a.hash(), copy.hash());
    sync(&mut a, &mut b);
    assert_eq!(a.hash(), b.hash());
}

#[test]
fn a_silent_peer_ends_the_session_with_an_error_worth_another_try() {
    let (mut a, _) = pair(80);
    let mut session = Session::new(Side::Initiator, NOW_MS, Options::default());
    session.poll_transmit(&mut a.replica).expect("hello").expect("hello");
    assert_eq!(session.poll_timeout(), Some(NOW_MS + IDLE_MS_MAX));
    session.handle_timeout(NOW_MS + IDLE_MS_MAX - 1);
    assert!(!session.has_ended());
    session.handle_timeout(NOW_MS + IDLE_MS_MAX);
    assert!(session.has_ended());
    assert!(matches!(session.poll_event(), Some(Event::Failed { retryable: true, .. })));
    assert_eq!(session.poll_timeout(), None);
}
