//! What a lying member writes: every item passes its chain and seal, few make sense.

use rand_core::Rng as _;
use tuquan_core::codec::Value;
use tuquan_core::ids::{ElementKey, LogId, RecordId};
use tuquan_core::log::entry::{Body, kind};
use tuquan_core::log::item::{Dep, Item, Op, Place, Target};

use super::world::World;
use crate::team::vector;

impl World<'_> {
    /// Appends a few entries to the liar's log, packs them and puts them into the mail.
    pub(super) fn lie(&mut self) {
        let Some(mut rogue) = self.rogue.take() else {
            return;
        };
        let jump_ms = (self.below(2_000_001) as i64 - 1_000_000) * 100_000;
        rogue.now_ms = (rogue.now_ms + jump_ms).max(0);
        for _ in 0..=self.below(4) {
            let count = 1 + self.below(3);
            let mut items = Vec::new();
            for index in 0..count {
                let place = Place { log: rogue.log, seq: rogue.next(), index: index as u32 };
                items.push(self.lying_item(place));
            }
            let number = if self.below(12) == 0 { 9 } else { kind::WRITE };
            rogue.push_bodies(number, items);
        }
        let pack = rogue.pack().expect("small enough");
        self.lies.push(pack.clone());
        self.mail.push(pack);
        self.rogue = Some(rogue);
    }

    fn lying_item(&mut self, place: Place) -> Body {
        let garbage = self.below(8);
        if garbage == 0 {
            let len = self.below(60);
            return Body::Bytes((0..len).map(|_| self.rng.next_u32() as u8).collect());
        }
        let target = match self.below(4) {
            0 => Target::New,
            1 => Target::Natural(
                ["b1", "b2", "2026-11-05/b1/toi", "khác"][self.below(4) as usize].to_owned(),
            ),
            _ => Target::Record(self.some_record()),
        };
        let mut deps: Vec<Dep> = (0..self.below(4)).map(|_| self.lying_dep(place)).collect();
        deps.sort_by_key(|dep| dep.place);
        deps.dedup_by_key(|dep| dep.place);
        let ops = (0..self.below(4)).map(|_| self.lying_op()).collect();
        let kind = [1, 2, 3, 4, 4, 4, 5, 77][self.below(8) as usize];
        let item = Item { kind, target, deps, ops };
        Body::Bytes(item.encode(&place.log))
    }

    fn some_record(&mut self) -> RecordId {
        match self.records.len() as u64 {
            0 => RecordId([9; 16]),
            count => self.records[self.rng.next_u64() as usize % count as usize].1,
        }
    }

    /// Names any entry of anybody: of this log also later ones, of others also those to come.
    fn lying_dep(&mut self, own: Place) -> Dep {
        let index = self.below(3) as u32;
        let vector = vector(self.devices[0].store()).expect("vector");
        let other = vector.entries.get(self.rng.next_u64() as usize % (vector.entries.len() + 2));
        let (log, seq) = match other {
            Some(entry) => (entry.log, self.below(entry.next + 2)),
            None if self.below(6) == 0 => (LogId([3; 16]), 5),
            None => (own.log, self.below(own.seq + 2)),
        };
        let check = (log != own.log).then_some([0; 4]);
        Dep { place: Place { log, seq, index }, check }
    }

    fn lying_op(&mut self) -> Op {
        let field = [1, 3, 16, 17, 18, 19, 20, 21, 22, 28, 29, 900][self.below(12) as usize];
        let value = match self.below(7) {
            0 => Value::Int(self.rng.next_u64() as i64),
            1 => Value::Int(self.below(12) as i64),
            2 => Value::Text("dối".to_owned()),
            3 => Value::Bytes(vec![7; 16]),
            4 => Value::List(vec![Value::Int(self.below(12) as i64), Value::Int(5)]),
            5 => Value::Bool(true),
            _ => Value::Null,
        };
        match self.below(7) {
            0 | 1 => Op::Set(field, value),
            2 | 3 => Op::Add(field, value),
            4 => Op::Unset(field),
            5 => Op::Remove(field, ElementKey([1; 16])),
            _ => Op::Splice(field, 0, 3, "x".to_owned()),
        }
    }
}
