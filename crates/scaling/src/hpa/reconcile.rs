//! The controller's whole decision: every metric, the largest of what they want, stabilisation, limits, conditions.

use super::{
    Limit, Metric, Millis, Settings, Source, Spec, Target,
    behavior::{Behavior, Bounds, ScaleEvents, limit_with_behavior, limit_without_behavior},
    pods::{PodState, Samples},
    replicas::{
        Census, Tolerances, Wanted, by_average, by_share, by_utilization, by_value, external_total,
    },
    stabilize::{self, Recommendation, Windows},
};

/// What one metric was read as.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    OfPods {
        samples: Samples,
        /// What each pod asks for, where the metric is a resource.
        requests: Result<Vec<i64>, String>,
    },
    /// Thousandths, by series.
    Total { values: Vec<i64> },
}

/// Everything that the decision looks at.
pub struct Input<'a> {
    pub spec: &'a Spec,
    pub settings: &'a Settings,
    /// `spec.replicas` of the workload: what was last asked for.
    pub current: i32,
    /// `status.replicas` of the workload: what there is.
    pub running: i32,
    pub pods: &'a [PodState],
    /// One for each metric of the spec, or why there is none.
    pub readings: &'a [Result<Reading, String>],
    pub events: &'a ScaleEvents,
    /// The condition `ScaledToZero`, if there is one: whether this controller put the workload at zero.
    pub scaled_to_zero: Option<bool>,
    pub now: Millis,
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub desired: i32,
    pub basis: Basis,
    /// What each metric alone wants, in the spec's order; empty where none was looked at.
    pub metrics: Vec<Result<Wanted, String>>,
    pub conditions: Vec<Condition>,
}

/// Why it is that count.
#[derive(Clone, Debug, PartialEq)]
pub enum Basis {
    /// Zero replicas that somebody else asked for: hands off.
    Disabled,
    /// Outside of the bounds: put inside before any metric is looked at.
    OutOfBounds,
    /// The metrics wanted `wanted`, stabilisation made it `stabilized`, and `limit` the outcome.
    Metrics {
        wanted: i32,
        stabilized: i32,
        limit: Limit,
        /// The metrics that could not be calculated, where the others wanted no fewer replicas.
        invalid: Option<String>,
    },
    /// Too little is known: left as it is.
    Unknown { why: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    pub kind: ConditionKind,
    pub status: bool,
    pub reason: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionKind {
    AbleToScale,
    ScalingActive,
    ScalingLimited,
    ScaledToZero,
}

impl ConditionKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AbleToScale => "AbleToScale",
            Self::ScalingActive => "ScalingActive",
            Self::ScalingLimited => "ScalingLimited",
            Self::ScaledToZero => "ScaledToZero",
        }
    }
}

/// Decides. `recommendations` is `None` for a controller that has just started: it takes the current count for its first.
#[must_use]
pub fn reconcile(input: &Input<'_>, recommendations: &mut Option<Vec<Recommendation>>) -> Outcome {
    let Input { spec, current, .. } = *input;
    let recommendations = recommendations.get_or_insert_with(|| {
        vec![Recommendation {
            replicas: current,
            at: input.now,
        }]
    });
    let mut conditions = Conditions::new(input);
    let mut metrics = Vec::new();
    let (desired, basis) = if current == 0 && !wakes_from_zero(input) {
        conditions.set(ConditionKind::ScalingActive, false, "ScalingDisabled");
        (0, Basis::Disabled)
    } else if current > spec.max_replicas {
        (spec.max_replicas, Basis::OutOfBounds)
    } else if current != 0 && current < spec.min_replicas {
        (spec.min_replicas, Basis::OutOfBounds)
    } else {
        metrics = wants_of_metrics(input);
        follow_metrics(input, &metrics, recommendations, &mut conditions)
    };
    if desired != current {
        conditions.set(ConditionKind::AbleToScale, true, "SucceededRescale");
        conditions.note_zero(input, desired);
    }
    Outcome {
        desired,
        basis,
        metrics,
        conditions: conditions.list,
    }
}

fn is_at_zero_by_us(input: &Input<'_>) -> bool {
    input.settings.scale_to_zero && input.scaled_to_zero == Some(true)
}

/// Somebody else's zero means hands off; the controller's own one ends when a metric that is measured outside of the pods
/// says so, or when the minimum was raised.
fn wakes_from_zero(input: &Input<'_>) -> bool {
    let outside = || {
        let mut metrics = input.spec.metrics.iter();
        metrics.any(|metric| metric.source.is_outside_of_pods())
    };
    is_at_zero_by_us(input) && (input.spec.min_replicas != 0 || outside())
}

fn wants_of_metrics(input: &Input<'_>) -> Vec<Result<Wanted, String>> {
    let tolerances = tolerances(input);
    let metrics = input.spec.metrics.iter();
    metrics
        .zip(input.readings)
        .map(|(metric, reading)| want_of_metric(input, metric, reading.as_ref(), tolerances))
        .collect()
}

fn tolerances(input: &Input<'_>) -> Tolerances {
    let behavior = input
        .spec
        .behavior
        .as_ref()
        .filter(|_| input.settings.configurable_tolerance);
    let own = input.settings.tolerance;
    Tolerances {
        down: behavior
            .and_then(|one| one.scale_down.tolerance)
            .unwrap_or(own),
        up: behavior
            .and_then(|one| one.scale_up.tolerance)
            .unwrap_or(own),
    }
}

fn want_of_metric(
    input: &Input<'_>,
    metric: &Metric,
    reading: Result<&Reading, &String>,
    tolerances: Tolerances,
) -> Result<Wanted, String> {
    let Target {
        average_utilization,
        average_value,
        value,
    } = metric.target;
    let is_resource = match &metric.source {
        Source::Unknown { type_name } => {
            return Err(format!("unknown metric source type {type_name:?}"));
        }
        Source::Resource { .. } | Source::ContainerResource { .. } => true,
        Source::Pods { .. } | Source::Object { .. } | Source::External { .. } => false,
    };
    match reading.map_err(Clone::clone)? {
        Reading::OfPods { samples, requests } => {
            let is_cpu = matches!(&metric.source, Source::Resource { name } | Source::ContainerResource { name, .. } if name == "cpu");
            let census = Census::new(input.pods, samples, is_cpu, input.settings, input.now);
            match (average_value, average_utilization) {
                (Some(target), _) => by_average(input.current, target, tolerances, &census),
                (None, Some(target)) if is_resource => {
                    by_utilization(input.current, target, tolerances, &census, requests)
                }
                _ => Err(
                    "neither an average utilization target nor an average value target was set"
                        .to_owned(),
                ),
            }
        }
        Reading::Total { values } => {
            let total = external_total(values);
            match (average_value, value) {
                (Some(target), _) => Ok(by_share(input.running, total, target, tolerances)),
                (None, Some(target)) => {
                    by_value(input.current, total, target, tolerances, input.pods)
                }
                (None, None) => {
                    Err("neither a value target nor an average value target was set".to_owned())
                }
            }
        }
    }
}

/// The largest want. A metric that cannot be calculated only counts against shrinking, and against everything if there is no
/// other.
fn follow_metrics(
    input: &Input<'_>,
    metrics: &[Result<Wanted, String>],
    recommendations: &mut Vec<Recommendation>,
    conditions: &mut Conditions,
) -> (i32, Basis) {
    let current = input.current;
    let wanted = metrics.iter().flatten().map(|one| one.replicas).max();
    let invalid = first_invalid(input.spec, metrics);
    let wanted = match (wanted, &invalid) {
        (Some(wanted), None) => wanted,
        (Some(wanted), Some(_)) if wanted >= current => wanted,
        (_, Some((reason, why))) => {
            conditions.set(ConditionKind::ScalingActive, false, reason);
            return (current, Basis::Unknown { why: why.clone() });
        }
        (None, None) => {
            let why = "there are no metrics".to_owned();
            return (current, Basis::Unknown { why });
        }
    };
    conditions.set(ConditionKind::ScalingActive, true, "ValidMetricFound");
    // The controller starts its maximum at zero.
    let wanted = wanted.max(0);
    let stabilized = stabilize(input, recommendations, wanted);
    let able = match (stabilized == wanted, wanted >= current) {
        (true, _) => "ReadyForNewScale",
        (false, true) if input.spec.behavior.is_some() => "ScaleUpStabilized",
        (false, _) => "ScaleDownStabilized",
    };
    conditions.set(ConditionKind::AbleToScale, true, able);
    let (mut desired, limit) = limit_to_rate(input, stabilized);
    conditions.set(
        ConditionKind::ScalingLimited,
        desired != stabilized,
        limit.as_str(),
    );
    if current == 0 && is_at_zero_by_us(input) {
        desired = desired.max(input.spec.min_replicas);
    }
    let basis = Basis::Metrics {
        wanted,
        stabilized,
        limit,
        invalid: invalid.map(|(_, why)| why),
    };
    (desired, basis)
}

/// The first metric that could not be calculated: the condition's reason, and why.
fn first_invalid(
    spec: &Spec,
    metrics: &[Result<Wanted, String>],
) -> Option<(&'static str, String)> {
    let mut metrics = spec.metrics.iter().zip(metrics);
    metrics.find_map(|(metric, wanted)| {
        let why = wanted.as_ref().err()?;
        let reason = match metric.source {
            Source::Resource { .. } => "FailedGetResourceMetric",
            Source::ContainerResource { .. } => "FailedGetContainerResourceMetric",
            Source::Pods { .. } => "FailedGetPodsMetric",
            Source::Object { .. } => "FailedGetObjectMetric",
            Source::External { .. } => "FailedGetExternalMetric",
            Source::Unknown { .. } => "InvalidMetricSourceType",
        };
        Some((reason, why.clone()))
    })
}

fn stabilize(input: &Input<'_>, recommendations: &mut Vec<Recommendation>, wanted: i32) -> i32 {
    let settings = input.settings;
    match &input.spec.behavior {
        None => stabilize::without_behavior(
            recommendations,
            wanted,
            settings.downscale_stabilization_seconds,
            input.now,
        ),
        Some(behavior) => stabilize::with_behavior(
            recommendations,
            input.current,
            wanted,
            windows(behavior, settings),
            input.now,
        ),
    }
}

/// The windows of a behaviour, with the controller's own where the manifest doesn't say.
#[must_use]
pub fn windows(behavior: &Behavior, settings: &Settings) -> Windows {
    Windows {
        up_seconds: behavior.scale_up.stabilization_window_seconds.unwrap_or(0),
        down_seconds: behavior.scale_down.window_seconds(settings),
    }
}

fn limit_to_rate(input: &Input<'_>, desired: i32) -> (i32, Limit) {
    let bounds = Bounds {
        current: input.current,
        desired,
        min: input.spec.min_replicas,
        max: input.spec.max_replicas,
    };
    match &input.spec.behavior {
        None => limit_without_behavior(
            bounds,
            input.settings.scale_up_limit_factor,
            input.settings.scale_up_limit_minimum,
        ),
        Some(behavior) => limit_with_behavior(bounds, behavior, input.events, input.now),
    }
}

struct Conditions {
    list: Vec<Condition>,
}

impl Conditions {
    fn new(input: &Input<'_>) -> Self {
        let mut conditions = Self {
            list: Vec::with_capacity(4),
        };
        if let Some(status) = input
            .scaled_to_zero
            .filter(|_| input.settings.scale_to_zero)
        {
            conditions.set_zero(status);
        }
        conditions.set(ConditionKind::AbleToScale, true, "SucceededGetScale");
        conditions
    }

    fn set(&mut self, kind: ConditionKind, status: bool, reason: &'static str) {
        let condition = Condition {
            kind,
            status,
            reason,
        };
        match self.list.iter_mut().find(|one| one.kind == kind) {
            Some(slot) => *slot = condition,
            None => self.list.push(condition),
        }
    }

    fn set_zero(&mut self, status: bool) {
        let reason = if status {
            "ScaledToZero"
        } else {
            "NotScaledToZero"
        };
        self.set(ConditionKind::ScaledToZero, status, reason);
    }

    /// With the change, the controller notes whose zero it is.
    fn note_zero(&mut self, input: &Input<'_>, desired: i32) {
        if !input.settings.scale_to_zero {
            return;
        }
        let spec = input.spec;
        let outside = spec
            .metrics
            .iter()
            .any(|metric| metric.source.is_outside_of_pods());
        self.set_zero(input.current > 0 && desired == 0 && spec.min_replicas == 0 && outside);
    }
}
