//! What a command that did not succeed says, and the exit code it ends with.
//!
//! The codes stand in `docs/cli.md`. Must not know: how an error is shown.

use tuquan_core::error::{Error, Kind};

use crate::import::ImportError;
use crate::words::Said;

/// How a run of the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// The check that was asked for failed: replicas differ, damage was found.
    Check = 1,
    /// The command line does not make sense.
    Usage = 2,
    /// The command was refused.
    Refused = 3,
    /// An input file cannot be used.
    File = 4,
    /// The store cannot be opened or is damaged.
    Store = 5,
    /// The storage is full or fails.
    Storage = 6,
}

/// A command that did not succeed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// The stable code, such as `E-NOTFOUND`.
    pub(crate) code: &'static str,
    /// The kind in snake case, for programs.
    pub(crate) kind: String,
    /// What it was about.
    pub(crate) context: String,
    /// The words that say so to people; none where the context is in words already.
    pub(crate) words: Option<Said>,
    /// How the program ends.
    pub(crate) exit: Exit,
}

/// The result of a command.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// Says that the command line does not make sense.
    pub(crate) fn usage(context: impl Into<String>) -> Self {
        Self::new("E-USAGE", "usage", context, Exit::Usage)
    }

    /// Says that an input file cannot be used.
    pub(crate) fn file(context: impl Into<String>) -> Self {
        Self::new("E-FILE", "file", context, Exit::File)
    }

    /// Says that a record, place or person is not there, or not the only one.
    pub(crate) fn not_found(context: impl Into<String>) -> Self {
        Error::new(Kind::NotFound, context).into()
    }

    /// Says that a value cannot be taken.
    pub(crate) fn invalid(context: impl Into<String>) -> Self {
        Error::new(Kind::Invalid, context).into()
    }

    fn new(code: &'static str, kind: &str, context: impl Into<String>, exit: Exit) -> Self {
        Self { code, kind: kind.to_owned(), context: context.into(), words: None, exit }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = serde_json::to_value(error.kind).ok();
        let kind = kind.as_ref().and_then(serde_json::Value::as_str);
        let kind = kind.unwrap_or_default();
        Self::new(error.code(), kind, error.context, exit_of(error.kind))
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        let context = error.to_string();
        let words = match error {
            ImportError::Io(error) => Said::new("file.io", &[]).with(Said::io(&error)),
            ImportError::Mapping(what) => Said::new("file.mapping", &[]).with(what),
            ImportError::Empty => Said::new("file.empty", &[]),
            ImportError::Utf16 => Said::new("file.utf16", &[]),
            ImportError::Header(what) => Said::new("file.header", &[]).with(what),
            ImportError::MissingColumn { column, .. } => {
                Said::new("file.missing_column", &[("text", &column)])
            }
            ImportError::DuplicateColumn { column, .. } => {
                Said::new("file.duplicate_column", &[("text", &column)])
            }
        };
        Self { words: Some(words), ..Self::file(context) }
    }
}

fn exit_of(kind: Kind) -> Exit {
    match kind {
        Kind::Invalid
        | Kind::Role
        | Kind::NotFound
        | Kind::NotReady
        | Kind::NotMember
        | Kind::Removed
        | Kind::Peer
        | Kind::Invite
        | Kind::Mitm
        | Kind::ChangeTooBig => Exit::Refused,
        Kind::DbKey | Kind::DbPage | Kind::Identity | Kind::DbNewer | Kind::Busy => Exit::Store,
        Kind::Full | Kind::Io => Exit::Storage,
        _ => Exit::File,
    }
}

/// Turns a failure to read a file that a person named into words about that file.
pub(crate) fn unreadable(path: &std::path::Path, error: &std::io::Error) -> Failure {
    about(path, error, Failure::file(format!("{}: {}", path.display(), error.kind())))
}

/// Turns a failure to write a file that a person named into words about that file.
pub(crate) fn unwritable(path: &std::path::Path, error: &std::io::Error) -> Failure {
    let kind = match error.kind() {
        std::io::ErrorKind::StorageFull => Kind::Full,
        _ => Kind::Io,
    };
    let failure = Error::new(kind, format!("{}: {}", path.display(), error.kind())).into();
    about(path, error, failure)
}

fn about(path: &std::path::Path, error: &std::io::Error, failure: Failure) -> Failure {
    let words = Said::new("file.path", &[("path", &path.display())]).with(Said::io(error));
    Failure { words: Some(words), ..failure }
}
