//! Kubernetes' HorizontalPodAutoscaler (`autoscaling/v2`), decided as its own controller decides it.
//!
//! [`reconcile`] is the controller's whole decision on plain inputs; [`Policy`] is a manifest that makes proposals from
//! snapshots with it. Amounts are in thousandths of their unit, times in milliseconds since the Unix epoch.
//!
//! Source of the rules: Kubernetes 1.36, `pkg/controller/podautoscaler`; what must come out is pinned by vectors that were
//! recorded from that controller's own tests (`tests/vectors`).

pub mod behavior;
pub mod manifest;
pub mod memory;
pub mod pods;
mod policy;
pub mod quantity;
pub mod reconcile;
pub mod replicas;
pub mod requests;
pub mod stabilize;

pub use behavior::{Behavior, Limit, Rules};
pub use memory::Memory;
pub use policy::Policy;
pub(crate) use policy::{decide, milli, words};

pub use reconcile::{Outcome, reconcile};

/// Milliseconds since the Unix epoch.
pub type Millis = i64;

/// The controller's own settings, which no manifest can say.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How far from its target a metric may be without a change, as a fraction.
    pub tolerance: f64,
    /// How long a higher recommendation keeps a workload from shrinking, where the manifest doesn't say.
    pub downscale_stabilization_seconds: i32,
    /// How long after its start a pod's CPU is only believed while it is ready.
    pub cpu_initialization_seconds: i64,
    /// A pod that was unready this soon after its start, and still is, was never ready.
    pub initial_readiness_seconds: i64,
    /// Without `behavior`, one step goes at most to `max(factor × current, minimum)`.
    pub scale_up_limit_factor: f64,
    pub scale_up_limit_minimum: f64,
    /// Whether `behavior.scaleUp.tolerance` and `scaleDown.tolerance` count (since 1.35 they do).
    pub configurable_tolerance: bool,
    /// Whether a workload that was scaled to zero is scaled up again (`HPAScaleToZero`).
    pub scale_to_zero: bool,
    /// A reading older than this is none.
    pub stale_after_seconds: i64,
}

impl Default for Settings {
    /// The defaults of kube-controller-manager, with scaling to and from zero switched on.
    fn default() -> Self {
        Self {
            tolerance: 0.1,
            downscale_stabilization_seconds: 300,
            cpu_initialization_seconds: 300,
            initial_readiness_seconds: 30,
            scale_up_limit_factor: 2.0,
            scale_up_limit_minimum: 4.0,
            configurable_tolerance: true,
            scale_to_zero: true,
            stale_after_seconds: 120,
        }
    }
}

/// What a HorizontalPodAutoscaler asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    pub min_replicas: i32,
    pub max_replicas: i32,
    pub metrics: Vec<Metric>,
    pub behavior: Option<Behavior>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    pub source: Source,
    pub target: Target,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Resource {
        name: String,
    },
    ContainerResource {
        name: String,
        container: String,
    },
    Pods {
        metric: String,
    },
    Object {
        metric: String,
    },
    External {
        metric: String,
    },
    /// A type that the controller doesn't know: always an invalid metric.
    Unknown {
        type_name: String,
    },
}

/// What a metric is held against. Where several are set, the average value counts first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Percent of the request.
    pub average_utilization: Option<i32>,
    /// Thousandths, of each pod.
    pub average_value: Option<i64>,
    /// Thousandths, of the whole.
    pub value: Option<i64>,
}

impl Source {
    /// Only metrics of something outside of the pods can be measured while there are none.
    fn is_outside_of_pods(&self) -> bool {
        matches!(self, Self::Object { .. } | Self::External { .. })
    }
}
