//! What a command answers: a text for people, an object for programs, an exit code.
//!
//! Must not know: which of the two is printed.

use serde_json::Value;

use crate::failure::Exit;

/// The answer of a command.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// What people read.
    pub(crate) text: String,
    /// What programs read: one object.
    pub(crate) json: Value,
    /// How the program ends.
    pub(crate) exit: Exit,
}

impl Answer {
    /// Makes the answer of a command that succeeded.
    pub(crate) fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, exit: Exit::Ok }
    }

    /// Ends the program with the code of a failed check unless `passed`.
    pub(crate) fn checked(mut self, passed: bool) -> Self {
        if !passed {
            self.exit = Exit::Check;
        }
        self
    }
}
