//! Bytes from outside that mean harm, or none: mutated packs, bombs, and round trips of anything.

mod support;

use std::time::{Duration, Instant};

use proptest::prelude::*;
use support::{Author, SPACE, sealed};
use tuquan_core::codec::Writer;
use tuquan_core::error::{Kind, Result};
use tuquan_core::log::chain::Sort;
use tuquan_core::log::dictionary;
use tuquan_core::log::entry::{Body, Entry};
use tuquan_core::log::item::Item;
use tuquan_core::log::pack::{
    Header, INFLATED_BYTES_MAX, Known, Layout, Mode, Packing, Range, content, encode, open,
    padded_len,
};
use tuquan_core::sync::bundle::Bundle;
use tuquan_core::sync::card::Card;

const NONCE: [u8; 24] = [7; 24];

fn packing(layout: Layout) -> Packing {
    Packing { layout: Some(layout), ..Packing::default() }
}

/// Reads bytes as everything that comes from outside; returns what a pack gave.
fn read_all(bytes: &[u8], key: &[u8; 32]) -> Result<Vec<Range>> {
    let _ = Bundle::read(bytes);
    let _ = Card::decode(bytes);
    let _ = Item::decode(bytes, &tuquan_core::ids::LogId([1; 16]));
    let _ = Entry::decode(bytes);
    let range = Author::new(1, Sort::Data).events(1);
    let known = Known {
        device: range.device,
        nonce: range.nonce,
        sort: Sort::Control,
        before: Some((range.link_before, Vec::new())),
    };
    if let Ok(header) = Header::read_trimmed(bytes, &SPACE, None, |_, _| Some(known)) {
        let _ = open(bytes, &header, Some(key));
    }
    let header = Header::read(bytes)?;
    open(bytes, &header, Some(key))
}

/// Wraps any content as an open pack of `count` entries of the range's log, as an attacker can.
fn wrap(range: &Range, count: u64, layout: Layout, frame: &[u8]) -> Vec<u8> {
    let mut to = Writer::after(b"TQP1\x01".to_vec());
    to.raw(&[if layout == Layout::Columns { 3 } else { 1 }]);
    to.raw(&SPACE.0).raw(&[0; 16]).array(1).array(3);
    to.bytes(&range.log_id(&SPACE).0).uint(range.first).uint(count);
    to.raw(&[0; 24]);
    to.raw(&u32::try_from(frame.len()).expect("small").to_le_bytes());
    to.raw(frame);
    let mut pack = to.into_bytes();
    pack.resize(padded_len(pack.len()), 0);
    pack
}

fn refused_fast(bytes: &[u8]) -> Kind {
    let start = Instant::now();
    let kind = read_all(bytes, &[0; 32]).expect_err("refused").kind;
    assert!(start.elapsed() < Duration::from_secs(2), "{kind:?}");
    kind
}

#[test]
fn a_frame_that_inflates_to_100_mib_is_refused_unread() {
    let range = Author::new(1, Sort::Control).mixed(1);
    let frame = dictionary::compress(&vec![0; 100 << 20], &[], 3).expect("compressed");
    assert_eq!(refused_fast(&wrap(&range, 1, Layout::Entries, &frame)), Kind::Size);
    let frame = dictionary::compress(&vec![0; INFLATED_BYTES_MAX], &[], 3).expect("compressed");
    for layout in [Layout::Entries, Layout::Columns] {
        assert_eq!(refused_fast(&wrap(&range, 1, layout, &frame)), Kind::Format);
    }
}

#[test]
fn lengths_of_4_gib_and_counts_of_a_billion_are_refused() {
    let range = Author::new(1, Sort::Control).mixed(1);
    let bytes = encode(
        &SPACE,
        &Mode::Open,
        std::slice::from_ref(&range),
        &packing(Layout::Entries),
        &NONCE,
    );
    let bytes = bytes.expect("packed");
    let body = Header::read(&bytes).map(|_| 38 + 1 + 1 + 17 + 1 + 1 + 24).expect("header");
    let mut long = bytes.clone();
    long[body..body + 4].fill(0xff);
    assert_eq!(refused_fast(&long), Kind::Size);
    let billion = wrap(&range, 1_000_000_000, Layout::Entries, &[]);
    assert_eq!(refused_fast(&billion), Kind::Size);
    let mut many = bytes.clone();
    many.splice(38..39, [0x9a, 0x3b, 0x9a, 0xca, 0]);
    assert_eq!(refused_fast(&many), Kind::Size);
    assert_eq!(refused_fast(&vec![b'T'; 2 << 20]), Kind::Size);
}

#[test]
fn deep_nesting_and_hollow_arrays_inside_a_frame_are_refused() {
    let range = Author::new(1, Sort::Control).mixed(1);
    let wrapped = |layout, content: &[u8]| {
        let frame = dictionary::compress(content, &[], 3).expect("compressed");
        refused_fast(&wrap(&range, 1, layout, &frame))
    };
    for layout in [Layout::Entries, Layout::Columns] {
        wrapped(layout, &vec![0x81; 1 << 20]);
        wrapped(layout, &vec![0x9b; 1 << 20]);
        wrapped(layout, &[0x82, 0x9a, 0x3b, 0x9a, 0xca, 0]);
    }
}

/// A pack of one short shape that many items use would grow a thousandfold.
#[test]
fn columns_that_grow_stop_at_the_bound() {
    let range = Author::new(2, Sort::Control).mixed(1);
    let one = content(&SPACE, &Mode::Open, std::slice::from_ref(&range), &packing(Layout::Entries));
    let entry = range.entries[0].encode();
    let mut one = one.expect("content");
    one.truncate(one.len() - entry.len() - 1);
    let mut shape = vec![1, 0, 0, 0xe8, 0x07];
    (0..1_000).for_each(|_| shape.extend([6, 0, 0]));
    let count = 4_096_usize;
    let mut to = Writer::after(one);
    to.array(11);
    to.bytes(&[1, 0, 0x80, 0x02]).bytes(&shape);
    to.bytes(&vec![0; count]).bytes(&vec![2; count * 256]);
    let zeros = [&[0, 1][..], &vec![0; count]].concat();
    to.bytes(&zeros).bytes(&zeros);
    for _ in 0..5 {
        to.bytes(&[]);
    }
    let frame = dictionary::compress(to.as_slice(), &[], 3).expect("compressed");
    let pack = wrap(&range, count as u64, Layout::Columns, &frame);
    assert!(pack.len() < 16 << 10);
    assert_eq!(refused_fast(&pack), Kind::Size);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn anything_that_is_packed_comes_back_the_same_in_both_layouts(
        seed in any::<u64>(),
        first in prop_oneof![Just(0), 1..u64::from(u32::MAX)],
        counts in prop::collection::vec(1_usize..90, 1..4),
        level in 1..12_i32,
    ) {
        let (mode, key) = sealed();
        let ranges: Vec<Range> = (0..).zip(&counts).map(|(n, count)| {
            let author = Author::new(seed ^ n, Sort::Data);
            let mut author = if first == 0 { author } else { author.at(first) };
            author.mixed(*count)
        }).collect();
        for layout in [Layout::Entries, Layout::Columns] {
            let packing = Packing { level, ..packing(layout) };
            let bytes = encode(&SPACE, &mode, &ranges, &packing, &NONCE).expect("packed");
            let header = Header::read(&bytes).expect("header");
            prop_assert_eq!(header.layout, layout);
            let back = open(&bytes, &header, Some(&key)).expect("opened");
            prop_assert_eq!(&back, &ranges);
            for range in &back {
                range.verify(&SPACE).expect("verified");
            }
        }
    }

    #[test]
    fn items_of_any_bytes_travel_unchanged_in_columns(
        items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..20),
    ) {
        let mut author = Author::new(3, Sort::Data);
        let entries = items.into_iter().map(|bytes| {
            let mut entry = author.entry(vec![Body::Bytes(bytes)]);
            entry.hlc.0 = entry.hlc.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            entry
        }).collect();
        let range = author.range(entries);
        let (mode, key) = sealed();
        let packing = packing(Layout::Columns);
        let bytes = encode(&SPACE, &mode, std::slice::from_ref(&range), &packing, &NONCE).expect("packed");
        prop_assert_eq!(read_all(&bytes, &key).expect("opened"), [range]);
    }

    /// Differential: what decodes encodes to the same bytes.
    #[test]
    fn mutated_bytes_never_panic_and_what_they_give_is_canonical(
        seed in 0..20_u64,
        columns in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        sealed_bytes in any::<bool>(),
    ) {
        let layout = if columns { Layout::Columns } else { Layout::Entries };
        let range = Author::new(seed, Sort::Control).mixed(12);
        let log = range.log_id(&SPACE);
        let mutate = |mut bytes: Vec<u8>| {
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            bytes
        };
        let start = Instant::now();
        let pack = if sealed_bytes {
            let bytes = encode(&SPACE, &Mode::Open, std::slice::from_ref(&range), &packing(layout), &NONCE);
            mutate(bytes.expect("packed"))
        } else {
            let bytes = content(&SPACE, &Mode::Open, std::slice::from_ref(&range), &packing(layout));
            let content = mutate(bytes.expect("content"));
            let frame = dictionary::compress(&content, &[], 1).expect("compressed");
            wrap(&range, 12, layout, &frame)
        };
        let ranges = read_all(&pack, &[0; 32]).unwrap_or_default();
        for entry in ranges.iter().flat_map(|range| &range.entries) {
            let bytes = entry.encode();
            prop_assert_eq!(bytes.len(), entry.encoded_len());
            prop_assert_eq!(&Entry::decode(&bytes).expect("decoded"), entry);
            for item in &entry.items {
                let Body::Bytes(bytes) = item else { continue };
                if let Ok(item) = Item::decode(bytes, &log) {
                    prop_assert_eq!(&item.encode(&log), bytes);
                }
            }
        }
        let mut accepted = ranges.iter().filter(|range| range.verify(&SPACE).is_ok());
        prop_assert!(accepted.all(|accepted| accepted.entries == range.entries));
        prop_assert!(start.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn bytes_without_any_sense_never_panic(
        magic in prop::sample::select(vec![
            &b"TQP1\x01\x00"[..], b"TQP1\x01\x03", b"TQB1\x01", b"TQD1\x01", b"\x04", b"",
        ]),
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = read_all(&[magic, &rest].concat(), &[0; 32]);
    }
}
