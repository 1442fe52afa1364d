//! Looking codes up, for adding one by hand. The catalogue is the diagnosecode service's.

use axum::{extract::State, http::StatusCode};
use hysio_clinical::records::Code;
use hysio_infra::diagnosecode_client::Error;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    app::App,
    extract::{Json, Query},
    problem::{Problem, Result},
    signed_in::Clinician,
};

#[derive(Deserialize, IntoParams)]
pub struct Wanted {
    q: String,
    limit: Option<usize>,
}

#[derive(Serialize, ToSchema)]
pub struct Codes {
    codes: Vec<Code>,
}

/// Codes whose code or title begins with what was typed.
#[utoipa::path(get, path = "/api/codes", params(Wanted), responses((status = 200, body = Codes)))]
pub async fn search(
    State(app): State<App>,
    _clinician: Clinician,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Codes>> {
    let limit = wanted.limit.unwrap_or(10).clamp(1, 50);
    let codes = app
        .codes
        .search(&wanted.q, limit)
        .await
        .map_err(|error| coder_problem(&error))?;
    Ok(Json(Codes { codes }))
}

pub(super) fn coder_problem(error: &Error) -> Problem {
    if error.is_transient() {
        tracing::warn!(
            error = crate::telemetry::chain(error),
            "the diagnosecode service is away"
        );
        Problem::unavailable("the catalogue of codes is away for a moment")
    } else {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid",
            error.to_string(),
        )
    }
}
