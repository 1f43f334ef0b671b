//! T-AUTH: who is a member, whatever the order of arrival; the golden scenarios of the quality page
//! on the rules alone, and random histories against a slow reference of its own.

mod pen;
mod reference;

use pen::{Team, key, person};
use proptest::prelude::*;
use tuquan_core::error::Kind;
use tuquan_core::ids::Link;
use tuquan_core::team::control::{Act, Rights};
use tuquan_core::team::history::Verdict;
use tuquan_core::team::members::{ControlEntry, Members};
use tuquan_core::team::removal::Revoke;

/// Evaluates in many orders, and by the reference; all must agree.
fn members(team: &Team) -> Members {
    let expected = in_many_orders(team);
    let reference = reference::evaluate(&team.space(), &team.entries);
    assert_eq!(reference::seen(&expected), reference);
    expected
}

/// Evaluates in many orders; all must agree.
fn in_many_orders(team: &Team) -> Members {
    let expected = Members::of(&team.space(), &team.entries);
    let mut entries = team.entries.clone();
    for turn in 0..entries.len() {
        entries.rotate_left(1);
        if turn % 2 == 0 {
            entries.reverse();
        }
        assert_eq!(Members::of(&team.space(), &entries), expected);
    }
    expected
}

/// F, admins A and B of rank 1, members C and D; all know that.
fn team() -> (Team, [usize; 5]) {
    let mut team = Team::founded();
    let f = 0;
    team.grant(f, 1, Rights::Admin, 1);
    team.grant(f, 2, Rights::Admin, 1);
    team.grant(f, 3, Rights::Writer, 0);
    team.grant(f, 4, Rights::Writer, 0);
    for device in 0..5 {
        team.hear_all(device);
    }
    (team, [0, 1, 2, 3, 4])
}

fn is_member(members: &Members, device: usize) -> bool {
    members.devices.contains_key(&key(device))
}

fn verdict(members: &Members, device: usize, seq: u64) -> Verdict {
    let log = pen::data_log(device);
    let pieces = members.standing(&key(device), &log, None).expect("known");
    let piece = pieces.iter().rev().find(|piece| piece.first <= seq).expect("from the start");
    piece.verdict.clone()
}

fn is_accepted(members: &Members, device: usize, seq: u64) -> bool {
    matches!(verdict(members, device, seq), Verdict::Accepted(_))
}

#[test]
fn g1_what_is_past_the_cut_is_quarantined_and_an_extension_accepts_it() {
    let (mut team, [_, a, _, c, _]) = team();
    let removal = team.revoke(a, c, 40);
    let now = members(&team);
    assert!(!is_member(&now, c) && is_accepted(&now, c, 40) && !is_accepted(&now, c, 41));
    assert_eq!(verdict(&now, c, 41), Verdict::Quarantined(vec![removal]));
    team.extend(a, removal, c, 43);
    let now = members(&team);
    assert!(is_accepted(&now, c, 43) && !is_accepted(&now, c, 44) && !is_member(&now, c));
}

#[test]
fn g2_only_who_could_not_know_of_the_removal_is_unaware_of_it() {
    let (mut team, [_, a, _, c, d]) = team();
    let before = team.heads(d);
    let removal = team.revoke(a, c, 40);
    team.hear_all(d);
    let now = members(&team);
    assert!(now.is_unaware(&before, &[removal]));
    assert!(!now.is_unaware(&team.heads(d), &[removal]));
}

#[test]
fn acts_of_two_histories_are_concurrent_and_who_knows_both_acts_no_more() {
    let (mut team, [_, a, _, c, d]) = team();
    let (heads, of) = (team.heads(a), [c, d].map(|device| team.granted(a, device)));
    let revoke =
        |device: usize, grant| Act::Revoke(Revoke { device: key(device), grant, cuts: Vec::new() });
    let one = team.grant(a, 5, Rights::Writer, 0);
    let (seq, before) = team.place(one);
    let grant = Act::Grant(pen::grant(6, Rights::Writer, 0));
    let two = team.push_behind(a, (seq, before), heads, grant);
    // Behind one history it cites the other; behind the other it goes on without knowing.
    let aware = team.push_behind(a, (seq + 1, one), vec![two], revoke(c, of[0]));
    let unaware = team.push_behind(a, (seq + 1, two), vec![two], revoke(d, of[1]));
    let expected = in_many_orders(&team);
    assert!(is_member(&expected, 5) && is_member(&expected, 6));
    assert_eq!(expected.void.get(&aware), Some(&Kind::Fork));
    assert!(is_member(&expected, c) && !is_member(&expected, d));
    assert!(!expected.void.contains_key(&unaware));
    let ends: Vec<Link> =
        { expected.heads.iter().copied() }.filter(|link| [aware, unaware].contains(link)).collect();
    assert_eq!(ends.len(), 2, "whoever acts next knows both ends");
}

#[test]
fn g3_equals_cannot_remove_each_other() {
    let (mut team, [f, a, b, ..]) = team();
    let (one, two) = (team.revoke(a, b, 0), team.revoke(b, a, 0));
    let now = members(&team);
    assert!(is_member(&now, a) && is_member(&now, b));
    assert_eq!([now.void[&one], now.void[&two]], [Kind::Role; 2]);
    team.hear_all(f);
    team.revoke(f, b, 0);
    let now = members(&team);
    assert!(is_member(&now, a) && !is_member(&now, b));
}

#[test]
fn g4_a_grant_concurrent_with_the_demotion_of_its_author_is_void() {
    let (mut team, [f, _, b, ..]) = team();
    team.set_role(f, b, Rights::Writer, 0);
    let grant = team.grant(b, 5, Rights::Writer, 0);
    let now = members(&team);
    assert!(!is_member(&now, 5));
    assert_eq!(now.void[&grant], Kind::AfterRemoval);
    // What it wrote meanwhile is known, kept apart, and nobody brings it back.
    assert_eq!(verdict(&now, 5, 0), Verdict::Quarantined(Vec::new()));
    assert_eq!(now.devices[&key(b)].rights, Rights::Writer);
}

#[test]
fn g5_a_worse_rank_cannot_remove_a_better() {
    let (mut team, [f, a, ..]) = team();
    team.revoke(f, a, 0);
    let void = team.revoke(a, f, 0);
    let now = members(&team);
    assert!(is_member(&now, f) && !is_member(&now, a));
    assert_eq!(now.void[&void], Kind::AfterRemoval);
}

#[test]
fn g6_removal_wins_over_a_promotion_at_the_same_time() {
    let (mut team, [_, a, b, c, _]) = team();
    team.revoke(a, c, 10);
    team.set_role(b, c, Rights::Admin, 1);
    let now = members(&team);
    assert!(!is_member(&now, c) && is_accepted(&now, c, 10) && !is_accepted(&now, c, 11));
}

#[test]
fn g7_of_two_removals_the_higher_cut_counts_and_either_strikes_acts() {
    let (mut team, [_, a, b, c, _]) = team();
    team.set_role(0, c, Rights::Admin, 2);
    for device in [a, b, c] {
        team.hear_all(device);
    }
    team.revoke(a, c, 40);
    team.revoke(b, c, 50);
    let grant = team.grant(c, 5, Rights::Writer, 0);
    let now = members(&team);
    assert!(is_accepted(&now, c, 50) && !is_accepted(&now, c, 51));
    assert_eq!((is_member(&now, 5), now.void[&grant]), (false, Kind::AfterRemoval));
}

#[test]
fn g8_a_grant_that_does_not_know_every_removal_has_no_effect() {
    let (mut team, [_, a, b, c, _]) = team();
    team.revoke(a, c, 10);
    team.revoke(b, c, 10);
    team.grant(b, c, Rights::Writer, 0);
    assert!(!is_member(&members(&team), c));
    team.hear_all(b);
    team.grant(b, c, Rights::Writer, 0);
    assert!(is_member(&members(&team), c));
}

#[test]
fn an_entry_that_cites_what_is_not_here_is_held_and_what_follows_it() {
    let (mut team, [f, a, _, c, _]) = team();
    let before = members(&team);
    team.revoke(a, c, 10);
    team.hear_all(f);
    team.grant(f, 5, Rights::Writer, 0);
    let whole = team.entries.clone();
    team.entries.retain(|entry| entry.device != key(a));
    let now = members(&team);
    assert!(is_member(&now, c) && !is_member(&now, 5));
    assert_eq!(now.heads, before.heads);
    team.entries = whole;
    let now = members(&team);
    assert!(!is_member(&now, c) && is_member(&now, 5));
}

#[test]
fn one_invitation_lets_one_key_in() {
    let (mut team, [_, a, b, ..]) = team();
    team.grant_by_invitation(b, 6, [9; 16]);
    team.grant_by_invitation(a, 5, [9; 16]);
    let now = members(&team);
    assert_ne!(is_member(&now, 5), is_member(&now, 6));
    assert_eq!(now.void.values().copied().collect::<Vec<_>>(), [Kind::Invite]);
}

#[test]
fn a_second_device_of_a_person_is_a_device_of_its_own() {
    let (mut team, [f, .., d]) = team();
    team.grant_as(f, 5, person(d));
    team.revoke(f, d, 3);
    let now = members(&team);
    assert!(is_member(&now, 5) && !is_member(&now, d));
    assert_eq!(now.devices[&key(5)].person, now.removed[&key(d)].member.person);
}

#[test]
fn a_self_removal_holds_from_its_entry_on_and_voids_nothing() {
    let (mut team, [_, a, ..]) = team();
    let grant = team.grant(a, 5, Rights::Writer, 0);
    team.revoke(a, a, 7);
    let after = team.grant(a, 6, Rights::Writer, 0);
    let now = members(&team);
    assert!(is_member(&now, 5) && !is_member(&now, a) && !is_member(&now, 6));
    assert_eq!((now.void.get(&grant), now.void[&after]), (None, Kind::Role));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn random_histories_agree_with_the_reference_in_every_order(
        steps in prop::collection::vec((0..7_usize, 0..7_usize, 0..10_u8, 0..4_u64, any::<u8>()), 1..40),
        shuffled in any::<u64>(),
    ) {
        let mut team = Team::founded();
        for (author, target, what, number, hears) in steps {
            team.step(author, target, what, number, hears);
        }
        let expected = Members::of(&team.space(), &team.entries);
        prop_assert_eq!(reference::seen(&expected), reference::evaluate(&team.space(), &team.entries));
        let mut entries = team.entries.clone();
        shuffle(&mut entries, shuffled);
        prop_assert_eq!(&Members::of(&team.space(), &entries), &expected);
        // Whatever comes first, the rest brings to the same; nothing of a part is kept.
        entries.truncate(entries.len() / 2);
        let part = Members::of(&team.space(), &entries);
        prop_assert_eq!(reference::seen(&part), reference::evaluate(&team.space(), &entries));
    }
}

fn shuffle(entries: &mut [ControlEntry], mut seed: u64) {
    for at in (1..entries.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        entries.swap(at, (seed >> 33) as usize % (at + 1));
    }
}
