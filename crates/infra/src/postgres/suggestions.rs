//! Suggested codes and what became of them. The suggestion itself, code and evidence, is sealed.

use hysio_clinical::{
    ports::Coding,
    records::{Decision, Suggested},
};
use hysio_model::{
    Specialty,
    diagnosis::Suggestion,
    id::{EncounterId, SuggestionId, UserId},
};
use tokio_postgres::Row;

use super::{Error, Result, Tx};
use crate::cipher::Place;

const COLUMNS: &str = "id, content, rank, decision::text AS decision, manual";

pub async fn of(tx: &Tx, encounter: EncounterId) -> Result<Vec<Suggested>> {
    let sql =
        format!("SELECT {COLUMNS} FROM suggestions WHERE encounter_id = $1 ORDER BY rank, id");
    tx.query(&sql, &[&encounter.0])
        .await?
        .iter()
        .map(|row| from_row(tx, row))
        .collect()
}

/// New suggestions take the place of those that nobody has decided on. What was decided stays, and is not suggested twice.
pub(super) async fn replace(
    tx: &Tx,
    encounter: EncounterId,
    coding: &Coding,
    specialty: Option<Specialty>,
) -> Result<()> {
    tx.execute(
        "DELETE FROM suggestions WHERE encounter_id = $1 AND decision = 'pending'",
        &[&encounter.0],
    )
    .await?;
    let decided = of(tx, encounter).await?;
    for (rank, suggestion) in (1_i32..).zip(&coding.suggestions) {
        let known = decided.iter().any(|old| {
            old.suggestion.code == suggestion.code && old.suggestion.system == suggestion.system
        });
        if !known {
            let new = New {
                encounter,
                suggestion,
                rank,
                model: &coding.model,
                specialty,
                accepted_by: None,
            };
            insert(tx, &new).await?;
        }
    }
    Ok(())
}

/// A code that the clinician adds by hand, accepted with that.
pub async fn add_by_hand(
    tx: &Tx,
    encounter: EncounterId,
    suggestion: &Suggestion,
    by: UserId,
) -> Result<SuggestionId> {
    let new = New {
        encounter,
        suggestion,
        rank: 0,
        model: "manual",
        specialty: None,
        accepted_by: Some(by),
    };
    insert(tx, &new).await
}

pub async fn get(tx: &Tx, encounter: EncounterId, id: SuggestionId) -> Result<Option<Suggested>> {
    let sql = format!("SELECT {COLUMNS} FROM suggestions WHERE encounter_id = $1 AND id = $2");
    tx.query_opt(&sql, &[&encounter.0, &id.0])
        .await?
        .map(|row| from_row(tx, &row))
        .transpose()
}

/// False when there is no such suggestion.
pub async fn decide(
    tx: &Tx,
    encounter: EncounterId,
    id: SuggestionId,
    decision: Decision,
    by: UserId,
) -> Result<bool> {
    let by = (decision != Decision::Pending).then_some(by.0);
    let changed = tx
        .execute(
            "UPDATE suggestions SET decision = ($3::text)::code_decision, decided_by = $4, decided_at = now()
             WHERE encounter_id = $1 AND id = $2",
            &[&encounter.0, &id.0, &decision.as_str(), &by],
        )
        .await?;
    Ok(changed == 1)
}

struct New<'a> {
    encounter: EncounterId,
    suggestion: &'a Suggestion,
    rank: i32,
    model: &'a str,
    specialty: Option<Specialty>,
    accepted_by: Option<UserId>,
}

async fn insert(tx: &Tx, new: &New<'_>) -> Result<SuggestionId> {
    let id = SuggestionId::new();
    let decision = if new.accepted_by.is_some() {
        Decision::Accepted
    } else {
        Decision::Pending
    };
    tx.execute(
        "INSERT INTO suggestions (facility_id, id, encounter_id, rank, content, decision, decided_by, decided_at, manual, model, specialty)
         VALUES ($1, $2, $3, $4, $5, ($6::text)::code_decision, $7, CASE WHEN $7::uuid IS NULL THEN NULL ELSE now() END, $8, $9, $10)",
        &[
            &tx.facility().0,
            &id.0,
            &new.encounter.0,
            &new.rank,
            &tx.seal(&place(id), new.suggestion)?,
            &decision.as_str(),
            &new.accepted_by.map(|id| id.0),
            &new.accepted_by.is_some(),
            &new.model,
            &new.specialty.map(Specialty::as_str),
        ],
    )
    .await?;
    Ok(id)
}

fn place(id: SuggestionId) -> Place {
    Place::new("suggestions", "content", id)
}

fn from_row(tx: &Tx, row: &Row) -> Result<Suggested> {
    let id = SuggestionId(row.get("id"));
    let decision = match row.get("decision") {
        "pending" => Decision::Pending,
        "accepted" => Decision::Accepted,
        "rejected" => Decision::Rejected,
        _ => return Err(Error::corrupt("suggestions", "decision", id)),
    };
    Ok(Suggested {
        id,
        suggestion: tx.open(&place(id), row.get("content"))?,
        rank: row.get("rank"),
        decision,
        manual: row.get("manual"),
    })
}
