//! Bundles from outside: whole, cut off, altered.

mod support;

use support::{Author, SPACE, sealed};
use tuquan_core::error::Kind;
use tuquan_core::log::chain::Sort;
use tuquan_core::log::pack::{Packing, encode};
use tuquan_core::sync::bundle::{Bundle, BundleWriter};

fn packs() -> Vec<Vec<u8>> {
    let (mode, _) = sealed();
    let mut author = Author::new(1, Sort::Data);
    let mut pack = |count| {
        let range = author.events(count);
        encode(&SPACE, &mode, &[range], &Packing::default(), &[7; 24]).expect("packed")
    };
    vec![pack(30), pack(4), pack(17)]
}

fn bundle(packs: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = BundleWriter::start(Vec::new(), &SPACE, 3, 51).expect("started");
    packs.iter().for_each(|pack| writer.push(pack).expect("pushed"));
    writer.finish().expect("finished")
}

#[test]
fn a_whole_bundle_gives_its_packs_in_order() {
    let packs = packs();
    let bytes = bundle(&packs);
    let parsed = Bundle::read(&bytes).expect("read");
    assert_eq!(parsed.complete, Ok(()));
    assert_eq!(parsed.packs, packs);
    assert_eq!((parsed.declared_packs, parsed.declared_entries), (3, 51));
    assert_eq!((parsed.space, parsed.entries_received), (SPACE, 51));
}

#[test]
fn a_cut_off_bundle_gives_its_complete_packs_and_tells_how_many() {
    let packs = packs();
    let bytes = bundle(&packs);
    let second_end = 29 + 4 + packs[0].len() + 4 + packs[1].len();
    let parsed = Bundle::read(&bytes[..second_end + 100]).expect("read");
    let error = parsed.complete.expect_err("cut off");
    assert_eq!(error.to_string(), "E-TRUNC: 34 of 51 entries");
    assert_eq!(parsed.packs, packs[..2]);
    for len in 0..bytes.len() {
        match Bundle::read(&bytes[..len]) {
            Ok(parsed) => {
                assert_eq!(parsed.complete.expect_err("cut off").kind, Kind::Truncated);
                assert_eq!(parsed.packs, packs[..parsed.packs.len()]);
            }
            Err(error) => {
                assert!(len < 29);
                let expected = if len == 0 { Kind::Magic } else { Kind::Truncated };
                assert_eq!(error.kind, expected);
            }
        }
    }
}

#[test]
fn an_altered_or_longer_bundle_gives_nothing() {
    let bytes = bundle(&packs());
    let longer = [&bytes[..], &[0]].concat();
    let parsed = Bundle::read(&longer).expect("read");
    assert_eq!(parsed.complete.expect_err("longer").kind, Kind::Trailing);
    assert!(parsed.packs.is_empty());
    for at in (0..bytes.len()).step_by(7).chain(bytes.len() - 32..bytes.len()) {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        let Ok(parsed) = Bundle::read(&altered) else {
            continue;
        };
        let kind = parsed.complete.expect_err("altered").kind;
        assert!(kind == Kind::Truncated || parsed.packs.is_empty(), "{at}");
    }
}

#[test]
fn declared_lengths_are_not_believed() {
    let mut bytes = bundle(&packs());
    bytes[21..25].copy_from_slice(&u32::MAX.to_le_bytes());
    let parsed = Bundle::read(&bytes);
    assert!(parsed.map_or(true, |parsed| parsed.complete.is_err()));
    bytes[29..33].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Bundle::read(&bytes).expect_err("4 GiB").kind, Kind::Size);
    let mut writer = BundleWriter::start(Vec::new(), &SPACE, 1, 3).expect("started");
    let refused = writer.push(&packs()[1]).expect_err("four entries");
    assert_eq!(refused.kind, Kind::Invalid);
}
