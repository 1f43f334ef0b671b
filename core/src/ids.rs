//! Identifiers and hashes as newtypes: 16 bytes for ids, 32 for keys, digests and links.
//!
//! Everywhere outside they are lower-case hexadecimal. Must not know: what they identify.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Kind, Result};

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// The length in bytes.
            pub const LEN: usize = $len;

            /// Reads the id from a slice of exactly the right length.
            ///
            /// # Errors
            /// `E-FORMAT` when the length differs.
            pub fn from_slice(bytes: &[u8]) -> Result<Self> {
                <[u8; $len]>::try_from(bytes).map(Self).map_err(|_| {
                    Error::new(Kind::Format, concat!(stringify!($name), " of a wrong length"))
                })
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Self::from_slice(&from_hex(text)?)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl rusqlite::ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                Ok(rusqlite::types::ToSqlOutput::from(&self.0[..]))
            }
        }

        impl rusqlite::types::FromSql for $name {
            fn column_result(
                value: rusqlite::types::ValueRef<'_>,
            ) -> rusqlite::types::FromSqlResult<Self> {
                let blob = value.as_blob()?;
                Self::from_slice(blob).map_err(|_| rusqlite::types::FromSqlError::InvalidType)
            }
        }
    };
}

identifier!(
    /// One replication scope with its own members (protocol section 1).
    SpaceId, 16
);
identifier!(
    /// One append-only log of one device.
    LogId, 16
);
identifier!(
    /// A person; rights sit on devices.
    PersonId, 16
);
identifier!(
    /// One key of a compartment.
    EpochId, 16
);
identifier!(
    /// A record; for records created on one device it sorts by creation time.
    RecordId, 16
);
identifier!(
    /// Names one act of the caller, so that a repeated call gets the first answer.
    RequestId, 16
);
identifier!(
    /// The key of one element of a list or set inside a record.
    ElementKey, 16
);
identifier!(
    /// An Ed25519 public key: the device itself.
    DeviceKey, 32
);
identifier!(
    /// An X25519 public key: where lockboxes for a device are sealed to.
    BoxKey, 32
);
identifier!(
    /// The digest of an item or an entry.
    Digest, 32
);
identifier!(
    /// The chain hash up to and including one entry.
    Link, 32
);

identifier!(
    /// The hash of one sealed chunk of an attachment: its name on every phone and relay.
    ChunkHash, 32
);

/// Reads lower- or upper-case hexadecimal.
///
/// # Errors
/// `E-FORMAT` on an odd length or another character.
pub fn from_hex(text: &str) -> Result<Vec<u8>> {
    let bad = || Error::new(Kind::Format, "not hexadecimal");
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return Err(bad());
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| {
            let high = char::from(pair[0]).to_digit(16).ok_or_else(bad)?;
            let low = char::from(pair[1]).to_digit(16).ok_or_else(bad)?;
            u8::try_from(high * 16 + low).map_err(|_| bad())
        })
        .collect()
}

/// Writes lower-case hexadecimal.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = Vec::with_capacity(bytes.len() * 2);
    for byte in bytes {
        digits.push(DIGITS[usize::from(byte >> 4)]);
        digits.push(DIGITS[usize::from(byte & 15)]);
    }
    // Digits are ASCII, so nothing is ever lost.
    String::from_utf8(digits).unwrap_or_default()
}
