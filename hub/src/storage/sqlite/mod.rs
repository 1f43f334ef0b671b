//! The storage in one SQLite file: write-ahead log, every commit synced before it is answered.
//!
//! One connection writes, in the order of asking; a few others read. All work is done on threads
//! where waiting for a disk stops nobody. Must not know: HTTP, who is a member.

mod chunks;
mod doors;
mod packs;
mod schema;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Transaction};
use tokio::sync::Semaphore;
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::ids::{DeviceKey, Digest, PersonId, SpaceId};

use super::{
    Ack, Bearer, Erasable, Kept, Later, Listed, NewPack, Nonce, Opened, Quota, Slot, Storage,
    Token, Usage, Version,
};

/// How many connections read at a time.
const READERS: usize = 3;

/// The storage in a folder.
#[derive(Debug)]
pub struct Sqlite {
    folder: PathBuf,
    writer: Arc<tokio::sync::Mutex<Connection>>,
    readers: Arc<Mutex<Vec<Connection>>>,
    reading: Semaphore,
}

impl Sqlite {
    /// Opens the database in `folder`, or makes it.
    ///
    /// # Errors
    /// Of the folder and the file; `E-DBNEWER`; `E-IO` when the file does not take the settings
    /// that durability rests on.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::open_on(folder, None)
    }

    /// As [`Sqlite::open`], through a file layer that SQLite knows by name: tests bring one whose
    /// writes fail.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub fn open_on(folder: &Path, vfs: Option<&str>) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let file = folder.join("hub.db");
        let mut writer = schema::connect(&file, vfs)?;
        schema::prepare(&mut writer, &file)?;
        let readers: Vec<Connection> =
            (0..READERS).map(|_| schema::connect(&file, vfs)).collect::<Result<_>>()?;
        Ok(Self {
            folder: folder.to_owned(),
            writer: Arc::new(tokio::sync::Mutex::new(writer)),
            readers: Arc::new(Mutex::new(readers)),
            reading: Semaphore::new(READERS),
        })
    }

    /// Does `work` in one transaction that is on the disk when this returns.
    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Later<'_, T> {
        Box::pin(async move {
            // The lock is fair: who asked first writes first.
            let mut connection = Arc::clone(&self.writer).lock_owned().await;
            let job = move || {
                let transaction = connection
                    .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
                let done = work(&transaction)?;
                transaction.commit()?;
                Ok(done)
            };
            tokio::task::spawn_blocking(job).await.map_err(|_| lost())?
        })
    }

    /// Does `work` on one state of the database.
    fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Later<'_, T> {
        Box::pin(async move {
            let _turn = self.reading.acquire().await.map_err(|_| lost())?;
            let readers = Arc::clone(&self.readers);
            let job = move || {
                let taken = readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let mut connection = taken.ok_or_else(lost)?;
                let done = (|| work(&connection.transaction()?))();
                readers.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
                done
            };
            tokio::task::spawn_blocking(job).await.map_err(|_| lost())?
        })
    }
}

/// A job was lost because the process is stopping.
fn lost() -> Error {
    Error::new(Kind::Io, "the storage is closing")
}

impl Storage for Sqlite {
    fn epoch(&self) -> Later<'_, [u8; 16]> {
        self.read(schema::epoch)
    }

    fn usage(&self) -> Later<'_, Usage> {
        self.read(doors::usage)
    }

    fn free_bytes(&self) -> Later<'_, Option<u64>> {
        let folder = self.folder.clone();
        Box::pin(async move {
            let job = move || free_bytes(&folder);
            tokio::task::spawn_blocking(job).await.map_err(|_| lost())
        })
    }

    fn put_packs(
        &self,
        space: SpaceId,
        packs: Vec<NewPack>,
        bearer: Option<Bearer>,
        quota: Quota,
    ) -> Later<'_, Vec<Kept>> {
        self.write(move |tx| packs::put(tx, &space, &packs, bearer.as_ref(), quota))
    }

    fn spaces(&self) -> Later<'_, Vec<SpaceId>> {
        self.read(packs::spaces)
    }

    fn version(&self, space: SpaceId) -> Later<'_, Option<Version>> {
        self.read(move |tx| packs::version(tx, &space))
    }

    fn ids(&self, space: SpaceId) -> Later<'_, (Version, Vec<Digest>)> {
        self.read(move |tx| packs::ids(tx, &space))
    }

    fn list(&self, space: SpaceId, after: u64, limit: u32) -> Later<'_, Vec<Listed>> {
        self.read(move |tx| packs::list(tx, &space, after, limit))
    }

    fn packs(&self, space: SpaceId, ids: Vec<Digest>, bytes_max: usize) -> Later<'_, Vec<Vec<u8>>> {
        self.read(move |tx| packs::get(tx, &space, &ids, bytes_max))
    }

    fn open_packs(&self, space: SpaceId) -> Later<'_, (Version, Vec<Vec<u8>>)> {
        self.read(move |tx| packs::open_packs(tx, &space))
    }

    fn put_opened(
        &self,
        space: SpaceId,
        ids: Vec<Digest>,
        person: PersonId,
        now_ms: i64,
    ) -> Later<'_, ()> {
        self.write(move |tx| packs::put_opened(tx, &space, &ids, &person, now_ms))
    }

    fn opened(&self, space: SpaceId) -> Later<'_, Vec<Opened>> {
        self.read(move |tx| packs::opened(tx, &space))
    }

    fn drop_covered(&self, space: SpaceId, id: Digest, by: Digest) -> Later<'_, bool> {
        self.write(move |tx| packs::drop_covered(tx, &space, &id, &by))
    }

    fn erase(
        &self,
        space: SpaceId,
        what: Erasable,
        ids: Vec<Digest>,
        only: Option<PersonId>,
    ) -> Later<'_, u64> {
        Box::pin(async move {
            let count = self
                .write(move |tx| match what {
                    Erasable::Packs => packs::erase(tx, &space, &ids, only.as_ref()),
                    Erasable::Chunks => chunks::erase(tx, &space, &ids, only.as_ref()),
                })
                .await?;
            // Erased bytes are overwritten in the file; they must not stay in the log beside it.
            let connection = Arc::clone(&self.writer).lock_owned().await;
            let job = move || schema::empty_log(&connection);
            tokio::task::spawn_blocking(job).await.map_err(|_| lost())??;
            Ok(count)
        })
    }

    fn put_ack(&self, space: SpaceId, ack: Ack, now_ms: i64) -> Later<'_, bool> {
        self.write(move |tx| doors::put_ack(tx, &space, &ack, now_ms))
    }

    fn ack_hashes(&self, space: SpaceId) -> Later<'_, Vec<Digest>> {
        self.read(move |tx| doors::ack_hashes(tx, &space))
    }

    fn acks(&self, space: SpaceId) -> Later<'_, Vec<Vec<u8>>> {
        self.read(move |tx| doors::acks(tx, &space))
    }

    fn put_chunk(
        &self,
        space: SpaceId,
        id: Digest,
        bytes: Vec<u8>,
        bearer: Bearer,
        quota: Quota,
    ) -> Later<'_, Kept> {
        self.write(move |tx| chunks::put(tx, &space, &id, &bytes, &bearer, quota))
    }

    fn chunk(&self, space: SpaceId, id: Digest) -> Later<'_, Option<Vec<u8>>> {
        self.read(move |tx| chunks::get(tx, &space, &id))
    }

    fn missing_chunks(&self, space: SpaceId, ids: Vec<Digest>) -> Later<'_, Vec<Digest>> {
        self.read(move |tx| chunks::missing(tx, &space, &ids))
    }

    fn put_nonce(
        &self,
        nonce: [u8; 32],
        space: SpaceId,
        device: DeviceKey,
        expires_ms: i64,
    ) -> Later<'_, ()> {
        self.write(move |tx| doors::put_nonce(tx, &nonce, &space, &device, expires_ms))
    }

    fn take_nonce(
        &self,
        nonce: [u8; 32],
        space: SpaceId,
        device: DeviceKey,
        now_ms: i64,
    ) -> Later<'_, Nonce> {
        self.write(move |tx| doors::take_nonce(tx, &nonce, &space, &device, now_ms))
    }

    fn put_token(&self, hash: [u8; 32], token: Token) -> Later<'_, ()> {
        self.write(move |tx| doors::put_token(tx, &hash, &token))
    }

    fn token(&self, hash: [u8; 32]) -> Later<'_, Option<Token>> {
        self.read(move |tx| doors::token(tx, &hash))
    }

    fn put_slot(
        &self,
        slot: Slot,
        bytes: Vec<u8>,
        now_ms: i64,
        expires_ms: i64,
        bytes_max: u64,
    ) -> Later<'_, Option<bool>> {
        self.write(move |tx| {
            doors::drop_old_slots(tx, now_ms)?;
            doors::put_slot(tx, slot, &bytes, expires_ms, bytes_max)
        })
    }

    fn slot(&self, slot: Slot, now_ms: i64) -> Later<'_, Option<Vec<u8>>> {
        self.read(move |tx| doors::slot(tx, slot, now_ms))
    }

    fn purge(&self, now_ms: i64) -> Later<'_, ()> {
        self.write(move |tx| doors::purge(tx, now_ms))
    }
}

#[cfg(unix)]
fn free_bytes(folder: &Path) -> Option<u64> {
    let room = rustix::fs::statvfs(folder).ok()?;
    Some(room.f_bavail.saturating_mul(room.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_folder: &Path) -> Option<u64> {
    None
}
