//! The world of a run: who is there, and what happens next.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tuquan_core::door::EntryAt;
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::ids::RecordId;
use tuquan_core::record::declare::Role;
use tuquan_core::record::plain::Plain;
use tuquan_core::replica::outgoing::Vector;

use super::act::choose;
use super::device::{Before, Device};
use super::hub::Relay;
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
    pub(super) hub: Option<Relay>,
    pub(super) mail: Vec<Vec<u8>>,
    /// All that the liar packed; a piece lost for good would leave a gap that never closes.
    pub(super) lies: Vec<Vec<u8>>,
    /// Acknowledged texts that no merge may take away: phone, record, list, text, entry.
    pub(super) said: Vec<(usize, RecordId, &'static str, String, EntryAt)>,
    /// Records, the phone that wrote each, and the entry.
    pub(super) records: Vec<(usize, RecordId, EntryAt)>,
    /// The one phone that is put back in time; two that are may leave a gap that nobody can fill.
    pub(super) restored: Option<usize>,
    /// Whether the founder has governed; its phone is not put back in time then.
    pub(super) has_governed: bool,
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
            hub: None,
            mail: Vec::new(),
            lies: Vec::new(),
            said: Vec::new(),
            records: Vec::new(),
            restored: None,
            has_governed: false,
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
                0..51 => "tap",
                51..53 => "govern",
                53..64 => "meet",
                64..72 => "post",
                72..81 => "hand over",
                81..85 => "clock",
                85..88 => "crash",
                88..91 => "cut",
                91..93 => "part",
                93..97 => "restore",
                _ => "lie",
            };
            self.trace.note(format_args!("{name} {at}"));
            *self.report.steps.entry(name).or_default() += 1;
            self.step(name, at).unwrap_or_else(|error| {
                panic!("seed {}: {name} on phone {at}: {error}", self.seed)
            });
            self.around_the_hub();
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
            "crash" => {
                let seed = self.rng.next_u64();
                self.crash(at, seed)
            }
            "cut" => self.cut(at),
            "restore" => self.restore(),
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
            // Without an entry the text was there before, under another's.
            if let Some(entry) = applied.entry {
                self.said.push((at, applied.record, list, deed.text, entry));
            }
        }
        if let Some(entry) = applied.entry {
            let device = &mut self.devices[at];
            assert!(entry.seq >= device.own_next, "seed {}: a sequence number twice", self.seed);
            device.own_next = entry.seq + 1;
            self.records.push((at, applied.record, entry));
        }
        Ok(())
    }

    /// The process dies between two steps and is started again.
    pub(super) fn crash(&mut self, at: usize, seed: u64) -> Result<()> {
        self.report.crashes += 1;
        let device = &mut self.devices[at];
        let before = device.before();
        device.disk.kill();
        device.open(seed)?;
        device.check_restarted(&before, false);
        Ok(())
    }

    /// A phone's disk is copied, or put back as it was copied. What no phone has any more is gone;
    /// all else must still be there in the end.
    fn restore(&mut self) -> Result<()> {
        let (seed, has_fence) = (self.rng.next_u64(), self.below(2) == 0);
        let mut some = self.active();
        if self.has_governed {
            some.retain(|at| *at != 0);
        }
        let some = some[self.below(some.len() as u64) as usize];
        let at = *self.restored.get_or_insert(some);
        let was_put_back = self.devices[at].restore(has_fence, seed)?;
        self.trace.note(format_args!("{at} {was_put_back} {has_fence}"));
        if !was_put_back {
            return Ok(());
        }
        self.report.restored += 1;
        let vectors = self.devices.iter().map(|device| vector(device.store()));
        let vectors: Vec<Vector> = vectors.collect::<Result<_>>()?;
        let is_there = |entry: &EntryAt| {
            let ends = vectors.iter().filter_map(|vector| vector.get(&entry.log));
            { ends }.any(|end| end.next > entry.seq)
        };
        self.said.retain(|(.., entry)| is_there(entry));
        self.records.retain(|(.., entry)| is_there(entry));
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
        self.come_back(at, seed, mode, &before)
    }

    /// The power comes back; if it had not gone yet, it goes now.
    pub(super) fn come_back(
        &mut self,
        at: usize,
        seed: u64,
        mode: CutMode,
        before: &Before,
    ) -> Result<()> {
        let device = &mut self.devices[at];
        if device.disk.reopen().is_none() {
            device.disk.cut_with(seed, mode);
        }
        device.close();
        device.open(seed)?;
        device.check_restarted(before, true);
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
            self.records.push((at, applied.record, entry));
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
