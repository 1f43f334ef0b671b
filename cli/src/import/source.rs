//! Opens the input: unpacks gzip, drops the byte order mark, guesses the delimiter.

use std::{
    fs::File,
    io::{self, BufReader, Cursor, Read},
    path::Path,
};

use flate2::read::MultiGzDecoder;

use super::ImportError;

const SNIFF_BYTES: u64 = 64 * 1024;

/// An opened input, at its first byte of text.
pub(super) struct Source {
    pub(super) input: BufReader<Box<dyn Read>>,
    /// The start of the input, up to 64 KiB, for guesses.
    pub(super) head: Vec<u8>,
}

impl Source {
    /// Opens a file, plain or gzip.
    pub(super) fn open(path: &Path) -> Result<Self, ImportError> {
        Self::new(Box::new(File::open(path)?))
    }

    /// Takes any stream of bytes, plain or gzip; the content decides, not the name.
    pub(super) fn new(mut input: Box<dyn Read>) -> Result<Self, ImportError> {
        let (magic, _) = take(&mut input, 2)?;
        let packed = magic == [0x1f, 0x8b];
        let whole = Cursor::new(magic).chain(input);
        let mut plain: Box<dyn Read> =
            if packed { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
        let (mut head, broken) = take(&mut plain, SNIFF_BYTES)?;
        if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
            return Err(ImportError::Utf16);
        }
        if head.starts_with(&[0xef, 0xbb, 0xbf]) {
            head.drain(..3);
        }
        if head.is_empty() {
            return Err(ImportError::Empty);
        }
        let rest: Box<dyn Read> = match broken {
            Some(error) => Box::new(Broken(Some(error))),
            None => plain,
        };
        let input: Box<dyn Read> = Box::new(Cursor::new(head.clone()).chain(rest));
        Ok(Self { input: BufReader::with_capacity(32 * 1024, input), head })
    }

    /// Returns the delimiter that the header uses most; a comma if it uses none.
    pub(super) fn delimiter(&self) -> u8 {
        let start = self.head.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(0);
        let mut counts = [(b',', 0_usize), (b';', 0), (b'\t', 0), (b'|', 0)];
        let mut quoted = false;
        for byte in self.head.iter().skip(start) {
            match byte {
                b'"' => quoted = !quoted,
                b'\r' | b'\n' if !quoted => break,
                _ if quoted => {}
                byte => {
                    for (delimiter, count) in &mut counts {
                        *count += usize::from(delimiter == byte);
                    }
                }
            }
        }
        // On a tie the earlier one wins, so the comma stays the default.
        counts
            .iter()
            .rev()
            .max_by_key(|(_, count)| *count)
            .map_or(b',', |(delimiter, _)| *delimiter)
    }
}

/// Stands for the rest of a damaged input: gives its error once the good part is read.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// Reads up to `bytes_max` bytes; what a damaged input gave before it broke is kept.
fn take(
    input: &mut Box<dyn Read>,
    bytes_max: u64,
) -> Result<(Vec<u8>, Option<io::Error>), ImportError> {
    let mut bytes = Vec::new();
    match input.take(bytes_max).read_to_end(&mut bytes) {
        Ok(_) => Ok((bytes, None)),
        Err(error) if bytes.is_empty() => Err(error.into()),
        Err(error) => Ok((bytes, Some(error))),
    }
}
