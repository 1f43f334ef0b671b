//! What a hub writes about itself: one JSON line per event, and counts for Prometheus.
//!
//! Invariant: no id, address, key, path or text of a request is ever in it; a route is named by
//! its pattern. Must not know: storage.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};
use tuquan_core::clock::Clock;

use crate::storage::Usage;

/// Upper bounds of the buckets of durations, in ms.
const DURATIONS_MS: [u64; 7] = [5, 20, 100, 300, 1_000, 5_000, 60_000];

/// Where lines go.
pub type Sink = Box<dyn Write + Send>;

/// Lines and counts of one hub.
pub(crate) struct Journal {
    clock: Arc<dyn Clock>,
    sink: Mutex<Sink>,
    counts: Mutex<Counts>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Journal")
    }
}

#[derive(Debug, Default)]
struct Counts {
    /// By method, route and status.
    requests: BTreeMap<(&'static str, String, u16), u64>,
    /// By code.
    refusals: BTreeMap<&'static str, u64>,
    durations: [u64; DURATIONS_MS.len() + 1],
    duration_ms: u64,
    /// By name.
    others: BTreeMap<&'static str, i64>,
}

/// One request that was answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) method: &'static str,
    pub(crate) route: String,
    pub(crate) status: u16,
    pub(crate) code: Option<&'static str>,
    pub(crate) took_ms: u64,
}

impl Journal {
    pub(crate) fn new(clock: Arc<dyn Clock>, sink: Sink) -> Self {
        Self { clock, sink: Mutex::new(sink), counts: Mutex::default() }
    }

    /// Writes one event with its numbers.
    pub(crate) fn event(&self, name: &str, numbers: &[(&str, u64)]) {
        let fields = numbers.iter().map(|(name, number)| ((*name).to_owned(), json!(number)));
        self.line(name, fields.collect());
    }

    /// Writes that something failed, by its stable code.
    pub(crate) fn failure(&self, name: &str, code: &'static str) {
        self.line(name, Map::from_iter([("code".to_owned(), json!(code))]));
        self.add("failures", 1);
    }

    /// Counts a request and writes its line.
    pub(crate) fn answered(&self, answered: &Answered) {
        let mut fields = Map::from_iter([
            ("method".to_owned(), json!(answered.method)),
            ("route".to_owned(), json!(answered.route)),
            ("status".to_owned(), json!(answered.status)),
            ("ms".to_owned(), json!(answered.took_ms)),
        ]);
        if let Some(code) = answered.code {
            fields.insert("code".to_owned(), json!(code));
        }
        self.line("request", fields);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (answered.method, answered.route.clone(), answered.status);
        *counts.requests.entry(key).or_default() += 1;
        if let Some(code) = answered.code {
            *counts.refusals.entry(code).or_default() += 1;
        }
        let slot = DURATIONS_MS.iter().position(|bound| answered.took_ms <= *bound);
        counts.durations[slot.unwrap_or(DURATIONS_MS.len())] += 1;
        counts.duration_ms += answered.took_ms;
    }

    /// Moves a count by its name.
    pub(crate) fn add(&self, name: &'static str, number: i64) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.others.entry(name).or_default() += number;
    }

    fn line(&self, event: &str, mut fields: Map<String, Value>) {
        fields.insert("ts_ms".to_owned(), json!(self.clock.now_ms()));
        fields.insert("event".to_owned(), json!(event));
        let mut line = Value::Object(fields).to_string();
        line.push('\n');
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        // A log that cannot be written stops nobody's notes.
        let _ = sink.write_all(line.as_bytes()).and_then(|()| sink.flush());
    }

    /// Returns all counts in Prometheus' text form.
    pub(crate) fn metrics(&self, usage: &Usage) -> String {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        // Writing to a text cannot fail.
        let _ = counts.write(&mut text);
        let stored = [
            ("spaces", usage.spaces),
            ("packs", usage.packs),
            ("pack_bytes", usage.pack_bytes),
            ("chunks", usage.chunks),
            ("chunk_bytes", usage.chunk_bytes),
            ("mailbox_slots", usage.slots),
        ];
        for (name, number) in stored {
            let _ = writeln!(text, "# TYPE tuquan_hub_{name} gauge\ntuquan_hub_{name} {number}");
        }
        text
    }
}

impl Counts {
    fn write(&self, to: &mut String) -> std::fmt::Result {
        writeln!(to, "# TYPE tuquan_hub_requests_total counter")?;
        for ((method, route, status), number) in &self.requests {
            writeln!(
                to,
                "tuquan_hub_requests_total{{method=\"{method}\",route=\"{route}\",\
                 status=\"{status}\"}} {number}"
            )?;
        }
        writeln!(to, "# TYPE tuquan_hub_refusals_total counter")?;
        for (code, number) in &self.refusals {
            writeln!(to, "tuquan_hub_refusals_total{{code=\"{code}\"}} {number}")?;
        }
        writeln!(to, "# TYPE tuquan_hub_request_ms histogram")?;
        let mut sum = 0;
        for (bound, number) in DURATIONS_MS.iter().zip(self.durations) {
            sum += number;
            writeln!(to, "tuquan_hub_request_ms_bucket{{le=\"{bound}\"}} {sum}")?;
        }
        sum += self.durations.last().copied().unwrap_or_default();
        writeln!(to, "tuquan_hub_request_ms_bucket{{le=\"+Inf\"}} {sum}")?;
        writeln!(to, "tuquan_hub_request_ms_sum {}", self.duration_ms)?;
        writeln!(to, "tuquan_hub_request_ms_count {sum}")?;
        for (name, number) in &self.others {
            writeln!(to, "# TYPE tuquan_hub_{name} gauge\ntuquan_hub_{name} {number}")?;
        }
        Ok(())
    }
}
