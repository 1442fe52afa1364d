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
use hysio_model::{QueueName, Specialty};
use hysio_scaling::{
    Pod, Reading, Resource, Signal, Snapshot, Workload, snapshot::FiringAlert, specialty,
};
use jiff::Timestamp;

use super::machine::Machine;

const EMERGENCY_LOAD: &str = "emergency_load";
/// Within which a dictation is to be transcribed.
const PROMISED_SECONDS: f64 = 5.0;

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
        let failing = self.db.failing().await?;
        let alerts = self.alerts().await;
        let at = Timestamp::now();
        let signals = self.signals(&instances).await;
        let workloads = targets
            .iter()
            .map(|target| {
                let in_flight = busy.contains(&target.resource);
                let quota = self.quotas.get(&target.resource).copied();
                let workload = Workload {
                    quota,
                    in_flight,
                    failing: failing.get(target.resource.as_str()).cloned(),
                    ..workload(target, &instances)
                };
                (target.resource, workload)
            })
            .collect();
        Ok(Snapshot {
            at,
            workloads,
            signals,
            alerts,
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
        self.specialties(&mut signals).await;
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
                Ok(depths) => Ok(whole(
                    depths
                        .iter()
                        .filter(|depth| depth.queue == queue && depth.state == "ready")
                        .map(|depth| depth.jobs)
                        .sum(),
                )),
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

    /// Alerts only ever ask for more, so a Prometheus that is away scales nothing in.
    async fn alerts(&self) -> BTreeMap<String, FiringAlert> {
        let Some((prometheus, _)) = &self.prometheus else {
            return BTreeMap::new();
        };
        match prometheus.firing().await {
            Ok(firing) => firing
                .into_iter()
                .map(|alert| {
                    let (since, value) = (alert.since, alert.value);
                    (alert.name, FiringAlert { since, value })
                })
                .collect(),
            Err(error) => {
                tracing::warn!(
                    error = crate::telemetry::chain(&error),
                    "no alert scales anything now"
                );
                BTreeMap::new()
            }
        }
    }

    /// Encounters of the last hour by specialty, and how much of the promised time the emergency department's
    /// longest-waiting job has used, in percent.
    async fn specialties(&self, signals: &mut BTreeMap<Signal, Reading>) {
        let demand = match self.db.demand_by_specialty().await {
            Ok(demand) => demand,
            Err(error) => {
                let why = crate::telemetry::chain(&error);
                signals.insert(EMERGENCY_LOAD.into(), Reading::Missing { why });
                return;
            }
        };
        let mut emergency_load = 0.0;
        for one in demand {
            if one.specialty == Specialty::Emergency.as_str() {
                emergency_load = 100.0 * one.longest_wait_seconds / PROMISED_SECONDS;
            }
            let name = format!("{}{{specialty=\"{}\"}}", specialty::DEMAND, one.specialty);
            signals.insert(name, reading(Ok(whole(one.encounters))));
        }
        signals.insert(EMERGENCY_LOAD.into(), reading(Ok(emergency_load)));
    }

    async fn sessions(&self, signals: &mut BTreeMap<Signal, Reading>) {
        let sessions = match self.db.active_sessions(self.idle).await {
            // An empty sum of floats is minus zero.
            Ok(groups) => Ok(whole(groups.iter().map(|group| group.sessions).sum())),
            Err(error) => Err(crate::telemetry::chain(&error)),
        };
        signals.insert("active_sessions".into(), reading(sessions.clone()));
        signals.insert(
            hysio_scaling::metrics::ACTIVE_HEALTHCARE_SESSIONS.into(),
            reading(sessions),
        );
    }
}

fn workload(target: &Target, instances: &[Instance]) -> Workload {
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
        ..Workload::default()
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
