//! Stabilisation: what was recommended lately keeps a count from following every wave.

use serde::{Deserialize, Serialize};

use super::Millis;

/// What the metrics alone asked for, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recommendation {
    pub replicas: i32,
    pub at: Millis,
}

/// Without `behavior`: the highest recommendation of the window, going down as going up.
pub fn without_behavior(
    recommendations: &mut Vec<Recommendation>,
    desired: i32,
    window_seconds: i32,
    now: Millis,
) -> i32 {
    let from = now - i64::from(window_seconds) * 1000;
    let highest = recommendations
        .iter()
        .filter(|one| one.at >= from)
        .fold(desired, |most, one| most.max(one.replicas));
    record(recommendations, desired, now, |one| one.at < from);
    highest
}

/// What a stabilised count is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    pub up_seconds: i32,
    pub down_seconds: i32,
}

/// With `behavior`: growth follows the lowest recommendation of its window, shrinking the highest of its own; between the two,
/// the count stays as it is.
pub fn with_behavior(
    recommendations: &mut Vec<Recommendation>,
    current: i32,
    desired: i32,
    windows: Windows,
    now: Millis,
) -> i32 {
    let up_from = now - i64::from(windows.up_seconds) * 1000;
    let down_from = now - i64::from(windows.down_seconds) * 1000;
    let (mut lowest, mut highest) = (desired, desired);
    for one in recommendations.iter() {
        if one.at > up_from {
            lowest = lowest.min(one.replicas);
        }
        if one.at > down_from {
            highest = highest.max(one.replicas);
        }
    }
    record(recommendations, desired, now, |one| {
        one.at < up_from && one.at < down_from
    });
    current.max(lowest).min(highest)
}

/// In the slot of the last one that no window needs, else behind the others.
fn record(
    recommendations: &mut Vec<Recommendation>,
    replicas: i32,
    at: Millis,
    is_old: impl Fn(&Recommendation) -> bool,
) {
    let recommendation = Recommendation { replicas, at };
    match recommendations.iter_mut().rfind(|one| is_old(one)) {
        Some(slot) => *slot = recommendation,
        None => recommendations.push(recommendation),
    }
}
