//! Pods and their measurements as the vectors write them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::hpa::{
    Millis,
    pods::{Phase, PodState, Ready, Sample, Samples},
    requests::{Container, PodRequests, Requests},
};

pub fn millis(seconds: f64) -> Millis {
    (seconds * 1000.0).round() as Millis
}

#[derive(Deserialize)]
pub struct Pod {
    pub name: String,
    #[serde(default)]
    phase: String,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    ready: Option<String>,
    #[serde(default)]
    ready_transition_time_s: Option<f64>,
    #[serde(default)]
    start_time_s: Option<f64>,
    #[serde(default)]
    containers: Vec<PodContainer>,
    #[serde(default)]
    init_containers: Vec<PodContainer>,
    #[serde(default)]
    pod_level_requests_milli: Option<Requests>,
}

#[derive(Deserialize)]
struct PodContainer {
    name: String,
    #[serde(default)]
    requests_milli: Requests,
    #[serde(default, alias = "restartPolicy")]
    restart_policy: Option<String>,
    #[serde(default, alias = "sidecar", alias = "restart_always")]
    restartable: bool,
}

impl PodContainer {
    fn container(&self) -> Container {
        Container {
            name: self.name.clone(),
            requests: self.requests_milli.clone(),
        }
    }

    fn is_sidecar(&self) -> bool {
        self.restartable || self.restart_policy.as_deref() == Some("Always")
    }
}

impl Pod {
    pub fn state(&self) -> PodState {
        PodState {
            phase: match self.phase.as_str() {
                "Pending" => Phase::Pending,
                "Running" => Phase::Running,
                "Succeeded" => Phase::Succeeded,
                "Failed" => Phase::Failed,
                _ => Phase::Unknown,
            },
            deleted: self.deleted,
            started_at: self.start_time_s.map(millis),
            ready: self.ready.as_deref().map(|ready| {
                let ready = match ready {
                    "True" => Ready::True,
                    "False" => Ready::False,
                    _ => Ready::Unknown,
                };
                (ready, millis(self.ready_transition_time_s.unwrap_or(0.0)))
            }),
        }
    }

    pub fn requests(&self) -> PodRequests {
        PodRequests {
            name: self.name.clone(),
            containers: self
                .containers
                .iter()
                .map(PodContainer::container)
                .collect(),
            init_containers: self
                .init_containers
                .iter()
                .map(|one| (one.container(), one.is_sidecar()))
                .collect(),
            pod_level: self.pod_level_requests_milli.clone().unwrap_or_default(),
        }
    }
}

/// What each pod asks for.
pub fn requests_of(
    pods: &[Pod],
    resource: &str,
    container: Option<&str>,
    pod_level_enabled: bool,
) -> Result<Vec<i64>, String> {
    pods.iter()
        .map(|pod| pod.requests().of(resource, container, pod_level_enabled))
        .collect()
}

/// One pod's line of measurements, of the whole pod or by container.
#[derive(Deserialize)]
pub struct PodMetric {
    pod: String,
    #[serde(default)]
    time_s: f64,
    #[serde(default)]
    window_s: f64,
    #[serde(default)]
    milli: Option<i64>,
    #[serde(default)]
    containers: Vec<BTreeMap<String, Value>>,
}

/// Measurements in the pods' order. A container is measured by `milli` or `<resource>_milli`; a pod without a measurement of
/// the container that is asked for is one without a measurement.
pub fn samples(
    pods: &[Pod],
    metrics: &[PodMetric],
    resource: &str,
    container: Option<&str>,
) -> Samples {
    let mut samples = Samples {
        of_pods: vec![None; pods.len()],
        of_strangers: Vec::new(),
    };
    for metric in metrics {
        let Some(value) = metric.value(resource, container) else {
            continue;
        };
        match pods.iter().position(|pod| pod.name == metric.pod) {
            None => samples.of_strangers.push(value),
            Some(index) => {
                samples.of_pods[index] = Some(Sample {
                    value,
                    at: millis(metric.time_s),
                    window: millis(metric.window_s),
                });
            }
        }
    }
    samples
}

impl PodMetric {
    fn value(&self, resource: &str, container: Option<&str>) -> Option<i64> {
        let key = format!("{resource}_milli");
        let of_container = |one: &BTreeMap<String, Value>| {
            one.get("milli")
                .or_else(|| one.get(&key))
                .and_then(Value::as_i64)
        };
        let is_named = |one: &&BTreeMap<String, Value>, name: &str| {
            one.get("container").and_then(Value::as_str) == Some(name)
        };
        match container {
            _ if self.milli.is_some() => self.milli,
            Some(name) => of_container(self.containers.iter().find(|one| is_named(one, name))?),
            None if self.containers.is_empty() => None,
            None => self.containers.iter().map(of_container).sum(),
        }
    }
}
