//! Figures of a window: the worked example to the digit, and random teams against a slow count.

mod reference;
mod rows;

use rows::{Case, Rows, at, transition};
use tuquan_core::domain::category::{Category, Priority};
use tuquan_core::domain::lifecycle::IncidentState as S;
use tuquan_core::report::window::IsoWeek;
use tuquan_core::report::{Cut, CutKey, Figures, Share, Spread, Window, figures, figures_by};

/// Incidents A to J of the worked example; F is a duplicate of B and J is void.
fn worked_example() -> Vec<Case> {
    use Category as C;
    let end = |at_ms| transition(S::Resolved, at_ms);
    let case = |category, occurred, saved| Case::new(category, occurred, saved);
    let mut fire = case(C::FireElectric, at(10, 2, 22, 0), at(10, 2, 22, 1));
    fire.priority = Priority::Urgent;
    let mut hazard = case(C::Hazard, at(10, 5, 6, 50), at(10, 5, 7, 0));
    hazard.dangerous = true;
    vec![
        fire.acknowledged(at(10, 2, 22, 4)).then(&[end(at(10, 3, 1, 30))]),
        case(C::Theft, at(10, 3, 8, 0), at(10, 3, 9, 30)).acknowledged(at(10, 3, 10, 30)).then(&[
            transition(S::Waiting, at(10, 4, 9, 30)),
            transition(S::InProgress, at(10, 6, 9, 30)),
            end(at(10, 8, 9, 30)),
        ]),
        hazard.acknowledged(at(10, 5, 7, 50)).then(&[
            transition(S::Waiting, at(10, 5, 10, 0)),
            transition(S::InProgress, at(10, 9, 10, 0)),
            end(at(10, 9, 15, 0)),
            transition(S::Closed, at(10, 9, 16, 0)),
        ]),
        case(C::Noise, at(10, 10, 23, 0), at(10, 10, 23, 10))
            .acknowledged(at(10, 10, 23, 40))
            .then(&[end(at(10, 11, 0, 10))]),
        case(C::Fight, at(10, 12, 20, 55), at(10, 12, 21, 0)).acknowledged(at(10, 12, 21, 5)).then(
            &[
                end(at(10, 13, 9, 0)),
                transition(S::Reopened, at(10, 14, 9, 0)),
                end(at(10, 15, 9, 0)),
            ],
        ),
        case(C::Theft, at(10, 3, 8, 5), at(10, 3, 9, 40))
            .then(&[transition(S::Duplicate, at(10, 3, 9, 50))]),
        case(C::Online, at(10, 20, 11, 0), at(10, 20, 12, 0)).acknowledged(at(10, 20, 18, 0)),
        case(C::Hazard, at(10, 30, 7, 30), at(10, 30, 8, 0)).acknowledged(at(10, 30, 9, 0)),
        case(C::Theft, at(9, 29, 9, 0), at(9, 29, 10, 0))
            .acknowledged(at(9, 29, 11, 0))
            .then(&[end(at(10, 5, 10, 0))]),
        case(C::Noise, at(10, 7, 1, 0), at(10, 7, 1, 1))
            .then(&[transition(S::Void, at(10, 7, 1, 2))]),
    ]
}

fn spread(median_min: i64, p90_min: i64, n: u64) -> Option<Spread> {
    Some(Spread { median_min, p90_min, n })
}

fn october() -> Window {
    Window::month(2026, 10).expect("a month")
}

#[test]
fn the_worked_example_gives_its_figures_for_october() {
    let rows = Rows::of("october", &worked_example());
    let expected = Figures {
        new: 7,
        resolved: 6,
        backlog: 2,
        backlog_by_age: [1, 0, 1, 0],
        overdue: 1,
        acknowledge: spread(50, 360, 7),
        resolve_gross: spread(4_920, 8_640, 6),
        resolve_net: spread(2_040, 8_640, 6),
        in_time: Share { n: 5, of: 7 },
        open_age_min: Some(9_480),
        reopened: Share { n: 1, of: 7 },
        log_lag_min: Some(10),
        ..Figures::default()
    };
    assert_eq!(figures(rows.connection(), &october()).expect("counted"), expected);
}

#[test]
fn the_worked_example_gives_its_figures_for_the_closing_month() {
    let rows = Rows::of("closing", &worked_example());
    let window = Window::closing_month(2026, 10).expect("a month");
    let expected = Figures {
        new: 6,
        resolved: 5,
        backlog: 1,
        backlog_by_age: [0, 1, 0, 0],
        overdue: 0,
        acknowledge: spread(40, 60, 6),
        resolve_gross: spread(6_240, 8_640, 5),
        resolve_net: spread(480, 8_640, 5),
        in_time: Share { n: 3, of: 4 },
        open_age_min: Some(3_060),
        reopened: Share { n: 1, of: 6 },
        log_lag_min: Some(10),
        ..Figures::default()
    };
    assert_eq!(figures(rows.connection(), &window).expect("counted"), expected);
}

#[test]
fn the_clocks_of_the_worked_example_come_from_the_categories() {
    let rows = Rows::of("clocks", &worked_example());
    let hours = [24, 168, 72, 168, 72, 168, 168, 168, 168, 168];
    assert_eq!(rows.clocks_ms(), hours.map(|hours| hours * 3_600_000));
}

#[test]
fn good_deeds_are_counted_apart() {
    let mut cases = worked_example();
    cases.push(Case::new(Category::GoodDeed, at(10, 9, 9, 0), at(10, 9, 9, 5)));
    let rows = Rows::of("deeds", &cases);
    let found = figures(rows.connection(), &october()).expect("counted");
    assert_eq!((found.new, found.backlog, found.good_deeds), (7, 2, 1));
}

#[test]
fn an_incident_without_a_time_counts_as_new_when_it_was_saved_and_is_flagged() {
    let mut case = Case::new(Category::Noise, 0, at(10, 9, 9, 5));
    case.occurred = None;
    let rows = Rows::of("undated", &[case]);
    let found = figures(rows.connection(), &october()).expect("counted");
    assert_eq!((found.new, found.new_undated, found.log_lag_min), (1, 1, None));
}

#[test]
fn an_empty_store_gives_empty_figures() {
    let rows = Rows::of("empty", &[]);
    for cut in [Cut::None, Cut::Category, Cut::Building] {
        assert_eq!(figures_by(rows.connection(), &october(), cut).expect("counted"), []);
    }
    let found = figures(rows.connection(), &october()).expect("counted");
    assert_eq!(found, Figures::default());
}

#[test]
fn a_connection_that_only_reads_can_count() {
    let rows = Rows::of("reader", &worked_example());
    let found = figures(&rows.reader(), &october()).expect("counted");
    assert_eq!(found.new, 7);
}

#[test]
fn a_room_counts_for_the_building_that_it_is_in() {
    let mut rows = Rows::of("places", &[]);
    let building = rows.place("B2", 1, None);
    let floor = rows.place("tầng 3", 2, Some(building));
    let room = rows.place("B2-301", 3, Some(floor));
    let gate = rows.place("cổng chính", 5, None);
    for place in [Some(room), Some(floor), Some(building), Some(gate), None] {
        let mut case = Case::new(Category::Noise, at(10, 9, 9, 0), at(10, 9, 9, 5));
        case.place = place;
        rows.push(&case);
    }
    let found = figures_by(rows.connection(), &october(), Cut::Building).expect("counted");
    let new = |key| found.iter().find(|(found, _)| *found == key).map(|(_, f)| f.new);
    assert_eq!(found.len(), 3);
    assert_eq!(new(CutKey::Building(Some(building))), Some(3));
    assert_eq!(new(CutKey::Building(Some(gate))), Some(1));
    assert_eq!(new(CutKey::Building(None)), Some(1));
}

#[test]
fn each_week_has_the_backlog_of_its_own_end() {
    let rows = Rows::of("weeks", &worked_example());
    let found = figures_by(rows.connection(), &october(), Cut::Week).expect("counted");
    let keys: Vec<_> = (40..=44).map(|week| CutKey::Week(IsoWeek { year: 2026, week })).collect();
    assert_eq!(found.iter().map(|(key, _)| *key).collect::<Vec<_>>(), keys);
    let numbers: Vec<_> = found.iter().map(|(_, f)| (f.new, f.resolved, f.backlog)).collect();
    assert_eq!(numbers, [(2, 1, 2), (2, 4, 0), (1, 1, 0), (1, 0, 1), (1, 0, 2)]);
}

#[test]
fn a_window_that_makes_no_sense_is_refused() {
    let rows = Rows::of("refused", &[]);
    let window = Window { from_ms: 10, to_ms: 10 };
    assert!(figures(rows.connection(), &window).is_err());
    let years = Window { from_ms: 0, to_ms: 4_000_000_000_000 };
    assert!(figures_by(rows.connection(), &years, Cut::Week).is_err());
    assert!(figures(rows.connection(), &years).is_ok());
}

#[test]
fn random_teams_give_the_figures_of_a_slow_count() {
    for seed in 0..12 {
        let (cases, windows) = reference::random(seed, 250);
        let rows = Rows::of(&format!("random{seed}"), &cases);
        for window in windows {
            let found = figures(rows.connection(), &window).expect("counted");
            let expected = reference::figures(&cases, &window);
            assert_eq!(found, expected, "seed {seed}, {window:?}");
            let cut = figures_by(rows.connection(), &window, Cut::Category).expect("counted");
            for category in Category::ALL {
                let own: Vec<Case> =
                    cases.iter().filter(|c| c.category == *category).cloned().collect();
                let expected = reference::figures(&own, &window);
                let key = CutKey::Category(Some(*category));
                let found = cut.iter().find(|(found, _)| *found == key);
                let found = found.map(|(_, figures)| figures.clone()).unwrap_or_default();
                assert_eq!(found, expected, "seed {seed}, {window:?}, {category:?}");
            }
        }
    }
}

#[test]
#[ignore = "measures; run by hand"]
fn counting_a_month_among_a_hundred_thousand_incidents() {
    let (cases, _) = reference::random_years(7, 100_000);
    let mut rows = Rows::of("large", &cases);
    rows.widen();
    for cut in [Cut::None, Cut::None, Cut::Category, Cut::Building] {
        for window in [october(), Window::month(2026, 3).expect("a month")] {
            let started = std::time::Instant::now();
            let found = figures_by(&rows.reader(), &window, cut).expect("counted");
            let new: u64 = found.iter().map(|(_, figures)| figures.new).sum();
            eprintln!("{cut:?}: {} ms, new {new}", started.elapsed().as_millis());
        }
    }
}
