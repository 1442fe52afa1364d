//! KEDA's ScaledObject for queues in Redis, decided as KEDA and the HorizontalPodAutoscaler that it makes decide it.
//!
//! KEDA itself moves a workload between zero (or idle) and its minimum ([`activation`]), invents values for triggers that fail
//! ([`fallback`]) and combines them ([`formula`]); everything else is the HorizontalPodAutoscaler's ([`crate::hpa`]).
//!
//! Source of the rules: KEDA 2.x, `pkg/scaling/executor`, `pkg/fallback`, `pkg/scaling/modifiers`, `pkg/scalers/redis_scaler`.

pub mod activation;
pub mod fallback;
pub mod formula;
pub mod manifest;
mod policy;
pub mod redis;

pub use policy::{Memory, Policy};

const HPA_MIN_REPLICAS: i32 = 1;
const HPA_MAX_REPLICAS: i32 = 100;

/// The bounds of a ScaledObject, as they are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub min: Option<i32>,
    pub max: Option<i32>,
    /// How many there are while no trigger is active.
    pub idle: Option<i32>,
}

impl Counts {
    /// The minimum of the HorizontalPodAutoscaler, which never goes to zero.
    #[must_use]
    pub fn hpa_min(self) -> i32 {
        self.min.filter(|min| *min > 0).unwrap_or(HPA_MIN_REPLICAS)
    }

    #[must_use]
    pub fn hpa_max(self) -> i32 {
        self.max.unwrap_or(HPA_MAX_REPLICAS)
    }

    /// Where the workload goes when nothing is active, and whether that is the idle count.
    #[must_use]
    pub fn inactive_floor(self) -> (bool, i32) {
        match self.idle {
            Some(idle) => (true, idle),
            None => (false, self.min.unwrap_or(0)),
        }
    }

    /// # Errors
    /// Which count must be less than which.
    pub fn check(self) -> Result<(), String> {
        let min = self.min.map_or(0, |_| self.hpa_min());
        let max = self.hpa_max();
        if min > max {
            return Err(format!(
                "MinReplicaCount={min} must be less than MaxReplicaCount={max}"
            ));
        }
        match self.idle {
            Some(idle) if idle >= min => Err(format!(
                "IdleReplicaCount={idle} must be less than MinReplicaCount={min}"
            )),
            _ => Ok(()),
        }
    }
}
