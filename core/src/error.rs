//! The one error type of the core: a stable kind, whose fault it is, what to do.
//!
//! Invariant: an error never carries personal data. Its context names devices, sequence numbers,
//! fields and limits; a shell adds names. Must not know: any other module but `ids`-like text.

use std::fmt;

/// Declares the kinds with their codes, once.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal,)*) => {
        /// A stable kind of failure. The code (`E-...`) never changes once released.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[doc = $doc])* $name,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Returns the stable code that documents and logs use.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }
        }
    };
}

kinds! {
    /// The bytes are not a file of ours. Fault: the person who picked the file. Pick another.
    Magic = "E-MAGIC",
    /// Made by a newer version. Fault: nobody's. Update, then read it again.
    Newer = "E-NEWER",
    /// The bytes end too early. Fault: the transfer. What was complete is kept; ask again.
    Truncated = "E-TRUNC",
    /// Bytes follow the end. Fault: the transfer or its sender. Refused.
    Trailing = "E-TRAIL",
    /// A declared length, count or size is over its cap. Fault: the sender. Refused unread.
    Size = "E-SIZE",
    /// It belongs to another team. Fault: the person who picked it. Refused.
    Space = "E-SPACE",
    /// A signature does not verify. Fault: whoever altered or forged it. Refused.
    Signature = "E-SIG",
    /// A device key is weak or not canonical. Fault: its maker. Refused.
    DeviceKey = "E-KEY",
    /// Entries are missing before this one. Fault: nobody's. Held until they arrive.
    Gap = "E-GAP",
    /// One device has two histories. Fault: a copied phone or a forger. Shown, not merged.
    Fork = "E-FORK",
    /// The author is not a member that we know. Held until the team list says so.
    NotMember = "E-NOTMEMBER",
    /// The team list that it cites has not arrived yet. Held.
    WaitMembers = "E-WAIT-MEMBERS",
    /// The writer's role does not allow this act. Fault: the caller.
    Role = "E-ROLE",
    /// Written after its author was removed. Fault: nobody's. Kept apart until an admin accepts it.
    AfterRemoval = "E-AFTER-REMOVAL",
    /// This device was removed from the team. What it holds stays; it writes no more.
    Removed = "E-REMOVED",
    /// The peer was removed from the team. The line is closed.
    Peer = "E-PEER",
    /// An epoch's recipients are not exactly those entitled. Fault: its author. Void.
    Epoch = "E-EPOCH",
    /// An invitation is over, used, or of another version. Make a new one.
    Invite = "E-INVITE",
    /// The digits on the two screens differ. Fault: somebody in between. Do not join.
    Mitm = "E-MITM",
    /// The epoch key is missing. Fault: nobody's. It is requested; the bytes are kept.
    WaitKey = "E-WAIT-KEY",
    /// A lockbox does not open to the key that it names. Fault: its author.
    Lockbox = "E-LOCKBOX",
    /// A chain, digest or authentication tag fails. Fault: damage or forgery. Ask again.
    Body = "E-BODY",
    /// Content was not received yet. Fault: nobody's. It is fetched.
    BodyMissing = "E-BODY-MISSING",
    /// An item is not in the canonical form, or of a wrong type or range. Fault: its author.
    Format = "E-FORMAT",
    /// Items, operations or text over the cap. Fault: the author, who is flagged.
    ChangeTooBig = "E-CHANGE-BIG",
    /// The merge library failed on a record. Fault: ours. The entries are kept.
    Change = "E-CHANGE",
    /// The store's key does not open it. Fault: a restored copy or a lost key.
    DbKey = "E-DBKEY",
    /// A page of the store is damaged. Fault: the storage. Salvage, then heal from peers.
    DbPage = "E-DBPAGE",
    /// The device's own keys were on a damaged page. Fault: the storage. Join again as a new
    /// device; colleagues have what they met.
    Identity = "E-IDENTITY",
    /// The store was written by a newer version. Update; nothing was read or changed.
    DbNewer = "E-DBNEWER",
    /// The storage is full: NOT saved. Free some room and try again.
    Full = "E-FULL",
    /// Input or output failed: not sure that it was saved. Reopen and look.
    Io = "E-IO",
    /// Another program has the store open. Close it there.
    Busy = "E-BUSY",
    /// The command does not make sense as given. Fault: the caller.
    Invalid = "E-INVALID",
    /// A chunk of a photo has a wrong size, hash or place. Fault: the transfer. Fetched again.
    Chunk = "E-CHUNK",
    /// The picture is too large, or is none. Fault: the person who picked it.
    Image = "E-IMAGE",
    /// The hub does not know this device by its token. Fault: nobody's. Log in anew.
    Login = "E-LOGIN",
    /// A nonce was used before. Fault: a replay. Log in anew.
    Nonce = "E-NONCE",
    /// The hub shows an older state than before. Fault: a restored hub. What it lacks is sent.
    HubOld = "W-HUB-OLD",
    /// No such record, field or value here. Fault: the caller, or it has not arrived yet.
    NotFound = "E-NOTFOUND",
    /// The store is closed or this device has no team yet. Fault: the caller.
    NotReady = "E-NOTREADY",
    /// A frame is of another set, or frames are missing. Fault: nobody's. Keep scanning.
    Qr = "E-QR",
    /// This store is a restored copy: what came after is fetched from colleagues, and the device goes
    /// on in another log. Nobody's fault; nothing to do but to meet a colleague.
    Restored = "I-RESTORED",
}

impl Kind {
    /// Returns the kind with this code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.code() == code)
    }

    /// Tells whether the storage failed, after which a connection is not used again.
    #[must_use]
    pub fn is_of_storage(self) -> bool {
        matches!(self, Self::DbKey | Self::DbPage | Self::Full | Self::Io | Self::Busy)
    }

    /// Tells whether the same call may succeed later without any change by the caller.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Gap
                | Self::NotMember
                | Self::WaitMembers
                | Self::WaitKey
                | Self::BodyMissing
                | Self::Chunk
                | Self::Login
                | Self::Nonce
                | Self::HubOld
                | Self::Full
                | Self::Io
                | Self::Busy
        )
    }
}

/// What went wrong: a stable [`Kind`] and a context without personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The stable kind.
    pub kind: Kind,
    /// What it was about: a device id, a sequence number, a field name, a limit. Never a name.
    pub context: String,
}

/// The result of every fallible function of the core.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Makes an error of `kind` about `context`.
    pub fn new(kind: Kind, context: impl Into<String>) -> Self {
        Self { kind, context: context.into() }
    }

    /// Returns the stable code, such as `E-MAGIC`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.code(), self.context)
    }
}

impl std::error::Error for Error {}

impl From<rusqlite::Error> for Error {
    /// Maps SQLite's result codes to kinds; SQL text and bound values are never carried along.
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let Some(code) = error.sqlite_error_code() else {
            return Self::new(Kind::Io, format!("store: {}", without_values(&error)));
        };
        let kind = match code {
            // The key is checked before SQLite sees the file: what does not decrypt is damage.
            Code::NotADatabase | Code::DatabaseCorrupt => Kind::DbPage,
            Code::DiskFull => Kind::Full,
            Code::DatabaseBusy | Code::DatabaseLocked => Kind::Busy,
            _ => Kind::Io,
        };
        let extended = error.sqlite_error().map_or(0, |e| e.extended_code);
        Self::new(kind, format!("store: SQLite result {code:?} ({extended})"))
    }
}

fn without_values(error: &rusqlite::Error) -> &'static str {
    match error {
        rusqlite::Error::QueryReturnedNoRows => "no rows",
        rusqlite::Error::InvalidColumnType(..) => "a column of an unexpected type",
        rusqlite::Error::FromSqlConversionFailure(..) => "a value that does not convert",
        _ => "a call that SQLite refused",
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::StorageFull => Kind::Full,
            std::io::ErrorKind::NotFound => Kind::NotFound,
            _ => Kind::Io,
        };
        Self::new(kind, format!("file: {}", error.kind()))
    }
}
