//! Text codes: bytes as a text that a QR code holds well and a person can send in a chat.
//!
//! ```text
//! code = "TQ", kind, ".", base32 of (bytes, first 4 bytes of H over kind and bytes)
//! ```
//!
//! Base32 is RFC 4648's, upper case, without padding; spaces and line breaks are passed over and
//! lower case is read. Must not know: what the bytes say.

use crate::crypto;
use crate::error::{Error, Kind, Result};

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const CHECK_LEN: usize = 4;
/// The most characters of a code: a QR code holds 4,296.
const CHARS_MAX: usize = 8_192;

/// What a code holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum CodeKind {
    /// An invitation, from the admin.
    Invite = b'1',
    /// The newcomer's request.
    Request = b'2',
    /// The admin's nonce.
    Reveal = b'3',
    /// One frame of something larger.
    Frame = b'F',
}

/// Bytes as a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// What it holds.
    pub kind: CodeKind,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Code {
    /// Writes bytes as a code.
    #[must_use]
    pub fn write(kind: CodeKind, bytes: &[u8]) -> String {
        let mut all = bytes.to_vec();
        all.extend_from_slice(&check(kind, bytes));
        format!("TQ{}.{}", char::from(kind as u8), to_base32(&all))
    }

    /// Reads a code.
    ///
    /// # Errors
    /// `E-MAGIC` for a text that is none, `E-SIZE`, `E-TRUNC`, `E-FORMAT` for a character that has
    /// no place in it, `E-BODY` when a character is wrong.
    pub fn read(text: &str) -> Result<Self> {
        if text.len() > CHARS_MAX {
            return Err(Error::new(Kind::Size, format!("a code of {} characters", text.len())));
        }
        let text: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let text = text.to_ascii_uppercase();
        let [b'T', b'Q', kind, b'.', rest @ ..] = text.as_slice() else {
            return Err(Error::new(Kind::Magic, "not a code of ours"));
        };
        let kinds = [CodeKind::Invite, CodeKind::Request, CodeKind::Reveal, CodeKind::Frame];
        let kind = kinds.into_iter().find(|known| *known as u8 == *kind);
        let kind = kind.ok_or_else(|| Error::new(Kind::Magic, "a code of an unknown kind"))?;
        let mut bytes = from_base32(rest)?;
        let short = || Error::new(Kind::Truncated, "a code ends too early");
        let at = bytes.len().checked_sub(CHECK_LEN).ok_or_else(short)?;
        let found = bytes.split_off(at);
        if found != check(kind, &bytes) {
            return Err(Error::new(Kind::Body, "a code with a wrong character"));
        }
        Ok(Self { kind, bytes })
    }

    /// Reads a code of one kind.
    ///
    /// # Errors
    /// As [`Code::read`]; `E-MAGIC` for another kind.
    pub fn read_as(kind: CodeKind, text: &str) -> Result<Vec<u8>> {
        let code = Self::read(text)?;
        if code.kind == kind {
            return Ok(code.bytes);
        }
        Err(Error::new(Kind::Magic, "a code of another kind"))
    }
}

fn check(kind: CodeKind, bytes: &[u8]) -> [u8; CHECK_LEN] {
    let all = [&[kind as u8], bytes].concat();
    let [a, b, c, d, ..] = crypto::hash_bytes("tuquan/1 code", &all);
    [a, b, c, d]
}

fn to_base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            text.push(char::from(ALPHABET[(bits >> count) as usize & 31]));
        }
    }
    if count > 0 {
        text.push(char::from(ALPHABET[(bits << (5 - count)) as usize & 31]));
    }
    text
}

fn from_base32(text: &[u8]) -> Result<Vec<u8>> {
    let bad = || Error::new(Kind::Format, "a character that no code has");
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut count) = (0_u32, 0);
    for character in text {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'2'..=b'7' => character - b'2' + 26,
            _ => return Err(bad()),
        };
        bits = bits << 5 | u32::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 255).unwrap_or_default());
        }
    }
    // One text for the same bytes: what is left over is less than a character, and zero.
    if count >= 5 || bits & ((1 << count) - 1) != 0 {
        return Err(Error::new(Kind::Truncated, "a code ends inside a byte"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_the_standard() {
        let known = [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ];
        for (plain, text) in known {
            assert_eq!(to_base32(plain.as_bytes()), text);
            assert_eq!(from_base32(text.as_bytes()).expect("read"), plain.as_bytes());
        }
    }

    #[test]
    fn a_code_comes_back_and_every_wrong_character_is_noticed() {
        let bytes: Vec<u8> = (0..61).collect();
        let text = Code::write(CodeKind::Request, &bytes);
        let (start, end) = text.split_at(20);
        let broken = format!(" {}\n{end} ", start.to_ascii_lowercase());
        assert_eq!(Code::read_as(CodeKind::Request, &broken).expect("read"), bytes);
        assert_eq!(Code::read_as(CodeKind::Invite, &text).expect_err("other").kind, Kind::Magic);
        for at in 0..text.len() {
            for other in ['A', '7', '1', '.', 'é', 'F'] {
                let mut altered: Vec<char> = text.chars().collect();
                if altered[at] == other {
                    continue;
                }
                altered[at] = other;
                let altered: String = altered.into_iter().collect();
                assert!(Code::read(&altered).is_err(), "{altered}");
            }
            assert!(Code::read(text.split_at(at).0).is_err(), "cut at {at}");
        }
        assert_eq!(Code::read(&"A".repeat(9_000)).expect_err("long").kind, Kind::Size);
    }
}
