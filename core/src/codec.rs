//! The one bounded reader and writer of everything that crosses the edge of the phone.
//!
//! Canonical CBOR (RFC 8949) cut down to what protocol section 14 allows: arrays in fixed order,
//! definite lengths, shortest integers, no tags, no floats, no maps, depth at most 8, text in
//! UTF-8 and NFC. Invariant: whatever decodes also encodes back to the same bytes, and no length
//! is believed before it was compared with what remains. Must not know: what the arrays mean.

use minicbor::Encoder;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::error::{Error, Kind, Result};

/// The deepest nesting of arrays.
pub const DEPTH_MAX: u8 = 8;

/// Reads canonical CBOR from a slice, never past its end and never deeper than [`DEPTH_MAX`].
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    input: &'a [u8],
    at: usize,
    depth: u8,
}

/// The major types of CBOR that are allowed here.
mod major {
    pub(super) const UINT: u8 = 0;
    pub(super) const NEGATIVE: u8 = 1;
    pub(super) const BYTES: u8 = 2;
    pub(super) const TEXT: u8 = 3;
    pub(super) const ARRAY: u8 = 4;
}

const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;

fn malformed(what: &str) -> Error {
    Error::new(Kind::Format, what)
}

fn short() -> Error {
    Error::new(Kind::Truncated, "bytes end too early")
}

fn check_head(len: usize, argument: u64) -> Result<()> {
    if len == head_len(argument) {
        return Ok(());
    }
    Err(malformed("a length or number not in its shortest form"))
}

/// Returns how many bytes the head of a CBOR item with argument `value` takes at least.
#[must_use]
pub fn head_len(value: u64) -> usize {
    match value {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { input: bytes, at: 0, depth: 0 }
    }

    /// Returns the offset of the next byte.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// Returns how many bytes are left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.input.len() - self.at
    }

    /// Takes `len` raw bytes.
    ///
    /// # Errors
    /// `E-TRUNC` when fewer remain.
    pub fn raw(&mut self, len: usize) -> Result<&'a [u8]> {
        let end =
            self.at.checked_add(len).ok_or_else(|| Error::new(Kind::Size, "length overflow"))?;
        let bytes = self.input.get(self.at..end).ok_or_else(short)?;
        self.at = end;
        Ok(bytes)
    }

    /// Returns the next byte: the major type in the upper three bits.
    fn first(&self) -> Result<u8> {
        self.input.get(self.at).copied().ok_or_else(short)
    }

    /// Returns the argument of the next head and the bytes that the head takes; none when the
    /// input ends inside of it.
    fn argument(&self, first: u8) -> Result<Option<(u64, usize)>> {
        let rest = self.input.get(self.at + 1..).unwrap_or_default();
        Ok(match first & 0x1f {
            small @ 0..=23 => Some((u64::from(small), 1)),
            24 => rest.first().map(|byte| (u64::from(*byte), 2)),
            25 => rest.first_chunk().map(|raw| (u64::from(u16::from_be_bytes(*raw)), 3)),
            26 => rest.first_chunk().map(|raw| (u64::from(u32::from_be_bytes(*raw)), 5)),
            27 => rest.first_chunk().map(|raw| (u64::from_be_bytes(*raw), 9)),
            _ => return Err(malformed("an indefinite length")),
        })
    }

    /// Takes a head of type `major`, in its shortest form; `what` was expected.
    fn head(&mut self, major: u8, what: &'static str) -> Result<u64> {
        let first = self.first()?;
        if first >> 5 != major {
            return Err(malformed(what));
        }
        let (argument, len) = self.argument(first)?.ok_or_else(|| malformed(what))?;
        check_head(len, argument)?;
        self.at += len;
        Ok(argument)
    }

    /// Reads an unsigned integer.
    ///
    /// # Errors
    /// `E-FORMAT` on another type or a longer form than needed, `E-TRUNC` at the end.
    pub fn uint(&mut self) -> Result<u64> {
        self.head(major::UINT, "expected an unsigned integer")
    }

    /// Reads an unsigned integer of at most `max`.
    ///
    /// # Errors
    /// As [`Reader::uint`], and `E-SIZE` above `max`.
    pub fn uint_max(&mut self, max: u64) -> Result<u64> {
        let value = self.uint()?;
        if value > max {
            return Err(Error::new(Kind::Size, format!("{value} is over the cap of {max}")));
        }
        Ok(value)
    }

    /// Reads a signed integer.
    ///
    /// # Errors
    /// `E-FORMAT` on another type, a longer form than needed or a value outside of 64 bits.
    pub fn int(&mut self) -> Result<i64> {
        let what = "expected an integer";
        let is_negative = self.first()? >> 5 == major::NEGATIVE;
        let major = if is_negative { major::NEGATIVE } else { major::UINT };
        let value = i64::try_from(self.head(major, what)?).map_err(|_| malformed(what))?;
        Ok(if is_negative { !value } else { value })
    }

    /// Reads `true` or `false`.
    ///
    /// # Errors
    /// `E-FORMAT` on another type.
    pub fn bool(&mut self) -> Result<bool> {
        let first = self.first()?;
        if first != FALSE && first != TRUE {
            return Err(malformed("expected true or false"));
        }
        self.at += 1;
        Ok(first == TRUE)
    }

    /// Reads a byte string of at most `max` bytes.
    ///
    /// # Errors
    /// `E-SIZE` over the cap, `E-TRUNC` when it runs past the end, `E-FORMAT` on another type.
    pub fn bytes(&mut self, max: usize) -> Result<&'a [u8]> {
        self.string(major::BYTES, "expected a byte string", max)
    }

    /// Reads a byte string of exactly `N` bytes.
    ///
    /// # Errors
    /// `E-FORMAT` on another length, and as [`Reader::bytes`].
    pub fn array_bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.bytes(N)?;
        <[u8; N]>::try_from(bytes).map_err(|_| malformed("a byte string of a wrong length"))
    }

    /// Reads a text of at most `max` bytes, in NFC.
    ///
    /// # Errors
    /// `E-CHANGE-BIG` over the cap, `E-FORMAT` on another type, bad UTF-8 or another
    /// normalisation form.
    pub fn text(&mut self, max: usize) -> Result<&'a str> {
        let bytes = self.string(major::TEXT, "expected a text", max);
        let bytes = bytes.map_err(|error| match error.kind {
            Kind::Size => Error::new(Kind::ChangeTooBig, "a text over its cap"),
            _ => error,
        })?;
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("text that is not UTF-8"))?;
        if !is_nfc(text) {
            return Err(malformed("text that is not in NFC"));
        }
        Ok(text)
    }

    /// Takes a string of type `major`: its declared length is checked before anything else is.
    fn string(&mut self, major: u8, what: &'static str, max: usize) -> Result<&'a [u8]> {
        let first = self.first()?;
        if first >> 5 != major {
            return Err(malformed(what));
        }
        let (argument, head_len) = self.argument(first)?.ok_or_else(short)?;
        if argument > max as u64 {
            return Err(Error::new(Kind::Size, format!("{argument} bytes are over {max}")));
        }
        let start = self.at + head_len;
        if argument > (self.input.len() - start) as u64 {
            return Err(short());
        }
        check_head(head_len, argument)?;
        self.at = start;
        self.raw(usize::try_from(argument).unwrap_or(usize::MAX))
    }

    /// Opens an array of at most `max` elements and returns how many it has.
    ///
    /// Every element takes a byte at least, so a count over the remaining bytes is refused too.
    ///
    /// # Errors
    /// `E-SIZE` over the cap or the remaining bytes, `E-FORMAT` on another type, an indefinite
    /// length or nesting deeper than [`DEPTH_MAX`].
    pub fn array(&mut self, max: usize) -> Result<usize> {
        let count = self.head(major::ARRAY, "expected an array")?;
        if count > max as u64 || count > self.remaining() as u64 {
            return Err(Error::new(Kind::Size, format!("{count} elements are over {max}")));
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(malformed("nested too deeply"));
        }
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Closes the array that was opened last.
    pub fn end(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Opens an array of exactly `count` elements.
    ///
    /// # Errors
    /// As [`Reader::array`], and `E-FORMAT` on another count.
    pub fn tuple(&mut self, count: usize) -> Result<()> {
        if self.array(usize::MAX)? != count {
            return Err(malformed("an array of a wrong length"));
        }
        Ok(())
    }

    /// Takes a null if one is next.
    ///
    /// # Errors
    /// `E-TRUNC` at the end.
    pub fn null(&mut self) -> Result<bool> {
        let is_null = self.first()? == NULL;
        self.at += usize::from(is_null);
        Ok(is_null)
    }

    /// Tells whether a byte string is next.
    #[must_use]
    pub fn is_bytes(&self) -> bool {
        self.first().is_ok_and(|first| first >> 5 == major::BYTES)
    }

    /// Tells whether a text is next.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.first().is_ok_and(|first| first >> 5 == major::TEXT)
    }

    /// Reads any allowed scalar or array of them.
    ///
    /// # Errors
    /// `E-FORMAT` on a map, tag, float, undefined, or what [`Reader`] refuses anyway.
    pub fn value(&mut self, text_max: usize) -> Result<Value> {
        let first = self.first()?;
        Ok(match (first >> 5, first) {
            (major::UINT | major::NEGATIVE, _) => Value::Int(self.int()?),
            (major::BYTES, _) => Value::Bytes(self.bytes(text_max)?.to_vec()),
            (major::TEXT, _) => Value::Text(self.text(text_max)?.to_owned()),
            (major::ARRAY, _) => {
                let count = self.array(text_max)?;
                let mut list = Vec::new();
                for _ in 0..count {
                    list.push(self.value(text_max)?);
                }
                self.end();
                Value::List(list)
            }
            (_, FALSE | TRUE) => Value::Bool(self.bool()?),
            (_, NULL) => {
                self.null()?;
                Value::Null
            }
            _ => {
                return Err(malformed("a map, tag, float or other type that is not allowed"));
            }
        })
    }

    /// Checks that nothing follows.
    ///
    /// # Errors
    /// `E-TRAIL` when bytes follow.
    pub fn finish(self) -> Result<()> {
        if self.remaining() == 0 {
            return Ok(());
        }
        Err(Error::new(Kind::Trailing, format!("{} bytes after the end", self.remaining())))
    }
}

/// Tells whether `text` is in Unicode normalisation form C.
#[must_use]
pub fn is_nfc(text: &str) -> bool {
    if text.is_ascii() {
        return true;
    }
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => true,
        IsNormalized::No => false,
        IsNormalized::Maybe => text.nfc().eq(text.chars()),
    }
}

/// One value of an operation: a scalar, or an array of scalars for an element of a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Absent.
    Null,
    /// True or false.
    Bool(bool),
    /// An integer: also times (ms since 1970, UTC), enum numbers.
    Int(i64),
    /// A text in NFC.
    Text(String),
    /// Bytes: also references to records (16 bytes).
    Bytes(Vec<u8>),
    /// The fields of one list element, in the order of its declaration.
    List(Vec<Self>),
}

/// Writes canonical CBOR into a vector that it owns.
#[derive(Debug)]
pub struct Writer {
    inner: Encoder<Vec<u8>>,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// Starts empty.
    #[must_use]
    pub fn new() -> Self {
        Self { inner: Encoder::new(Vec::with_capacity(128)) }
    }

    /// Appends to bytes that are there already.
    #[must_use]
    pub fn after(bytes: Vec<u8>) -> Self {
        Self { inner: Encoder::new(bytes) }
    }

    /// Writes an unsigned integer.
    pub fn uint(&mut self, value: u64) -> &mut Self {
        // A Vec writer cannot fail; the same holds for every call below.
        let _ = self.inner.u64(value);
        self
    }

    /// Writes a signed integer.
    pub fn int(&mut self, value: i64) -> &mut Self {
        let _ = self.inner.i64(value);
        self
    }

    /// Writes true or false.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        let _ = self.inner.bool(value);
        self
    }

    /// Writes a byte string.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        let _ = self.inner.bytes(value);
        self
    }

    /// Writes a text; the caller has it in NFC.
    pub fn text(&mut self, value: &str) -> &mut Self {
        let _ = self.inner.str(value);
        self
    }

    /// Opens an array of `count` elements.
    pub fn array(&mut self, count: usize) -> &mut Self {
        let _ = self.inner.array(count as u64);
        self
    }

    /// Writes null.
    pub fn null(&mut self) -> &mut Self {
        let _ = self.inner.null();
        self
    }

    /// Appends bytes that are canonical CBOR already.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.inner.writer_mut().extend_from_slice(bytes);
        self
    }

    /// Writes a value.
    pub fn value(&mut self, value: &Value) -> &mut Self {
        match value {
            Value::Null => self.null(),
            Value::Bool(flag) => self.bool(*flag),
            Value::Int(number) => self.int(*number),
            Value::Text(text) => self.text(text),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::List(list) => {
                self.array(list.len());
                for value in list {
                    self.value(value);
                }
                self
            }
        }
    }

    /// Returns what was written so far.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.inner.writer()
    }

    /// Returns the bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.inner.into_writer()
    }
}
