//! Jobs: a row a job, leased by token. Who has lost the token can commit nothing.

use std::time::Duration;

use hysio_clinical::jobs::{Leased, Priority};
use hysio_model::{
    QueueName,
    id::{EncounterId, FacilityId, JobId, UserId},
};
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Database, Error, Result, Tx};

/// Attempts before a job is dead. With the backoff of `clinical::jobs` the last is about ten minutes after the first.
pub const MAX_ATTEMPTS: i32 = 8;

/// A job to be queued.
#[derive(Clone, Debug)]
pub struct NewJob {
    pub queue: QueueName,
    pub encounter: EncounterId,
    pub subject: String,
    pub priority: Priority,
    pub requested_by: Option<UserId>,
}

/// A job as people see it.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: JobId,
    pub queue: QueueName,
    pub state: String,
    pub attempt: i32,
    pub max_attempts: i32,
    pub encounter: EncounterId,
    pub progress: Option<f32>,
    pub last_error: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

const COLUMNS: &str = "id, queue::text AS queue, state::text AS state, attempt, max_attempts, encounter_id, progress, last_error, created_at, updated_at";

/// Queues a job in the transaction that creates what it is about, and tells the workers when that is committed.
pub async fn enqueue(tx: &Tx, job: &NewJob) -> Result<JobId> {
    let id = JobId::new();
    tx.execute(
        "INSERT INTO jobs (id, facility_id, queue, priority, encounter_id, subject, max_attempts, requested_by)
         VALUES ($1, $2, ($3::text)::queue_name, $4, $5, $6, $7, $8)",
        &[
            &id.0,
            &tx.facility().0,
            &job.queue.as_str(),
            &job.priority.0,
            &job.encounter.0,
            &job.subject,
            &MAX_ATTEMPTS,
            &job.requested_by.map(|id| id.0),
        ],
    )
    .await?;
    tx.query("SELECT pg_notify('hysio_jobs', $1)", &[&job.queue.as_str()])
        .await?;
    Ok(id)
}

pub async fn get(tx: &Tx, id: JobId) -> Result<Option<Job>> {
    let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = $1");
    tx.query_opt(&sql, &[&id.0])
        .await?
        .map(|row| from_row(&row))
        .transpose()
}

/// The newest job of an encounter that moves it on (not its mails or reports).
pub async fn of_encounter(tx: &Tx, encounter: EncounterId) -> Result<Option<Job>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM jobs WHERE encounter_id = $1 AND queue IN ('transcription', 'diagnosecode') ORDER BY created_at DESC LIMIT 1"
    );
    tx.query_opt(&sql, &[&encounter.0])
        .await?
        .map(|row| from_row(&row))
        .transpose()
}

/// The dead jobs of the transaction's facility, newest first.
pub async fn dead(tx: &Tx, queue: Option<QueueName>) -> Result<Vec<Job>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM jobs WHERE state = 'dead' AND ($1::text IS NULL OR queue = ($1::text)::queue_name) ORDER BY finished_at DESC LIMIT 200"
    );
    tx.query(&sql, &[&queue.map(QueueName::as_str)])
        .await?
        .iter()
        .map(from_row)
        .collect()
}

/// Makes a dead job ready again, with all its attempts. None when it is not dead.
pub async fn redrive(tx: &Tx, id: JobId) -> Result<Option<Job>> {
    let sql = format!(
        "UPDATE jobs SET state = 'ready', attempt = 0, run_at = now(), finished_at = NULL, last_error = NULL, updated_at = now()
         WHERE id = $1 AND state = 'dead' RETURNING {COLUMNS}"
    );
    let Some(row) = tx.query_opt(&sql, &[&id.0]).await? else {
        return Ok(None);
    };
    let job = from_row(&row)?;
    tx.query("SELECT pg_notify('hysio_jobs', $1)", &[&job.queue.as_str()])
        .await?;
    Ok(Some(job))
}

/// Finishes a job in the transaction that writes its result.
///
/// # Errors
/// [`Error::LeaseLost`] when the token is no longer the live one: the whole transaction must then be dropped.
pub(super) async fn finish(tx: &Tx, job: &Leased) -> Result<()> {
    let done = tx
        .execute(
            "UPDATE jobs SET state = 'done', progress = 1, last_error = NULL, lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL,
                finished_at = now(), updated_at = now()
             WHERE id = $1 AND lease_token = $2 AND lease_expires_at > now()",
            &[&job.id.0, &job.token],
        )
        .await?;
    if done == 1 {
        Ok(())
    } else {
        Err(Error::LeaseLost)
    }
}

/// Puts a job back for a later attempt (`Some`), or to the dead (`None`).
pub(super) async fn give_back(
    tx: &Tx,
    job: &Leased,
    after: Option<Duration>,
    code: &str,
) -> Result<()> {
    let seconds = after.map(|wait| wait.as_secs_f64());
    let given = tx
        .execute(
            "UPDATE jobs SET state = CASE WHEN $3::float8 IS NULL THEN 'dead' ELSE 'ready' END::job_state,
                run_at = now() + make_interval(secs => coalesce($3, 0)), finished_at = CASE WHEN $3 IS NULL THEN now() END,
                last_error = $4, lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL, updated_at = now()
             WHERE id = $1 AND lease_token = $2",
            &[&job.id.0, &job.token, &seconds, &code],
        )
        .await?;
    if given == 1 {
        Ok(())
    } else {
        Err(Error::LeaseLost)
    }
}

/// Takes back a job whose lease has expired: ready again, or dead after its last attempt. None when it has not expired.
pub(super) async fn expire(tx: &Tx, id: JobId) -> Result<Option<Job>> {
    let sql = format!(
        "UPDATE jobs SET state = CASE WHEN attempt >= max_attempts THEN 'dead' ELSE 'ready' END::job_state,
            finished_at = CASE WHEN attempt >= max_attempts THEN now() END, last_error = 'lease-expired', lease_token = NULL,
            lease_owner = NULL, lease_expires_at = NULL, run_at = now(), updated_at = now()
         WHERE id = $1 AND state = 'leased' AND lease_expires_at < now() RETURNING {COLUMNS}"
    );
    tx.query_opt(&sql, &[&id.0])
        .await?
        .map(|row| from_row(&row))
        .transpose()
}

/// What worker processes do with the queues, whatever facility a job is of.
impl Database {
    /// Leases up to `wanted` jobs for `seconds`.
    pub async fn lease_jobs(
        &self,
        queues: &[QueueName],
        wanted: usize,
        owner: &str,
        lease: Duration,
    ) -> Result<Vec<Leased>> {
        let client = self.client().await?;
        let statement = "SELECT * FROM lease_jobs_by_urgency($1, $2, $3, $4)";
        let names: Vec<&str> = queues.iter().copied().map(QueueName::as_str).collect();
        let wanted = i32::try_from(wanted).unwrap_or(i32::MAX);
        let seconds = i32::try_from(lease.as_secs()).unwrap_or(i32::MAX);
        let rows = client
            .query(statement, &[&names, &wanted, &owner, &seconds])
            .await?;
        rows.iter().map(leased_from).collect()
    }

    /// Prolongs a lease and notes the progress. False when the lease is lost, and the work with it.
    pub async fn renew_lease(
        &self,
        job: &Leased,
        lease: Duration,
        progress: Option<f32>,
    ) -> Result<bool> {
        let tx = self.tx(job.facility).await?;
        let renewed = tx
            .execute(
                "UPDATE jobs SET lease_expires_at = now() + make_interval(secs => $3), progress = coalesce($4, progress), updated_at = now()
                 WHERE id = $1 AND lease_token = $2 AND lease_expires_at > now()",
                &[&job.id.0, &job.token, &lease.as_secs_f64(), &progress],
            )
            .await?;
        tx.query(
            "SELECT pg_notify('hysio_progress', $1)",
            &[&job.encounter.to_string()],
        )
        .await?;
        tx.commit(&[]).await?;
        Ok(renewed == 1)
    }

    /// Hands a job back untouched, its attempt not counted: the worker is leaving.
    pub async fn hand_back(&self, job: &Leased) -> Result<()> {
        let tx = self.tx(job.facility).await?;
        tx.execute(
            "UPDATE jobs SET state = 'ready', attempt = attempt - 1, run_at = now(), lease_token = NULL, lease_owner = NULL,
                lease_expires_at = NULL, updated_at = now()
             WHERE id = $1 AND lease_token = $2",
            &[&job.id.0, &job.token],
        )
        .await?;
        tx.query("SELECT pg_notify('hysio_jobs', $1)", &[&job.queue.as_str()])
            .await?;
        tx.commit(&[]).await
    }

    /// The jobs of a queue that can be taken now, in their order, `most` of them.
    pub async fn ready_jobs(&self, queue: QueueName, most: i32) -> Result<Vec<JobId>> {
        let client = self.client().await?;
        let sql = "SELECT id FROM ready_jobs($1, $2)";
        let rows = client.query(sql, &[&queue.as_str(), &most]).await?;
        Ok(rows.iter().map(|row| JobId(row.get(0))).collect())
    }

    /// The facility a job is of, for people who may see every facility's jobs.
    pub async fn facility_of_job(&self, id: JobId) -> Result<Option<FacilityId>> {
        let row = self
            .client()
            .await?
            .query_one("SELECT facility_of_job($1)", &[&id.0])
            .await?;
        Ok(row.get::<_, Option<i32>>(0).map(FacilityId))
    }

    /// Facilities that have dead jobs.
    pub async fn facilities_with_dead_jobs(&self) -> Result<Vec<FacilityId>> {
        let rows = self
            .client()
            .await?
            .query(
                "SELECT DISTINCT facility_id FROM dead_jobs(1000) ORDER BY 1",
                &[],
            )
            .await?;
        Ok(rows.iter().map(|row| FacilityId(row.get(0))).collect())
    }
}

fn leased_from(row: &Row) -> Result<Leased> {
    let id = JobId(row.get("id"));
    Ok(Leased {
        id,
        facility: FacilityId(row.get("facility_id")),
        queue: queue(row.get("queue"), id)?,
        encounter: EncounterId(row.get("encounter_id")),
        subject: row.get("subject"),
        attempt: row.get("attempt"),
        max_attempts: row.get("max_attempts"),
        token: row.get::<_, Uuid>("lease_token"),
        requested_by: row.get::<_, Option<_>>("requested_by").map(UserId),
    })
}

fn from_row(row: &Row) -> Result<Job> {
    let id = JobId(row.get("id"));
    Ok(Job {
        id,
        queue: queue(row.get("queue"), id)?,
        state: row.get("state"),
        attempt: row.get("attempt"),
        max_attempts: row.get("max_attempts"),
        encounter: EncounterId(row.get("encounter_id")),
        progress: row.get("progress"),
        last_error: row.get("last_error"),
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
    })
}

fn queue(name: &str, id: JobId) -> Result<QueueName> {
    name.parse()
        .map_err(|_| Error::corrupt("jobs", "queue", id))
}
