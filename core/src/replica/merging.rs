//! Merging what does not follow a record in a line: its items are read back and merged as one set.
//!
//! Nothing is left out silently: what cannot be read or merged is noted, kept aside and tried again
//! with the record's next merge and with a rebuild. Must not know: how items came.

use rusqlite::{Transaction, params};

use super::gather::{Cache, Gathered, gather};
use super::mind::Mind;
use super::step::{Touched, note_damaged};
use crate::clock::Hlc;
use crate::error::{Error, Kind, Result};
use crate::ids::{Digest, LogId};
use crate::log::item::Place;
use crate::record::document::merge_by;
use crate::record::graph::GraphItem;
use crate::store::logs;
use crate::store::views::{FLAG_ASIDE, FLAG_CLOCK, FLAG_DAMAGED, Head, Stored, View};

/// Merges a record with the items that came in this step; without success its row stays as it was,
/// flagged.
///
/// # Errors
/// Of the store.
pub(super) fn merge_into(
    transaction: &Transaction<'_>,
    mind: &Mind,
    view: &View,
    touched: &mut Touched,
    cache: &mut Cache,
) -> Result<()> {
    let extra = std::mem::take(&mut touched.extra);
    let came: Vec<Place> = extra.iter().map(|item| item.place).collect();
    let record = &mut touched.record;
    let Gathered { items, strangers, lost, beyond } =
        gather(transaction, mind, view, record, extra, cache)?;
    if !lost.is_empty() {
        // Without these the record would forget what it says.
        let error = Error::new(Kind::DbPage, "an item of a record is not in the store");
        // Of a log that is not known here nothing can be noted: when it comes it has another number.
        for place in lost.iter().filter(|place| mind.log(&place.log).is_some()) {
            note_damaged(transaction, mind, *place, &error)?;
        }
        return put_off(transaction, mind, view, record, &came);
    }
    let notes = [
        (strangers, Error::new(Kind::Format, "a change that does not build on its record")),
        (beyond, Error::new(Kind::ChangeTooBig, "more items than a merge reads")),
    ];
    let is_cut = !notes[1].0.is_empty();
    for (places, error) in &notes {
        for place in places {
            note_damaged(transaction, mind, *place, error)?;
        }
    }
    if items.is_empty() {
        return Ok(());
    }
    let (count, first) = (items.len() as u64, first_of(&items));
    let has_aside = record.flags & FLAG_ASIDE != 0;
    let waited: Vec<Place> = items.iter().filter(|_| has_aside).map(|item| item.place).collect();
    let Ok(merged) = merge_by(mind.build, view.of, items) else {
        return put_off(transaction, mind, view, record, &came);
    };
    record.items = count;
    if let Some((hlc, log)) = first {
        record.saved = hlc;
        record.log = log;
    }
    forget_failures(transaction, mind, &waited)?;
    record.state = merged.state;
    record.size = merged.size;
    record.heads = merged.heads.iter().map(|(place, d)| head(*place, d)).collect();
    put_aside(transaction, mind, view, record, &merged.flagged)?;
    record.flags &= !(FLAG_DAMAGED | FLAG_CLOCK);
    if record.saved.is_implausible() {
        record.flags |= FLAG_CLOCK;
    }
    if is_cut || !merged.damaged.is_empty() || !merged.flagged.is_empty() {
        record.flags |= FLAG_DAMAGED;
    }
    Ok(())
}

/// Keeps items that could not be merged now, and says so: the entries are there, the row says what
/// it said. The next merge of the record tries again, and so does a rebuild, which another version
/// begins by itself.
fn put_off(
    transaction: &Transaction<'_>,
    mind: &Mind,
    view: &View,
    record: &mut Stored,
    places: &[Place],
) -> Result<()> {
    // A record that was never merged is listed all the same, without content.
    record.items = record.items.max(1);
    record.flags |= FLAG_DAMAGED;
    // What an item has been noted for before says more.
    let mut note = transaction.prepare_cached("INSERT OR IGNORE INTO damaged VALUES (?, ?, ?)")?;
    for place in places {
        let at = logs::at(mind.local_no(&place.log), place.seq);
        note.execute(params![at, place.index, Kind::Change.code()])?;
    }
    add_aside(transaction, mind, view, record, places)
}

/// Takes back what was noted of items when an earlier merge of their record failed.
fn forget_failures(transaction: &Transaction<'_>, mind: &Mind, places: &[Place]) -> Result<()> {
    let sql = "DELETE FROM damaged WHERE at = ? AND item = ? AND code IN (?, ?)";
    let mut forget = transaction.prepare_cached(sql)?;
    let codes = [Kind::Change.code(), Kind::DbPage.code()];
    for place in places {
        let at = logs::at(mind.local_no(&place.log), place.seq);
        forget.execute(params![at, place.index, codes[0], codes[1]])?;
    }
    Ok(())
}

/// Remembers all items that no head leads to: those over the bounds, and none of those before.
fn put_aside(
    transaction: &Transaction<'_>,
    mind: &Mind,
    view: &View,
    record: &mut Stored,
    places: &[Place],
) -> Result<()> {
    if places.is_empty() && record.flags & FLAG_ASIDE == 0 {
        return Ok(());
    }
    let kind = view.of.kind.cast_signed();
    transaction
        .prepare_cached("DELETE FROM aside WHERE kind = ? AND record = ?")?
        .execute(params![kind, record.id])?;
    record.flags &= !FLAG_ASIDE;
    add_aside(transaction, mind, view, record, places)
}

/// Remembers items that no head leads to, beside those that are remembered already.
fn add_aside(
    transaction: &Transaction<'_>,
    mind: &Mind,
    view: &View,
    record: &mut Stored,
    places: &[Place],
) -> Result<()> {
    let kind = view.of.kind.cast_signed();
    for place in places {
        record.flags |= FLAG_ASIDE;
        let at = logs::at(mind.local_no(&place.log), place.seq);
        transaction
            .prepare_cached("INSERT OR IGNORE INTO aside VALUES (?, ?, ?, ?)")?
            .execute(params![kind, record.id, at, place.index])?;
    }
    Ok(())
}

/// The creation that gives a record its time: the earliest root, by clock and then log.
fn first_of(items: &[GraphItem]) -> Option<(Hlc, LogId)> {
    let roots = items.iter().filter(|item| item.deps.is_empty());
    roots.map(|item| (item.hlc, item.place.log)).min()
}

/// Returns an item as a row names it among its heads.
pub(super) fn head(place: Place, digest: &Digest) -> Head {
    let mut check = [0; 4];
    check.copy_from_slice(&digest.0[..4]);
    Head { place, check }
}
