//! Errors as `application/problem+json` (RFC 9457): for the caller a stable type and words that help; for the log the
//! cause. A cause never reaches a caller, and patient data reaches neither.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hysio_clinical::records::{Invalid, Refused};
use hysio_infra::{blobs, postgres};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

pub type Result<T> = std::result::Result<T, Problem>;

#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// A stable path, such as `/problems/stale-version`.
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    detail: String,
    #[serde(flatten)]
    #[schema(value_type = Object)]
    more: Map<String, Value>,
    #[serde(skip)]
    retry_after_seconds: Option<u64>,
}

/// What a client waits when the database is away: long enough to come back, short enough not to be noticed.
const RETRY_AFTER_OUTAGE_SECONDS: u64 = 2;

impl Problem {
    #[must_use]
    pub fn new(status: StatusCode, kind: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/problems/{kind}"),
            title: kind.replace('-', " "),
            status: status.as_u16(),
            detail: detail.into(),
            more: Map::new(),
            retry_after_seconds: None,
        }
    }

    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            format!("there is no such {what} in your facility"),
        )
    }

    #[must_use]
    pub fn signed_out() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "signed-out",
            "sign in, or sign in again: there is no session, or it has ended",
        )
    }

    #[must_use]
    pub fn forbidden(needed: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            format!("this needs the role {needed}"),
        )
    }

    #[must_use]
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
    }

    #[must_use]
    pub fn conflict(kind: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, kind, detail)
    }

    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
            .retry_after(RETRY_AFTER_OUTAGE_SECONDS)
    }

    /// Whether what was asked for may have happened all the same.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE.as_u16()
    }

    fn storage_full() -> Self {
        Self::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "storage-full",
            "nothing was stored: the disk is full. Keep the recording and try again later.",
        )
        .retry_after(60)
    }

    fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something is wrong on our side; it has been logged, and nothing was changed",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after_seconds;
        let mut response = (status, Json(json!(self))).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = retry_after {
            headers.insert(HeaderName::from_static("retry-after"), seconds.into());
        }
        response
    }
}

impl From<postgres::Error> for Problem {
    fn from(error: postgres::Error) -> Self {
        match error {
            postgres::Error::Unavailable(cause) => {
                tracing::warn!(cause, "the database is away");
                Self::unavailable("the database is away for a moment; nothing was changed")
            }
            postgres::Error::StorageFull => Self::storage_full(),
            postgres::Error::Illegal(illegal) => Self::conflict("not-now", illegal.to_string()),
            postgres::Error::Constraint { ref constraint } if constraint.contains("_fkey") => {
                Self::invalid("it refers to something that your facility does not have")
            }
            ref other @ (postgres::Error::Constraint { .. }
            | postgres::Error::LeaseLost
            | postgres::Error::Cipher(_)
            | postgres::Error::Keys(_)
            | postgres::Error::Corrupt { .. }
            | postgres::Error::Migration(_)
            | postgres::Error::NotTheSame(_)
            | postgres::Error::Settings(_)
            | postgres::Error::Query(_)) => {
                tracing::error!(error = crate::telemetry::chain(other), "a request failed");
                Self::internal()
            }
        }
    }
}

impl From<blobs::Error> for Problem {
    fn from(error: blobs::Error) -> Self {
        match error {
            blobs::Error::Full { .. } => Self::storage_full(),
            blobs::Error::Source { .. } => Self::new(
                StatusCode::BAD_REQUEST,
                "upload-incomplete",
                "the upload ended before the recording was complete; send it again",
            ),
            blobs::Error::NotFound(_)
            | blobs::Error::Store { .. }
            | blobs::Error::Directory { .. } => {
                tracing::error!(
                    error = crate::telemetry::chain(&error),
                    "a recording cannot be read or written"
                );
                Self::internal()
            }
        }
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self::invalid(invalid.to_string()).with("field", invalid.field.into())
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let kind = match refused {
            Refused::StaleVersion { .. } => "stale-version",
            Refused::Signed => "signed",
            Refused::NotSigned => "not-signed",
        };
        Self::conflict(kind, refused.to_string())
    }
}
