//! Splits bytes into CSV records with bounded memory and exact physical lines.
//!
//! `csv-core` knows the grammar; this module adds what an importer must tell a person: the line
//! on which a record starts, fields that are too long, and a quote that is never closed.

use std::io::{self, BufRead};

use csv_core::{ReadFieldResult, ReaderBuilder};

/// Longest field that is kept.
pub(super) const FIELD_BYTES_MAX: usize = 64 * 1024;

const CHUNK_BYTES: usize = 8 * 1024;

/// One CSV record, not yet decoded.
#[derive(Debug, Default)]
pub(super) struct RawRecord {
    /// Physical line of its first byte, counted from 1.
    pub(super) line: u64,
    /// Number of physical lines it covers.
    pub(super) lines: u64,
    /// Its fields, up to the width that was asked for.
    pub(super) fields: Vec<Vec<u8>>,
    /// How many fields it really has.
    pub(super) field_count: usize,
    /// Number, from 1, of the first field that is too long.
    pub(super) too_long: Option<usize>,
    /// Whether the input ended inside a quoted field.
    pub(super) unclosed: bool,
}

/// Reads records one after the other.
pub(super) struct RecordReader<R> {
    input: R,
    core: csv_core::Reader,
    line: u64,
    after_cr: bool,
    chunk: Vec<u8>,
}

impl<R: BufRead> RecordReader<R> {
    /// Starts at the first byte of the input, which must not be a byte order mark.
    pub(super) fn new(input: R, delimiter: u8) -> Self {
        let core = ReaderBuilder::new().delimiter(delimiter).build();
        Self { input, core, line: 1, after_cr: false, chunk: vec![0; CHUNK_BYTES] }
    }

    /// Returns the physical line that will be read next.
    pub(super) const fn line(&self) -> u64 {
        self.line
    }

    /// Reads the next record and keeps at most `width_max` of its fields; blank lines are no
    /// records.
    pub(super) fn read(&mut self, width_max: usize) -> io::Result<Option<RawRecord>> {
        if !self.skip_blank_lines()? {
            return Ok(None);
        }
        let mut record = RawRecord { line: self.line, ..RawRecord::default() };
        let mut field = Vec::new();
        let mut at_end = false;
        loop {
            let buffer = self.input.fill_buf()?;
            let ended = buffer.is_empty();
            // A line break closes the last record, unless a quote is still open.
            let bytes: &[u8] = match (ended, at_end) {
                (true, false) => b"\n",
                _ => buffer,
            };
            let (result, read, written) = self.core.read_field(bytes, &mut self.chunk);
            if !ended {
                let read_bytes = bytes.get(..read).unwrap_or_default();
                count_lines(read_bytes, &mut self.line, &mut self.after_cr);
                self.input.consume(read);
            }
            record.keep(&mut field, self.chunk.get(..written).unwrap_or_default());
            match result {
                ReadFieldResult::InputEmpty if ended => {
                    record.unclosed = true;
                    at_end = true;
                }
                ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
                ReadFieldResult::Field { record_end } => {
                    record.finish(&mut field, width_max);
                    if record_end {
                        break;
                    }
                }
                ReadFieldResult::End => break,
            }
        }
        record.lines = (self.line - record.line).max(1);
        Ok(Some(record))
    }

    /// Passes over line breaks; returns whether anything follows.
    fn skip_blank_lines(&mut self) -> io::Result<bool> {
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(false);
            }
            let blank = buffer.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
            let more = blank < buffer.len();
            let bytes = buffer.get(..blank).unwrap_or_default();
            count_lines(bytes, &mut self.line, &mut self.after_cr);
            self.input.consume(blank);
            if more {
                return Ok(true);
            }
        }
    }
}

impl RawRecord {
    fn keep(&mut self, field: &mut Vec<u8>, bytes: &[u8]) {
        if field.len() + bytes.len() > FIELD_BYTES_MAX {
            self.too_long.get_or_insert(self.field_count + 1);
        } else if self.too_long != Some(self.field_count + 1) {
            field.extend_from_slice(bytes);
        }
    }

    fn finish(&mut self, field: &mut Vec<u8>, width_max: usize) {
        self.field_count += 1;
        if self.fields.len() < width_max {
            self.fields.push(std::mem::take(field));
        }
        field.clear();
    }
}

/// Counts LF, CRLF and lone CR as one line break each.
fn count_lines(bytes: &[u8], line: &mut u64, after_cr: &mut bool) {
    for byte in bytes {
        *line += u64::from(*byte == b'\r' || (*byte == b'\n' && !*after_cr));
        *after_cr = *byte == b'\r';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_and_counts(text: &str) -> Vec<(u64, usize, bool)> {
        let mut reader = RecordReader::new(text.as_bytes(), b',');
        let mut all = Vec::new();
        while let Some(record) = reader.read(100).unwrap() {
            all.push((record.line, record.field_count, record.unclosed));
        }
        all
    }

    #[test]
    fn lines_are_physical_whatever_the_line_ends_and_quotes() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "", "1,\"x", "y\"", "", "2,z"].join(end);
            let wanted = [(1, 2, false), (3, 2, false), (6, 2, false)];
            assert_eq!(lines_and_counts(&text), wanted, "{end:?}");
            assert_eq!(lines_and_counts(&(text + end)), wanted, "{end:?}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_is_reported_with_its_line() {
        assert_eq!(
            lines_and_counts("a,b\n1,2\n3,\"x\n4,5\n"),
            [(1, 2, false), (2, 2, false), (3, 2, true)]
        );
    }

    #[test]
    fn a_giant_field_is_dropped_and_counted() {
        let text = format!("{},b,c\n1,2\n", "x".repeat(3 * FIELD_BYTES_MAX));
        let mut reader = RecordReader::new(text.as_bytes(), b',');
        let record = reader.read(2).unwrap().unwrap();
        assert_eq!((record.too_long, record.field_count, record.fields.len()), (Some(1), 3, 2));
        assert!(record.fields[0].len() <= FIELD_BYTES_MAX);
        assert_eq!(record.fields[1], b"b");
        assert_eq!(reader.read(2).unwrap().unwrap().line, 2);
    }
}
