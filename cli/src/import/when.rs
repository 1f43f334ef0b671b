//! Turns a scanned text into the moment or the range of an event.
//!
//! Deterministic: the only context is the map and the report time of the same row.

use super::{
    calendar::{Clock, Date},
    scan::{DateOrder, Form, Found, FoundClock, FoundDate, scan},
};
use crate::words::Said;

const DETAIL_CHARS_MAX: usize = 40;

/// How the map wants times to be read.
#[derive(Clone, Debug)]
pub(super) struct TimeRules {
    pub(super) forms: Vec<Form>,
    pub(super) order: DateOrder,
    /// Times are written with AM and PM; one without is doubtful.
    pub(super) twelve_hour: bool,
    pub(super) offset_min: i32,
    pub(super) year_min: i32,
    pub(super) year_max: i32,
    /// Year of dates without one, if the row's report does not tell.
    pub(super) year: Option<i32>,
}

/// What the same row already told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Context {
    /// Day of the report.
    pub(super) day: Option<Date>,
    /// Offset that wins over the map's.
    pub(super) offset_min: Option<i32>,
}

/// A moment that may be known to the day only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) ms: i64,
    pub(super) day: Date,
    pub(super) has_clock: bool,
    /// Offset written in the text itself.
    pub(super) offset_min: Option<i32>,
}

/// A read time: one moment, or a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: Moment,
    pub(super) end_ms: Option<i64>,
    pub(super) odd: bool,
    /// The end lies before the start and was dropped.
    pub(super) reversed: bool,
    /// The text has no date; the day is the report's.
    pub(super) day_from_context: bool,
}

/// Outcome of reading one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Nothing is written.
    Empty,
    /// The text says that the time is not known.
    Unknown,
    /// Something is written that is no date.
    Bad(Said),
    /// A usable time.
    At(Span),
}

/// Reads what a person typed as one moment: a day, a time of today, or both, day before month.
pub(crate) fn read_moment(text: &str, now_ms: i64, offset_min: i32) -> Option<i64> {
    use Form::{Clock24, Iso, NamedMonth, ShortDate, SlashDate};
    let rules = TimeRules {
        forms: vec![Iso, NamedMonth, SlashDate, ShortDate, Clock24],
        order: DateOrder::Dmy,
        twelve_hour: false,
        offset_min,
        year_min: 1990,
        year_max: 2100,
        year: None,
    };
    let context = Context { day: Some(Date::of_ms(now_ms, offset_min)), offset_min: None };
    match read(text, &rules, context) {
        Reading::At(span) => Some(span.start.ms),
        _ => None,
    }
}

/// Reads one text.
pub(super) fn read(text: &str, rules: &TimeRules, context: Context) -> Reading {
    if text.trim().is_empty() {
        return Reading::Empty;
    }
    let found = scan(text, &rules.forms, rules.order, rules.twelve_hour);
    let bad = |why| {
        let shown: String = text.trim().chars().take(DETAIL_CHARS_MAX).collect();
        Reading::Bad(Said::new(why, &[("text", &shown)]))
    };
    if found.impossible {
        return bad("refused.no_such_time");
    }
    if found.dates.is_empty() && (found.clocks.is_empty() || context.day.is_none()) {
        let nothing = !found.unread_digits && !found.other_words && found.clocks.is_empty();
        return if found.unknown || nothing { Reading::Unknown } else { bad("refused.not_a_date") };
    }
    if found.unread_digits {
        return bad("refused.digits");
    }
    match days(&found.dates, rules, context) {
        Ok((first, last)) => Reading::At(span(&found, first, last, rules, context)),
        Err(why) => bad(why),
    }
}

fn days(
    dates: &[FoundDate],
    rules: &TimeRules,
    context: Context,
) -> Result<(Date, Date), &'static str> {
    let (Some(first), Some(last)) = (dates.first(), dates.last()) else {
        return context.day.map(|day| (day, day)).ok_or("refused.not_a_date");
    };
    let written = dates.iter().find_map(|date| date.year);
    let resolve = |date: &FoundDate| {
        let year = date.year.or(written).or_else(|| context_year(*date, context)).or(rules.year);
        let year = year.ok_or("refused.no_year")?;
        if !(rules.year_min..=rules.year_max).contains(&year) {
            return Err("refused.year_range");
        }
        Date::new(year, date.month, date.day).ok_or("refused.no_such_date")
    };
    Ok((resolve(first)?, resolve(last)?))
}

/// Returns the latest year in which the date is not after the report.
fn context_year(date: FoundDate, context: Context) -> Option<i32> {
    let reported = context.day?;
    let same = Date::new(reported.year(), date.month, date.day);
    let later = same.is_none_or(|day| day > reported.next());
    Some(if later { reported.year() - 1 } else { reported.year() })
}

fn span(found: &Found, first: Date, last: Date, rules: &TimeRules, context: Context) -> Span {
    let offset_min = found.offset_min.or(context.offset_min).unwrap_or(rules.offset_min);
    let (start_clock, end_clock) = clocks(&found.clocks, first == last);
    let start_ms = first.at(start_clock.unwrap_or(Clock::MIDNIGHT), offset_min);
    let end_ms = match end_clock.or(start_clock) {
        None if last != first => Some(last.at(Clock::MIDNIGHT, offset_min)),
        Some(clock) if last != first => Some(last.at(clock, offset_min)),
        _ => end_clock.map(|clock| {
            let overnight = start_clock.is_some_and(|start| clock < start);
            (if overnight { first.next() } else { first }).at(clock, offset_min)
        }),
    };
    let reversed = end_ms.is_some_and(|end| end < start_ms);
    Span {
        start: Moment {
            ms: start_ms,
            day: first,
            has_clock: start_clock.is_some(),
            offset_min: found.offset_min,
        },
        end_ms: end_ms.filter(|end| *end > start_ms),
        odd: found.odd || found.clocks.iter().any(|clock| clock.half_missing),
        reversed,
        day_from_context: found.dates.is_empty(),
    }
}

/// Returns the first and the last clock; one without AM or PM takes the half of the other.
fn clocks(found: &[FoundClock], same_day: bool) -> (Option<Clock>, Option<Clock>) {
    let (Some(first), Some(last)) = (found.first(), found.last()) else {
        return (None, None);
    };
    if found.len() == 1 {
        return (Some(first.clock), None);
    }
    let borrow = |from: Clock, to: Clock| {
        let different = (from.hour() < 12) != (to.hour() < 12);
        if different { to.other_half() } else { to }
    };
    let (mut start, mut end) = (first.clock, last.clock);
    if first.half_missing && !last.half_missing {
        let borrowed = borrow(end, start);
        // `11:00 to 1:15 PM` starts in the morning.
        start = if same_day && borrowed > end { start } else { borrowed };
    } else if last.half_missing && !first.half_missing {
        let borrowed = borrow(start, end);
        end = if same_day && borrowed < start { borrowed.other_half() } else { borrowed };
    }
    (Some(start), Some(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(order: DateOrder) -> TimeRules {
        use Form::{Clock12, Clock24, Iso, NamedMonth, ShortDate, SlashDate};
        TimeRules {
            forms: vec![Iso, NamedMonth, SlashDate, ShortDate, Clock12, Clock24],
            order,
            twelve_hour: order == DateOrder::Mdy,
            offset_min: 0,
            year_min: 1990,
            year_max: 2100,
            year: None,
        }
    }

    /// Writes a reading as `start|end|marks` so that a table can show it.
    fn shown(text: &str, order: DateOrder) -> String {
        let context = Context { day: Date::new(2023, 6, 15), offset_min: None };
        let iso = |ms: i64| {
            let minutes = ms.rem_euclid(86_400_000) / 60_000;
            let day = Date::of_ms(ms, 0);
            let text = format!("{day:?}");
            let parts: Vec<String> = text
                .split(|c: char| !c.is_ascii_digit())
                .filter(|part| !part.is_empty())
                .map(|part| format!("{part:0>2}"))
                .collect();
            format!("{} {:02}:{:02}", parts.join("-"), minutes / 60, minutes % 60)
        };
        match read(text, &rules(order), context) {
            Reading::At(span) => {
                let marks = [
                    (!span.start.has_clock, "day"),
                    (span.odd, "odd"),
                    (span.reversed, "reversed"),
                    (span.day_from_context, "context"),
                ];
                let marks: Vec<&str> =
                    marks.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
                let end = span.end_ms.map(iso).unwrap_or_default();
                format!("{}|{end}|{}", iso(span.start.ms), marks.join(" "))
            }
            Reading::Bad(_) => "bad".into(),
            Reading::Unknown => "unknown".into(),
            Reading::Empty => "empty".into(),
        }
    }

    #[test]
    fn month_first_forms_are_read() {
        for (text, wanted) in [
            ("11/23/2025", "2025-11-23 00:00||day"),
            ("4/29/26 12:18 AM", "2026-04-29 00:18||"),
            ("4/29/26 12:18PM", "2026-04-29 12:18||"),
            ("1/2/2026 2:00 AM - 7:00 AM", "2026-01-02 02:00|2026-01-02 07:00|"),
            ("1/2/2026 8:20AM\u{2010}9:50PM", "2026-01-02 08:20|2026-01-02 21:50|"),
            ("1/2/2026 11:00 PM - 1:00 AM", "2026-01-02 23:00|2026-01-03 01:00|"),
            ("1/2/2026 17:15 PM", "2026-01-02 17:15||odd"),
            ("1/2/2026 12:0 AM", "2026-01-02 00:00||odd"),
            ("1/2/2026 Unknown", "2026-01-02 00:00||day"),
            ("4/21/26 to 4/22/26 11:30 PM to 9:10 AM", "2026-04-21 23:30|2026-04-22 09:10|"),
            ("4/16/24 1:00 PM to 4/18/24 6:40 AM", "2024-04-16 13:00|2024-04-18 06:40|"),
            ("4/22/26 to 4/21/26 1:00 PM to 2:00 PM", "2026-04-22 13:00||reversed"),
            ("1/1/26 to1/3/26 9:00 PM to9:30 PM", "2026-01-01 21:00|2026-01-03 21:30|"),
            ("8/17/2512:15 PM", "2025-08-17 12:15||"),
            ("10/4/25 6:30 to 7:00 PM", "2025-10-04 18:30|2025-10-04 19:00|odd"),
            ("10/4/25 11:00 to 1:15 PM", "2025-10-04 11:00|2025-10-04 13:15|odd"),
            ("8/4/22 0630 AM", "2022-08-04 06:30||"),
            ("3/31/24 1:30 P.M.", "2024-03-31 13:30||"),
            ("5/17/24  3:07:00 PM to 9:30 PM", "2024-05-17 15:07|2024-05-17 21:30|"),
            ("November 23, 2025 UPDATED", "2025-11-23 00:00||day"),
            ("3:00 PM", "2023-06-15 15:00||context"),
            ("Unknown date and time", "unknown"),
            ("n/a", "unknown"),
            ("-", "unknown"),
            ("", "empty"),
            ("02/29/2026", "bad"),
            ("3/39/22", "bad"),
            ("9/112/25 3:00 PM", "bad"),
            ("1/1/3036", "bad"),
            ("Spring 2016", "bad"),
            ("yesterday", "bad"),
            ("1/2/2026 25:00", "bad"),
        ] {
            assert_eq!(shown(text, DateOrder::Mdy), wanted, "{text}");
        }
    }

    #[test]
    fn vietnamese_and_iso_forms_are_read() {
        for (text, wanted) in [
            ("17/5/2023", "2023-05-17 00:00||day"),
            ("17-05-2023 16:07", "2023-05-17 16:07||"),
            ("ngày 31/5", "2023-05-31 00:00||day"),
            ("ngày 31/12", "2022-12-31 00:00||day"),
            ("Thứ năm - 28/07/2022 16:07", "2022-07-28 16:07||"),
            ("28/07/2022 05:47 pm GMT+7", "2022-07-28 10:47||"),
            ("16h07 ngày 28/7/2022", "2022-07-28 16:07||"),
            ("16 giờ 07 ngày 28 tháng 7 năm 2022", "2022-07-28 16:07||"),
            ("22h 17/5/2023", "2023-05-17 22:00||"),
            ("21h30 - 22h15 17/5/2023", "2023-05-17 21:30|2023-05-17 22:15|"),
            ("chưa rõ", "unknown"),
            ("không rõ giờ", "unknown"),
            ("2015-12-10 17:40:00", "2015-12-10 17:40||"),
            ("2026-04-29T00:01:00-05:00", "2026-04-29 05:01||"),
            ("2026-04-29T00:01:00.250Z", "2026-04-29 00:01||"),
            ("31/2/2023", "bad"),
            ("29/2", "bad"),
            ("31/04", "bad"),
        ] {
            assert_eq!(shown(text, DateOrder::Dmy), wanted, "{text}");
        }
    }

    #[test]
    fn any_text_can_be_read_without_panic() {
        proptest::proptest!(|(text in "(\\PC|[0-9:/ apm-]){0,40}")| {
            let _ = shown(&text, DateOrder::Dmy);
        });
    }
}
