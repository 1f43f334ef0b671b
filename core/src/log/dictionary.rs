//! The zstd dictionary of suite 1, and compressing and inflating under it within bounds.
//!
//! Invariant: the dictionary never changes inside a suite, and inflating stops at the caller's
//! bound before anything is allocated. It is trained on generated samples, never on collected
//! logs. Must not know: what is compressed.

use std::sync::OnceLock;

use zstd::zstd_safe::zstd_sys::ZSTD_EndDirective;
use zstd::zstd_safe::{
    CCtx, CDict, CParameter, DCtx, DDict, InBuffer, OutBuffer, compress_bound,
    find_frame_compressed_size, get_frame_content_size,
};

use crate::error::{Error, Kind, Result};

/// The BLAKE3 hash of the dictionary that suite 1 names.
pub const DICTIONARY_HASH: &str =
    "949784650a4235036359b715d5a1c8a8f57c5236d60c8e32f8287449219717b3";
/// The most bytes that a dictionary may have.
pub const DICTIONARY_BYTES_MAX: usize = 16 << 10;
/// The highest compression level.
pub const LEVEL_MAX: i32 = 19;
/// The compression level of packs that are made in passing.
pub const LEVEL: i32 = 3;

const LEVELS: usize = LEVEL_MAX as usize + 1;

/// Returns the dictionary of suite 1.
#[must_use]
pub fn dictionary() -> &'static [u8] {
    include_bytes!("dictionary_v1.bin")
}

/// Compresses `bytes` into one zstd frame that declares its content size.
///
/// A new block starts at each offset in `cuts` (ascending), so that random bytes, small numbers
/// and text do not share one code table.
///
/// # Errors
/// `E-SIZE` when the library refuses, which it does for nothing within our bounds.
pub fn compress(bytes: &[u8], cuts: &[usize], level: i32) -> Result<Vec<u8>> {
    let refused = |_| Error::new(Kind::Size, "zstd refused to compress");
    let mut context = CCtx::create();
    context.ref_cdict(encoder(level)).map_err(refused)?;
    for parameter in [
        CParameter::ContentSizeFlag(true),
        CParameter::DictIdFlag(false),
        CParameter::ChecksumFlag(false),
    ] {
        context.set_parameter(parameter).map_err(refused)?;
    }
    context.set_pledged_src_size(Some(bytes.len() as u64)).map_err(refused)?;
    // Each flush can add a block header and a few bytes of bookkeeping to the library's bound.
    let mut frame = Vec::with_capacity(compress_bound(bytes.len()) + 32 * (cuts.len() + 1));
    let mut output = OutBuffer::around(&mut frame);
    let mut start = 0;
    let cuts = cuts.iter().copied().filter(|cut| *cut < bytes.len());
    for end in cuts.chain([bytes.len()]) {
        let last = end == bytes.len();
        let directive =
            if last { ZSTD_EndDirective::ZSTD_e_end } else { ZSTD_EndDirective::ZSTD_e_flush };
        let part = bytes.get(start..end).unwrap_or_default();
        let mut input = InBuffer::around(part);
        let left = context.compress_stream2(&mut output, &mut input, directive);
        if left.map_err(refused)? != 0 {
            return Err(Error::new(Kind::Size, "zstd ran out of room"));
        }
        start = end;
    }
    Ok(frame)
}

/// Inflates one frame that takes all of `frame` and declares at most `max` bytes.
///
/// # Errors
/// `E-SIZE` over `max`, before anything is allocated; `E-BODY` on damage; `E-FORMAT` when the
/// size is not declared; `E-TRAIL` when something follows the frame.
pub fn inflate(frame: &[u8], max: usize) -> Result<Vec<u8>> {
    let damaged = || Error::new(Kind::Body, "a damaged zstd frame");
    let declared = get_frame_content_size(frame)
        .map_err(|_| damaged())?
        .ok_or_else(|| Error::new(Kind::Format, "a zstd frame without its content size"))?;
    let size = usize::try_from(declared).unwrap_or(usize::MAX);
    if size > max {
        return Err(Error::new(Kind::Size, format!("{declared} bytes inflated are over {max}")));
    }
    if find_frame_compressed_size(frame).map_err(|_| damaged())? != frame.len() {
        return Err(Error::new(Kind::Trailing, "bytes after the zstd frame"));
    }
    let mut context = DCtx::create();
    let mut bytes = Vec::with_capacity(size);
    context.decompress_using_ddict(&mut bytes, frame, decoder()).map_err(|_| damaged())?;
    if bytes.len() != size {
        return Err(damaged());
    }
    Ok(bytes)
}

fn encoder(level: i32) -> &'static CDict<'static> {
    static PREPARED: [OnceLock<CDict<'static>>; LEVELS] = [const { OnceLock::new() }; LEVELS];
    let level = level.clamp(1, LEVEL_MAX);
    let slot = usize::try_from(level).unwrap_or_default();
    PREPARED[slot].get_or_init(|| CDict::create(dictionary(), level))
}

fn decoder() -> &'static DDict<'static> {
    static PREPARED: OnceLock<DDict<'static>> = OnceLock::new();
    PREPARED.get_or_init(|| DDict::create(dictionary()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suite_names_the_dictionary_that_is_built_in() {
        assert!(dictionary().len() <= DICTIONARY_BYTES_MAX);
        assert_eq!(blake3::hash(dictionary()).to_hex().as_str(), DICTIONARY_HASH);
    }

    #[test]
    fn cuts_change_the_blocks_and_not_the_content() {
        let bytes: Vec<u8> = (0..40_000_u32).map(|n| ((n * n) >> 5) as u8).collect();
        for cuts in [&[][..], &[1], &[100, 100, 30_000], &[0, 40_000, 50_000]] {
            for level in [-5, 1, 3, 9, 19, 40] {
                let frame = compress(&bytes, cuts, level).expect("compressed");
                assert_eq!(inflate(&frame, bytes.len()).expect("inflated"), bytes);
            }
        }
        let empty = compress(&[], &[], LEVEL).expect("compressed");
        assert!(inflate(&empty, 0).expect("inflated").is_empty());
    }

    #[test]
    fn a_frame_over_the_bound_is_refused_unread() {
        let frame = compress(&vec![0; 100 << 20], &[], 1).expect("compressed");
        assert!(frame.len() < 64 << 10);
        assert_eq!(inflate(&frame, 8 << 20).expect_err("refused").kind, Kind::Size);
    }

    #[test]
    fn damage_and_what_follows_a_frame_are_refused() {
        let frame = compress(&[7; 1_000], &[], LEVEL).expect("compressed");
        let cut = frame.len() - 1;
        assert_eq!(inflate(&frame[..cut], 2_000).expect_err("refused").kind, Kind::Body);
        let twice = [&frame[..], &frame[..]].concat();
        assert_eq!(inflate(&twice, 4_000).expect_err("refused").kind, Kind::Trailing);
        assert_eq!(inflate(b"TQP1", 2_000).expect_err("refused").kind, Kind::Body);
    }
}
