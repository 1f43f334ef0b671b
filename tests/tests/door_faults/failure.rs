//! The n-th input or output fails, for every n until the script passes.

use std::sync::atomic::{AtomicUsize, Ordering};

use rand_core::Rng as _;
use tuquan_core::error::{Kind, Result};
use tuquan_tests::phone::{incident, request};
use tuquan_tests::team::vector;
use tuquan_tests::vfs::{Fault, Permanence};

use super::script::{Base, Found, Phone};

/// Opens and does nine things; a failure ends nothing, as an app would go on.
fn script(phone: &mut Phone<'_>, place: &str) -> Vec<Kind> {
    let mut kinds = Vec::new();
    let mut note = |outcome: Result<()>| {
        if let Err(error) = outcome {
            kinds.push(error.kind);
        }
    };
    match phone.open() {
        Err(error) => note(Err(error)),
        Ok(store) => {
            for _ in 0..9 {
                note(phone.step(&store));
            }
            // The storage works again: the same open store must be whole, without a restart.
            phone.disk.heal();
            match store.apply(request(phone.rng.next_u64()), &incident("Sau khi hỏng")) {
                Ok(applied) => {
                    let entry = applied.entry.expect("written");
                    assert!(entry.seq >= phone.own_next, "{place}: a sequence number twice");
                    phone.own_next = entry.seq + 1;
                }
                Err(error) => panic!("{place}: still {error} after the storage was mended"),
            }
        }
    }
    kinds
}

/// Plays one script again and again, and fails its first call, its second, and so on, until it
/// passes because it makes no further one; returns how many calls failed.
fn fail_every_call(base: &Base, fault: Fault, permanence: Permanence) -> u64 {
    for n in 1.. {
        let place = format!("{fault:?}, {permanence:?}, call {n}");
        let mut phone = base.phone(fault as u64 * 2 + permanence as u64);
        phone.disk.fail_nth(n, fault, permanence);
        let kinds = script(&mut phone, &place);
        let has_struck = phone.disk.stats().faults > base.disk.stats().faults;
        phone.disk.heal();
        if n % 2 == 0 {
            phone.disk.kill();
        } else {
            phone.disk.cut(n);
        }
        let expected = [Kind::Io, Kind::Full, Kind::DbPage, Kind::NotFound, Kind::Busy];
        assert!(kinds.iter().all(|kind| expected.contains(kind)), "{place}: {kinds:?}");
        let store = phone.open().unwrap_or_else(|error| panic!("{place}: {error}"));
        match phone.examine(&store, &place) {
            Found::Whole => {}
            Found::Lost => panic!("{place}: an acknowledged entry is gone"),
        }
        if !has_struck {
            assert_eq!(kinds, [], "{place}");
            return n - 1;
        }
    }
    unreachable!("the script has an end");
}

#[test]
fn every_failure_is_a_typed_error_and_nothing_acknowledged_is_lost() {
    // Those with the most calls first, so that no lane is left with a long one at the end.
    let all = Fault::ALL.iter().rev();
    let jobs: Vec<(Fault, Permanence)> = all
        .flat_map(|fault| [(*fault, Permanence::Transient), (*fault, Permanence::Permanent)])
        .collect();
    let next = AtomicUsize::new(0);
    let lanes = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(|| {
                let base = Base::new();
                while let Some((fault, permanence)) = jobs.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let calls = fail_every_call(&base, *fault, *permanence);
                    assert!(calls > 0, "{fault:?} never came up");
                }
            });
        }
    });
}

#[test]
fn a_full_disk_says_full_and_nothing_was_saved() {
    let base = Base::new();
    let mut full = 0;
    for n in 1..40 {
        let mut phone = base.phone(n);
        let store = phone.open().expect("opened");
        phone.step(&store).expect("a step");
        let before = vector(&store).expect("vector");
        let (tap, hash) = (request(n), store.view_hash().expect("hash"));
        phone.disk.fail_nth(1 + n % 9, Fault::Full, Permanence::Permanent);
        let outcome = store.apply(tap, &incident("Đầy bộ nhớ"));
        phone.disk.heal();
        let Err(error) = outcome else { continue };
        assert_eq!(error.kind, Kind::Full);
        full += 1;
        assert_eq!(vector(&store).expect("vector"), before);
        assert_eq!(store.view_hash().expect("hash"), hash);
        let again = store.apply(tap, &incident("Đầy bộ nhớ")).expect("saved now");
        assert!(store.get(&again.record).expect("read").is_some());
    }
    assert!(full > 10, "only {full}");
}
