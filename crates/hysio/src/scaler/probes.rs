//! Collects the facts that the gates judge. Each is looked up now; what cannot be is a fact with the reason.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use hysio_control::tick::Observer as _;
use hysio_control::{
    ports::{Probes, TransactionLog as _},
    transaction::{Baseline, Change, Counters},
};
use hysio_infra::{
    audit::VerifyingKeys,
    postgres::{
        self, Database,
        scaling::facts::{ProvenTrail, since},
    },
};
use hysio_scaling::{
    Reading, Resource,
    gates::{
        AfterFacts, BackupFacts, BeforeFacts, CapacityFacts, DuringFacts, InstanceFacts, Known,
        MonitoringFacts, ServiceFacts,
    },
    limits::Limits,
};
use jiff::Timestamp;

use super::observe::World;

/// A service that takes longer to say that it is ready is silent.
const PATIENCE: Duration = Duration::from_secs(3);

pub struct Prober {
    pub db: Database,
    pub world: std::sync::Arc<World>,
    pub trail: VerifyingKeys,
    /// What of the trail is proven already.
    pub proven: tokio::sync::Mutex<Option<ProvenTrail>>,
    /// Services by name, with where they say whether they are ready.
    pub services: BTreeMap<String, String>,
    pub client: reqwest::Client,
    pub limits: std::sync::RwLock<Limits>,
    pub backup_hours_max: i64,
}

#[async_trait]
impl Probes for Prober {
    async fn before(&self, change: &Change) -> (BeforeFacts, Baseline) {
        let counters = self.db.counters().await;
        let until = Timestamp::now();
        let (database, keys, audit, backup, monitoring, records) = tokio::join!(
            self.db.database_facts(),
            self.db.key_facts(),
            self.db.audit_facts(&self.trail, &self.proven),
            self.backup(),
            self.monitoring(),
            self.db.records_digest(until),
        );
        let facts = BeforeFacts {
            utilisation: self.utilisation().await,
            database: known(database),
            keys: known(keys),
            audit: known(audit),
            backup,
            monitoring: Ok(monitoring),
            capacity: self.capacity(change).await,
            other_change: self.other_change(change).await,
        };
        let baseline = Baseline {
            records: known(records),
            records_until: until,
            // All that was counted so far is what later errors and latencies are held against.
            service: known(
                counters
                    .as_ref()
                    .map(|counters| since(&Counters::new(), counters)),
            ),
            counters: counters.unwrap_or_default(),
        };
        (facts, baseline)
    }

    async fn during(&self, _change: &Change) -> DuringFacts {
        DuringFacts {
            keys: known(self.db.key_facts().await),
            audit: known(self.db.audit_facts(&self.trail, &self.proven).await),
            monitoring: Ok(self.monitoring().await),
        }
    }

    async fn after(
        &self,
        change: &Change,
        baseline: &Baseline,
        _applied_at: Timestamp,
    ) -> AfterFacts {
        let (database, audit, monitoring, records) = tokio::join!(
            self.db.database_facts(),
            self.db.audit_facts(&self.trail, &self.proven),
            self.monitoring(),
            self.db.records_digest(baseline.records_until),
        );
        AfterFacts {
            wanted: if change.resource.is_processes() {
                change.new
            } else {
                0
            },
            instances: self.instances(change.resource).await,
            database: known(database),
            audit: known(audit),
            monitoring: Ok(monitoring),
            records_before: baseline.records.clone(),
            records_now: known(records),
            service_before: baseline.service.clone(),
            service_now: self.service_since(&baseline.counters).await,
        }
    }
}

impl Prober {
    async fn utilisation(&self) -> Known<String> {
        let snapshot = self.world.observe().await.map_err(|away| away.0)?;
        let mut said = Vec::new();
        for signal in [
            "cpu_usage",
            "memory_usage",
            "queue_length",
            "active_sessions",
        ] {
            match snapshot.signals.get(signal) {
                Some(Reading::Value { value, .. }) => said.push(format!("{signal} {value:.0}")),
                Some(Reading::Missing { why }) => return Err(format!("{signal} {why}")),
                None => {}
            }
        }
        Ok(said.join(", "))
    }

    async fn backup(&self) -> Known<BackupFacts> {
        let newest = known(self.db.newest_backup().await)?;
        Ok(BackupFacts {
            age_hours: newest
                .map(|backup| Timestamp::now().duration_since(backup.taken_at).as_hours()),
            age_hours_max: self.backup_hours_max,
        })
    }

    async fn monitoring(&self) -> MonitoringFacts {
        let answers = self.services.iter().map(|(name, url)| async move {
            let answer = self.client.get(url).timeout(PATIENCE).send().await;
            let well = answer.is_ok_and(|answer| answer.status().is_success());
            (name.clone(), well)
        });
        let answers = futures::future::join_all(answers).await;
        MonitoringFacts {
            asked: answers.iter().map(|(name, _)| name.clone()).collect(),
            silent: answers
                .into_iter()
                .filter(|(_, well)| !well)
                .map(|(name, _)| name)
                .collect(),
        }
    }

    async fn capacity(&self, change: &Change) -> Known<CapacityFacts> {
        let targets = known(self.db.targets().await)?;
        let limits = self
            .limits
            .read()
            .map_err(|_| "the limits are being written".to_owned())?
            .clone();
        let (min, max) = hysio_scaling::decide::bounds(&limits, change.resource)
            .ok_or_else(|| format!("limits.yaml has no bounds for {}", change.resource))?;
        let counts = targets
            .iter()
            .map(|target| (target.resource, target.desired))
            .chain([(change.resource, change.new)])
            .collect();
        Ok(CapacityFacts {
            resource: change.resource,
            wanted: change.new,
            min,
            max,
            quota: self.world.quotas.get(&change.resource).copied(),
            monthly_cost: limits.monthly_cost(&counts),
            monthly_budget: limits.monthly_budget,
        })
    }

    async fn other_change(&self, change: &Change) -> Known<Option<String>> {
        let unfinished = self.db.unfinished().await.map_err(|away| away.0)?;
        for id in unfinished.into_iter().filter(|id| *id != change.id) {
            let log = self.db.read(id).await.map_err(|away| away.0)?;
            if let Ok(state) = hysio_control::transaction::State::of(&log)
                && state.change.resource == change.resource
            {
                return Ok(Some(id.to_string()));
            }
        }
        Ok(None)
    }

    /// The instances of the resource; for connections and memory, every process that uses them.
    async fn instances(&self, resource: Resource) -> Known<Vec<InstanceFacts>> {
        let all = known(self.db.instances().await)?;
        Ok(all
            .into_iter()
            .filter(|instance| {
                !instance.leaving
                    && (!resource.is_processes()
                        || instance.resource.as_deref() == Some(resource.as_str()))
            })
            .map(|instance| InstanceFacts {
                name: format!("{}/{}", instance.host, instance.pid),
                ready: instance.ready_at.is_some(),
                encryption: instance.check.encryption,
                audit: instance.check.audit,
                access_control: instance.check.access_control,
            })
            .collect())
    }

    async fn service_since(&self, before: &Counters) -> Known<ServiceFacts> {
        let now = known(self.db.counters().await)?;
        Ok(since(before, &now))
    }
}

fn known<T, E: std::borrow::Borrow<postgres::Error>>(result: Result<T, E>) -> Known<T> {
    result.map_err(|error| crate::telemetry::chain(error.borrow()))
}
