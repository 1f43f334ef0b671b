//! Packs from outside: round trips, refusals, bombs, sizes.

mod support;

use support::{Author, SPACE, sealed};
use tuquan_core::error::{Kind, Result};
use tuquan_core::log::chain::{Salts, Sort};
use tuquan_core::log::pack::{
    Header, Known, Layout, Mode, Packing, Range, Trim, content, encode, open, pack_id,
};

const NONCE: [u8; 24] = [7; 24];

fn packing(layout: Layout) -> Packing {
    Packing { layout: Some(layout), ..Packing::default() }
}

fn unpack(bytes: &[u8], key: &[u8; 32]) -> Result<Vec<Range>> {
    open(bytes, &Header::read(bytes)?, Some(key))
}

#[test]
fn a_range_comes_back_and_verifies_in_both_layouts() {
    let (mode, key) = sealed();
    let ranges =
        [Author::new(1, Sort::Data).mixed(300), Author::new(2, Sort::Data).at(77).events(5)];
    let mut contents = Vec::new();
    for layout in [Layout::Entries, Layout::Columns] {
        let bytes = encode(&SPACE, &mode, &ranges, &packing(layout), &NONCE).expect("packed");
        let header = Header::read(&bytes).expect("header");
        assert_eq!(header.layout, layout);
        let back = open(&bytes, &header, Some(&key)).expect("opened");
        assert_eq!(back, ranges);
        contents.push(back);
    }
    assert_eq!(contents[0], contents[1]);
    for range in &contents[0] {
        let verified = range.verify(&SPACE).expect("verified");
        assert_eq!(verified.len(), range.entries.len());
        assert_eq!(verified.last().map(|last| last.seq), Some(range.last()));
    }
}

#[test]
fn a_control_log_travels_open_and_reads_without_a_key() {
    let range = Author::new(3, Sort::Control).mixed(20);
    let bytes =
        encode(&SPACE, &Mode::Open, std::slice::from_ref(&range), &Packing::default(), &NONCE);
    let bytes = bytes.expect("packed");
    let header = Header::read(&bytes).expect("header");
    let back = open(&bytes, &header, None).expect("opened");
    assert_eq!(back, std::slice::from_ref(&range));
    range.verify(&SPACE).expect("verified");
    let (mode, _) = sealed();
    let mixed_up = encode(&SPACE, &mode, &[range], &Packing::default(), &NONCE);
    assert_eq!(mixed_up.expect_err("refused").kind, Kind::Invalid);
}

#[test]
fn a_changed_item_salt_link_or_seal_does_not_verify() {
    let range = Author::new(4, Sort::Data).at(9).events(70);
    let broken: [&dyn Fn(&mut Range); 6] = [
        &|r| r.seal[3] ^= 1,
        &|r| r.link_before.0[0] ^= 1,
        &|r| r.heads.clear(),
        &|r| r.entries.swap(0, 1),
        &|r| r.runs[1].salts = Salts::Seed([0; 16]),
        &|r| r.first += 1,
    ];
    for (n, damage) in broken.into_iter().enumerate() {
        let mut range = range.clone();
        damage(&mut range);
        let expected = if n == 5 { Kind::Format } else { Kind::Signature };
        assert_eq!(range.verify(&SPACE).expect_err("refused").kind, expected, "{n}");
    }
}

#[test]
fn runs_cover_exactly_and_kept_salts_belong_to_kept_items() {
    let mut range = Author::new(5, Sort::Data).events(3);
    let run = range.runs[0].clone();
    let kept = (0..3).map(|seq| (seq, 0, run.salt(seq, 0).try_into().expect("16"))).collect();
    range.runs[0].salts = Salts::Kept(kept);
    range.verify(&SPACE).expect("verified");
    let (mode, key) = sealed();
    let bytes = encode(&SPACE, &mode, std::slice::from_ref(&range), &Packing::default(), &NONCE);
    assert_eq!(unpack(&bytes.expect("packed"), &key).expect("opened"), [range.clone()]);
    let refused = |damage: &dyn Fn(&mut Range)| {
        let mut range = range.clone();
        damage(&mut range);
        assert_eq!(range.verify(&SPACE).expect_err("refused").kind, Kind::Format);
    };
    type Kept = Vec<(u64, u32, [u8; 16])>;
    let kept = |range: &mut Range, change: &dyn Fn(&mut Kept)| {
        if let Salts::Kept(kept) = &mut range.runs[0].salts {
            change(kept);
        }
    };
    refused(&|r| kept(r, &|k| k.truncate(2)));
    refused(&|r| kept(r, &|k| k.push((2, 1, [0; 16]))));
    refused(&|r| kept(r, &|k| k.swap(0, 1)));
    refused(&|r| r.runs[0].count = 2);
    refused(&|r| r.runs[0].first = 1);
    refused(&|r| r.runs.clear());
    refused(&|r| r.runs[0].salts = Salts::Empty);
}

#[test]
fn a_session_leaves_out_what_the_peer_knows() {
    let (mode, key) = sealed();
    let range = Author::new(6, Sort::Data).at(500).events(3);
    let known =
        |before| Known { device: range.device, nonce: range.nonce, sort: Sort::Data, before };
    let full = Some((range.link_before, range.heads.clone()));
    for (with_link, with_epoch) in [(false, false), (true, false), (true, true)] {
        let trim = Some(Trim { index: 4, with_link, with_epoch });
        let packing = Packing { trim, ..Packing::default() };
        let bytes =
            encode(&SPACE, &mode, std::slice::from_ref(&range), &packing, &NONCE).expect("packed");
        let epoch = (!with_epoch).then_some(tuquan_core::ids::EpochId([0xe0; 16]));
        let before = if with_link { None } else { full.clone() };
        let header = Header::read_trimmed(&bytes, &SPACE, epoch, |index, first| {
            assert_eq!((index, first), (4, 500));
            Some(known(before))
        });
        let header = header.expect("header");
        let back = open(&bytes, &header, Some(&key)).expect("opened");
        assert_eq!(back, std::slice::from_ref(&range));
        let unknown = Header::read_trimmed(&bytes, &SPACE, epoch, |_, _| None);
        assert_eq!(unknown.expect_err("refused").kind, Kind::NotFound);
        assert_eq!(Header::read(&bytes).expect_err("not whole").kind, Kind::Magic);
        if !with_link {
            let without = Header::read_trimmed(&bytes, &SPACE, epoch, |_, _| Some(known(None)));
            assert_eq!(without.expect_err("refused").kind, Kind::Format);
        }
    }
}

#[test]
fn a_control_log_is_trimmed_without_epoch_and_nonce() {
    let range = Author::new(6, Sort::Control).at(500).mixed(3);
    let trim = Some(Trim { index: 4, with_link: false, with_epoch: true });
    let packing = Packing { trim, ..Packing::default() };
    let ranges = std::slice::from_ref(&range);
    let bytes = encode(&SPACE, &Mode::Open, ranges, &packing, &NONCE).expect("packed");
    let known = |sort| Known {
        device: range.device,
        nonce: range.nonce,
        sort,
        before: Some((range.link_before, range.heads.clone())),
    };
    let read = |sort| Header::read_trimmed(&bytes, &SPACE, None, |_, _| Some(known(sort)));
    let header = read(Sort::Control).expect("header");
    assert_eq!(open(&bytes, &header, None).expect("opened"), ranges);
    assert_eq!(read(Sort::Data).expect_err("refused").kind, Kind::Format);
}

#[test]
fn another_key_nonce_or_header_does_not_open_a_sealed_pack() {
    let (mode, key) = sealed();
    let range = Author::new(7, Sort::Data).events(2);
    let bytes = encode(&SPACE, &mode, &[range], &Packing::default(), &NONCE).expect("packed");
    let header = Header::read(&bytes).expect("header");
    assert_eq!(open(&bytes, &header, None).expect_err("no key").kind, Kind::WaitKey);
    assert_eq!(open(&bytes, &header, Some(&[0; 32])).expect_err("key").kind, Kind::Body);
    for at in 5..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        unpack(&damaged, &key).expect_err("every byte counts");
        assert_ne!(pack_id(&damaged), pack_id(&bytes));
    }
    for len in 0..bytes.len() {
        unpack(&bytes[..len], &key).expect_err("every length counts");
    }
}

#[test]
fn an_open_pack_is_refused_when_cut_padded_or_followed() {
    let range = Author::new(8, Sort::Control).mixed(9);
    let bytes = encode(&SPACE, &Mode::Open, &[range], &Packing::default(), &NONCE).expect("packed");
    let read = |bytes: &[u8]| Header::read(bytes).and_then(|header| open(bytes, &header, None));
    for len in 1..bytes.len() {
        let kind = read(&bytes[..len]).expect_err("cut").kind;
        assert_eq!(kind, Kind::Truncated, "{len}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(read(&longer).expect_err("longer").kind, Kind::Trailing);
    let mut newer = bytes.clone();
    newer[4] = 2;
    assert_eq!(read(&newer).expect_err("newer").kind, Kind::Newer);
    assert_eq!(read(b"PK\x03\x04").expect_err("another file").kind, Kind::Magic);
}

/// With `TUQUAN_SAMPLES=folder`, for `zstd --train --maxdict=16384`; made-up entries only.
#[test]
#[ignore = "writes samples for training the dictionary"]
fn samples_for_the_dictionary_are_written() {
    let Some(folder) = std::env::var_os("TUQUAN_SAMPLES") else {
        return;
    };
    let folder = std::path::PathBuf::from(folder);
    let (mode, _) = sealed();
    for seed in 10_000..13_000_u64 {
        let count = [1, 1, 1, 3, 10, 40][seed as usize % 6];
        let range = Author::new(seed, Sort::Data).at(900).events(count);
        let layout = if seed % 4 == 0 { Layout::Columns } else { Layout::Entries };
        let trim =
            (seed % 5 != 0).then_some(Trim { index: 1, with_link: false, with_epoch: false });
        let packing = Packing { trim, ..packing(layout) };
        let sample = content(&SPACE, &mode, &[range], &packing).expect("content");
        std::fs::write(folder.join(seed.to_string()), sample).expect("written");
    }
}

#[test]
#[ignore = "a report, not a check"]
fn sizes_and_speeds_are_reported() {
    use std::time::Instant;
    let (mode, key) = sealed();
    let counts = [1, 10, 100, 1_000, 4_096].map(|count| [(count, false), (count, true)]);
    for (count, hard) in counts.into_iter().flatten() {
        for level in [3, 9, 19] {
            for layout in [Some(Layout::Entries), Some(Layout::Columns), None] {
                let mut sizes = Vec::new();
                let mut spent = [0.0; 3];
                let rounds = (4_096 / count).min(100);
                for seed in 0..rounds as u64 {
                    let mut author = Author::new(seed, Sort::Data).at(1_000);
                    author.hard = hard;
                    let range = author.events(count);
                    let trim = Trim { index: 3, with_link: false, with_epoch: false };
                    let packing = Packing { level, layout, trim: Some(trim) };
                    let ranges = [range];
                    let start = Instant::now();
                    let bytes = encode(&SPACE, &mode, &ranges, &packing, &NONCE).expect("packed");
                    spent[0] += start.elapsed().as_secs_f64();
                    let range = &ranges[0];
                    let known = Known {
                        device: range.device,
                        nonce: range.nonce,
                        sort: Sort::Data,
                        before: Some((range.link_before, range.heads.clone())),
                    };
                    let epoch = Some(tuquan_core::ids::EpochId([0xe0; 16]));
                    let start = Instant::now();
                    let header = Header::read_trimmed(&bytes, &SPACE, epoch, |_, _| Some(known));
                    let back = open(&bytes, &header.expect("header"), Some(&key)).expect("opened");
                    spent[1] += start.elapsed().as_secs_f64();
                    let start = Instant::now();
                    back[0].verify(&SPACE).expect("verified");
                    spent[2] += start.elapsed().as_secs_f64();
                    sizes.push(bytes.len());
                }
                sizes.sort_unstable();
                let [pack, unpack, verify] =
                    spent.map(|seconds| seconds * 1e6 / (rounds * count) as f64);
                eprintln!(
                    "{count:5} events, hard {hard}, level {level:2} {layout:?}: {:.1} bytes, us: encode {pack:.2} \
                     decode {unpack:.2} verify {verify:.2}",
                    sizes[sizes.len() / 2] as f64 / count as f64,
                );
            }
        }
    }
}
