//! The framework's extractors, refusing with a [`Problem`].

use axum::{
    extract::{
        FromRequest, FromRequestParts,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::problem::Problem;

#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub struct Path<T>(pub T);

#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub struct Query<T>(pub T);

impl From<JsonRejection> for Problem {
    /// The framework's words name the field and the place; they never quote a value of ours.
    fn from(rejection: JsonRejection) -> Self {
        let kind = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => "too-large",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "not-json",
            StatusCode::UNPROCESSABLE_ENTITY => "invalid",
            _ => "malformed",
        };
        let detail = match kind {
            "too-large" => "the request is larger than this server takes".to_owned(),
            "not-json" => "send JSON, with content-type: application/json".to_owned(),
            "invalid" => format!(
                "the JSON is not what is expected: {}",
                without_values(&rejection.body_text())
            ),
            _ => "the body is not valid JSON".to_owned(),
        };
        Self::new(rejection.status(), kind, detail)
    }
}

/// What the parser says after "target type:", without the input that it may quote in backticks or quotes.
fn without_values(text: &str) -> String {
    let said = text
        .split_once("target type: ")
        .map_or("", |(_, said)| said);
    if said.contains("invalid type: string")
        || said.contains("invalid value")
        || said.contains("unknown variant")
    {
        let place = said.split(':').next().unwrap_or_default();
        return format!("{place} has a value of the wrong kind");
    }
    said.chars().take(200).collect()
}

impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Self {
        Self::not_found("id")
    }
}

impl From<QueryRejection> for Problem {
    fn from(_: QueryRejection) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid-query",
            "a value in the query is not of the kind that is expected",
        )
    }
}
