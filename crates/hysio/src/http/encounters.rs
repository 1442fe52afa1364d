//! Encounters.

use std::collections::HashMap;

use axum::{extract::State, http::StatusCode};
use hysio_clinical::{
    pipeline::State as Stage,
    records::{Encounter, EncounterSummary, Patient},
};
use hysio_infra::postgres::{
    encounters::{self as store, Filter, NewEncounter},
    patients,
};
use hysio_infra::redis::cache::Found;
use hysio_model::{
    Specialty,
    diagnosis::CodeSystem,
    id::{EncounterId, PatientId},
    transcript::Language,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{
    app::App,
    extract::{Json, Path, Query},
    idempotency::Key,
    patients::page,
    problem::{Problem, Result},
    signed_in::Clinician,
};

#[derive(Deserialize, IntoParams)]
pub struct Wanted {
    /// Only those of the clinician who asks.
    mine: Option<bool>,
    #[param(inline)]
    state: Option<Stage>,
    cursor: Option<String>,
    limit: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct EncounterWithPatient {
    #[serde(flatten)]
    encounter: EncounterSummary,
    patient: Patient,
}

#[derive(Serialize, ToSchema)]
pub struct Encounters {
    encounters: Vec<EncounterWithPatient>,
    next_cursor: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct OpenEncounter {
    patient_id: PatientId,
    specialty: Option<Specialty>,
    /// None: the engine finds out.
    language: Option<Language>,
    code_system: Option<CodeSystem>,
}

/// Encounters of the own facility, newest first.
#[utoipa::path(get, path = "/api/encounters", params(Wanted), responses((status = 200, body = Encounters)))]
pub async fn list(
    State(app): State<App>,
    clinician: Clinician,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Encounters>> {
    let tx = clinician.tx(&app.db).await?;
    let (cursor, limit) = page(wanted.cursor.as_deref(), wanted.limit)?;
    let clinician_id = wanted.mine.unwrap_or(false).then_some(clinician.user);
    let filter = Filter {
        clinician: clinician_id,
        patient: None,
        state: wanted.state,
    };
    let found = store::list(&tx, filter, cursor, limit).await?;
    let ids: Vec<_> = found
        .items
        .iter()
        .map(|encounter| encounter.patient_id.0)
        .collect();
    let mut patients: HashMap<_, _> = patients::of(&tx, &ids)
        .await?
        .into_iter()
        .map(|patient| (patient.id, patient))
        .collect();
    let encounters: Vec<_> = found
        .items
        .into_iter()
        .filter_map(|encounter| {
            let patient = patients.get(&encounter.patient_id)?.clone();
            Some(EncounterWithPatient { encounter, patient })
        })
        .collect();
    patients.clear();
    let facility = clinician.facility.to_string();
    tx.commit(&[clinician.audit(
        "encounter.list",
        ("facility", facility),
        json!({ "found": encounters.len() }),
    )])
    .await?;
    app.metrics
        .patient_query("encounter_list", !encounters.is_empty());
    Ok(Json(Encounters {
        encounters,
        next_cursor: found.next.map(|cursor| cursor.encode()),
    }))
}

/// Open an encounter.
#[utoipa::path(post, path = "/api/encounters", request_body = OpenEncounter, responses((status = 201, body = Encounter), (status = 422, body = Problem)))]
pub async fn create(
    State(app): State<App>,
    clinician: Clinician,
    key: Key,
    Json(open): Json<OpenEncounter>,
) -> Result<(StatusCode, Json<Encounter>)> {
    let content = serde_json::to_vec(&open)
        .map_err(|_| Problem::invalid("the encounter cannot be stored"))?;
    let content = [b"POST /api/encounters".as_slice(), &content];
    let tx = clinician.tx(&app.db).await?;
    let id = match key.earlier(&tx, clinician.user, &content).await? {
        Some(made) => made.parse().map_err(|_| Problem::not_found("encounter"))?,
        None => {
            let new = NewEncounter {
                patient: open.patient_id,
                clinician: clinician.user,
                specialty: open.specialty,
                language: open.language,
                code_system: open.code_system.unwrap_or(CodeSystem::Icd10Cm),
            };
            let id = store::insert(&tx, new).await?;
            key.remember(&tx, clinician.user, &content, id).await?;
            id
        }
    };
    let encounter = store::whole(&tx, id)
        .await?
        .ok_or_else(|| Problem::not_found("encounter"))?;
    tx.commit(&[clinician.audit(
        "encounter.create",
        ("encounter", id.to_string()),
        json!({ "patient": open.patient_id }),
    )])
    .await?;
    Ok((StatusCode::CREATED, Json(encounter)))
}

/// All of an encounter: patient, recording, transcript, suggested codes, record.
#[utoipa::path(get, path = "/api/encounters/{id}", params(("id" = EncounterId, Path)), responses((status = 200, body = Encounter), (status = 404, body = Problem)))]
pub async fn read(
    State(app): State<App>,
    clinician: Clinician,
    Path(id): Path<EncounterId>,
) -> Result<Json<Encounter>> {
    let tx = clinician.tx(&app.db).await?;
    let mut reading = store::Reading {
        cache: app.cache.as_ref(),
        asked: Vec::new(),
    };
    let found = reading.whole(&tx, id).await?;
    app.metrics.patient_query("encounter", found.is_some());
    let encounter = found.ok_or_else(|| Problem::not_found("encounter"))?;
    let mut entries = vec![clinician.audit(
        "encounter.read",
        ("encounter", id.to_string()),
        json!({ "patient": encounter.patient.id }),
    )];
    entries.extend(
        reading
            .asked
            .iter()
            .map(|asked| cache_entry(&clinician, asked)),
    );
    tx.commit(&entries).await?;
    Ok(Json(encounter))
}

/// What the cache was asked for, under as much of its key as tells entries apart.
fn cache_entry(clinician: &Clinician, asked: &store::Cached) -> hysio_model::audit::AuditEvent {
    let action = match asked.found {
        Found::Here | Found::Redis => "cache.get",
        Found::Nowhere => "cache.set",
    };
    let details = json!({ "data_type": asked.kind.as_str() });
    clinician.audit(action, ("cache", asked.key.partial()), details)
}
