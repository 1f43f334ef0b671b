//! One hub over HTTP: requests with retries, logins, and the team list for a hub that lacks it.
//!
//! What may be repeated is repeated with growing, jittered pauses; what the hub refuses for good is
//! returned with its code. Must not know: what is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use tuquan_core::door::Tuquan;
use tuquan_core::error::{Error, Kind, Result};
use tuquan_core::ids::{DeviceKey, SpaceId, from_hex, to_hex};
use tuquan_core::sync::relay::{Hub, write_frames};

use super::wire;
use crate::step;

/// The longest that one request may take without waiting on purpose.
const REQUEST_TIMEOUT_S: u64 = 60;
const CONNECT_TIMEOUT_S: u64 = 10;
/// The first pause before a request is repeated; each further one may be twice as long.
const PAUSE_MS: u64 = 400;
const PAUSE_MS_MAX: u64 = 30_000;
/// The most bytes of an answer.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Which certificates a hub may show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Roots {
    /// Those of the web's authorities, as Mozilla lists them.
    #[default]
    Web,
    /// These, in PEM: for a school with an authority of its own.
    Pem(Vec<u8>),
}

/// How to meet a hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubOptions {
    /// Its address, `https://...`; `http://` for one on this machine or behind a line of its own.
    pub url: String,
    /// Which certificates it may show.
    pub roots: Roots,
    /// How often a request is repeated when the network or the hub fails.
    pub retries: u32,
}

impl HubOptions {
    /// Meets the hub at `url` with the web's authorities and four retries.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), roots: Roots::Web, retries: 4 }
    }
}

/// A client of one hub. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HubClient {
    http: Client,
    url: Arc<str>,
    retries: u32,
    traffic: Arc<[AtomicU64; 3]>,
}

/// What a client has asked and been answered, above HTTP: targets and bodies, without headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests, repeated ones counted again.
    pub requests: u64,
    /// Bytes of targets and bodies that went out.
    pub sent_bytes: u64,
    /// Bytes of bodies that came in.
    pub received_bytes: u64,
}

/// A body to send.
#[derive(Debug, Clone)]
pub(super) enum Body {
    None,
    Json(Value),
    Bytes(Vec<u8>),
}

/// An answer: its status and bytes.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) bytes: Vec<u8>,
}

impl HubClient {
    /// Makes a client.
    ///
    /// # Errors
    /// `E-INVALID` for an address or certificates that cannot be used.
    pub fn new(options: &HubOptions) -> Result<Self> {
        let url = options.url.trim_end_matches('/');
        if !(url.starts_with("https://") || url.starts_with("http://")) {
            return Err(Error::new(Kind::Invalid, "a hub's address starts with https://"));
        }
        reqwest::Url::parse(url).map_err(|_| {
            let what = "a hub's address that cannot be read; other letters in their xn-- form";
            Error::new(Kind::Invalid, what)
        })?;
        let http = Client::builder()
            .tls_backend_preconfigured(tls(&options.roots)?)
            .connect_timeout(Duration::from_secs(CONNECT_TIMEOUT_S))
            .timeout(Duration::from_secs(REQUEST_TIMEOUT_S))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|_| Error::new(Kind::Invalid, "the HTTP client cannot be set up"))?;
        let traffic = Arc::default();
        Ok(Self { http, url: url.into(), retries: options.retries, traffic })
    }

    /// Returns the hub's address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns what this client and its clones have asked and been answered so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let [requests, sent_bytes, received_bytes] =
            [0, 1, 2].map(|at| self.traffic[at].load(Ordering::Relaxed));
        Traffic { requests, sent_bytes, received_bytes }
    }

    fn count(&self, sent: usize, received: usize) {
        for (counter, n) in self.traffic.iter().zip([1, sent, received]) {
            counter.fetch_add(n as u64, Ordering::Relaxed);
        }
    }

    /// Returns which hub is at the address: as it was met before, else as it says now.
    ///
    /// # Errors
    /// `E-IO` when it cannot be reached; `E-FORMAT` when it is no hub.
    pub async fn hub(&self, store: &Arc<Tuquan>) -> Result<Hub> {
        let url = self.url.to_string();
        if let Some(hub) = step(store, move |replica| replica.hub_at(&url)).await? {
            return Ok(hub);
        }
        let answer = self.send(Method::GET, "/v1/hub", &Body::None, None, 0).await?;
        let value = wire::json(&answer.good()?.bytes)?;
        let key: DeviceKey = wire::text(&value, "hub")?.parse()?;
        let hub = Hub { key, origin: wire::text(&value, "origin")?.to_owned() };
        let (url, kept) = (self.url.to_string(), hub.clone());
        step(store, move |replica| replica.set_hub_at(&url, &kept)).await?;
        Ok(hub)
    }

    /// Asks as a member: logs in when that is needed, and gives the hub the team list when it does
    /// not know the space or the device.
    ///
    /// # Errors
    /// `E-LOGIN`, `E-REMOVED`, `E-ROLE` where the hub takes no new teams; `E-FULL`; `E-IO`.
    pub(super) async fn ask(
        &self,
        store: &Arc<Tuquan>,
        hub: &Hub,
        (method, path): (Method, &str),
        body: &Body,
        wait_s: u64,
    ) -> Result<Answer> {
        let space = step(store, |replica| replica.mind.space()).await?;
        let path = format!("/v1/spaces/{space}{path}");
        let key = hub.key;
        let kept = step(store, move |replica| replica.hub_token(&key)).await?;
        let mut token = match kept {
            Some(token) => to_hex(&token),
            None => self.log_in(store, hub, &space).await?,
        };
        let mut tried = false;
        loop {
            let answer = self.send(method.clone(), &path, body, Some(&token), wait_s).await?;
            if answer.status != StatusCode::UNAUTHORIZED || tried {
                return answer.good();
            }
            tried = true;
            token = self.log_in(store, hub, &space).await?;
        }
    }

    /// Signs in; a hub that does not know the space or the device is given the team list first.
    async fn log_in(&self, store: &Arc<Tuquan>, hub: &Hub, space: &SpaceId) -> Result<String> {
        let mut introduced = false;
        loop {
            match self.try_log_in(store, hub, space).await {
                Err(error)
                    if !introduced && matches!(error.kind, Kind::Space | Kind::NotMember) =>
                {
                    introduced = true;
                    self.introduce(store, space).await?;
                }
                other => return other,
            }
        }
    }

    async fn introduce(&self, store: &Arc<Tuquan>, space: &SpaceId) -> Result<()> {
        let packs = step(store, |replica| replica.control_packs()).await?;
        let path = format!("/v1/spaces/{space}/control");
        let body = Body::Bytes(write_frames(&packs));
        self.send(Method::POST, &path, &body, None, 0).await?.good().map(|_| ())
    }

    async fn try_log_in(&self, store: &Arc<Tuquan>, hub: &Hub, space: &SpaceId) -> Result<String> {
        let device =
            step(store, |replica| Ok(replica.mind.identity()?.secret.device_key())).await?;
        let body = Body::Json(json!({ "space": space, "device": device }));
        let answer = self.send(Method::POST, "/v1/login/challenge", &body, None, 0).await?;
        let value = wire::json(&answer.good()?.bytes)?;
        let nonce = from_hex(wire::text(&value, "nonce")?)?;
        let nonce: [u8; 32] = nonce.try_into().map_err(|_| wire::bad("a nonce"))?;
        let origin = hub.origin.clone();
        let signature = step(store, move |replica| replica.hub_login(&origin, &nonce)).await?;
        let body = Body::Json(json!({
            "space": space, "device": device, "nonce": to_hex(&nonce),
            "signature": to_hex(&signature),
        }));
        let answer = self.send(Method::POST, "/v1/login", &body, None, 0).await?;
        let value = wire::json(&answer.good()?.bytes)?;
        let token = wire::text(&value, "token")?.to_owned();
        let (key, bytes) = (hub.key, from_hex(&token)?);
        step(store, move |replica| replica.set_hub_token(&key, Some(&bytes))).await?;
        Ok(token)
    }

    /// Sends one request, again and again while the network or the hub fails for a while.
    ///
    /// # Errors
    /// `E-IO` when it never got through; `E-SIZE` for an endless answer.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: &Body,
        token: Option<&str>,
        wait_s: u64,
    ) -> Result<Answer> {
        let mut attempt = 0;
        loop {
            let outcome = self.send_once(method.clone(), path, body, token, wait_s).await;
            let pause_ms = match &outcome {
                Ok((answer, after_s)) if is_for_a_while(answer.status) => {
                    after_s.map_or(pause_ms(attempt), |seconds| seconds.saturating_mul(1_000))
                }
                Ok(_) => return outcome.map(|(answer, _)| answer),
                Err(error) if error.kind == Kind::Io => pause_ms(attempt),
                Err(_) => return outcome.map(|(answer, _)| answer),
            };
            if attempt >= self.retries || pause_ms > PAUSE_MS_MAX {
                return outcome.map(|(answer, _)| answer);
            }
            attempt += 1;
            tokio::time::sleep(Duration::from_millis(jittered(pause_ms))).await;
        }
    }

    async fn send_once(
        &self,
        method: Method,
        path: &str,
        body: &Body,
        token: Option<&str>,
        wait_s: u64,
    ) -> Result<(Answer, Option<u64>)> {
        let unreachable = |_| Error::new(Kind::Io, "the hub cannot be reached");
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        request = request.timeout(Duration::from_secs(REQUEST_TIMEOUT_S + wait_s));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request = match body {
            Body::None => request,
            Body::Json(value) => {
                request.header("content-type", "application/json").body(value.to_string())
            }
            Body::Bytes(bytes) => {
                request.header("content-type", "application/octet-stream").body(bytes.clone())
            }
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let after_s = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.parse().ok());
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.map_err(unreachable)? {
            if bytes.len() + part.len() > ANSWER_BYTES_MAX {
                return Err(Error::new(Kind::Size, "an endless answer of a hub"));
            }
            bytes.extend_from_slice(&part);
        }
        let body_len = match body {
            Body::None => 0,
            Body::Json(value) => value.to_string().len(),
            Body::Bytes(bytes) => bytes.len(),
        };
        self.count(path.len() + body_len, bytes.len());
        Ok((Answer { status, bytes }, after_s))
    }
}

impl Answer {
    /// Returns a good answer, or why it was refused.
    pub(super) fn good(self) -> Result<Self> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(wire::refusal(self.status.as_u16(), &self.bytes))
    }
}

/// Tells whether the same request may pass later: too many, overloaded, restarted.
fn is_for_a_while(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

fn pause_ms(attempt: u32) -> u64 {
    PAUSE_MS.saturating_mul(1 << attempt.min(16)).min(PAUSE_MS_MAX)
}

/// Returns a pause between a half of `ms` and all of it, so that phones that lost a hub together do
/// not come back together.
fn jittered(ms: u64) -> u64 {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    ms / 2 + ms / 2 * u64::from(random) / u64::from(u32::MAX)
}

fn tls(roots: &Roots) -> Result<rustls::ClientConfig> {
    let bad = |what: &str| Error::new(Kind::Invalid, what.to_owned());
    let mut store = rustls::RootCertStore::empty();
    match roots {
        Roots::Web => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Roots::Pem(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|_| bad("a root that is not PEM"))?;
                store.add(certificate).map_err(|_| bad("a root that is no certificate"))?;
            }
        }
    }
    if store.is_empty() {
        return Err(bad("no root certificates"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| bad("TLS cannot be set up"))?;
    Ok(config.with_root_certificates(store).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_spread() {
        assert_eq!((pause_ms(0), pause_ms(3), pause_ms(40)), (400, 3_200, 30_000));
        let pauses: Vec<u64> = (0..64).map(|_| jittered(1_000)).collect();
        assert!(pauses.iter().all(|ms| (500..=1_000).contains(ms)));
        assert!(pauses.iter().any(|ms| *ms != pauses[0]));
    }

    #[test]
    fn roots_that_are_no_certificates_are_refused() {
        for pem in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let options = HubOptions {
                roots: Roots::Pem(pem.as_bytes().to_vec()),
                ..HubOptions::new("https://hub.test")
            };
            assert_eq!(HubClient::new(&options).expect_err("refused").kind, Kind::Invalid);
        }
    }

    #[test]
    fn addresses_that_are_none_are_refused() {
        for bad in ["ftp://hub.test", "https://", "https://hub test", "https://ký-túc.test"] {
            let refused = HubClient::new(&HubOptions::new(bad)).expect_err(bad);
            assert_eq!(refused.kind, Kind::Invalid, "{bad}");
        }
        for good in
            ["https://hub.test:7443/team/", "http://127.0.0.1:9", "https://xn--k-tc-9sa.test"]
        {
            HubClient::new(&HubOptions::new(good)).expect(good);
        }
    }
}
