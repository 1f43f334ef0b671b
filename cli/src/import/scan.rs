//! Finds dates, clock times and UTC offsets in free text.
//!
//! The scanner walks the text once and tries the accepted forms in order at every place. What no
//! form accepts is passed over, except digits: a number that was not understood makes the whole
//! value doubtful, so it is reported. No judgement about years or ranges is made here.

use serde::Deserialize;

use super::{
    calendar::{Clock, Date},
    cursor::Cursor,
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
    let mut scanner =
        Scanner { text: Cursor { chars: chars.collect() }, found: Found::default(), order };
    let mut at = 0;
    while at < scanner.text.chars.len() {
        let next = forms.iter().find_map(|form| scanner.try_form(*form, at, halves_expected));
        at = next.unwrap_or_else(|| scanner.pass_over(at));
    }
    scanner.found
}

struct Scanner {
    text: Cursor,
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
        let (year, at) = self.text.number(at, 4..=4)?;
        let (month, at) = self.text.number(self.text.one_of(at, "-/")?, 1..=2)?;
        let (day, at) = self.text.number(self.text.one_of(at, "-/")?, 1..=2)?;
        self.push_date(Some(year), month, day);
        let clock_at = self.text.one_of(at, "t").unwrap_or_else(|| self.text.skip_spaces(at));
        let Some((hour, next)) = self.text.number(clock_at, 1..=2) else {
            return Some(at);
        };
        let Some((minute, second, next)) = self.minutes(next) else {
            return Some(at);
        };
        self.push_clock(Clock::new(hour, minute, second), false);
        Some(self.offset(next).unwrap_or(next))
    }

    fn slash_date(&mut self, at: usize) -> Option<usize> {
        let (first, at) = self.text.number(at, 1..=2)?;
        let (separator, at) = self.text.separator(at)?;
        let (second, at) = self.text.number(at, 1..=2)?;
        let (again, at) = self.text.separator(at)?;
        if again != separator {
            return None;
        }
        let run = self.text.digits(at);
        let clock_follows = self.text.peek(at + run) == Some(':');
        let width = match (run, clock_follows) {
            (2 | 4, false) => run,
            // The space before the clock is missing: `17/2512:15` is year 25, 12:15.
            (3 | 4, true) => 2,
            (5 | 6, true) => 4,
            _ => return None,
        };
        let year = self.text.value(at, width);
        let (month, day) = self.ordered(first, second);
        self.push_date(Some(if width == 2 { full_year(year) } else { year }), month, day);
        Some(at + width)
    }

    fn short_date(&mut self, at: usize) -> Option<usize> {
        let (first, at) = self.text.number(at, 1..=2)?;
        let (second, at) = self.text.number(self.text.one_of(at, "/")?, 1..=2)?;
        if self.text.peek(at) == Some('/') {
            return None;
        }
        let (month, day) = self.ordered(first, second);
        self.push_date(None, month, day);
        Some(at)
    }

    fn named_month(&mut self, at: usize) -> Option<usize> {
        if let Some((month, next)) = self.text.month_word(at) {
            let (day, next) = self.text.number(self.text.skip_spaces(next), 1..=2)?;
            let next = self.text.skip_spaces(self.text.one_of(next, ",").unwrap_or(next));
            let (year, next) = self.text.number(next, 4..=4)?;
            self.push_date(Some(year), month, day);
            return Some(next);
        }
        let (day, next) = self.text.number(at, 1..=2)?;
        let next = self.text.skip_spaces(next);
        if let Some(next) = self.text.word(next, "thang") {
            let (month, next) = self.text.number(self.text.skip_spaces(next), 1..=2)?;
            let year_at = self.text.skip_spaces(next);
            let year_at = self.text.skip_spaces(self.text.word(year_at, "nam").unwrap_or(year_at));
            let year = self.text.number(year_at, 4..=4);
            self.push_date(year.map(|(year, _)| year), month, day);
            return Some(year.map_or(next, |(_, next)| next));
        }
        let (month, next) = self.text.month_word(next)?;
        let (year, next) = self.text.number(self.text.skip_spaces(next), 4..=4)?;
        self.push_date(Some(year), month, day);
        Some(next)
    }

    fn clock12(&mut self, at: usize) -> Option<usize> {
        let run = self.text.digits(at);
        let colon_form = self.text.number(at, 1..=2).and_then(|(hour, next)| {
            let (minute, second, next) = self.minutes(next)?;
            let (afternoon, next) = self.text.half(next)?;
            Some((hour, minute, second, afternoon, next))
        });
        let (hour, minute, second, afternoon, next) = match colon_form {
            Some(parts) => parts,
            None if (1..=4).contains(&run) => {
                let (afternoon, next) = self.text.half(at + run)?;
                let value = self.text.value::<u32>(at, run);
                let (hour, minute) = if run > 2 { (value / 100, value % 100) } else { (value, 0) };
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
        let (hour, next) = self.text.number(at, 1..=2)?;
        let (minute, second, next) = self.minutes(next).or_else(|| {
            let next = self.text.skip_spaces(next);
            let next = self.text.word(next, "gio").or_else(|| self.text.one_of(next, "hg"))?;
            let minute = self.text.number(self.text.skip_spaces(next), 1..=2);
            // `16h 17/5` is an hour and then a date.
            let minute =
                minute.filter(|(_, next)| !matches!(self.text.peek(*next), Some('/' | '.')));
            Some(minute.map_or((0, 0, next), |(minute, next)| (minute, 0, next)))
        })?;
        self.push_clock(Clock::new(hour, minute, second), halves_expected && hour <= 12);
        Some(next)
    }

    /// Reads `:mm`, `:mm:ss` or `:mm:ss.fff`; a single digit of minutes is odd.
    fn minutes(&mut self, at: usize) -> Option<(u32, u32, usize)> {
        let colon = self.text.one_of(self.text.skip_spaces(at), ":")?;
        let start = self.text.skip_spaces(colon);
        let (minute, next) = self.text.number(start, 1..=2)?;
        self.found.odd |= next - start == 1;
        let seconds = self.text.one_of(next, ":").and_then(|at| self.text.number(at, 2..=2));
        let Some((second, next)) = seconds else {
            return Some((minute, 0, next));
        };
        let fraction = self.text.one_of(next, ".").map(|at| at + self.text.digits(at));
        Some((minute, second, fraction.unwrap_or(next)))
    }

    /// Reads `z`, `+07:00`, `-0500` or `+7`.
    fn offset(&mut self, at: usize) -> Option<usize> {
        if let Some(next) = self.text.one_of(at, "z") {
            self.found.offset_min = Some(0);
            return Some(next);
        }
        let sign = if self.text.one_of(at, "-").is_some() { -1 } else { 1 };
        let at = self.text.one_of(at, "+-")?;
        let run = self.text.digits(at);
        let (hours, minutes, next) = match (run, self.text.peek(at + run)) {
            (2, Some(':')) if self.text.digits(at + 3) == 2 => {
                (self.text.value::<i32>(at, 2), self.text.value(at + 3, 2), at + 5)
            }
            (4, _) => (self.text.value(at, 2), self.text.value(at + 2, 2), at + 4),
            (1 | 2, _) => (self.text.value(at, run), 0, at + run),
            _ => return None,
        };
        self.found.impossible |= hours > 14 || minutes > 59;
        self.found.offset_min = Some(sign * (hours * 60 + minutes));
        Some(next)
    }

    fn pass_over(&mut self, at: usize) -> usize {
        let c = self.text.chars[at];
        if c.is_numeric() {
            self.found.unread_digits = true;
            return at + self.text.chars.iter().skip(at).take_while(|c| c.is_numeric()).count();
        }
        if !c.is_alphabetic() {
            return at + 1;
        }
        // `to10/11/18` lacks a space; in any other word a digit is part of it.
        let only_letters = self.text.word(at, "to").is_some();
        let in_word = |c: &&char| c.is_alphabetic() || (!only_letters && c.is_numeric());
        let word: String = self.text.chars.iter().skip(at).take_while(in_word).collect();
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
            Some(clock) => self.found.clocks.push(FoundClock { clock, half_missing }),
            None => self.found.impossible = true,
        }
    }

    fn ordered(&self, first: u32, second: u32) -> (u32, u32) {
        match self.order {
            DateOrder::Dmy => (second, first),
            DateOrder::Mdy => (first, second),
        }
    }
}

fn full_year(two_digits: i32) -> i32 {
    if two_digits < 70 { 2000 + two_digits } else { 1900 + two_digits }
}
