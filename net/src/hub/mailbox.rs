//! The hub's mailbox: where the two sides of joining leave each other sealed messages.
//!
//! Must not know: what the messages say.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use tuquan_core::error::Result;
use tuquan_core::ids::to_hex;

use super::client::{Body, HubClient};

/// The longest that a hub lets one wait for a message.
const WAIT_S: u64 = 25;

/// One mailbox of a hub.
#[derive(Debug, Clone)]
pub struct Mailbox {
    client: HubClient,
    path: String,
}

impl Mailbox {
    /// Names the mailbox `id` of a hub.
    #[must_use]
    pub fn new(client: HubClient, id: &[u8; 16]) -> Self {
        Self { client, path: format!("/v1/mailbox/{}", to_hex(id)) }
    }

    /// Leaves a message in a slot; leaving the same one again changes nothing.
    ///
    /// # Errors
    /// `E-INVITE` when another message is there; `E-SIZE`; `E-IO`.
    pub async fn put(&self, slot: u8, message: &[u8]) -> Result<()> {
        let path = format!("{}/{slot}", self.path);
        let body = Body::Bytes(message.to_vec());
        self.client.send(Method::PUT, &path, &body, None, 0).await?.good().map(|_| ())
    }

    /// Returns the message of a slot, waiting for it at most `wait`.
    ///
    /// # Errors
    /// `E-IO` and what the hub refuses.
    pub async fn get(&self, slot: u8, wait: Duration) -> Result<Option<Vec<u8>>> {
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            let wait_s = left.as_secs().min(WAIT_S);
            let path = format!("{}/{slot}?wait_s={wait_s}", self.path);
            let answer = self.client.send(Method::GET, &path, &Body::None, None, wait_s).await?;
            if answer.status.is_success() {
                return Ok(Some(answer.bytes));
            }
            if answer.status != StatusCode::NOT_FOUND {
                return answer.good().map(|answer| Some(answer.bytes));
            }
            if wait_s == 0 {
                return Ok(None);
            }
        }
    }
}
