//! Decisions as they are kept: each that differs from the one before, with everything it was made of.

use std::sync::Mutex;

use async_trait::async_trait;
use hysio_control::{ports::Away, tick::DecisionLog};
use hysio_infra::postgres::{Database, scaling::decisions::Stored};
use hysio_scaling::{
    Resource, Snapshot,
    decide::{Decision, History, Verdict},
};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// A decision that says the same as the last is not kept again before this.
const SAME_EVERY: SignedDuration = SignedDuration::from_secs(30);
const SAMPLE_EVERY: SignedDuration = SignedDuration::from_secs(1);

pub struct Decisions {
    pub db: Database,
    pub policies_digest: Mutex<String>,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    id: Uuid,
    said: Vec<(Resource, i32, Option<i32>)>,
    stored_at: Option<Timestamp>,
    sampled_at: Option<Timestamp>,
}

impl Decisions {
    #[must_use]
    pub fn new(db: Database, policies_digest: String) -> Self {
        Self {
            db,
            policies_digest: Mutex::new(policies_digest),
            last: Mutex::default(),
        }
    }

    fn is_new(&self, decision: &Decision) -> Option<Uuid> {
        let last = self.last.lock().expect("nobody panics while holding it");
        let due = last
            .stored_at
            .is_none_or(|at| decision.at.duration_since(at) >= SAME_EVERY);
        (due || last.said != said(decision)).then(Uuid::now_v7)
    }

    fn sample_is_due(&self, at: Timestamp) -> bool {
        let mut last = self.last.lock().expect("nobody panics while holding it");
        let due = last
            .sampled_at
            .is_none_or(|before| at.duration_since(before) >= SAMPLE_EVERY);
        if due {
            last.sampled_at = Some(at);
        }
        due
    }
}

#[async_trait]
impl DecisionLog for Decisions {
    async fn history(&self) -> Result<History, Away> {
        let stored = self.db.scaling_history().await?;
        // A history of another version is forgotten: windows begin anew, and nothing shrinks for their length.
        Ok(stored
            .and_then(|history| serde_json::from_value(history).ok())
            .unwrap_or_default())
    }

    async fn store(
        &self,
        snapshot: &Snapshot,
        before: &History,
        decision: &Decision,
        after: &History,
    ) -> Result<Uuid, Away> {
        if self.sample_is_due(snapshot.at) {
            self.db
                .store_samples(snapshot.at, &samples(snapshot))
                .await?;
        }
        let after = json(after)?;
        let Some(id) = self.is_new(decision) else {
            self.db.store_history(&after).await?;
            return Ok(self.last.lock().expect("nobody panics while holding it").id);
        };
        let stored = Stored {
            id,
            at: decision.at,
            policies_digest: self
                .policies_digest
                .lock()
                .expect("nobody panics while holding it")
                .clone(),
            snapshot: json(snapshot)?,
            history: json(before)?,
            decision: json(decision)?,
            has_plan: decision.plans().next().is_some(),
        };
        self.db.store_decision(&stored, &after).await?;
        let mut last = self.last.lock().expect("nobody panics while holding it");
        (last.id, last.said, last.stored_at) = (id, said(decision), Some(decision.at));
        Ok(id)
    }
}

pub(super) fn json(value: &impl serde::Serialize) -> Result<serde_json::Value, Away> {
    serde_json::to_value(value)
        .map_err(|error| Away(format!("a decision cannot be written: {error}")))
}

fn said(decision: &Decision) -> Vec<(Resource, i32, Option<i32>)> {
    decision
        .outcomes
        .iter()
        .map(|outcome| {
            let to = match outcome.verdict {
                Verdict::Plan { to, .. } => Some(to),
                Verdict::NoPlan { .. } => None,
            };
            (outcome.resource, outcome.current, to)
        })
        .collect()
}

/// What charts show: every count that there is, and every signal that was read.
fn samples(snapshot: &Snapshot) -> Vec<(String, f64)> {
    let counts = snapshot.workloads.iter().flat_map(|(resource, workload)| {
        [
            (format!("{resource}.desired"), f64::from(workload.desired)),
            (format!("{resource}.ready"), f64::from(workload.ready)),
        ]
    });
    let signals = snapshot
        .signals
        .iter()
        .filter_map(|(signal, reading)| match reading {
            // The same reading under its metric's name is not kept twice.
            hysio_scaling::Reading::Value { value, .. } if !signal.contains('{') => {
                Some((signal.clone(), *value))
            }
            hysio_scaling::Reading::Value { .. } | hysio_scaling::Reading::Missing { .. } => None,
        });
    counts.chain(signals).collect()
}
