//! Errors in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use hysio_speech::audio;
use serde_json::json;

/// When all places are taken: about as long as a dictation takes to be heard.
const RETRY_AFTER_SECONDS: u32 = 5;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("all workers are busy and the queue is full: try again in {RETRY_AFTER_SECONDS} s")]
    Busy,
    #[error("the upload took too long")]
    UploadTooSlow,
    #[error("the upload is larger than this server accepts")]
    TooLarge,
    #[error("the form can't be read: {0}")]
    Form(String),
    #[error("{message}")]
    Field { name: &'static str, message: String },
    #[error("model {0:?} is unknown: ask GET /v1/models")]
    UnknownModel(String),
    #[error("{0}")]
    Audio(#[from] audio::Error),
    #[error("the speech engine failed; the log of the server says why")]
    Engine,
}

impl From<hysio_speech::Error> for Error {
    /// What is wrong with the server's own models is for its log, not for the caller.
    fn from(error: hysio_speech::Error) -> Self {
        if !matches!(error, hysio_speech::Error::Cancelled) {
            tracing::error!(%error, "the speech engine failed");
        }
        Self::Engine
    }
}

impl Error {
    fn status(&self) -> StatusCode {
        match self {
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::UploadTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Form(_) | Self::Field { .. } | Self::Audio(_) => StatusCode::BAD_REQUEST,
            Self::UnknownModel(_) => StatusCode::NOT_FOUND,
            Self::Engine => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Busy => "overloaded",
            Self::UploadTooSlow => "upload_too_slow",
            Self::TooLarge => "file_too_large",
            Self::Form(_) => "invalid_form",
            Self::Field { .. } => "invalid_value",
            Self::UnknownModel(_) => "model_not_found",
            Self::Audio(audio::Error::TooLong { .. }) => "audio_too_long",
            Self::Audio(audio::Error::Empty) => "audio_empty",
            Self::Audio(_) => "invalid_audio",
            Self::Engine => "engine_failed",
        }
    }

    fn param(&self) -> Option<&'static str> {
        match self {
            Self::Field { name, .. } => Some(name),
            Self::UnknownModel(_) => Some("model"),
            Self::Audio(_) | Self::TooLarge => Some("file"),
            Self::Busy | Self::UploadTooSlow | Self::Form(_) | Self::Engine => None,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        let kind = if status.is_client_error() {
            "invalid_request_error"
        } else {
            "server_error"
        };
        let body = Json(json!({"error": {
            "message": self.to_string(),
            "type": kind,
            "param": self.param(),
            "code": self.code(),
        }}));
        let mut response = (status, body).into_response();
        if matches!(self, Self::Busy) {
            let seconds = HeaderValue::from(RETRY_AFTER_SECONDS);
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}
