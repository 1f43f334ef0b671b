//! What the dormitory log records: one file per record type, and the closed lists.
//!
//! Closed purpose: no category, field or search holds opinions, beliefs or files on persons;
//! `tests/tests/purpose.rs` walks this schema. Must not know: SQL, packs, sockets.

pub mod category;
pub mod handover;
pub mod incident;
pub mod lifecycle;
pub mod log_entry;
pub mod place;
pub mod shift;

use crate::record::declare::Declaration;
use crate::record::plain::{Draft, Plain};

/// Makes of the list of record types all that goes by type.
macro_rules! record_types {
    ($($(#[$doc:meta])* $module:ident :: $name:ident,)*) => {
        /// The record types that the core ships; adding one means a file and a line here.
        pub const DORMITORY: &[&Declaration] = &[$($module::$name::DECLARATION,)*];

        /// What a record says, by its type: for languages that know each type by name.
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
        pub enum Content {
            $($(#[$doc])* $name {
                /// What it says.
                said: $module::$name,
            },)*
            /// A record type that is not among these: an embedder's own.
            Other,
        }

        impl Content {
            /// Makes one of a record type's name and of the plain values that `find` has by name.
            #[must_use]
            pub fn of<'p>(kind: &str, find: impl Fn(&str) -> Option<&'p Plain>) -> Self {
                match kind {
                    $(kind if kind == $module::$name::DECLARATION.name => {
                        Self::$name { said: $module::$name::from_plain(find) }
                    })*
                    _ => Self::Other,
                }
            }
        }

        impl From<&Content> for Draft {
            fn from(content: &Content) -> Self {
                match content {
                    $(Content::$name { said } => said.draft(),)*
                    Content::Other => Self::default(),
                }
            }
        }
    };
}

record_types! {
    /// A place of the dormitory.
    place::Place,
    /// A shift.
    shift::Shift,
    /// A line of the log, without a life of its own.
    log_entry::LogEntry,
    /// An event that somebody has to see to.
    incident::Incident,
    /// The end of one shift and the start of the next.
    handover::Handover,
}
