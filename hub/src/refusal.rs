//! Why a request was refused: a status and a stable code, and nothing else.
//!
//! Must not know: requests.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tuquan_core::error::{Error, Kind};

/// A refusal, as the device sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The status.
    pub(crate) status: StatusCode,
    /// The code.
    pub(crate) code: &'static str,
    /// After how many seconds it makes sense to try again.
    pub(crate) retry_after_s: Option<u64>,
}

impl Refusal {
    pub(crate) const LOGIN: Self = Self::new(StatusCode::UNAUTHORIZED, "E-LOGIN");
    pub(crate) const REMOVED: Self = Self::new(StatusCode::FORBIDDEN, "E-REMOVED");
    pub(crate) const NOT_MEMBER: Self = Self::new(StatusCode::FORBIDDEN, "E-NOTMEMBER");
    pub(crate) const ROLE: Self = Self::new(StatusCode::FORBIDDEN, "E-ROLE");
    pub(crate) const NO_SPACE: Self = Self::new(StatusCode::NOT_FOUND, "E-SPACE");
    pub(crate) const NOT_FOUND: Self = Self::new(StatusCode::NOT_FOUND, "E-NOTFOUND");
    pub(crate) const METHOD: Self = Self::new(StatusCode::METHOD_NOT_ALLOWED, "E-METHOD");
    pub(crate) const FORMAT: Self = Self::new(StatusCode::BAD_REQUEST, "E-FORMAT");
    pub(crate) const SHORT: Self = Self::new(StatusCode::BAD_REQUEST, "E-TRUNC");
    pub(crate) const SLOW: Self = Self::new(StatusCode::REQUEST_TIMEOUT, "E-TRUNC");
    pub(crate) const NONCE: Self = Self::new(StatusCode::CONFLICT, "E-NONCE");
    pub(crate) const INVITE: Self = Self::new(StatusCode::CONFLICT, "E-INVITE");
    pub(crate) const ERASED: Self = Self::new(StatusCode::GONE, "I-ERASED");
    pub(crate) const SIZE: Self = Self::new(StatusCode::PAYLOAD_TOO_LARGE, "E-SIZE");
    pub(crate) const CHUNK: Self = Self::new(StatusCode::BAD_REQUEST, "E-CHUNK");
    pub(crate) const ENCODING: Self = Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "E-ENCODING");
    pub(crate) const FULL: Self = Self::new(StatusCode::INSUFFICIENT_STORAGE, "E-FULL");
    pub(crate) const STOPPED: Self = Self::new(StatusCode::SERVICE_UNAVAILABLE, "E-IO");

    const fn new(status: StatusCode, code: &'static str) -> Self {
        Self { status, code, retry_after_s: None }
    }

    /// Too many requests; the same may be asked again then.
    pub(crate) const fn busy(retry_after_s: u64) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            code: "E-LIMIT",
            retry_after_s: Some(retry_after_s),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error.kind {
            Kind::Full => Self { retry_after_s: Some(3_600), ..Self::FULL },
            Kind::Size => Self::SIZE,
            Kind::NotMember => Self::NOT_MEMBER,
            Kind::Removed => Self::REMOVED,
            Kind::Role => Self::ROLE,
            kind if kind.is_of_storage() || kind == Kind::DbNewer => {
                Self { code: kind.code(), retry_after_s: Some(5), ..Self::STOPPED }
            }
            kind => Self { code: kind.code(), ..Self::FORMAT },
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = json!({ "code": self.code });
        if let Some(seconds) = self.retry_after_s {
            body["retry_after_s"] = seconds.into();
        }
        let mut response = (self.status, axum::Json(body)).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}
