//! The form of what a hub and a phone say: JSON for control, frames for packs.
//!
//! Everything that comes is checked: a hub may lie, or be none. Must not know: sockets.

use serde_json::Value;
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::ids::{Digest, from_hex};
use tuquan_core::log::pack::Extent;
use tuquan_core::sync::relay::{Listed, Response, read_frames};

/// The most bytes of a pack or an acknowledgement in a frame.
const FRAME_BYTES_MAX: usize = 1 << 20;
/// The most packs of one listing, and ranges of one pack.
const LISTED_MAX: usize = 10_000;

pub(super) fn bad(what: &str) -> Error {
    Error::new(Kind::Format, format!("the hub's answer: {what}"))
}

pub(super) fn json(bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes).map_err(|_| bad("not JSON"))
}

pub(super) fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    value.get(name).and_then(Value::as_str).ok_or_else(|| bad(name))
}

fn number(value: &Value, name: &str) -> Result<u64> {
    value.get(name).and_then(Value::as_u64).ok_or_else(|| bad(name))
}

fn list<'a>(value: &'a Value, name: &str) -> Result<&'a [Value]> {
    let list = value.get(name).and_then(Value::as_array).ok_or_else(|| bad(name))?;
    if list.len() > LISTED_MAX {
        return Err(Error::new(Kind::Size, "an endless list of a hub"));
    }
    Ok(list)
}

/// Reads the digests of a changed state.
pub(super) fn state(bytes: &[u8]) -> Result<Response> {
    let value = json(bytes)?;
    let listing = text(&value, "digest")?.parse()?;
    Ok(Response::Changed { listing, acks: text(&value, "acks")?.parse()? })
}

/// Reads a part of the listing.
pub(super) fn listing(bytes: &[u8]) -> Result<Response> {
    let value = json(bytes)?;
    let packs = list(&value, "packs")?.iter().map(listed).collect::<Result<_>>()?;
    let more = value.get("more").and_then(Value::as_bool).ok_or_else(|| bad("more"))?;
    Ok(Response::Listing { instance: from_hex(text(&value, "epoch")?)?, packs, more })
}

fn listed(value: &Value) -> Result<Listed> {
    Ok(Listed {
        seq: number(value, "seq")?,
        id: text(value, "id")?.parse()?,
        size: number(value, "size")?,
        ranges: list(value, "ranges")?.iter().map(extent).collect::<Result<_>>()?,
        receipt: from_hex(text(value, "receipt")?)?,
    })
}

fn extent(value: &Value) -> Result<Extent> {
    let parts = value.as_array().filter(|parts| parts.len() == 3).ok_or_else(|| bad("a range"))?;
    let log = parts[0].as_str().ok_or_else(|| bad("a log"))?.parse()?;
    let part = |at: usize| parts[at].as_u64().ok_or_else(|| bad("a range"));
    Ok(Extent { log, first: part(1)?, count: part(2)? })
}

/// Reads the hub's signatures under packs.
pub(super) fn receipts(bytes: &[u8]) -> Result<Response> {
    let value = json(bytes)?;
    let receipts = list(&value, "receipts")?.iter().map(|value| {
        let id: Digest = text(value, "id")?.parse()?;
        Ok((id, from_hex(text(value, "signature")?)?))
    });
    Ok(Response::Receipts(receipts.collect::<Result<_>>()?))
}

/// Reads frames of packs or acknowledgements.
pub(super) fn frames(bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
    Ok(read_frames(bytes, FRAME_BYTES_MAX)?.into_iter().map(<[u8]>::to_vec).collect())
}

/// Says why a request was refused, by its code; by its status when the code says nothing.
pub(super) fn refusal(status: u16, bytes: &[u8]) -> Error {
    let value = json(bytes).unwrap_or_default();
    let code = value.get("code").and_then(Value::as_str).unwrap_or_default();
    let kind = Kind::from_code(code).unwrap_or(match status {
        401 => Kind::Login,
        413 => Kind::Size,
        404 | 410 => Kind::NotFound,
        507 => Kind::Full,
        _ => Kind::Io,
    });
    Error::new(kind, format!("the hub refused with status {status}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_comes_back_and_a_lie_about_its_form_is_refused() {
        let log = "11".repeat(16);
        let good = format!(
            r#"{{"epoch":"0a","more":false,"packs":[{{"seq":3,"id":"{0}","size":9,"open":true,
            "ranges":[["{log}",0,7]],"receipt":"00"}}]}}"#,
            "22".repeat(32)
        );
        let Response::Listing { packs, .. } = listing(good.as_bytes()).expect("read") else {
            panic!("another answer");
        };
        assert_eq!((packs[0].seq, packs[0].ranges[0].count), (3, 7));
        for (from, to) in [("[[\"", "[[7,\""), ("\"seq\":3", "\"seq\":-3"), ("false", "1")] {
            let altered = good.replace(from, to);
            assert_eq!(listing(altered.as_bytes()).expect_err("refused").kind, Kind::Format);
        }
    }

    #[test]
    fn a_refusal_keeps_the_hubs_code() {
        let error = refusal(403, br#"{"code":"E-REMOVED"}"#);
        assert_eq!(error.kind, Kind::Removed);
        assert_eq!(refusal(507, b"not JSON").kind, Kind::Full);
        assert_eq!(refusal(502, b"").kind, Kind::Io);
    }
}
