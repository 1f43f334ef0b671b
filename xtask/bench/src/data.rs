//! Events to measure with: rows of the public campus logs where they are at hand, else made up.
//!
//! Rows are read, measured and dropped; none is kept or printed. Must not know: what is measured.

use std::io::Read;
use std::path::{Path, PathBuf};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use tuquan_core::domain::category::Category;

/// One event as the bench logs it.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) t_occ_ms: i64,
    pub(crate) category: Category,
    /// The number of its place, below [`PLACES`].
    pub(crate) place: usize,
    pub(crate) summary: String,
    /// The bytes of the row that it came from.
    pub(crate) row_bytes: usize,
}

/// How many places the events are spread over.
pub(crate) const PLACES: usize = 40;

/// Where the events come from, for the head of the table.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: &'static str,
    pub(crate) events: Vec<Event>,
}

/// Returns the folder of the public logs, when it is beside the checkout.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    folder.is_dir().then_some(folder)
}

/// Returns the rows of the campus log as they are, ten columns each; made up where it is missing.
pub(crate) fn campus_rows() -> Vec<Vec<String>> {
    let path = folder().map(|folder| folder.join("ucsd_police_log.csv"));
    if let Some(rows) = path.and_then(|path| read_csv(&path)) {
        return rows;
    }
    let mut words = Words::new(1);
    (0..11_000).map(|_| (0..10).map(|_| words.text(4)).collect()).collect()
}

/// Returns the campus log as events.
pub(crate) fn campus() -> Source {
    let real = folder().is_some();
    let events = campus_rows().iter().enumerate().map(|(number, row)| event(number, row)).collect();
    Source { name: if real { "campus log" } else { "made up" }, events }
}

/// Returns `count` events: the dispatch log and then the campus log over and over, or made up.
pub(crate) fn many(count: usize) -> Source {
    let path = folder().map(|folder| folder.join("montgomery_911_calls.csv.gz"));
    let mut rows = path.and_then(|path| read_csv(&path)).unwrap_or_default();
    let name = if rows.is_empty() { "made up" } else { "dispatch log" };
    rows.extend(campus_rows());
    let events = (0..count).map(|number| event(number, &rows[number % rows.len()])).collect();
    Source { name, events }
}

fn event(number: usize, row: &[String]) -> Event {
    // Category and narrative of the campus log, type and crossing of the dispatch log.
    let said = match row.len() {
        10 => [&row[2], &row[8]],
        6 => [&row[2], &row[5]],
        _ => [&row[0], &row[row.len() - 1]],
    };
    let summary = format!("{} / {}", said[0], said[1]);
    let hash: usize = row.iter().flat_map(|text| text.bytes()).map(usize::from).sum();
    Event {
        t_occ_ms: 1_700_000_000_000 + i64::try_from(number).unwrap_or_default() * 61_000,
        category: [Category::Theft, Category::Noise, Category::Hazard, Category::Medical][hash % 4],
        place: hash % PLACES,
        summary,
        row_bytes: row.iter().map(|text| text.len() + 1).sum(),
    }
}

fn read_csv(path: &Path) -> Option<Vec<Vec<String>>> {
    let file = std::fs::File::open(path).ok()?;
    let reader: Box<dyn Read> = if path.extension().is_some_and(|end| end == "gz") {
        Box::new(flate2::read::GzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut rows = Vec::new();
    for record in csv::Reader::from_reader(reader).into_records() {
        rows.push(record.ok()?.iter().map(str::to_owned).collect());
    }
    Some(rows)
}

struct Words {
    rng: ChaCha8Rng,
}

impl Words {
    fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    fn text(&mut self, words: usize) -> String {
        let syllables = ["tro", "ma", "kha", "lin", "đo", "phu", "nga", "ben", "cua", "say"];
        let word = |rng: &mut ChaCha8Rng| {
            (0..2).map(|_| syllables[rng.next_u32() as usize % 10]).collect::<String>()
        };
        (0..words).map(|_| word(&mut self.rng)).collect::<Vec<_>>().join(" ")
    }
}
