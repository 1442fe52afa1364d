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
use jiff::Timestamp;
use tokio_postgres::Row;

use super::{Error, Result, Tx, learning};
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
                manual: false,
            };
            insert(tx, &new).await?;
        }
    }
    Ok(())
}

/// A code that the clinician adds by hand. It is pending until it is decided on, in the same transaction.
pub async fn add_by_hand(
    tx: &Tx,
    encounter: EncounterId,
    suggestion: &Suggestion,
    specialty: Option<Specialty>,
) -> Result<SuggestionId> {
    let new = New {
        encounter,
        suggestion,
        rank: 0,
        model: "manual",
        specialty,
        manual: true,
    };
    insert(tx, &new).await
}

/// A suggestion that is held for a decision, with what learning needs to know of it.
pub struct Held {
    pub suggested: Suggested,
    pub specialty: Option<Specialty>,
    pub decided_at: Option<Timestamp>,
    /// Whether its decision is in the counts of what was learnt.
    pub counted: bool,
}

/// The suggestion, locked until the transaction ends.
pub async fn hold(tx: &Tx, encounter: EncounterId, id: SuggestionId) -> Result<Option<Held>> {
    let sql = format!(
        "SELECT {COLUMNS}, specialty, decided_at, counted FROM suggestions
         WHERE encounter_id = $1 AND id = $2 FOR UPDATE"
    );
    let row = tx.query_opt(&sql, &[&encounter.0, &id.0]).await?;
    row.map(|row| {
        let specialty: Option<&str> = row.get("specialty");
        Ok(Held {
            suggested: from_row(tx, &row)?,
            specialty: specialty.and_then(|name| name.parse().ok()),
            decided_at: row.get("decided_at"),
            counted: row.get("counted"),
        })
    })
    .transpose()
}

pub async fn get(tx: &Tx, encounter: EncounterId, id: SuggestionId) -> Result<Option<Suggested>> {
    let sql = format!("SELECT {COLUMNS} FROM suggestions WHERE encounter_id = $1 AND id = $2");
    tx.query_opt(&sql, &[&encounter.0, &id.0])
        .await?
        .map(|row| from_row(tx, &row))
        .transpose()
}

/// Decides on what is held, and learns from it.
pub async fn decide(tx: &Tx, held: &Held, decision: Decision, by: UserId) -> Result<()> {
    let counted = learning::decided(tx, held, decision).await?;
    if held.suggested.decision == decision {
        return Ok(());
    }
    let by = (decision != Decision::Pending).then_some(by.0);
    tx.execute(
        "UPDATE suggestions SET decision = ($2::text)::code_decision, decided_by = $3, decided_at = now(), counted = $4
         WHERE id = $1",
        &[&held.suggested.id.0, &decision.as_str(), &by, &counted],
    )
    .await?;
    touch(tx, held.suggested.id).await
}

/// Takes a suggestion away, and what it taught with it.
pub async fn withdraw(tx: &Tx, held: &Held) -> Result<()> {
    learning::decided(tx, held, Decision::Pending).await?;
    touch(tx, held.suggested.id).await?;
    tx.execute(
        "DELETE FROM suggestions WHERE id = $1",
        &[&held.suggested.id.0],
    )
    .await?;
    Ok(())
}

/// What an encounter's suggestions are has changed, and so has the encounter: whoever has read them before reads them again.
async fn touch(tx: &Tx, id: SuggestionId) -> Result<()> {
    tx.execute(
        "UPDATE encounters SET updated_at = clock_timestamp() WHERE id = (SELECT encounter_id FROM suggestions WHERE id = $1)",
        &[&id.0],
    )
    .await?;
    Ok(())
}

struct New<'a> {
    encounter: EncounterId,
    suggestion: &'a Suggestion,
    rank: i32,
    model: &'a str,
    specialty: Option<Specialty>,
    manual: bool,
}

async fn insert(tx: &Tx, new: &New<'_>) -> Result<SuggestionId> {
    let id = SuggestionId::new();
    tx.execute(
        "INSERT INTO suggestions (facility_id, id, encounter_id, rank, content, manual, model, specialty)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            &tx.facility().0,
            &id.0,
            &new.encounter.0,
            &new.rank,
            &tx.seal(&place(id), new.suggestion)?,
            &new.manual,
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
