//! What the worker does for a job of each queue: load, compute, commit. A stage never calls another stage.

use hysio_clinical::{
    diagnosecode::learning::{Lesson, rerank},
    jobs::{JobError, Leased},
    ports::{CodeQuery, Coding},
    report::{EncounterReport, Letterhead},
};
use hysio_infra::{
    pdf,
    postgres::{encounters, learning, patients, records},
    smtp,
};
use hysio_model::{
    QueueName,
    id::{RecordId, RecordingId, UserId},
    transcript::Language,
};
use jiff::{Timestamp, tz::TimeZone};

use super::{Failed, Progress, Worker};
use crate::http::recordings;

/// Codes that are suggested for one encounter.
const SUGGESTIONS: usize = 10;
/// Codes that what was learnt may lift among those.
const CANDIDATES: usize = 50;

pub(super) async fn perform(
    worker: &Worker,
    job: &Leased,
    progress: &Progress,
) -> Result<(), Failed> {
    match job.queue {
        QueueName::Transcription => transcribe(worker, job, progress).await,
        QueueName::Diagnosecode => suggest(worker, job).await,
        QueueName::Email => send_email(worker, job).await,
        QueueName::Reports => make_report(worker, job).await,
    }
}

async fn transcribe(worker: &Worker, job: &Leased, progress: &Progress) -> Result<(), Failed> {
    let recording: RecordingId = job.subject.parse().map_err(|_| nonsense())?;
    let tx = worker.db.tx(job.facility).await?;
    let (stored, _) = encounters::recording(&tx, recording)
        .await?
        .ok_or_else(gone)?;
    let encounter = encounters::get(&tx, job.encounter)
        .await?
        .ok_or_else(gone)?;
    let keys = tx.shared_keys();
    drop(tx);
    let audio = recordings::open(&worker.engines.blobs, &keys, recording)
        .await
        .map_err(|_| {
            JobError::retry(
                "recording-unreadable",
                "the recording could not be read from storage",
            )
        })?;
    let begun = std::time::Instant::now();
    let transcript = worker
        .engines
        .transcriber
        .transcribe(
            audio.to_vec(),
            &stored.media_type,
            encounter.language,
            &|share| progress.set(share),
        )
        .await?;
    worker.metrics.transcribed(
        transcript.language.code(),
        encounter.specialty,
        begun.elapsed(),
    );
    Ok(worker
        .db
        .commit_transcript(job, recording, &transcript)
        .await?)
}

async fn suggest(worker: &Worker, job: &Leased) -> Result<(), Failed> {
    let tx = worker.db.tx(job.facility).await?;
    let encounter = encounters::get(&tx, job.encounter)
        .await?
        .ok_or_else(gone)?;
    let transcript = encounters::transcript_of(&tx, job.encounter)
        .await?
        .ok_or_else(gone)?;
    let patient = patients::get(&tx, encounter.patient_id)
        .await?
        .ok_or_else(gone)?;
    let lessons = learning::for_coding(&tx).await?;
    drop(tx);
    let text = transcript.text();
    let coding = if text.trim().is_empty() {
        Coding {
            suggestions: vec![],
            model: "none".into(),
        }
    } else {
        let query = CodeQuery {
            system: encounter.code_system,
            language: Some(transcript.language),
            specialty: encounter.specialty,
            limit: CANDIDATES,
            patient: patient.demographics.for_coding(today()),
        };
        let coding = worker.engines.coder.suggest(&text, &query).await?;
        learnt(&text, &query, coding, &lessons)
    };
    Ok(worker.db.commit_coding(job, &transcript, &coding).await?)
}

/// The suggestions as the facility's own decisions move them; the model's name says that they did.
fn learnt(text: &str, query: &CodeQuery, coding: Coding, lessons: &[Lesson]) -> Coding {
    let Coding { suggestions, model } = coding;
    let suggestions = rerank(
        text,
        suggestions,
        lessons,
        query.system,
        query.specialty,
        SUGGESTIONS,
    );
    let moved = suggestions
        .iter()
        .any(|suggestion| suggestion.learnt.is_some());
    Coding {
        suggestions,
        model: if moved {
            format!("{model}+learnt")
        } else {
            model
        },
    }
}

fn today() -> jiff::civil::Date {
    Timestamp::now().to_zoned(TimeZone::system()).date()
}

async fn send_email(worker: &Worker, job: &Leased) -> Result<(), Failed> {
    let to: UserId = job.subject.parse().map_err(|_| nonsense())?;
    let profile = worker.db.profile(to).await?.ok_or_else(gone)?;
    let mail = smtp::TranscriptReady {
        id: job.id.0,
        to: profile.email,
        language: profile.language.parse().unwrap_or(Language::English),
        encounter: job.encounter,
    };
    let outcome = match worker.engines.mailer.send(&mail).await {
        Ok(()) => "sent",
        Err(smtp::Error::NotConfigured) => "no mail server is configured",
        Err(error) if error.is_retryable() => {
            return Err(
                JobError::retry("mail-server", "the mail server did not take the mail").into(),
            );
        }
        Err(error) => return Err(JobError::fail("mail-refused", error.to_string()).into()),
    };
    Ok(worker.db.commit_email(job, to, outcome).await?)
}

async fn make_report(worker: &Worker, job: &Leased) -> Result<(), Failed> {
    let (record, version) = job.subject.split_once(' ').ok_or_else(nonsense)?;
    let (record, version) = (
        RecordId(record.parse().map_err(|_| nonsense())?),
        version.parse().map_err(|_| nonsense())?,
    );
    let tx = worker.db.tx(job.facility).await?;
    let mut encounter = encounters::whole(&tx, job.encounter)
        .await?
        .ok_or_else(gone)?;
    let stored = records::version(&tx, record, version)
        .await?
        .ok_or_else(gone)?;
    drop(tx);
    let clinician = worker
        .db
        .profile(encounter.summary.clinician_id)
        .await?
        .ok_or_else(gone)?;
    let digest = pdf::content_digest(&stored.record);
    encounter.record = Some(stored.record.as_seen_with(&encounter.suggestions));
    let letterhead = Letterhead {
        language: clinician.language.parse().unwrap_or(Language::English),
        zone: TimeZone::system(),
        printed_at: Timestamp::now(),
        facility: clinician.facility.map(|(_, name)| name).unwrap_or_default(),
        clinician: clinician.name,
        digest,
    };
    let report = EncounterReport::of(&encounter, letterhead);
    let rendered = tokio::task::spawn_blocking(move || pdf::render(&report)).await;
    let pdf = rendered
        .map_err(|_| JobError::fail("report-failed", "the report could not be made"))?
        .map_err(|error| JobError::fail("report-refused", error.to_string()))?;
    Ok(worker.db.commit_report(job, record, version, &pdf).await?)
}

fn gone() -> JobError {
    JobError::fail("gone", "what the job is about is not there any more")
}

fn nonsense() -> JobError {
    JobError::fail("nonsense", "the job does not say what it is about")
}
