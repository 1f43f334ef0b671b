//! What other languages see of tuquan: Kotlin, Swift and Python through uniffi, C through
//! `tuquan.h`.
//!
//! | you look for | it is in |
//! |---|---|
//! | a call that Kotlin, Swift, Python and C share | `verbs` |
//! | open, pause, resume, close | `store` |
//! | calls that wait for a network | `network` |
//! | two phones over a stream that the shell brings | `meeting` |
//! | the C ABI | `c` |
//! | log lines, versions | `journal`, `version` |
//!
//! Data types are those of the core; no type and no call is written twice. Must not know: SQL, the
//! protocol, how anything merges.

uniffi::setup_scaffolding!();

mod answers;
mod c;
mod journal;
mod meeting;
mod network;
#[cfg(test)]
mod page;
mod store;
mod verbs;
mod version;

pub use self::answers::{
    Admittance, BundleReport, FiguresPart, HubMeeting, Invitation, InvitationOptions, Joined,
    Newcomer, PhotoState, Revealed,
};
pub use self::journal::{LogLevel, LogSink, set_log_sink};
pub use self::meeting::{Meeting, Pumped};
pub use self::store::{OpenOptions, Tuquan, salvage};
pub use self::version::{Version, version};
