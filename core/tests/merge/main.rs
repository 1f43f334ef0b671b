//! Fold, document and a slow reference agree on histories of every merge rule.

#![allow(clippy::unwrap_used)]

mod cost;
mod reference;
mod text;
mod toy;

use proptest::prelude::*;
use reference::Reference;
use toy::{Act, LIFE, Team, acts, item, op, ops, step, toy};
use tuquan_core::codec::Value;
use tuquan_core::error::Kind;
use tuquan_core::log::item::{Op, Place};
use tuquan_core::record::bounds::{
    BRANCHES_MAX, ITEMS_MAX, OPS_BYTES_MAX, Size, TEXT_INSERTED_MAX,
};
use tuquan_core::record::document::{Document, Merged, merge};
use tuquan_core::record::graph::{Graph, GraphItem};
use tuquan_core::record::state::State;

/// Folds an item; one that does not fit has no effect.
fn fold(state: &mut State, item: &GraphItem) {
    let mut next = state.clone();
    if next.fold(toy(), item.ops.iter().cloned(), item.place, item.hlc).is_ok() {
        *state = next;
    }
}

/// Some order of the items, chosen by `keys`.
fn shuffled(items: &[GraphItem], keys: &[u64]) -> Vec<GraphItem> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|at| (keys.get(at % keys.len().max(1)), toy::digest(*at as u64).0));
    order.into_iter().map(|at| items[at].clone()).collect()
}

fn merged(items: &[GraphItem]) -> Merged {
    merge(toy(), items.to_vec()).unwrap()
}

fn keys() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(any::<u64>(), 41)
}

/// Folds a line of items as a phone does: what is over a bound and all behind it is left out.
fn fold_within(items: &[GraphItem]) -> (State, Size) {
    let (mut state, mut size) = (State::default(), Size::default());
    for (nth, item) in items.iter().enumerate() {
        if nth >= ITEMS_MAX || !size.take(&item.ops) {
            break;
        }
        fold(&mut state, item);
    }
    (state, size)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_line_that_grows_over_a_bound_folds_to_what_the_merge_says(
        long in 30_000..60_000_usize,
        of_text in any::<bool>(),
        keys in keys(),
    ) {
        let bound = if of_text { TEXT_INSERTED_MAX } else { OPS_BYTES_MAX };
        let mut line = cost::chain(0, bound / long + 3, None);
        line[0].ops.push(Op::Text(23));
        for item in &mut line[1..] {
            let text = "x".repeat(long);
            item.ops.push(match of_text {
                true => Op::Splice(23, 0, long as u64 / 2, text),
                false => Op::Set(99, Value::Text(text)),
            });
        }
        let (state, size) = fold_within(&line);
        let merged = merged(&shuffled(&line, &keys));
        prop_assert!(merged.flagged.len() >= 2);
        prop_assert_eq!(merged.state, state);
        prop_assert_eq!(merged.size, size);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_linear_history_folds_to_what_the_document_says(
        writes in prop::collection::vec((0..4_usize, 0..40_u64, ops()), 1..30),
        texts in prop::collection::vec(text::edit(), 1..10),
    ) {
        let mut team = Team::default();
        let mut state = State::default();
        let texts = texts.into_iter().map(|op| (1, 20, vec![op]));
        for (nth, (who, hlc, ops)) in writes.into_iter().chain(texts).enumerate() {
            if nth > 0 {
                let last = team.items[nth - 1].place.log;
                let last = (0..4).find(|from| toy::log(*from) == last).unwrap();
                team.hear(who, last);
            }
            team.write(who, hlc, ops);
            fold(&mut state, &team.items[nth]);
        }
        let merged = merged(&team.items);
        prop_assert_eq!(&merged.state, &state);
        prop_assert_eq!(merged.heads.len(), 1);
        state.texts.clear();
        prop_assert_eq!(Reference::new(toy(), &team.items).state(), state);
    }

    #[test]
    fn concurrent_histories_merge_as_the_reference_says_in_any_order(
        first in ops(),
        acts in acts(60, ops().boxed()),
        keys in keys(),
    ) {
        let team = Team::play(4, first, acts);
        let document = Document::new(toy(), Graph::new(team.items.clone())).unwrap();
        let state = document.state(toy()).unwrap();
        prop_assert_eq!(&state, &Reference::new(toy(), &team.items).state());
        let other = Graph::new(shuffled(&team.items, &keys));
        let other = Document::new(toy(), other).unwrap();
        prop_assert_eq!(document.hashes(), other.hashes());
        prop_assert_eq!(other.state(toy()).unwrap(), state);
    }

    #[test]
    fn a_merged_state_folds_on(
        first in ops(),
        acts in acts(30, prop_oneof![3 => ops(), 1 => text::edit().prop_map(|op| vec![op])].boxed()),
        next in prop::collection::vec(prop_oneof![3 => op(), 1 => text::edit()], 0..8),
    ) {
        let mut team = Team::play(4, first, acts);
        let mut state = merged(&team.items).state;
        for replica in 1..4 {
            team.hear(0, replica);
        }
        for nth in 0..2 {
            team.write(0, 45 + nth, next.clone());
            fold(&mut state, team.items.last().unwrap());
            prop_assert_eq!(&merged(&team.items).state, &state);
        }
    }

    #[test]
    fn three_phones_converge_on_a_state_and_a_settling_transition_settles(
        acts in acts(30, (1..=10_i64).prop_map(|to| vec![step(to)]).boxed()),
        settle in 1..=10_i64,
        keys in keys(),
    ) {
        let mut team = Team::play(3, vec![], acts);
        let field = toy().field(21).unwrap();
        let state = merged(&team.items).state;
        prop_assert_eq!(&merged(&shuffled(&team.items, &keys)).state, &state);
        let tips = state.tips.get(&21).cloned().unwrap_or_default();
        let shown = LIFE.most_cautious(tips.into_values());
        prop_assert_eq!(state.shown(field), Some(Value::Int(shown)));
        team.hear(0, 1);
        team.hear(0, 2);
        team.write(0, 0, vec![step(settle)]);
        let state = merged(&shuffled(&team.items, &keys)).state;
        prop_assert_eq!(state.shown(field), Some(Value::Int(settle)));
        prop_assert_eq!(state.rivals(field), 1);
    }
}

/// Two phones do something each after a first item.
fn side_by_side(first: Vec<Op>, one: Vec<Op>, other: Vec<Op>) -> State {
    let acts = vec![Act::Write(0, 60, one), Act::Write(1, 70, other)];
    merged(&Team::play(2, first, acts).items).state
}

#[test]
fn the_more_cautious_of_two_states_is_shown() {
    let field = toy().field(21).unwrap();
    for (one, other, shown) in [(7, 8, 8), (6, 5, 5), (6, 3, 3), (10, 9, 9), (1, 7, 1), (2, 4, 4)] {
        let state = side_by_side(vec![step(6)], vec![step(one)], vec![step(other)]);
        assert_eq!(state.shown(field), Some(Value::Int(shown)));
        assert_eq!(state.rivals(field), 2);
    }
}

#[test]
fn an_add_wins_over_a_concurrent_remove_even_of_the_same_element() {
    let add = || vec![Op::Add(20, Value::Int(1))];
    let key = tuquan_core::log::item::set_key(&Value::Int(1));
    let state = side_by_side(add(), add(), vec![Op::Remove(20, key)]);
    assert!(state.elements.contains_key(&(20, key)));
}

#[test]
fn of_equal_values_a_set_once_field_keeps_the_first() {
    let set = |value| vec![Op::Set(16, Value::Int(value))];
    let acts =
        vec![Act::Write(0, 10, set(1)), Act::Write(1, 20, set(2)), Act::Write(2, 30, set(1))];
    let state = merged(&Team::play(3, vec![], acts).items).state;
    let field = toy().field(16).unwrap();
    assert_eq!(state.shown(field), Some(Value::Int(1)));
    assert_eq!(state.registers[&16].len(), 2);
}

#[test]
fn bytes_and_lists_of_a_newer_field_stay_apart() {
    // Field 99 is not declared: only the hashes can tell.
    let hash = |value| {
        let items = vec![item(0, 0, 1, &[], vec![Op::Set(99, value)])];
        let document = Document::new(toy(), Graph::new(items)).unwrap();
        document.hashes()[0].1
    };
    assert_ne!(hash(Value::Bytes(vec![0x80])), hash(Value::List(vec![])));
}

#[test]
fn an_item_that_does_not_cover_its_authors_earlier_one_says_nothing_and_the_rest_goes_on() {
    let set = |value| vec![Op::Set(18, Value::Int(value))];
    let first = item(0, 0, 1, &[], set(0));
    let second = item(1, 1, 2, &[first.place], set(1));
    let stray = item(1, 2, 3, &[first.place], set(2));
    let behind = item(2, 3, 4, &[stray.place], vec![Op::Count(24, 1)]);
    let back = item(1, 4, 5, &[second.place, behind.place], set(1));
    let merged = merged(&[back.clone(), stray.clone(), behind, second, first]);
    assert_eq!(merged.damaged.len(), 1);
    assert_eq!(merged.damaged[0].0, stray.place);
    assert_eq!(merged.damaged[0].1.kind, Kind::Format);
    assert_eq!(merged.heads, [(back.place, back.digest)]);
    assert_eq!(merged.state.registers[&18].len(), 1);
    assert_eq!(merged.state.registers[&18][0].value, Value::Int(1));
    assert_eq!(merged.state.counts[&(24, toy::log(2))], 1);
}

#[test]
fn an_item_behind_a_stray_one_must_cover_the_sound_one_too() {
    let first = item(0, 0, 1, &[], vec![]);
    let second = item(1, 1, 2, &[first.place], vec![]);
    let stray = item(1, 2, 3, &[first.place], vec![]);
    let third = item(1, 3, 4, &[stray.place], vec![]);
    let items = [first, second, stray, third];
    let places: Vec<Place> = merged(&items).damaged.iter().map(|(at, _)| *at).collect();
    assert_eq!(places, [items[2].place, items[3].place]);
}

#[test]
fn a_cycle_or_a_missing_item_flags_what_depends_on_it_and_does_not_hang() {
    let root = item(0, 0, 1, &[], vec![]);
    let mut a = item(1, 1, 2, &[], vec![]);
    let b = item(2, 2, 3, &[a.place, root.place], vec![]);
    a.deps.push(b.place);
    let missing = item(3, 9, 1, &[], vec![]);
    let late = item(0, 3, 4, &[missing.place, root.place], vec![]);
    let merged = merged(&[late, b, a, root.clone()]);
    assert_eq!(merged.flagged.len(), 3);
    assert_eq!(merged.heads, [(root.place, root.digest)]);
}

#[test]
fn items_and_branches_beyond_the_bounds_are_flagged() {
    let chain = cost::chain(0, ITEMS_MAX + 5, None);
    let graph = Graph::new(chain);
    assert_eq!((graph.nodes().len(), graph.flagged().len()), (ITEMS_MAX, 5));
    let burst = Graph::new(cost::burst(BRANCHES_MAX * 2));
    assert_eq!(burst.heads().len(), BRANCHES_MAX);
    assert_eq!(burst.flagged().len(), BRANCHES_MAX);
}

#[test]
fn bytes_beyond_the_bound_are_flagged_with_what_depends_on_them() {
    let long = || vec![Op::Set(99, Value::Text("x".repeat(60 << 10)))];
    let mut chain = cost::chain(0, 150, None);
    for item in &mut chain {
        item.ops = long();
    }
    let graph = Graph::new(chain);
    assert_eq!(graph.nodes().len(), (8 << 20) / ((60 << 10) + 9));
    assert_eq!(graph.nodes().len() + graph.flagged().len(), 150);
}
