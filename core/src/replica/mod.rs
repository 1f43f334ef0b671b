//! One replica: the logs, the members and the views of one phone, and the ways they grow: a local
//! write, a pack from outside, a rebuild, and what was salvaged of a damaged store or restored.
//!
//! Invariant: memory follows the disk. What a transaction did not commit is not in [`Mind`]; after
//! a failure it is read back. Must not know: sessions, commands, JSON.

pub mod branch;
pub mod fence;
pub mod gather;
pub mod govern;
pub mod ingest;
mod merging;
pub mod mind;
pub mod outgoing;
pub mod quarantine;
pub mod rebuild;
pub mod salvage;
pub mod standing;
pub mod step;
pub mod write;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use self::mind::Mind;
use crate::clock::Env;
use crate::error::{Kind, Result};
use crate::ids::RecordId;
use crate::store::open::Location;

/// The writing side of a replica: the one connection that writes, and what is known by heart.
#[derive(Debug)]
pub struct Replica {
    /// The one connection that writes.
    pub connection: Connection,
    /// What is known by heart.
    pub mind: Mind,
    /// Clock and randomness.
    pub env: Env,
    location: Location,
    doubts: Doubts,
}

/// What has to be read back from disk before anything else is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Doubts {
    /// Nothing.
    None,
    /// What is known by heart.
    Memory,
    /// The connection too.
    All,
}

/// A record that changed, for screens that show it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Changed {
    /// The record type's name.
    pub kind: String,
    /// The record.
    pub record: RecordId,
}

impl Replica {
    /// Opens the writing side of the store at `location`.
    ///
    /// # Errors
    /// `E-DBPAGE`, `E-DBNEWER`, `E-IO`.
    pub fn open(
        location: Location,
        schema: &'static [&'static crate::record::declare::Declaration],
        env: Env,
    ) -> Result<Self> {
        let connection = crate::store::open::writer(&location)?;
        let mind = Mind::load(&connection, schema)?;
        let mut replica = Self { connection, mind, env, location, doubts: Doubts::None };
        replica.prepare_views()?;
        replica.check_fence()?;
        if replica.mind.identity.is_some() {
            replica.retry_held()?;
        }
        Ok(replica)
    }

    /// Runs `act` in one durable transaction; when it fails nothing of it stays, on disk or in
    /// memory.
    ///
    /// # Errors
    /// What `act` returns; `E-FULL` when the storage is full; `E-IO` when it is not sure that the
    /// commit held: the store was then reopened and the caller looks again.
    pub fn transact<T>(
        &mut self,
        act: impl FnOnce(&Transaction<'_>, &mut Mind, &mut Env) -> Result<T>,
    ) -> Result<T> {
        self.refresh()?;
        let outcome = self.attempt(act);
        if let Err(error) = &outcome {
            self.doubt(error.kind);
            // When this fails too, the next use tries again before it does anything.
            let _ = self.refresh();
        }
        outcome
    }

    fn attempt<T>(
        &mut self,
        act: impl FnOnce(&Transaction<'_>, &mut Mind, &mut Env) -> Result<T>,
    ) -> Result<T> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = act(&transaction, &mut self.mind, &mut self.env)?;
        transaction.commit()?;
        Ok(value)
    }

    /// Notes that memory or connection may not be what the disk says, after an error of `kind`.
    pub fn doubt(&mut self, kind: Kind) {
        self.doubts =
            self.doubts.max(if kind.is_of_storage() { Doubts::All } else { Doubts::Memory });
    }

    /// Reads memory back from disk if it is in doubt. After an error of the storage the connection
    /// is made anew first, because one bad page poisons it for good.
    ///
    /// # Errors
    /// While the storage does not work; memory stays in doubt then.
    pub fn refresh(&mut self) -> Result<()> {
        if self.doubts == Doubts::All {
            self.connection = crate::store::open::writer(&self.location)?;
        }
        if self.doubts != Doubts::None {
            let mut mind = Mind::load(&self.connection, self.mind.schema)?;
            mind.fence = self.mind.fence.take();
            self.mind = mind;
            self.doubts = Doubts::None;
        }
        Ok(())
    }
}
