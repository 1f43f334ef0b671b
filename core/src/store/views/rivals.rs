//! Concurrent values: what a column alone cannot hold, as rows of `rival`.
//!
//! Must not know: SQL.

use crate::clock::Hlc;
use crate::codec::{Value, Writer};
use crate::ids::ElementKey;
use crate::record::declare::{Field, Merge};
use crate::record::state::{Held, Stamp, State};

/// One row of `rival`.
pub(super) struct Rival {
    pub(super) field: u16,
    pub(super) n: i64,
    pub(super) value: Vec<u8>,
    pub(super) stamp: Stamp,
    pub(super) key: ElementKey,
}

fn encode(value: &Value) -> Vec<u8> {
    let mut to = Writer::new();
    to.value(value);
    to.into_bytes()
}

/// Returns all values that a column alone cannot hold.
pub(super) fn rivals_of(state: &State) -> Vec<Rival> {
    let mut rivals = Vec::new();
    for (field, held) in state.registers.iter().filter(|(_, held)| held.len() > 1) {
        for (n, held) in (0..).zip(held) {
            let (value, key) = (encode(&held.value), ElementKey::default());
            rivals.push(Rival { field: *field, n, value, stamp: held.stamp, key });
        }
    }
    for (field, tips) in state.tips.iter().filter(|(_, tips)| tips.len() > 1) {
        for (n, (key, state)) in (0..).zip(tips) {
            let (value, stamp) = (encode(&Value::Int(*state)), Stamp::default());
            rivals.push(Rival { field: *field, n, value, stamp, key: *key });
        }
    }
    for (field, texts) in state.texts.iter().filter(|(_, texts)| texts.len() > 1) {
        for (n, text) in (0..).zip(texts) {
            let value = encode(&Value::Text(text.clone()));
            let (stamp, key) = (Stamp::default(), ElementKey::default());
            rivals.push(Rival { field: *field, n, value, stamp, key });
        }
    }
    for (n, ((field, log), sum)) in (0..).zip(&state.counts) {
        let stamp = Stamp { hlc: Hlc(0), log: *log };
        let (value, key) = (encode(&Value::Int(*sum)), ElementKey::default());
        rivals.push(Rival { field: *field, n, value, stamp, key });
    }
    rivals
}

/// Puts a row of `rival` back into a state.
pub(super) fn restore_rival(
    state: &mut State,
    field: &Field,
    first: bool,
    value: Value,
    stamp: Stamp,
    key: ElementKey,
) {
    let number = field.number;
    match (field.merge, value) {
        (Merge::FS, Value::Int(to)) => {
            let tips = state.tips.entry(number).or_default();
            if first {
                tips.clear();
            }
            tips.insert(key, to);
        }
        (Merge::TX, Value::Text(text)) => {
            let texts = state.texts.entry(number).or_default();
            if first {
                texts.clear();
            }
            texts.push(text);
        }
        (Merge::CN, Value::Int(sum)) => {
            state.counts.insert((number, stamp.log), sum);
        }
        (_, value) => {
            let held = state.registers.entry(number).or_default();
            if first {
                held.clear();
            }
            held.push(Held { value, stamp });
        }
    }
}
