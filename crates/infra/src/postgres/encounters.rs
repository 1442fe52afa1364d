//! Encounters and their recordings.

use hysio_clinical::{
    pipeline::{Event, State},
    records::{Encounter, EncounterSummary, Failure, Recording, Suggested},
};
use hysio_model::{
    Specialty,
    diagnosis::CodeSystem,
    id::{EncounterId, JobId, PatientId, RecordId, RecordingId, UserId},
    transcript::{Language, Transcript},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio_postgres::Row;

use super::{
    Error, Result, Tx,
    page::{Cursor, Page},
    patients, records, suggestions,
};
use crate::{
    cipher::Place,
    redis::cache::{Found, Key, Kind, MedicalCache},
};

const COLUMNS: &str = "e.id, e.patient_id, e.clinician_id, e.specialty, e.language, e.code_system, e.state::text AS state,
    e.started_at, e.updated_at, e.job_id, r.id AS record_id";
const FROM: &str = "encounters e LEFT JOIN patient_records r ON r.facility_id = e.facility_id AND r.encounter_id = e.id";

/// What an encounter is opened with.
#[derive(Clone, Copy, Debug)]
pub struct NewEncounter {
    pub patient: PatientId,
    pub clinician: UserId,
    pub specialty: Option<Specialty>,
    pub language: Option<Language>,
    pub code_system: CodeSystem,
}

/// # Errors
/// [`Error::Constraint`] when the facility has no such patient.
pub async fn insert(tx: &Tx, new: NewEncounter) -> Result<EncounterId> {
    let id = EncounterId::new();
    tx.execute(
        "INSERT INTO encounters (facility_id, id, patient_id, clinician_id, specialty, language, code_system)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[
            &tx.facility().0,
            &id.0,
            &new.patient.0,
            &new.clinician.0,
            &new.specialty.map(Specialty::as_str),
            &new.language.map(Language::code),
            &new.code_system.as_str(),
        ],
    )
    .await?;
    Ok(id)
}

pub async fn get(tx: &Tx, id: EncounterId) -> Result<Option<EncounterSummary>> {
    let sql = format!("SELECT {COLUMNS} FROM {FROM} WHERE e.id = $1");
    tx.query_opt(&sql, &[&id.0])
        .await?
        .map(|row| from_row(&row))
        .transpose()
}

/// An encounter with all that belongs to it.
pub async fn whole(tx: &Tx, id: EncounterId) -> Result<Option<Encounter>> {
    let mut reading = Reading::default();
    reading.whole(tx, id).await
}

/// What a cache was asked for, for the audit trail.
#[derive(Clone, Debug)]
pub struct Cached {
    pub kind: Kind,
    pub key: Key,
    pub found: Found,
}

/// Reads encounters, parts of them from a cache if there is one.
#[derive(Default)]
pub struct Reading<'a> {
    pub cache: Option<&'a MedicalCache>,
    /// What the cache was asked for.
    pub asked: Vec<Cached>,
}

impl Reading<'_> {
    /// As [`whole`].
    pub async fn whole(&mut self, tx: &Tx, id: EncounterId) -> Result<Option<Encounter>> {
        let Some(summary) = get(tx, id).await? else {
            return Ok(None);
        };
        // The moment of the newest change is part of the key, so that what is older is never found.
        let version = format!("{id}/{}", summary.updated_at.as_microsecond());
        let codes = async { suggestions::of(tx, id).await.map(Some) };
        let suggestions = self.get(tx, Kind::DiagnosisCodes, &version, codes).await?;
        let heard = transcript_of(tx, id);
        let transcript = self.get(tx, Kind::Transcription, &version, heard).await?;
        let recording = recording_of(tx, id).await?;
        let suggestions = suggestions.unwrap_or_default();
        assemble(tx, summary, suggestions, recording, transcript)
            .await
            .map(Some)
    }

    async fn get<T: Serialize + DeserializeOwned>(
        &mut self,
        tx: &Tx,
        kind: Kind,
        id: &str,
        load: impl Future<Output = Result<Option<T>>>,
    ) -> Result<Option<T>> {
        let Some(cache) = self.cache else {
            return load.await;
        };
        let key = Key::of(kind, tx.keys(), id);
        let (value, found) = cache.get(kind, &key, tx.keys(), load).await?;
        self.asked.push(Cached { kind, key, found });
        Ok(value)
    }
}

async fn assemble(
    tx: &Tx,
    summary: EncounterSummary,
    suggestions: Vec<Suggested>,
    recording: Option<Recording>,
    transcript: Option<Transcript>,
) -> Result<Encounter> {
    let id = summary.id;
    let lost = || Error::corrupt("encounters", "patient_id", id);
    let record = records::of_encounter(tx, id)
        .await?
        .map(|stored| stored.record.as_seen_with(&suggestions));
    Ok(Encounter {
        patient: patients::get(tx, summary.patient_id)
            .await?
            .ok_or_else(lost)?,
        recording,
        transcript,
        suggestions,
        record,
        failure: failure(tx, id).await?,
        summary,
    })
}

/// Holds the encounter against any other change until the transaction ends, and says where it stands.
pub async fn lock(tx: &Tx, id: EncounterId) -> Result<Option<State>> {
    tx.query_opt(
        "SELECT state::text FROM encounters WHERE id = $1 FOR UPDATE",
        &[&id.0],
    )
    .await?
    .map(|row| parse_state(row.get(0), id))
    .transpose()
}

pub async fn failure(tx: &Tx, id: EncounterId) -> Result<Option<Failure>> {
    let sql = "SELECT failure_code, failure_message FROM encounters WHERE id = $1 AND failure_code IS NOT NULL";
    let row = tx.query_opt(sql, &[&id.0]).await?;
    Ok(row.map(|row| Failure {
        code: row.get(0),
        message: row.get::<_, Option<String>>(1).unwrap_or_default(),
    }))
}

/// What a list of encounters is narrowed to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    pub clinician: Option<UserId>,
    pub patient: Option<PatientId>,
    pub state: Option<State>,
}

/// Newest first, after `cursor`.
pub async fn list(
    tx: &Tx,
    filter: Filter,
    cursor: Cursor,
    limit: i64,
) -> Result<Page<EncounterSummary>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM {FROM}
         WHERE ($1::uuid IS NULL OR e.clinician_id = $1) AND ($2::uuid IS NULL OR e.patient_id = $2)
           AND ($3::text IS NULL OR e.state = ($3::text)::encounter_state) AND (e.started_at, e.id) < ($4, $5)
         ORDER BY e.started_at DESC, e.id DESC LIMIT $6"
    );
    let rows = tx
        .query(
            &sql,
            &[
                &filter.clinician.map(|id| id.0),
                &filter.patient.map(|id| id.0),
                &filter.state.map(State::as_str),
                &cursor.at,
                &cursor.id,
                &(limit + 1),
            ],
        )
        .await?;
    let encounters = rows.iter().map(from_row).collect::<Result<Vec<_>>>()?;
    Ok(Page::of(encounters, limit, |encounter| Cursor {
        at: encounter.started_at,
        id: encounter.id.0,
    }))
}

/// Folds `event` into a locked encounter. A failure is written down with its words; anything else clears it.
pub async fn apply(
    tx: &Tx,
    id: EncounterId,
    state: State,
    event: Event,
    failure: Option<&Failure>,
) -> Result<State> {
    let next = state.apply(event)?;
    tx.execute(
        "UPDATE encounters SET state = ($2::text)::encounter_state, failure_code = $3, failure_message = $4, updated_at = now() WHERE id = $1",
        &[&id.0, &next.as_str(), &failure.map(|f| &f.code), &failure.map(|f| &f.message)],
    )
    .await?;
    Ok(next)
}

/// Names the job that works on the encounter now.
pub async fn set_job(tx: &Tx, id: EncounterId, job: JobId) -> Result<()> {
    tx.execute(
        "UPDATE encounters SET job_id = $2, updated_at = now() WHERE id = $1",
        &[&id.0, &job.0],
    )
    .await?;
    Ok(())
}

pub async fn add_recording(
    tx: &Tx,
    encounter: EncounterId,
    id: RecordingId,
    media_type: &str,
    bytes: i64,
) -> Result<()> {
    let key_version =
        i32::try_from(tx.keys().newest_version()).expect("a facility has far fewer than 2^31 keys");
    tx.execute(
        "INSERT INTO recordings (facility_id, id, encounter_id, media_type, bytes, key_version) VALUES ($1, $2, $3, $4, $5, $6)",
        &[&tx.facility().0, &id.0, &encounter.0, &media_type, &bytes, &key_version],
    )
    .await?;
    Ok(())
}

const RECORDING: &str = "id, media_type, bytes, duration_seconds, received_at, encounter_id";

/// The newest recording of an encounter.
pub async fn recording_of(tx: &Tx, encounter: EncounterId) -> Result<Option<Recording>> {
    let sql = format!(
        "SELECT {RECORDING} FROM recordings WHERE encounter_id = $1 ORDER BY received_at DESC LIMIT 1"
    );
    Ok(tx
        .query_opt(&sql, &[&encounter.0])
        .await?
        .map(|row| recording_from(&row)))
}

/// A recording and its encounter.
pub async fn recording(tx: &Tx, id: RecordingId) -> Result<Option<(Recording, EncounterId)>> {
    let sql = format!("SELECT {RECORDING} FROM recordings WHERE id = $1");
    let row = tx.query_opt(&sql, &[&id.0]).await?;
    Ok(row.map(|row| (recording_from(&row), EncounterId(row.get("encounter_id")))))
}

/// The newest transcript of an encounter.
pub async fn transcript_of(tx: &Tx, encounter: EncounterId) -> Result<Option<Transcript>> {
    let sql = "SELECT recording_id, content FROM transcripts WHERE encounter_id = $1 ORDER BY created_at DESC LIMIT 1";
    let Some(row) = tx.query_opt(sql, &[&encounter.0]).await? else {
        return Ok(None);
    };
    tx.open(&transcript_place(RecordingId(row.get(0))), row.get(1))
        .map(Some)
}

pub(super) async fn add_transcript(
    tx: &Tx,
    encounter: EncounterId,
    recording: RecordingId,
    transcript: &Transcript,
) -> Result<()> {
    let content = tx.seal(&transcript_place(recording), transcript)?;
    tx.execute(
        "INSERT INTO transcripts (facility_id, recording_id, encounter_id, content, model) VALUES ($1, $2, $3, $4, $5)",
        &[&tx.facility().0, &recording.0, &encounter.0, &content, &transcript.model],
    )
    .await?;
    tx.execute(
        "UPDATE recordings SET duration_seconds = $2 WHERE id = $1",
        &[&recording.0, &transcript.duration_seconds],
    )
    .await?;
    Ok(())
}

fn transcript_place(recording: RecordingId) -> Place {
    Place::new("transcripts", "content", recording)
}

fn recording_from(row: &Row) -> Recording {
    Recording {
        id: RecordingId(row.get("id")),
        media_type: row.get("media_type"),
        bytes: row.get("bytes"),
        duration_seconds: row.get("duration_seconds"),
        received_at: row.get("received_at"),
    }
}

fn from_row(row: &Row) -> Result<EncounterSummary> {
    let id = EncounterId(row.get("id"));
    let corrupt = |column| Error::corrupt("encounters", column, id);
    let specialty: Option<&str> = row.get("specialty");
    let language: Option<&str> = row.get("language");
    Ok(EncounterSummary {
        id,
        patient_id: PatientId(row.get("patient_id")),
        clinician_id: UserId(row.get("clinician_id")),
        specialty: specialty
            .map(str::parse)
            .transpose()
            .map_err(|_| corrupt("specialty"))?,
        language: language
            .map(str::parse)
            .transpose()
            .map_err(|_| corrupt("language"))?,
        code_system: row
            .get::<_, &str>("code_system")
            .parse()
            .map_err(|_| corrupt("code_system"))?,
        state: parse_state(row.get("state"), id)?,
        started_at: row.get("started_at"),
        updated_at: row.get("updated_at"),
        job_id: row.get::<_, Option<_>>("job_id").map(JobId),
        record_id: row.get::<_, Option<_>>("record_id").map(RecordId),
    })
}

fn parse_state(text: &str, id: EncounterId) -> Result<State> {
    text.parse()
        .map_err(|_| Error::corrupt("encounters", "state", id))
}
