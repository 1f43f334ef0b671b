//! A member that lies: signs its own log as it should and writes whatever it likes into it.
//!
//! Everything it makes passes the chain, the seal and the epoch key; what is in the items is the
//! test's choice. Must not know: what the door refuses to write.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tuquan_core::clock::Hlc;
use tuquan_core::crypto::DeviceSecret;
use tuquan_core::door::Tuquan;
use tuquan_core::error::Result;
use tuquan_core::ids::{Link, LogId, SpaceId};
use tuquan_core::log::chain::{self, RUN_ENTRIES_MAX, Run, Salts, Sort};
use tuquan_core::log::entry::{Body, Entry, kind};
use tuquan_core::log::item::{Dep, Item, Place, item_digest};
use tuquan_core::log::pack::{Mode, Packing, Range, encode};
use tuquan_core::record::declare::Role;
use tuquan_core::replica::govern::GrantOf;
use tuquan_core::team::control::{Act, LogOpen};

/// The pen of a lying member; a clone of it signs another history of its log.
#[derive(Debug, Clone)]
pub struct Rogue {
    /// Its keys.
    pub secret: DeviceSecret,
    /// The team.
    pub space: SpaceId,
    /// Its data log.
    pub log: LogId,
    /// The sequence number after its last packed entry.
    pub seq: u64,
    /// The link of its last entry.
    pub link: Link,
    /// The clock of its next entry, in ms.
    pub now_ms: i64,
    nonce: [u8; 16],
    heads: Vec<Link>,
    /// The control heads in force before the next range.
    heads_before: Vec<Link>,
    mode: Mode,
    rng: ChaCha8Rng,
    waiting: Vec<(Entry, Vec<[u8; 16]>)>,
    /// Whether the next entry says that it knows other heads than the one before it.
    cites: bool,
}

impl Rogue {
    /// Lets the founder grant a role to a new device, which begins to lie.
    ///
    /// # Errors
    /// What the grant returns.
    pub fn join(founder: &Tuquan, role: Role, seed: u64) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let secret = DeviceSecret::generate(&mut rng);
        let of = GrantOf::writer(secret.device_key(), secret.box_key(), role);
        founder.bulk(|replica| replica.grant(&of))?;
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        founder.bulk(|replica| {
            let mind = &replica.mind;
            let space = mind.space()?;
            let (epoch, key) = mind.epoch()?;
            let log = chain::log_id(&space, &secret.device_key(), Sort::Data, &nonce);
            let open = Act::LogOpen(LogOpen {
                device: secret.device_key(),
                sort: Sort::Data,
                nonce,
                grant: mind.members.devices.get(&secret.device_key()).map(|member| member.grant),
                predecessor: None,
            });
            let mut rogue = Self {
                space,
                log,
                seq: 0,
                link: chain::first_link(&space, &log),
                now_ms: crate::phone::NOON_MS,
                nonce,
                heads: mind.members.heads.clone(),
                heads_before: Vec::new(),
                mode: Mode::Sealed { epoch, key: key.pack_key() },
                rng,
                waiting: Vec::new(),
                cites: true,
                secret: secret.clone(),
            };
            rogue.push(open.entry_kind(), vec![open.encode()]);
            Ok(rogue)
        })
    }

    /// Returns the sequence number of the entry that is appended next.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.seq + self.waiting.len() as u64
    }

    /// Says from the next entry on that it knows these control heads.
    pub fn cite(&mut self, heads: Vec<Link>) {
        (self.heads, self.cites) = (heads, true);
    }

    /// Appends an entry of one kind with these items; returns the place of the first.
    pub fn push(&mut self, number: u64, items: Vec<Vec<u8>>) -> Place {
        self.push_bodies(number, items.into_iter().map(Body::Bytes).collect())
    }

    /// As [`Rogue::push`], where items may be absent.
    pub fn push_bodies(&mut self, number: u64, items: Vec<Body>) -> Place {
        self.now_ms += 1_000;
        let mut salt_seed = [0; 16];
        self.rng.fill_bytes(&mut salt_seed);
        let first = self.next();
        let entry = Entry {
            kind: number,
            hlc: Hlc::from_ms(self.now_ms),
            control_heads: std::mem::take(&mut self.cites).then(|| self.heads.clone()),
            items,
        };
        self.waiting.push((entry, vec![salt_seed]));
        Place { log: self.log, seq: first, index: 0 }
    }

    /// Appends a write entry with one item; returns its place.
    pub fn write(&mut self, item: &Item) -> Place {
        let bytes = item.encode(&self.log);
        self.push(kind::WRITE, vec![bytes])
    }

    /// Returns the sealed range of what was appended since the last one.
    pub fn range(&mut self) -> Range {
        let waiting = std::mem::take(&mut self.waiting);
        let mut runs: Vec<Run> = Vec::new();
        for (at, (_, seeds)) in (0..).zip(&waiting).step_by(RUN_ENTRIES_MAX as usize) {
            let count = (waiting.len() as u64 - at).min(RUN_ENTRIES_MAX);
            runs.push(Run { first: self.seq + at, count, salts: Salts::Seed(seeds[0]) });
        }
        let mut range = Range {
            device: self.secret.device_key(),
            nonce: self.nonce,
            sort: Sort::Data,
            first: self.seq,
            link_before: self.link,
            heads: self.heads_before.clone(),
            seal: [0; 64],
            runs,
            entries: waiting.into_iter().map(|(entry, _)| entry).collect(),
        };
        for entry in &range.entries {
            if let Some(heads) = &entry.control_heads {
                self.heads_before.clone_from(heads);
            }
            let seq = self.seq;
            let run = range.runs.iter().find(|run| run.covers(seq));
            let salt = |index| run.map_or_else(Vec::new, |run| run.salt(seq, index));
            let digest = entry.digest(&self.heads_before, salt);
            self.link = chain::next_link(&self.link, seq, &digest);
            self.seq += 1;
        }
        range.seal =
            chain::make_seal(&self.secret, &self.space, &self.log, self.seq - 1, &self.link);
        range
    }

    /// Returns the dep that names an item of this log, for an item of another one.
    #[must_use]
    pub fn dep(&self, range: &Range, place: Place, bytes: &[u8]) -> Dep {
        let run = range.runs.iter().find(|run| run.covers(place.seq));
        let salt = run.map_or_else(Vec::new, |run| run.salt(place.seq, place.index));
        let digest = item_digest(&salt, bytes);
        let mut check = [0; 4];
        check.copy_from_slice(&digest.0[..4]);
        Dep { place, check: Some(check) }
    }

    /// Packs a range under the team's key.
    ///
    /// # Errors
    /// `E-SIZE` when it does not fit.
    pub fn wrap(&mut self, range: &Range) -> Result<Vec<u8>> {
        let mut nonce = [0; 24];
        self.rng.fill_bytes(&mut nonce);
        encode(&self.space, &self.mode, std::slice::from_ref(range), &Packing::default(), &nonce)
    }

    /// Packs all that was appended since the last one.
    ///
    /// # Errors
    /// `E-SIZE` when it does not fit.
    pub fn pack(&mut self) -> Result<Vec<u8>> {
        let range = self.range();
        self.wrap(&range)
    }
}
