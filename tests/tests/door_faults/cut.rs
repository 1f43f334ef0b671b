//! Power cuts under the door: 300 unless `TUQUAN_DOOR_CUTS` says otherwise.

use tuquan_core::store::open::Durability;
use tuquan_tests::vfs::CutMode;

use rand_core::Rng as _;

use super::script::{Base, Found};

const CUTS_PER_DISK: u64 = 10;

/// Cuts one phone ten times at random calls and goes on with what is left; counts the losses.
fn live_through_ten_cuts(base: &Base, seed: u64, durability: Durability) -> u64 {
    let mut phone = base.phone(seed);
    phone.durability = durability;
    let mode = [CutMode::Ordered, CutMode::Reordered, CutMode::Noise][seed as usize % 3];
    let mut losses = 0;
    for life in 0..CUTS_PER_DISK {
        let place = format!("seed {seed}, life {life}");
        let (call, cut_seed) = (1 + phone.rng.next_u64() % 260, phone.rng.next_u64());
        phone.disk.cut_at(call, cut_seed, mode);
        let store = phone.open();
        if let Ok(store) = &store {
            for _ in 0..24 {
                if phone.step(store).is_err() {
                    break;
                }
            }
        }
        let struck = phone.disk.reopen().is_some();
        if !struck {
            phone.disk.cut_with(cut_seed, mode);
        }
        drop(store);
        let store = phone.open().unwrap_or_else(|error| panic!("{place}: {error}"));
        match phone.examine(&store, &place) {
            Found::Whole => {}
            Found::Lost if durability == Durability::Full => {
                panic!("{place}: an acknowledged entry is gone")
            }
            Found::Lost => {
                losses += 1;
                return losses;
            }
        }
        if life + 1 == CUTS_PER_DISK && seed.is_multiple_of(5) {
            phone.compare_with_a_newcomer(&store);
        }
    }
    losses
}

#[test]
fn three_hundred_cuts_lose_nothing_that_was_acknowledged() {
    let wanted = std::env::var("TUQUAN_DOOR_CUTS").ok().and_then(|cuts| cuts.parse().ok());
    let disks = wanted.unwrap_or(300_u64).div_ceil(CUTS_PER_DISK);
    std::thread::scope(|scope| {
        for lane in 0..2 {
            scope.spawn(move || {
                let base = Base::new();
                for seed in (lane..disks).step_by(2) {
                    live_through_ten_cuts(&base, seed, Durability::Full);
                }
            });
        }
    });
}

/// The control: when commits do not wait for the disk, the same script must show the loss.
#[test]
fn without_a_sync_at_each_commit_the_same_cuts_lose_entries() {
    let base = Base::new();
    let losses: u64 =
        (0..12).map(|seed| live_through_ten_cuts(&base, seed, Durability::Normal)).sum();
    assert!(losses > 3, "only {losses} losses: the cuts do not bite");
}
