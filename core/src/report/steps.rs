//! The SQL steps of the figures: each is one or two common table expressions, in the order of use.
//!
//! `$names` stand for expressions, numbers of states and the cut, put in by [`super::figures`];
//! `:from` and `:to` are the window. Must not know: what the results are called outside.

/// Every incident that has a transition in the window, was open at its end, is open now, or was
/// due or occurred in the window. Each part has an index: to read all timelines of 100,000
/// incidents is to decrypt 50 MB. The `+` keeps the planner from walking the table by `rid`.
pub(super) const CANDIDATES: &str = r#"WITH RECURSIVE
later (rid) AS MATERIALIZED (
    SELECT DISTINCT +rid FROM incident_state WHERE $step_when > :to
),
candidate (rid) AS MATERIALIZED (
    SELECT +rid FROM incident_state WHERE $step_when >= :from AND $step_when <= :to
    UNION SELECT i.rid FROM later CROSS JOIN incident i USING (rid) WHERE i.saved >> 16 <= :to
    UNION SELECT +rid FROM incident WHERE state IN ($open)
    UNION SELECT +rid FROM incident WHERE due >= :from AND due < :to
    UNION SELECT +rid FROM incident WHERE $when >= :from AND $when < :to
),"#;

/// The building of every place. The limit is for places that contain each other by mistake.
pub(super) const BUILDINGS: &str = r#"
climb (leaf, id, height) AS (
    SELECT id, id, 0 FROM place
    UNION ALL
    SELECT c.leaf, p.parent, c.height + 1 FROM climb c JOIN place p ON p.id = c.id
    WHERE p.kind IS NOT $building_kind AND p.parent IS NOT NULL AND c.height < 8
),
building (leaf, building, height) AS MATERIALIZED (
    SELECT leaf, id, max(height) FROM climb GROUP BY leaf
),"#;

/// Each candidate with its timeline replayed to the window's end; `done` is when it was resolved.
pub(super) const REPLAY: &str = r#"
timeline AS MATERIALIZED (
    SELECT i.rid, $part AS part, $when AS occurred, i.t_occ IS NULL AS undated,
        i.saved >> 16 AS saved, i.due, i.state,
        min($step_when) FILTER (WHERE s."to" = $acknowledged) AS acknowledged,
        max($step_when) AS latest,
        max($step_when)
            FILTER (WHERE s."to" = $resolved AND $step_when <= :to) AS resolved,
        max($step_when)
            FILTER (WHERE s."to" = $reopened AND $step_when <= :to) AS reopened
    FROM candidate c CROSS JOIN incident i ON i.rid = c.rid
        LEFT JOIN incident_state s ON s.rid = i.rid $join
    WHERE i.state NOT IN ($duplicate, $void) AND i.category IS NOT $good_deed
    GROUP BY i.rid
),
incident_at AS MATERIALIZED (
    SELECT *, CASE
        WHEN latest > :to THEN iif(reopened >= resolved, NULL, resolved)
        WHEN state IN ($resolved, $closed) THEN ifnull(resolved, latest)
    END AS done
    FROM timeline
),"#;

/// The transitions, in order, of the incidents that were worked to an end in the window.
pub(super) const WALK: &str = r#"
walk AS MATERIALIZED (
    SELECT i.rid, i.part, i.done, s."to" AS state, $step_when AS t,
        lag(s."to") OVER in_order AS before,
        lead($step_when) OVER in_order AS next
    FROM incident_at i CROSS JOIN incident_state s ON s.rid = i.rid
    WHERE i.resolved >= :from OR i.done >= :from
    WINDOW in_order AS (
        PARTITION BY i.rid ORDER BY $step_when, s.hlc, s.key)
),
waited (rid, ms) AS MATERIALIZED (
    SELECT rid, sum(min(ifnull(next, done), done) - t) FROM walk
    WHERE state IN ($waiting, $referred) AND t < done GROUP BY rid
),"#;

/// One row per incident and duration that it counts in.
pub(super) const FACTS: &str = r#"
fact (part, what, ms) AS (
    SELECT part, 'lag', max(0, saved - occurred) FROM incident_at
    WHERE occurred >= :from AND occurred < :to AND NOT undated
    UNION ALL
    SELECT part, 'acknowledged', max(0, acknowledged - saved) FROM incident_at
    WHERE acknowledged >= :from AND acknowledged < :to
    UNION ALL
    SELECT part, 'resolved', max(0, done - saved) FROM incident_at
    WHERE done >= :from AND done < :to
    UNION ALL
    SELECT part, 'net', max(0, done - saved - ifnull(ms, 0))
    FROM incident_at LEFT JOIN waited USING (rid) WHERE done >= :from AND done < :to
    UNION ALL
    SELECT part, 'open', :to - saved FROM incident_at WHERE saved <= :to AND done IS NULL
),"#;

/// One row per incident and figure that only counts.
pub(super) const TALLIES: &str = r#"
tally (part, what) AS (
    SELECT part, 'undated' FROM incident_at
    WHERE occurred >= :from AND occurred < :to AND undated
    UNION ALL
    SELECT part, CASE WHEN :to - saved < 2 * $day THEN 'age 0' WHEN :to - saved < 8 * $day
        THEN 'age 2' WHEN :to - saved < 31 * $day THEN 'age 8' ELSE 'age 31' END
    FROM incident_at WHERE saved <= :to AND done IS NULL
    UNION ALL
    SELECT part, 'overdue' FROM incident_at WHERE saved <= :to AND done IS NULL AND due < :to
    UNION ALL
    SELECT part, 'due' FROM incident_at WHERE due >= :from AND due < :to
    UNION ALL
    SELECT part, 'in time' FROM incident_at WHERE due >= :from AND due < :to AND done <= due
    UNION ALL
    SELECT part, 'resolution' FROM walk
    WHERE state = $resolved AND before IS NOT $resolved AND t >= :from AND t < :to
    UNION ALL
    SELECT part, 'reopened' FROM walk
    WHERE state = $resolved AND before IS NOT $resolved AND t >= :from AND t < :to AND EXISTS (
        SELECT 1 FROM incident_state s WHERE s.rid = walk.rid AND s."to" = $reopened
            AND $step_when BETWEEN t AND t + 30 * $day)
    UNION ALL
    SELECT $part, 'good deed' FROM incident i $join
    WHERE i.state NOT IN ($duplicate, $void) AND i.category = $good_deed
        AND $when >= :from AND $when < :to
),"#;

/// How many of each sort, the one or two durations in the middle, and the 90th percentile.
pub(super) const SUMS: &str = r#"
ranked AS (
    SELECT part, what, ms, row_number() OVER (PARTITION BY part, what ORDER BY ms) AS rank,
        count(*) OVER (PARTITION BY part, what) AS n
    FROM fact
)
SELECT part, what, max(n), sum(ms) FILTER (WHERE rank IN ((n + 1) / 2, (n + 2) / 2)),
    max(ms) FILTER (WHERE rank = (n * 9 + 9) / 10)
FROM ranked GROUP BY part, what
UNION ALL
SELECT part, what, count(*), 0, 0 FROM tally GROUP BY part, what
ORDER BY part"#;
