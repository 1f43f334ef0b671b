//! One file of the simulated disk: the view readers see, the bytes that survive a power cut, and
//! the writes in between.
//!
//! Invariant: `durable` plus `pending` applied in order equals `live`, except after a failed sync
//! that forgot its pages ([`Image::forget_pending`]). Knows nothing of names, locks or SQLite.

use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use super::{CutMode, CutReport};

const SECTOR: usize = 512;
const BLOCK: usize = 4096;

/// A change that has reached the page cache only.
#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { len: usize },
}

/// The content of one file, seen from above and from below the page cache.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

impl Image {
    /// Builds a file whose content is already on the disk.
    pub(super) fn from_durable(bytes: Vec<u8>) -> Self {
        Self { live: bytes.clone(), durable: bytes, pending: Vec::new() }
    }

    /// Writes into the page cache.
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        overlay(&mut self.live, offset, bytes);
        self.pending.push(Change::Write { offset, bytes: bytes.to_vec() });
    }

    /// Changes the length in the page cache.
    pub(super) fn truncate(&mut self, len: usize) {
        self.live.resize(len, 0);
        self.pending.push(Change::Truncate { len });
    }

    /// Moves all pending changes to the durable image.
    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            apply(&mut self.durable, &change);
        }
    }

    /// Drops the pending changes but leaves the page cache as it is: what Linux does to dirty
    /// pages when a write-back fails.
    pub(super) fn forget_pending(&mut self) -> u64 {
        let forgotten = self.pending.len() as u64;
        self.pending.clear();
        forgotten
    }

    /// Changes both views behind SQLite's back, as rot of the medium does.
    pub(super) fn edit(&mut self, change: impl Fn(&mut Vec<u8>)) {
        self.sync();
        change(&mut self.durable);
        self.live.clone_from(&self.durable);
    }

    /// Loses power: a random part of the pending changes reaches the durable image, which then is
    /// all there is.
    pub(super) fn cut(&mut self, rng: &mut ChaCha8Rng, mode: CutMode, report: &mut CutReport) {
        let mut pending = std::mem::take(&mut self.pending);
        // The regime is drawn per file, so that "journal all gone, database all there" and its
        // opposite come up often; an even chance per write would hardly ever draw them.
        let survive_in_256 = [0, 64, 128, 192, 256][below(rng, 5)];
        if mode != CutMode::Ordered && coin(rng) {
            shuffle(&mut pending, rng);
        }
        for change in &pending {
            let drawn = below(rng, 256);
            report.plan(match change {
                Change::Write { offset, bytes } => (*offset as u64) << 20 ^ bytes.len() as u64,
                Change::Truncate { len } => !(*len as u64),
            });
            report.plan(drawn as u64);
            if let Change::Write { offset, bytes } = change
                && below(rng, 4) == 0
                && (1..256).contains(&survive_in_256)
            {
                report.torn += 1;
                self.tear(*offset, bytes, rng, mode, report);
            } else if drawn < survive_in_256 {
                report.kept += 1;
                apply(&mut self.durable, change);
            } else {
                report.dropped += 1;
            }
        }
        self.live.clone_from(&self.durable);
    }

    /// Applies some of the aligned pieces of one write.
    fn tear(
        &mut self,
        offset: usize,
        bytes: &[u8],
        rng: &mut ChaCha8Rng,
        mode: CutMode,
        report: &mut CutReport,
    ) {
        let unit = if coin(rng) { SECTOR } else { BLOCK };
        let mut start = 0;
        while start < bytes.len() {
            let to_border = unit - (offset + start) % unit;
            let end = bytes.len().min(start + to_border);
            let fate = below(rng, 3);
            report.plan(fate as u64);
            match (fate, mode) {
                (0, _) => {}
                (1, CutMode::Noise | CutMode::Neighbour) => {
                    let mut noise = vec![0; end - start];
                    rng.fill_bytes(&mut noise);
                    overlay(&mut self.durable, offset + start, &noise);
                }
                _ => overlay(&mut self.durable, offset + start, &bytes[start..end]),
            }
            start = end;
        }
        if mode == CutMode::Neighbour {
            self.spoil_neighbours(offset, bytes.len(), rng);
        }
    }

    /// Fills the rest of the first 4 KiB block that a write touched with noise: the device does
    /// not keep the promise of SQLite's "powersafe overwrite".
    fn spoil_neighbours(&mut self, offset: usize, len: usize, rng: &mut ChaCha8Rng) {
        let block = offset - offset % BLOCK;
        let end = self.durable.len().min(block + BLOCK);
        for at in (block..offset.min(end)).chain((offset + len).min(end)..end) {
            self.durable[at] = (rng.next_u32() & 0xff) as u8;
        }
    }

    /// Returns the bytes readers see.
    pub(super) fn live(&self) -> &[u8] {
        &self.live
    }

    /// Returns the bytes that survive if every pending change is lost.
    pub(super) fn durable(&self) -> &[u8] {
        &self.durable
    }
}

fn apply(image: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, bytes } => overlay(image, *offset, bytes),
        Change::Truncate { len } => image.resize(*len, 0),
    }
}

fn overlay(image: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[offset..end].copy_from_slice(bytes);
}

fn shuffle(changes: &mut [Change], rng: &mut ChaCha8Rng) {
    for last in (1..changes.len()).rev() {
        changes.swap(last, below(rng, last + 1));
    }
}

/// Returns a number below `limit`; the bias of the remainder does not matter for a fault plan.
pub(super) fn below(rng: &mut ChaCha8Rng, limit: usize) -> usize {
    (rng.next_u64() % limit.max(1) as u64) as usize
}

fn coin(rng: &mut ChaCha8Rng) -> bool {
    rng.next_u32() & 1 == 1
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn synced_bytes_survive_every_cut() {
        for seed in 0..200 {
            let mut image = Image::default();
            image.write(0, &[1; 5000]);
            image.sync();
            image.write(5000, &[2; 3000]);
            image.cut(
                &mut ChaCha8Rng::seed_from_u64(seed),
                CutMode::Noise,
                &mut CutReport::default(),
            );
            assert_eq!(image.durable()[..5000], [1; 5000]);
        }
    }

    #[test]
    fn torn_writes_end_at_sector_borders() {
        let mut borders = 0;
        for seed in 0..200 {
            let mut image = Image::from_durable(vec![0; 8192]);
            image.write(100, &[7; 8000]);
            image.cut(
                &mut ChaCha8Rng::seed_from_u64(seed),
                CutMode::Reordered,
                &mut CutReport::default(),
            );
            for at in 101..8099 {
                if image.durable()[at] != image.durable()[at + 1] {
                    assert_eq!((at + 1) % SECTOR, 0, "seed {seed}");
                    borders += 1;
                }
            }
        }
        assert!(borders > 50);
    }
}
