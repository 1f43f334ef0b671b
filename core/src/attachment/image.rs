//! Images as a camera or another app gave them: what they are, and what is left out of them.
//!
//! Nothing is decoded. The segments of a JPEG, PNG or WebP file are walked, its size in pixels is
//! read from the header and bounded, and what says where, when, by whom or with what it was taken
//! (EXIF, XMP, IPTC, comments, thumbnails, what follows the end) is left out without touching a
//! pixel. What cannot be walked to its end is refused. Only parts that are known to say how to show
//! the image are kept. Must not know: records, sealing.

use super::{BYTES_MAX, ImageKind};
use crate::error::{Error, Kind, Result};

/// The most pixels of an image: 64 MiB once decoded, which a phone of 2 GB can bear.
pub const PIXELS_MAX: u64 = 1 << 24;

/// An image without anything but what shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// What sort.
    pub kind: ImageKind,
    /// Width and height, in pixels.
    pub pixels: (u32, u32),
    /// The file.
    pub bytes: Vec<u8>,
}

fn bad(what: &str) -> Error {
    Error::new(Kind::Image, what)
}

/// Takes metadata out of an image, and checks what its header says.
///
/// # Errors
/// `E-IMAGE` when it is no JPEG, PNG or WebP still image, over [`BYTES_MAX`], of no or more than
/// [`PIXELS_MAX`] pixels, or not whole.
pub fn clean(bytes: &[u8]) -> Result<Image> {
    if bytes.len() > BYTES_MAX {
        return Err(bad("an image of more than 10 MiB"));
    }
    let (kind, pixels, bytes) = if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        let (pixels, bytes) = jpeg(bytes)?;
        (ImageKind::Jpeg, pixels, bytes)
    } else if bytes.starts_with(PNG) {
        let (pixels, bytes) = png(bytes)?;
        (ImageKind::Png, pixels, bytes)
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        let (pixels, bytes) = webp(bytes)?;
        (ImageKind::WebP, pixels, bytes)
    } else {
        return Err(bad("no JPEG, PNG or WebP image"));
    };
    Ok(Image { kind, pixels, bytes })
}

fn check_pixels(width: u32, height: u32) -> Result<(u32, u32)> {
    let count = u64::from(width) * u64::from(height);
    if count == 0 || count > PIXELS_MAX {
        return Err(bad("an image of no or too many pixels"));
    }
    Ok((width, height))
}

/// Reads parts of a file one after the other.
struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let cut = self.0.split_at_checked(len);
        let (part, rest) = cut.ok_or_else(|| bad("an image that ends too early"))?;
        self.0 = rest;
        Ok(part)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }
}

fn u16_be(bytes: &[u8]) -> u32 {
    bytes.iter().take(2).fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

fn u32_be(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

fn u24_le(bytes: &[u8]) -> u32 {
    bytes.iter().take(3).rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

/// JFIF without a thumbnail: the first nine bytes of what follows its name are kept.
const JFIF: &[u8] = b"JFIF\0";
const JFIF_LEN: usize = 14;
const JFIF_KEPT: usize = 12;

fn jpeg(bytes: &[u8]) -> Result<((u32, u32), Vec<u8>)> {
    let mut parts = Parts(&bytes[2..]);
    let mut out = vec![0xff, 0xd8];
    let mut pixels = None;
    loop {
        if parts.byte()? != 0xff {
            return Err(bad("a JPEG image that is not whole or sound"));
        }
        let mut marker = parts.byte()?;
        while marker == 0xff {
            marker = parts.byte()?;
        }
        if marker == 0xd9 {
            out.extend_from_slice(&[0xff, 0xd9]);
            break;
        }
        if matches!(marker, 0x00 | 0x01 | 0xd0..=0xd8) {
            return Err(bad("a JPEG image that is not whole or sound"));
        }
        let len = u16_be(parts.take(2)?) as usize;
        let body = parts.take(
            len.checked_sub(2).ok_or_else(|| bad("a JPEG image that is not whole or sound"))?,
        )?;
        match marker {
            0xe0 if body.starts_with(JFIF) && body.len() >= JFIF_LEN => {
                out.extend_from_slice(&[0xff, 0xe0, 0, 16]);
                out.extend_from_slice(&body[..JFIF_KEPT]);
                out.extend_from_slice(&[0, 0]);
                continue;
            }
            // Colours: an ICC profile, and how Adobe's encoder stored them.
            0xe2 if body.starts_with(b"ICC_PROFILE\0") => {}
            0xee if body.starts_with(b"Adobe") => {}
            0xe0..=0xef | 0xfe => continue,
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                if pixels.is_some() || body.len() < 6 {
                    return Err(bad("a JPEG image that is not whole or sound"));
                }
                pixels = Some(check_pixels(u16_be(&body[3..5]), u16_be(&body[1..3]))?);
            }
            // Tables of quantisation, Huffman and arithmetic coding; restarts; a scan.
            0xdb | 0xc4 | 0xcc | 0xdd | 0xda => {}
            _ => return Err(bad("a JPEG image that is not whole or sound")),
        }
        out.extend_from_slice(&[0xff, marker]);
        out.extend_from_slice(&u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(body);
        if marker == 0xda {
            if pixels.is_none() {
                return Err(bad("a JPEG image that is not whole or sound"));
            }
            out.extend_from_slice(parts.take(scan_len(parts.0)?)?);
        }
    }
    Ok((pixels.ok_or_else(|| bad("a JPEG image that is not whole or sound"))?, out))
}

/// Returns the length of coded data up to the next mark that is no restart.
fn scan_len(coded: &[u8]) -> Result<usize> {
    let is_end = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xff | 0xd0..=0xd7);
    let end = coded.windows(2).position(is_end);
    end.ok_or_else(|| bad("a JPEG image that is not whole or sound"))
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

fn png(bytes: &[u8]) -> Result<((u32, u32), Vec<u8>)> {
    let mut parts = Parts(&bytes[PNG.len()..]);
    let mut out = PNG.to_vec();
    let mut pixels = None;
    let mut has_data = false;
    loop {
        let chunk = parts.0;
        let len = u32_be(parts.take(4)?) as usize;
        let name = parts.take(4)?;
        let body = parts.take(len)?;
        parts.take(4)?;
        if (name == b"IHDR") != pixels.is_none() {
            return Err(bad("a PNG image that is not whole or sound"));
        }
        match name {
            b"IHDR" if len == 13 => pixels = Some(check_pixels(u32_be(body), u32_be(&body[4..]))?),
            b"IDAT" => has_data = true,
            b"PLTE" | b"IEND" => {}
            // How to show it. A profile is compressed and could be a bomb; sRGB is assumed then.
            b"tRNS" | b"gAMA" | b"cHRM" | b"sRGB" | b"cICP" | b"sBIT" | b"bKGD" | b"pHYs"
                if len <= 1_024 => {}
            _ if name[0].is_ascii_lowercase() => continue,
            _ => return Err(bad("a PNG image that is not whole or sound")),
        }
        out.extend_from_slice(&chunk[..len + 12]);
        if name == b"IEND" {
            break;
        }
    }
    let pixels =
        pixels.filter(|_| has_data).ok_or_else(|| bad("a PNG image that is not whole or sound"))?;
    Ok((pixels, out))
}

/// Flags of `VP8X` that stand for what is left out: EXIF and XMP.
const WEBP_LEFT_OUT: u8 = 0x08 | 0x04;
const WEBP_ANIMATED: u8 = 0x02;

fn webp(bytes: &[u8]) -> Result<((u32, u32), Vec<u8>)> {
    let declared = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]) as usize;
    let inside = bytes.get(12..declared.saturating_add(8));
    let mut parts = Parts(inside.ok_or_else(|| bad("an image that ends too early"))?);
    let mut out = b"RIFF\0\0\0\0WEBP".to_vec();
    let (mut canvas, mut pixels) = (None, None);
    while !parts.0.is_empty() {
        let name = parts.take(4)?;
        let len_bytes = parts.take(4)?;
        let len = u32::from_le_bytes([len_bytes[0], len_bytes[1], len_bytes[2], len_bytes[3]]);
        let body = parts.take(len as usize)?;
        if len % 2 == 1 {
            parts.take(1)?;
        }
        let mut body = body.to_vec();
        match name {
            b"VP8X" if len == 10 && canvas.is_none() && pixels.is_none() => {
                if body[0] & WEBP_ANIMATED != 0 {
                    return Err(bad("a WebP image that moves"));
                }
                body[0] &= !WEBP_LEFT_OUT;
                canvas = Some(check_pixels(u24_le(&body[4..]) + 1, u24_le(&body[7..]) + 1)?);
            }
            b"VP8 " | b"VP8L" if pixels.is_none() => pixels = Some(webp_frame(name, &body)?),
            b"ALPH" | b"ICCP" if canvas.is_some() && pixels.is_none() => {}
            b"VP8X" | b"VP8 " | b"VP8L" | b"ANIM" | b"ANMF" | b"ALPH" | b"ICCP" => {
                return Err(bad("a WebP image that is not whole or sound"));
            }
            _ => continue,
        }
        out.extend_from_slice(name);
        out.extend_from_slice(len_bytes);
        out.extend_from_slice(&body);
        if len % 2 == 1 {
            out.push(0);
        }
    }
    let pixels = pixels.ok_or_else(|| bad("a WebP image that is not whole or sound"))?;
    if canvas.is_some_and(|canvas| canvas != pixels) {
        return Err(bad("a WebP image that is not whole or sound"));
    }
    let len = u32::try_from(out.len() - 8).unwrap_or(u32::MAX);
    out[4..8].copy_from_slice(&len.to_le_bytes());
    Ok((pixels, out))
}

/// Reads width and height from the header of a lossy or lossless frame.
fn webp_frame(name: &[u8], body: &[u8]) -> Result<(u32, u32)> {
    let lossy = name == b"VP8 ";
    let header = body.get(..if lossy { 10 } else { 5 });
    let header = header.ok_or_else(|| bad("a WebP image that is not whole or sound"))?;
    if lossy {
        let is_key = header[0] & 1 == 0 && header[3..6] == [0x9d, 0x01, 0x2a];
        let side = |at: usize| (u32::from(header[at + 1]) << 8 | u32::from(header[at])) & 0x3fff;
        return match is_key {
            true => check_pixels(side(6), side(8)),
            false => Err(bad("a WebP image that is not whole or sound")),
        };
    }
    if header[0] != 0x2f {
        return Err(bad("a WebP image that is not whole or sound"));
    }
    let bits = u32::from_le_bytes([header[1], header[2], header[3], header[4]]);
    check_pixels((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)
}
