//! The commits of the care pipeline: each writes result, state, next job and audit in one transaction, or nothing.

use std::time::Duration;

use hysio_clinical::{
    draft,
    jobs::{JobError, Leased, Priority},
    pipeline::{Event, State},
    ports::Coding,
    records::{Failure, MedicalRecord},
};
use hysio_model::{
    QueueName, Specialty,
    audit::{AuditEvent, Outcome},
    id::{EncounterId, FacilityId, JobId, RecordId, RecordingId, UserId},
    transcript::Transcript,
};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::{
    Database, Error, Result, Tx, encounters,
    jobs::{self, NewJob},
    records, suggestions,
};

/// Expired jobs that one sweep takes back; the next follows in seconds.
const SWEPT_AT_ONCE: i32 = 500;

/// An audit entry of something that was done now and succeeded.
#[must_use]
pub fn audit(
    facility: Option<FacilityId>,
    actor: &str,
    action: &str,
    resource: (&str, String),
    details: serde_json::Value,
) -> AuditEvent {
    AuditEvent {
        id: Uuid::now_v7(),
        at: Timestamp::now(),
        facility,
        actor: actor.to_owned(),
        action: action.to_owned(),
        resource: resource.0.to_owned(),
        resource_id: resource.1,
        outcome: Outcome::Success,
        details,
    }
}

/// Takes a recording in: its row, the state, the first job. The audio itself is stored before, under the recording's id.
///
/// # Errors
/// [`Error::Illegal`] when the encounter cannot take audio now.
pub async fn accept(
    tx: &Tx,
    encounter: EncounterId,
    recording: RecordingId,
    media_type: &str,
    bytes: i64,
    by: UserId,
) -> Result<Option<JobId>> {
    let Some(state) = encounters::lock(tx, encounter).await? else {
        return Ok(None);
    };
    encounters::apply(tx, encounter, state, Event::AudioAccepted, None).await?;
    encounters::add_recording(tx, encounter, recording, media_type, bytes).await?;
    queue_next(tx, encounter, recording.to_string(), Some(by))
        .await
        .map(Some)
}

/// Asks for codes again, from what the note says now.
pub async fn request_coding(tx: &Tx, encounter: EncounterId, by: UserId) -> Result<Option<JobId>> {
    let Some(state) = encounters::lock(tx, encounter).await? else {
        return Ok(None);
    };
    encounters::apply(tx, encounter, state, Event::CodingRequested, None).await?;
    queue_next(tx, encounter, encounter.to_string(), Some(by))
        .await
        .map(Some)
}

async fn queue_next(
    tx: &Tx,
    encounter: EncounterId,
    subject: String,
    by: Option<UserId>,
) -> Result<JobId> {
    let summary = encounters::get(tx, encounter)
        .await?
        .ok_or(Error::LeaseLost)?;
    let queue = summary
        .state
        .next_job()
        .ok_or_else(|| Error::corrupt("encounters", "state", encounter))?;
    let priority = if summary.specialty == Some(Specialty::Emergency) {
        Priority::URGENT
    } else {
        Priority::NORMAL
    };
    let id = jobs::enqueue(
        tx,
        &NewJob {
            queue,
            encounter,
            subject,
            priority,
            requested_by: by,
        },
    )
    .await?;
    encounters::set_job(tx, encounter, id).await?;
    Ok(id)
}

impl Database {
    /// Stage one: the transcript is there, coding comes next.
    pub async fn commit_transcript(
        &self,
        job: &Leased,
        recording: RecordingId,
        transcript: &Transcript,
    ) -> Result<()> {
        let tx = self.tx(job.facility).await?;
        let state = finish(&tx, job).await?;
        encounters::add_transcript(&tx, job.encounter, recording, transcript).await?;
        encounters::apply(&tx, job.encounter, state, Event::Transcribed, None).await?;
        queue_next(
            &tx,
            job.encounter,
            job.encounter.to_string(),
            job.requested_by,
        )
        .await?;
        let details = json!({ "job": job.id, "attempt": job.attempt, "model": transcript.model, "segments": transcript.segments.len() });
        commit(
            tx,
            job,
            audit(
                Some(job.facility),
                "worker",
                "transcript.create",
                ("recording", recording.to_string()),
                details,
            ),
        )
        .await
    }

    /// Stage two: codes, and the draft record of an encounter that has none yet.
    pub async fn commit_coding(
        &self,
        job: &Leased,
        transcript: &Transcript,
        coding: &Coding,
    ) -> Result<()> {
        let tx = self.tx(job.facility).await?;
        let state = finish(&tx, job).await?;
        let encounter = encounters::get(&tx, job.encounter)
            .await?
            .ok_or(Error::LeaseLost)?;
        suggestions::replace(&tx, job.encounter, coding, encounter.specialty).await?;
        let state = encounters::apply(&tx, job.encounter, state, Event::Coded, None).await?;
        let record = match encounter.record_id {
            Some(record) => record,
            None => {
                let content = MedicalRecord {
                    note: draft::note(transcript),
                    codes: vec![],
                    transcript: transcript.text(),
                };
                records::insert(&tx, job.encounter, encounter.patient_id, &content, None).await?
            }
        };
        encounters::apply(&tx, job.encounter, state, Event::Drafted, None).await?;
        if let Some(user) = job.requested_by {
            let mail = NewJob {
                queue: QueueName::Email,
                encounter: job.encounter,
                subject: user.to_string(),
                priority: Priority::LOW,
                requested_by: Some(user),
            };
            jobs::enqueue(&tx, &mail).await?;
        }
        let details = json!({ "job": job.id, "attempt": job.attempt, "model": coding.model, "suggestions": coding.suggestions.len(), "record": record });
        commit(
            tx,
            job,
            audit(
                Some(job.facility),
                "worker",
                "record.draft",
                ("encounter", job.encounter.to_string()),
                details,
            ),
        )
        .await
    }

    /// A report was made.
    pub async fn commit_report(
        &self,
        job: &Leased,
        record: RecordId,
        version: i32,
        pdf: &[u8],
    ) -> Result<()> {
        let tx = self.tx(job.facility).await?;
        jobs::finish(&tx, job).await?;
        records::add_report(&tx, record, version, pdf).await?;
        let details = json!({ "job": job.id, "version": version, "bytes": pdf.len() });
        commit(
            tx,
            job,
            audit(
                Some(job.facility),
                "worker",
                "report.create",
                ("record", record.to_string()),
                details,
            ),
        )
        .await
    }

    /// A mail was sent. `outcome` says if it really was, or why not.
    pub async fn commit_email(&self, job: &Leased, to: UserId, outcome: &str) -> Result<()> {
        let tx = self.tx(job.facility).await?;
        jobs::finish(&tx, job).await?;
        let details = json!({ "job": job.id, "outcome": outcome });
        commit(
            tx,
            job,
            audit(
                Some(job.facility),
                "worker",
                "email.send",
                ("user", to.to_string()),
                details,
            ),
        )
        .await
    }

    /// An attempt failed: the job waits (`Some`) or is dead (`None`), and then the encounter has failed with it.
    pub async fn commit_failure(
        &self,
        job: &Leased,
        error: &JobError,
        retry_after: Option<Duration>,
    ) -> Result<()> {
        let tx = self.tx(job.facility).await?;
        jobs::give_back(&tx, job, retry_after, error.code()).await?;
        if retry_after.is_none() {
            let failure = Failure {
                code: error.code().to_owned(),
                message: error.message().to_owned(),
            };
            fail_encounter(&tx, job.encounter, job.queue, &failure).await?;
        }
        let mut event = audit(
            Some(job.facility),
            "worker",
            if retry_after.is_some() {
                "job.retry"
            } else {
                "job.dead"
            },
            ("job", job.id.to_string()),
            json!({ "queue": job.queue, "attempt": job.attempt, "code": error.code() }),
        );
        event.outcome = Outcome::Failure;
        commit(tx, job, event).await
    }

    /// Takes back the jobs of workers that have died: each with its encounter and its entry in one transaction. Returns
    /// how many there were.
    pub async fn sweep_jobs(&self) -> Result<usize> {
        let expired = self
            .client()
            .await?
            .query(
                "SELECT id, facility_id FROM expired_leases($1)",
                &[&SWEPT_AT_ONCE],
            )
            .await?;
        let mut taken = 0;
        for row in &expired {
            taken += usize::from(
                self.take_back(JobId(row.get(0)), FacilityId(row.get(1)))
                    .await?,
            );
        }
        if taken > 0 {
            self.client()
                .await?
                .batch_execute("NOTIFY hysio_jobs")
                .await?;
        }
        Ok(taken)
    }

    /// False when the worker has come back, or another instance was faster.
    async fn take_back(&self, id: JobId, facility: FacilityId) -> Result<bool> {
        let tx = self.tx(facility).await?;
        let Some(job) = jobs::expire(&tx, id).await? else {
            return Ok(false);
        };
        if job.state == "dead" {
            let failure = Failure {
                code: "worker-lost".to_owned(),
                message: "every worker that took this on stopped before it was done".to_owned(),
            };
            fail_encounter(&tx, job.encounter, job.queue, &failure).await?;
        }
        let mut event = audit(
            Some(facility),
            "worker",
            "job.lease_expired",
            ("job", id.to_string()),
            json!({ "state": job.state }),
        );
        event.outcome = Outcome::Failure;
        tx.commit(&[event]).await?;
        Ok(true)
    }
}

/// Finishes the job and holds the encounter; the token is checked before anything is written.
async fn finish(tx: &Tx, job: &Leased) -> Result<State> {
    jobs::finish(tx, job).await?;
    encounters::lock(tx, job.encounter)
        .await?
        .ok_or(Error::LeaseLost)
}

/// An encounter fails with the job that should have moved it on; a mail or a report that fails does not concern it.
async fn fail_encounter(
    tx: &Tx,
    id: EncounterId,
    queue: QueueName,
    failure: &Failure,
) -> Result<()> {
    let Some(state) = encounters::lock(tx, id).await? else {
        return Ok(());
    };
    if state.next_job() == Some(queue) {
        encounters::apply(tx, id, state, Event::Failed, Some(failure)).await?;
    }
    Ok(())
}

async fn commit(tx: Tx, job: &Leased, event: AuditEvent) -> Result<()> {
    tx.query(
        "SELECT pg_notify('hysio_progress', $1)",
        &[&job.encounter.to_string()],
    )
    .await?;
    tx.commit(&[event]).await
}
