//! Facts for the gates that the database can tell.

use std::time::{Duration, Instant};

use hysio_control::transaction::{Counter, Counters};
use hysio_scaling::{
    gates::{AuditFacts, DatabaseFacts, KeyFacts, ServiceFacts},
    metrics::QUERY_BUCKETS,
};
use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::{
    audit::{Checkpoint, Finding, Frontier, StoredCheckpoint, Verifier, VerifyingKeys},
    postgres::{Connection, Database, Error, Result, audit, migrate},
};

/// Records in the sample whose digest is compared.
const RECORDS_SAMPLED: i32 = 200;

impl Database {
    pub async fn database_facts(&self) -> Result<DatabaseFacts> {
        let tx = self.platform_tx().await?;
        let row = tx
            .query_one(
                "SELECT pg_is_in_recovery(), (SELECT coalesce(max(version), 0) FROM refinery_schema_history)::integer,
                        (SELECT coalesce(sum(checksum_failures), 0) FROM pg_stat_database)::bigint,
                        (SELECT count(*) FROM pg_index WHERE NOT indisvalid)",
                &[],
            )
            .await?;
        tx.commit(&[]).await?;
        Ok(DatabaseFacts {
            in_recovery: row.get(0),
            schema: row.get(1),
            schema_needed: migrate::needed(),
            checksum_failures: row.get(2),
            invalid_indexes: row.get(3),
        })
    }

    /// Unwraps every facility's newest keys and uses them on a known value.
    pub async fn key_facts(&self) -> Result<KeyFacts> {
        let facilities = self.facilities_with_keys().await?;
        let mut facts = KeyFacts {
            tried: 0,
            decrypted: 0,
        };
        for facility in facilities {
            facts.tried += 1;
            // Read again from the database, so that what is tried is what is stored.
            self.vault().forget(facility);
            match self.seal_and_open(facility).await {
                Ok(()) => facts.decrypted += 1,
                Err(Error::Cipher(_) | Error::Keys(_) | Error::Corrupt { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(facts)
    }

    /// Proves the trail and tries to write to it. What was proven less than a day ago, up to a checkpoint that is still there,
    /// is not proven again: a long trail would hold every change up.
    pub async fn audit_facts(
        &self,
        keys: &VerifyingKeys,
        known: &Mutex<Option<ProvenTrail>>,
    ) -> Result<AuditFacts> {
        let client = self.client().await?;
        let mut known = known.lock().await;
        let earlier = match known.take() {
            Some(proven) if proven.is_good(&client).await? => Some(proven),
            _ => None,
        };
        let newest = audit::stored_checkpoint(&client, None).await?;
        let size = earlier.as_ref().map_or(0, |proven| proven.checkpoint.size);
        let verifier = match &earlier {
            Some(proven) => {
                Verifier::after(keys, proven.checkpoint.clone(), proven.frontier.clone())
            }
            None => Verifier::new(keys),
        };
        let report = audit::verify_from(client.direct(), verifier, size).await?;
        if report.findings.is_empty() {
            *known = newest.and_then(|stored| ProvenTrail::of(stored, keys, earlier.as_ref()));
        }
        let waiting = client
            .query_one(
                "SELECT coalesce(extract(epoch FROM now() - min(recorded_at)), 0)::bigint FROM audit_entries WHERE leaf_index IS NULL",
                &[],
            )
            .await?;
        Ok(AuditFacts {
            proven: report.entries - report.waiting,
            proven_before: size,
            size: report.size,
            broken: broken(&report.findings),
            writable: self.check_audit().await.is_ok(),
            waiting_seconds: waiting.get(0),
        })
    }

    /// A digest over records as they were written up to `until`. Equal as long as nothing stored has changed.
    pub async fn records_digest(&self, until: Timestamp) -> Result<String> {
        let tx = self.platform_tx().await?;
        let row = tx
            .query_one("SELECT records_digest($1, $2)", &[&until, &RECORDS_SAMPLED])
            .await?;
        tx.commit(&[]).await?;
        Ok(row.get(0))
    }

    /// What every instance has counted so far.
    pub async fn counters(&self) -> Result<Counters> {
        Ok(self
            .instances()
            .await?
            .into_iter()
            .map(|instance| (instance.id, instance.counter))
            .collect())
    }

    /// Connections that the server gives to the services at most.
    pub async fn connections_max(&self) -> Result<i32> {
        let row = self
            .client()
            .await?
            .query_one(
                "SELECT current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
                     - coalesce(current_setting('reserved_connections', true), '0')::integer",
                &[],
            )
            .await?;
        Ok(row.get(0))
    }
}

/// A trail up to a checkpoint, as it was proven in this process.
pub struct ProvenTrail {
    checkpoint: Checkpoint,
    frontier: Frontier,
    note: String,
    /// When all of it was proven from its beginning.
    since: Instant,
}

impl ProvenTrail {
    const GOOD_FOR: Duration = Duration::from_secs(24 * 60 * 60);

    fn of(stored: StoredCheckpoint, keys: &VerifyingKeys, earlier: Option<&Self>) -> Option<Self> {
        let (checkpoint, frontier) = stored.open(keys).ok()?;
        Some(Self {
            checkpoint,
            frontier,
            note: stored.note,
            since: earlier.map_or_else(Instant::now, |earlier| earlier.since),
        })
    }

    async fn is_good(&self, client: &Connection) -> Result<bool> {
        let stored = audit::stored_checkpoint(client, Some(self.checkpoint.size)).await?;
        let is_there = stored.is_some_and(|stored| stored.note == self.note);
        Ok(is_there && self.since.elapsed() < Self::GOOD_FOR)
    }
}

fn broken(findings: &[Finding]) -> Option<String> {
    findings.first().map(ToString::to_string)
}

/// What happened between two counts. Who has started since counts from zero, who has ended not at all.
#[must_use]
pub fn since(before: &Counters, now: &Counters) -> ServiceFacts {
    let mut total = Counter::default();
    let nothing = Counter::default();
    for (id, now) in now {
        let before = before.get(id).unwrap_or(&nothing);
        total.requests += now.requests.saturating_sub(before.requests);
        total.errors += now.errors.saturating_sub(before.errors);
        total
            .buckets
            .resize(total.buckets.len().max(now.buckets.len()), 0);
        for (place, count) in now.buckets.iter().enumerate() {
            let earlier = before.buckets.get(place).copied().unwrap_or(0);
            total.buckets[place] += count.saturating_sub(earlier);
        }
    }
    ServiceFacts {
        requests: total.requests,
        errors: total.errors,
        p95_ms: p95_ms(&total.buckets),
    }
}

/// The upper bound of the bucket that holds the 95th percentile: never less than what it was.
fn p95_ms(buckets: &[u64]) -> f64 {
    let all: u64 = buckets.iter().sum();
    let rank = all - all / 20;
    let mut seen = 0;
    for (place, count) in buckets.iter().enumerate() {
        seen += count;
        if seen >= rank && all > 0 {
            let beyond = QUERY_BUCKETS[QUERY_BUCKETS.len() - 1] * 2.0;
            return 1_000.0 * QUERY_BUCKETS.get(place).copied().unwrap_or(beyond);
        }
    }
    0.0
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn counter(requests: u64, errors: u64, buckets: &[u64]) -> Counter {
        Counter {
            requests,
            errors,
            buckets: buckets.to_vec(),
        }
    }

    #[test]
    fn only_what_happened_in_between_counts_and_new_instances_from_zero() {
        let (old, gone, new) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let before = Counters::from([
            (old, counter(100, 5, &[100, 0])),
            (gone, counter(50, 0, &[50, 0])),
        ]);
        let now = Counters::from([
            (old, counter(110, 6, &[109, 1])),
            (new, counter(10, 0, &[10, 0])),
        ]);
        let facts = since(&before, &now);
        assert_eq!((facts.requests, facts.errors), (20, 1));
        // 19 of 20 in the first bucket: that is the 95th percentile.
        assert!(
            (facts.p95_ms - 1.0).abs() < f64::EPSILON,
            "{}",
            facts.p95_ms
        );
    }

    #[test]
    fn nothing_has_no_latency_and_what_is_beyond_the_last_bound_is_slow() {
        assert!(p95_ms(&[]).abs() < f64::EPSILON);
        let mut buckets = vec![0; QUERY_BUCKETS.len() + 1];
        *buckets.last_mut().unwrap() = 3;
        assert!(p95_ms(&buckets) > 10_000.0);
    }
}
