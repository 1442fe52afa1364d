//! Looking codes up.

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use hysio_clinical::diagnosecode::{Row, Shown};
use hysio_model::diagnosis::CodeSystem;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Problem, Service};

/// Rows of a search.
const FOUND_MAX: usize = 100;
const FOUND_DEFAULT: usize = 20;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// First characters of a code, or words of its title.
    q: String,
    /// `ICD-10-CM` (the default) or `DCSPH`.
    system: Option<String>,
    limit: Option<usize>,
}

/// All that the catalogue says about a code. One that was retired is gone (410), and the answer names its successors; one
/// that became a category says so in `retired`.
#[utoipa::path(
    get,
    path = "/v1/codes/{system}/{code}",
    tag = "diagnosis codes",
    params(("system" = String, Path), ("code" = String, Path)),
    responses(
        (status = 200, body = Shown),
        (status = 410, body = Problem, content_type = "application/problem+json"),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn show(
    State(service): State<Service>,
    Path((system, code)): Path<(String, String)>,
) -> Result<Json<Shown>, Problem> {
    let system: CodeSystem = system.parse().map_err(|_| Problem::unknown_system())?;
    let engine = service.engine();
    if let Err(retired) = engine.find(system, &code) {
        return Err(Problem::retired(retired));
    }
    engine
        .show(system, &code)
        .map(Json)
        .ok_or_else(|| Problem::no_code(&super::release(&service, system)))
}

/// Codes that begin with the characters, or whose terms hold words that begin so.
#[utoipa::path(
    get,
    path = "/v1/codes",
    tag = "diagnosis codes",
    params(Search),
    responses(
        (status = 200, body = Vec<Row>),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn search(
    State(service): State<Service>,
    search: Result<Query<Search>, QueryRejection>,
) -> Result<Json<Vec<Row>>, Problem> {
    let Query(search) =
        search.map_err(|_| Problem::invalid("q is missing, or limit is not a number"))?;
    let system: CodeSystem = match search.system.as_deref() {
        None => CodeSystem::Icd10Cm,
        Some(name) => name.parse().map_err(|_| Problem::unknown_system())?,
    };
    let limit = search.limit.unwrap_or(FOUND_DEFAULT);
    if limit == 0 || limit > FOUND_MAX {
        return Err(Problem::invalid("limit must be 1 to 100"));
    }
    Ok(Json(service.engine().search(system, &search.q, limit)))
}
