//! Small bars, for what people would rather see than read.

const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const CELLS: u64 = 30;

/// Draws one bar per row, the longest of full width; labels and counts are aligned.
pub(crate) fn draw(rows: &[(String, u64)], count: impl Fn(u64) -> String) -> Vec<String> {
    let most = rows.iter().map(|(_, n)| *n).max().unwrap_or_default().max(1);
    let width = rows.iter().map(|(label, _)| label.chars().count()).max();
    let width = width.unwrap_or_default();
    rows.iter()
        .map(|(label, n)| {
            let eighths = n * CELLS * 8 / most;
            let full = usize::try_from(eighths / 8).unwrap_or_default();
            let rest = usize::try_from(eighths % 8).unwrap_or_default();
            let rest = EIGHTHS.get(rest).copied().unwrap_or_default();
            format!("  {label:width$}  {}{rest} {}", "█".repeat(full), count(*n))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_is_full_and_labels_align() {
        let rows = [("Mất trộm".to_owned(), 4), ("B".to_owned(), 1)];
        let drawn = draw(&rows, |n| n.to_string());
        assert_eq!(drawn[0], format!("  Mất trộm  {} 4", "█".repeat(30)));
        assert_eq!(drawn[1], format!("  B         {}▌ 1", "█".repeat(7)));
    }
}
