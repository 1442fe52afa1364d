//! A HorizontalPodAutoscaler that makes proposals from snapshots.

pub(crate) mod words;

use jiff::Timestamp;
use smol_str::{SmolStr, format_smolstr};

use super::{
    Memory, Metric, Millis, Settings, Source, Spec,
    manifest::{self, Manifest},
    memory::Last,
    pods::{Phase, PodState, Ready, Sample, Samples},
    reconcile::{Basis, Input, Outcome, Reading, reconcile},
};
use crate::{
    Pod, PolicyKind, PolicyName, Proposal, Resource, Snapshot, Wants, Workload,
    manifest::ManifestError,
};

/// A HorizontalPodAutoscaler manifest, ready to decide.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub name: PolicyName,
    pub resource: Resource,
    pub spec: Spec,
    pub settings: Settings,
}

impl From<Manifest> for Policy {
    fn from(manifest: Manifest) -> Self {
        Self {
            name: format_smolstr!("{}/{}", PolicyKind::Hpa, manifest.name),
            resource: manifest.resource,
            spec: manifest.spec,
            settings: Settings::default(),
        }
    }
}

impl Policy {
    /// Every HorizontalPodAutoscaler of a file; other documents are left to others.
    ///
    /// # Errors
    /// The first thing that is refused, with its line and the way out.
    pub fn parse(file: &str, text: &str) -> Result<Vec<Self>, ManifestError> {
        let manifests = manifest::parse(file, text)?;
        Ok(manifests.into_iter().map(Self::from).collect())
    }

    /// What it wants now. The same memory and snapshot always give the same proposal and memory.
    #[must_use]
    pub fn propose(&self, memory: &Memory, snapshot: &Snapshot) -> (Proposal, Memory) {
        let Some(workload) = snapshot.workloads.get(&self.resource) else {
            let why = format_smolstr!("nothing is known of {}", self.resource);
            return (self.proposal(Wants::Hold { why }), memory.clone());
        };
        let readings: Vec<_> = self
            .spec
            .metrics
            .iter()
            .map(|metric| read(metric, workload, snapshot, &self.settings))
            .collect();
        let (outcome, next) = decide(
            &self.spec,
            &self.settings,
            memory.clone(),
            workload,
            snapshot.at,
            &readings,
        );
        let mut proposal = self.proposal(wants(&outcome));
        proposal.evidence = words::evidence(&self.spec, &outcome, &readings);
        proposal.limits = words::limits(&self.spec, &self.settings, workload.desired, &outcome);
        (proposal, next)
    }

    fn proposal(&self, wants: Wants) -> Proposal {
        Proposal {
            policy: self.name.clone(),
            kind: PolicyKind::Hpa,
            resource: self.resource,
            wants,
            evidence: Vec::new(),
            limits: Vec::new(),
        }
    }
}

/// One decision of the controller on what is known of a workload and what the last one left, and what it leaves for the next.
pub(crate) fn decide(
    spec: &Spec,
    settings: &Settings,
    mut next: Memory,
    workload: &Workload,
    at: Timestamp,
    readings: &[Result<Reading, String>],
) -> (Outcome, Memory) {
    next.see(spec, workload.desired);
    let pods = pod_states(workload);
    let now = at.as_millisecond();
    let outcome = reconcile(
        &Input {
            spec,
            settings,
            current: workload.desired,
            running: workload.running,
            pods: &pods,
            readings,
            events: &next.events,
            scaled_to_zero: next.scaled_to_zero,
            now,
        },
        &mut next.recommendations,
    );
    next.last = Some(Last {
        at,
        desired: workload.desired,
        wanted: outcome.desired,
    });
    next.forget(spec, settings, now);
    (outcome, next)
}

fn wants(outcome: &Outcome) -> Wants {
    match &outcome.basis {
        Basis::Unknown { why } => Wants::Hold { why: why.into() },
        Basis::Disabled => Wants::Nothing {
            why: SmolStr::new_static("somebody set it to zero, and only they set it up again"),
        },
        Basis::OutOfBounds | Basis::Metrics { .. } => Wants::Count {
            count: outcome.desired,
        },
    }
}

/// Where processes aren't known one by one, so many of them are ready.
fn pod_states(workload: &Workload) -> Vec<PodState> {
    if !workload.pods.is_empty() {
        return workload.pods.iter().map(pod_state).collect();
    }
    let ready = PodState {
        phase: Phase::Running,
        deleted: false,
        started_at: None,
        ready: Some((Ready::True, 0)),
    };
    vec![ready; usize::try_from(workload.ready).unwrap_or(0)]
}

/// A process without a time of readiness has its readiness since its start; if it isn't ready, it never was.
fn pod_state(pod: &Pod) -> PodState {
    let started_at = pod.started_at.map(Timestamp::as_millisecond);
    let changed_at = pod.ready_since.map(Timestamp::as_millisecond);
    let ready = if pod.ready { Ready::True } else { Ready::False };
    PodState {
        phase: Phase::Running,
        deleted: false,
        started_at,
        ready: Some((ready, changed_at.or(started_at).unwrap_or(0))),
    }
}

fn read(
    metric: &Metric,
    workload: &Workload,
    snapshot: &Snapshot,
    settings: &Settings,
) -> Result<Reading, String> {
    match &metric.source {
        Source::Resource { name } => of_pods(workload, name, true, snapshot.at, settings),
        Source::ContainerResource { name, container } => {
            let key = format!("{container}/{name}");
            of_pods(workload, &key, true, snapshot.at, settings)
        }
        Source::Pods { metric } => of_pods(workload, metric, false, snapshot.at, settings),
        Source::Object { metric } | Source::External { metric } => {
            let reading = snapshot
                .signals
                .get(metric)
                .ok_or_else(|| "was not read".to_owned())?;
            let value = reading.fresh(snapshot.at, settings.stale_after_seconds)?;
            Ok(Reading::Total {
                values: vec![milli(value)],
            })
        }
        Source::Unknown { type_name } => Err(format!("unknown metric source type {type_name:?}")),
    }
}

/// Thousandths of a signal, the nearest.
pub(crate) fn milli(value: f64) -> i64 {
    (value * 1000.0).round() as i64
}

/// Use of `key` by each process: a resource (`cpu`), a container's (`engine/cpu`) or a metric's name. A stale measurement is
/// none.
fn of_pods(
    workload: &Workload,
    key: &str,
    is_resource: bool,
    at: Timestamp,
    settings: &Settings,
) -> Result<Reading, String> {
    let now = at.as_millisecond();
    let of_pods: Vec<_> = workload
        .pods
        .iter()
        .map(|pod| sample(pod, key, now, settings))
        .collect();
    if of_pods.iter().all(Option::is_none) {
        return Err(format!("{key} was measured of none of its processes"));
    }
    Ok(Reading::OfPods {
        samples: Samples {
            of_pods,
            of_strangers: Vec::new(),
        },
        requests: match is_resource {
            true => requests(workload, key),
            false => Ok(Vec::new()),
        },
    })
}

/// What each process asks for of a resource.
fn requests(workload: &Workload, key: &str) -> Result<Vec<i64>, String> {
    let mut requests = Vec::with_capacity(workload.pods.len());
    for pod in &workload.pods {
        let request = pod.requests_milli.get(key);
        requests.push(*request.ok_or_else(|| format!("{} requests no {key}", pod.name))?);
    }
    Ok(requests)
}

fn sample(pod: &Pod, key: &str, now: Millis, settings: &Settings) -> Option<Sample> {
    let value = *pod.usage_milli.get(key)?;
    let at = pod.measured_at.map_or(now, Timestamp::as_millisecond);
    (now - at <= settings.stale_after_seconds * 1000).then_some(Sample {
        value,
        at,
        window: pod.window_seconds * 1000,
    })
}
