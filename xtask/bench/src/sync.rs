//! S3, S4, S7, S8 (later)
use crate::Scale;
use crate::table::Row;
use std::process::ExitCode;
use tuquan_core::error::Result;
pub(crate) fn child(_: &[String]) -> ExitCode {
    ExitCode::FAILURE
}
pub(crate) fn job(_: &Scale) -> Result<Vec<Row>> {
    Ok(Vec::new())
}
pub(crate) fn join(_: &Scale) -> Result<Vec<Row>> {
    Ok(Vec::new())
}
pub(crate) fn memory(_: &Scale) -> Result<Vec<Row>> {
    Ok(Vec::new())
}
