//! How simulated phones meet: packs carried by hand, lost, repeated and out of order.

use rand_core::Rng as _;
use tuquan_core::error::{Error, Result};
use tuquan_core::replica::outgoing::Vector;

use super::world::World;
use crate::team::{packs, vector};

impl World<'_> {
    /// Two phones sync until they are equal or, `cut` given, the line breaks after so many frames.
    pub(super) fn meet(&mut self, a: usize, b: usize, cut: Option<u64>) -> Result<()> {
        let mut left = cut.unwrap_or(u64::MAX);
        for (from, to) in [(a, b), (b, a)] {
            let theirs = vector(self.devices[to].store())?;
            for pack in packs(self.devices[from].store(), &theirs)? {
                if left == 0 {
                    return Ok(());
                }
                left -= 1;
                self.deliver(to, &pack)?;
            }
        }
        Ok(())
    }

    /// Writes what one phone has beyond `theirs` into the mail.
    pub(super) fn post(&mut self, from: usize, theirs: &Vector) -> Result<()> {
        let made = packs(self.devices[from].store(), theirs)?;
        self.mail.extend(made);
        Ok(())
    }

    /// Hands a piece of the mail to a phone; it may come again, or never.
    pub(super) fn hand_over(&mut self, to: usize) -> Result<()> {
        if self.mail.is_empty() {
            return Ok(());
        }
        let at = self.rng.next_u64() as usize % self.mail.len();
        let pack = match self.rng.next_u32() % 3 {
            0 => self.mail.swap_remove(at),
            _ => self.mail[at].clone(),
        };
        self.deliver(to, &pack)
    }

    pub(super) fn deliver(&mut self, to: usize, pack: &[u8]) -> Result<()> {
        self.trace.bytes(pack);
        self.report.carried += 1;
        let outcome = self.devices[to]
            .store()
            .bulk(|replica| replica.ingest(pack));
        let said = |error: &Error| error.code();
        self.trace.note(format_args!(
            "{to} {:?}",
            outcome.as_ref().map(|done| done.entries).map_err(said)
        ));
        outcome.map(drop)
    }
}
