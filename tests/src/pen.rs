//! The pen of a member that lies about the team: signs acts into a control log of its own.
//!
//! Must not know: what the rules make of them.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tuquan_core::clock::Hlc;
use tuquan_core::crypto::DeviceSecret;
use tuquan_core::error::Result;
use tuquan_core::ids::{Link, LogId, SpaceId};
use tuquan_core::log::chain::{self, Sort};
use tuquan_core::log::entry::{Body, Entry};
use tuquan_core::log::pack::{Mode, Packing, Range, encode};
use tuquan_core::team::control::{Act, LogOpen};

/// A control log that is written by hand.
#[derive(Debug)]
pub struct Pen {
    /// The device's keys.
    pub secret: DeviceSecret,
    /// The log.
    pub log: LogId,
    /// The sequence number of the next entry.
    pub seq: u64,
    /// Randomness for keys.
    pub rng: ChaCha8Rng,
    space: SpaceId,
    nonce: [u8; 16],
    link: Link,
    heads: Vec<Link>,
}

impl Pen {
    /// Begins a log; the pack that opens it comes with the first act.
    #[must_use]
    pub fn new(secret: DeviceSecret, space: SpaceId, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        let log = chain::log_id(&space, &secret.device_key(), Sort::Control, &nonce);
        let link = chain::first_link(&space, &log);
        Self { secret, log, seq: 0, rng, space, nonce, link, heads: Vec::new() }
    }

    /// Returns the sequence number that the next act will have.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.seq.max(1)
    }

    /// Signs an act that knows `heads` and packs it.
    ///
    /// # Errors
    /// `E-SIZE` when it does not fit.
    pub fn sign(&mut self, act: &Act, heads: &[Link]) -> Result<Vec<u8>> {
        let device = self.secret.device_key();
        let mut range = Range {
            device,
            nonce: self.nonce,
            sort: Sort::Control,
            first: self.seq,
            link_before: self.link,
            heads: self.heads.clone(),
            seal: [0; 64],
            runs: Vec::new(),
            entries: Vec::new(),
        };
        let (nonce, sort) = (self.nonce, Sort::Control);
        let open = Act::LogOpen(LogOpen { device, sort, nonce, grant: None, predecessor: None });
        let opening = (self.seq == 0).then_some(&open);
        for act in opening.into_iter().chain([act]) {
            let mut heads = heads.to_vec();
            heads.sort_unstable();
            let entry = Entry {
                kind: act.entry_kind(),
                hlc: Hlc::from_ms(crate::phone::NOON_MS),
                control_heads: (heads != self.heads).then(|| heads.clone()),
                items: vec![Body::Bytes(act.encode())],
            };
            self.link =
                chain::next_link(&self.link, self.seq, &entry.digest(&heads, |_| Vec::new()));
            (self.seq, self.heads) = (self.seq + 1, heads);
            range.entries.push(entry);
        }
        range.seal =
            chain::make_seal(&self.secret, &self.space, &self.log, self.seq - 1, &self.link);
        encode(&self.space, &Mode::Open, &[range], &Packing::default(), &[0; 24])
    }
}
