//! KEDA's own part: from zero or idle to the minimum when a trigger is active, and back after the cool-down.

use super::Counts;
use crate::hpa::Millis;

pub const DEFAULT_COOLDOWN_SECONDS: i64 = 300;

/// What annotations of a ScaledObject can say (`autoscaling.keda.sh/…`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    /// `paused`: leave everything as it is.
    pub paused: bool,
    /// `paused-replicas`: go to this count and stay there.
    pub paused_replicas: Option<i32>,
    /// `paused-scale-in`
    pub paused_scale_in: bool,
    /// `paused-scale-out`
    pub paused_scale_out: bool,
    /// `force-activation`: as if a trigger were active.
    pub force_activation: bool,
}

/// What the step looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    pub counts: Counts,
    pub annotations: Annotations,
    pub cooldown_seconds: i64,
    pub initial_cooldown_seconds: i64,
    /// `fallback.replicas`, if there is a fallback.
    pub fallback_replicas: Option<i32>,
    pub current: i32,
    /// Whether a trigger is active, and whether one failed.
    pub active: bool,
    pub failed: bool,
    pub last_active: Option<Millis>,
    pub created: Millis,
    pub now: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The count that KEDA sets, if it sets one.
    pub replicas: Option<i32>,
    pub condition: Activity,
    /// Whether now becomes the time of the last activity.
    pub is_active_now: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    Active,
    Inactive,
    CoolingDown,
    Paused,
}

/// One turn of KEDA's scale loop.
#[must_use]
pub fn step(input: &Input) -> Step {
    if input.annotations.paused {
        return Step {
            replicas: None,
            condition: Activity::Paused,
            is_active_now: false,
        };
    }
    if input.active || input.annotations.force_activation {
        step_active(input)
    } else {
        step_inactive(input)
    }
}

fn step_active(input: &Input) -> Step {
    let step = Step {
        replicas: None,
        condition: Activity::Active,
        is_active_now: false,
    };
    let min = input.counts.min.unwrap_or(0);
    let is_low = input.current == 0 || (input.counts.idle.is_some() && input.current < min);
    if is_low && input.annotations.paused_scale_out {
        step
    } else if is_low {
        Step {
            replicas: Some(input.counts.hpa_min()),
            is_active_now: true,
            ..step
        }
    } else {
        // While another trigger fails, the activity isn't noted.
        Step {
            is_active_now: !input.failed,
            ..step
        }
    }
}

fn step_inactive(input: &Input) -> Step {
    let counts = input.counts;
    let step = Step {
        replicas: None,
        condition: Activity::Inactive,
        is_active_now: false,
    };
    let min = counts.min.unwrap_or(0);
    let above_idle = counts.idle.is_some_and(|idle| input.current > idle);
    let waits_for_fallback =
        input.failed && input.fallback_replicas.is_none_or(|replicas| replicas != 0);
    if waits_for_fallback {
        step
    } else if above_idle || (input.current > 0 && min == 0) {
        if input.annotations.paused_scale_in {
            step
        } else if has_cooled_down(input) {
            Step {
                replicas: Some(counts.inactive_floor().1),
                ..step
            }
        } else {
            Step {
                condition: Activity::CoolingDown,
                ..step
            }
        }
    } else if counts.idle.is_none() && input.current < min {
        Step {
            replicas: Some(min),
            ..step
        }
    } else {
        step
    }
}

/// Without any activity so far, only the initial cool-down counts.
fn has_cooled_down(input: &Input) -> bool {
    let (since, seconds) = match input.last_active {
        Some(last_active) => (last_active, input.cooldown_seconds),
        None => (input.created, input.initial_cooldown_seconds),
    };
    since + seconds * 1000 < input.now
}
