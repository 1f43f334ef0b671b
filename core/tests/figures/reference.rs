//! The same figures, counted slowly: every timeline is replayed by hand, incident by incident.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tuquan_core::clock::Hlc;
use tuquan_core::domain::category::{Category, Priority};
use tuquan_core::domain::lifecycle::IncidentState as S;
use tuquan_core::report::{Figures, Share, Spread, Window};

use super::rows::{Case, Step, at};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn time(step: &Step) -> i64 {
    step.event.unwrap_or_else(|| step.saved.ms())
}

fn in_order(case: &Case) -> Vec<(i64, S)> {
    let mut steps = case.steps.clone();
    steps.sort_by_key(|step| (time(step), step.saved));
    steps.iter().map(|step| (time(step), step.to)).collect()
}

/// When the incident was resolved, as known at `end`.
fn done(case: &Case, end: i64) -> Option<i64> {
    let steps = in_order(case);
    let state = case.steps.last().map_or(S::New, |step| step.to);
    let resolved = steps.iter().filter(|(t, to)| *t <= end && *to == S::Resolved).map(|(t, _)| *t);
    let resolved = resolved.max();
    if steps.last().is_none_or(|(t, _)| *t <= end) {
        let over = matches!(state, S::Resolved | S::Closed);
        return if over { resolved.or_else(|| steps.last().map(|(t, _)| *t)) } else { None };
    }
    let again = |at| steps.iter().any(|(t, to)| *to == S::Reopened && (at..=end).contains(t));
    resolved.filter(|at| !again(*at))
}

/// How long the incident waited before it was done.
fn waited(case: &Case, done: i64) -> i64 {
    let mut sum = 0;
    let mut since = None;
    for (t, to) in in_order(case) {
        if let Some(since) = since.take() {
            sum += t.min(done) - done.min(since);
        }
        since = matches!(to, S::Waiting | S::Referred).then_some(t);
    }
    sum + since.map_or(0, |since| done - done.min(since))
}

fn minutes(ms: f64) -> i64 {
    (ms / MINUTE as f64 + 0.5).floor() as i64
}

fn spread(mut ms: Vec<i64>) -> Option<Spread> {
    ms.sort_unstable();
    let n = ms.len();
    let rank = (0.9 * n as f64).ceil() as usize;
    let p90 = ms.get(rank.checked_sub(1)?)?;
    let middle = (ms[(n - 1) / 2] + ms[n / 2]) as f64 / 2.0;
    Some(Spread { median_min: minutes(middle), p90_min: minutes(*p90 as f64), n: n as u64 })
}

fn reopened(case: &Case, window: std::ops::Range<i64>) -> Share {
    let steps = in_order(case);
    let mut share = Share::default();
    for (index, (t, to)) in steps.iter().enumerate() {
        let repeated = index > 0 && steps[index - 1].1 == S::Resolved;
        if *to != S::Resolved || repeated || !window.contains(t) {
            continue;
        }
        let soon = *t..=*t + 30 * DAY;
        let again = steps.iter().any(|(t, to)| *to == S::Reopened && soon.contains(t));
        share.of += 1;
        share.n += u64::from(again);
    }
    share
}

pub(crate) fn figures(cases: &[Case], window: &Window) -> Figures {
    let (range, end) = (window.from_ms..window.to_ms, window.to_ms);
    let mut all = Figures::default();
    let (mut acks, mut gross, mut net, mut ages, mut lags) =
        (vec![], vec![], vec![], vec![], vec![]);
    for case in cases {
        let state = case.steps.last().map_or(S::New, |step| step.to);
        if matches!(state, S::Void | S::Duplicate) {
            continue;
        }
        let is_new = range.contains(&case.occurred.unwrap_or(case.saved));
        if case.category == Category::GoodDeed {
            all.good_deeds += u64::from(is_new);
            continue;
        }
        all.new += u64::from(is_new);
        match case.occurred.filter(|_| is_new) {
            Some(occurred) => lags.push((case.saved - occurred).max(0)),
            None => all.new_undated += u64::from(is_new),
        }
        let ack = in_order(case).into_iter().find(|(_, to)| *to == S::Acknowledged);
        acks.extend(ack.filter(|(t, _)| range.contains(t)).map(|(t, _)| (t - case.saved).max(0)));
        let due = case.saved + case.category.resolve_ms(case.priority, case.dangerous);
        let done = done(case, end);
        if let Some(done) = done.filter(|done| range.contains(done)) {
            gross.push((done - case.saved).max(0));
            net.push((done - case.saved - waited(case, done)).max(0));
        }
        if done.is_none() && case.saved <= end {
            all.overdue += u64::from(end > due);
            let days = (end - case.saved) / DAY;
            all.backlog_by_age[[2, 8, 31].iter().filter(|limit| days >= **limit).count()] += 1;
            ages.push(end - case.saved);
        }
        if range.contains(&due) {
            all.in_time.of += 1;
            all.in_time.n += u64::from(done.is_some_and(|done| done <= due));
        }
        let share = reopened(case, range.clone());
        all.reopened.n += share.n;
        all.reopened.of += share.of;
    }
    all.resolved = gross.len() as u64;
    all.backlog = ages.len() as u64;
    all.acknowledge = spread(acks);
    all.resolve_gross = spread(gross);
    all.resolve_net = spread(net);
    all.open_age_min = spread(ages).map(|spread| spread.median_min);
    all.log_lag_min = spread(lags).map(|spread| spread.median_min);
    all
}

/// Makes incidents of any sort, in legal and impossible orders, and windows to count them in.
pub(crate) fn random(seed: u64, count: usize) -> (Vec<Case>, Vec<Window>) {
    make(seed, count, 60, true)
}

/// Makes incidents over two years as a quiet dormitory has them.
pub(crate) fn random_years(seed: u64, count: usize) -> (Vec<Case>, Vec<Window>) {
    make(seed, count, 700, false)
}

fn make(seed: u64, count: usize, days: i64, wild: bool) -> (Vec<Case>, Vec<Window>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut below = |n: i64| (rng.next_u64() % n.unsigned_abs()).cast_signed();
    let last = at(11, 1, 0, 0);
    let mut counter = 0;
    let mut cases = Vec::new();
    for number in 0..count as i64 {
        let into = if wild { below(days * 24) * HOUR } else { number * days * DAY / count as i64 };
        let saved = last - days * DAY + into;
        let category = Category::ALL[below(Category::ALL.len() as i64) as usize];
        let mut case = Case::new(category, saved - (below(90) - 5) * 97_001, saved);
        case.occurred = case.occurred.filter(|_| below(8) > 0);
        case.priority = if below(6) == 0 { Priority::Urgent } else { Priority::Normal };
        case.dangerous = below(4) == 0;
        let usual = [S::Acknowledged, S::InProgress, S::Waiting, S::InProgress, S::Resolved];
        let mut t = saved;
        for index in 0..if wild { below(9) } else { 5 } {
            let wandering = wild && below(3) == 0;
            t += if wandering { below(400) - 80 } else { below(30) } * HOUR;
            let chosen = S::ALL[below(S::ALL.len() as i64) as usize];
            let open = !wild && index == 4 && below(40) == 0;
            let to = if wandering || index > 4 { chosen } else { usual[index as usize] };
            if open || (to == S::Void && below(3) > 0) {
                continue;
            }
            counter = (counter + 1) % 60_000;
            let saved = Hlc(Hlc::from_ms(t + below(3) * HOUR).0 + counter);
            case.steps.push(Step { to, event: Some(t).filter(|_| below(4) > 0), saved });
        }
        cases.push(case);
    }
    let mut windows = vec![Window { from_ms: 0, to_ms: last + 900 * DAY }];
    for _ in 0..12 {
        let from_ms = last + below(80 * 24) * HOUR - 60 * DAY;
        windows.push(Window { from_ms, to_ms: from_ms + HOUR + below(40 * 24) * HOUR });
    }
    (cases, windows)
}
