//! The founder governs: removes a phone or the liar, and accepts what was kept apart.

use tuquan_core::error::Result;

use super::world::World;

impl World<'_> {
    /// Returns the phones that are members.
    pub(super) fn active(&self) -> Vec<usize> {
        let all = self.devices.iter().filter(|device| !device.is_removed);
        all.map(|device| device.number).collect()
    }

    /// Accepts a part of what is kept apart at the founder's, or removes somebody.
    ///
    /// Not in a run that puts the founder's phone back in time, whose acts may be gone with it; and
    /// the phone that is put back stays a member.
    pub(super) fn govern(&mut self) -> Result<()> {
        if self.restored == Some(0) {
            return Ok(());
        }
        self.has_governed = true;
        let apart = self.devices[0].store().quarantined();
        if !apart.is_empty() && self.below(2) == 0 {
            let one = &apart[self.below(apart.len() as u64) as usize];
            let last = one.first + self.below(one.last - one.first + 1);
            let outcome = self.devices[0].store().accept_quarantined(&one.log, last);
            self.trace
                .note(format_args!("accept {last} {:?}", outcome.as_ref().map_err(|e| e.code())));
            // A part beyond a gap cannot be named yet.
            return match outcome {
                Err(error) if error.code() == "E-NOTFOUND" => Ok(()),
                outcome => outcome,
            };
        }
        let liar = self.rogue.as_ref().map(|rogue| rogue.secret.device_key());
        if let Some(device) = liar
            && self.below(3) == 0
        {
            return match self.devices[0].store().remove(&device) {
                Err(error) if error.code() == "E-REMOVED" => Ok(()),
                outcome => outcome.map(|()| self.report.removed.0 += 1),
            };
        }
        let mut active = self.active();
        if active.len() < 3 {
            return Ok(());
        }
        active.retain(|at| self.restored != Some(*at));
        let at = active[1 + self.below(active.len() as u64 - 1) as usize];
        let device = self.devices[at].store().device()?.device;
        self.trace.note(format_args!("remove {at}"));
        self.devices[0].store().remove(&device)?;
        self.devices[at].is_removed = true;
        self.report.removed.0 += 1;
        Ok(())
    }
}
