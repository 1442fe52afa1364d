//! How fast a workload may grow and shrink: the rules of `behavior`, and the limits without it.

use serde::{Deserialize, Serialize};

use super::{Millis, Settings};

/// `spec.behavior`, with the API's defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Behavior {
    pub scale_up: Rules,
    pub scale_down: Rules,
}

impl Default for Behavior {
    fn default() -> Self {
        Self {
            scale_up: Rules::default_up(),
            scale_down: Rules::default_down(),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// `None` leaves it to [`Settings::downscale_stabilization_seconds`].
    pub stabilization_window_seconds: Option<i32>,
    pub select: Select,
    pub policies: Vec<RatePolicy>,
    /// Overrules [`Settings::tolerance`] in this direction.
    pub tolerance: Option<f64>,
}

/// Which policy counts where there are several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Select {
    #[default]
    Max,
    Min,
    /// No change in this direction at all.
    Disabled,
}

/// At most so much change in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RatePolicy {
    pub kind: RateKind,
    pub value: i32,
    pub period_seconds: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateKind {
    Pods,
    Percent,
}

impl Rules {
    #[must_use]
    pub fn default_up() -> Self {
        Self {
            stabilization_window_seconds: Some(0),
            select: Select::Max,
            policies: vec![
                RatePolicy {
                    kind: RateKind::Pods,
                    value: 4,
                    period_seconds: 15,
                },
                RatePolicy {
                    kind: RateKind::Percent,
                    value: 100,
                    period_seconds: 15,
                },
            ],
            tolerance: None,
        }
    }

    #[must_use]
    pub fn default_down() -> Self {
        Self {
            stabilization_window_seconds: None,
            select: Select::Max,
            policies: vec![RatePolicy {
                kind: RateKind::Percent,
                value: 100,
                period_seconds: 15,
            }],
            tolerance: None,
        }
    }

    #[must_use]
    pub fn longest_period_seconds(&self) -> i32 {
        self.policies
            .iter()
            .map(|policy| policy.period_seconds)
            .max()
            .unwrap_or(0)
    }

    #[must_use]
    pub fn window_seconds(&self, settings: &Settings) -> i32 {
        self.stabilization_window_seconds
            .unwrap_or(settings.downscale_stabilization_seconds)
    }
}

/// A change of the replicas that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScaleEvent {
    /// How many replicas, never negative.
    pub change: i32,
    pub at: Millis,
    /// Its slot may be used again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outdated: bool,
}

/// The changes that rate limits count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScaleEvents {
    pub up: Vec<ScaleEvent>,
    pub down: Vec<ScaleEvent>,
}

/// What kept a count from what was wanted, in the controller's words for its condition `ScalingLimited`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    DesiredWithinRange,
    TooFewReplicas,
    TooManyReplicas,
    ScaleUpLimit,
    ScaleDownLimit,
}

impl Limit {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DesiredWithinRange => "DesiredWithinRange",
            Self::TooFewReplicas => "TooFewReplicas",
            Self::TooManyReplicas => "TooManyReplicas",
            Self::ScaleUpLimit => "ScaleUpLimit",
            Self::ScaleDownLimit => "ScaleDownLimit",
        }
    }
}

/// A count that is wanted and the bounds that it has to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub current: i32,
    pub desired: i32,
    pub min: i32,
    pub max: i32,
}

/// Without `behavior`: between the bounds, and at most `max(factor × current, minimum)`.
#[must_use]
pub fn limit_without_behavior(bounds: Bounds, factor: f64, minimum: f64) -> (i32, Limit) {
    let step = (factor * f64::from(bounds.current)).max(minimum) as i32;
    let (most, limit) = if bounds.max > step {
        (step, Limit::ScaleUpLimit)
    } else {
        (bounds.max, Limit::TooManyReplicas)
    };
    if bounds.desired < bounds.min {
        (bounds.min, Limit::TooFewReplicas)
    } else if bounds.desired > most {
        (most, limit)
    } else {
        (bounds.desired, Limit::DesiredWithinRange)
    }
}

/// With `behavior`: the bound on the side of the change, and the rate of that side.
#[must_use]
pub fn limit_with_behavior(
    bounds: Bounds,
    behavior: &Behavior,
    events: &ScaleEvents,
    now: Millis,
) -> (i32, Limit) {
    if bounds.desired > bounds.current {
        // Where more was added in the period than the rate allows, nothing is taken back.
        let rate =
            scale_up_limit(bounds.current, events, &behavior.scale_up, now).max(bounds.current);
        let (most, limit) = if bounds.max > rate {
            (rate, Limit::ScaleUpLimit)
        } else {
            (bounds.max, Limit::TooManyReplicas)
        };
        if bounds.desired > most {
            return (most, limit);
        }
    } else if bounds.desired < bounds.current {
        let rate =
            scale_down_limit(bounds.current, events, &behavior.scale_down, now).min(bounds.current);
        let (least, limit) = if bounds.min < rate {
            (rate, Limit::ScaleDownLimit)
        } else {
            (bounds.min, Limit::TooFewReplicas)
        };
        if bounds.desired < least {
            return (least, limit);
        }
    }
    (bounds.desired, Limit::DesiredWithinRange)
}

/// The most replicas that the rate allows. Percentages round up: a rate above zero always allows one.
#[must_use]
pub fn scale_up_limit(current: i32, events: &ScaleEvents, rules: &Rules, now: Millis) -> i32 {
    let proposals = rules.policies.iter().map(|policy| {
        let start = at_start_of_period(current, policy.period_seconds, events, now);
        match policy.kind {
            RateKind::Pods => start.wrapping_add(policy.value),
            RateKind::Percent => {
                (f64::from(start) * (1.0 + f64::from(policy.value) / 100.0)).ceil() as i32
            }
        }
    });
    match rules.select {
        Select::Disabled => current,
        Select::Min => proposals.min().unwrap_or(i32::MAX),
        Select::Max => proposals.max().unwrap_or(i32::MIN),
    }
}

/// The fewest replicas that the rate allows. Percentages truncate.
#[must_use]
pub fn scale_down_limit(current: i32, events: &ScaleEvents, rules: &Rules, now: Millis) -> i32 {
    let proposals = rules.policies.iter().map(|policy| {
        let start = at_start_of_period(current, policy.period_seconds, events, now);
        match policy.kind {
            RateKind::Pods => start.wrapping_sub(policy.value),
            RateKind::Percent => {
                (f64::from(start) * (1.0 - f64::from(policy.value) / 100.0)) as i32
            }
        }
    });
    match rules.select {
        Select::Disabled => current,
        // The smallest change leaves the most.
        Select::Min => proposals.max().unwrap_or(i32::MIN),
        Select::Max => proposals.min().unwrap_or(i32::MAX),
    }
}

fn at_start_of_period(current: i32, period_seconds: i32, events: &ScaleEvents, now: Millis) -> i32 {
    current
        .wrapping_sub(change_in_period(period_seconds, &events.up, now))
        .wrapping_add(change_in_period(period_seconds, &events.down, now))
}

/// The sum of changes within the period.
#[must_use]
pub fn change_in_period(period_seconds: i32, events: &[ScaleEvent], now: Millis) -> i32 {
    let from = now - i64::from(period_seconds) * 1000;
    events
        .iter()
        .filter(|event| event.at > from)
        .fold(0, |sum, event| sum.wrapping_add(event.change))
}

/// Keeps a change for as long as the rules need it, in the slot of one that they don't need any more where there is one.
pub fn store_event(events: &mut Vec<ScaleEvent>, change: i32, rules: &Rules, now: Millis) {
    let from = now - i64::from(rules.longest_period_seconds()) * 1000;
    for event in events.iter_mut() {
        event.outdated |= event.at < from;
    }
    let event = ScaleEvent {
        change,
        at: now,
        outdated: false,
    };
    match events.iter_mut().rfind(|event| event.outdated) {
        Some(slot) => *slot = event,
        None => events.push(event),
    }
}
