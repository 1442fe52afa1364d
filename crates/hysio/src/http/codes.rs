//! Looking codes up, for adding one by hand. The catalogue is the diagnosecode service's.

use axum::{extract::State, http::StatusCode};
use hysio_clinical::records::Code;
use hysio_infra::diagnosecode_client::Error;
use hysio_model::diagnosis::CodeSystem;
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
    /// `ICD-10-CM` (the default) or `DCSPH`.
    system: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize, ToSchema)]
pub struct Codes {
    codes: Vec<Found>,
}

#[derive(Serialize, ToSchema)]
pub struct Found {
    #[serde(flatten)]
    code: Code,
    /// The retired code that was typed, where this one took its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<String>,
}

/// Codes that begin with what was typed, or whose titles and terms hold words that begin so.
#[utoipa::path(get, path = "/api/codes", params(Wanted), responses((status = 200, body = Codes), (status = 422, body = Problem)))]
pub async fn search(
    State(app): State<App>,
    _clinician: Clinician,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Codes>> {
    let limit = wanted.limit.unwrap_or(10).clamp(1, 50);
    let system: CodeSystem = match wanted.system.as_deref() {
        None => CodeSystem::Icd10Cm,
        Some(name) => name
            .parse()
            .map_err(|error: String| Problem::invalid(error).with("field", "system".into()))?,
    };
    let found = app
        .codes
        .search(system, &wanted.q, limit)
        .await
        .map_err(|error| coder_problem(&error))?;
    let codes = found
        .into_iter()
        .map(|(code, replaces)| Found { code, replaces })
        .collect();
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
