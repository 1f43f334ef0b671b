//! What a phone keeps of the hubs that it meets besides packs: where they are, who they are, how it
//! logged in.
//!
//! Must not know: requests, HTTP.

use super::message::Hub;
use super::wire::login_hash;
use super::{mirror, offer};
use crate::codec::{Reader, Writer};
use crate::crypto::SIGNATURE_LEN;
use crate::error::{Error, Kind, Result};
use crate::ids::DeviceKey;
use crate::replica::Replica;
use crate::store::logs;

const ORIGIN_BYTES_MAX: usize = 512;
const HUB_URL: &str = "hub_url";

impl Replica {
    /// Signs in at a hub: the signature under its nonce.
    ///
    /// # Errors
    /// `E-NOTREADY` without a team.
    pub fn hub_login(&self, origin: &str, nonce: &[u8; 32]) -> Result<[u8; SIGNATURE_LEN]> {
        let hash = login_hash(origin, &self.mind.space()?, nonce);
        Ok(self.mind.identity()?.secret.sign(&hash))
    }

    /// Returns the address of the hub that this team meets at, if one is set.
    ///
    /// # Errors
    /// Of the store.
    pub fn hub_url(&self) -> Result<Option<String>> {
        let bytes = logs::meta(&self.connection, HUB_URL)?;
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    /// Sets the address of the hub that this team meets at.
    ///
    /// # Errors
    /// `E-SIZE` for an endless address; of the store.
    pub fn set_hub_url(&mut self, url: &str) -> Result<()> {
        if url.len() > ORIGIN_BYTES_MAX {
            return Err(Error::new(Kind::Size, "a hub's address"));
        }
        self.transact(|into, _, _| logs::set_meta(into, HUB_URL, url.as_bytes()))
    }

    /// Returns the hub that was met at an address, so that meeting it again asks nothing first.
    ///
    /// # Errors
    /// Of the store.
    pub fn hub_at(&self, url: &str) -> Result<Option<Hub>> {
        let Some(bytes) = logs::meta(&self.connection, &format!("hub {url}"))? else {
            return Ok(None);
        };
        let mut from = Reader::new(&bytes);
        from.tuple(2)?;
        let key = DeviceKey(from.array_bytes()?);
        Ok(Some(Hub { key, origin: from.text(ORIGIN_BYTES_MAX)?.to_owned() }))
    }

    /// Keeps which hub is at an address.
    ///
    /// # Errors
    /// `E-SIZE` for an endless origin; of the store.
    pub fn set_hub_at(&mut self, url: &str, hub: &Hub) -> Result<()> {
        if hub.origin.len() > ORIGIN_BYTES_MAX {
            return Err(Error::new(Kind::Size, "a hub's origin"));
        }
        let mut to = Writer::new();
        to.array(2).bytes(&hub.key.0).text(&hub.origin);
        self.transact(|into, _, _| logs::set_meta(into, &format!("hub {url}"), to.as_slice()))
    }

    /// Returns the token that a hub gave at the last login, if one is kept.
    ///
    /// # Errors
    /// Of the store.
    pub fn hub_token(&self, hub: &DeviceKey) -> Result<Option<Vec<u8>>> {
        mirror::token(&self.connection, hub)
    }

    /// Keeps the token that a hub gave, or forgets it.
    ///
    /// # Errors
    /// Of the store.
    pub fn set_hub_token(&mut self, hub: &DeviceKey, token: Option<&[u8]>) -> Result<()> {
        self.transact(|to, _, _| mirror::set_token(to, hub, token))
    }

    /// Returns the team list as open packs: what a hub needs to know its members.
    ///
    /// # Errors
    /// Of the store.
    pub fn control_packs(&mut self) -> Result<Vec<Vec<u8>>> {
        offer::control_packs(self)
    }
}
