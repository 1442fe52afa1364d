//! Reads the world into a snapshot. What cannot be read is there with the reason.

use std::collections::BTreeMap;

use async_trait::async_trait;
use hysio_control::{
    ports::{Away, TransactionLog},
    tick::Observer,
    transaction::TransactionId,
};
use hysio_infra::{
    postgres::{
        Database,
        scaling::{instances::Instance, targets::Target},
    },
    prometheus::Prometheus,
};
use hysio_model::QueueName;
use hysio_scaling::{Pod, Reading, Resource, Signal, Snapshot, Workload};
use jiff::Timestamp;

use super::machine::Machine;

/// Where readings come from.
pub struct World {
    pub db: Database,
    pub idle: std::time::Duration,
    pub machine: Machine,
    /// Signals that Prometheus is asked for, by query.
    pub prometheus: Option<(Prometheus, BTreeMap<Signal, String>)>,
    /// What hardware allows of a resource, where that is known.
    pub quotas: BTreeMap<Resource, i32>,
}

#[async_trait]
impl Observer for World {
    async fn observe(&self) -> Result<Snapshot, Away> {
        let targets = self.db.targets().await?;
        let instances = self.db.instances().await?;
        let mut busy = Vec::new();
        for id in self.db.unfinished().await? {
            busy.extend(self.resource_of(id).await?);
        }
        let emergency = self.db.emergency().await?;
        let at = Timestamp::now();
        let signals = self.signals(&instances).await;
        let workloads = targets
            .iter()
            .map(|target| {
                let in_flight = busy.contains(&target.resource);
                let quota = self.quotas.get(&target.resource).copied();
                let workload = workload(target, &instances, in_flight, quota);
                (target.resource, workload)
            })
            .collect();
        Ok(Snapshot {
            at,
            workloads,
            signals,
            alerts: BTreeMap::new(),
            emergency,
        })
    }
}

impl World {
    async fn resource_of(&self, id: TransactionId) -> Result<Option<Resource>, Away> {
        let log = self.db.read(id).await?;
        Ok(hysio_control::transaction::State::of(&log)
            .ok()
            .map(|state| state.change.resource))
    }

    async fn signals(&self, instances: &[Instance]) -> BTreeMap<Signal, Reading> {
        let mut signals = BTreeMap::new();
        self.queues(&mut signals).await;
        self.sessions(&mut signals).await;
        let value = |value: Option<f64>| {
            reading(value.ok_or_else(|| "this machine has no /proc".to_owned()))
        };
        signals.insert("cpu_usage".into(), value(self.machine.cpu_percent()));
        signals.insert("memory_usage".into(), value(self.machine.memory_percent()));
        signals.insert("instances".into(), reading(Ok(count(instances.len()))));
        if let Some((prometheus, queries)) = &self.prometheus {
            for (signal, query) in queries {
                let answer = prometheus.value(query).await;
                signals.insert(signal.clone(), reading(answer.map_err(|e| e.to_string())));
            }
        }
        signals
    }

    async fn queues(&self, signals: &mut BTreeMap<Signal, Reading>) {
        let depths = self.db.queue_depths().await;
        let mut total = Ok(0.0);
        for queue in QueueName::ALL {
            let waiting = match &depths {
                Ok(depths) => Ok(depths
                    .iter()
                    .filter(|depth| depth.queue == queue && depth.state == "ready")
                    .map(|depth| whole(depth.jobs))
                    .sum()),
                Err(error) => Err(crate::telemetry::chain(error)),
            };
            if matches!(queue, QueueName::Transcription | QueueName::Diagnosecode) {
                total = total.and_then(|total: f64| waiting.clone().map(|more: f64| total + more));
            }
            let name = format!(
                "{}{{queue=\"{queue}\",state=\"ready\"}}",
                hysio_scaling::metrics::QUEUE_DEPTH
            );
            signals.insert(queue.list_name(), reading(waiting.clone()));
            signals.insert(name, reading(waiting));
        }
        signals.insert("queue_length".into(), reading(total));
    }

    async fn sessions(&self, signals: &mut BTreeMap<Signal, Reading>) {
        let sessions = match self.db.active_sessions(self.idle).await {
            Ok(groups) => Ok(groups.iter().map(|group| whole(group.sessions)).sum()),
            Err(error) => Err(crate::telemetry::chain(&error)),
        };
        signals.insert("active_sessions".into(), reading(sessions.clone()));
        signals.insert(
            hysio_scaling::metrics::ACTIVE_HEALTHCARE_SESSIONS.into(),
            reading(sessions),
        );
    }
}

fn workload(
    target: &Target,
    instances: &[Instance],
    in_flight: bool,
    quota: Option<i32>,
) -> Workload {
    let mine: Vec<&Instance> = instances
        .iter()
        .filter(|instance| instance.resource.as_deref() == Some(target.resource.as_str()))
        .filter(|instance| !instance.leaving)
        .collect();
    let processes = target.resource.is_processes();
    let number = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let ready = mine.iter().filter(|instance| instance.ready_at.is_some());
    Workload {
        desired: target.desired,
        running: if processes {
            number(mine.len())
        } else {
            target.desired
        },
        ready: if processes {
            number(ready.count())
        } else {
            target.desired
        },
        pods: mine.into_iter().map(pod).collect(),
        quota,
        in_flight,
    }
}

fn pod(instance: &Instance) -> Pod {
    let mut usage = BTreeMap::new();
    if let Some(cpu) = instance.cpu_milli {
        usage.insert("cpu".to_owned(), cpu);
    }
    if let Some(memory) = instance.memory_bytes {
        usage.insert("memory".to_owned(), memory.saturating_mul(1_000));
    }
    Pod {
        name: format!("{}/{}", instance.host, instance.pid),
        ready: instance.ready_at.is_some(),
        started_at: Some(instance.started_at),
        ready_since: instance.ready_at,
        usage_milli: usage,
        measured_at: Some(instance.seen_at),
        window_seconds: 1,
        // One core and 512 MiB a process are what the seed's Deployments ask for, roughly.
        requests_milli: BTreeMap::from([
            ("cpu".to_owned(), 1_000),
            ("memory".to_owned(), 512 * 1_024 * 1_024 * 1_000),
        ]),
    }
}

fn reading(value: Result<f64, String>) -> Reading {
    match value {
        Ok(value) => Reading::Value {
            value,
            at: Timestamp::now(),
        },
        Err(why) => Reading::Missing { why },
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "jobs and sessions are far below 2^52"
)]
fn whole(n: i64) -> f64 {
    n as f64
}

fn count(n: usize) -> f64 {
    whole(i64::try_from(n).unwrap_or(i64::MAX))
}
