//! Declared emergencies: each has an owner, a reason and an end, and one at most is on.

use hysio_model::{
    QueueName,
    audit::{AuditEvent, Outcome},
};
use hysio_scaling::snapshot::DeclaredEmergency;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::postgres::{Database, Error, Result, Tx};

impl Database {
    /// The emergency that is declared and not stood down, also past its end: the policy says then that it counts no more.
    pub async fn emergency(&self) -> Result<Option<DeclaredEmergency>> {
        let tx = self.platform_tx().await?;
        let row = tx
            .query_opt(
                "SELECT scenario, owner, reason, declared_at, ends_at FROM emergencies WHERE stood_down_at IS NULL",
                &[],
            )
            .await?;
        tx.commit(&[]).await?;
        Ok(row.map(|row| DeclaredEmergency {
            scenario: row.get(0),
            owner: row.get(1),
            reason: row.get(2),
            declared_at: row.get(3),
            ends_at: row.get(4),
        }))
    }

    /// Declares one, with the queues whose jobs go first while it lasts. `by` does so, who need not be its owner. False when
    /// another is on already; one past its end gives way.
    pub async fn declare_emergency(
        &self,
        emergency: &DeclaredEmergency,
        priority_queues: &[QueueName],
        by: &str,
    ) -> Result<bool> {
        let queues: Vec<&str> = priority_queues.iter().map(|it| it.as_str()).collect();
        let id = Uuid::now_v7();
        let tx = self.platform_tx().await?;
        let mut entries = end_expired(&tx).await?;
        let declared = tx
            .execute(
                "INSERT INTO emergencies (id, scenario, owner, reason, declared_at, ends_at, priority_queues) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                &[
                    &id,
                    &emergency.scenario,
                    &emergency.owner,
                    &emergency.reason,
                    &emergency.declared_at,
                    &emergency.ends_at,
                    &queues,
                ],
            )
            .await;
        match declared {
            Ok(_) => {}
            Err(Error::Constraint { constraint }) if constraint == "emergencies_live" => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        tx.query("SELECT pg_notify('hysio_scaling', 'emergency')", &[])
            .await?;
        let details = json!({
            "scenario": emergency.scenario,
            "owner": emergency.owner,
            "reason": emergency.reason,
            "ends_at": emergency.ends_at,
        });
        entries.push(entry(id, by, "emergency.declare", details));
        tx.commit(&entries).await?;
        Ok(true)
    }

    /// Notes the end of one that has ended by itself.
    pub async fn end_emergency(&self) -> Result<()> {
        let tx = self.platform_tx().await?;
        let entries = end_expired(&tx).await?;
        tx.commit(&entries).await
    }

    /// Ends the one that is on. None when there is none.
    pub async fn stand_down(&self, by: &str, why: &str) -> Result<Option<String>> {
        let tx = self.platform_tx().await?;
        let row = tx
            .query_opt(
                "UPDATE emergencies SET stood_down_at = now(), stood_down_by = $1 WHERE stood_down_at IS NULL RETURNING id, scenario",
                &[&by],
            )
            .await?;
        let Some(row) = row else {
            tx.commit(&[]).await?;
            return Ok(None);
        };
        tx.query("SELECT pg_notify('hysio_scaling', 'emergency')", &[])
            .await?;
        let scenario: String = row.get(1);
        let details = json!({ "scenario": scenario, "reason": why });
        let entry = entry(row.get(0), by, "emergency.stand_down", details);
        tx.commit(&[entry]).await?;
        Ok(Some(scenario))
    }
}

async fn end_expired(tx: &Tx) -> Result<Vec<AuditEvent>> {
    let rows = tx
        .query(
            "UPDATE emergencies SET stood_down_at = ends_at, stood_down_by = 'its end'
             WHERE stood_down_at IS NULL AND ends_at <= now() RETURNING id, scenario, ends_at",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let ends_at: Timestamp = row.get(2);
            let details = json!({ "scenario": row.get::<_, String>(1), "ends_at": ends_at, "reason": "its time is over" });
            entry(row.get(0), "scaler", "emergency.end", details)
        })
        .collect())
}

fn entry(id: Uuid, actor: &str, action: &str, details: serde_json::Value) -> AuditEvent {
    AuditEvent {
        id: Uuid::now_v7(),
        at: Timestamp::now(),
        facility: None,
        actor: actor.to_owned(),
        action: action.to_owned(),
        resource: "emergency".to_owned(),
        resource_id: id.to_string(),
        outcome: Outcome::Success,
        details,
    }
}
