//! Decisions with all that they were made of, and what was measured over time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postgres_types::Json;
use serde_json::Value;
use uuid::Uuid;

use crate::postgres::{Database, Result};

/// A decision, whole: made again from its parts it is the same.
#[derive(Clone, Debug)]
pub struct Stored {
    pub id: Uuid,
    pub at: Timestamp,
    pub policies_digest: String,
    pub snapshot: Value,
    pub history: Value,
    pub decision: Value,
    pub has_plan: bool,
}

/// Decisions that changed nothing are kept this long; those with a plan for good.
const KEEP_IDLE: &str = "1 day";
const KEEP_SAMPLES: &str = "35 days";
/// Samples of every second are kept this long, then one a minute.
const KEEP_SECONDS: &str = "1 day";

impl Database {
    pub async fn store_decision(&self, stored: &Stored, history_after: &Value) -> Result<()> {
        let tx = self.platform_tx().await?;
        tx.execute(
            "INSERT INTO scaling_decisions (id, at, policies_digest, snapshot, history, decision, has_plan) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &[
                &stored.id,
                &stored.at,
                &stored.policies_digest,
                &stored.snapshot,
                &stored.history,
                &stored.decision,
                &stored.has_plan,
            ],
        )
        .await?;
        save_history(&tx, history_after).await?;
        tx.commit(&[]).await
    }

    /// Only what carries over: the decision was the same as the one before.
    pub async fn store_history(&self, history: &Value) -> Result<()> {
        let tx = self.platform_tx().await?;
        save_history(&tx, history).await?;
        tx.commit(&[]).await
    }

    pub async fn scaling_history(&self) -> Result<Option<Value>> {
        let tx = self.platform_tx().await?;
        let row = tx
            .query_opt("SELECT history FROM scaling_history", &[])
            .await?;
        tx.commit(&[]).await?;
        Ok(row.map(|row| row.get(0)))
    }

    pub async fn decision(&self, id: Uuid) -> Result<Option<Stored>> {
        Ok(self
            .decisions("WHERE id = $1::uuid", Some(id), 1)
            .await?
            .pop())
    }

    /// The newest decisions, newest first.
    pub async fn newest_decisions(&self, limit: i64) -> Result<Vec<Stored>> {
        self.decisions("WHERE $1::uuid IS NULL", None, limit).await
    }

    async fn decisions(&self, filter: &str, id: Option<Uuid>, limit: i64) -> Result<Vec<Stored>> {
        let tx = self.platform_tx().await?;
        let sql = format!(
            "SELECT id, at, policies_digest, snapshot, history, decision, has_plan FROM scaling_decisions {filter} ORDER BY at DESC LIMIT $2"
        );
        let rows = tx.query(&sql, &[&id, &limit]).await?;
        tx.commit(&[]).await?;
        Ok(rows
            .iter()
            .map(|row| Stored {
                id: row.get(0),
                at: row.get(1),
                policies_digest: row.get(2),
                snapshot: row.get(3),
                history: row.get(4),
                decision: row.get(5),
                has_plan: row.get(6),
            })
            .collect())
    }

    /// Keeps the files that a set of policies was read from, once.
    pub async fn keep_policies(
        &self,
        digest: &str,
        files: &BTreeMap<String, String>,
    ) -> Result<()> {
        let tx = self.platform_tx().await?;
        tx.execute(
            "INSERT INTO scaling_policies (digest, files) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING",
            &[&digest, &Json(files)],
        )
        .await?;
        tx.commit(&[]).await
    }

    pub async fn kept_policies(&self, digest: &str) -> Result<Option<BTreeMap<String, String>>> {
        let tx = self.platform_tx().await?;
        let row = tx
            .query_opt(
                "SELECT files FROM scaling_policies WHERE digest = $1",
                &[&digest],
            )
            .await?;
        tx.commit(&[]).await?;
        Ok(row.map(|row| row.get::<_, Json<BTreeMap<String, String>>>(0).0))
    }

    /// The policies of the newest decision.
    pub async fn policies_in_force(&self) -> Result<Option<BTreeMap<String, String>>> {
        match self.newest_decisions(1).await?.pop() {
            Some(newest) => self.kept_policies(&newest.policies_digest).await,
            None => Ok(None),
        }
    }

    pub async fn store_samples(&self, at: Timestamp, samples: &[(String, f64)]) -> Result<()> {
        let (series, values): (Vec<&str>, Vec<f64>) = samples
            .iter()
            .map(|(series, value)| (series.as_str(), *value))
            .unzip();
        let tx = self.platform_tx().await?;
        tx.execute(
            "INSERT INTO scaling_samples (at, series, value) SELECT $1, * FROM unnest($2::text[], $3::float8[]) ON CONFLICT DO NOTHING",
            &[&at, &series, &values],
        )
        .await?;
        tx.commit(&[]).await
    }

    /// A series since a moment, oldest first, thinned to about `points`.
    pub async fn samples(
        &self,
        since: Timestamp,
        points: i64,
    ) -> Result<BTreeMap<String, Vec<(Timestamp, f64)>>> {
        let tx = self.platform_tx().await?;
        let rows = tx
            .query(
                "SELECT series, date_bin(greatest((now() - $1) / $2::float8, interval '1 second'), at, $1) AS bin, max(value)
                 FROM scaling_samples WHERE at >= $1 GROUP BY 1, 2 ORDER BY 1, 2",
                &[&since, &float(points)],
            )
            .await?;
        tx.commit(&[]).await?;
        let mut all: BTreeMap<String, Vec<(Timestamp, f64)>> = BTreeMap::new();
        for row in rows {
            all.entry(row.get(0))
                .or_default()
                .push((row.get(1), row.get(2)));
        }
        Ok(all)
    }

    pub async fn sweep_decisions(&self) -> Result<()> {
        self.put_hours_together().await?;
        let tx = self.platform_tx().await?;
        tx.execute(
            &format!("DELETE FROM scaling_decisions WHERE NOT has_plan AND at < now() - interval '{KEEP_IDLE}'"),
            &[],
        )
        .await?;
        tx.execute(
            &format!(
                "DELETE FROM scaling_samples WHERE at < now() - interval '{KEEP_SAMPLES}'
                    OR (at < now() - interval '{KEEP_SECONDS}' AND date_part('second', at) >= 1)"
            ),
            &[],
        )
        .await?;
        tx.commit(&[]).await
    }
}

async fn save_history(tx: &crate::postgres::Tx, history: &Value) -> Result<()> {
    tx.execute(
        "INSERT INTO scaling_history (history) VALUES ($1) ON CONFLICT (only_row) DO UPDATE SET history = $1, updated_at = now()",
        &[history],
    )
    .await
    .map(drop)
}

#[expect(clippy::cast_precision_loss, reason = "points of a chart are few")]
fn float(points: i64) -> f64 {
    points.max(1) as f64
}
