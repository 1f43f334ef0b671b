//! The world of a run: who is there, and what happens next.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::ids::RecordId;
use tuquan_core::record::declare::Role;
use tuquan_core::record::plain::Plain;
use tuquan_core::replica::outgoing::Vector;

use super::act::choose;
use super::device::Device;
use super::trace::Trace;
use super::{Lab, Report};
use crate::phone::{NOON_MS, request};
use crate::rogue::Rogue;
use crate::team::{join, vector};
use crate::vfs::CutMode;

const YEAR_MS: i64 = 365 * 86_400_000;

pub(super) struct World<'a> {
    pub(super) lab: &'a Lab,
    pub(super) seed: u64,
    pub(super) rng: ChaCha8Rng,
    pub(super) trace: Trace,
    pub(super) devices: Vec<Device>,
    pub(super) rogue: Option<Rogue>,
    pub(super) mail: Vec<Vec<u8>>,
    /// All that the liar packed; a piece lost for good would leave a gap that never closes.
    pub(super) lies: Vec<Vec<u8>>,
    /// Acknowledged texts that no merge may take away: phone, record, list, text.
    pub(super) said: Vec<(usize, RecordId, &'static str, String)>,
    /// Records, and the phone that wrote each.
    pub(super) records: Vec<(usize, RecordId)>,
    pub(super) report: Report,
}

impl<'a> World<'a> {
    /// Founds a team; some join now, the others are members whose phones have heard nothing yet.
    pub(super) fn new(lab: &'a Lab, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let count = 3 + rng.next_u64() as usize % 4;
        let mut world = Self {
            lab,
            seed,
            trace: Trace::new(),
            devices: Vec::new(),
            rogue: None,
            mail: Vec::new(),
            lies: Vec::new(),
            said: Vec::new(),
            records: Vec::new(),
            report: Report::default(),
            rng,
        };
        for number in 0..count {
            let clock_ms = NOON_MS + world.skew_ms();
            let mut device = lab.device(number, clock_ms);
            device.open(world.rng.next_u64()).expect("a fresh store opens");
            world.devices.push(device);
        }
        world.devices[0].store().found().expect("founded");
        for number in 1..count {
            let role = [Role::R1, Role::R2, Role::R3][world.below(3) as usize];
            let (founder, newcomer) = (world.devices[0].store(), world.devices[number].store());
            join(founder, newcomer, role).expect("joined");
        }
        if world.below(3) == 0 {
            let role = [Role::R1, Role::R3][world.below(2) as usize];
            let liar = world.rng.next_u64();
            world.rogue = Some(Rogue::join(world.devices[0].store(), role, liar).expect("joined"));
        }
        world
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound
    }

    /// Most clocks are nearly right; some are off by up to ten years.
    fn skew_ms(&mut self) -> i64 {
        let share = self.below(20_001) as i64 - 10_000;
        match self.below(4) {
            0 => share * (YEAR_MS / 1_000),
            1 => share * 360,
            _ => share,
        }
    }

    /// Everybody hears of the same first records, then thirty to eighty steps.
    pub(super) fn live(&mut self) {
        for _ in 0..4 {
            self.tap(0).expect("a first tap");
        }
        for at in 1..self.devices.len() {
            self.meet(0, at, None).expect("a first meeting");
        }
        for _ in 0..30 + self.below(51) {
            let at = self.below(self.devices.len() as u64) as usize;
            let roll = self.below(100);
            let name = match roll {
                0..54 => "tap",
                54..56 => "govern",
                56..67 => "meet",
                67..75 => "post",
                75..84 => "hand over",
                84..89 => "clock",
                89..92 => "crash",
                92..95 => "cut",
                95..97 => "part",
                _ => "lie",
            };
            self.trace.note(format_args!("{name} {at}"));
            *self.report.steps.entry(name).or_default() += 1;
            self.step(name, at).unwrap_or_else(|error| {
                panic!("seed {}: {name} on phone {at}: {error}", self.seed)
            });
        }
    }

    fn step(&mut self, name: &str, at: usize) -> Result<()> {
        match name {
            "tap" => self.tap(at),
            "govern" => self.govern(),
            "meet" => {
                let other = self.below(self.devices.len() as u64) as usize;
                let cut = if self.below(2) == 0 { Some(self.below(9)) } else { None };
                if other == at || self.devices[other].group != self.devices[at].group {
                    return Ok(());
                }
                match self.meet(at, other, cut) {
                    // Who joined earlier may not have heard of who joined later; who was removed is not
                    // spoken to.
                    Err(error) if matches!(error.kind, Kind::NotMember | Kind::Peer) => Ok(()),
                    outcome => outcome,
                }
            }
            "post" => {
                let other = self.below(self.devices.len() as u64 * 2) as usize;
                let theirs = match self.devices.get(other) {
                    Some(device) => vector(device.store())?,
                    None => Vector::default(),
                };
                self.post(at, &theirs)
            }
            "hand over" => self.hand_over(at),
            "clock" => {
                let skew_ms = self.skew_ms();
                self.devices[at].clock.advance(skew_ms);
                Ok(())
            }
            "crash" => self.crash(at),
            "cut" => self.cut(at),
            "part" => {
                for device in &mut self.devices {
                    device.group = self.rng.next_u64() % 2;
                }
                Ok(())
            }
            _ => {
                self.lie();
                Ok(())
            }
        }
    }

    /// One tap; what is acknowledged is readable at once.
    pub(super) fn tap(&mut self, at: usize) -> Result<()> {
        self.report.written += 1;
        let number = self.report.written;
        let elapsed_ms = self.below(120_000) as i64;
        self.devices[at].clock.advance(elapsed_ms);
        let deed = choose(&mut self.rng, self.devices[at].store(), number);
        let store = self.devices[at].store();
        let outcome = store.apply(request(number), &deed.command);
        self.trace.note(format_args!("{:?}", outcome.as_ref().map_err(Error::code)));
        let applied = match outcome {
            Err(error) if matches!(error.kind, Kind::Invalid | Kind::Role) => return Ok(()),
            Err(error) if error.kind == Kind::Removed && self.devices[at].is_removed => {
                return Ok(());
            }
            other => other?,
        };
        let shown = store.get(&applied.record)?;
        let shown =
            shown.unwrap_or_else(|| panic!("seed {}: an own write cannot be read", self.seed));
        if let Some(list) = deed.list {
            let there = shown
                .lists
                .get(list)
                .is_some_and(|all| all.iter().any(|one| holds(&one.value, &deed.text)));
            assert!(there, "seed {}: an own note cannot be read: {shown:?}", self.seed);
            self.said.push((at, applied.record, list, deed.text));
        }
        if let Some(entry) = applied.entry {
            let device = &mut self.devices[at];
            assert!(entry.seq >= device.own_next, "seed {}: a sequence number twice", self.seed);
            device.own_next = entry.seq + 1;
            self.records.push((at, applied.record));
        }
        Ok(())
    }

    /// The process dies between two steps and is started again.
    fn crash(&mut self, at: usize) -> Result<()> {
        self.report.crashes += 1;
        let seed = self.rng.next_u64();
        let device = &mut self.devices[at];
        let before = device.before();
        device.disk.kill();
        device.open(seed)?;
        device.check_restarted(&before, false);
        Ok(())
    }

    /// Power goes in the middle of something.
    fn cut(&mut self, at: usize) -> Result<()> {
        self.report.crashes += 1;
        let (call, seed) = (1 + self.below(40), self.rng.next_u64());
        let mode = [CutMode::Ordered, CutMode::Reordered, CutMode::Noise][self.below(3) as usize];
        let before = self.devices[at].before();
        self.devices[at].disk.cut_at(call, seed, mode);
        for _ in 0..4 {
            let done = if self.below(3) == 0 { self.hand_over(at) } else { self.tap_blind(at) };
            if done.is_err() {
                break;
            }
        }
        let device = &mut self.devices[at];
        if device.disk.reopen().is_none() {
            device.disk.cut_with(seed, mode);
        }
        device.close();
        device.open(seed)?;
        device.check_restarted(&before, true);
        Ok(())
    }

    /// A tap while the power may go: an error anywhere is no surprise.
    fn tap_blind(&mut self, at: usize) -> Result<()> {
        self.report.written += 1;
        let number = self.report.written;
        let command = crate::phone::incident(&format!("lời {number}"));
        let applied = self.devices[at].store().apply(request(number), &command)?;
        if let Some(entry) = applied.entry {
            self.devices[at].own_next = entry.seq + 1;
            self.records.push((at, applied.record));
        }
        Ok(())
    }
}

/// Tells whether a value is or has the text.
pub(super) fn holds(value: &Plain, text: &str) -> bool {
    match value {
        Plain::Text(held) => held == text,
        Plain::Parts(parts) => parts.values().any(|part| holds(part, text)),
        _ => false,
    }
}
