//! Records: read, edit, sign, amend, every earlier version, and the report.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use hysio_clinical::{
    jobs::Priority,
    pipeline::Event,
    records::{MedicalRecord, Note, Record, RecordState, Refused, accepted, check_editable},
};
use hysio_infra::postgres::{
    Tx, encounters,
    jobs::{self, NewJob},
    records::{self as store, Change},
    suggestions,
};
use hysio_model::{
    QueueName,
    id::{EncounterId, RecordId},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    app::App,
    extract::{Json, Path, Query},
    jobs::load,
    problem::{Problem, Result},
    signed_in::Clinician,
    suggestions::JobStarted,
};

#[derive(Deserialize, ToSchema)]
pub struct Save {
    /// The version that was edited.
    version: i32,
    #[serde(flatten)]
    note: Note,
}

#[derive(Deserialize, ToSchema)]
pub struct Sign {
    /// The version that was read.
    version: i32,
}

#[derive(Serialize, ToSchema)]
pub struct Versions {
    versions: Vec<VersionView>,
}

#[derive(Serialize, ToSchema)]
struct VersionView {
    version: i32,
    state: RecordState,
    author_id: Option<Uuid>,
    author_name: Option<String>,
    #[schema(value_type = String, format = "date-time")]
    created_at: Timestamp,
}

#[derive(Deserialize, IntoParams)]
pub struct WhichVersion {
    version: Option<i32>,
}

async fn seen(tx: &Tx, id: RecordId) -> Result<Record> {
    let stored = store::get(tx, id)
        .await?
        .ok_or_else(|| Problem::not_found("record"))?;
    let suggestions = suggestions::of(tx, stored.record.encounter_id).await?;
    Ok(stored.record.as_seen_with(&suggestions))
}

/// A record.
#[utoipa::path(get, path = "/api/records/{id}", params(("id" = RecordId, Path)), responses((status = 200, body = Record), (status = 404, body = Problem)))]
pub async fn read(
    State(app): State<App>,
    clinician: Clinician,
    Path(id): Path<RecordId>,
) -> Result<Json<Record>> {
    let begun = std::time::Instant::now();
    let mut reading = app.db.reading(clinician.facility);
    let (tx, record) = loop {
        let tx = reading.begin().await?;
        if let Some(record) = reading.stands(find(&tx, id).await)? {
            break (tx, record);
        }
    };
    app.metrics
        .db_query("select", "patient_records", begun.elapsed());
    app.metrics.patient_query("record", record.is_some());
    let record = record.ok_or_else(|| Problem::not_found("record"))?;
    let details = json!({ "patient": record.patient_id, "version": record.version });
    tx.commit(&[clinician.audit("record.read", ("record", id.to_string()), details)])
        .await?;
    Ok(Json(record))
}

async fn find(tx: &Tx, id: RecordId) -> hysio_infra::postgres::Result<Option<Record>> {
    let Some(stored) = store::get(tx, id).await? else {
        return Ok(None);
    };
    let record = stored.record;
    Ok(Some(match record.state {
        RecordState::Draft => {
            let suggestions = suggestions::of(tx, record.encounter_id).await?;
            record.as_seen_with(&suggestions)
        }
        RecordState::Signed => record,
    }))
}

/// Save a note: the next version of a draft. Sent again, as its answer was lost, it is answered with what it has made.
#[utoipa::path(put, path = "/api/records/{id}", params(("id" = RecordId, Path)), request_body = Save, responses((status = 200, body = Record), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn save(
    State(app): State<App>,
    clinician: Clinician,
    Path(id): Path<RecordId>,
    Json(save): Json<Save>,
) -> Result<Json<Record>> {
    save.note.check()?;
    let tx = clinician.tx(&app.db).await?;
    let begun = std::time::Instant::now();
    let (found, state, _) = hold(&tx, id).await?;
    if let Err(refused) = check_editable(save.version, found, state) {
        let Some(made) = made_by(&tx, &clinician, id, &save).await? else {
            return Err(refusal(&tx, id, refused).await?);
        };
        tx.commit(&[]).await?;
        return Ok(Json(made));
    }
    let record = change(
        &tx,
        &clinician,
        id,
        save.version,
        Some(save.note),
        Change::Edit,
    )
    .await?;
    app.metrics
        .db_query("update", "patient_records", begun.elapsed());
    tx.commit(&[clinician.audit(
        "record.save",
        ("record", id.to_string()),
        json!({ "version": record.version }),
    )])
    .await?;
    Ok(Json(record))
}

/// Sign a record.
#[utoipa::path(post, path = "/api/records/{id}/sign", params(("id" = RecordId, Path)), request_body = Sign, responses((status = 200, body = Record), (status = 409, body = Problem)))]
pub async fn sign(
    State(app): State<App>,
    clinician: Clinician,
    Path(id): Path<RecordId>,
    Json(sign): Json<Sign>,
) -> Result<Json<Record>> {
    let tx = clinician.tx(&app.db).await?;
    let encounter = editable(&tx, id, sign.version).await?;
    move_on(&tx, encounter, Event::Signed).await?;
    let record = change(&tx, &clinician, id, sign.version, None, Change::Sign).await?;
    if record.note.is_empty() {
        return Err(Problem::invalid("an empty note cannot be signed"));
    }
    let details = json!({ "version": record.version, "codes": record.codes.len(), "digest": hex::encode(hysio_infra::pdf::content_digest(&record)) });
    tx.commit(&[clinician.audit("record.sign", ("record", id.to_string()), details)])
        .await?;
    Ok(Json(record))
}

/// Open a signed record again. The signed version stays as it is.
#[utoipa::path(post, path = "/api/records/{id}/amend", params(("id" = RecordId, Path)), responses((status = 200, body = Record), (status = 409, body = Problem)))]
pub async fn amend(
    State(app): State<App>,
    clinician: Clinician,
    Path(id): Path<RecordId>,
) -> Result<Json<Record>> {
    let tx = clinician.tx(&app.db).await?;
    let (version, state, encounter) = hold(&tx, id).await?;
    if state == RecordState::Draft {
        return Err(Refused::NotSigned.into());
    }
    move_on(&tx, encounter, Event::Amended).await?;
    let record = change(&tx, &clinician, id, version, None, Change::Amend).await?;
    tx.commit(&[clinician.audit(
        "record.amend",
        ("record", id.to_string()),
        json!({ "version": record.version }),
    )])
    .await?;
    Ok(Json(record))
}

/// Holds a record and its encounter, and refuses if `version` of it may not be changed now.
async fn editable(tx: &Tx, id: RecordId, version: i32) -> Result<EncounterId> {
    let (found, state, encounter) = hold(tx, id).await?;
    match check_editable(version, found, state) {
        Ok(()) => Ok(encounter),
        Err(refused) => Err(refusal(tx, id, refused).await?),
    }
}

async fn hold(tx: &Tx, id: RecordId) -> Result<(i32, RecordState, EncounterId)> {
    store::lock(tx, id)
        .await?
        .ok_or_else(|| Problem::not_found("record"))
}

async fn refusal(tx: &Tx, id: RecordId, refused: Refused) -> Result<Problem> {
    Ok(Problem::from(refused).with("current", json!(seen(tx, id).await?)))
}

/// The newest version, if this very save has made it: NGINX and people ask again when an answer is lost.
async fn made_by(
    tx: &Tx,
    clinician: &Clinician,
    id: RecordId,
    save: &Save,
) -> Result<Option<Record>> {
    let Some(stored) = store::get(tx, id).await? else {
        return Ok(None);
    };
    let (record, next) = (stored.record, save.version.saturating_add(1));
    let made = (record.version, record.state) == (next, RecordState::Draft)
        && stored.author == Some(clinician.user)
        && record.note == save.note;
    Ok(if made {
        Some(seen(tx, id).await?)
    } else {
        None
    })
}

async fn move_on(tx: &Tx, encounter: EncounterId, event: Event) -> Result<()> {
    let state = encounters::lock(tx, encounter)
        .await?
        .ok_or_else(|| Problem::not_found("encounter"))?;
    encounters::apply(tx, encounter, state, event, None).await?;
    Ok(())
}

/// The next version, with the codes that are accepted now. `note` is None where it stays as it is.
async fn change(
    tx: &Tx,
    clinician: &Clinician,
    id: RecordId,
    version: i32,
    note: Option<Note>,
    change: Change,
) -> Result<Record> {
    let stored = store::get(tx, id)
        .await?
        .ok_or_else(|| Problem::not_found("record"))?;
    let suggestions = suggestions::of(tx, stored.record.encounter_id).await?;
    let content = MedicalRecord {
        note: note.unwrap_or_else(|| stored.record.note.clone()),
        codes: accepted(&suggestions),
        transcript: stored.transcript,
    };
    store::update(tx, id, version, &content, change, clinician.user).await?;
    seen(tx, id).await
}

/// Every version of a record, newest first.
#[utoipa::path(get, path = "/api/records/{id}/versions", params(("id" = RecordId, Path)), responses((status = 200, body = Versions), (status = 404, body = Problem)))]
pub async fn versions(
    State(app): State<App>,
    clinician: Clinician,
    Path(id): Path<RecordId>,
) -> Result<Json<Versions>> {
    let tx = clinician.tx(&app.db).await?;
    let versions = store::versions(&tx, id).await?;
    if versions.is_empty() {
        return Err(Problem::not_found("record"));
    }
    tx.commit(&[clinician.audit("record.versions", ("record", id.to_string()), json!({}))])
        .await?;
    let versions = versions
        .into_iter()
        .map(|v| VersionView {
            version: v.version,
            state: v.state,
            author_id: v.author_id,
            author_name: v.author_name,
            created_at: v.created_at,
        })
        .collect();
    Ok(Json(Versions { versions }))
}

/// A record as an earlier version had it.
#[utoipa::path(get, path = "/api/records/{id}/versions/{version}", params(("id" = RecordId, Path), ("version" = i32, Path)), responses((status = 200, body = Record), (status = 404, body = Problem)))]
pub async fn version(
    State(app): State<App>,
    clinician: Clinician,
    Path((id, version)): Path<(RecordId, i32)>,
) -> Result<Json<Record>> {
    let tx = clinician.tx(&app.db).await?;
    let record = store::version(&tx, id, version)
        .await?
        .ok_or_else(|| Problem::not_found("version"))?
        .record;
    tx.commit(&[clinician.audit(
        "record.read",
        ("record", id.to_string()),
        json!({ "version": version }),
    )])
    .await?;
    Ok(Json(record))
}

/// Have the encounter's report made as PDF.
#[utoipa::path(post, path = "/api/records/{id}/report", params(("id" = RecordId, Path)), responses((status = 202, body = JobStarted), (status = 404, body = Problem)))]
pub async fn make_report(
    State(app): State<App>,
    clinician: Clinician,
    Path(id): Path<RecordId>,
) -> Result<(StatusCode, Json<JobStarted>)> {
    let tx = clinician.tx(&app.db).await?;
    let (version, _, encounter) = store::lock(&tx, id)
        .await?
        .ok_or_else(|| Problem::not_found("record"))?;
    let new = NewJob {
        queue: QueueName::Reports,
        encounter,
        subject: format!("{id} {version}"),
        priority: Priority::NORMAL,
        requested_by: Some(clinician.user),
    };
    let job = jobs::enqueue(&tx, &new).await?;
    let view = load(&tx, job)
        .await?
        .ok_or_else(|| Problem::not_found("job"))?;
    tx.commit(&[clinician.audit(
        "report.request",
        ("record", id.to_string()),
        json!({ "job": job, "version": version }),
    )])
    .await?;
    Ok((StatusCode::ACCEPTED, Json(JobStarted { job: view })))
}

/// The report, once it has been made.
#[utoipa::path(get, path = "/api/records/{id}/report.pdf", params(("id" = RecordId, Path), WhichVersion), responses((status = 200, content_type = "application/pdf"), (status = 404, body = Problem)))]
pub async fn report(
    State(app): State<App>,
    clinician: Clinician,
    Path(id): Path<RecordId>,
    Query(which): Query<WhichVersion>,
) -> Result<Response> {
    let tx = clinician.tx(&app.db).await?;
    let version = match which.version {
        Some(version) => version,
        None => {
            store::get(&tx, id)
                .await?
                .ok_or_else(|| Problem::not_found("record"))?
                .record
                .version
        }
    };
    let pdf = store::report(&tx, id, version).await?.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "no-report",
            "the report of this version has not been made yet: ask for it first",
        )
    })?;
    tx.commit(&[clinician.audit(
        "report.read",
        ("record", id.to_string()),
        json!({ "version": version }),
    )])
    .await?;
    let name = format!("attachment; filename=\"record-{id}-version-{version}.pdf\"");
    Ok((
        [
            (header::CONTENT_TYPE, "application/pdf".to_owned()),
            (header::CONTENT_DISPOSITION, name),
        ],
        pdf,
    )
        .into_response())
}
