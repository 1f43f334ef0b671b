//! Stub.
use crate::codec::{Reader, Writer};
use crate::error::{Error, Kind, Result};
use crate::ids::SpaceId;
use crate::log::pack::header::Header;
use crate::log::pack::range::Range;

pub(super) fn write(
    _to: &mut Writer,
    _cuts: &mut Vec<usize>,
    _space: &SpaceId,
    _ranges: &[Range],
) -> bool {
    false
}

pub(super) fn read(_from: &mut Reader<'_>, _ranges: &mut [Range], _header: &Header) -> Result<()> {
    Err(Error::new(Kind::Newer, "columns"))
}
