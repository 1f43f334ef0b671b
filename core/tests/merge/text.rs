//! Texts: every character that was typed and not deleted is there, in the order people saw.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tuquan_core::log::item::{Op, Place};
use tuquan_core::record::document::merge;
use tuquan_core::record::graph::GraphItem;

use crate::reference::Reference;
use crate::toy::{Act, Team, toy};

/// Some edit of a text, sometimes out of range, seldom a new text.
pub(crate) fn edit() -> impl Strategy<Value = Op> {
    let splice = (0..8_u64, 0..3_u64, "[a-dđế]{0,3}");
    prop_oneof![
        1 => Just(Op::Text(23)),
        6 => splice.prop_map(|(at, delete, text)| Op::Splice(23, at, delete, text)),
    ]
}

/// Gives every typed character a letter of its own, so that it can be followed.
fn told_apart(acts: Vec<Act>) -> Vec<Act> {
    let mut letters = ('\u{4e00}'..).take(4_000);
    let mut apart = |op| match op {
        Op::Splice(field, at, delete, text) => {
            let text = text.chars().filter_map(|_| letters.next()).collect();
            Op::Splice(field, at, delete, text)
        }
        // One text is enough here.
        Op::Text(_) => Op::Count(24, 1),
        other => other,
    };
    acts.into_iter()
        .map(|act| match act {
            Act::Write(who, hlc, ops) => {
                Act::Write(who, hlc, ops.into_iter().map(&mut apart).collect())
            }
            hear @ Act::Hear(..) => hear,
        })
        .collect()
}

fn text_of(items: Vec<GraphItem>) -> String {
    merge(toy(), items).unwrap().state.texts[&23][0].clone()
}

/// Returns what an item's edits make of the text at its deps.
fn edited(before: &str, ops: &[Op]) -> String {
    let mut text = before.to_owned();
    for op in ops {
        if let Op::Splice(_, at, delete, insert) = op {
            tuquan_core::record::state::splice(&mut text, *at, *delete, insert);
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn concurrent_edits_of_a_text_keep_all_that_was_typed_in_the_order_people_saw(
        acts in crate::toy::acts(30, prop::collection::vec(edit(), 0..3).boxed()),
    ) {
        let team = Team::play(4, vec![Op::Text(23)], told_apart(acts));
        let reference = Reference::new(toy(), &team.items);
        let mut typed = BTreeSet::new();
        let mut deleted = BTreeSet::new();
        let mut seen: BTreeMap<Place, String> = BTreeMap::new();
        for item in &team.items[1..] {
            let past = reference.before(&item.place);
            let past = team.items.iter().filter(|item| past.contains(&item.place));
            let before = text_of(past.cloned().collect());
            let after = edited(&before, &item.ops);
            for op in &item.ops {
                if let Op::Splice(_, _, _, insert) = op {
                    typed.extend(insert.chars());
                }
            }
            deleted.extend(before.chars().filter(|c| !after.contains(*c)));
            seen.insert(item.place, after);
        }
        let text = text_of(team.items.clone());
        let kept: BTreeSet<char> = text.chars().collect();
        prop_assert_eq!(kept.len(), text.chars().count());
        prop_assert!(kept.is_subset(&typed));
        prop_assert!(kept.is_disjoint(&deleted));
        for (place, after) in &seen {
            // All that an author saw and nobody deleted is there, in that order.
            let mine: String = after.chars().filter(|c| !deleted.contains(c)).collect();
            let theirs: String = text.chars().filter(|c| mine.contains(*c)).collect();
            prop_assert_eq!(&theirs, &mine, "at {:?}", place);
        }
    }
}

#[test]
fn two_texts_made_at_once_are_both_kept_and_the_earlier_is_edited() {
    let make = |text: &str| vec![Op::Text(23), Op::Splice(23, 0, 0, text.to_owned())];
    let acts = vec![
        Act::Write(0, 80, make("late")),
        Act::Write(1, 70, make("early")),
        Act::Hear(0, 1),
        Act::Write(0, 90, vec![Op::Splice(23, 5, 0, "!".to_owned())]),
    ];
    let team = Team::play(2, vec![], acts);
    let state = merge(toy(), team.items).unwrap().state;
    assert_eq!(state.texts[&23], ["early!", "late"]);
}
