//! What is known of a pod, and whether its measurement counts.

use super::{Millis, Settings};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    Pending,
    #[default]
    Running,
    Succeeded,
    Failed,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    True,
    False,
    Unknown,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PodState {
    pub phase: Phase,
    pub deleted: bool,
    pub started_at: Option<Millis>,
    /// The pod's condition `Ready` and when it last changed; `None` if the pod doesn't have that condition.
    pub ready: Option<(Ready, Millis)>,
}

impl PodState {
    /// Counted where a metric is shared by all pods.
    #[must_use]
    pub fn is_running_and_ready(&self) -> bool {
        self.phase == Phase::Running && matches!(self.ready, Some((Ready::True, _)))
    }
}

/// A pod's measurement of one metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Thousandths.
    pub value: i64,
    pub at: Millis,
    /// Over how long it was measured.
    pub window: Millis,
}

/// The measurements of one metric: for each pod in the pods' order, and of pods that aren't among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Samples {
    pub of_pods: Vec<Option<Sample>>,
    pub of_strangers: Vec<i64>,
}

/// How a pod counts for one metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Ready,
    /// Left out, or counted as zero where more replicas are wanted.
    Unready,
    /// Not measured: counted as fully used where fewer replicas are wanted, as zero where more are.
    Missing,
    /// Gone or going: left out.
    Ignored,
}

/// Readiness is looked at for CPU alone: a pod that starts needs more of it than it will later.
#[must_use]
pub fn standing(
    pod: &PodState,
    sample: Option<Sample>,
    is_cpu: bool,
    settings: &Settings,
    now: Millis,
) -> Standing {
    if pod.deleted || pod.phase == Phase::Failed {
        return Standing::Ignored;
    }
    if pod.phase == Phase::Pending {
        return Standing::Unready;
    }
    match sample {
        None => Standing::Missing,
        Some(sample) if is_cpu && !is_cpu_believed(pod, sample, settings, now) => Standing::Unready,
        Some(_) => Standing::Ready,
    }
}

fn is_cpu_believed(pod: &PodState, sample: Sample, settings: &Settings, now: Millis) -> bool {
    let (Some((ready, changed_at)), Some(started_at)) = (pod.ready, pod.started_at) else {
        return false;
    };
    let unready = ready == Ready::False;
    if started_at + settings.cpu_initialization_seconds * 1000 > now {
        // A whole window must have been measured since it became ready.
        !unready && sample.at >= changed_at + sample.window
    } else {
        let never_ready = started_at + settings.initial_readiness_seconds * 1000 > changed_at;
        !(unready && never_ready)
    }
}
