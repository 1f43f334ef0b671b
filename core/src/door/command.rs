//! Commands: the only way to change anything, as plain data, and how each becomes items.
//!
//! A command is checked against the declaration, the lifecycle and the writer's role before it is
//! written. JSON is serde's externally tagged snake_case. Must not know: SQL, packs.

use std::collections::BTreeMap;

use rusqlite::Transaction;

use crate::clock::Hlc;
use crate::codec::Value;
use crate::error::{Error, Kind, Result};
use crate::ids::{ElementKey, LogId, RecordId};
use crate::log::item::{Dep, Item, Op, Place, Target, natural_id, set_key};
use crate::record::bounds::ITEMS_MAX;
use crate::record::declare::{Declaration, Field, Merge, Pick, Role, TimeMs, Transition, Type};
use crate::record::plain::{Draft, Plain, element_type, field_named, to_value};
use crate::replica::mind::Mind;
use crate::replica::step::Step;
use crate::store::views::{StateFields, Stored, View};

/// How long the author of an incident may void it himself.
const OWN_VOID_MS: i64 = 15 * 60_000;
/// The most heads that a local write merges; a record beyond is over its bounds.
const HEADS_MAX: usize = crate::log::item::DEPS_MAX;

/// One change, as plain data.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum Command {
    /// Makes a record; with a natural key, two devices that make it name the same record.
    Create {
        /// What it says.
        draft: Draft,
        /// The natural key, where the record has one.
        #[serde(default)]
        #[cfg_attr(feature = "uniffi", uniffi(default))]
        key: Option<String>,
    },
    /// Makes a record by its natural key, or brings the one that is there to what the draft says:
    /// equal content changes nothing.
    Import {
        /// What it says.
        draft: Draft,
        /// The natural key.
        key: String,
    },
    /// Sets or (with null) takes away values of fields.
    Edit {
        /// The record.
        record: RecordId,
        /// New values by field name.
        set: BTreeMap<String, Option<Plain>>,
    },
    /// Adds an element to a set or list: a note, a person on duty, a piece of equipment.
    Add {
        /// The record.
        record: RecordId,
        /// The field.
        field: String,
        /// The element.
        element: Plain,
    },
    /// Takes an element out of a set.
    Remove {
        /// The record.
        record: RecordId,
        /// The field.
        field: String,
        /// The element.
        element: Plain,
    },
    /// Moves a record to another state.
    Transition {
        /// The record.
        record: RecordId,
        /// The token of the state.
        to: String,
        /// When it happened, in ms; now when left out.
        #[serde(default)]
        #[cfg_attr(feature = "uniffi", uniffi(default))]
        t_event: Option<i64>,
        /// Why, or what came out of it.
        #[serde(default)]
        #[cfg_attr(feature = "uniffi", uniffi(default))]
        reason: Option<String>,
        /// Fields to set with it, such as the outcome.
        #[serde(default)]
        #[cfg_attr(feature = "uniffi", uniffi(default))]
        set: BTreeMap<String, Option<Plain>>,
    },
    /// Picks one of the values that a field holds at once; the choice is logged.
    Resolve {
        /// The record.
        record: RecordId,
        /// The field in conflict.
        field: String,
        /// The value to keep: one of those there, or another one.
        pick: Plain,
        /// Why.
        #[serde(default)]
        #[cfg_attr(feature = "uniffi", uniffi(default))]
        reason: Option<String>,
    },
    /// Edits a text that several people write; positions in Unicode characters.
    Splice {
        /// The record.
        record: RecordId,
        /// The field.
        field: String,
        /// Where.
        at: u64,
        /// How many characters to take away.
        delete: u64,
        /// What to put there.
        insert: String,
    },
}

/// What became of a command's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum Effect {
    /// It was made.
    Created,
    /// It was changed.
    Changed,
    /// It said so already; nothing was written.
    Unchanged,
}

/// What a command wants written.
#[derive(Debug)]
pub struct Planned {
    /// The items of the entry; none when nothing is to be written.
    pub items: Vec<Item>,
    /// The record, known before for all but a new one.
    pub record: Option<RecordId>,
    /// What becomes of it.
    pub effect: Effect,
}

/// What planning looks at.
pub struct Planner<'a> {
    /// The store, inside the transaction.
    pub transaction: &'a Transaction<'a>,
    /// What the replica knows by heart.
    pub mind: &'a Mind,
    /// Records that the same transaction has touched already.
    pub step: Option<&'a Step<'a>>,
    /// The time, in ms.
    pub now_ms: i64,
    /// The role of this device.
    pub role: Role,
}

fn invalid(what: impl Into<String>) -> Error {
    Error::new(Kind::Invalid, what)
}

impl Planner<'_> {
    /// Turns a command into the items of one entry.
    ///
    /// # Errors
    /// `E-INVALID` with what to mend, `E-ROLE`, `E-NOTFOUND`, `E-CHANGE-BIG`.
    pub fn plan(&self, command: &Command) -> Result<Planned> {
        match command {
            Command::Create { draft, key: None } => self.create(draft, Target::New),
            Command::Create { draft, key: Some(key) } => self.create_natural(draft, key),
            Command::Import { draft, key } => self.import(draft, key),
            Command::Edit { record, set } => {
                self.change(record, |of, stored| self.sets(of, stored, set))
            }
            Command::Add { record, field, element } => self.change(record, |of, stored| {
                let field = field_named(of, field)?;
                self.check_duty(field)?;
                add_ops(field, stored, element)
            }),
            Command::Remove { record, field, element } => self.change(record, |of, stored| {
                let field = field_named(of, field)?;
                self.check_duty(field)?;
                remove_ops(field, stored, element)
            }),
            Command::Transition { record, to, t_event, reason, set } => {
                self.change(record, |of, stored| {
                    let mut ops = self.sets(of, stored, set)?;
                    ops.extend(self.transition(of, stored, to, *t_event, reason.as_deref())?);
                    Ok(ops)
                })
            }
            Command::Resolve { record, field, pick, reason } => self
                .change(record, |of, stored| {
                    self.resolve(of, stored, field, pick, reason.as_deref())
                }),
            Command::Splice { record, field, at, delete, insert } => {
                self.change(record, |of, _| {
                    let field = field_named(of, field)?;
                    let insert = crate::record::plain::clean(insert);
                    Ok(vec![Op::Splice(field.number, *at, *delete, insert)])
                })
            }
        }
    }

    /// Plans adding a photo, whose value has no plain form that a command could hold.
    ///
    /// # Errors
    /// As [`Planner::plan`].
    pub(super) fn attach(&self, record: &RecordId, field: &str, photo: Value) -> Result<Planned> {
        self.change(record, |of, _| Ok(vec![Op::Add(field_named(of, field)?.number, photo)]))
    }

    /// Plans taking out a photo by its key.
    ///
    /// # Errors
    /// `E-NOTFOUND` when the record has no such photo; as [`Planner::plan`].
    pub(super) fn detach(
        &self,
        record: &RecordId,
        field: &str,
        key: ElementKey,
    ) -> Result<Planned> {
        self.change(record, |of, stored| {
            let number = field_named(of, field)?.number;
            match stored.state.elements.contains_key(&(number, key)) {
                true => Ok(vec![Op::Remove(number, key)]),
                false => Err(Error::new(Kind::NotFound, format!("photo {key}"))),
            }
        })
    }

    fn view(&self, name: &str) -> Result<&View> {
        let view = self.mind.views.iter().find(|view| view.of.name == name);
        let view = view.ok_or_else(|| invalid(format!("no record type {name}")))?;
        if !view.of.writers.contains(&self.role) {
            return Err(Error::new(Kind::Role, format!("this role does not write {name}")));
        }
        Ok(view)
    }

    fn create(&self, draft: &Draft, target: Target) -> Result<Planned> {
        let of = self.view(&draft.kind)?.of;
        let ops = self.draft_ops(of, draft)?;
        let stored = Stored { saved: Hlc::from_ms(self.now_ms), ..Stored::default() };
        check_after(of, stored, &ops)?;
        let item = Item { kind: of.kind, target, deps: Vec::new(), ops };
        Ok(Planned { items: vec![item], record: None, effect: Effect::Created })
    }

    fn create_natural(&self, draft: &Draft, key: &str) -> Result<Planned> {
        let (view, id) = self.natural(draft, key)?;
        if self.load(view, &id)?.is_some() {
            return Err(invalid("a record with this natural key exists"));
        }
        let planned = self.create(draft, Target::Natural(key.to_owned()))?;
        Ok(Planned { record: Some(id), ..planned })
    }

    fn natural(&self, draft: &Draft, key: &str) -> Result<(&View, RecordId)> {
        if key.is_empty() || key.len() > crate::log::item::NATURAL_KEY_BYTES_MAX {
            return Err(invalid("a natural key has 1 to 256 bytes"));
        }
        let view = self.view(&draft.kind)?;
        Ok((view, natural_id(&self.mind.space()?, view.of.kind, key)))
    }

    fn import(&self, draft: &Draft, key: &str) -> Result<Planned> {
        let key = crate::record::plain::clean(key);
        let (view, id) = self.natural(draft, &key)?;
        let Some(stored) = self.load(view, &id)? else {
            let planned = self.create(draft, Target::Natural(key))?;
            return Ok(Planned { record: Some(id), ..planned });
        };
        let ops = self.difference(view.of, draft, &stored)?;
        self.changed(view.of, stored, ops)
    }

    /// Returns the operations that bring a record to what a draft says; elements are only added.
    fn difference(&self, of: &'static Declaration, draft: &Draft, now: &Stored) -> Result<Vec<Op>> {
        let mut ops = self.draft_ops(of, draft)?;
        ops.retain(|op| {
            let Some(field) = of.field(op.field()) else {
                return false;
            };
            match op {
                Op::Set(_, value) => {
                    field.merge != Merge::IM && now.state.shown(field).as_ref() != Some(value)
                }
                Op::Add(_, value) if field.merge == Merge::FS => {
                    let to = crate::record::state::transition_target(value);
                    now.state.shown(field) != Some(Value::Int(to))
                }
                Op::Add(number, value) => {
                    now.state.list(*number).iter().all(|(_, held)| held.value != *value)
                }
                _ => false,
            }
        });
        Ok(ops)
    }

    fn draft_ops(&self, of: &'static Declaration, draft: &Draft) -> Result<Vec<Op>> {
        let mut ops = Vec::with_capacity(draft.fields.len());
        let mut known = 0;
        for field in of.fields() {
            let Some(plain) = draft.fields.get(field.name) else {
                continue;
            };
            known += 1;
            self.check_office(field)?;
            match (field.merge, plain) {
                (Merge::DE, _) => return Err(invalid(format!("{} is derived", field.name))),
                (Merge::AO | Merge::OR, Plain::Many(list)) => {
                    for element in list {
                        let value = to_value(&element_type(field), element)?;
                        ops.push(Op::Add(field.number, value));
                    }
                }
                (Merge::AO | Merge::OR, _) => {
                    return Err(invalid(format!("{} is a list", field.name)));
                }
                (Merge::FS, token) => {
                    let to = state_number(field, token)?;
                    if field.lifecycle.is_some_and(|life| life.initial != to) {
                        ops.push(self.step_op(field, to, draft_time(draft), None));
                    }
                }
                (Merge::TX, token) => {
                    let Value::Text(text) = to_value(&field.ty, token)? else {
                        continue;
                    };
                    ops.push(Op::Text(field.number));
                    ops.push(Op::Splice(field.number, 0, 0, text));
                }
                (Merge::CN, Plain::Int(count)) => ops.push(Op::Count(field.number, *count)),
                _ => ops.push(Op::Set(field.number, to_value(&field.ty, plain)?)),
            }
        }
        if known < draft.fields.len() {
            draft.fields.keys().try_for_each(|name| field_named(of, name).map(drop))?;
        }
        Ok(ops)
    }

    /// Plans a change of a known record on all of its heads.
    fn change(
        &self,
        record: &RecordId,
        ops: impl FnOnce(&'static Declaration, &Stored) -> Result<Vec<Op>>,
    ) -> Result<Planned> {
        let (view, stored) = self.find(record)?;
        if !view.of.writers.contains(&self.role) {
            let what = format!("this role does not write {}", view.of.name);
            return Err(Error::new(Kind::Role, what));
        }
        let ops = ops(view.of, &stored)?;
        self.changed(view.of, stored, ops)
    }

    fn changed(&self, of: &'static Declaration, stored: Stored, ops: Vec<Op>) -> Result<Planned> {
        let (id, heads) = (stored.id, stored.heads.clone());
        if ops.is_empty() {
            let effect = Effect::Unchanged;
            return Ok(Planned { items: Vec::new(), record: Some(id), effect });
        }
        let is_full = stored.items >= ITEMS_MAX as u64 || !stored.size.clone().take(&ops);
        if is_full || heads.len() > HEADS_MAX {
            return Err(Error::new(Kind::ChangeTooBig, format!("record {id} is full")));
        }
        check_after(of, stored, &ops)?;
        let deps =
            heads.iter().map(|head| Dep { place: head.place, check: Some(head.check) }).collect();
        let item = Item { kind: of.kind, target: Target::Record(id), deps, ops };
        Ok(Planned { items: vec![item], record: Some(id), effect: Effect::Changed })
    }

    fn load(&self, view: &View, id: &RecordId) -> Result<Option<Stored>> {
        match self.step.and_then(|step| step.touched(view, id)) {
            Some(stored) => Ok(Some(stored.clone())),
            None => view.load(self.transaction, id),
        }
    }

    fn find(&self, id: &RecordId) -> Result<(&View, Stored)> {
        for view in self.mind.views.iter() {
            if let Some(stored) = self.load(view, id)? {
                return Ok((view, stored));
            }
        }
        Err(Error::new(Kind::NotFound, format!("record {id}")))
    }

    fn sets(
        &self,
        of: &'static Declaration,
        stored: &Stored,
        set: &BTreeMap<String, Option<Plain>>,
    ) -> Result<Vec<Op>> {
        let mut ops = Vec::with_capacity(set.len());
        for (name, plain) in set {
            let field = field_named(of, name)?;
            self.check_office(field)?;
            if !matches!(field.merge, Merge::LW | Merge::MV | Merge::OF) {
                return Err(invalid(format!("{name} cannot be set anew")));
            }
            let held = stored.state.registers.get(&field.number);
            match plain {
                None if held.is_some() => ops.push(Op::Unset(field.number)),
                None => {}
                Some(plain) => {
                    let value = to_value(&field.ty, plain)?;
                    // Setting an equal value makes no operation.
                    if !held.is_some_and(|held| held.len() == 1 && held[0].value == value) {
                        ops.push(Op::Set(field.number, value));
                    }
                }
            }
        }
        Ok(ops)
    }

    fn check_office(&self, field: &Field) -> Result<()> {
        if field.merge == Merge::OF && self.role != Role::R3 {
            return Err(Error::new(Kind::Role, format!("{} is the office's", field.name)));
        }
        Ok(())
    }

    /// Only leads and officers say who sees to an incident.
    fn check_duty(&self, field: &Field) -> Result<()> {
        if field.name == "assignees" && self.role == Role::R1 {
            return Err(Error::new(Kind::Role, "a team lead assigns"));
        }
        Ok(())
    }

    fn transition(
        &self,
        of: &'static Declaration,
        stored: &Stored,
        to: &str,
        t_event: Option<i64>,
        reason: Option<&str>,
    ) -> Result<Vec<Op>> {
        let field = of.fields().find(|field| field.merge == Merge::FS);
        let field = field.ok_or_else(|| invalid(format!("{} has no state", of.name)))?;
        let Some(life) = field.lifecycle else {
            return Ok(Vec::new());
        };
        let to = state_number(field, &Plain::Text(to.to_owned()))?;
        let from = match stored.state.shown(field) {
            Some(Value::Int(from)) => from,
            _ => life.initial,
        };
        let settles = from == to && stored.state.rivals(field) > 1;
        let step = life.steps.iter().find(|(a, b, _)| (*a, *b) == (from, to));
        let own = self.mind.own.as_ref().map(|own| self.mind.logs[own.index].row.id);
        let undo = step.is_some()
            && own == Some(stored.log)
            && of.name == "incident"
            && to == crate::domain::lifecycle::IncidentState::Void.number()
            && self.now_ms.saturating_sub(stored.saved.ms()) <= OWN_VOID_MS;
        match step {
            _ if settles || undo => {}
            Some((_, _, who)) if who.contains(&self.role) => {}
            Some(_) => return Err(Error::new(Kind::Role, "this role may not make this step")),
            None => {
                let name = |number| state_token(field, number);
                let what = format!("no step from {} to {}", name(from), name(to));
                return Err(invalid(what));
            }
        }
        Ok(vec![self.step_op(field, to, t_event, reason)])
    }

    fn step_op(&self, field: &Field, to: i64, t_event: Option<i64>, reason: Option<&str>) -> Op {
        use crate::record::declare::FieldType;
        let transition = Transition {
            to: Some(to),
            t_event: Some(TimeMs(t_event.unwrap_or(self.now_ms))),
            reason: reason.map(crate::record::plain::clean),
        };
        Op::Add(field.number, transition.to_value())
    }

    fn resolve(
        &self,
        of: &'static Declaration,
        stored: &Stored,
        name: &str,
        pick: &Plain,
        reason: Option<&str>,
    ) -> Result<Vec<Op>> {
        use crate::record::declare::FieldType;
        let field = field_named(of, name)?;
        if stored.state.rivals(field) < 2 {
            return Err(invalid(format!("{name} is not in conflict")));
        }
        let own = self.mind.own.as_ref().map(|own| self.mind.logs[own.index].row.id);
        if self.role == Role::R1 && own != Some(stored.log) {
            return Err(Error::new(Kind::Role, "a team member picks for own records only"));
        }
        let mut ops = match field.merge {
            Merge::MV => vec![Op::Set(field.number, to_value(&field.ty, pick)?)],
            Merge::FS => vec![self.step_op(field, state_number(field, pick)?, None, reason)],
            _ => return Err(invalid(format!("{name} is settled by editing it"))),
        };
        let picked = match pick {
            Plain::Text(text) => text.clone(),
            other => serde_json::to_string(other).unwrap_or_default(),
        };
        let logged = Pick {
            field: Some(i64::from(field.number)),
            picked: Some(picked),
            reason: reason.map(crate::record::plain::clean),
        };
        let picks = field_named(of, "picks")?;
        ops.push(Op::Add(picks.number, logged.to_value()));
        Ok(ops)
    }
}

fn draft_time(draft: &Draft) -> Option<i64> {
    match draft.fields.get("t_occ") {
        Some(Plain::Int(ms)) => Some(*ms),
        _ => None,
    }
}

fn state_number(field: &Field, token: &Plain) -> Result<i64> {
    match to_value(&field.ty, token)? {
        Value::Int(number) => Ok(number),
        _ => Err(invalid("not a state")),
    }
}

fn state_token(field: &Field, number: i64) -> &'static str {
    let Type::Choice(all) = field.ty else {
        return "?";
    };
    all.iter().find(|choice| choice.number == number).map_or("?", |choice| choice.token)
}

fn add_ops(field: &Field, stored: &Stored, element: &Plain) -> Result<Vec<Op>> {
    if !matches!(field.merge, Merge::AO | Merge::OR) {
        return Err(invalid(format!("{} takes no elements", field.name)));
    }
    let value = to_value(&element_type(field), element)?;
    let known = stored.state.elements.contains_key(&(field.number, set_key(&value)));
    if field.merge == Merge::OR && known {
        return Ok(Vec::new());
    }
    Ok(vec![Op::Add(field.number, value)])
}

fn remove_ops(field: &Field, stored: &Stored, element: &Plain) -> Result<Vec<Op>> {
    if field.merge != Merge::OR {
        return Err(invalid(format!("nothing is taken out of {}", field.name)));
    }
    let key = set_key(&to_value(&element_type(field), element)?);
    if !stored.state.elements.contains_key(&(field.number, key)) {
        return Ok(Vec::new());
    }
    Ok(vec![Op::Remove(field.number, key)])
}

/// Checks what the record would say after `ops`: a change may not make it worse than it was.
fn check_after(of: &'static Declaration, mut stored: Stored, ops: &[Op]) -> Result<()> {
    let is_fine = |record: &Stored| (of.check)(&StateFields { of, record }).is_ok();
    let was_fine = (stored.items > 0).then(|| is_fine(&stored));
    let place = Place { log: LogId::default(), seq: 0, index: 0 };
    let hlc = stored.saved;
    stored.state.fold(of, ops.iter().cloned(), place, hlc).map_err(|error| match error.kind {
        Kind::Format => invalid(error.context),
        _ => error,
    })?;
    let Err(what) = (of.check)(&StateFields { of, record: &stored }) else {
        return Ok(());
    };
    // What nothing says is asked only here: imports make records that are fine.
    let nothing = || Stored { saved: hlc, ..Stored::default() };
    match was_fine.unwrap_or_else(|| is_fine(&nothing())) {
        true => Err(invalid(what)),
        false => Ok(()),
    }
}
