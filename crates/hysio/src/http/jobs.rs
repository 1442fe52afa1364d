//! Jobs, as those see them who wait for them or look after them.

use axum::extract::State;
use hysio_clinical::{
    pipeline::{Event, State as Stage},
    records::Failure,
};
use hysio_infra::postgres::{
    Tx, encounters,
    jobs::{self as store, Job},
};
use hysio_model::{
    QueueName,
    id::{EncounterId, FacilityId, JobId},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{
    app::App,
    extract::{Json, Path, Query},
    problem::{Problem, Result},
    signed_in::{Caretaker, Clinician},
};

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct JobView {
    pub id: JobId,
    pub queue: QueueName,
    /// ready, leased, done or dead.
    pub state: String,
    /// Where the encounter stands.
    pub stage: Stage,
    /// 0 to 1.
    pub progress: Option<f32>,
    pub attempt: i32,
    pub max_attempts: i32,
    pub encounter_id: EncounterId,
    /// What the clinician should know: why it failed, or that it is tried again.
    pub message: Option<String>,
    pub last_error: Option<String>,
    #[schema(value_type = String, format = "date-time")]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = "date-time")]
    pub updated_at: Timestamp,
}

#[derive(Deserialize, IntoParams)]
pub struct Wanted {
    /// Only `dead` can be asked for.
    state: Option<String>,
    #[param(inline)]
    queue: Option<QueueName>,
}

#[derive(Serialize, ToSchema)]
pub struct Jobs {
    jobs: Vec<JobView>,
}

pub fn view(job: Job, stage: Stage, failure: Option<Failure>) -> JobView {
    let retrying = (job.state == "ready" && job.attempt > 0)
        .then(|| format!("attempt {} did not succeed; it is tried again", job.attempt));
    JobView {
        id: job.id,
        queue: job.queue,
        state: job.state,
        stage,
        progress: job.progress,
        attempt: job.attempt,
        max_attempts: job.max_attempts,
        encounter_id: job.encounter,
        message: failure.map(|failure| failure.message).or(retrying),
        last_error: job.last_error,
        created_at: job.created_at,
        updated_at: job.updated_at,
    }
}

/// A job with its encounter's stage.
pub async fn load(tx: &Tx, id: JobId) -> Result<Option<JobView>> {
    let Some(job) = store::get(tx, id).await? else {
        return Ok(None);
    };
    with_stage(tx, job).await.map(Some)
}

pub async fn with_stage(tx: &Tx, job: Job) -> Result<JobView> {
    let summary = encounters::get(tx, job.encounter)
        .await?
        .ok_or_else(|| Problem::not_found("encounter"))?;
    let failure = encounters::failure(tx, job.encounter).await?;
    Ok(view(job, summary.state, failure))
}

/// A job.
#[utoipa::path(get, path = "/api/jobs/{id}", params(("id" = JobId, Path)), responses((status = 200, body = JobView), (status = 404, body = Problem)))]
pub async fn read(
    State(app): State<App>,
    clinician: Clinician,
    Path(id): Path<JobId>,
) -> Result<Json<JobView>> {
    let tx = clinician.tx(&app.db).await?;
    Ok(Json(
        load(&tx, id)
            .await?
            .ok_or_else(|| Problem::not_found("job"))?,
    ))
}

/// The jobs that failed for good.
#[utoipa::path(get, path = "/api/jobs", params(Wanted), responses((status = 200, body = Jobs)))]
pub async fn dead(
    State(app): State<App>,
    Caretaker(who): Caretaker,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Jobs>> {
    if wanted.state.as_deref().is_some_and(|state| state != "dead") {
        return Err(Problem::invalid("only jobs with state=dead can be listed")
            .with("field", "state".into()));
    }
    let facilities = match who.session.facility {
        Some(facility) => vec![facility],
        None => app.db.facilities_with_dead_jobs().await?,
    };
    let mut jobs = Vec::new();
    for facility in facilities {
        let tx = app.db.tx(facility).await?;
        for job in store::dead(&tx, wanted.queue).await? {
            jobs.push(with_stage(&tx, job).await?);
        }
    }
    Ok(Json(Jobs { jobs }))
}

/// Put a dead job back into its queue, with all its attempts.
#[utoipa::path(post, path = "/api/jobs/{id}/redrive", params(("id" = JobId, Path)), responses((status = 200, body = JobView), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn redrive(
    State(app): State<App>,
    Caretaker(who): Caretaker,
    Path(id): Path<JobId>,
) -> Result<Json<JobView>> {
    let facility = facility_of(&app, who.session.facility, id).await?;
    let tx = app.db.tx(facility).await?;
    let job = store::get(&tx, id)
        .await?
        .ok_or_else(|| Problem::not_found("job"))?;
    let event = match job.queue {
        QueueName::Transcription => Some(Event::TranscriptionRedriven),
        QueueName::Diagnosecode => Some(Event::CodingRequested),
        QueueName::Email | QueueName::Reports => None,
    };
    if let (Some(event), Some(state)) = (event, encounters::lock(&tx, job.encounter).await?) {
        encounters::apply(&tx, job.encounter, state, event, None).await?;
    }
    let job = store::redrive(&tx, id)
        .await?
        .ok_or_else(|| Problem::conflict("not-dead", "the job has not failed for good"))?;
    let seen = with_stage(&tx, job).await?;
    let mut event = who.audit(
        "job.redrive",
        ("job", id.to_string()),
        json!({ "queue": seen.queue }),
    );
    event.facility = Some(facility);
    tx.commit(&[event]).await?;
    Ok(Json(seen))
}

async fn facility_of(app: &App, own: Option<FacilityId>, job: JobId) -> Result<FacilityId> {
    match own {
        Some(facility) => Ok(facility),
        None => app
            .db
            .facility_of_job(job)
            .await?
            .ok_or_else(|| Problem::not_found("job")),
    }
}
