//! The table: one row per goal, for people and as JSON.
//!
//! Must not know: how a figure was measured.

use serde_json::{Value, json};

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// The goal's id and what exactly, such as `S6 search`.
    pub(crate) id: String,
    /// What must be reached.
    pub(crate) goal: String,
    /// What it is measured against, with its figure.
    pub(crate) limit: String,
    /// The figure.
    pub(crate) measured: String,
    /// Measured over limit, where there is a limit.
    pub(crate) ratio: Option<f64>,
    /// Whether the goal is met.
    pub(crate) pass: bool,
}

/// Prints the table.
pub(crate) fn print(rows: &[Row]) {
    println!("| # | goal | limit | measured | ratio | |");
    println!("|---|---|---|---|---|---|");
    for row in rows {
        let ratio = row.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        let mark = if row.pass { "pass" } else { "short" };
        println!(
            "| {} | {} | {} | {} | {ratio} | {mark} |",
            row.id, row.goal, row.limit, row.measured
        );
    }
}

/// Returns the table as JSON.
pub(crate) fn json(rows: &[Row]) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "id": row.id, "goal": row.goal, "limit": row.limit,
                "measured": row.measured, "ratio": row.ratio, "pass": row.pass,
            })
        })
        .collect();
    json!(rows)
}

/// Returns a quantile of unsorted values.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get(((last as f64) * share).round() as usize).copied().unwrap_or_default()
}

/// Returns the median of unsorted values.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}
