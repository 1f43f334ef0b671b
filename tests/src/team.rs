//! A team of real stores: founding, joining by card and grant bundle, and packs carried by hand.
//!
//! Must not know: sessions, faults.

use tuquan_core::door::Tuquan;
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::record::declare::Role;
use tuquan_core::replica::Replica;
use tuquan_core::replica::ingest::Ingested;
use tuquan_core::replica::outgoing::{self, Vector};
use tuquan_core::sync::card::Card;

/// Lets `newcomer` join as a real phone does: it makes its identity and a card of it, `founder`
/// answers with the grant and a bundle of all that it holds, and by that the newcomer joins.
///
/// # Errors
/// What any of the steps returns; why a pack of the bundle was refused.
pub fn join(founder: &Tuquan, newcomer: &Tuquan, role: Role) -> Result<()> {
    join_by(founder, newcomer, role, true)
}

/// As [`join`], with the team list alone: records come later, in whatever order.
///
/// # Errors
/// As [`join`].
pub fn join_bare(founder: &Tuquan, newcomer: &Tuquan, role: Role) -> Result<()> {
    join_by(founder, newcomer, role, false)
}

fn join_by(founder: &Tuquan, newcomer: &Tuquan, role: Role, with_history: bool) -> Result<()> {
    newcomer.init()?;
    let card = newcomer.bulk(|replica| Ok(Card::encode(&replica.mind.identity()?.secret)))?;
    let card = Card::decode(&card)?;
    let bundle = founder.bulk(|replica| replica.grant_bundle(&card, role, with_history))?;
    let outcome = newcomer.bulk(|replica| replica.import_bundle(&bundle, &mut |_, _| {}))?;
    match outcome.refused.into_iter().next() {
        Some(error) => Err(error),
        None if outcome.joined && outcome.held == 0 => Ok(()),
        None => Err(Error::new(Kind::NotMember, "a grant that did not let the phone in")),
    }
}

/// Returns what a store holds of every log.
///
/// # Errors
/// Of the store.
pub fn vector(store: &Tuquan) -> Result<Vector> {
    store.bulk(|replica| outgoing::vector(&replica.connection, &replica.mind))
}

/// Seals, and returns whole packs of all that a peer with `theirs` lacks.
///
/// # Errors
/// Of the store.
pub fn packs(store: &Tuquan, theirs: &Vector) -> Result<Vec<Vec<u8>>> {
    store.bulk(|replica| {
        replica.seal()?;
        let Replica { connection, mind, env, .. } = replica;
        let mut packs = Vec::new();
        for stretch in outgoing::lacking(connection, mind, theirs)? {
            let made = outgoing::pack(connection, mind, env, stretch, 3, None)?;
            packs.extend(made.into_iter().map(|(_, bytes)| bytes));
        }
        Ok(packs)
    })
}

/// Carries everything that `to` lacks from `from` to it, once.
///
/// # Errors
/// Of the stores and of any pack.
pub fn give(from: &Tuquan, to: &Tuquan) -> Result<Ingested> {
    let mut outcome = Ingested::default();
    for pack in packs(from, &vector(to)?)? {
        outcome.add(to.bulk(|replica| replica.ingest(&pack))?);
    }
    Ok(outcome)
}

/// Verifies every chain and seal of a store by opening all that it would send to a newcomer;
/// returns how many entries there are.
///
/// # Errors
/// What does not verify.
pub fn verify(store: &Tuquan) -> Result<u64> {
    let packs = packs(store, &Vector::default())?;
    store.bulk(|replica| {
        packs.iter().try_fold(0, |sum, pack| {
            let header = tuquan_core::log::pack::Header::read(pack)?;
            let opened = tuquan_core::replica::ingest::open(&replica.mind, &header, pack)?;
            Ok(sum + opened.entries())
        })
    })
}
