//! Members who joined at different times meet; strangers do not get in that way.

use tuquan_core::error::Kind;
use tuquan_core::ids::{BoxKey, SpaceId};
use tuquan_core::log::chain::Sort;
use tuquan_core::sync::session::{Event, Message, Options};

use crate::device::{Device, Pumped, pump, pump_with, sync};

const WHO: u8 = 9;
const INTRODUCTION: u8 = 10;

/// A founder and two members; the first has not heard of the second.
fn team(seed: u64) -> (Device, Device, Device) {
    let mut founder = Device::founder(seed);
    let early = Device::member(seed + 1, &mut founder, true);
    let late = Device::member(seed + 2, &mut founder, true);
    (founder, early, late)
}

fn failed(events: &[Event]) -> Kind {
    match events.last() {
        Some(Event::Failed { error, .. }) => error.kind,
        _ => panic!("{events:?}"),
    }
}

/// A phone that says it is of the team and never was granted.
fn stranger(seed: u64, space: SpaceId) -> Device {
    let mut device = Device::new(seed);
    let entered = device.replica.transact(|transaction, mind, _| {
        let mut identity = mind.identity()?.clone();
        identity.space = Some(space);
        mind.set_identity(transaction, identity)
    });
    entered.expect("entered");
    device
}

fn control(device: &Device) -> Vec<u64> {
    let logs = device.replica.mind.logs.iter();
    logs.filter(|log| log.row.sort == Sort::Control).map(|log| log.row.next).collect()
}

#[test]
fn who_joined_later_meets_who_joined_earlier_from_either_side() {
    for late_first in [true, false] {
        let (_, mut early, mut late) = team(400);
        early.write_many(20);
        late.write_many(30);
        assert!(!early.replica.mind.members.devices.contains_key(&late.key()));
        let pumped =
            if late_first { sync(&mut late, &mut early) } else { sync(&mut early, &mut late) };
        assert_eq!(pumped.of_type(WHO).len(), 1);
        assert_eq!(pumped.of_type(INTRODUCTION).len(), 1);
        assert_eq!(early.hash(), late.hash(), "late first: {late_first}");
        assert!(early.replica.mind.members.devices.contains_key(&late.key()));
        // Once they know each other nobody asks, and nothing new is one round trip as ever.
        let again = sync(&mut early, &mut late);
        assert_eq!((again.frames.0.len(), again.frames.1.len()), (1, 1));
        assert!(again.bytes().0 < 200 && again.bytes().1 < 200);
    }
}

#[test]
fn who_was_never_granted_is_refused_and_nothing_is_stored() {
    let (_, mut early, _) = team(420);
    let space = early.replica.mind.space().expect("a team");
    for outside_first in [true, false] {
        let mut outside = stranger(425, space);
        let before = (control(&early), early.hash());
        // What it could say at most: all that the team has, but no grant for itself.
        let packs: Vec<Vec<u8>> = {
            // From who joined last: more than is known here.
            let (mut one, mut two) = (stranger(426, space), team(420).2);
            let pumped = pump(&mut two, &mut one, Options::default(), usize::MAX);
            pumped.of_type(INTRODUCTION).into_iter().cloned().collect()
        };
        assert_eq!(packs.len(), 1);
        let alter = |_: usize, frame: &mut Vec<u8>| {
            if frame[4] == INTRODUCTION && frame.len() < 10 {
                frame.clone_from(&packs[0]);
            }
        };
        let pumped: Pumped = if outside_first {
            pump_with(&mut outside, &mut early, Options::default(), usize::MAX, alter)
        } else {
            pump_with(&mut early, &mut outside, Options::default(), usize::MAX, alter)
        };
        let events = if outside_first { &pumped.events.1 } else { &pumped.events.0 };
        assert_eq!(failed(events), Kind::NotMember);
        assert_eq!((control(&early), early.hash()), before);
    }
}

#[test]
fn an_altered_introduction_stores_nothing_and_the_next_one_goes_through() {
    let (_, mut early, mut late) = team(430);
    late.write();
    let before = (control(&early), early.hash());
    let len = pump(&mut late, &mut early, Options::default(), 3).of_type(INTRODUCTION)[0].len();
    let (_, mut early, _) = team(430);
    let mut accepted = 0;
    for at in 5..len {
        let pumped = pump_with(&mut late, &mut early, Options::default(), 3, |_, frame| {
            if frame[4] == INTRODUCTION {
                frame[at] ^= 0x10;
            }
        });
        if matches!(pumped.events.1.last(), Some(Event::PeerKnown { .. })) {
            // A bit that the compression does not use: the content is what was signed.
            accepted += 1;
            early = team(430).1;
            continue;
        }
        assert!(matches!(pumped.events.1.last(), Some(Event::Failed { .. })), "byte {at}");
        assert_eq!((control(&early), early.hash()), before, "byte {at}");
    }
    assert!(accepted < len / 20, "{accepted} of {len}");
    sync(&mut late, &mut early);
    assert_eq!(early.hash(), late.hash());
}

#[test]
fn a_hello_that_its_device_did_not_sign_brings_no_introduction_with_it() {
    let (_, mut early, mut late) = team(435);
    let before = (control(&early), early.hash());
    let pumped = pump_with(&mut late, &mut early, Options::default(), 3, |number, frame| {
        if number == 0 {
            *frame.last_mut().expect("a signature") ^= 1;
        }
    });
    assert_eq!(pumped.of_type(INTRODUCTION).len(), 1);
    assert_eq!(failed(&pumped.events.1), Kind::Signature);
    assert_eq!((control(&early), early.hash()), before);
}

#[test]
fn questions_out_of_place_and_answers_over_the_bounds_end_the_session() {
    let (mut founder, mut early, _) = team(440);
    founder.write();
    for frame in [Message::Who.encode(), Message::Introduction(Vec::new()).encode()] {
        let pumped = pump_with(&mut founder, &mut early, Options::default(), 1, |_, sent| {
            sent.clone_from(&frame);
        });
        assert_eq!(failed(&pumped.events.1), Kind::Format);
    }
    let one = vec![7; 20_000];
    let many = Message::Introduction(vec![&[1]; 65]).encode();
    let large = Message::Introduction(vec![&one; 51]).encode();
    for frame in [many, large] {
        assert_eq!(Message::decode(&frame).expect_err("over").kind, Kind::Size);
    }
}

#[test]
fn the_key_of_the_line_must_be_that_of_the_device_in_the_hello() {
    let (mut founder, mut early, mut late) = team(450);
    let right = |device: &Device| Options { line: Some(device.card().unbox), newest_first: None };
    let run = |a: &mut Device, b: &mut Device, options: Options| {
        // Both sides are given the same key here: the responder's check is the one looked at.
        pump(a, b, options, usize::MAX)
    };
    let other = Options { line: Some(BoxKey([9; 32])), newest_first: None };
    assert_eq!(failed(&run(&mut founder, &mut early, other).events.1), Kind::Peer);
    assert_eq!(failed(&run(&mut founder, &mut early, other).events.0), Kind::Peer);
    // A member that speaks as another one.
    let options = right(&late);
    assert_eq!(failed(&run(&mut founder, &mut early, options).events.1), Kind::Peer);
    // One that is introduced only now, through another one's line.
    let (before, options) = (control(&early), right(&founder));
    assert_eq!(failed(&run(&mut late, &mut early, options).events.1), Kind::Peer);
    assert_eq!(control(&early), before);
}
