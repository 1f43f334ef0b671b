//! Lines: any frame, any cut of the stream, any damage, and who is at the other end.

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;
use tuquan_core::clock::{Clock, Env};
use tuquan_core::crypto::DeviceSecret;
use tuquan_core::error::Kind;
use tuquan_core::ids::BoxKey;
use tuquan_core::replica::Replica;
use tuquan_core::sync::line::{Line, WAITING_BYTES_MAX};
use tuquan_core::sync::session::{Event, FRAME_BYTES_MAX, Message, Options, Session, Side};

use crate::device::{Device, NOW_MS};

pub(crate) fn line(device: &mut Device, side: Side, psk: Option<&[u8; 32]>) -> Line {
    let Replica { mind, env, .. } = &mut device.replica;
    let secret: DeviceSecret = mind.identity().expect("an identity").secret.clone();
    Line::new(side, &secret, psk, env).expect("started")
}

struct Noon;

impl Clock for Noon {
    fn now_ms(&self) -> i64 {
        NOW_MS
    }
}

/// An end without a store behind it.
fn end(seed: u64, side: Side) -> (Line, BoxKey) {
    let rng = Box::new(ChaCha8Rng::seed_from_u64(seed));
    let mut env = Env { clock: Box::new(Noon), rng };
    let secret = DeviceSecret::generate(&mut *env.rng);
    (Line::new(side, &secret, None, &mut env).expect("started"), secret.box_key())
}

/// Two ends; nothing was passed yet.
fn ends(seed: u64) -> (Line, Line) {
    (end(seed, Side::Initiator).0, end(seed + 1, Side::Responder).0)
}

/// Passes bytes in parts of `cut` until nothing moves.
fn pass(one: &mut Line, two: &mut Line, cut: usize) {
    loop {
        let mut moved = false;
        while let Some(bytes) = one.poll_transmit() {
            bytes.chunks(cut).for_each(|part| two.handle_bytes(part).expect("taken"));
            moved = true;
        }
        while let Some(bytes) = two.poll_transmit() {
            bytes.chunks(cut).for_each(|part| one.handle_bytes(part).expect("taken"));
            moved = true;
        }
        if !moved {
            return;
        }
    }
}

fn frame(len: usize) -> Vec<u8> {
    let mut bytes = vec![7; len];
    bytes[..4].copy_from_slice(&u32::try_from(len - 4).expect("small").to_le_bytes());
    bytes
}

/// All that `from` has to send, in one.
fn drain(from: &mut Line) -> Vec<u8> {
    std::iter::from_fn(|| from.poll_transmit()).flatten().collect()
}

#[test]
fn frames_of_any_size_cross_in_any_cut_of_the_stream() {
    for cut in [1, 2, 7, 1_000, 65_537, 1 << 21] {
        let (mut one, mut two) = ends(500);
        let sizes: &[usize] = match cut {
            1..100 => &[5, 65_519, 6],
            _ => &[5, 65_518, 65_519, 65_520, 131_038, FRAME_BYTES_MAX + 4, 9],
        };
        for size in sizes {
            one.send(&frame(*size)).expect("sent");
        }
        assert!(one.remote_static().is_none() && one.handshake_hash().is_none());
        pass(&mut one, &mut two, cut);
        for size in sizes {
            assert_eq!(two.next_frame().expect("came").len(), *size);
        }
        two.send(&frame(70_000)).expect("sent");
        pass(&mut one, &mut two, cut);
        assert_eq!(one.next_frame(), Some(frame(70_000)));
        assert_eq!(one.next_frame(), None);
        assert_eq!(one.handshake_hash(), two.handshake_hash());
        assert_eq!(one.remote_static(), Some(end(501, Side::Responder).1));
        assert_eq!(two.remote_static(), Some(end(500, Side::Initiator).1));
        one.finish().expect("whole");
        two.finish().expect("whole");
    }
    let too_large = frame(FRAME_BYTES_MAX + 5);
    let (mut one, _) = ends(500);
    assert_eq!(one.send(&too_large).expect_err("over").kind, Kind::Size);
}

#[test]
fn the_same_seed_makes_the_same_bytes_and_another_one_others() {
    let bytes = |seed| {
        let (mut one, mut two) = ends(seed);
        let hello = drain(&mut one);
        two.handle_bytes(&hello).expect("read");
        [hello, drain(&mut two)].concat()
    };
    assert_eq!(bytes(510), bytes(510));
    assert_ne!(bytes(510), bytes(512));
}

#[test]
fn another_psk_or_none_ends_the_line() {
    for (one, two) in [(Some([1; 32]), Some([2; 32])), (None, Some([2; 32])), (Some([1; 32]), None)]
    {
        let (mut a, mut b) = (Device::new(520), Device::new(521));
        let mut left = line(&mut a, Side::Initiator, one.as_ref());
        let mut right = line(&mut b, Side::Responder, two.as_ref());
        left.send(&frame(9)).expect("kept");
        let mut error = None;
        for _ in 0..3 {
            let to = drain(&mut left);
            let outcome = right.handle_bytes(&to);
            error = error.or(outcome.err().map(|error| error.kind));
            let back = drain(&mut right);
            error = error.or(left.handle_bytes(&back).err().map(|error| error.kind));
        }
        assert!(matches!(error, Some(Kind::Body | Kind::Format)), "{error:?}");
        assert!(right.next_frame().is_none() && left.next_frame().is_none());
        assert!(left.has_failed() || right.has_failed());
    }
}

/// What the initiator sends in a whole line with two frames, when nobody disturbs it.
fn script() -> (Vec<Vec<u8>>, usize) {
    let (mut one, mut two) = ends(530);
    one.send(&frame(40)).expect("kept");
    one.send(&frame(90)).expect("kept");
    let first = drain(&mut one);
    two.handle_bytes(&first).expect("read");
    one.handle_bytes(&drain(&mut two)).expect("read");
    let rest = drain(&mut one);
    (vec![first, rest], 2)
}

/// Feeds the initiator's stream, altered, to a fresh responder; returns it, the frames and the
/// first error.
fn feed(parts: &[Vec<u8>]) -> (Line, Vec<Vec<u8>>, Option<Kind>) {
    let (_, mut two) = ends(530);
    let mut error = None;
    for part in parts {
        error = error.or(two.handle_bytes(part).err().map(|error| error.kind));
        while two.poll_transmit().is_some() {}
    }
    let frames = std::iter::from_fn(|| two.next_frame()).collect();
    (two, frames, error)
}

#[test]
fn a_byte_altered_anywhere_gives_a_typed_error_and_no_wrong_frame() {
    let (parts, count) = script();
    let (whole, frames, error) = feed(&parts);
    assert_eq!((frames.len(), error), (count, None));
    whole.finish().expect("whole");
    for part in 0..parts.len() {
        for at in 0..parts[part].len() {
            for bit in [0x01, 0x80] {
                let mut altered = parts.clone();
                altered[part][at] ^= bit;
                let (line, found, error) = feed(&altered);
                assert!(found.iter().all(|found| frames.contains(found)), "{part} {at}");
                assert!(found.len() < count, "{part} {at}");
                // A longer length only waits; the end of the stream tells then.
                match error {
                    None => assert_eq!(line.finish().expect_err("cut").kind, Kind::Truncated),
                    Some(kind) => {
                        let typed = [Kind::Body, Kind::Format, Kind::Size, Kind::DeviceKey];
                        assert!(typed.contains(&kind), "{part} {at}: {kind:?}");
                        assert!(line.has_failed());
                    }
                }
            }
        }
    }
}

#[test]
fn a_stream_cut_anywhere_is_told_unless_it_ends_between_frames() {
    let (parts, count) = script();
    let stream: usize = parts.iter().map(Vec::len).sum();
    let mut quiet = Vec::new();
    for end in 0..stream {
        let first = parts[0][..end.min(parts[0].len())].to_vec();
        let rest = parts[1][..end.saturating_sub(parts[0].len())].to_vec();
        let (line, frames, error) = feed(&[first, rest]);
        assert_eq!(error, None, "cut at {end}");
        assert!(frames.len() < count);
        match line.finish() {
            Ok(()) => quiet.push((end, frames.len())),
            Err(error) => assert_eq!(error.kind, Kind::Truncated),
        }
    }
    // After the handshake, and after the first frame: what is missing the session notices.
    assert_eq!(quiet.iter().map(|(_, frames)| *frames).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn what_is_repeated_left_out_oversized_or_gives_no_secret_is_refused() {
    let kind = |parts: &[Vec<u8>]| feed(parts).2;
    let (parts, _) = script();
    let rest = &parts[1];
    let handshake = 2 + usize::from(u16::from_le_bytes([rest[0], rest[1]]));
    let (end, frames) = rest.split_at(handshake);
    let (first, second) =
        frames.split_at(2 + usize::from(u16::from_le_bytes([frames[0], frames[1]])));
    let stream = |tail: &[&[u8]]| [parts[0].clone(), [&[end], tail].concat().concat()];
    assert_eq!(kind(&stream(&[first, second])), None);
    assert_eq!(kind(&stream(&[first, first])), Some(Kind::Body));
    assert_eq!(kind(&stream(&[second])), Some(Kind::Body));
    assert_eq!(kind(&stream(&[second, first])), Some(Kind::Body));
    assert_eq!(kind(&[vec![0xff, 0xff]]), Some(Kind::Size));
    assert_eq!(kind(&[vec![0, 0]]), Some(Kind::Format));
    assert_eq!(kind(&[[&[3, 0], &b"abc"[..]].concat()]), Some(Kind::Format));
    // A point of small order as ephemeral key.
    assert_eq!(kind(&[[&[32, 0], &[0; 32][..]].concat()]), Some(Kind::DeviceKey));
    // Dead is dead.
    let (mut line, ..) = feed(&[vec![0, 0]]);
    assert_eq!(line.handle_bytes(&parts[0]).expect_err("dead").kind, Kind::NotReady);
    assert_eq!(line.send(&frame(9)).expect_err("dead").kind, Kind::NotReady);
}

#[test]
fn frames_that_nobody_takes_and_bytes_that_nobody_sends_are_bounded() {
    let (mut one, mut two) = ends(540);
    pass(&mut one, &mut two, 1_000);
    let large = frame(1 << 20);
    let mut error = None;
    for _ in 0..8 {
        one.send(&large).expect("sent");
        let bytes = drain(&mut one);
        error = error.or(two.handle_bytes(&bytes).err());
    }
    assert_eq!(error.expect("bounded").kind, Kind::Size);
    let (mut one, _) = ends(540);
    let sent = (0..8).find_map(|_| one.send(&large).err());
    assert_eq!(sent.expect("bounded").kind, Kind::Size);
    assert!(large.len() * 8 > WAITING_BYTES_MAX);
}

/// One end of a session over a line.
struct End<'a> {
    device: &'a mut Device,
    line: Line,
    side: Side,
    session: Option<Session>,
    events: Vec<Event>,
}

impl<'a> End<'a> {
    fn new(device: &'a mut Device, side: Side) -> Self {
        let line = line(device, side, None);
        Self { device, line, side, session: None, events: Vec::new() }
    }

    /// Does what is due; returns the bytes to pass on.
    fn work(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.line.handle_bytes(bytes).expect("taken");
        if let Some(key) = self.line.remote_static() {
            let options = Options { newest_first: None, line: Some(key) };
            let side = self.side;
            let session = self.session.get_or_insert_with(|| Session::new(side, NOW_MS, options));
            while let Some(frame) = self.line.next_frame() {
                session.handle_message(&mut self.device.replica, &frame, NOW_MS).ok();
            }
            while let Ok(Some(frame)) = session.poll_transmit(&mut self.device.replica) {
                self.line.send(&frame).expect("sent");
            }
            self.events.extend(std::iter::from_fn(|| session.poll_event()));
        }
        drain(&mut self.line)
    }
}

fn talk(one: &mut End<'_>, two: &mut End<'_>) {
    let mut to = one.work(&[]);
    for _ in 0..100 {
        let back = two.work(&to);
        to = one.work(&back);
    }
}

fn failed(events: &[Event]) -> Kind {
    match events.last() {
        Some(Event::Failed { error, .. }) => error.kind,
        _ => panic!("{events:?}"),
    }
}

#[test]
fn two_phones_sync_over_a_line_and_strangers_in_between_get_nothing() {
    let mut founder = Device::founder(550);
    let mut member = Device::member(551, &mut founder, true);
    founder.write_many(300);
    member.write_many(200);
    let (mut one, mut two) =
        (End::new(&mut member, Side::Initiator), End::new(&mut founder, Side::Responder));
    talk(&mut one, &mut two);
    assert!(matches!(one.events.last(), Some(Event::Done { .. })), "{:?}", one.events);
    assert_eq!(member.hash(), founder.hash());

    // Somebody in between with a line to each side passes on every frame unread.
    member.write();
    let before = founder.hash();
    let (mut left, mut right) = (Device::new(560), Device::new(561));
    let mut to_member = line(&mut left, Side::Responder, None);
    let mut to_founder = line(&mut right, Side::Initiator, None);
    let (mut one, mut two) =
        (End::new(&mut member, Side::Initiator), End::new(&mut founder, Side::Responder));
    let (mut from_one, mut from_two) = (one.work(&[]), Vec::new());
    for _ in 0..20 {
        to_member.handle_bytes(&from_one).expect("taken");
        to_founder.handle_bytes(&from_two).expect("taken");
        while let Some(frame) = to_member.next_frame() {
            to_founder.send(&frame).expect("sent");
        }
        while let Some(frame) = to_founder.next_frame() {
            to_member.send(&frame).expect("sent");
        }
        from_one = one.work(&drain(&mut to_member));
        from_two = two.work(&drain(&mut to_founder));
    }
    assert_eq!(failed(&two.events), Kind::Peer);
    assert_eq!(failed(&one.events), Kind::Peer);
    assert_eq!(founder.hash(), before);
    assert_eq!(Message::Error("E-PEER".to_owned()).encode()[4], 8);
}

#[test]
fn who_joined_later_meets_who_joined_earlier_over_a_line() {
    for late_first in [true, false] {
        let mut founder = Device::founder(570);
        let mut early = Device::member(571, &mut founder, true);
        let mut late = Device::member(572, &mut founder, true);
        early.write_many(5);
        late.write_many(5);
        let (first, second) =
            if late_first { (&mut late, &mut early) } else { (&mut early, &mut late) };
        let (mut one, mut two) =
            (End::new(first, Side::Initiator), End::new(second, Side::Responder));
        talk(&mut one, &mut two);
        assert!(matches!(one.events.last(), Some(Event::Done { .. })), "{:?}", one.events);
        assert_eq!(early.hash(), late.hash());
    }
}
