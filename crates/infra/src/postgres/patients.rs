//! Patients: demographics sealed as one value, found by blind indexes of name, number and birth date.

use hysio_clinical::records::{Demographics, Patient};
use hysio_model::id::{PatientId, UserId};
use jiff::Timestamp;
use tokio_postgres::Row;

use super::{
    Error, Result, Tx,
    page::{Cursor, Page},
};
use crate::cipher::{FacilityKeys, Place};

const NAME: &str = "patients.name";
const MRN: &str = "patients.mrn";
const BIRTH_DATE: &str = "patients.birth_date";
/// The unique index that refuses a second patient with the same number.
pub const MRN_CONSTRAINT: &str = "patients_mrn";

/// # Errors
/// [`Error::Constraint`] [`MRN_CONSTRAINT`] when the facility has a patient with that number.
pub async fn insert(tx: &Tx, demographics: Demographics, by: UserId) -> Result<Patient> {
    let id = PatientId::new();
    let keys = tx.keys();
    let mrn = demographics
        .mrn
        .as_deref()
        .map(|mrn| keys.index().exact(MRN, mrn).to_vec());
    let row = tx
        .query_one(
            "INSERT INTO patients (facility_id, id, demographics, mrn_index, search_index, created_by)
             VALUES ($1, $2, $3, $4, $5, $6) RETURNING created_at",
            &[&tx.facility().0, &id.0, &seal(tx, id, &demographics)?, &mrn, &search_index(keys, &demographics), &by.0],
        )
        .await?;
    Ok(Patient {
        id,
        demographics,
        created_at: row.get(0),
    })
}

pub async fn get(tx: &Tx, id: PatientId) -> Result<Option<Patient>> {
    tx.query_opt(
        "SELECT id, demographics, created_at FROM patients WHERE id = $1",
        &[&id.0],
    )
    .await?
    .map(|row| from_row(tx, &row))
    .transpose()
}

/// The patients of `ids`, in no particular order.
pub async fn of(tx: &Tx, ids: &[uuid::Uuid]) -> Result<Vec<Patient>> {
    tx.query(
        "SELECT id, demographics, created_at FROM patients WHERE id = ANY ($1)",
        &[&ids],
    )
    .await?
    .iter()
    .map(|row| from_row(tx, row))
    .collect()
}

/// The patient with that number, if there is one.
pub async fn by_mrn(tx: &Tx, mrn: &str) -> Result<Option<PatientId>> {
    let index = tx.keys().index().exact(MRN, mrn.trim()).to_vec();
    let row = tx
        .query_opt("SELECT id FROM patients WHERE mrn_index = $1", &[&index])
        .await?;
    Ok(row.map(|row| PatientId(row.get(0))))
}

/// Newest first, after `cursor`. With a search text: those of whom every word begins a name, or the whole is the number
/// or the birth date.
pub async fn list(
    tx: &Tx,
    search: Option<&str>,
    cursor: Cursor,
    limit: i64,
) -> Result<Page<Patient>> {
    let more = limit + 1;
    let rows = match search.map(str::trim).filter(|text| !text.is_empty()) {
        None => {
            tx.query(
                "SELECT id, demographics, created_at FROM patients
                 WHERE (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3",
                &[&cursor.at, &cursor.id, &more],
            )
            .await?
        }
        Some(text) => {
            let index = tx.keys().index();
            let words: Vec<Vec<u8>> = index
                .query(NAME, text)
                .into_iter()
                .map(|token| token.to_vec())
                .collect();
            let whole = vec![
                index.exact(MRN, text).to_vec(),
                index.exact(BIRTH_DATE, text).to_vec(),
            ];
            tx.query(
                "SELECT id, demographics, created_at FROM patients
                 WHERE ((cardinality($1::bytea[]) > 0 AND search_index @> $1) OR search_index && $2::bytea[])
                   AND (created_at, id) < ($3, $4) ORDER BY created_at DESC, id DESC LIMIT $5",
                &[&words, &whole, &cursor.at, &cursor.id, &more],
            )
            .await?
        }
    };
    let patients = rows
        .iter()
        .map(|row| from_row(tx, row))
        .collect::<Result<Vec<_>>>()?;
    Ok(Page::of(patients, limit, |patient| Cursor {
        at: patient.created_at,
        id: patient.id.0,
    }))
}

fn search_index(keys: &FacilityKeys, demographics: &Demographics) -> Vec<Vec<u8>> {
    let index = keys.index();
    let names = [&demographics.given_name, &demographics.family_name];
    let mut tokens: Vec<Vec<u8>> = names
        .into_iter()
        .flat_map(|name| index.prefixes(NAME, name))
        .map(|token| token.to_vec())
        .collect();
    tokens.push(
        index
            .exact(BIRTH_DATE, &demographics.birth_date.to_string())
            .to_vec(),
    );
    tokens.extend(
        demographics
            .mrn
            .as_deref()
            .map(|mrn| index.exact(MRN, mrn).to_vec()),
    );
    tokens.sort();
    tokens.dedup();
    tokens
}

fn place(id: PatientId) -> Place {
    Place::new("patients", "demographics", id)
}

fn seal(tx: &Tx, id: PatientId, demographics: &Demographics) -> Result<Vec<u8>> {
    tx.seal(&place(id), demographics)
}

fn from_row(tx: &Tx, row: &Row) -> Result<Patient> {
    let id = PatientId(row.get("id"));
    let demographics = tx.open(&place(id), row.get("demographics"))?;
    let created_at: Timestamp = row.get("created_at");
    Ok(Patient {
        id,
        demographics,
        created_at,
    })
}

/// Whether an error says that the facility already has a patient with that number.
#[must_use]
pub fn is_mrn_taken(error: &Error) -> bool {
    matches!(error, Error::Constraint { constraint } if constraint.ends_with(MRN_CONSTRAINT))
}
