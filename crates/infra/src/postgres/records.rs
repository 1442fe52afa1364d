//! Records: the newest version in `patient_records`, every version in `patient_record_versions`, and their reports.

use hysio_clinical::records::{Code, MedicalRecord, Note, Record, RecordState};
use hysio_model::id::{EncounterId, PatientId, RecordId, UserId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Error, Result, Tx};
use crate::cipher::Place;

const COLUMNS: &str = "r.id, r.encounter_id, r.patient_id, r.version, r.state::text AS state, r.medical_record, r.author_id, r.signed_at, r.signed_by,
    r.created_at, r.updated_at, (SELECT name FROM profile(r.signed_by)) AS signed_by_name";

/// A record with what it says, and the transcript it was drafted from.
pub struct Stored {
    pub record: Record,
    /// Who made this version; nobody, where the draft came from a dictation.
    pub author: Option<UserId>,
    pub transcript: String,
}

/// A version as the history lists it.
pub struct Version {
    pub version: i32,
    pub state: RecordState,
    pub author_id: Option<Uuid>,
    pub author_name: Option<String>,
    pub created_at: jiff::Timestamp,
}

pub async fn get(tx: &Tx, id: RecordId) -> Result<Option<Stored>> {
    let sql =
        format!("SELECT {COLUMNS} FROM patient_records r WHERE r.id = $1 AND r.facility_id = $2");
    tx.query_opt(&sql, &[&id.0, &tx.facility().0])
        .await?
        .map(|row| from_row(tx, &row))
        .transpose()
}

/// Opens the facility's newest record and throws the content away: whether what is stored can still be read.
pub(super) async fn open_newest(tx: &Tx) -> Result<()> {
    let sql = format!(
        "SELECT {COLUMNS} FROM patient_records r WHERE r.facility_id = $1 ORDER BY r.updated_at DESC LIMIT 1"
    );
    if let Some(row) = tx.query_opt(&sql, &[&tx.facility().0]).await? {
        from_row(tx, &row)?;
    }
    Ok(())
}

pub async fn of_encounter(tx: &Tx, encounter: EncounterId) -> Result<Option<Stored>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM patient_records r WHERE r.encounter_id = $1 AND r.facility_id = $2"
    );
    tx.query_opt(&sql, &[&encounter.0, &tx.facility().0])
        .await?
        .map(|row| from_row(tx, &row))
        .transpose()
}

/// Holds the record against any other change until the transaction ends: its version and state.
pub async fn lock(tx: &Tx, id: RecordId) -> Result<Option<(i32, RecordState, EncounterId)>> {
    let sql = "SELECT version, state::text, encounter_id FROM patient_records WHERE id = $1 AND facility_id = $2 FOR UPDATE";
    let Some(row) = tx.query_opt(sql, &[&id.0, &tx.facility().0]).await? else {
        return Ok(None);
    };
    Ok(Some((
        row.get(0),
        state(row.get(1), id)?,
        EncounterId(row.get(2)),
    )))
}

/// The first version of an encounter's record.
pub async fn insert(
    tx: &Tx,
    encounter: EncounterId,
    patient: PatientId,
    content: &MedicalRecord,
    author: Option<UserId>,
) -> Result<RecordId> {
    let id: i64 = tx
        .query_one("SELECT nextval('patient_records_id_seq')", &[])
        .await?
        .get(0);
    let id = RecordId(id);
    let sealed = tx.keys().seal_json(&place(id, 1), content)?;
    tx.execute(
        "INSERT INTO patient_records (id, facility_id, patient_id, medical_record, encounter_id, version, author_id)
         VALUES ($1, $2, $3, $4, $5, 1, $6)",
        &[&id.0, &tx.facility().0, &patient.to_string(), &sealed, &encounter.0, &author.map(|id| id.0)],
    )
    .await?;
    keep_version(tx, id).await?;
    Ok(id)
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Edit,
    Sign,
    /// Opens a signed record again; the signed version stays as it is.
    Amend,
}

/// The next version of a locked record, with `content`. Returns its number.
pub async fn update(
    tx: &Tx,
    id: RecordId,
    version: i32,
    content: &MedicalRecord,
    change: Change,
    by: UserId,
) -> Result<i32> {
    let next = version + 1;
    let sealed = tx.keys().seal_json(&place(id, next), content)?;
    let signed_by = (change == Change::Sign).then_some(by.0);
    let state = if change == Change::Sign {
        RecordState::Signed
    } else {
        RecordState::Draft
    };
    tx.execute(
        "UPDATE patient_records SET medical_record = $3, version = $4, author_id = $5, state = ($6::text)::record_state,
            signed_by = $7, signed_at = CASE WHEN $7::uuid IS NULL THEN NULL ELSE now() END, updated_at = now()
         WHERE id = $1 AND facility_id = $2",
        &[&id.0, &tx.facility().0, &sealed, &next, &by.0, &state.as_str(), &signed_by],
    )
    .await?;
    keep_version(tx, id).await?;
    Ok(next)
}

async fn keep_version(tx: &Tx, id: RecordId) -> Result<()> {
    tx.execute(
        "INSERT INTO patient_record_versions (facility_id, record_id, version, medical_record, state, author_id, signed_at, signed_by)
         SELECT facility_id, id, version, medical_record, state, author_id, signed_at, signed_by
         FROM patient_records WHERE id = $1 AND facility_id = $2",
        &[&id.0, &tx.facility().0],
    )
    .await?;
    Ok(())
}

/// Newest first.
pub async fn versions(tx: &Tx, id: RecordId) -> Result<Vec<Version>> {
    let sql = "SELECT version, state::text AS state, author_id, (SELECT name FROM profile(author_id)) AS author_name, created_at
               FROM patient_record_versions WHERE record_id = $1 AND facility_id = $2 ORDER BY version DESC";
    let rows = tx.query(sql, &[&id.0, &tx.facility().0]).await?;
    rows.iter()
        .map(|row| {
            Ok(Version {
                version: row.get("version"),
                state: state(row.get("state"), id)?,
                author_id: row.get("author_id"),
                author_name: row.get("author_name"),
                created_at: row.get("created_at"),
            })
        })
        .collect()
}

/// One version as it was.
pub async fn version(tx: &Tx, id: RecordId, version: i32) -> Result<Option<Stored>> {
    let sql = "SELECT v.record_id AS id, r.encounter_id, r.patient_id, v.version, v.state::text AS state, v.medical_record, v.author_id, v.signed_at,
                 v.signed_by, r.created_at, v.created_at AS updated_at, (SELECT name FROM profile(v.signed_by)) AS signed_by_name
               FROM patient_record_versions v JOIN patient_records r ON r.facility_id = v.facility_id AND r.id = v.record_id
               WHERE v.record_id = $1 AND v.facility_id = $2 AND v.version = $3";
    tx.query_opt(sql, &[&id.0, &tx.facility().0, &version])
        .await?
        .map(|row| from_row(tx, &row))
        .transpose()
}

pub async fn report(tx: &Tx, id: RecordId, version: i32) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT content FROM reports WHERE record_id = $1 AND version = $2";
    let Some(row) = tx.query_opt(sql, &[&id.0, &version]).await? else {
        return Ok(None);
    };
    let place = report_place(id, version);
    let plain = tx
        .keys()
        .open(&place, row.get(0))
        .map_err(|error| tx.opening_failed(error))?;
    Ok(Some(plain.expose().clone()))
}

pub(super) async fn add_report(tx: &Tx, id: RecordId, version: i32, pdf: &[u8]) -> Result<()> {
    tx.execute(
        "INSERT INTO reports (facility_id, record_id, version, content) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        &[&tx.facility().0, &id.0, &version, &tx.keys().seal(&report_place(id, version), pdf)],
    )
    .await?;
    Ok(())
}

fn place(id: RecordId, version: i32) -> Place {
    Place::new(
        "patient_records",
        "medical_record",
        format_args!("{id}/{version}"),
    )
}

fn report_place(id: RecordId, version: i32) -> Place {
    Place::new("reports", "content", format_args!("{id}/{version}"))
}

fn state(text: &str, id: RecordId) -> Result<RecordState> {
    match text {
        "draft" => Ok(RecordState::Draft),
        "signed" => Ok(RecordState::Signed),
        _ => Err(Error::corrupt("patient_records", "state", id)),
    }
}

fn from_row(tx: &Tx, row: &Row) -> Result<Stored> {
    let id = RecordId(row.get("id"));
    let version: i32 = row.get("version");
    let content: MedicalRecord =
        tx.open_document(&place(id, version), &row.get("medical_record"))?;
    let patient_id = row
        .get::<_, &str>("patient_id")
        .parse()
        .map_err(|_| Error::corrupt("patient_records", "patient_id", id))?;
    let (note, codes): (Note, Vec<Code>) = (content.note, content.codes);
    let record = Record {
        id,
        encounter_id: EncounterId(row.get("encounter_id")),
        patient_id,
        version,
        state: state(row.get("state"), id)?,
        note,
        codes,
        signed_at: row.get("signed_at"),
        signed_by: row.get::<_, Option<_>>("signed_by").map(UserId),
        signed_by_name: row.get("signed_by_name"),
        created_at: row.get("created_at"),
        updated_at: row.get("updated_at"),
    };
    Ok(Stored {
        record,
        author: row.get::<_, Option<_>>("author_id").map(UserId),
        transcript: content.transcript,
    })
}
