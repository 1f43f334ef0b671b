//! The hub of a simulated team: phones visit it when chance will have it, lines break, phones die
//! on the way, and an older copy of it is put back.
//!
//! All its chance is its own, drawn beside that of the world. It is honest and admits whom its
//! control logs name; hubs that lie have tests of their own.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tuquan_core::clock::Clock as _;
use tuquan_core::error::{Kind, Result};
use tuquan_core::log::pack::Header;
use tuquan_core::replica::outgoing::Vector;

use super::world::World;
use crate::relay::{Break, ModelHub, meet_until};
use crate::team::packs;
use crate::vfs::CutMode;

/// Sets the hub's chance apart from the world's.
const APART: u64 = 0x6875_625f_6875_625f;

/// The hub, and who cannot reach it.
pub(super) struct Relay {
    model: ModelHub,
    rng: ChaCha8Rng,
    /// One bit for each phone.
    out_of_reach: u64,
}

impl Relay {
    fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound
    }

    fn some_break(&mut self) -> Break {
        Break { requests: self.below(12), is_heard: self.below(2) == 0 }
    }
}

impl World<'_> {
    /// Gives the team an empty hub.
    pub(super) fn open_a_hub(&mut self) {
        let seed = self.seed ^ APART;
        let space = self.devices[0].store().device().expect("a device").space.expect("founded");
        let rng = ChaCha8Rng::seed_from_u64(seed);
        self.hub = Some(Relay { model: ModelHub::new(space, seed), rng, out_of_reach: 0 });
    }

    /// What may happen around the hub between two steps of the team.
    pub(super) fn around_the_hub(&mut self) {
        let Some(mut hub) = self.hub.take() else {
            return;
        };
        let (roll, at) = (hub.below(100), hub.below(self.devices.len() as u64) as usize);
        let name = match roll {
            0..25 => "visit",
            25..33 => "broken visit",
            33..36 => "crash on a visit",
            36..39 => "cut on a visit",
            39..42 => "back the hub up",
            42..45 => "put the hub back",
            45..48 => "part from the hub",
            48..51 => "lie to the hub",
            51..55 => "sweep the hub",
            _ => "",
        };
        if !name.is_empty() {
            self.trace.note(format_args!("{name} {at}"));
            *self.report.steps.entry(name).or_default() += 1;
            self.hub_step(&mut hub, name, at).unwrap_or_else(|error| {
                panic!("seed {} with a hub: {name}, phone {at}: {error}", self.seed)
            });
        }
        self.hub = Some(hub);
    }

    fn hub_step(&mut self, hub: &mut Relay, name: &str, at: usize) -> Result<()> {
        match name {
            "visit" => self.visit(hub, at, None),
            "broken visit" => {
                let line = hub.some_break();
                self.visit(hub, at, Some(line))
            }
            "crash on a visit" => {
                let (line, seed) = (hub.some_break(), hub.rng.next_u64());
                self.visit(hub, at, Some(line))?;
                self.crash(at, seed)
            }
            "cut on a visit" => self.cut_on_a_visit(hub, at),
            "back the hub up" => {
                hub.model.back_up();
                Ok(())
            }
            "put the hub back" => {
                let is_renamed = hub.below(2) == 0;
                hub.model.restore(is_renamed);
                Ok(())
            }
            "part from the hub" => {
                hub.out_of_reach = hub.rng.next_u64() & hub.rng.next_u64();
                Ok(())
            }
            "sweep the hub" => {
                let gone = hub.model.sweep();
                *self.report.steps.entry("swept").or_default() += gone as u64;
                Ok(())
            }
            _ => {
                let liar = self.rogue.as_ref().map(|rogue| rogue.secret.device_key());
                if liar.is_some_and(|liar| hub.model.is_member(&liar) == Some(true)) {
                    for pack in &self.lies {
                        hub.model.put_junk(pack.clone());
                    }
                }
                Ok(())
            }
        }
    }

    /// A phone visits the hub, if it can reach it and is let in.
    fn visit(&mut self, hub: &mut Relay, at: usize, line: Option<Break>) -> Result<()> {
        if hub.out_of_reach >> at & 1 == 1 {
            return Ok(());
        }
        let device = &self.devices[at];
        let (store, now_ms) = (device.store(), device.clock.now_ms());
        let key = store.device()?.device;
        if hub.model.is_member(&key).is_none() {
            // Whom the hub does not know brings the team list first.
            for pack in packs(store, &Vector::default())? {
                if Header::read(&pack)?.open {
                    hub.model.put_junk(pack);
                }
            }
        }
        if hub.model.is_member(&key) != Some(true) {
            return Ok(());
        }
        let met = match meet_until(store, &mut hub.model, now_ms, line) {
            Err(error) if device.is_removed && error.kind == Kind::Removed => return Ok(()),
            met => met?,
        };
        self.trace.note(format_args!("{met:?}"));
        self.report.carried += met.0.sent_packs + met.0.received_packs;
        Ok(())
    }

    /// Power goes on a visit.
    fn cut_on_a_visit(&mut self, hub: &mut Relay, at: usize) -> Result<()> {
        self.report.crashes += 1;
        let (call, seed) = (1 + hub.below(80), hub.rng.next_u64());
        let mode = [CutMode::Ordered, CutMode::Reordered, CutMode::Noise][hub.below(3) as usize];
        let before = self.devices[at].before();
        self.devices[at].disk.cut_at(call, seed, mode);
        // An error anywhere is no surprise while the power may go.
        let _ = self.visit(hub, at, None);
        self.come_back(at, seed, mode, &before)
    }

    /// Ends what keeps phones from the hub, and lets all visit it: in half of the runs until they
    /// are equal by it alone, within a bounded number of rounds.
    pub(super) fn heal_by_the_hub(&mut self) {
        let Some(mut hub) = self.hub.take() else {
            return;
        };
        hub.out_of_reach = 0;
        let (active, until_equal) = (self.active(), hub.below(2) == 0);
        for round in 0.. {
            if round > 0 && (!until_equal || self.are_equal()) {
                break;
            }
            let seed = self.seed;
            assert!(round <= 3, "seed {seed}: still not equal after {round} rounds of visits");
            for at in &active {
                self.visit(&mut hub, *at, None)
                    .unwrap_or_else(|error| panic!("seed {seed}: healing by the hub: {error}"));
            }
        }
        self.hub = Some(hub);
    }
}
