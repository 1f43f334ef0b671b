//! Incident rows in a store of their own, folded and written as a replica does.

use std::path::PathBuf;

use rusqlite::Connection;
use tuquan_core::clock::Hlc;
use tuquan_core::codec::Value;
use tuquan_core::domain::category::{Category, Priority};
use tuquan_core::domain::incident::Incident;
use tuquan_core::domain::lifecycle::IncidentState;
use tuquan_core::domain::place::Place as DormPlace;
use tuquan_core::ids::{LogId, RecordId};
use tuquan_core::log::item::{Op, Place};
use tuquan_core::record::declare::{Declaration, FieldType, TimeMs, Transition};
use tuquan_core::store::open::{Location, reader, writer};
use tuquan_core::store::views::{Stored, View};

/// One step of an incident: where to, when it happened if told, when it was saved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) to: IncidentState,
    pub(crate) event: Option<i64>,
    pub(crate) saved: Hlc,
}

/// An incident to be.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) category: Category,
    pub(crate) priority: Priority,
    pub(crate) dangerous: bool,
    pub(crate) place: Option<RecordId>,
    pub(crate) occurred: Option<i64>,
    pub(crate) saved: i64,
    pub(crate) steps: Vec<Step>,
}

impl Case {
    pub(crate) fn new(category: Category, occurred: i64, saved: i64) -> Self {
        Self {
            category,
            priority: Priority::Normal,
            dangerous: false,
            place: None,
            occurred: Some(occurred),
            saved,
            steps: Vec::new(),
        }
    }

    /// Adds the acknowledgement and, a minute later, the start of work.
    pub(crate) fn acknowledged(mut self, at_ms: i64) -> Self {
        self.steps.push(transition(IncidentState::Acknowledged, at_ms));
        self.steps.push(transition(IncidentState::InProgress, at_ms + 60_000));
        self
    }

    pub(crate) fn then(mut self, steps: &[Step]) -> Self {
        self.steps.extend_from_slice(steps);
        self
    }
}

/// Returns the ms of a time in 2026 at +07:00.
pub(crate) fn at(month: u32, day: i64, hour: i64, minute: i64) -> i64 {
    let start = tuquan_core::report::Window::month(2026, month).expect("a month").from_ms;
    start + (((day - 1) * 24 + hour) * 60 + minute) * 60_000
}

/// Returns a step that was saved three minutes after it happened.
pub(crate) fn transition(to: IncidentState, at_ms: i64) -> Step {
    Step { to, event: Some(at_ms), saved: Hlc::from_ms(at_ms + 180_000) }
}

/// A store with incidents and places, removed at the end.
pub(crate) struct Rows {
    dir: PathBuf,
    connection: Option<Connection>,
    incidents: View,
    places: View,
    seq: u64,
}

const LOG: LogId = LogId([3; 16]);

impl Rows {
    pub(crate) fn of(name: &str, cases: &[Case]) -> Self {
        let dir =
            std::env::temp_dir().join(format!("tuquan-figures-{name}-{}", std::process::id()));
        std::fs::remove_dir_all(&dir).ok();
        std::fs::create_dir_all(&dir).expect("a folder");
        let connection = writer(&Location::new(&dir, [5; 32])).expect("opened");
        let incidents = View::new(Incident::DECLARATION);
        let places = View::new(DormPlace::DECLARATION);
        connection.execute_batch(&incidents.create()).expect("created");
        connection.execute_batch(&places.create()).expect("created");
        let mut rows = Self { dir, connection: Some(connection), incidents, places, seq: 0 };
        rows.write(cases);
        rows
    }

    pub(crate) fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("open")
    }

    pub(crate) fn reader(&self) -> Connection {
        reader(&Location::new(&self.dir, [5; 32])).expect("opened")
    }

    pub(crate) fn push(&mut self, case: &Case) {
        self.write(std::slice::from_ref(case));
    }

    fn write(&mut self, cases: &[Case]) {
        let transaction = self.connection.as_mut().expect("open").transaction().expect("begun");
        for case in cases {
            let mut stored = started(&mut self.seq, case.saved);
            fold(&mut self.seq, Incident::DECLARATION, &mut stored, &first(case), stored_hlc(case));
            for step in &case.steps {
                let value = Transition {
                    to: Some(step.to.number()),
                    t_event: step.event.map(TimeMs),
                    reason: None,
                };
                let op = Op::Add(18, value.to_value());
                fold(&mut self.seq, Incident::DECLARATION, &mut stored, &[op], step.saved);
            }
            self.incidents.writer(&transaction).write(&|_| 1, &mut stored, None).expect("written");
        }
        transaction.commit().expect("committed");
    }

    pub(crate) fn place(&mut self, name: &str, kind: i64, parent: Option<RecordId>) -> RecordId {
        let transaction = self.connection.as_mut().expect("open").transaction().expect("begun");
        let mut stored = started(&mut self.seq, 1_000);
        let mut ops =
            vec![Op::Set(16, Value::Text(name.to_owned())), Op::Set(17, Value::Int(kind))];
        ops.extend(parent.map(|parent| Op::Set(18, parent.to_value())));
        fold(&mut self.seq, DormPlace::DECLARATION, &mut stored, &ops, Hlc::from_ms(1_000));
        self.places.writer(&transaction).write(&|_| 1, &mut stored, None).expect("written");
        transaction.commit().expect("committed");
        stored.id
    }

    /// Returns due minus saved of every incident, in the order of writing.
    pub(crate) fn clocks_ms(&self) -> Vec<i64> {
        let sql = "SELECT due - (saved >> 16) FROM incident ORDER BY rid";
        let mut statement = self.connection().prepare(sql).expect("prepared");
        let rows = statement.query_map([], |row| row.get(0)).expect("run");
        rows.collect::<Result<_, _>>().expect("read")
    }

    /// Gives the rows the width that they have in use, for measurements.
    pub(crate) fn widen(&mut self) {
        let sql = "UPDATE incident SET summary = hex(randomblob(45)), heads = randomblob(20); \
                   UPDATE incident_state SET reason = 'đã báo kỹ thuật' WHERE \"to\" > 3;";
        self.connection().execute_batch(sql).expect("widened");
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.connection = None;
        std::fs::remove_dir_all(&self.dir).ok();
    }
}

fn stored_hlc(case: &Case) -> Hlc {
    Hlc::from_ms(case.saved)
}

fn started(seq: &mut u64, saved: i64) -> Stored {
    let saved = Hlc::from_ms(saved);
    let place = Place { log: LOG, seq: *seq, index: 0 };
    Stored { id: place.record_id(saved), log: LOG, saved, items: 1, ..Stored::default() }
}

fn first(case: &Case) -> Vec<Op> {
    let mut ops = vec![
        Op::Set(16, case.category.to_value()),
        Op::Set(19, case.priority.to_value()),
        Op::Set(25, Value::Bool(case.dangerous)),
    ];
    ops.extend(case.place.map(|place| Op::Set(17, place.to_value())));
    ops.extend(case.occurred.map(|ms| Op::Set(1, Value::Int(ms))));
    ops
}

fn fold(seq: &mut u64, of: &Declaration, stored: &mut Stored, ops: &[Op], hlc: Hlc) {
    let place = Place { log: LOG, seq: *seq, index: 0 };
    *seq += 1;
    stored.state.fold(of, ops.iter().cloned(), place, hlc).expect("folded");
}
