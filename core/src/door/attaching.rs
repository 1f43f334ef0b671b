//! Photos of records: attaching, listing, opening, taking out; and chunks for who carries them.
//!
//! A photo is saved with the entry that names it, in one transaction: never half of it. Its key
//! stays behind this door. Must not know: cameras, files, relays.

use rusqlite::Connection;

use super::{Applied, Tuquan, repeated};
use crate::attachment::{self, ImageKind, Manifest, Photo, image};
use crate::error::{Error, Kind, Result};
use crate::ids::{ChunkHash, ElementKey, RecordId, RequestId};
use crate::record::declare::FieldType;
use crate::store::chunks;
use crate::store::views::View;

/// The field of a record type that holds its photos.
const PHOTOS: &str = "photos";

/// One photo of a record, without what opens it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Attachment {
    /// Its key in the record.
    pub key: ElementKey,
    /// What sort of image; none when it is of a newer version.
    pub image: Option<ImageKind>,
    /// How many bytes it has.
    pub size: u32,
    /// When it was saved, in ms.
    pub saved_ms: i64,
    /// How many of its chunks are here.
    pub here: u32,
    /// How many chunks it has.
    pub of: u32,
}

/// A photo, or how much of it is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// All of it.
    Whole(image::Image),
    /// Not all chunks have come yet.
    Missing {
        /// How many are missing.
        missing: u32,
        /// Of how many.
        of: u32,
    },
}

impl Tuquan {
    /// Attaches a photo to a record, durably, without its metadata: when this returns, entry and
    /// photo are saved on this phone. A repeated request id returns the first answer.
    ///
    /// # Errors
    /// `E-IMAGE` for what is no image that can be used; `E-INVALID` where the record takes no
    /// photos, as those of a sealed kind; as [`Tuquan::apply`].
    pub fn attach(&self, request: RequestId, record: &RecordId, bytes: &[u8]) -> Result<Applied> {
        let key = {
            let mut replica = self.writer.tap();
            replica.refresh()?;
            if let Some(answer) = repeated(&replica.mind, &request) {
                return Ok(answer);
            }
            replica.env.random()
        };
        // Neither cleaning nor sealing keeps another tap waiting.
        let image = image::clean(bytes)?;
        let sealed = attachment::seal(&image.bytes, key)?;
        let photo = Photo { image: Some(image.kind), manifest: Some(sealed.manifest) };
        self.write_planned(request, |planner| {
            for chunk in &sealed.chunks {
                chunks::put_own(planner.transaction, chunk)?;
            }
            planner.attach(record, PHOTOS, photo.to_value())
        })
    }

    /// Takes a photo out of a record; its chunks go from this phone at once, and from others when
    /// they hear of it.
    ///
    /// # Errors
    /// `E-NOTFOUND`; as [`Tuquan::apply`].
    pub fn detach(
        &self,
        request: RequestId,
        record: &RecordId,
        key: &ElementKey,
    ) -> Result<Applied> {
        self.write_planned(request, |planner| planner.detach(record, PHOTOS, *key))
    }

    /// Lists the photos of a record, in the order in which they were saved.
    ///
    /// # Errors
    /// `E-NOTFOUND`; of the store.
    pub fn attachments(&self, record: &RecordId) -> Result<Vec<Attachment>> {
        self.readers.read(|connection| {
            let photos = photos(connection, &self.views, record)?;
            photos.into_iter().map(|(shown, _)| Ok(shown)).collect()
        })
    }

    /// Opens one photo of a record.
    ///
    /// # Errors
    /// `E-NOTFOUND`; `E-CHUNK` when the chunks that the record names do not open, `E-IMAGE` when
    /// they are no image that is safe to show: whoever attached it did not use this library; of
    /// the store.
    pub fn attachment(&self, record: &RecordId, key: &ElementKey) -> Result<Opened> {
        let none = || Error::new(Kind::NotFound, format!("photo {key}"));
        let (manifest, found) = self.readers.read(|connection| {
            let photos = photos(connection, &self.views, record)?;
            let mut photos = photos.into_iter().filter(|(shown, _)| shown.key == *key);
            let (_, manifest) = photos.next().ok_or_else(none)?;
            let found = manifest.chunks().iter().map(|hash| chunks::get(connection, hash));
            let found: Vec<Result<Option<Vec<u8>>>> = found.collect();
            Ok((manifest, found))
        })?;
        let of = u32::try_from(found.len()).unwrap_or(u32::MAX);
        let mut here = Vec::with_capacity(found.len());
        for (hash, chunk) in manifest.chunks().iter().zip(found) {
            match chunk {
                Ok(chunk) => here.extend(chunk),
                Err(error) if error.kind == Kind::Chunk => self.forget_chunk(hash)?,
                Err(error) => return Err(error),
            }
        }
        if here.len() < manifest.chunks().len() {
            let missing = of - u32::try_from(here.len()).unwrap_or(of);
            return Ok(Opened::Missing { missing, of });
        }
        Ok(Opened::Whole(image::clean(&attachment::open(&manifest, &here)?)?))
    }

    /// Returns up to `limit` chunks that photos of records are made of and that are not here,
    /// those of the smallest photos first.
    ///
    /// # Errors
    /// Of the store.
    pub fn missing_chunks(&self, limit: usize) -> Result<Vec<ChunkHash>> {
        self.readers.read(|connection| chunks::missing(connection, limit))
    }

    /// Keeps a chunk that came; false when no record lacks it, and then it is not kept.
    ///
    /// # Errors
    /// `E-CHUNK` when it is not the one of that hash; of the store.
    pub fn put_chunk(&self, hash: &ChunkHash, bytes: &[u8]) -> Result<bool> {
        self.bulk(|replica| {
            replica.transact(|transaction, _, _| chunks::put(transaction, hash, bytes))
        })
    }

    /// Returns a sealed chunk; none when it is not here.
    ///
    /// # Errors
    /// Of the store.
    pub fn chunk(&self, hash: &ChunkHash) -> Result<Option<Vec<u8>>> {
        match self.readers.read(|connection| chunks::get(connection, hash)) {
            Err(error) if error.kind == Kind::Chunk => {
                self.forget_chunk(hash)?;
                Ok(None)
            }
            other => other,
        }
    }

    /// Returns up to `limit` chunks that are here and that the relay is not known to have, those
    /// of the smallest photos first.
    ///
    /// # Errors
    /// Of the store.
    pub fn chunks_to_offer(&self, limit: usize) -> Result<Vec<ChunkHash>> {
        self.readers.read(|connection| chunks::to_relay(connection, limit))
    }

    /// Notes that the relay has these chunks.
    ///
    /// # Errors
    /// Of the store.
    pub fn note_relayed(&self, hashes: &[ChunkHash]) -> Result<()> {
        self.bulk(|replica| {
            replica.transact(|transaction, _, _| chunks::note_relayed(transaction, hashes))
        })
    }

    /// Forgets which chunks the relay has: it is another one, or was restored.
    ///
    /// # Errors
    /// Of the store.
    pub fn forget_relayed(&self) -> Result<()> {
        self.bulk(|replica| {
            replica.transact(|transaction, _, _| chunks::forget_relayed(transaction))
        })
    }

    /// Removes a chunk that was found damaged, so that it is fetched again.
    fn forget_chunk(&self, hash: &ChunkHash) -> Result<()> {
        self.bulk(|replica| replica.transact(|transaction, _, _| chunks::forget(transaction, hash)))
    }
}

/// Returns the photos of a record with what opens them; those that cannot be read are left out.
fn photos(
    connection: &Connection,
    views: &[View],
    record: &RecordId,
) -> Result<Vec<(Attachment, Manifest)>> {
    let missing = || Error::new(Kind::NotFound, format!("record {record}"));
    let mut found = None;
    for view in views {
        if let Some(stored) = view.load(connection, record)? {
            found = Some((view, stored));
            break;
        }
    }
    let (view, stored) = found.ok_or_else(missing)?;
    let Some(field) = view.of.field_named(PHOTOS).filter(|field| field.ty == Photo::TYPE) else {
        return Ok(Vec::new());
    };
    let mut photos = Vec::new();
    for (key, held) in stored.state.list(field.number) {
        let Some(Photo { image, manifest: Some(manifest) }) = Photo::from_value(&held.value) else {
            continue;
        };
        let mut here = 0;
        for hash in manifest.chunks() {
            here += u32::from(chunks::is_here(connection, hash)?);
        }
        let of = u32::try_from(manifest.chunks().len()).unwrap_or(u32::MAX);
        let (size, saved_ms) = (manifest.size(), held.stamp.hlc.ms());
        photos.push((Attachment { key, image, size, saved_ms, here, of }, manifest));
    }
    Ok(photos)
}
