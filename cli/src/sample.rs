//! Made-up dormitory events for practice, tests and measurements.
//!
//! The words live in `samples/*.txt`; this module only combines them. The same seed gives the
//! same events. No sample names a person or holds a phone, identity or plate number, and sealed
//! kinds say no more than that somebody is taking care.

use std::{collections::HashMap, vec};

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use tuquan_core::domain::category::Category;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

fn is_sealed(category: &str) -> bool {
    Category::from_token(category).is_some_and(Category::is_sealed)
}

const EVENTS: &str = include_str!("../samples/events.txt");
const WORDS: &str = include_str!("../samples/words.txt");
const SHORT: &str = include_str!("../samples/short.txt");

const TEXT_CHARS_MAX: usize = 160;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const OFFSET_MS: i64 = 7 * HOUR_MS;
/// How busy each local hour is: quiet mornings, a small peak at noon, most work in the evening.
const HOUR_WEIGHTS: [u32; 24] =
    [7, 4, 2, 1, 1, 2, 4, 4, 3, 3, 3, 5, 6, 3, 3, 3, 5, 7, 8, 10, 12, 14, 15, 12];

/// One made-up event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SampleEvent {
    /// When it happened, UTC milliseconds.
    pub(crate) t_occ_ms: i64,
    /// Token of the closed category list.
    pub(crate) category: &'static str,
    /// Building, and floor and zone unless the category is sealed.
    pub(crate) place: String,
    /// What happened, 10 to 160 characters.
    pub(crate) text: String,
    /// What was done, if anything is noted.
    pub(crate) note: Option<String>,
    /// Whether it needs action at once.
    pub(crate) urgent: bool,
}

/// Returns `count` events in order of time, the first not before `start_ms`.
pub(crate) fn sample_events(
    seed: u64,
    count: usize,
    start_ms: i64,
) -> impl Iterator<Item = SampleEvent> {
    let mut dorm = Dorm {
        rng: ChaCha8Rng::seed_from_u64(seed),
        words: words(),
        sections: sections(),
        short: SHORT.lines().filter_map(|line| line.split_once(" = ")).collect(),
        day_ms: (start_ms + OFFSET_MS).div_euclid(DAY_MS) * DAY_MS - OFFSET_MS,
        today: Vec::new().into_iter(),
    };
    std::iter::from_fn(move || Some(dorm.event(start_ms))).take(count)
}

/// The templates of one category.
struct Section {
    category: &'static str,
    weight: u32,
    place: &'static str,
    may_be_urgent: bool,
    texts: Vec<&'static str>,
    notes: Vec<&'static str>,
}

struct Dorm {
    rng: ChaCha8Rng,
    words: HashMap<&'static str, Vec<&'static str>>,
    sections: Vec<Section>,
    short: Vec<(&'static str, &'static str)>,
    day_ms: i64,
    today: vec::IntoIter<i64>,
}

impl Dorm {
    fn event(&mut self, start_ms: i64) -> SampleEvent {
        let t_occ_ms = self.time(start_ms);
        let index = self.section();
        // The index comes from the weights of the same list, which is part of the program.
        let section = &self.sections[index];
        let (category, place) = (section.category, section.place);
        let may_be_urgent = section.may_be_urgent;
        let (texts, notes) = (section.texts.clone(), section.notes.clone());
        let sealed = is_sealed(category);
        let text = self.text(&texts, !sealed);
        let with_note = !notes.is_empty() && !sealed && self.chance(35);
        SampleEvent {
            t_occ_ms,
            category,
            place: self.place(place),
            text,
            note: with_note.then(|| self.text(&notes, false)),
            urgent: may_be_urgent && self.chance(25),
        }
    }

    /// Takes the next moment; days have their own number of events, in order of time.
    fn time(&mut self, start_ms: i64) -> i64 {
        loop {
            if let Some(ms) = self.today.find(|ms| *ms >= start_ms) {
                return ms;
            }
            let events = 6 + self.below(14);
            let day_ms = self.day_ms;
            let mut moments: Vec<i64> =
                (0..events).map(|_| day_ms + self.moment_of_day_ms()).collect();
            moments.sort_unstable();
            self.today = moments.into_iter();
            self.day_ms += DAY_MS;
        }
    }

    fn moment_of_day_ms(&mut self) -> i64 {
        let hour = self.weighted(&HOUR_WEIGHTS);
        let second = self.below(3_600);
        i64::try_from(hour).unwrap_or(0) * HOUR_MS + i64::from(second) * 1_000
    }

    fn section(&mut self) -> usize {
        let weights: Vec<u32> = self.sections.iter().map(|section| section.weight).collect();
        self.weighted(&weights)
    }

    fn place(&mut self, kind: &str) -> String {
        if kind == "gate" {
            return self.word("gate");
        }
        let block = self.pick(&["A", "B"]);
        let house = format!("{block}{}", 1 + self.below(6));
        match kind {
            "room" => {
                let floor = 1 + self.below(7);
                if self.chance(60) {
                    format!("{house}, tầng {floor}, {}", self.word("zone"))
                } else {
                    format!("{house}, tầng {floor}")
                }
            }
            "yard" => format!("{house}, {}", self.word("yard")),
            _ => house,
        }
    }

    fn text(&mut self, templates: &[&'static str], may_go_on: bool) -> String {
        let template = self.pick(templates);
        let mut text = sentence_case(&self.fill(template));
        if may_go_on && self.chance(20) {
            let act = self.word("act");
            let more = format!("{text}. {}", sentence_case(&act));
            if !text.contains(&act) && more.chars().count() <= TEXT_CHARS_MAX {
                text = more;
            }
        }
        let typed = match self.below(10) {
            0 | 1 => self.shorten(&text),
            2 => unaccented(&text),
            3 => unaccented(&self.shorten(&text)).to_lowercase(),
            _ => return text,
        };
        if typed.chars().count() < 10 { text } else { typed }
    }

    /// Replaces `{name}` by a word of the list and `{a-b}` by a number.
    fn fill(&mut self, template: &str) -> String {
        let mut out = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((slot, after)) = after.split_once('}') else {
                break;
            };
            out.push_str(before);
            let range = slot.split_once('-').and_then(|(low, high)| {
                Some((low.parse::<u32>().ok()?, high.parse::<u32>().ok()?))
            });
            match range {
                Some((low, high)) => {
                    let number = low + self.below(high - low + 1);
                    out.push_str(&number.to_string());
                }
                None => out.push_str(&self.word(slot)),
            }
            rest = after;
        }
        out + rest
    }

    fn word(&mut self, list: &str) -> String {
        let words = self.words.get(list).cloned().unwrap_or_default();
        let word = self.pick(&words);
        self.fill(word)
    }

    fn shorten(&mut self, text: &str) -> String {
        let mut out = text.to_owned();
        for (long, short) in self.short.clone() {
            if self.chance(70) {
                out = replace_word(&out, long, short);
            }
        }
        out
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let count = u32::try_from(from.len()).unwrap_or(u32::MAX);
        let index = if count == 0 { 0 } else { self.below(count) };
        from.get(index as usize).copied().unwrap_or_default()
    }

    fn weighted(&mut self, weights: &[u32]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight {
                return index;
            }
            left -= weight;
        }
        0
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// Returns a number below the bound; the tiny bias of the multiplication does not matter.
    fn below(&mut self, bound: u32) -> u32 {
        let wide = u64::from(self.rng.next_u32()) * u64::from(bound);
        u32::try_from(wide >> 32).unwrap_or(0)
    }
}

fn words() -> HashMap<&'static str, Vec<&'static str>> {
    let mut lists: HashMap<_, Vec<_>> = HashMap::new();
    let mut name = "";
    for line in content(WORDS) {
        match line.strip_prefix('{').and_then(|line| line.strip_suffix('}')) {
            Some(list) => name = list,
            None => lists.entry(name).or_default().push(line),
        }
    }
    lists
}

fn sections() -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in content(EVENTS) {
        if let Some(head) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            let mut parts = head.split(' ');
            let name = parts.next().unwrap_or_default();
            sections.push(Section {
                category: Category::from_token(name).unwrap_or(Category::Unsorted).token(),
                weight: parts.next().and_then(|weight| weight.parse().ok()).unwrap_or(1),
                place: parts.next().unwrap_or("house"),
                may_be_urgent: parts.next() == Some("urgent"),
                texts: Vec::new(),
                notes: Vec::new(),
            });
        } else if let Some(section) = sections.last_mut() {
            match line.strip_prefix("> ") {
                Some(note) => section.notes.push(note),
                None => section.texts.push(line),
            }
        }
    }
    sections
}

fn content(resource: &'static str) -> impl Iterator<Item = &'static str> {
    resource.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn sentence_case(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).collect()
}

fn unaccented(text: &str) -> String {
    text.nfd()
        .filter(|c| !is_combining_mark(*c))
        .map(|c| match c {
            'đ' => 'd',
            'Đ' => 'D',
            c => c,
        })
        .collect()
}

/// Replaces whole words only.
fn replace_word(text: &str, long: &str, short: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(long) {
        let open = before.chars().next_back().or(out.chars().next_back());
        let whole = !open.is_some_and(char::is_alphabetic)
            && !after.chars().next().is_some_and(char::is_alphabetic);
        out.push_str(before);
        out.push_str(if whole { short } else { long });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::import::mask;

    const START_MS: i64 = 1_788_195_600_000;

    fn events(seed: u64, count: usize) -> Vec<SampleEvent> {
        sample_events(seed, count, START_MS).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_events_and_another_seed_others() {
        assert_eq!(events(7, 500), events(7, 500));
        assert_eq!(events(7, 500)[..100], events(7, 100)[..]);
        assert_ne!(events(7, 500), events(8, 500));
    }

    #[test]
    fn samples_hold_no_phone_identity_or_plate_number() {
        for event in events(1, 20_000) {
            let all = [&event.place, &event.text, event.note.as_ref().unwrap_or(&event.text)];
            for text in all {
                assert_eq!(mask(text), None, "{text}");
                assert!(!text.contains(['{', '}']), "{text}");
            }
        }
    }

    #[test]
    fn every_category_occurs_and_sealed_ones_keep_to_the_building() {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for event in events(2, 5_000) {
            assert!(Category::from_token(event.category).is_some());
            *counts.entry(event.category).or_default() += 1;
            if is_sealed(event.category) {
                assert!(event.place.len() == 2 && event.note.is_none(), "{event:?}");
            }
        }
        assert_eq!(counts.len(), Category::ALL.len(), "{counts:?}");
        assert!(counts["noise"] > 10 * counts["bullying"]);
    }

    #[test]
    fn texts_are_rich_and_of_natural_length() {
        let events = events(3, 1_000);
        let texts: BTreeSet<&str> = events.iter().map(|event| event.text.as_str()).collect();
        assert!(texts.len() >= 800, "{}", texts.len());
        for text in &texts {
            assert!((10..=TEXT_CHARS_MAX).contains(&text.chars().count()), "{text}");
        }
        let plain = texts.iter().filter(|text| text.is_ascii()).count();
        assert!((100..400).contains(&plain), "{plain} texts are typed without accents");
    }

    #[test]
    fn times_ascend_from_the_start_and_gather_in_the_evening() {
        let events = events(4, 2_000);
        assert!(events[0].t_occ_ms >= START_MS);
        assert!(events.windows(2).all(|pair| pair[0].t_occ_ms <= pair[1].t_occ_ms));
        let local_hour = |ms: i64| (ms + OFFSET_MS).rem_euclid(DAY_MS) / HOUR_MS;
        let evening = events.iter().filter(|event| local_hour(event.t_occ_ms) >= 18).count();
        assert!((900..1_300).contains(&evening), "{evening}");
    }

    #[test]
    fn every_slot_has_its_list_and_every_section_its_category() {
        let words = words();
        for line in content(EVENTS).chain(content(WORDS)) {
            for slot in line.split('{').skip(1).filter_map(|part| part.split_once('}')) {
                let number = slot.0.starts_with(|c: char| c.is_ascii_digit());
                assert!(number || words.contains_key(slot.0), "{line}");
            }
        }
        let sections = sections();
        let categories: BTreeSet<_> = sections.iter().map(|section| section.category).collect();
        assert_eq!(categories.len(), sections.len());
    }
}
