//! What a trigger that keeps failing counts as.

/// `spec.fallback`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// More failures in a row than this, and the fallback begins.
    pub failure_threshold: i32,
    pub replicas: i32,
    pub behavior: Behavior,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behavior {
    #[default]
    Static,
    CurrentReplicas,
    CurrentReplicasIfHigher,
    CurrentReplicasIfLower,
    /// The formula sees `nil`.
    ScalingModifiers,
}

impl Behavior {
    /// `None` if there is no such behaviour.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "" | "static" => Self::Static,
            "currentReplicas" => Self::CurrentReplicas,
            "currentReplicasIfHigher" => Self::CurrentReplicasIfHigher,
            "currentReplicasIfLower" => Self::CurrentReplicasIfLower,
            "scalingModifiers" => Self::ScalingModifiers,
            _ => return None,
        })
    }
}

/// What a failing trigger's metric becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// Nothing: the metric stays invalid.
    Error,
    /// Nothing that a formula could calculate with.
    Nil,
    /// Thousandths.
    Value(i64),
}

/// What the metric is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    pub value: f64,
    /// For a target of type `Value`: the replicas that share it.
    pub shared_by: Option<i32>,
}

impl Fallback {
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.failure_threshold >= 0 && self.replicas >= 0
    }

    /// The metric of a trigger that failed `failures` times in a row.
    #[must_use]
    pub fn instead(&self, failures: i32, current: i32, target: Target) -> Instead {
        if !self.is_valid() || failures <= self.failure_threshold {
            return Instead::Error;
        }
        let replicas = match self.behavior {
            Behavior::ScalingModifiers => return Instead::Nil,
            Behavior::Static => self.replicas,
            Behavior::CurrentReplicas => current,
            Behavior::CurrentReplicasIfHigher => current.max(self.replicas),
            Behavior::CurrentReplicasIfLower => current.min(self.replicas),
        };
        let mut replicas = f64::from(replicas);
        match target.shared_by {
            None => {}
            Some(0) => return Instead::Error,
            Some(ready) => replicas /= f64::from(ready),
        }
        Instead::Value((target.value * 1000.0 * replicas) as i64)
    }
}
