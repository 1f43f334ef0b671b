//! Times as people write them, at +07:00.
//!
//! Must not know: what happened then.

use crate::import::{civil, read_moment};

/// Vietnam's offset from UTC, in minutes.
pub(crate) const OFFSET_MIN: i32 = 7 * 60;
const MINUTE_MS: i64 = 60_000;

/// Reads a day, a time of today or both, such as `05/11/2026 23:30` or `2026-11-05T23:30+07:00`.
pub(crate) fn parse(text: &str, now_ms: i64) -> Option<i64> {
    read_moment(text, now_ms, OFFSET_MIN)
}

/// Writes a moment as `05/11/2026 23:30`.
pub(crate) fn moment(ms: i64) -> String {
    let (day, hour, minute) = (day(ms), hour(ms), minute(ms));
    format!("{day} {hour:02}:{minute:02}")
}

/// Writes the day of a moment as `05/11/2026`.
pub(crate) fn day(ms: i64) -> String {
    let (year, month, day) = civil(ms, OFFSET_MIN);
    format!("{day:02}/{month:02}/{year:04}")
}

/// Writes a moment with its offset, to be read by programs: `2026-11-05T23:30:00.000+07:00`.
pub(crate) fn iso(ms: i64) -> String {
    let (year, month, day) = civil(ms, OFFSET_MIN);
    let local_ms = ms + i64::from(OFFSET_MIN) * MINUTE_MS;
    let (hour, minute) = (hour(ms), minute(ms));
    let second = local_ms.rem_euclid(MINUTE_MS) / 1_000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}+07:00")
}

/// Reads `2026-10` or `10/2026` as year and month.
pub(crate) fn parse_month(text: &str) -> Option<(i32, u32)> {
    let (year, month) = match text.split_once('-') {
        Some(parts) => parts,
        None => text.split_once('/').map(|(month, year)| (year, month))?,
    };
    let (year, month) = (year.trim().parse().ok()?, month.trim().parse().ok()?);
    (1..=12).contains(&month).then_some((year, month))
}

fn hour(ms: i64) -> i64 {
    (ms + i64::from(OFFSET_MIN) * MINUTE_MS).rem_euclid(24 * 60 * MINUTE_MS) / (60 * MINUTE_MS)
}

fn minute(ms: i64) -> i64 {
    (ms + i64::from(OFFSET_MIN) * MINUTE_MS).rem_euclid(60 * MINUTE_MS) / MINUTE_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 6 November 2026, 00:40 in Vietnam.
    const MS: i64 = 1_793_900_400_000;

    #[test]
    fn times_are_written_and_read_at_plus_seven() {
        assert_eq!(moment(MS), "06/11/2026 00:40");
        assert_eq!(iso(MS), "2026-11-06T00:40:00+07:00");
        for text in ["06/11/2026 00:40", "2026-11-06T00:40:00+07:00", "00:40"] {
            assert_eq!(parse(text, MS + MINUTE_MS), Some(MS), "{text}");
        }
        assert_eq!(parse("31/02/2026", MS), None);
        assert_eq!(iso(MS + 5_999), "2026-11-06T00:40:05+07:00");
    }

    #[test]
    fn a_month_is_read_both_ways() {
        assert_eq!(parse_month("2026-10"), Some((2026, 10)));
        assert_eq!(parse_month("10/2026"), Some((2026, 10)));
        assert_eq!(parse_month("2026-13"), None);
    }
}
