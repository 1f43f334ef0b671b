//! What a session costs on the wire and in time.

use crate::device::{Device, sync};

/// The median of pack frames, per entry, after `count` entries were written.
fn bytes_per_entry(a: &mut Device, b: &mut Device, count: usize, rounds: usize) -> usize {
    let mut found: Vec<usize> = (0..rounds)
        .map(|_| {
            a.write_many(count);
            let pumped = sync(a, b);
            let packs = pumped.of_type(4);
            packs.iter().map(|frame| frame.len()).sum::<usize>() / count
        })
        .collect();
    found.sort_unstable();
    found[found.len() / 2]
}

#[test]
fn few_bytes_carry_one_a_hundred_and_a_thousand_incidents() {
    let mut a = Device::founder(200);
    let mut b = Device::member(201, &mut a, true);
    a.write();
    b.write();
    sync(&mut a, &mut b);
    let figures = [(1, 101, 250), (100, 5, 60), (1_000, 3, 45)].map(|(count, rounds, target)| {
        (count, bytes_per_entry(&mut a, &mut b, count, rounds), target)
    });
    for (count, bytes, target) in figures {
        eprintln!("{count} incidents: {bytes} bytes each, target {target}");
    }
    assert_eq!(a.hash(), b.hash());
    for (count, bytes, target) in figures {
        assert!(bytes <= target, "{count}: {bytes}");
    }
}

#[test]
fn ten_thousand_entries_each_way_take_few_frames() {
    let mut a = Device::founder(210);
    let mut b = Device::member(211, &mut a, true);
    a.write_many(10_500);
    b.write_many(10_500);
    let pumped = sync(&mut a, &mut b);
    let (making, taking) = pumped.spent;
    let frames = (pumped.frames.0.len(), pumped.frames.1.len());
    eprintln!(
        "10,500 each way in one thread: {making:?} to make, {taking:?} to take in, {:?} bytes",
        pumped.bytes()
    );
    assert_eq!(a.hash(), b.hash());
    assert!(frames.0 < 16 && frames.1 < 16, "{frames:?}");
}
