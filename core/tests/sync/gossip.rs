//! Four phones that write, meet and part at random, and end equal.

use tuquan_core::codec::Value;
use tuquan_core::domain::incident::Incident;
use tuquan_core::domain::shift::Shift;
use tuquan_core::ids::RecordId;
use tuquan_core::log::item::{Op, set_key};
use tuquan_core::sync::session::Options;

use crate::device::{Device, pump, sync};

const INCIDENT: u64 = Incident::DECLARATION.kind;
const SHIFT: u64 = Shift::DECLARATION.kind;

/// Two different phones of a team, to be used at once.
fn two(team: &mut [Device], one: usize, other: usize) -> (&mut Device, &mut Device) {
    let [one, other] = team.get_disjoint_mut([one, other]).expect("different phones");
    (one, other)
}

fn act(team: &mut [Device], known: &mut Vec<(u64, RecordId)>, step: usize) {
    let count = team.len();
    let who = team[0].pick(count);
    let device = &mut team[who];
    let any = known[device.pick(known.len())];
    let here = device.knows(any.0, any.1);
    let number = i64::try_from(device.pick(15)).expect("small") + 1;
    let person = Value::Bytes(vec![u8::try_from(number).expect("small"); 16]);
    match device.pick(12) {
        0 | 1 => known.push((INCIDENT, device.write())),
        2 => {
            let day = u32::try_from(device.pick(5)).expect("small") + 1;
            known.push((SHIFT, device.shift(day)));
        }
        3..=5 if here && any.0 == INCIDENT => {
            device.edit(any.1, 16, Value::Int(number));
            device.edit(any.1, 20, Value::Text(format!("bước {step}")));
        }
        6 if here && any.0 == INCIDENT => device.change(INCIDENT, any.1, Op::Add(21, person)),
        7 if here && any.0 == INCIDENT => {
            device.change(INCIDENT, any.1, Op::Remove(21, set_key(&person)));
        }
        3..=7 if here => device.change(SHIFT, any.1, Op::Set(22, Value::Bool(number > 7))),
        8 | 9 => {
            let with = (who + 1 + team[0].pick(count - 1)) % count;
            let cut = team[0].pick(14);
            let newest_first = Some(team[0].pick(2) == 0);
            let (one, other) = two(team, who, with);
            let limit = if cut < 8 { cut } else { usize::MAX };
            pump(one, other, Options { newest_first, line: None }, limit);
        }
        10 => {
            let with = (who + 1) % count;
            let (one, other) = two(team, who, with);
            let bundle = one.replica.export_bundle(None, step.is_multiple_of(2), 3);
            let bundle = bundle.expect("exported");
            let end = bundle.len() - other.pick(2) * (bundle.len() / 3);
            let outcome = other.replica.import_bundle(&bundle[..end], &mut |_, _| {});
            assert_eq!(outcome.expect("imported").refused, []);
        }
        11 => device.reopen(),
        _ => {}
    }
}

#[test]
fn four_phones_that_meet_at_random_end_equal() {
    for seed in 0..3 {
        let mut founder = Device::founder(300 + seed * 10);
        let mut team: Vec<Device> = (1..4)
            .map(|index| Device::member(300 + seed * 10 + index, &mut founder, false))
            .collect();
        team.push(founder);
        let mut known = vec![(INCIDENT, team[0].write())];
        for step in 0..250 {
            act(&mut team, &mut known, step);
        }
        for round in 0..8 {
            for other in 1..4 {
                let (one, other) = two(&mut team, (round + other) % 4, round % 4);
                sync(one, other);
            }
        }
        let hash = team[0].hash();
        for (index, device) in team.iter_mut().enumerate() {
            assert_eq!(device.hash(), hash, "seed {seed}, phone {index}");
            assert!(device.replica.mind.pending.is_empty());
            let checked = device.replica.doctor(&mut |_, _| {}).expect("checked");
            assert!(checked.views_ok && checked.damaged == 0, "{checked:?}");
            assert_eq!(device.hash(), hash, "rebuilt, seed {seed}, phone {index}");
        }
    }
}
