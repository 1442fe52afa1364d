//! Suggested codes: accepted, rejected, added by hand, asked for again.

use axum::{extract::State, http::StatusCode};
use hysio_clinical::{
    pipeline::State as Stage,
    records::{Decision, Suggested},
};
use hysio_infra::postgres::{Tx, encounters, jobs, stages, suggestions as store};
use hysio_model::{
    diagnosis::{CodeSystem, Suggestion},
    id::{EncounterId, SuggestionId},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    app::App,
    extract::{Json, Path},
    jobs::{JobView, view},
    problem::{Problem, Result},
    signed_in::Clinician,
};

#[derive(Deserialize, ToSchema)]
pub struct Decide {
    decision: Decision,
}

#[derive(Deserialize, ToSchema)]
pub struct AddCode {
    system: CodeSystem,
    code: String,
}

#[derive(Serialize, ToSchema)]
pub struct JobStarted {
    pub job: JobView,
}

/// Accept or reject a suggested code, or take that back.
#[utoipa::path(patch, path = "/api/encounters/{id}/suggestions/{suggestion}", params(("id" = EncounterId, Path), ("suggestion" = SuggestionId, Path)), request_body = Decide, responses((status = 200, body = Suggested), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn decide(
    State(app): State<App>,
    clinician: Clinician,
    Path((encounter, id)): Path<(EncounterId, SuggestionId)>,
    Json(request): Json<Decide>,
) -> Result<Json<Suggested>> {
    let tx = clinician.tx(&app.db).await?;
    hold_unsigned(&tx, encounter).await?;
    if !store::decide(&tx, encounter, id, request.decision, clinician.user).await? {
        return Err(Problem::not_found("suggestion"));
    }
    let suggested = store::get(&tx, encounter, id)
        .await?
        .ok_or_else(|| Problem::not_found("suggestion"))?;
    let details = json!({ "encounter": encounter, "decision": request.decision });
    tx.commit(&[clinician.audit("suggestion.decide", ("suggestion", id.to_string()), details)])
        .await?;
    Ok(Json(suggested))
}

/// Add a code by hand.
#[utoipa::path(post, path = "/api/encounters/{id}/suggestions", params(("id" = EncounterId, Path)), request_body = AddCode, responses((status = 201, body = Suggested), (status = 422, body = Problem)))]
pub async fn add(
    State(app): State<App>,
    clinician: Clinician,
    Path(encounter): Path<EncounterId>,
    Json(request): Json<AddCode>,
) -> Result<(StatusCode, Json<Suggested>)> {
    let entry = app
        .codes
        .entry(request.system, request.code.trim())
        .await
        .map_err(|error| super::codes::coder_problem(&error))?;
    let entry = entry.ok_or_else(|| {
        Problem::invalid(format!(
            "the code is not in {}: search for it",
            request.system
        ))
        .with("field", "code".into())
    })?;
    let suggestion = Suggestion {
        system: request.system,
        code: entry.code,
        title: entry.title,
        probability: 1.0,
        billable: entry.billable,
        evidence: vec![],
        ..Suggestion::default()
    };
    let tx = clinician.tx(&app.db).await?;
    hold_unsigned(&tx, encounter).await?;
    let known = store::of(&tx, encounter).await?.into_iter().find(|known| {
        known.suggestion.system == suggestion.system && known.suggestion.code == suggestion.code
    });
    let id = match known {
        Some(known) => {
            store::decide(&tx, encounter, known.id, Decision::Accepted, clinician.user).await?;
            known.id
        }
        None => store::add_by_hand(&tx, encounter, &suggestion, clinician.user).await?,
    };
    let suggested = store::get(&tx, encounter, id)
        .await?
        .ok_or_else(|| Problem::not_found("suggestion"))?;
    tx.commit(&[clinician.audit(
        "suggestion.add",
        ("suggestion", id.to_string()),
        json!({ "encounter": encounter }),
    )])
    .await?;
    Ok((StatusCode::CREATED, Json(suggested)))
}

/// Suggest codes again, from what the note says now.
#[utoipa::path(post, path = "/api/encounters/{id}/suggest-again", params(("id" = EncounterId, Path)), responses((status = 202, body = JobStarted), (status = 409, body = Problem)))]
pub async fn again(
    State(app): State<App>,
    clinician: Clinician,
    Path(encounter): Path<EncounterId>,
) -> Result<(StatusCode, Json<JobStarted>)> {
    let tx = clinician.tx(&app.db).await?;
    encounters::get(&tx, encounter)
        .await?
        .ok_or_else(|| Problem::not_found("encounter"))?;
    if encounters::transcript_of(&tx, encounter).await?.is_none() {
        return Err(Problem::conflict(
            "not-now",
            "there is no transcript to find codes in yet",
        ));
    }
    let id = stages::request_coding(&tx, encounter, clinician.user)
        .await?
        .ok_or_else(|| Problem::not_found("encounter"))?;
    let job = jobs::get(&tx, id)
        .await?
        .ok_or_else(|| Problem::not_found("job"))?;
    let summary = encounters::get(&tx, encounter)
        .await?
        .ok_or_else(|| Problem::not_found("encounter"))?;
    tx.commit(&[clinician.audit(
        "encounter.code",
        ("encounter", encounter.to_string()),
        json!({ "job": id }),
    )])
    .await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(JobStarted {
            job: view(job, summary.state, None),
        }),
    ))
}

/// Codes belong to the draft: what is signed stays as it is.
async fn hold_unsigned(tx: &Tx, encounter: EncounterId) -> Result<()> {
    match encounters::lock(tx, encounter).await? {
        None => Err(Problem::not_found("encounter")),
        Some(Stage::Signed) => Err(Problem::conflict(
            "signed",
            "the record is signed: amend it first",
        )),
        Some(_) => Ok(()),
    }
}
