//! Photos between two phones: after text, chunk by chunk, resumed where a session was cut off.

use tuquan_core::attachment::{
    self, CHUNK_LEN, ImageKind, Manifest, Photo, SEALED_CHUNK_LEN_MAX, chunk_hash,
};
use tuquan_core::domain::incident::Incident;
use tuquan_core::ids::{ElementKey, RecordId};
use tuquan_core::log::item::{Op, set_key};
use tuquan_core::record::declare::FieldType as _;
use tuquan_core::store::chunks;
use tuquan_core::sync::session::{Event, LACK_MAX, Options};

use super::device::{Device, Pumped, pump, pump_with, sync};
use super::pair;

const PHOTOS: u16 = 30;
const PACK: u8 = 4;
const LACK: u8 = 11;
const CHUNK: u8 = 12;

/// Attaches `bytes`, which need be no image here; returns the manifest.
fn attach(device: &mut Device, record: RecordId, bytes: &[u8], key: u8) -> Manifest {
    let sealed = attachment::seal(bytes, [key; 32]).expect("sealed");
    let kept = device.replica.transact(|transaction, _, _| {
        sealed.chunks.iter().try_for_each(|chunk| chunks::put_own(transaction, chunk))
    });
    kept.expect("kept");
    let photo = photo(&sealed.manifest);
    device.change(Incident::DECLARATION.kind, record, Op::Add(PHOTOS, photo.to_value()));
    sealed.manifest
}

fn photo(manifest: &Manifest) -> Photo {
    Photo { image: Some(ImageKind::Jpeg), manifest: Some(manifest.clone()) }
}

/// Removes the element of a photo.
fn remove(device: &mut Device, record: RecordId, manifest: &Manifest) {
    let key: ElementKey = set_key(&photo(manifest).to_value());
    device.change(Incident::DECLARATION.kind, record, Op::Remove(PHOTOS, key));
}

fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

fn missing(device: &Device) -> usize {
    chunks::missing(&device.replica.connection, 10_000).expect("read").len()
}

fn open(device: &Device, manifest: &Manifest) -> Option<Vec<u8>> {
    let read = |hash| chunks::get(&device.replica.connection, hash).expect("read");
    let found: Vec<Vec<u8>> = manifest.chunks().iter().filter_map(read).collect();
    (found.len() == manifest.chunks().len())
        .then(|| attachment::open(manifest, &found).expect("opened"))
}

fn count(pumped: &Pumped, number: u8) -> usize {
    pumped.of_type(number).len()
}

#[test]
fn photos_come_after_all_text_the_smallest_first() {
    let (mut a, mut b) = pair(600);
    let (one, two) = (a.write(), b.write());
    sync(&mut a, &mut b);
    let big = noise(9 * CHUNK_LEN + 77, 1);
    let small = noise(40_000, 2);
    let theirs = noise(CHUNK_LEN, 3);
    let big_one = attach(&mut a, one, &big, 1);
    let small_one = attach(&mut a, one, &small, 2);
    let their_one = attach(&mut b, two, &theirs, 3);
    // What was written after the photo is not behind it either.
    a.write_many(20);
    let pumped = sync(&mut a, &mut b);
    let kinds: Vec<u8> = pumped.frames.0.iter().map(|frame| frame[4]).collect();
    let last_pack = kinds.iter().rposition(|kind| *kind == PACK).expect("packs");
    let first_chunk = kinds.iter().position(|kind| *kind == CHUNK).expect("chunks");
    assert!(last_pack < first_chunk, "{kinds:?}");
    let sent = pumped.frames.0.iter().filter(|frame| frame[4] == CHUNK);
    let hashes: Vec<_> = sent.map(|frame| chunk_hash(&frame[5..])).collect();
    assert_eq!(hashes[0], small_one.chunks()[0]);
    assert_eq!(hashes[1..11], *big_one.chunks());
    assert_eq!((hashes.len(), count(&pumped, CHUNK)), (12, 14));
    for device in [&a, &b] {
        assert_eq!(missing(device), 0);
        assert!(open(device, &big_one) == Some(big.clone()));
        assert!(open(device, &small_one) == Some(small.clone()));
        assert!(open(device, &their_one) == Some(theirs.clone()));
    }
    let (one, two) = pumped.stats();
    assert_eq!((one.chunks_sent, one.chunks_received), (11, 1));
    assert_eq!((two.chunks_sent, two.chunks_received), (1, 11));
    assert_eq!(a.hash(), b.hash());
    // And with nothing more to say it is one short round trip again.
    let again = sync(&mut b, &mut a);
    assert_eq!((again.frames.0.len(), again.frames.1.len()), (1, 1));
    assert!(again.bytes().0 < 200 && again.bytes().1 < 200, "{:?}", again.bytes());
}

#[test]
fn a_session_cut_off_anywhere_is_followed_by_one_that_fetches_only_what_lacks() {
    let whole = noise(4 * CHUNK_LEN + 5, 4);
    let start = || {
        let (mut a, mut b) = pair(610);
        let record = a.write();
        let manifest = attach(&mut a, record, &whole, 5);
        b.write();
        (a, b, manifest)
    };
    let (mut a, mut b, _) = start();
    let all = sync(&mut a, &mut b);
    let total = all.frames.0.len() + all.frames.1.len();
    let mut seen = Vec::new();
    for cut in 0..total {
        let (mut a, mut b, manifest) = start();
        let came = count(&pump(&mut a, &mut b, Options::default(), cut), CHUNK).min(5);
        let lacking = missing(&b);
        // Equal text or not, and whoever calls.
        let rest = if cut % 2 == 0 { sync(&mut a, &mut b) } else { sync(&mut b, &mut a) };
        let fetched = rest.of_type(CHUNK).iter().filter(|frame| frame.len() > 5).count();
        assert_eq!(fetched, 5 - came, "cut after {cut} of {total}");
        if lacking > 0 {
            assert_eq!(lacking, fetched);
            seen.push(came);
        }
        assert!(open(&b, &manifest).as_ref() == Some(&whole), "cut after {cut}");
        assert_eq!(a.hash(), b.hash());
    }
    seen.dedup();
    assert_eq!(seen, [0, 1, 2, 3, 4]);
}

#[test]
fn a_chunk_that_was_not_asked_for_or_was_altered_is_refused_and_fetched_again() {
    let (mut a, mut b) = pair(620);
    let record = a.write();
    let plain = noise(2 * CHUNK_LEN, 6);
    let manifest = attach(&mut a, record, &plain, 6);
    let mut altered = 0;
    let pumped = pump_with(&mut a, &mut b, Options::default(), usize::MAX, |_, frame| {
        if frame[4] == CHUNK && frame.len() > 5 && altered == 0 {
            frame[100] ^= 1;
            altered += 1;
        }
    });
    let is_refused =
        |event: &&Event| matches!(event, Event::Refused { error } if error.code() == "E-CHUNK");
    assert_eq!(pumped.events.1.iter().filter(is_refused).count(), 1);
    assert!(matches!(pumped.events.1.last(), Some(Event::Done { .. })), "{:?}", pumped.events.1);
    assert_eq!(missing(&b), 1);
    // Both have the same text, and still the rest is fetched.
    let rest = sync(&mut b, &mut a);
    assert_eq!((count(&rest, PACK), count(&rest, LACK)), (0, 1));
    assert!(open(&b, &manifest) == Some(plain));
}

#[test]
fn a_peer_that_sends_more_than_was_asked_for_or_too_much_is_cut_off() {
    for extra in [false, true] {
        let (mut a, mut b) = pair(630);
        let record = a.write();
        attach(&mut a, record, &noise(2 * CHUNK_LEN, 7), 7);
        let mut seen = 0;
        let pumped = pump_with(&mut a, &mut b, Options::default(), usize::MAX, |_, frame| {
            if frame[4] == CHUNK {
                seen += 1;
                if frame.len() == 5 && extra {
                    frame.push(7);
                    frame[0] = 2;
                } else if seen == 1 && !extra {
                    let len = SEALED_CHUNK_LEN_MAX + 1;
                    frame.resize(5 + len, 0);
                    let len = u32::try_from(len + 1).expect("small");
                    frame[..4].copy_from_slice(&len.to_le_bytes());
                }
            }
        });
        let code = match pumped.events.1.last() {
            Some(Event::Failed { error, .. }) => error.code(),
            other => panic!("{other:?}"),
        };
        assert_eq!(code, if extra { "E-FORMAT" } else { "E-SIZE" });
    }
}

#[test]
fn chunks_that_nobody_near_has_do_not_keep_a_session_open() {
    let (mut a, mut b) = pair(640);
    let record = a.write();
    let manifest = attach(&mut a, record, &noise(3 * CHUNK_LEN, 8), 8);
    let forget = |device: &mut Device| {
        let forgotten = device.replica.transact(|transaction, _, _| {
            manifest.chunks().iter().try_for_each(|hash| chunks::forget(transaction, hash))
        });
        forgotten.expect("forgotten");
    };
    forget(&mut a);
    let pumped = sync(&mut a, &mut b);
    assert_eq!((missing(&a), missing(&b)), (3, 3));
    assert_eq!(pumped.of_type(CHUNK).len(), 2);
    sync(&mut a, &mut b);
    assert_eq!((missing(&a), missing(&b)), (3, 3));
}

#[test]
fn more_chunks_than_one_question_holds_come_in_one_session() {
    let (mut a, mut b) = pair(650);
    let record = a.write();
    for number in 0..LACK_MAX + 20 {
        attach(&mut a, record, &number.to_le_bytes(), 9);
    }
    let pumped = sync(&mut a, &mut b);
    assert_eq!((count(&pumped, LACK), missing(&b)), (2, 0));
    assert_eq!(pumped.stats().1.chunks_received, LACK_MAX as u64 + 20);
}

#[test]
fn a_photo_that_is_taken_out_leaves_every_phone() {
    let (mut a, mut b) = pair(660);
    let record = a.write();
    let (first, second) = (noise(CHUNK_LEN + 1, 10), noise(500, 11));
    let gone = attach(&mut a, record, &first, 10);
    let kept = attach(&mut a, record, &second, 11);
    sync(&mut a, &mut b);
    assert!(open(&b, &gone).is_some());
    remove(&mut b, record, &gone);
    assert!(open(&b, &gone).is_none());
    sync(&mut a, &mut b);
    for device in [&mut a, &mut b] {
        assert_eq!(missing(device), 0);
        let is_here = |hash| chunks::is_here(&device.replica.connection, hash).expect("read");
        assert!(!gone.chunks().iter().any(is_here));
        // What is named is made anew with the views, and nothing that is named is lost by it.
        assert!(device.replica.doctor(&mut |_, _| {}).expect("checked").views_ok);
        assert!(open(device, &kept).as_ref() == Some(&second));
        assert_eq!(missing(device), 0);
    }
}

#[test]
fn a_chunk_that_was_damaged_on_the_disk_is_fetched_again() {
    let (mut a, mut b) = pair(670);
    let record = a.write();
    let plain = noise(CHUNK_LEN, 12);
    let manifest = attach(&mut a, record, &plain, 12);
    sync(&mut a, &mut b);
    let sql = "UPDATE chunk SET bytes = zeroblob(length(bytes))";
    b.replica.connection.execute(sql, []).expect("damaged");
    let hash = manifest.chunks()[0];
    let error = chunks::get(&b.replica.connection, &hash).expect_err("damaged");
    assert_eq!(error.code(), "E-CHUNK");
    b.replica.transact(|transaction, _, _| chunks::forget(transaction, &hash)).expect("forgotten");
    sync(&mut a, &mut b);
    assert!(open(&b, &manifest) == Some(plain));
}
