//! A ScaledObject that makes proposals from snapshots.

mod triggers;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::{SmolStr, format_smolstr};

use self::triggers::{Look, TriggerLook};
use super::{
    activation::{self, Activity, Step},
    manifest::{self, ScaledObject},
};
use crate::{
    Evidence, PolicyKind, PolicyName, Proposal, Snapshot, Wants, Workload,
    hpa::{
        self, Metric, Settings, Source, Spec, Target,
        behavior::{Behavior, Select},
        decide,
        reconcile::{Basis, Outcome},
        words,
    },
    manifest::ManifestError,
};

/// A ScaledObject manifest, ready to decide.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub name: PolicyName,
    pub object: ScaledObject,
    pub settings: Settings,
    /// The HorizontalPodAutoscaler that KEDA makes of it.
    spec: Spec,
}

/// What a ScaledObject remembers. The caller keeps it and gives it back with the next snapshot: a decision depends on it and the
/// snapshot alone, so it can be replayed. One proposal is one look: failures are counted by proposals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    pub hpa: hpa::Memory,
    /// How often each trigger failed in a row, by its metric's name.
    pub failures: BTreeMap<String, i32>,
    pub last_active: Option<Timestamp>,
    /// When it was first looked at, from which the initial cool-down counts.
    pub created: Option<Timestamp>,
}

impl From<ScaledObject> for Policy {
    fn from(object: ScaledObject) -> Self {
        Self {
            name: format_smolstr!("{}/{}", PolicyKind::Keda, object.name),
            spec: hpa_spec(&object),
            settings: Settings {
                scale_to_zero: false,
                ..Settings::default()
            },
            object,
        }
    }
}

impl Policy {
    /// Every ScaledObject of a file; other documents are left to others.
    ///
    /// # Errors
    /// The first thing that is refused, with its line and the way out.
    pub fn parse(file: &str, text: &str) -> Result<Vec<Self>, ManifestError> {
        let objects = manifest::parse(file, text)?;
        Ok(objects.into_iter().map(Self::from).collect())
    }

    /// What it wants now. The same memory and snapshot always give the same proposal and memory.
    #[must_use]
    pub fn propose(&self, memory: &Memory, snapshot: &Snapshot) -> (Proposal, Memory) {
        let resource = self.object.resource;
        let Some(workload) = snapshot.workloads.get(&resource) else {
            let why = format_smolstr!("nothing is known of {resource}");
            return (self.proposal(Wants::Hold { why }), memory.clone());
        };
        let mut next = memory.clone();
        let created = *next.created.get_or_insert(snapshot.at);
        let look = triggers::look(
            &self.object,
            &mut next.failures,
            workload,
            snapshot,
            &self.settings,
        );
        let step = activation::step(&activation::Input {
            counts: self.object.counts,
            annotations: self.object.annotations,
            cooldown_seconds: self.object.cooldown_seconds,
            initial_cooldown_seconds: self.object.initial_cooldown_seconds,
            fallback_replicas: self.object.fallback.map(|one| one.replicas),
            current: workload.desired,
            active: look.active,
            failed: look.failed,
            last_active: next.last_active.map(Timestamp::as_millisecond),
            created: created.as_millisecond(),
            now: snapshot.at.as_millisecond(),
        });
        if step.is_active_now {
            next.last_active = Some(snapshot.at);
        }
        let (outcome, hpa_memory) = decide(
            &self.spec,
            &self.settings,
            std::mem::take(&mut next.hpa),
            workload,
            snapshot.at,
            &look.readings,
        );
        next.hpa = hpa_memory;
        let mut proposal = self.proposal(self.wants(&step, &look, workload, &outcome));
        proposal.evidence = evidence(&look.triggers, &outcome, self.object.modifiers.is_some());
        proposal.limits = self.limits(&step, workload, &outcome);
        (proposal, next)
    }

    fn proposal(&self, wants: Wants) -> Proposal {
        Proposal {
            policy: self.name.clone(),
            kind: PolicyKind::Keda,
            resource: self.object.resource,
            wants,
            evidence: Vec::new(),
            limits: Vec::new(),
        }
    }

    /// KEDA's own step comes first; what it leaves alone is the HorizontalPodAutoscaler's.
    fn wants(&self, step: &Step, look: &Look, workload: &Workload, outcome: &Outcome) -> Wants {
        let annotations = &self.object.annotations;
        if let Some(count) = annotations.paused_replicas {
            return Wants::Count { count };
        }
        if annotations.paused {
            let why = SmolStr::new_static("it is paused (autoscaling.keda.sh/paused)");
            return Wants::Hold { why };
        }
        if let Some(count) = step.replicas {
            return Wants::Count { count };
        }
        match &outcome.basis {
            Basis::Unknown { why } => Wants::Hold { why: why.into() },
            Basis::Disabled if look.failed => {
                let why = SmolStr::new_static("a trigger failed");
                Wants::Hold { why }
            }
            Basis::Disabled => Wants::Count {
                count: workload.desired,
            },
            Basis::OutOfBounds | Basis::Metrics { .. } => Wants::Count {
                count: outcome.desired,
            },
        }
    }

    fn limits(&self, step: &Step, workload: &Workload, outcome: &Outcome) -> Vec<String> {
        let annotations = &self.object.annotations;
        if let Some(count) = annotations.paused_replicas {
            return vec![format!(
                "paused at {count} (autoscaling.keda.sh/paused-replicas)"
            )];
        }
        let own = match (step.replicas, step.condition) {
            (Some(count), Activity::Active) => Some(format!("active again: first {count}")),
            (Some(count), _) if count < workload.desired => Some(format!(
                "no trigger active since the cool-down of {} s",
                self.object.cooldown_seconds
            )),
            (Some(count), _) => Some(format!("at least {count} (minReplicaCount)")),
            (None, Activity::CoolingDown) => Some(format!(
                "not to {} before {} s without an active trigger",
                self.object.counts.inactive_floor().1,
                self.object.cooldown_seconds
            )),
            (None, _) => None,
        };
        let of_hpa = match step.replicas {
            Some(_) => Vec::new(),
            None => words::limits(&self.spec, &self.settings, workload.desired, outcome),
        };
        own.into_iter().chain(of_hpa).collect()
    }
}

/// Each trigger is an external metric; with modifiers, all of them together are one.
fn hpa_spec(object: &ScaledObject) -> Spec {
    let metric = |name: &str, target: f64, is_average: bool| {
        let milli = (target * 1000.0) as i64;
        Metric {
            source: Source::External {
                metric: name.to_owned(),
            },
            target: Target {
                average_utilization: None,
                average_value: is_average.then_some(milli),
                value: (!is_average).then_some(milli),
            },
        }
    };
    let metrics = match &object.modifiers {
        Some(one) => vec![metric(
            super::formula::COMPOSITE_METRIC,
            one.target,
            one.is_average,
        )],
        None => object
            .triggers
            .iter()
            .map(|one| metric(&one.metric, one.list.list_length as f64, one.is_average))
            .collect(),
    };
    Spec {
        min_replicas: object.counts.hpa_min(),
        max_replicas: object.counts.hpa_max(),
        metrics,
        behavior: hpa_behavior(object),
    }
}

/// A paused direction is a disabled one.
fn hpa_behavior(object: &ScaledObject) -> Option<Behavior> {
    let annotations = &object.annotations;
    if !annotations.paused_scale_in && !annotations.paused_scale_out {
        return object.behavior.clone();
    }
    let mut behavior = object.behavior.clone().unwrap_or_default();
    if annotations.paused_scale_in {
        behavior.scale_down.select = Select::Disabled;
    }
    if annotations.paused_scale_out {
        behavior.scale_up.select = Select::Disabled;
    }
    Some(behavior)
}

fn evidence(triggers: &[TriggerLook], outcome: &Outcome, is_composite: bool) -> Vec<Evidence> {
    let wants = |index: usize| {
        let metric = outcome.metrics.get(index)?.as_ref().ok()?;
        Some(metric.replicas)
    };
    let mut evidence: Vec<_> = triggers
        .iter()
        .enumerate()
        .map(|(index, trigger)| Evidence {
            signal: trigger.signal.clone(),
            value: trigger.value.clone(),
            against: trigger.against.clone(),
            wants: if is_composite { None } else { wants(index) },
        })
        .collect();
    if let (true, Some(wants)) = (is_composite, wants(0)) {
        evidence.push(Evidence {
            signal: SmolStr::new_static(super::formula::COMPOSITE_METRIC),
            value: SmolStr::new_static("the formula's value"),
            against: SmolStr::new_static("its target"),
            wants: Some(wants),
        });
    }
    evidence
}
