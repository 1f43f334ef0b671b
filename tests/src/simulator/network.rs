//! How simulated phones meet: sessions whose line may break at any frame, and packs carried by
//! hand, which get lost, come again and come out of order.

use rand_core::Rng as _;
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::replica::outgoing::Vector;
use tuquan_core::sync::session::{Event, Options, Session, Side};

use super::world::World;
use crate::team::packs;

impl World<'_> {
    /// Two phones hold a session or, `cut` given, lose the line after so many frames.
    pub(super) fn meet(&mut self, a: usize, b: usize, cut: Option<u64>) -> Result<()> {
        let mut sides = [
            (a, Session::new(Side::Initiator, 0, Options::default())),
            (b, Session::new(Side::Responder, 0, Options::default())),
        ];
        let mut left = cut.unwrap_or(u64::MAX);
        let mut is_quiet = [false; 2];
        while is_quiet != [true; 2] {
            for from in 0..2 {
                let (at, session) = &mut sides[from];
                let frame =
                    self.devices[*at].store().bulk(|replica| session.poll_transmit(replica))?;
                is_quiet[from] = frame.is_none();
                let Some(frame) = frame else { continue };
                if left == 0 {
                    return Ok(());
                }
                left -= 1;
                is_quiet = [false; 2];
                self.trace.bytes(&frame);
                self.report.carried += 1;
                let (at, session) = &mut sides[1 - from];
                if !session.has_ended() {
                    self.devices[*at]
                        .store()
                        .bulk(|replica| session.handle_message(replica, &frame, 0))?;
                }
            }
        }
        self.listen(&mut sides)
    }

    /// Takes the events of a session that nobody cut off; it must have ended well.
    fn listen(&mut self, sides: &mut [(usize, Session); 2]) -> Result<()> {
        for (at, session) in sides {
            let mut ended =
                Err(Error::new(Kind::Io, format!("phone {at}: a session without an end")));
            while let Some(event) = session.poll_event() {
                self.trace.note(format_args!("{at} {event:?}"));
                match event {
                    Event::Failed { error, .. } | Event::Refused { error } => return Err(error),
                    Event::Forked { log } | Event::Restored { log } => {
                        panic!("seed {}: log {log} forked", self.seed)
                    }
                    Event::Done { .. } => ended = Ok(()),
                    _ => {}
                }
            }
            ended?;
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
        let outcome = self.devices[to].store().bulk(|replica| replica.ingest(pack));
        let said = |error: &Error| error.code();
        self.trace.note(format_args!(
            "{to} {:?}",
            outcome.as_ref().map(|done| done.entries).map_err(said)
        ));
        outcome.map(drop)
    }
}
