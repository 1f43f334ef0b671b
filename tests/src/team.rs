//! A team of real stores: founding, joining by card and grant, and packs carried by hand.
//!
//! Must not know: sessions, faults.

use tuquan_core::door::Tuquan;
use tuquan_core::error::Result;
use tuquan_core::ids::SpaceId;
use tuquan_core::record::declare::Role;
use tuquan_core::replica::Replica;
use tuquan_core::replica::ingest::Ingested;
use tuquan_core::replica::outgoing::{self, Vector};
use tuquan_core::replica::write::GrantOf;
use tuquan_core::sync::card::Card;

/// Makes the identity of `newcomer` and lets `founder` grant it a role; both know it then.
///
/// # Errors
/// What any of the steps returns.
pub fn join(founder: &Tuquan, newcomer: &Tuquan, role: Role) -> Result<()> {
    newcomer.init()?;
    let card = newcomer.bulk(|replica| Ok(Card::encode(&replica.mind.identity()?.secret)))?;
    let card = Card::decode(&card)?;
    let space = founder.bulk(|replica| {
        replica.grant(&GrantOf::writer(card.device, card.unbox, role))?;
        replica.mind.space()
    })?;
    enter(newcomer, space)?;
    give(founder, newcomer).map(drop)
}

/// Makes the space known to a newcomer, as its first bundle does.
fn enter(newcomer: &Tuquan, space: SpaceId) -> Result<()> {
    newcomer.bulk(|replica| {
        replica.transact(|transaction, mind, _| {
            let mut identity = mind.identity()?.clone();
            identity.space = Some(space);
            mind.set_identity(transaction, identity)
        })
    })
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
