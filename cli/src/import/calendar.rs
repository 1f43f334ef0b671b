//! Calendar arithmetic: valid dates, clock times and their UTC milliseconds.
//!
//! Proleptic Gregorian calendar, no leap seconds, no time zones beyond a fixed offset.

const DAY_MS: i64 = 86_400_000;

/// A valid calendar day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Date {
    year: i32,
    month: u32,
    day: u32,
}

impl Date {
    /// Returns the day, or `None` if the calendar has no such day.
    pub(super) fn new(year: i32, month: u32, day: u32) -> Option<Self> {
        let valid = (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month);
        valid.then_some(Self { year, month, day })
    }

    /// Returns the day on which this moment falls at this offset from UTC.
    pub(super) fn of_ms(ms: i64, offset_min: i32) -> Self {
        let days = (ms + i64::from(offset_min) * 60_000).div_euclid(DAY_MS);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_index = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_index + 2) / 5 + 1;
        let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        // The era arithmetic keeps every part within its range; the fallbacks are never taken.
        Self {
            year: i32::try_from(year).unwrap_or(i32::MAX),
            month: u32::try_from(month).unwrap_or(1),
            day: u32::try_from(day).unwrap_or(1),
        }
    }

    /// Returns the year.
    pub(super) const fn year(self) -> i32 {
        self.year
    }

    /// Returns year, month and day.
    pub(super) const fn parts(self) -> (i32, u32, u32) {
        (self.year, self.month, self.day)
    }

    /// Returns the number of days since 1970-01-01.
    pub(super) fn days(self) -> i64 {
        let year = i64::from(self.year) - i64::from(self.month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let month_index = (i64::from(self.month) + 9) % 12;
        let day_of_year = (153 * month_index + 2) / 5 + i64::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    /// Returns the UTC milliseconds of this day and time at this offset from UTC.
    pub(super) fn at(self, clock: Clock, offset_min: i32) -> i64 {
        self.days() * DAY_MS + clock.ms() - i64::from(offset_min) * 60_000
    }

    /// Returns the following day.
    pub(super) fn next(self) -> Self {
        Self::of_ms((self.days() + 1) * DAY_MS, 0)
    }
}

/// A time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Clock {
    hour: u32,
    minute: u32,
    second: u32,
}

impl Clock {
    /// The first moment of a day.
    pub(super) const MIDNIGHT: Self = Self { hour: 0, minute: 0, second: 0 };

    /// Returns the time, or `None` if a day has no such time.
    pub(super) fn new(hour: u32, minute: u32, second: u32) -> Option<Self> {
        (hour < 24 && minute < 60 && second < 60).then_some(Self { hour, minute, second })
    }

    /// Returns the hour, 0 to 23.
    pub(super) const fn hour(self) -> u32 {
        self.hour
    }

    /// Returns this time in the other half of the day.
    pub(super) const fn other_half(self) -> Self {
        Self { hour: (self.hour + 12) % 24, ..self }
    }

    fn ms(self) -> i64 {
        i64::from(self.hour * 3_600 + self.minute * 60 + self.second) * 1_000
    }
}

fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_do_not_exist_are_refused() {
        assert_eq!(Date::new(2026, 2, 29), None);
        assert_eq!(Date::new(2022, 3, 39), None);
        assert_eq!(Date::new(1900, 2, 29), None);
        assert!(Date::new(2000, 2, 29).is_some());
        assert_eq!(Clock::new(24, 0, 0), None);
    }

    #[test]
    fn days_and_dates_are_inverse_over_four_centuries() {
        let mut previous = Date::new(1899, 12, 31).unwrap();
        for _ in 0..146_097 {
            let next = previous.next();
            assert_eq!(next.days(), previous.days() + 1);
            assert_eq!(Date::of_ms(next.days() * DAY_MS, 0), next);
            previous = next;
        }
    }

    #[test]
    fn an_offset_moves_the_moment_and_the_day() {
        let day = Date::new(2026, 1, 1).unwrap();
        let ms = day.at(Clock::MIDNIGHT, 7 * 60);
        assert_eq!(ms, 1_767_200_400_000);
        assert_eq!(Date::of_ms(ms, 7 * 60), day);
        assert_eq!(Date::of_ms(ms, 0), Date::new(2025, 12, 31).unwrap());
    }
}
