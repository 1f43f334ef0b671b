//! Windows of time: months, ISO weeks, closing-date months, and any other stretch.
//!
//! The time zone is fixed at +07:00, which has no summer time, so a window is plain arithmetic
//! and the same on every phone. Invariant: windows are half-open, the end belongs to the next
//! one. Must not know: what is counted in a window.

use crate::clock::PLAUSIBLE_MS_MAX;
use crate::error::{Error, Kind, Result};

/// How far local time is ahead of UTC, in ms.
pub const ZONE_MS: i64 = 7 * 3_600_000;
const DAY_MS: i64 = 86_400_000;
const WEEK_MS: i64 = 7 * DAY_MS;
/// Room for the windows that begin before the first year or end after the last.
const FROM_MS_MIN: i64 = -32 * DAY_MS;
const TO_MS_MAX: i64 = PLAUSIBLE_MS_MAX + WEEK_MS;
const YEAR_MIN: i32 = 1970;
const YEAR_MAX: i32 = 2199;
/// The day of the month on which a closing-date month begins.
const CLOSING_DAY: i64 = 15;

/// A stretch of time, `[from_ms, to_ms)`, in ms since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct Window {
    /// The first moment inside.
    pub from_ms: i64,
    /// The first moment after.
    pub to_ms: i64,
}

/// A week by the ISO calendar: it begins on Monday and belongs to the year of its Thursday.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub struct IsoWeek {
    /// The year.
    pub year: i32,
    /// The week, 1 to 53.
    pub week: u32,
}

impl Window {
    /// Makes a window of any length.
    ///
    /// # Errors
    /// `E-INVALID` when it is empty or outside of the years 1970 to 2199.
    pub fn custom(from_ms: i64, to_ms: i64) -> Result<Self> {
        if from_ms >= to_ms || from_ms < FROM_MS_MIN || to_ms > TO_MS_MAX {
            return Err(Error::new(Kind::Invalid, "not a window of time"));
        }
        Ok(Self { from_ms, to_ms })
    }

    /// Makes the window of a calendar month, 1 to 12.
    ///
    /// # Errors
    /// `E-INVALID` when there is no such month.
    pub fn month(year: i32, month: u32) -> Result<Self> {
        let (next_year, next_month) = after(check_month(year, month)?);
        Ok(Self {
            from_ms: midnight_ms(days_since_1970(year, month, 1)),
            to_ms: midnight_ms(days_since_1970(next_year, next_month, 1)),
        })
    }

    /// Makes the window of an official month: from the 15th of the month before to the 14th.
    ///
    /// # Errors
    /// `E-INVALID` when there is no such month.
    pub fn closing_month(year: i32, month: u32) -> Result<Self> {
        check_month(year, month)?;
        let (before_year, before_month) = match month {
            1 => (year - 1, 12),
            _ => (year, month - 1),
        };
        Ok(Self {
            from_ms: midnight_ms(days_since_1970(before_year, before_month, CLOSING_DAY)),
            to_ms: midnight_ms(days_since_1970(year, month, CLOSING_DAY)),
        })
    }

    /// Makes the window of an ISO week, Monday to Sunday.
    ///
    /// # Errors
    /// `E-INVALID` when the year has no such week.
    pub fn iso_week(year: i32, week: u32) -> Result<Self> {
        check_month(year, 1)?;
        let from_ms = week_one_ms(year) + (i64::from(week) - 1) * WEEK_MS;
        if IsoWeek::at(from_ms) != (IsoWeek { year, week }) {
            return Err(Error::new(Kind::Invalid, "the year has no such week"));
        }
        Ok(Self { from_ms, to_ms: from_ms + WEEK_MS })
    }

    /// Returns the ISO weeks that this window touches, each cut to what lies inside.
    pub fn weeks(self) -> impl Iterator<Item = (IsoWeek, Self)> {
        let mut from_ms = self.from_ms;
        std::iter::from_fn(move || {
            if from_ms >= self.to_ms {
                return None;
            }
            let into_ms = (from_ms + ZONE_MS + 3 * DAY_MS).rem_euclid(WEEK_MS);
            let to_ms = (from_ms + WEEK_MS - into_ms).min(self.to_ms);
            let part = Self { from_ms, to_ms };
            from_ms = to_ms;
            Some((IsoWeek::at(part.from_ms), part))
        })
    }
}

impl IsoWeek {
    /// Returns the week that a moment lies in.
    #[must_use]
    pub fn at(ms: i64) -> Self {
        let local_ms = ms + ZONE_MS;
        // 1970-01-01 was a Thursday.
        let monday_ms = local_ms - (local_ms + 3 * DAY_MS).rem_euclid(WEEK_MS);
        let year = year_of(monday_ms.div_euclid(DAY_MS) + 3);
        let week = (monday_ms - ZONE_MS - week_one_ms(year)) / WEEK_MS + 1;
        Self { year, week: week as u32 }
    }
}

fn check_month(year: i32, month: u32) -> Result<(i32, u32)> {
    if !(YEAR_MIN..=YEAR_MAX).contains(&year) || !(1..=12).contains(&month) {
        return Err(Error::new(Kind::Invalid, "no such month"));
    }
    Ok((year, month))
}

fn after((year, month): (i32, u32)) -> (i32, u32) {
    match month {
        12 => (year + 1, 1),
        _ => (year, month + 1),
    }
}

/// Returns the Monday of the week that holds 4 January.
fn week_one_ms(year: i32) -> i64 {
    let fourth = days_since_1970(year, 1, 4);
    midnight_ms(fourth - (fourth + 3).rem_euclid(7))
}

fn midnight_ms(days: i64) -> i64 {
    days * DAY_MS - ZONE_MS
}

/// Counts days by the Gregorian calendar, with years that begin in March so that the leap day
/// comes last.
fn days_since_1970(year: i32, month: u32, day: i64) -> i64 {
    let month = i64::from(month);
    let year = i64::from(year) - i64::from(month <= 2);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + day_of_year - 719_468
}

/// Returns the year that a day lies in.
fn year_of(days: i64) -> i32 {
    let guess = 1970 + days.div_euclid(366) as i32;
    let begun = |year: &i32| days_since_1970(*year, 1, 1) <= days;
    (guess..).take_while(begun).last().unwrap_or(guess)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(year: i32, month: u32, day: i64) -> i64 {
        midnight_ms(days_since_1970(year, month, day))
    }

    #[test]
    fn a_month_begins_at_midnight_at_plus_seven() {
        let october = Window::month(2026, 10).expect("a month");
        assert_eq!(october.from_ms, 1_790_787_600_000);
        assert_eq!(october.to_ms, 1_790_787_600_000 + 31 * DAY_MS);
        let december = Window::month(2026, 12).expect("a month");
        assert_eq!(december.to_ms, local(2027, 1, 1));
        let leap = Window::month(2028, 2).expect("a month");
        assert_eq!(leap.to_ms - leap.from_ms, 29 * DAY_MS);
    }

    #[test]
    fn a_closing_month_runs_from_the_15th_to_the_14th() {
        let october = Window::closing_month(2026, 10).expect("a month");
        assert_eq!(october.from_ms, local(2026, 9, 15));
        assert_eq!(october.to_ms, local(2026, 10, 15));
        let january = Window::closing_month(2027, 1).expect("a month");
        assert_eq!(january.from_ms, local(2026, 12, 15));
    }

    #[test]
    fn iso_weeks_begin_on_monday_and_belong_to_the_year_of_their_thursday() {
        let week = |year, week| IsoWeek { year, week };
        assert_eq!(IsoWeek::at(local(2026, 10, 5)), week(2026, 41));
        assert_eq!(IsoWeek::at(local(2026, 10, 5) - 1), week(2026, 40));
        assert_eq!(IsoWeek::at(local(2027, 1, 3)), week(2026, 53));
        assert_eq!(IsoWeek::at(local(2027, 1, 4)), week(2027, 1));
        assert_eq!(IsoWeek::at(local(2025, 12, 29)), week(2026, 1));
        let first = Window::iso_week(2026, 1).expect("a week");
        assert_eq!(first.from_ms, local(2025, 12, 29));
        assert!(Window::iso_week(2026, 53).is_ok());
        assert!(Window::iso_week(2025, 53).is_err());
        assert!(Window::iso_week(2026, 0).is_err());
        assert!(Window::iso_week(2026, u32::MAX).is_err());
    }

    #[test]
    fn every_day_of_two_centuries_lies_in_the_week_that_its_window_covers() {
        for day in 0..80_000 {
            let ms = midnight_ms(day) + 1;
            let found = IsoWeek::at(ms);
            let window = Window::iso_week(found.year, found.week).expect("a week");
            assert!((window.from_ms..window.to_ms).contains(&ms));
        }
    }

    #[test]
    fn the_weeks_of_a_window_cover_it_without_overlap() {
        let october = Window::month(2026, 10).expect("a month");
        let weeks: Vec<_> = october.weeks().collect();
        let numbers: Vec<u32> = weeks.iter().map(|(week, _)| week.week).collect();
        assert_eq!(numbers, [40, 41, 42, 43, 44]);
        assert_eq!(weeks[0].1.from_ms, october.from_ms);
        assert_eq!(weeks[4].1.to_ms, october.to_ms);
        assert!(weeks.windows(2).all(|pair| pair[0].1.to_ms == pair[1].1.from_ms));
        assert_eq!(weeks[1].1, Window::iso_week(2026, 41).expect("a week"));
    }

    #[test]
    fn windows_that_make_no_sense_are_refused() {
        assert!(Window::custom(5, 5).is_err());
        assert!(Window::custom(i64::MIN, 0).is_err());
        assert!(Window::custom(0, i64::MAX).is_err());
        assert!(Window::month(2026, 13).is_err());
        assert!(Window::closing_month(1969, 1).is_err());
        assert!(Window::custom(0, 1).is_ok());
    }
}
