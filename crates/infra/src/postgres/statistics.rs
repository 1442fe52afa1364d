//! Counts over all facilities, for metrics: numbers and closed words, never patient data.

use hysio_model::QueueName;

use super::{Database, Result};

pub struct QueueDepth {
    pub queue: QueueName,
    pub state: String,
    pub jobs: i64,
    pub oldest_seconds: f64,
}

pub struct ActiveSessions {
    pub facility: Option<i32>,
    pub role: String,
    pub sessions: i64,
}

pub struct CodeDecisions {
    pub specialty: String,
    pub model: String,
    pub accepted: i64,
    pub rejected: i64,
}

/// What is asked of one medical specialty.
pub struct SpecialtyDemand {
    pub specialty: String,
    /// Begun within the last hour.
    pub encounters: i64,
    pub longest_wait_seconds: f64,
}

impl Database {
    pub async fn demand_by_specialty(&self) -> Result<Vec<SpecialtyDemand>> {
        let sql = "SELECT specialty, encounters, longest_wait_seconds FROM demand_by_specialty()";
        let rows = self.client().await?.query(sql, &[]).await?;
        Ok(rows
            .iter()
            .map(|row| SpecialtyDemand {
                specialty: row.get(0),
                encounters: row.get(1),
                longest_wait_seconds: row.get(2),
            })
            .collect())
    }

    pub async fn queue_depths(&self) -> Result<Vec<QueueDepth>> {
        let rows = self
            .client()
            .await?
            .query(
                "SELECT queue, state, jobs, oldest_seconds FROM queue_depths()",
                &[],
            )
            .await?;
        Ok(rows
            .iter()
            .filter_map(|row| {
                let queue = row.get::<_, &str>(0).parse().ok()?;
                Some(QueueDepth {
                    queue,
                    state: row.get(1),
                    jobs: row.get(2),
                    oldest_seconds: row.get(3),
                })
            })
            .collect())
    }

    /// Sessions that were used within `idle`.
    pub async fn active_sessions(&self, idle: std::time::Duration) -> Result<Vec<ActiveSessions>> {
        let sql = "SELECT facility_id, role::text, count(*) FROM sessions
                   WHERE expires_at > now() AND last_seen_at > now() - make_interval(secs => $1) GROUP BY 1, 2";
        let rows = self
            .client()
            .await?
            .query(sql, &[&idle.as_secs_f64()])
            .await?;
        Ok(rows
            .iter()
            .map(|row| ActiveSessions {
                facility: row.get(0),
                role: row.get(1),
                sessions: row.get(2),
            })
            .collect())
    }

    /// What clinicians made of suggestions so far.
    pub async fn code_decisions(&self) -> Result<Vec<CodeDecisions>> {
        let rows = self
            .client()
            .await?
            .query(
                "SELECT specialty, model, accepted, rejected FROM code_decisions()",
                &[],
            )
            .await?;
        Ok(rows
            .iter()
            .map(|row| CodeDecisions {
                specialty: row.get(0),
                model: row.get(1),
                accepted: row.get(2),
                rejected: row.get(3),
            })
            .collect())
    }
}
