//! Which packs are covered by others and may go.
//!
//! The hub cannot open packs, so what a header claims to carry is no proof. A pack goes only when
//! devices of other persons said that they opened the covering one whole, a month ago. Must not
//! know: storage, the clock.

use std::collections::{BTreeMap, BTreeSet};

use tuquan_core::ids::{Digest, LogId, PersonId};
use tuquan_core::log::pack::Extent;

use crate::storage::Opened;

/// How long a covered pack is kept after the covering one was opened often enough, in ms.
pub(crate) const KEPT_MS: i64 = 30 * 86_400_000;
/// From so many persons two have to say that they opened a pack, below it one.
const SMALL_TEAM: usize = 4;

/// Returns (pack, the one that covers it), at most one of two that cover each other.
pub(crate) fn covered(
    packs: &[Opened],
    persons: &BTreeSet<PersonId>,
    now_ms: i64,
) -> Vec<(Digest, Digest)> {
    let needed = if persons.len() < SMALL_TEAM { 1 } else { 2 };
    let trusted: Vec<&Opened> =
        packs.iter().filter(|pack| is_trusted(pack, persons, needed, now_ms)).collect();
    let mut by_log: BTreeMap<LogId, Vec<(Extent, usize)>> = BTreeMap::new();
    for (index, pack) in trusted.iter().enumerate() {
        for range in &pack.ranges {
            by_log.entry(range.log).or_default().push((*range, index));
        }
    }
    let (mut found, mut gone) = (Vec::new(), BTreeSet::new());
    for pack in packs {
        let Some(first) = pack.ranges.first() else {
            continue;
        };
        let candidates = by_log.get(&first.log).into_iter().flatten();
        let covering = candidates
            .filter(|(range, _)| is_inside(first, range))
            .map(|(_, index)| trusted[*index])
            .find(|other| {
                let covers = |range| other.ranges.iter().any(|wide| is_inside(range, wide));
                other.id != pack.id && !gone.contains(&other.id) && pack.ranges.iter().all(covers)
            });
        if let Some(covering) = covering {
            gone.insert(pack.id);
            found.push((pack.id, covering.id));
        }
    }
    found
}

/// Tells whether enough other persons opened the pack, long enough ago.
fn is_trusted(pack: &Opened, persons: &BTreeSet<PersonId>, needed: usize, now_ms: i64) -> bool {
    let is_old = |at_ms: i64| at_ms <= now_ms.saturating_sub(KEPT_MS);
    let counts = |(person, at_ms): &&(PersonId, i64)| {
        Some(*person) != pack.bearer && persons.contains(person) && is_old(*at_ms)
    };
    pack.by.iter().filter(counts).count() >= needed
}

fn is_inside(narrow: &Extent, wide: &Extent) -> bool {
    let end = |range: &Extent| range.first.saturating_add(range.count);
    narrow.log == wide.log && narrow.first >= wide.first && end(narrow) <= end(wide)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONTH_LATER: i64 = KEPT_MS + 10;

    fn person(number: u8) -> PersonId {
        PersonId([number; 16])
    }

    fn team(count: u8) -> BTreeSet<PersonId> {
        (1..=count).map(person).collect()
    }

    fn pack(id: u8, bearer: u8, ranges: &[(u8, u64, u64)], by: &[(u8, i64)]) -> Opened {
        let extent = |(log, first, count): &(u8, u64, u64)| Extent {
            log: LogId([*log; 16]),
            first: *first,
            count: *count,
        };
        Opened {
            id: Digest([id; 32]),
            bearer: Some(person(bearer)),
            ranges: ranges.iter().map(extent).collect(),
            by: by.iter().map(|(by, at_ms)| (person(*by), *at_ms)).collect(),
        }
    }

    fn ids(packs: &[Opened], persons: u8, now_ms: i64) -> Vec<u8> {
        let found = covered(packs, &team(persons), now_ms);
        found.iter().map(|(id, _)| id.0[0]).collect()
    }

    #[test]
    fn a_covered_pack_goes_a_month_after_two_other_persons_opened_the_covering_one() {
        let small = pack(1, 2, &[(1, 5, 5)], &[]);
        let both = |first, second| {
            vec![small.clone(), pack(2, 1, &[(1, 0, 10)], &[(2, first), (3, second)])]
        };
        assert_eq!(ids(&both(10, 10), 5, MONTH_LATER), [1]);
        assert!(ids(&both(10, 11), 5, MONTH_LATER).is_empty(), "the second person said it later");
    }

    #[test]
    fn a_claim_of_the_bearer_or_of_one_person_destroys_nothing() {
        let small = pack(1, 2, &[(1, 5, 5)], &[]);
        for by in [&[(1, 0)][..], &[(2, 0)], &[(1, 0), (2, 0)], &[(2, 0), (9, 0)]] {
            let packs = [small.clone(), pack(2, 1, &[(1, 0, 10)], by)];
            assert!(ids(&packs, 5, MONTH_LATER).is_empty(), "{by:?}");
        }
    }

    #[test]
    fn in_a_small_team_one_other_person_is_enough_and_the_bearer_is_not() {
        let small = pack(1, 2, &[(1, 5, 5)], &[]);
        let packs = [small.clone(), pack(2, 1, &[(1, 0, 10)], &[(2, 0)])];
        assert_eq!(ids(&packs, 3, MONTH_LATER), [1]);
        let packs = [small, pack(2, 1, &[(1, 0, 10)], &[(1, 0)])];
        assert!(ids(&packs, 3, MONTH_LATER).is_empty());
    }

    #[test]
    fn every_range_has_to_be_inside_one_and_the_same_pack() {
        let wide = pack(2, 1, &[(1, 0, 10)], &[(2, 0), (3, 0)]);
        let other = pack(3, 1, &[(2, 0, 10)], &[(2, 0), (3, 0)]);
        let two_logs = pack(1, 2, &[(1, 5, 5), (2, 5, 5)], &[]);
        assert!(ids(&[two_logs, wide.clone(), other], 5, MONTH_LATER).is_empty());
        let over = pack(1, 2, &[(1, 5, 6)], &[]);
        assert!(ids(&[over, wide], 5, MONTH_LATER).is_empty());
    }

    #[test]
    fn of_packs_that_cover_each_other_one_stays() {
        let same = |id| pack(id, 1, &[(1, 0, 10)], &[(2, 0), (3, 0)]);
        assert_eq!(ids(&[same(1), same(2), same(3)], 5, MONTH_LATER), [1, 2]);
    }
}
