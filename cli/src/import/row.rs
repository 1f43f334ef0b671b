//! Builds one [`ImportRow`] from one raw record, or says why not.
//!
//! All the promises about content are kept here: closed category list, no text or exact place of
//! sealed kinds, no phone, identity or plate numbers in any stored text.

use tuquan_core::domain::{incident::Outcome, lifecycle::IncidentState};

use super::{
    ImportRow, RefusalReason, RefusedRow, RowFlag,
    category::is_sealed,
    key::natural_key,
    layout::Layout,
    mapping::{BadDate, Mapping, Part},
    record::RawRecord,
    text::{clean, mask, truncate},
    when::{Context, Moment, Reading, Span, read},
};
use crate::words::Said;

const PLACE_BYTES_MAX: usize = 512;
const TEXT_BYTES_MAX: usize = 32 * 1024;
const NOTE_BYTES_MAX: usize = 16 * 1024;
const DAY_MS: i64 = 86_400_000;

type Refusal = (RefusalReason, Said);

/// Builds a row; the only input besides the record is the map and the place of its columns.
pub(super) fn build(
    mapping: &Mapping,
    layout: &Layout,
    record: &RawRecord,
) -> Result<ImportRow, RefusedRow> {
    let build = || -> Result<ImportRow, Refusal> {
        check_shape(layout, record)?;
        let (fields, repaired) = decode(mapping, layout, record)?;
        let mut builder = Builder { mapping, layout, fields, flags: Vec::new() };
        builder.flag_if(repaired, RowFlag::TextRepaired);
        builder.row(record.line)
    };
    build().map_err(|(reason, detail)| RefusedRow { line: record.line, reason, detail })
}

fn check_shape(layout: &Layout, record: &RawRecord) -> Result<(), Refusal> {
    use RefusalReason::{FieldTooLong, TooFewFields, TooManyFields, UnclosedQuote};
    let last_line = record.line + record.lines - 1;
    if record.unclosed {
        let detail = Said::new("refused.quote", &[("from", &record.line), ("to", &last_line)]);
        return Err((UnclosedQuote, detail));
    }
    if let Some(field) = record.too_long {
        let lines: [(&str, &dyn std::fmt::Display); 3] =
            [("field", &field), ("from", &record.line), ("to", &last_line)];
        let detail = Said::new("refused.long", &lines);
        return Err((FieldTooLong, detail));
    }
    let detail =
        Said::new("refused.width", &[("fields", &record.field_count), ("width", &layout.width)]);
    match record.field_count.cmp(&layout.width) {
        std::cmp::Ordering::Less => Err((TooFewFields, detail)),
        std::cmp::Ordering::Greater => Err((TooManyFields, detail)),
        std::cmp::Ordering::Equal => Ok(()),
    }
}

/// Decodes the mapped fields; the others stay empty. Also tells whether a repair was needed.
fn decode(
    mapping: &Mapping,
    layout: &Layout,
    record: &RawRecord,
) -> Result<(Vec<String>, bool), Refusal> {
    let mut fields = vec![String::new(); layout.width];
    let mut repaired = false;
    for index in layout.mapped() {
        let (Some(bytes), Some(field)) = (record.fields.get(index), fields.get_mut(index)) else {
            continue;
        };
        let field_at = || Said::new("refused.field", &[("field", &(index + 1))]);
        if bytes.contains(&0) {
            return Err((RefusalReason::NulByte, field_at()));
        }
        let decoded = String::from_utf8_lossy(bytes);
        if matches!(decoded, std::borrow::Cow::Owned(_)) {
            if !mapping.lossy {
                return Err((RefusalReason::NotUtf8, field_at()));
            }
            repaired = true;
        }
        *field = decoded.trim().to_owned();
    }
    if fields.iter().all(String::is_empty) {
        return Err((RefusalReason::EmptyRow, Said::default()));
    }
    Ok((fields, repaired))
}

fn state_token(name: &str) -> Option<&'static str> {
    IncidentState::from_token(name).map(IncidentState::token)
}

fn outcome_token(name: &str) -> Option<&'static str> {
    Outcome::from_token(name).map(Outcome::token)
}

struct Builder<'a> {
    mapping: &'a Mapping,
    layout: &'a Layout,
    fields: Vec<String>,
    flags: Vec<RowFlag>,
}

struct Times {
    occurred_ms: Option<i64>,
    end_ms: Option<i64>,
    reported_ms: Option<i64>,
}

impl Builder<'_> {
    fn row(mut self, line: u64) -> Result<ImportRow, Refusal> {
        let layout = self.layout;
        let category = self.category();
        let sealed = is_sealed(category);
        let key = self.key(sealed);
        let times = self.times()?;
        let building = self.building();
        let place = self.text(&layout.place, ", ", PLACE_BYTES_MAX);
        self.flag_if(place.is_none() && building.is_none(), RowFlag::PlaceMissing);
        self.require(&times, place.is_some() || building.is_some())?;
        let (place, text, note) = if sealed {
            self.flags.push(RowFlag::SealedTextWithheld);
            (None, None, None)
        } else {
            let joiner = &self.mapping.text_joiner;
            let text = self.text(&layout.text, joiner, TEXT_BYTES_MAX);
            (place, text, self.text(&layout.note, joiner, NOTE_BYTES_MAX))
        };
        let urgent = self.values(&layout.urgent).any(|value| self.mapping.urgent.matches(value));
        let state = self.token(&layout.state, state_token, RowFlag::StateUnknown);
        let outcome = self.token(&layout.outcome, outcome_token, RowFlag::OutcomeUnknown);
        self.flags.sort_unstable();
        self.flags.dedup();
        Ok(ImportRow {
            line,
            key,
            t_occ_ms: times.occurred_ms,
            t_occ_end_ms: times.end_ms,
            t_reported_ms: times.reported_ms,
            category,
            place,
            building,
            text: text.unwrap_or_default(),
            note,
            urgent,
            state,
            outcome,
            flags: self.flags,
        })
    }

    fn category(&mut self) -> &'static str {
        let rules = &self.mapping.category_rules;
        let found = self.values(&self.layout.category).find_map(|value| rules.find(value));
        self.flag_if(found.is_none(), RowFlag::CategoryUnknown);
        found.unwrap_or(self.mapping.category_default)
    }

    /// A key made from content leaves the text of sealed rows out: not even a hash of it stays.
    fn key(&mut self, sealed: bool) -> String {
        let numbers: Vec<&str> = self.all(&self.layout.key).collect();
        let distinct: Vec<&str> = self.all(&self.layout.distinct_by).collect();
        let content = || {
            let columns = self.layout.content(!sealed);
            self.all(&columns).map(clean).collect()
        };
        let (key, from_content) = natural_key(&self.mapping.key, &numbers, &distinct, content);
        self.flag_if(from_content, RowFlag::KeyFromContent);
        key
    }

    fn times(&mut self) -> Result<Times, Refusal> {
        let reported = self.reported();
        let context = Context {
            day: reported.map(|moment| moment.day),
            offset_min: reported
                .and_then(|moment| moment.offset_min)
                .filter(|_| self.mapping.offset_follows_report),
        };
        let text: Vec<&str> = self.values(&self.layout.occurred).collect();
        let reading = read(&text.join(" "), &self.mapping.time, context);
        let reported_ms = reported.map(|moment| moment.ms);
        match reading {
            Reading::At(span) => {
                self.flag_span(span, reported);
                Ok(Times { occurred_ms: Some(span.start.ms), end_ms: span.end_ms, reported_ms })
            }
            Reading::Bad(why) if self.mapping.bad_date == BadDate::Refuse => {
                Err((RefusalReason::BadDate, why))
            }
            reading => {
                let bad = matches!(reading, Reading::Bad(_));
                let Some(moment) = reported else {
                    return Err(match reading {
                        Reading::Bad(why) => (RefusalReason::BadDate, why),
                        _ => (RefusalReason::NoTime, Said::new("refused.no_time", &[])),
                    });
                };
                self.flag_if(bad, RowFlag::BadDateReplaced);
                self.flag_if(!moment.has_clock, RowFlag::TimeUnknown);
                self.flags.push(RowFlag::TimeFromReport);
                Ok(Times { occurred_ms: reported_ms, end_ms: None, reported_ms })
            }
        }
    }

    /// Reads the report's time; a column that cannot be read only raises a flag.
    fn reported(&mut self) -> Option<Moment> {
        for columns in [&self.layout.reported, &self.layout.fallback] {
            let text: Vec<&str> = self.values(columns).collect();
            match read(&text.join(" "), &self.mapping.time, Context::default()) {
                Reading::At(span) => return Some(span.start),
                Reading::Bad(_) => self.flags.push(RowFlag::ReportedUnreadable),
                Reading::Empty | Reading::Unknown => {}
            }
        }
        None
    }

    fn flag_span(&mut self, span: Span, reported: Option<Moment>) {
        self.flag_if(!span.start.has_clock, RowFlag::TimeUnknown);
        self.flag_if(span.day_from_context, RowFlag::TimeFromReport);
        self.flag_if(span.end_ms.is_some(), RowFlag::TimeRange);
        self.flag_if(span.odd, RowFlag::TimeOdd);
        self.flag_if(span.reversed, RowFlag::RangeReversed);
        if let Some(moment) = reported {
            let after = if moment.has_clock && span.start.has_clock {
                span.start.ms > moment.ms
            } else {
                span.start.day > moment.day
            };
            self.flag_if(after, RowFlag::OccurredAfterReported);
            self.flag_if(span.start.ms > moment.ms + 2 * DAY_MS, RowFlag::DateImplausible);
        }
    }

    fn require(&self, times: &Times, has_place: bool) -> Result<(), Refusal> {
        for part in &self.mapping.require {
            let (present, name) = match part {
                Part::Key => (!self.flags.contains(&RowFlag::KeyFromContent), "refused.part_key"),
                Part::Occurred => (
                    times.occurred_ms.is_some() && !self.flags.contains(&RowFlag::TimeFromReport),
                    "refused.part_occurred",
                ),
                Part::Reported => (times.reported_ms.is_some(), "refused.part_reported"),
                Part::Category => {
                    (!self.flags.contains(&RowFlag::CategoryUnknown), "refused.part_category")
                }
                Part::Place => (has_place, "refused.part_place"),
                Part::Text => {
                    (self.values(&self.layout.text).next().is_some(), "refused.part_text")
                }
            };
            if !present {
                return Err((RefusalReason::MissingRequired, Said::new(name, &[])));
            }
        }
        Ok(())
    }

    fn building(&mut self) -> Option<String> {
        let whole = self.text(&self.layout.building, ", ", PLACE_BYTES_MAX)?;
        if !self.mapping.building_in_parentheses {
            return Some(whole);
        }
        let (_, rest) = whole.split_once('(')?;
        let (name, _) = rest.split_once(')')?;
        Some(name.trim().to_owned()).filter(|name| !name.is_empty())
    }

    /// Reads a token of a closed list; another word only raises a flag.
    fn token(
        &mut self,
        columns: &[usize],
        read: fn(&str) -> Option<&'static str>,
        unknown: RowFlag,
    ) -> Option<&'static str> {
        let value = self.values(columns).next()?;
        let found = read(value);
        self.flag_if(found.is_none(), unknown);
        found
    }

    /// Returns the joined, cleaned and masked values; `None` if there are none.
    fn text(&mut self, columns: &[usize], joiner: &str, bytes_max: usize) -> Option<String> {
        let parts: Vec<String> =
            self.values(columns).map(clean).filter(|part| !part.is_empty()).collect();
        let mut text = parts.join(joiner);
        if let Some(masked) = mask(&text) {
            self.flags.push(RowFlag::PersonalDataMasked);
            text = masked;
        }
        let cut = truncate(&mut text, bytes_max);
        self.flag_if(cut, RowFlag::TextTruncated);
        (!text.is_empty()).then_some(text)
    }

    fn values<'a>(&'a self, columns: &'a [usize]) -> impl Iterator<Item = &'a str> {
        self.all(columns).filter(|value| !value.is_empty())
    }

    fn all<'a>(&'a self, columns: &'a [usize]) -> impl Iterator<Item = &'a str> {
        columns.iter().map(|index| self.fields.get(*index).map_or("", String::as_str))
    }

    fn flag_if(&mut self, condition: bool, flag: RowFlag) {
        if condition {
            self.flags.push(flag);
        }
    }
}
