//! Finds dates, clock times and UTC offsets in free text.
//!
//! The scanner walks the text once and tries the accepted forms in order at every place. What no
//! form accepts is passed over, except digits: a number that was not understood makes the whole
//! value doubtful, so it is reported. No judgement about years or ranges is made here.

use serde::Deserialize;

use super::{
    calendar::{Clock, Date},
    text::flatten,
};

/// A way of writing a date or a time that a map may accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Form {
    /// `2015-12-10`, `2015-12-10 17:40:00`, `2026-04-29T00:01:00-05:00`.
    Iso,
    /// `11/23/2025`, `4/29/26`, `17.5.2023`; the order is the map's.
    SlashDate,
    /// `31/5`, `ngày 31/5`; the year comes from the context.
    ShortDate,
    /// `November 23, 2025`, `31 tháng 5 năm 2022`.
    NamedMonth,
    /// `12:18 AM`, `9:05:00pm`, `0630 AM`, `11 a.m.`.
    Clock12,
    /// `16:07`, `16:07:30`, `16h07`, `16 giờ`.
    Clock24,
}

/// Which number of a slash date comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum DateOrder {
    /// Day, month, year.
    Dmy,
    /// Month, day, year.
    Mdy,
}

/// A date as found; the year may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FoundDate {
    pub(super) year: Option<i32>,
    pub(super) month: u32,
    pub(super) day: u32,
}

/// A clock time as found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FoundClock {
    pub(super) clock: Clock,
    /// AM or PM is missing although the map expects it.
    pub(super) half_missing: bool,
}

/// Everything found in one text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) dates: Vec<FoundDate>,
    pub(super) clocks: Vec<FoundClock>,
    pub(super) offset_min: Option<i32>,
    /// A word such as `unknown` or `không rõ` was read.
    pub(super) unknown: bool,
    /// A time is written in a contradictory way.
    pub(super) odd: bool,
    /// A date or time has the right shape and impossible numbers.
    pub(super) impossible: bool,
    /// Digits that no form accepts.
    pub(super) unread_digits: bool,
    /// Letters that are neither known words nor part of a form.
    pub(super) other_words: bool,
}

/// Scans the text for the forms; `halves_expected` says that times are written with AM and PM.
pub(super) fn scan(text: &str, forms: &[Form], order: DateOrder, halves_expected: bool) -> Found {
    let chars = flatten(text).map(|c| match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        c => c,
    });
    let mut scanner = Scanner {
        chars: chars.collect(),
        found: Found::default(),
        order,
    };
    let mut at = 0;
    while at < scanner.chars.len() {
        let next = forms
            .iter()
            .find_map(|form| scanner.try_form(*form, at, halves_expected));
        at = next.unwrap_or_else(|| scanner.pass_over(at));
    }
    scanner.found
}

struct Scanner {
    chars: Vec<char>,
    found: Found,
    order: DateOrder,
}

impl Scanner {
    fn try_form(&mut self, form: Form, at: usize, halves_expected: bool) -> Option<usize> {
        match form {
            Form::Iso => self.iso(at),
            Form::SlashDate => self.slash_date(at),
            Form::ShortDate => self.short_date(at),
            Form::NamedMonth => self.named_month(at),
            Form::Clock12 => self.clock12(at),
            Form::Clock24 => self.clock24(at, halves_expected),
        }
    }

    fn iso(&mut self, at: usize) -> Option<usize> {
        let (year, at) = self.number(at, 4..=4)?;
        let (month, at) = self.number(self.one_of(at, "-/")?, 1..=2)?;
        let (day, at) = self.number(self.one_of(at, "-/")?, 1..=2)?;
        self.push_date(Some(year), month, day);
        let clock_at = self.one_of(at, "t").unwrap_or_else(|| self.skip_spaces(at));
        let Some((hour, next)) = self.number(clock_at, 1..=2) else {
            return Some(at);
        };
        let Some((minute, second, next)) = self.minutes(next) else {
            return Some(at);
        };
        self.push_clock(Clock::new(hour, minute, second), false);
        Some(self.offset(next).unwrap_or(next))
    }

    fn slash_date(&mut self, at: usize) -> Option<usize> {
        let (first, at) = self.number(at, 1..=2)?;
        let (separator, at) = self.separator(at)?;
        let (second, at) = self.number(at, 1..=2)?;
        let (again, at) = self.separator(at)?;
        if again != separator {
            return None;
        }
        let run = self.digits(at);
        let clock_follows = self.peek(at + run) == Some(':');
        let width = match (run, clock_follows) {
            (2 | 4, false) => run,
            // The space before the clock is missing: `17/2512:15` is year 25, 12:15.
            (3 | 4, true) => 2,
            (5 | 6, true) => 4,
            _ => return None,
        };
        let year = self.value(at, width);
        let (month, day) = self.ordered(first, second);
        self.push_date(
            Some(if width == 2 { full_year(year) } else { year }),
            month,
            day,
        );
        Some(at + width)
    }

    fn short_date(&mut self, at: usize) -> Option<usize> {
        let (first, at) = self.number(at, 1..=2)?;
        let (second, at) = self.number(self.one_of(at, "/")?, 1..=2)?;
        if self.peek(at) == Some('/') {
            return None;
        }
        let (month, day) = self.ordered(first, second);
        self.push_date(None, month, day);
        Some(at)
    }

    fn named_month(&mut self, at: usize) -> Option<usize> {
        if let Some((month, next)) = self.month_word(at) {
            let (day, next) = self.number(self.skip_spaces(next), 1..=2)?;
            let next = self.skip_spaces(self.one_of(next, ",").unwrap_or(next));
            let (year, next) = self.number(next, 4..=4)?;
            self.push_date(Some(year), month, day);
            return Some(next);
        }
        let (day, next) = self.number(at, 1..=2)?;
        let next = self.skip_spaces(next);
        if let Some(next) = self.word(next, "thang") {
            let (month, next) = self.number(self.skip_spaces(next), 1..=2)?;
            let year_at = self.skip_spaces(next);
            let year_at = self.skip_spaces(self.word(year_at, "nam").unwrap_or(year_at));
            let year = self.number(year_at, 4..=4);
            self.push_date(year.map(|(year, _)| year), month, day);
            return Some(year.map_or(next, |(_, next)| next));
        }
        let (month, next) = self.month_word(next)?;
        let (year, next) = self.number(self.skip_spaces(next), 4..=4)?;
        self.push_date(Some(year), month, day);
        Some(next)
    }

    fn clock12(&mut self, at: usize) -> Option<usize> {
        let run = self.digits(at);
        let colon_form = self.number(at, 1..=2).and_then(|(hour, next)| {
            let (minute, second, next) = self.minutes(next)?;
            let (afternoon, next) = self.half(next)?;
            Some((hour, minute, second, afternoon, next))
        });
        let (hour, minute, second, afternoon, next) = match colon_form {
            Some(parts) => parts,
            None if (1..=4).contains(&run) => {
                let (afternoon, next) = self.half(at + run)?;
                let value = self.value::<u32>(at, run);
                let (hour, minute) = if run > 2 {
                    (value / 100, value % 100)
                } else {
                    (value, 0)
                };
                (hour, minute, 0, afternoon, next)
            }
            None => return None,
        };
        self.found.odd |= hour == 0 || hour > 12;
        let hour = match (hour, afternoon) {
            (12, false) => 0,
            (0..=11, true) => hour + 12,
            _ => hour,
        };
        self.push_clock(Clock::new(hour, minute, second), false);
        Some(next)
    }

    fn clock24(&mut self, at: usize, halves_expected: bool) -> Option<usize> {
        let (hour, next) = self.number(at, 1..=2)?;
        let (minute, second, next) = self.minutes(next).or_else(|| {
            let next = self.skip_spaces(next);
            let next = self.word(next, "gio").or_else(|| self.one_of(next, "hg"))?;
            let minute = self.number(self.skip_spaces(next), 1..=2);
            // `16h 17/5` is an hour and then a date.
            let minute = minute.filter(|(_, next)| !matches!(self.peek(*next), Some('/' | '.')));
            Some(minute.map_or((0, 0, next), |(minute, next)| (minute, 0, next)))
        })?;
        self.push_clock(
            Clock::new(hour, minute, second),
            halves_expected && hour <= 12,
        );
        Some(next)
    }

    /// Reads `:mm`, `:mm:ss` or `:mm:ss.fff`; a single digit of minutes is odd.
    fn minutes(&mut self, at: usize) -> Option<(u32, u32, usize)> {
        let colon = self.one_of(self.skip_spaces(at), ":")?;
        let start = self.skip_spaces(colon);
        let (minute, next) = self.number(start, 1..=2)?;
        self.found.odd |= next - start == 1;
        let seconds = self.one_of(next, ":").and_then(|at| self.number(at, 2..=2));
        let Some((second, next)) = seconds else {
            return Some((minute, 0, next));
        };
        let fraction = self.one_of(next, ".").map(|at| at + self.digits(at));
        Some((minute, second, fraction.unwrap_or(next)))
    }

    /// Reads AM or PM in any of its spellings; returns whether it is PM.
    fn half(&self, at: usize) -> Option<(bool, usize)> {
        let at = self.skip_spaces(at);
        let afternoon = match self.peek(at)? {
            'a' => false,
            'p' => true,
            _ => return None,
        };
        let at = self.one_of(at + 1, ". ").unwrap_or(at + 1);
        let at = self.one_of(at, "m")?;
        let at = self.one_of(at, ".").unwrap_or(at);
        self.peek(at)
            .is_none_or(|c| !c.is_alphanumeric())
            .then_some((afternoon, at))
    }

    /// Reads `z`, `+07:00`, `-0500` or `+7`.
    fn offset(&mut self, at: usize) -> Option<usize> {
        if let Some(next) = self.one_of(at, "z") {
            self.found.offset_min = Some(0);
            return Some(next);
        }
        let sign = if self.one_of(at, "-").is_some() {
            -1
        } else {
            1
        };
        let at = self.one_of(at, "+-")?;
        let run = self.digits(at);
        let (hours, minutes, next) = match (run, self.peek(at + run)) {
            (2, Some(':')) if self.digits(at + 3) == 2 => {
                (self.value::<i32>(at, 2), self.value(at + 3, 2), at + 5)
            }
            (4, _) => (self.value(at, 2), self.value(at + 2, 2), at + 4),
            (1 | 2, _) => (self.value(at, run), 0, at + run),
            _ => return None,
        };
        self.found.impossible |= hours > 14 || minutes > 59;
        self.found.offset_min = Some(sign * (hours * 60 + minutes));
        Some(next)
    }

    fn pass_over(&mut self, at: usize) -> usize {
        let c = self.chars[at];
        if c.is_numeric() {
            self.found.unread_digits = true;
            return at
                + self
                    .chars
                    .iter()
                    .skip(at)
                    .take_while(|c| c.is_numeric())
                    .count();
        }
        if !c.is_alphabetic() {
            return at + 1;
        }
        // `to10/11/18` lacks a space; in any other word a digit is part of it.
        let only_letters = self.word(at, "to").is_some();
        let in_word = |c: &&char| c.is_alphabetic() || (!only_letters && c.is_numeric());
        let word: String = self.chars.iter().skip(at).take_while(in_word).collect();
        let end = at + word.chars().count();
        match word.as_str() {
            "gmt" | "utc" => return self.offset(end).unwrap_or(end),
            "unknown" | "various" | "unspecified" | "specified" | "unavailable" | "available"
            | "ro" | "n" | "na" => self.found.unknown = true,
            "khong" | "chua" | "not" | "a" | "date" | "dates" | "time" | "times" => {}
            "to" | "thru" | "through" | "and" | "at" | "den" | "toi" | "tu" | "luc" | "hoi"
            | "ngay" | "thu" => {}
            _ => self.found.other_words = true,
        }
        end
    }

    fn push_date(&mut self, year: Option<i32>, month: u32, day: u32) {
        // A leap year stands in for an unknown one, so that 29/2 survives until the year is known.
        self.found.impossible |= Date::new(year.unwrap_or(2000), month, day).is_none();
        self.found.dates.push(FoundDate { year, month, day });
    }

    fn push_clock(&mut self, clock: Option<Clock>, half_missing: bool) {
        match clock {
            Some(clock) => self.found.clocks.push(FoundClock {
                clock,
                half_missing,
            }),
            None => self.found.impossible = true,
        }
    }

    fn ordered(&self, first: u32, second: u32) -> (u32, u32) {
        match self.order {
            DateOrder::Dmy => (second, first),
            DateOrder::Mdy => (first, second),
        }
    }

    fn separator(&self, at: usize) -> Option<(char, usize)> {
        let slash = self.skip_spaces(at);
        let at = if self.peek(slash) == Some('/') {
            slash
        } else {
            at
        };
        let c = self.peek(at).filter(|c| matches!(c, '/' | '.' | '-'))?;
        Some((c, at + 1))
    }

    fn month_word(&self, at: usize) -> Option<(u32, usize)> {
        const MONTHS: [&str; 12] = [
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ];
        let letters = self.chars.iter().skip(at).take_while(|c| c.is_alphabetic());
        let word: String = letters.collect();
        let index = MONTHS.iter().position(|month| word.starts_with(month))?;
        let next = at + word.chars().count();
        Some((
            u32::try_from(index).ok()? + 1,
            self.one_of(next, ".").unwrap_or(next),
        ))
    }

    fn word(&self, at: usize, word: &str) -> Option<usize> {
        let count = word.chars().count();
        let same = self
            .chars
            .iter()
            .skip(at)
            .take(count)
            .copied()
            .eq(word.chars());
        (same && self.peek(at + count).is_none_or(|c| !c.is_alphabetic())).then_some(at + count)
    }

    /// Reads a whole run of digits if its length is allowed.
    fn number<T: TryFrom<u32> + Default>(
        &self,
        at: usize,
        lengths: std::ops::RangeInclusive<usize>,
    ) -> Option<(T, usize)> {
        let run = self.digits(at);
        lengths
            .contains(&run)
            .then(|| (self.value(at, run), at + run))
    }

    fn value<T: TryFrom<u32> + Default>(&self, at: usize, count: usize) -> T {
        let digits = self
            .chars
            .iter()
            .skip(at)
            .take(count)
            .filter_map(|c| c.to_digit(10));
        let value = digits.fold(0_u32, |sum, digit| sum.wrapping_mul(10).wrapping_add(digit));
        T::try_from(value).unwrap_or_default()
    }

    fn digits(&self, at: usize) -> usize {
        self.chars
            .iter()
            .skip(at)
            .take_while(|c| c.is_ascii_digit())
            .count()
    }

    fn one_of(&self, at: usize, accepted: &str) -> Option<usize> {
        self.peek(at)
            .filter(|c| accepted.contains(*c))
            .map(|_| at + 1)
    }

    fn skip_spaces(&self, at: usize) -> usize {
        at + self
            .chars
            .iter()
            .skip(at)
            .take_while(|c| c.is_whitespace())
            .count()
    }

    fn peek(&self, at: usize) -> Option<char> {
        self.chars.get(at).copied()
    }
}

fn full_year(two_digits: i32) -> i32 {
    if two_digits < 70 {
        2000 + two_digits
    } else {
        1900 + two_digits
    }
}
