//! How plain types cross into other languages; only with the feature `uniffi`.
//!
//! Plain data derives uniffi's traits where it is declared; here stands what has no derive: ids are
//! texts, maps and pairs are maps, a draft and the values of a record are typed by record type. Must
//! not know: objects, calls, threads.

use std::collections::{BTreeMap, HashMap};

use crate::attachment::Manifest;
use crate::domain::Content;
use crate::door::query::{Element, FieldValues};
use crate::error::{Error, Kind};
use crate::ids::{DeviceKey, ElementKey, LogId, PersonId, RecordId, RequestId, SpaceId};
use crate::record::declare::TimeMs;
use crate::record::plain::{Draft, Plain};

/// Declares the stable kinds of failure that other languages see, each with its number in C.
macro_rules! outcomes {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// Why a call failed: a stable kind, with the code of the bad-input table (`E-...`) and a
        /// reason for developers that is never shown to people and never holds personal data.
        #[derive(Debug, Clone, PartialEq, Eq, uniffi::Error, serde::Serialize)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        pub enum TuquanError {
            $($(#[$doc])* $name {
                /// The stable code, such as `E-FULL`.
                code: String,
                /// What happened, for developers.
                reason: String,
            },)*
        }

        impl TuquanError {
            /// Every kind with its number, which C sees as `tq_status`.
            pub const NUMBERS: &[(&str, i32)] = &[$((stringify!($name), $number)),*];

            /// Returns the number of the kind.
            #[must_use]
            pub fn number(&self) -> i32 {
                match self { $(Self::$name { .. } => $number,)* }
            }

            /// Returns the stable code.
            #[must_use]
            pub fn code(&self) -> &str {
                match self { $(Self::$name { code, .. } => code,)* }
            }

            /// Returns what happened, for developers.
            #[must_use]
            pub fn reason(&self) -> &str {
                match self { $(Self::$name { reason, .. } => reason,)* }
            }
        }
    };
}

outcomes! {
    /// The call makes no sense as given: mend the call.
    Invalid = 101,
    /// There is no such record, field or value here, or it has not arrived yet.
    NotFound = 102,
    /// The store is closed or paused, or this device has no team yet.
    NotReady = 103,
    /// The device's role or standing in the team does not allow it.
    Forbidden = 104,
    /// The store's key does not open it: a restored copy, or a lost key. Join again.
    WrongKey = 201,
    /// A page of the store is damaged: salvage it, then meet colleagues.
    Damaged = 202,
    /// NOT saved: the phone's storage is full. Keep the text on the screen.
    Full = 203,
    /// Not sure that it was saved, or another program has the store: open it again and look.
    Storage = 204,
    /// Made by a newer version: update the app.
    Newer = 205,
    /// Bytes from outside were refused: not ours, altered, of another team, or of one who may not.
    Refused = 301,
    /// The network or the hub did not do it; nothing is lost, try later.
    Network = 302,
    /// A fault of this library, such as a panic: close the store and open it again.
    Internal = 900,
}

impl From<Error> for TuquanError {
    fn from(error: Error) -> Self {
        let (code, reason) = (error.code().to_owned(), error.context);
        match error.kind {
            Kind::Invalid | Kind::Image => Self::Invalid { code, reason },
            Kind::NotFound => Self::NotFound { code, reason },
            Kind::NotReady | Kind::WaitMembers | Kind::WaitKey | Kind::BodyMissing | Kind::Gap => {
                Self::NotReady { code, reason }
            }
            Kind::Role | Kind::Removed => Self::Forbidden { code, reason },
            Kind::DbKey => Self::WrongKey { code, reason },
            Kind::DbPage | Kind::Identity => Self::Damaged { code, reason },
            Kind::Full => Self::Full { code, reason },
            Kind::Io | Kind::Busy => Self::Storage { code, reason },
            Kind::Newer | Kind::DbNewer => Self::Newer { code, reason },
            Kind::Login | Kind::Nonce | Kind::HubOld => Self::Network { code, reason },
            Kind::Change | Kind::Restored => Self::Internal { code, reason },
            _ => Self::Refused { code, reason },
        }
    }
}

impl std::fmt::Display for TuquanError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code(), self.reason())
    }
}

impl std::error::Error for TuquanError {}

/// An id is lower-case hexadecimal outside.
macro_rules! as_text {
    ($($name:ident),*) => {$(
        uniffi::custom_type!($name, String, {
            lower: |id| id.to_string(),
            try_lift: |text| text.parse().map_err(|error| TuquanError::from(invalid(error)).into()),
        });
    )*};
}

as_text!(DeviceKey, ElementKey, LogId, PersonId, RecordId, RequestId, SpaceId);

/// What is no id is the caller's fault here, not a stranger's.
fn invalid(error: Error) -> Error {
    Error::new(Kind::Invalid, error.context)
}

uniffi::custom_type!(TimeMs, i64, {
    lower: |time| time.0,
    try_lift: |ms| Ok(TimeMs(ms)),
});

uniffi::custom_type!(Draft, Content, {
    lower: |draft| Content::of(&draft.kind, |name| draft.fields.get(name)),
    try_lift: |content| Ok(Draft::from(&content)),
});

uniffi::custom_type!(FieldValues, Content, {
    lower: |values| Content::from(values),
    try_lift: |_content| Err(one_way("the values of a record")),
});

// A manifest has a key in it and never crosses: no record that is read holds one.
uniffi::custom_type!(Manifest, String, {
    lower: |_manifest| String::new(),
    try_lift: |_text| Err(one_way("what opens a photo")),
});

fn one_way(what: &str) -> uniffi::deps::anyhow::Error {
    let error = Error::new(Kind::Invalid, format!("{what} cannot be given, only read"));
    TuquanError::from(error).into()
}

/// Maps that other languages have as maps, and pairs that they do not have.
macro_rules! as_map {
    ($($(#[$doc:meta])* $name:ident = $rust:ty => $key:ty, $value:ty;)*) => {$(
        $(#[$doc])*
        pub type $name = $rust;

        uniffi::custom_type!($name, HashMap<$key, $value>, {
            remote,
            lower: |map| map.into_iter().collect(),
            try_lift: |map| Ok(map.into_iter().collect()),
        });
    )*};
}

as_map! {
    /// Values by field name.
    Values = BTreeMap<String, Plain> => String, Plain;
    /// Values to set by field name; none takes a value away.
    Settings = BTreeMap<String, Option<Plain>> => String, Option<Plain>;
    /// Elements of sets and lists by field name.
    Elements = BTreeMap<String, Vec<Element>> => String, Vec<Element>;
    /// The values to choose from by field name.
    Rivals = BTreeMap<String, Vec<Plain>> => String, Vec<Plain>;
}

/// The backlog by age: 0 to 1 days, 2 to 7, 8 to 30, more.
pub type Ages = [u64; 4];

uniffi::custom_type!(Ages, Vec<u64>, {
    remote,
    lower: |ages| ages.to_vec(),
    try_lift: |_ages| Err(one_way("ages")),
});
