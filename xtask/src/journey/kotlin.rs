//! The journey in kotlin.

use super::Kit;
use crate::Outcome;

/// Runs it.
pub(crate) fn run(_kit: &Kit) -> Outcome {
    Err("not built".to_owned())
}
