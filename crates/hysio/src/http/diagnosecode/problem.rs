//! What went wrong, as `application/problem+json` (RFC 9457). Never holds words of the text.

use axum::{
    Json,
    extract::rejection::JsonRejection,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hysio_clinical::diagnosecode::retired::Retired;
use serde::Serialize;
use utoipa::ToSchema;

/// Seconds after which a client that was turned away may come back.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    /// What took the place of a retired code.
    #[serde(skip_serializing_if = "Option::is_none")]
    retired: Option<Box<Retired>>,
}

impl Problem {
    pub(super) fn body(rejection: &JsonRejection) -> Self {
        let status = rejection.status();
        let detail = match status {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "send application/json",
            StatusCode::PAYLOAD_TOO_LARGE => "the body is too large: send the text in parts",
            StatusCode::UNPROCESSABLE_ENTITY => {
                "the body must be an object with text and, if wanted, system, language, limit, specialty, age and sex"
            }
            _ => "the body is not well-formed JSON",
        };
        Self::new(
            "/problems/request",
            "The request cannot be read",
            status,
            detail,
        )
    }

    pub(super) fn unknown_system() -> Self {
        Self::new(
            "/problems/code-system",
            "The code system is not known",
            StatusCode::UNPROCESSABLE_ENTITY,
            "use ICD-10-CM or DCSPH",
        )
    }

    pub(super) fn invalid(detail: &str) -> Self {
        Self::new(
            "/problems/request",
            "The request is not valid",
            StatusCode::UNPROCESSABLE_ENTITY,
            detail,
        )
    }

    pub(super) fn too_long(detail: String) -> Self {
        Self {
            detail,
            ..Self::new(
                "/problems/text-length",
                "The text is too long",
                StatusCode::PAYLOAD_TOO_LARGE,
                "",
            )
        }
    }

    pub(super) fn no_code(release: &str) -> Self {
        Self::new(
            "/problems/code",
            "There is no such code",
            StatusCode::NOT_FOUND,
            &format!("{release} does not have it"),
        )
    }

    pub(super) fn retired(retired: &Retired) -> Self {
        Self {
            retired: Some(Box::new(retired.clone())),
            ..Self::new(
                "/problems/retired-code",
                "The code was retired",
                StatusCode::GONE,
                &retired.to_string(),
            )
        }
    }

    pub(super) fn busy() -> Self {
        Self::new(
            "/problems/busy",
            "All workers are busy",
            StatusCode::SERVICE_UNAVAILABLE,
            "try again in a second",
        )
    }

    pub(super) fn internal() -> Self {
        Self::new(
            "/problems/internal",
            "The service failed",
            StatusCode::INTERNAL_SERVER_ERROR,
            "the text could not be matched",
        )
    }

    fn new(kind: &'static str, title: &'static str, status: StatusCode, detail: &str) -> Self {
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.to_owned(),
            retired: None,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}
