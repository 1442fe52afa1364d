//! CloudWatch's two alarms of a target-tracking policy, over datapoints of a minute.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Datapoints that must all be over the target before it scales out.
const HIGH_DATAPOINTS: i64 = 3;
/// Datapoints that must all be under nine tenths of the target before it scales in.
const LOW_DATAPOINTS: i64 = 15;

/// The average of one minute, in thousandths, so that a memory reads back to the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Datapoint {
    /// Minutes since 1970.
    pub minute: i64,
    pub sum_milli: i64,
    pub readings: i64,
}

impl Datapoint {
    fn average_milli(&self) -> i64 {
        self.sum_milli / self.readings.max(1)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alarm {
    /// Over the target; the last datapoint.
    High {
        milli: i64,
    },
    /// Well under the target; the highest of the datapoints, so that a dip doesn't count for more than it is.
    Low {
        milli: i64,
    },
    Ok,
    /// A minute of the last three has no datapoint.
    InsufficientData,
}

/// Adds a reading to its minute, and forgets what no alarm looks at any more.
pub(super) fn record(points: &[Datapoint], at: Timestamp, milli: Option<i64>) -> Vec<Datapoint> {
    let now = minute(at);
    let oldest = now - LOW_DATAPOINTS;
    let mut points: Vec<Datapoint> = points
        .iter()
        .filter(|point| (oldest..=now).contains(&point.minute))
        .cloned()
        .collect();
    let Some(milli) = milli else { return points };
    match points.iter_mut().find(|point| point.minute == now) {
        Some(point) => {
            point.sum_milli = point.sum_milli.saturating_add(milli);
            point.readings += 1;
        }
        None => points.push(Datapoint {
            minute: now,
            sum_milli: milli,
            readings: 1,
        }),
    }
    points
}

/// Only whole minutes count: the one that runs may still change.
pub(super) fn evaluate(points: &[Datapoint], at: Timestamp, target_milli: i64) -> Alarm {
    let averages = |minutes: i64| -> Option<Vec<i64>> {
        (1..=minutes)
            .map(|ago| {
                let wanted = minute(at) - ago;
                let point = points.iter().find(|point| point.minute == wanted)?;
                Some(point.average_milli())
            })
            .collect()
    };
    let Some(recent) = averages(HIGH_DATAPOINTS) else {
        return Alarm::InsufficientData;
    };
    if recent.iter().all(|milli| *milli > target_milli) {
        return Alarm::High { milli: recent[0] };
    }
    let low = target_milli - target_milli / 10;
    averages(LOW_DATAPOINTS)
        .filter(|all| all.iter().all(|milli| *milli < low))
        .and_then(|all| all.into_iter().max())
        .map_or(Alarm::Ok, |milli| Alarm::Low { milli })
}

fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}
