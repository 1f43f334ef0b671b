//! Finds the mapped columns in a header.
//!
//! Names are compared exactly first and by fold second, so a header that differs in case, accents
//! or tone placement still fits. Only mapped columns must be present and unique.

use super::{ImportError, mapping::Columns, text::fold};

/// Column numbers by meaning.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// Number of columns in the header.
    pub(super) width: usize,
    pub(super) key: Vec<usize>,
    pub(super) distinct_by: Vec<usize>,
    pub(super) category: Vec<usize>,
    pub(super) urgent: Vec<usize>,
    pub(super) occurred: Vec<usize>,
    pub(super) reported: Vec<usize>,
    pub(super) fallback: Vec<usize>,
    pub(super) place: Vec<usize>,
    pub(super) building: Vec<usize>,
    pub(super) text: Vec<usize>,
    pub(super) note: Vec<usize>,
    pub(super) state: Vec<usize>,
    pub(super) outcome: Vec<usize>,
}

impl Layout {
    /// Finds every mapped column.
    pub(super) fn new(columns: &Columns, header: &[String]) -> Result<Self, ImportError> {
        let find = |names: &[String]| -> Result<Vec<usize>, ImportError> {
            let found: Result<Vec<_>, _> = names.iter().map(|name| column(name, header)).collect();
            Ok(found?.into_iter().flatten().collect())
        };
        Ok(Self {
            width: header.len(),
            key: find(&columns.key)?,
            distinct_by: find(&columns.distinct_by)?,
            category: find(&columns.category)?,
            urgent: find(&columns.urgent)?,
            occurred: find(&columns.occurred)?,
            reported: find(&columns.reported)?,
            fallback: find(&columns.fallback)?,
            place: find(&columns.place)?,
            building: find(&columns.building)?,
            text: find(&columns.text)?,
            note: find(&columns.note)?,
            state: find(&columns.state)?,
            outcome: find(&columns.outcome)?,
        })
    }

    /// Returns the columns that carry content, in file order, without repeats.
    pub(super) fn content(&self, with_text: bool) -> Vec<usize> {
        let closed: [&[usize]; 2] = if with_text { [&self.text, &self.note] } else { [&[], &[]] };
        let open = [
            &self.key,
            &self.category,
            &self.urgent,
            &self.occurred,
            &self.reported,
            &self.place,
            &self.building,
            &self.state,
            &self.outcome,
        ];
        let mut all: Vec<usize> =
            open.into_iter().flatten().chain(closed.into_iter().flatten()).copied().collect();
        if !with_text {
            all.retain(|index| !self.text.contains(index) && !self.note.contains(index));
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Returns every mapped column, in file order, without repeats.
    pub(super) fn mapped(&self) -> Vec<usize> {
        let mut all = self.content(true);
        all.extend_from_slice(&self.distinct_by);
        all.extend_from_slice(&self.fallback);
        all.sort_unstable();
        all.dedup();
        all
    }
}

fn column(name: &str, header: &[String]) -> Result<Option<usize>, ImportError> {
    let (name, optional) = match name.strip_suffix('?') {
        Some(name) => (name, true),
        None => (name, false),
    };
    let exact = matching(header, |column| column == name);
    let found = if exact.is_empty() {
        let folded = fold(name);
        matching(header, |column| fold(column) == folded)
    } else {
        exact
    };
    match found.as_slice() {
        [] if optional => Ok(None),
        [] => Err(ImportError::MissingColumn { column: name.into(), header: header.to_vec() }),
        [one] => Ok(Some(*one)),
        several => Err(ImportError::DuplicateColumn { column: name.into(), count: several.len() }),
    }
}

fn matching(header: &[String], accept: impl Fn(&str) -> bool) -> Vec<usize> {
    header.iter().enumerate().filter(|(_, column)| accept(column)).map(|(i, _)| i).collect()
}
