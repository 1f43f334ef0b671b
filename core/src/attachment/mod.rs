//! Photos: what a record keeps of one, and how its bytes are sealed.
//!
//! The bytes leave the log alone: a record has a manifest with the hashes of the sealed chunks and
//! their key, and the chunks go from phone to phone after all text. Whoever has only chunks sees
//! sizes. Invariant: what opens is a clean image of the size that its manifest says. Must not know:
//! where chunks are kept, how they travel.

pub mod image;
mod sealed;

pub use self::sealed::{
    BYTES_MAX, CHUNK_LEN, CHUNKS_MAX, MANIFEST_BYTES_MAX, Manifest, SEALED_CHUNK_LEN_MAX, Sealed,
    chunk_hash, open, seal,
};
use crate::choice;
use crate::record::declare::shipped_element as element;

choice! {
    /// What sort of image a photo is.
    #[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
    pub enum ImageKind {
        /// JPEG.
        Jpeg = 1 "jpeg",
        /// PNG.
        Png = 2 "png",
        /// WebP.
        WebP = 3 "webp",
    }
}

element! {
    /// A photo of a record.
    pub struct Photo {
        /// What sort of image.
        image: ImageKind,
        /// What opens it.
        manifest: Manifest,
    }
}
