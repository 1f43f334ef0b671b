//! A small HTTP client that checks every answer against the hub's own document.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tuquan_core::crypto::DeviceSecret;
use tuquan_core::ids::{Digest, SpaceId, from_hex, to_hex};
use tuquan_core::sync::relay;

/// What the hub answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<u64>,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Returns status and code of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or_default().to_owned())
    }

    pub(crate) fn expect(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{:?}", self.body);
        self
    }

    pub(crate) fn frames(&self) -> Vec<Vec<u8>> {
        let frames = relay::read_frames(&self.body, 1 << 20).unwrap();
        frames.into_iter().map(<[u8]>::to_vec).collect()
    }
}

/// A device, or a stranger without a token.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) token: Option<String>,
    pub(crate) document: Arc<Value>,
}

impl Client {
    pub(crate) async fn new(address: SocketAddr) -> Self {
        let mut client = Self { address, token: None, document: Arc::default() };
        let document = client.get("/openapi.json").await.expect(200).json();
        client.document = Arc::new(document);
        client
    }

    /// Logs a device in.
    pub(crate) async fn login(&self, space: &SpaceId, secret: &DeviceSecret) -> Self {
        let nonce = self.challenge(space, secret).await.expect(200).json();
        let nonce: Digest = nonce["nonce"].as_str().unwrap().parse().unwrap();
        let answer = self.answer_challenge(space, secret, &nonce.0).await;
        let token = answer.expect(200).json()["token"].as_str().unwrap().to_owned();
        Self { token: Some(token), ..self.clone() }
    }

    pub(crate) async fn challenge(&self, space: &SpaceId, secret: &DeviceSecret) -> Answer {
        let asking = json!({ "space": space, "device": secret.device_key() });
        self.post("/v1/login/challenge", &asking).await
    }

    pub(crate) async fn answer_challenge(
        &self,
        space: &SpaceId,
        secret: &DeviceSecret,
        nonce: &[u8; 32],
    ) -> Answer {
        let hub = self.get("/v1/hub").await.expect(200).json();
        let origin = hub["origin"].as_str().unwrap();
        let signature = secret.sign(&relay::login_hash(origin, space, nonce));
        let login = json!({
            "space": space, "device": secret.device_key(), "nonce": to_hex(nonce),
            "signature": to_hex(&signature),
        });
        self.post("/v1/login", &login).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, Vec::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, body.to_string().into_bytes()).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Vec<u8>) -> Answer {
        self.try_send(method, path, &[], body).await.unwrap()
    }

    /// Sends a request on a connection of its own; fails when the hub goes away.
    pub(crate) async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header("host", "hub");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = sender.send_request(request.body(Full::new(Bytes::from(body)))?).await?;
        let status = response.status();
        let retry_after = response.headers().get("retry-after");
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
        let body = response.into_body().collect().await?.to_bytes();
        drop(sender);
        connection.await??;
        self.check(method, path, status, &body);
        Ok(Answer { status: status.as_u16(), retry_after, body })
    }

    /// Checks that the document knows the answer, and a JSON answer's fields.
    fn check(&self, method: &str, path: &str, status: StatusCode, body: &[u8]) {
        let path = path.split('?').next().unwrap_or_default();
        let Some(paths) = self.document["paths"].as_object() else {
            return;
        };
        let Some((_, found)) = paths.iter().find(|(pattern, _)| fits(pattern, path)) else {
            return assert_eq!(status, 404, "{method} {path}");
        };
        let operation = &found[method.to_ascii_lowercase()];
        if operation.is_null() {
            return assert_eq!(status, 405, "{method} {path}");
        }
        let response = &operation["responses"][status.as_str()];
        assert!(response.is_object(), "{method} {path}: {status} is not in the document");
        let schema = &response["content"]["application/json"]["schema"]["$ref"];
        if let Some(name) = schema.as_str() {
            let name = name.rsplit('/').next().unwrap();
            let value: Value = serde_json::from_slice(body).unwrap();
            self.check_form(&self.document["components"]["schemas"][name], &value, path);
        }
    }

    fn check_form(&self, schema: &Value, value: &Value, path: &str) {
        match schema["type"].as_str().unwrap() {
            "array" => {
                let items = value.as_array().unwrap();
                for item in items.iter().filter(|_| schema["items"].is_object()) {
                    self.check_form(&schema["items"], item, path);
                }
            }
            "object" => {
                let fields = value.as_object().unwrap();
                for name in schema["required"].as_array().into_iter().flatten() {
                    let name = name.as_str().unwrap();
                    assert!(fields.contains_key(name), "{path}: {name} is missing");
                }
                for (name, field) in fields.iter().filter(|_| schema["properties"].is_object()) {
                    let known = &schema["properties"][name];
                    assert!(known.is_object(), "{path}: {name} is not in the document");
                    self.check_form(known, field, path);
                }
            }
            "string" => {
                let text = value.as_str().unwrap();
                if schema["pattern"].is_string() {
                    let len = schema["pattern"].as_str().unwrap();
                    let len: usize = len.split(['{', '}']).nth(1).unwrap().parse().unwrap();
                    assert!(text.len() == len && from_hex(text).is_ok(), "{path}: {text}");
                    assert_eq!(text, text.to_ascii_lowercase());
                }
            }
            "integer" => assert!(value.is_u64(), "{path}: {value}"),
            "boolean" => assert!(value.is_boolean(), "{path}: {value}"),
            other => panic!("a type of the document that the test does not know: {other}"),
        }
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, path) = (pattern.split('/'), path.split('/'));
    pattern.clone().count() == path.clone().count()
        && pattern.zip(path).all(|(known, part)| known.starts_with('{') || known == part)
}
