//! The import as an iterator over rows.
//!
//! Each CSV record after the header is yielded once, in file order; nothing is kept in between.

use std::{
    io::{BufReader, Read},
    path::Path,
};

use super::{
    ImportError, ImportRow, Mapping, RefusalReason, RefusedRow,
    layout::Layout,
    record::{RawRecord, RecordReader},
    row::build,
    source::Source,
};
use crate::words::Said;

/// Widest header that is accepted.
const COLUMNS_MAX: usize = 4_096;

/// Reads rows from one file.
pub(crate) struct ImportReader {
    records: RecordReader<BufReader<Box<dyn Read>>>,
    mapping: Mapping,
    layout: Layout,
    ended: bool,
}

impl ImportReader {
    /// Opens a CSV file, plain or gzip, and finds the mapped columns in its header.
    pub(crate) fn open(path: &Path, mapping: Mapping) -> Result<Self, ImportError> {
        Self::start(Source::open(path)?, mapping)
    }

    #[cfg(test)]
    /// Reads from any stream of bytes, plain or gzip.
    pub(crate) fn new(input: impl Read + 'static, mapping: Mapping) -> Result<Self, ImportError> {
        Self::start(Source::new(Box::new(input))?, mapping)
    }

    fn start(source: Source, mapping: Mapping) -> Result<Self, ImportError> {
        let delimiter = mapping.delimiter.unwrap_or_else(|| source.delimiter());
        let mut records = RecordReader::new(source.input, delimiter);
        let header = records.read(COLUMNS_MAX)?.ok_or(ImportError::Empty)?;
        let layout = Layout::new(&mapping.columns, &column_names(&header)?)?;
        Ok(Self { records, mapping, layout, ended: false })
    }
}

impl Iterator for ImportReader {
    type Item = Result<ImportRow, RefusedRow>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let line = self.records.line();
        let row = match self.records.read(self.layout.width) {
            Ok(None) => {
                self.ended = true;
                return None;
            }
            Ok(Some(record)) => build(&self.mapping, &self.layout, &record),
            Err(error) => {
                self.ended = true;
                let detail = Said::io(&error);
                Err(RefusedRow { line, reason: RefusalReason::Unreadable, detail })
            }
        };
        Some(row)
    }
}

fn column_names(header: &RawRecord) -> Result<Vec<String>, ImportError> {
    let problem = if header.unclosed {
        Some(Said::new("header.unclosed", &[]))
    } else if header.field_count > COLUMNS_MAX {
        let counts: [(&str, &dyn std::fmt::Display); 2] =
            [("n", &header.field_count), ("max", &COLUMNS_MAX)];
        Some(Said::new("header.columns", &counts))
    } else {
        header.too_long.map(|column| Said::new("header.long", &[("n", &column)]))
    };
    match problem {
        Some(problem) => Err(ImportError::Header(problem)),
        None => {
            let names = header.fields.iter();
            Ok(names.map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect())
        }
    }
}
