//! Image files for tests, made by hand: their walls are real, what they show is noise.
//!
//! Must not know: what is done with them.

/// Where a phone was when a picture was taken: must be in no cleaned one.
pub const SECRET_PLACE: &[u8] = b"21.0285N 105.8542E secret";

/// Returns `len` bytes that do not compress, from `seed`, without the byte 0xff.
#[must_use]
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(0x1405_7b7e_f767_814f);
        state.to_be_bytes()[0] & 0xfe
    };
    (0..len).map(|_| next()).collect()
}

/// Returns a JPEG segment.
#[must_use]
pub fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len() + 2).unwrap_or(u16::MAX);
    [&[0xff, marker][..], &len.to_be_bytes(), body].concat()
}

/// Returns a JPEG of this size in pixels with `extra` segments in front and `data` as its scan.
#[must_use]
pub fn jpeg(width: u16, height: u16, extra: &[u8], data: &[u8]) -> Vec<u8> {
    let jfif = [&b"JFIF\0\x01\x02\x00\x00\x48\x00\x48"[..], &[0, 0]].concat();
    let size = [height.to_be_bytes(), width.to_be_bytes()].concat();
    let frame = [&[8][..], &size, &[1, 1, 0x11, 0]].concat();
    [
        &[0xff, 0xd8][..],
        &segment(0xe0, &jfif),
        extra,
        &segment(0xdb, &[0; 65]),
        &segment(0xc0, &frame),
        &segment(0xc4, &[0; 17]),
        &segment(0xda, &[1, 1, 0, 0, 63, 0]),
        data,
        &[0xff, 0xd9],
    ]
    .concat()
}

/// Returns a segment with a place in it, as cameras write it.
#[must_use]
pub fn exif() -> Vec<u8> {
    segment(0xe1, &[b"Exif\0\0", SECRET_PLACE].concat())
}

/// Returns a PNG chunk; nobody here computes its check, which a reader without decoding ignores.
#[must_use]
pub fn png_chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [&len.to_be_bytes()[..], name, body, &[0; 4]].concat()
}

/// Returns a PNG of this size in pixels with `extra` chunks before its data.
#[must_use]
pub fn png(width: u32, height: u32, extra: &[u8], data: &[u8]) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    let parts = [png_chunk(b"IHDR", &header), extra.to_vec(), png_chunk(b"IDAT", data)];
    [&b"\x89PNG\r\n\x1a\n"[..], &parts.concat(), &png_chunk(b"IEND", b"")].concat()
}

/// Returns a chunk of a WebP file.
#[must_use]
pub fn riff(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let odd = vec![0; body.len() % 2];
    [name, &len.to_le_bytes()[..], body, &odd].concat()
}

/// Returns a WebP file of these chunks.
#[must_use]
pub fn webp(chunks: &[u8]) -> Vec<u8> {
    let len = u32::try_from(chunks.len() + 4).unwrap_or(u32::MAX);
    [b"RIFF", &len.to_le_bytes()[..], b"WEBP", chunks].concat()
}

/// Returns a lossy frame of this size in pixels.
#[must_use]
pub fn webp_lossy(width: u16, height: u16, data: &[u8]) -> Vec<u8> {
    let head = [0x10, 0, 0, 0x9d, 0x01, 0x2a];
    riff(b"VP8 ", &[&head[..], &width.to_le_bytes(), &height.to_le_bytes(), data].concat())
}

/// Returns the header of an extended WebP file.
#[must_use]
pub fn webp_extended(flags: u8, width: u32, height: u32) -> Vec<u8> {
    let (width, height) = ((width - 1).to_le_bytes(), (height - 1).to_le_bytes());
    riff(b"VP8X", &[&[flags, 0, 0, 0][..], &width[..3], &height[..3]].concat())
}
