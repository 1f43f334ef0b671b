//! The declaration of a record type: one `record!` gives the plain struct and its field table.
//!
//! Everything else reads the table: item numbers and types, merge rule, who sees and writes,
//! the columns and indexes of the view, what search covers, JSON and exports. Merge codes are
//! those of the domain vocabulary. Must not know: any particular record type.

use crate::codec::Value;
use crate::ids::RecordId;

/// How concurrent and later values of a field come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// Set once; a second set has no effect, of two concurrent ones the earlier is shown.
    IM,
    /// Append-only: a union of elements by id.
    AO,
    /// Last writer by hybrid logical clock; losers stay in history, concurrent ones are flagged.
    LW,
    /// All concurrent values are kept until a person picks.
    MV,
    /// A set in which an add wins over a concurrent remove.
    OR,
    /// A state folded from transitions, see [`Lifecycle`].
    FS,
    /// Set by an office device only, else as `LW`.
    OF,
    /// Derived, never written and never synced.
    DE,
    /// A text that several people edit at once, merged by character.
    TX,
    /// A count: each device keeps its own sum, the view adds them.
    CN,
}

/// Who a field is for; enforced by the door, never by a shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Everyone in the dormitory.
    Everyone,
    /// The team of the building.
    Team,
    /// Leads.
    Leads,
    /// The student-affairs officer and the steering group.
    Office,
}

/// What a field may hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Type {
    /// A text of at most so many bytes.
    Text(usize),
    /// An integer within bounds, both included.
    Int(i64, i64),
    /// Yes or no.
    Bool,
    /// Milliseconds since 1970, UTC.
    Time,
    /// A record by id.
    Ref,
    /// One of a closed list.
    Choice(&'static [Choice]),
    /// What opens sealed bytes outside of the log, in at most so many bytes. It has a key in it, so
    /// it has no plain form: no query, search or export gives it out, no command takes it.
    Manifest(usize),
    /// An element with parts in a fixed order; parts may be added at the end.
    Element(&'static [Part]),
}

/// One member of a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The number on the wire; never reused.
    pub number: i64,
    /// The token in JSON, exports and the words file.
    pub token: &'static str,
}

/// One part of an element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// Its name: a column of the side table and a key of the JSON.
    pub name: &'static str,
    /// What it may hold; never an element itself.
    pub ty: Type,
}

/// One field of a record type.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The number on the wire; never reused. 1 to 15 are the common ones.
    pub number: u16,
    /// The name: a column of the view and a key of the JSON.
    pub name: &'static str,
    /// What it may hold.
    pub ty: Type,
    /// How it merges.
    pub merge: Merge,
    /// Who sees it.
    pub sight: Sight,
    /// Whether the view has an index on it, together with the time of the record.
    pub indexed: bool,
    /// Whether search covers it.
    pub searched: bool,
    /// How its transitions fold, for [`Merge::FS`].
    pub lifecycle: Option<&'static Lifecycle>,
}

impl Field {
    /// Tells whether its elements live in a side table of the view.
    #[must_use]
    pub fn is_list(&self) -> bool {
        matches!(self.merge, Merge::AO | Merge::OR | Merge::FS)
    }

    /// Tells whether it says which person; nothing is ever filtered, counted, indexed or searched
    /// by such a field.
    #[must_use]
    pub fn is_person(&self) -> bool {
        matches!(self.name, "written_by" | "on_duty" | "assignees")
    }

    /// Tells whether the view's main table has a column for it.
    #[must_use]
    pub fn is_column(&self) -> bool {
        !matches!(self.merge, Merge::AO | Merge::OR)
    }
}

/// How a state folds from transitions (domain section 2.5).
#[derive(Debug)]
pub struct Lifecycle {
    /// The state of a record without transitions.
    pub initial: i64,
    /// All states, the most cautious first: among concurrent heads the first of these is shown.
    pub caution: &'static [i64],
    /// Which states may follow which: (from, to, who).
    pub steps: &'static [(i64, i64, &'static [Role])],
}

impl Lifecycle {
    /// Returns the most cautious of `states`, or the initial state when there is none.
    #[must_use]
    pub fn most_cautious(&self, states: impl Iterator<Item = i64>) -> i64 {
        let rank = |state: &i64| self.caution.iter().position(|s| s == state);
        states.min_by_key(|state| rank(state).unwrap_or(usize::MAX)).unwrap_or(self.initial)
    }
}

/// The domain role of a device, granted in the control log.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[repr(u8)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub enum Role {
    /// Team member on duty.
    R1 = 1,
    /// Team lead of a building.
    R2 = 2,
    /// Dormitory or student-affairs officer.
    R3 = 3,
}

impl Role {
    /// Reads the number on the wire.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::R1),
            2 => Some(Self::R2),
            3 => Some(Self::R3),
            _ => None,
        }
    }
}

/// A record type: what its declaration says.
#[derive(Debug)]
pub struct Declaration {
    /// The number on the wire; never reused.
    pub kind: u64,
    /// The name: the view's table, the JSON tag.
    pub name: &'static str,
    /// Which roles may write it.
    pub writers: &'static [Role],
    /// Its own fields, by number.
    pub own: &'static [Field],
    /// A check across fields, run before a write; the message names no person.
    pub check: fn(&dyn Fields) -> Result<(), &'static str>,
    /// Values of the `DE` fields, by name: what follows from other fields.
    pub derive: fn(&dyn Fields) -> Vec<(&'static str, Value)>,
}

impl Declaration {
    /// Returns all fields, the common ones first.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> + use<> {
        COMMON.iter().chain(self.own)
    }

    /// Returns the field with this number, if the type has it.
    #[must_use]
    pub fn field(&self, number: u16) -> Option<&'static Field> {
        self.fields().find(|field| field.number == number)
    }

    /// Returns the field with this name, if the type has it.
    #[must_use]
    pub fn field_named(&self, name: &str) -> Option<&'static Field> {
        self.fields().find(|field| field.name == name)
    }
}

/// The values of a record as a declaration's own functions see them.
pub trait Fields {
    /// Returns all concurrent values of a register, or the elements of a list; empty when unset.
    fn all(&self, field: &str) -> Vec<Value>;

    /// When the record was created, in ms.
    fn saved_ms(&self) -> i64;

    /// Returns the number that a field shows: an integer, a time or a list member.
    fn number(&self, field: &str) -> Option<i64> {
        match self.all(field).last() {
            Some(Value::Int(number)) => Some(*number),
            _ => None,
        }
    }
}

/// A declaration without a check.
///
/// # Errors
/// Never.
pub fn no_check(_: &dyn Fields) -> Result<(), &'static str> {
    Ok(())
}

/// A declaration without derived fields.
#[must_use]
pub fn no_derive(_: &dyn Fields) -> Vec<(&'static str, Value)> {
    Vec::new()
}

/// A Rust type that a field can have.
pub trait FieldType: Sized {
    /// What the field may hold.
    const TYPE: Type;

    /// Returns the value on the wire.
    fn to_value(&self) -> Value;

    /// Reads the value on the wire.
    fn from_value(value: &Value) -> Option<Self>;
}

impl FieldType for String {
    const TYPE: Type = Type::Text(crate::log::item::TEXT_BYTES_MAX);

    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl FieldType for i64 {
    const TYPE: Type = Type::Int(Self::MIN, Self::MAX);

    fn to_value(&self) -> Value {
        Value::Int(*self)
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }
}

impl FieldType for bool {
    const TYPE: Type = Type::Bool;

    fn to_value(&self) -> Value {
        Value::Bool(*self)
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }
}

impl FieldType for RecordId {
    const TYPE: Type = Type::Ref;

    fn to_value(&self) -> Value {
        Value::Bytes(self.0.to_vec())
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Bytes(bytes) => Self::from_slice(bytes).ok(),
            _ => None,
        }
    }
}

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct TimeMs(pub i64);

impl FieldType for TimeMs {
    const TYPE: Type = Type::Time;

    fn to_value(&self) -> Value {
        Value::Int(self.0)
    }

    fn from_value(value: &Value) -> Option<Self> {
        i64::from_value(value).map(Self)
    }
}

/// The name of a column for one merge code, with the Rust type the struct gets.
///
/// `Vec<T>` for sets and lists, `Option<T>` for everything else.
#[doc(hidden)]
#[macro_export]
macro_rules! held_type {
    (AO, $ty:ty) => { Vec<$ty> };
    (OR, $ty:ty) => { Vec<$ty> };
    ($merge:ident, $ty:ty) => { Option<$ty> };
}

#[doc(hidden)]
#[macro_export]
macro_rules! sight_of {
    (p) => {
        $crate::record::declare::Sight::Everyone
    };
    (t) => {
        $crate::record::declare::Sight::Team
    };
    (l) => {
        $crate::record::declare::Sight::Leads
    };
    (o) => {
        $crate::record::declare::Sight::Office
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! option_or {
    (; $default:expr) => {
        $default
    };
    ($given:expr; $default:expr) => {
        $given
    };
}

/// Declares a record type: a plain struct and its table.
///
/// ```text
/// record! {
///     /// What it is.
///     pub struct Toy = 900, "toy" {
///         writers: [R1, R2, R3],
///         /// What the field says.
///         16 label: String LW t indexed searched,
///     }
/// }
/// ```
#[macro_export]
macro_rules! record {
    ($($all:tt)*) => { $crate::record_of! { (allow(unused)) (allow(unused)) $($all)* } };
}

/// [`record!`](crate::record!) for the record types that ship: other languages know them too.
macro_rules! shipped_record {
    ($($all:tt)*) => {
        $crate::record_of! {
            (cfg_attr(feature = "uniffi", derive(uniffi::Record)))
            (cfg_attr(feature = "uniffi", uniffi(default)))
            $($all)*
        }
    };
}
pub(crate) use shipped_record;

/// [`element!`](crate::element!) for the elements that ship.
macro_rules! shipped_element {
    ($($all:tt)*) => {
        $crate::element_of! {
            (cfg_attr(feature = "uniffi", derive(uniffi::Record)))
            (cfg_attr(feature = "uniffi", uniffi(default)))
            $($all)*
        }
    };
}
pub(crate) use shipped_element;

#[doc(hidden)]
#[macro_export]
macro_rules! record_of {
    (
        ($struct:meta) ($each:meta)
        $(#[$doc:meta])*
        pub struct $name:ident = $kind:literal, $table:literal {
            writers: [$($role:ident),*],
            $(check: $check:expr,)?
            $(derive: $derive:expr,)?
            $(
                $(#[$fdoc:meta])*
                $number:literal $field:ident : $ty:ty $(| max $max:literal)? , $merge:ident $sight:ident
                    $(folds $life:expr)? $(; $($mark:ident)+)? ,
            )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, $crate::serde::Serialize, $crate::serde::Deserialize)]
        #[serde(default, crate = "::tuquan_core::serde")]
        #[$struct]
        pub struct $name {
            /// When it happened; when it was saved says nobody but the phone's clock.
            #[$each]
            #[serde(skip_serializing_if = "::tuquan_core::record::plain::is_default")]
            pub t_occ: Option<$crate::record::declare::TimeMs>,
            /// Who was signed in on a shared phone, by person id.
            #[$each]
            #[serde(skip_serializing_if = "::tuquan_core::record::plain::is_default")]
            pub written_by: Option<$crate::ids::RecordId>,
            /// What people picked among concurrent values.
            #[$each]
            #[serde(skip_serializing_if = "::tuquan_core::record::plain::is_default")]
            pub picks: Vec<$crate::record::declare::Pick>,
            $(
                $(#[$fdoc])*
                #[$each]
                #[serde(skip_serializing_if = "::tuquan_core::record::plain::is_default")]
                pub $field: $crate::held_type!($merge, $ty),
            )*
        }

        impl $name {
            /// What the declaration of this record type says.
            pub const DECLARATION: &'static $crate::record::declare::Declaration =
                &$crate::record::declare::Declaration {
                    kind: $kind,
                    name: $table,
                    writers: &[$($crate::record::declare::Role::$role),*],
                    own: &[$(
                        $crate::record::declare::Field {
                            number: $number,
                            name: stringify!($field),
                            ty: $crate::field_type!($ty $(, $max)?),
                            merge: $crate::record::declare::Merge::$merge,
                            sight: $crate::sight_of!($sight),
                            indexed: $crate::record::declare::marked(
                                "indexed", &[$($(stringify!($mark)),+)?]),
                            searched: $crate::record::declare::marked(
                                "searched", &[$($(stringify!($mark)),+)?]),
                            lifecycle: $crate::lifecycle_of!($($life)?),
                        },
                    )*],
                    check: $crate::option_or!($($check)?; $crate::record::declare::no_check),
                    derive: $crate::option_or!($($derive)?; $crate::record::declare::no_derive),
                };

            /// Returns the fields that are set, as a draft for a command.
            #[must_use]
            pub fn draft(&self) -> $crate::record::plain::Draft {
                use $crate::record::plain::Draftable;
                let mut draft = $crate::record::plain::Draft::new($table);
                self.t_occ.put("t_occ", &mut draft);
                self.written_by.put("written_by", &mut draft);
                self.picks.put("picks", &mut draft);
                $(self.$field.put(stringify!($field), &mut draft);)*
                draft
            }

            /// Reads a draft back; unknown names and wrong types are left out.
            #[must_use]
            pub fn from_draft(draft: &$crate::record::plain::Draft) -> Self {
                use $crate::record::plain::Draftable;
                Self {
                    t_occ: Draftable::take(draft, "t_occ"),
                    written_by: Draftable::take(draft, "written_by"),
                    picks: Draftable::take(draft, "picks"),
                    $($field: Draftable::take(draft, stringify!($field)),)*
                }
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! field_type {
    ($ty:ty) => {
        <$ty as $crate::record::declare::FieldType>::TYPE
    };
    ($ty:ty, $max:literal) => {
        $crate::record::declare::Type::Text($max)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! lifecycle_of {
    () => {
        None
    };
    ($life:expr) => {
        Some($life)
    };
}

/// Tells whether `mark` is among `marks`; for the macro.
#[doc(hidden)]
#[must_use]
pub const fn marked(mark: &str, marks: &[&str]) -> bool {
    let mut at = 0;
    while at < marks.len() {
        if same(mark.as_bytes(), marks[at].as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Declares a closed list: an enum with numbers for the wire and tokens for JSON.
#[macro_export]
macro_rules! choice {
    (
        $(#[$doc:meta])*
        pub enum $name:ident { $( $(#[$vdoc:meta])* $variant:ident = $number:literal $token:literal, )* }
    ) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            $crate::serde::Serialize, $crate::serde::Deserialize,
        )]
        #[serde(crate = "::tuquan_core::serde")]
        pub enum $name { $( $(#[$vdoc])* #[serde(rename = $token)] $variant, )* }

        impl $name {
            /// Every member, in the order of the declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            /// Numbers and tokens.
            pub const CHOICES: &'static [$crate::record::declare::Choice] = &[$(
                $crate::record::declare::Choice { number: $number, token: $token },
            )*];

            /// Returns the number on the wire.
            #[must_use]
            pub const fn number(self) -> i64 {
                match self { $(Self::$variant => $number,)* }
            }

            /// Returns the token in JSON and in the words file.
            #[must_use]
            pub const fn token(self) -> &'static str {
                match self { $(Self::$variant => $token,)* }
            }

            /// Reads the number on the wire.
            #[must_use]
            pub fn from_number(number: i64) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }

            /// Reads a token.
            #[must_use]
            pub fn from_token(token: &str) -> Option<Self> {
                match token { $($token => Some(Self::$variant),)* _ => None }
            }
        }

        impl $crate::record::declare::FieldType for $name {
            const TYPE: $crate::record::declare::Type =
                $crate::record::declare::Type::Choice(Self::CHOICES);

            fn to_value(&self) -> $crate::codec::Value {
                $crate::codec::Value::Int(self.number())
            }

            fn from_value(value: &$crate::codec::Value) -> Option<Self> {
                match value {
                    $crate::codec::Value::Int(number) => Self::from_number(*number),
                    _ => None,
                }
            }
        }
    };
}

/// Declares an element of a list or set: a struct whose parts have a fixed order.
#[macro_export]
macro_rules! element {
    ($($all:tt)*) => { $crate::element_of! { (allow(unused)) (allow(unused)) $($all)* } };
}

#[doc(hidden)]
#[macro_export]
macro_rules! element_of {
    (
        ($struct:meta) ($each:meta)
        $(#[$doc:meta])*
        pub struct $name:ident { $( $(#[$pdoc:meta])* $part:ident : $ty:ty, )* }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, $crate::serde::Serialize, $crate::serde::Deserialize)]
        #[serde(default, crate = "::tuquan_core::serde")]
        #[$struct]
        pub struct $name { $( $(#[$pdoc])* #[$each] pub $part: Option<$ty>, )* }

        impl $crate::record::declare::FieldType for $name {
            const TYPE: $crate::record::declare::Type =
                $crate::record::declare::Type::Element(&[$(
                    $crate::record::declare::Part {
                        name: stringify!($part),
                        ty: <$ty as $crate::record::declare::FieldType>::TYPE,
                    },
                )*]);

            fn to_value(&self) -> $crate::codec::Value {
                let mut parts = vec![$(
                    self.$part.as_ref().map_or(
                        $crate::codec::Value::Null,
                        $crate::record::declare::FieldType::to_value,
                    ),
                )*];
                while parts.last() == Some(&$crate::codec::Value::Null) {
                    parts.pop();
                }
                $crate::codec::Value::List(parts)
            }

            fn from_value(value: &$crate::codec::Value) -> Option<Self> {
                let $crate::codec::Value::List(parts) = value else { return None };
                let mut parts = parts.iter();
                Some(Self { $(
                    $part: parts.next().and_then($crate::record::declare::FieldType::from_value),
                )* })
            }
        }
    };
}

shipped_element! {
    /// One pick of a person among concurrent values; the choice is logged.
    pub struct Pick {
        /// The number of the field that was in conflict.
        field: i64,
        /// The token or text of the value that was picked.
        picked: String,
        /// Why, in the person's words.
        reason: String,
    }
}

shipped_element! {
    /// One transition of a folded state.
    pub struct Transition {
        /// The number of the state it goes to.
        to: i64,
        /// When it happened.
        t_event: TimeMs,
        /// Why, or what came out of it.
        reason: String,
    }
}

/// The fields that every record has, which [`record!`](crate::record!) puts into each struct. Numbers 1
/// to 15 are kept for them.
pub const COMMON: &[Field] = &[
    Field {
        number: 1,
        name: "t_occ",
        ty: Type::Time,
        merge: Merge::LW,
        sight: Sight::Team,
        indexed: false,
        searched: false,
        lifecycle: None,
    },
    Field {
        number: 2,
        name: "written_by",
        ty: Type::Ref,
        merge: Merge::IM,
        sight: Sight::Leads,
        indexed: false,
        searched: false,
        lifecycle: None,
    },
    Field {
        number: 3,
        name: "picks",
        ty: Pick::TYPE,
        merge: Merge::AO,
        sight: Sight::Leads,
        indexed: false,
        searched: false,
        lifecycle: None,
    },
];
