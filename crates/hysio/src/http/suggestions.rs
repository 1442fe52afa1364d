//! Suggested codes: accepted, rejected, added by hand, asked for again.

use axum::{extract::State, http::StatusCode};
use hysio_clinical::{
    diagnosecode::learning,
    pipeline::State as Stage,
    records::{Code, Decision, Encounter, Suggested},
};
use hysio_infra::{
    diagnosecode_client::Lookup,
    postgres::{Tx, encounters, jobs, stages, suggestions as store},
};
use hysio_model::{
    diagnosis::{CodeSystem, Evidence, Learnt, Suggestion},
    id::{EncounterId, SuggestionId},
    transcript::Transcript,
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
    /// Words of the transcript or the note that mean this code here: from then on it is suggested for them.
    words: Option<String>,
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
    let held = store::hold(&tx, encounter, id)
        .await?
        .ok_or_else(|| Problem::not_found("suggestion"))?;
    store::decide(&tx, &held, request.decision, clinician.user).await?;
    let suggested = store::get(&tx, encounter, id)
        .await?
        .ok_or_else(|| Problem::not_found("suggestion"))?;
    let details = json!({ "encounter": encounter, "decision": request.decision });
    tx.commit(&[clinician.audit("suggestion.decide", ("suggestion", id.to_string()), details)])
        .await?;
    Ok(Json(suggested))
}

/// Add a code by hand. With the words of the transcript or the note that it is for, it is suggested for them from then on.
#[utoipa::path(post, path = "/api/encounters/{id}/suggestions", params(("id" = EncounterId, Path)), request_body = AddCode, responses((status = 201, body = Suggested), (status = 422, body = Problem)))]
pub async fn add(
    State(app): State<App>,
    clinician: Clinician,
    Path(encounter): Path<EncounterId>,
    Json(request): Json<AddCode>,
) -> Result<(StatusCode, Json<Suggested>)> {
    let code = known_code(&app, &request).await?;
    let tx = clinician.tx(&app.db).await?;
    hold_unsigned(&tx, encounter).await?;
    let whole = encounters::whole(&tx, encounter)
        .await?
        .ok_or_else(|| Problem::not_found("encounter"))?;
    let taught = request
        .words
        .as_deref()
        .map(|words| taught(&whole, words))
        .transpose()?;
    let suggestion = by_hand(code, taught);
    let known = whole.suggestions.iter().find(|known| {
        known.suggestion.system == suggestion.system && known.suggestion.code == suggestion.code
    });
    // Words that are taught go with the suggestion, so a known one without them is no match.
    let id = match known.filter(|_| suggestion.learnt.is_none()) {
        Some(known) => known.id,
        None => {
            if let Some(known) = known
                && let Some(held) = store::hold(&tx, encounter, known.id).await?
            {
                store::withdraw(&tx, &held).await?;
            }
            store::add_by_hand(&tx, encounter, &suggestion, whole.summary.specialty).await?
        }
    };
    let held = store::hold(&tx, encounter, id)
        .await?
        .ok_or_else(|| Problem::not_found("suggestion"))?;
    store::decide(&tx, &held, Decision::Accepted, clinician.user).await?;
    let suggested = store::get(&tx, encounter, id)
        .await?
        .ok_or_else(|| Problem::not_found("suggestion"))?;
    tx.commit(&[clinician.audit(
        "suggestion.add",
        ("suggestion", id.to_string()),
        json!({ "encounter": encounter, "taught": suggestion.learnt.is_some() }),
    )])
    .await?;
    Ok((StatusCode::CREATED, Json(suggested)))
}

async fn known_code(app: &App, request: &AddCode) -> Result<Code> {
    let found = app
        .codes
        .entry(request.system, request.code.trim())
        .await
        .map_err(|error| super::codes::coder_problem(&error))?;
    let why = match found {
        Lookup::Known(code) => return Ok(code),
        Lookup::Retired(retired) => retired.to_string(),
        Lookup::Unknown => format!("the code is not in {}: search for it", request.system),
    };
    Err(Problem::invalid(why).with("field", "code".into()))
}

/// The words as they are taught, and where the transcript has them.
fn taught(whole: &Encounter, words: &str) -> Result<(String, Vec<Evidence>)> {
    let refuse = |why: &str| Problem::invalid(why).with("field", "words".into());
    let phrase = learning::normalised(words)
        .ok_or_else(|| refuse("one to eight words can be taught, of three letters or more"))?;
    let transcript = whole.transcript.as_ref().map(Transcript::text);
    let evidence = transcript.map_or_else(Vec::new, |text| learning::places(&text, &phrase));
    let note = whole.record.as_ref().map(|record| &record.note);
    let in_note = note.is_some_and(|note| {
        [
            &note.subjective,
            &note.objective,
            &note.assessment,
            &note.plan,
        ]
        .iter()
        .any(|text| !learning::places(text, &phrase).is_empty())
    });
    if evidence.is_empty() && !in_note {
        return Err(refuse(
            "neither the transcript nor the saved note has these words",
        ));
    }
    Ok((phrase, evidence))
}

fn by_hand(code: Code, taught: Option<(String, Vec<Evidence>)>) -> Suggestion {
    let (phrase, evidence) = taught.unzip();
    Suggestion {
        system: code.system,
        code: code.code,
        title: code.title,
        probability: 1.0,
        billable: code.billable,
        evidence: evidence.unwrap_or_default(),
        learnt: phrase.map(|phrase| Learnt {
            accepted: 0,
            decided: 0,
            phrase: Some(phrase),
            shared: false,
        }),
        ..Suggestion::default()
    }
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
