//! What one decision leaves for the next.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Millis, Settings, Spec,
    behavior::{ScaleEvent, ScaleEvents, store_event},
    reconcile::windows,
    stabilize::Recommendation,
};

/// Recommendations and events that are kept at most; the oldest go first.
const MOST: usize = 1024;

/// What a HorizontalPodAutoscaler remembers. The caller keeps it and gives it back with the next snapshot: a decision depends on
/// it and the snapshot alone, so it can be replayed.
///
/// Changes of the replicas are seen, not told: when a snapshot's `desired` differs from that of the snapshot before, the change is
/// an event of the moment at which it was decided, which is that earlier snapshot. Changes that others made count too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// What the metrics asked for lately; `None` before the first decision.
    pub recommendations: Option<Vec<Recommendation>>,
    pub events: ScaleEvents,
    /// Whether the workload is at zero because this policy wanted it there.
    pub scaled_to_zero: Option<bool>,
    pub last: Option<Last>,
}

/// The last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Last {
    pub at: Timestamp,
    /// What was asked for then (`spec.replicas`).
    pub desired: i32,
    /// What this policy wanted then.
    pub wanted: i32,
}

impl Memory {
    /// Takes note of what happened since the last look.
    pub(crate) fn see(&mut self, spec: &Spec, desired: i32) {
        let Some(last) = self.last else {
            return;
        };
        if desired == last.desired {
            return;
        }
        if let Some(behavior) = &spec.behavior {
            let change = desired.abs_diff(last.desired).cast_signed();
            let at = last.at.as_millisecond();
            if desired > last.desired {
                store_event(&mut self.events.up, change, &behavior.scale_up, at);
            } else {
                store_event(&mut self.events.down, change, &behavior.scale_down, at);
            }
        }
        self.scaled_to_zero = Some(desired == 0 && last.wanted == 0);
    }

    /// Drops what no decision will need again.
    pub(crate) fn forget(&mut self, spec: &Spec, settings: &Settings, now: Millis) {
        let window = match &spec.behavior {
            None => settings.downscale_stabilization_seconds,
            Some(behavior) => {
                let windows = windows(behavior, settings);
                windows.up_seconds.max(windows.down_seconds)
            }
        };
        if let Some(recommendations) = &mut self.recommendations {
            keep_needed(recommendations, now - i64::from(window) * 1000);
        }
        let behavior = spec.behavior.as_ref();
        let up = behavior.map_or(0, |one| one.scale_up.longest_period_seconds());
        let down = behavior.map_or(0, |one| one.scale_down.longest_period_seconds());
        // Either limit counts both kinds of change.
        let from = now - i64::from(up.max(down)) * 1000;
        keep_recent(&mut self.events.up, from);
        keep_recent(&mut self.events.down, from);
    }
}

/// The newest of each value is all that a minimum or maximum over the newest part needs; in the order of time.
fn keep_needed(recommendations: &mut Vec<Recommendation>, from: Millis) {
    recommendations.sort_by_key(|one| one.at);
    let mut seen = Vec::new();
    let mut kept = Vec::with_capacity(recommendations.len());
    for one in recommendations.iter().rev() {
        if one.at >= from && kept.len() < MOST && !seen.contains(&one.replicas) {
            seen.push(one.replicas);
            kept.push(*one);
        }
    }
    kept.reverse();
    *recommendations = kept;
}

fn keep_recent(events: &mut Vec<ScaleEvent>, from: Millis) {
    events.retain(|event| event.at > from);
    events.sort_by_key(|event| event.at);
    let surplus = events.len().saturating_sub(MOST);
    events.drain(..surplus);
}
