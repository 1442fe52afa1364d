//! Patients.

use axum::{extract::State, http::StatusCode};
use hysio_clinical::records::{Demographics, EncounterSummary, Patient};
use hysio_infra::postgres::{
    Tx,
    encounters::{self, Filter},
    page::{Cursor, LIMIT_MAX},
    patients::{self as store},
};
use hysio_model::id::PatientId;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{
    app::App,
    extract::{Json, Path, Query},
    idempotency::Key,
    problem::{Problem, Result},
    signed_in::Clinician,
};

const PAGE: i64 = 50;

#[derive(Deserialize, IntoParams)]
pub struct Search {
    /// Beginnings of names, a whole number, or a birth date.
    q: Option<String>,
    cursor: Option<String>,
    limit: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct Patients {
    patients: Vec<Patient>,
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct PatientWithEncounters {
    #[serde(flatten)]
    patient: Patient,
    encounters: Vec<EncounterSummary>,
}

/// Find patients of the own facility, newest first.
#[utoipa::path(get, path = "/api/patients", params(Search), responses((status = 200, body = Patients)))]
pub async fn list(
    State(app): State<App>,
    clinician: Clinician,
    Query(search): Query<Search>,
) -> Result<Json<Patients>> {
    let (cursor, limit) = page(search.cursor.as_deref(), search.limit)?;
    let begun = std::time::Instant::now();
    let mut reading = app.db.reading(clinician.facility);
    let (tx, found) = loop {
        let tx = reading.begin().await?;
        let found = store::list(&tx, search.q.as_deref(), cursor, limit).await;
        if let Some(found) = reading.stands(found.map(Some))? {
            break (tx, found.unwrap_or_default());
        }
    };
    app.metrics.db_query("select", "patients", begun.elapsed());
    let facility = clinician.facility.to_string();
    tx.commit(&[clinician.audit(
        "patient.list",
        ("facility", facility),
        json!({ "found": found.items.len(), "searched": search.q.is_some() }),
    )])
    .await?;
    app.metrics
        .patient_query("patient_list", !found.items.is_empty());
    Ok(Json(Patients {
        patients: found.items,
        next_cursor: found.next.map(|cursor| cursor.encode()),
    }))
}

/// Add a patient.
#[utoipa::path(post, path = "/api/patients", request_body = Demographics, responses((status = 201, body = Patient), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn create(
    State(app): State<App>,
    clinician: Clinician,
    key: Key,
    Json(demographics): Json<Demographics>,
) -> Result<(StatusCode, Json<Patient>)> {
    let today = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date()
        .tomorrow()
        .unwrap_or(jiff::civil::Date::MAX);
    let demographics = demographics.validated(today)?;
    let content = serde_json::to_vec(&demographics)
        .map_err(|_| Problem::invalid("the patient cannot be stored"))?;
    let content = [b"POST /api/patients".as_slice(), &content];
    let tx = clinician.tx(&app.db).await?;
    if let Some(made) = key.earlier(&tx, clinician.user, &content).await? {
        let id = made.parse().map_err(|_| Problem::not_found("patient"))?;
        let patient = store::get(&tx, id)
            .await?
            .ok_or_else(|| Problem::not_found("patient"))?;
        return Ok((StatusCode::CREATED, Json(patient)));
    }
    if let Some(existing) = existing(&tx, &demographics).await? {
        return Err(taken(existing));
    }
    let patient = store::insert(&tx, demographics, clinician.user)
        .await
        .map_err(|error| {
            if store::is_mrn_taken(&error) {
                Problem::conflict(
                    "mrn-taken",
                    "a patient with this number was added just now: try again",
                )
            } else {
                error.into()
            }
        })?;
    key.remember(&tx, clinician.user, &content, patient.id)
        .await?;
    tx.commit(&[clinician.audit(
        "patient.create",
        ("patient", patient.id.to_string()),
        json!({}),
    )])
    .await?;
    Ok((StatusCode::CREATED, Json(patient)))
}

async fn existing(
    tx: &hysio_infra::postgres::Tx,
    demographics: &Demographics,
) -> Result<Option<PatientId>> {
    match demographics.mrn.as_deref() {
        Some(mrn) => Ok(store::by_mrn(tx, mrn).await?),
        None => Ok(None),
    }
}

fn taken(existing: PatientId) -> Problem {
    Problem::conflict(
        "mrn-taken",
        "the facility has a patient with this number already",
    )
    .with("existing_patient_id", json!(existing))
}

/// A patient and their encounters.
#[utoipa::path(get, path = "/api/patients/{id}", params(("id" = PatientId, Path)), responses((status = 200, body = PatientWithEncounters), (status = 404, body = Problem)))]
pub async fn read(
    State(app): State<App>,
    clinician: Clinician,
    Path(id): Path<PatientId>,
) -> Result<Json<PatientWithEncounters>> {
    let mut reading = app.db.reading(clinician.facility);
    let (tx, found) = loop {
        let tx = reading.begin().await?;
        if let Some(found) = reading.stands(find(&tx, id).await)? {
            break (tx, found);
        }
    };
    app.metrics.patient_query("patient", found.is_some());
    let (patient, encounters) = found.ok_or_else(|| Problem::not_found("patient"))?;
    tx.commit(&[clinician.audit("patient.read", ("patient", id.to_string()), json!({}))])
        .await?;
    Ok(Json(PatientWithEncounters {
        patient,
        encounters,
    }))
}

async fn find(
    tx: &Tx,
    id: PatientId,
) -> hysio_infra::postgres::Result<Option<(Patient, Vec<EncounterSummary>)>> {
    let Some(patient) = store::get(tx, id).await? else {
        return Ok(None);
    };
    let filter = Filter {
        patient: Some(id),
        ..Filter::default()
    };
    let encounters = encounters::list(tx, filter, Cursor::START, LIMIT_MAX).await?;
    Ok(Some((patient, encounters.items)))
}

/// Where a page starts and how long it is.
pub(super) fn page(cursor: Option<&str>, limit: Option<i64>) -> Result<(Cursor, i64)> {
    let cursor = match cursor {
        None | Some("") => Cursor::START,
        Some(text) => Cursor::decode(text).ok_or_else(|| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid-cursor",
                "the cursor is not one that a page ended with",
            )
        })?,
    };
    Ok((cursor, limit.unwrap_or(PAGE).clamp(1, LIMIT_MAX)))
}
