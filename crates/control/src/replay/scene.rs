//! The world as policies see it: one snapshot that is brought up to date at each tick, as making its replicas anew would take longer than
//! deciding.

use std::collections::BTreeMap;

use hysio_scaling::{Pod, Reading, Resource, Snapshot, Workload};
use jiff::{SignedDuration, Timestamp};

use super::{
    Shows,
    world::{Load, Seen},
};

const CORE_MILLI: i64 = 1_000;
const GIBIBYTE_MILLI: i64 = 1_073_741_824_000;
const CPU: &str = "cpu";
const RATE: &str = "http_requests_per_second";

pub struct Scene<'a> {
    snapshot: Snapshot,
    resource: Resource,
    signals: &'a BTreeMap<String, Shows>,
}

impl<'a> Scene<'a> {
    pub fn new(start: Timestamp, resource: Resource, signals: &'a BTreeMap<String, Shows>) -> Self {
        let snapshot = Snapshot {
            at: start,
            workloads: BTreeMap::from([(resource, Workload::default())]),
            signals: BTreeMap::new(),
            alerts: BTreeMap::new(),
            emergency: None,
        };
        Self {
            snapshot,
            resource,
            signals,
        }
    }

    /// What is seen at a moment; `value` is the trace's own.
    pub fn at(&mut self, at: Timestamp, seen: &Seen, value: f64) -> &Snapshot {
        self.snapshot.at = at;
        for (name, shows) in self.signals {
            let reading = reading(*shows, seen, value, at);
            match self.snapshot.signals.get_mut(name) {
                Some(kept) => *kept = reading,
                None => {
                    self.snapshot.signals.insert(name.clone(), reading);
                }
            }
        }
        let workload = self.snapshot.workloads.entry(self.resource).or_default();
        workload.desired = count(seen.desired);
        workload.running = count(seen.running);
        workload.ready = count(seen.ready);
        bring_up_to_date(&mut workload.pods, seen, at);
        &self.snapshot
    }
}

fn count(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn reading(shows: Shows, seen: &Seen, value: f64, at: Timestamp) -> Reading {
    let Some(load) = seen.load else {
        return Reading::Missing {
            why: "the metrics are out".to_owned(),
        };
    };
    Reading::Value {
        value: match shows {
            Shows::Queue => load.queue,
            Shows::Trace => value,
            Shows::Busy => 100.0 * load.utilisation,
            Shows::Nothing => 0.0,
        },
        at,
    }
}

/// Replicas that are ready come first; those that serve and are measured carry their usage, others none.
fn bring_up_to_date(pods: &mut Vec<Pod>, seen: &Seen, at: Timestamp) {
    pods.truncate(seen.running as usize);
    for number in 0..seen.running {
        let load = seen.load.filter(|_| number < seen.ready);
        let fits = pods.get(number as usize).is_some_and(|pod| {
            pod.ready == (number < seen.ready) && pod.measured_at.is_some() == load.is_some()
        });
        if !fits {
            let pod = replica(number, number < seen.ready, load.is_some(), at);
            match pods.get_mut(number as usize) {
                Some(kept) => *kept = pod,
                None => pods.push(pod),
            }
        }
        if let Some(load) = load {
            measure(&mut pods[number as usize], load, seen.ready, at);
        }
    }
}

/// Replicas are equally busy: each asks for one core and a gibibyte, and uses its core as far as it is busy.
fn measure(pod: &mut Pod, load: Load, ready: u32, at: Timestamp) {
    pod.measured_at = Some(at);
    if let Some(cpu) = pod.usage_milli.get_mut(CPU) {
        *cpu = (load.utilisation * CORE_MILLI as f64).round() as i64;
    }
    if let Some(rate) = pod.usage_milli.get_mut(RATE) {
        *rate = (1000.0 * load.rate / f64::from(ready.max(1))).round() as i64;
    }
}

fn replica(number: u32, ready: bool, measured: bool, at: Timestamp) -> Pod {
    let long_ago = at
        .checked_sub(SignedDuration::from_hours(1))
        .unwrap_or(Timestamp::MIN);
    let usage = if measured {
        BTreeMap::from([
            (CPU.to_owned(), 0),
            ("memory".to_owned(), GIBIBYTE_MILLI / 4),
            (RATE.to_owned(), 0),
        ])
    } else {
        BTreeMap::new()
    };
    Pod {
        name: format!("replica-{number}"),
        ready,
        started_at: Some(if ready { long_ago } else { at }),
        ready_since: ready.then_some(long_ago),
        measured_at: measured.then_some(at),
        usage_milli: usage,
        window_seconds: 15,
        requests_milli: BTreeMap::from([
            (CPU.to_owned(), CORE_MILLI),
            ("memory".to_owned(), GIBIBYTE_MILLI),
        ]),
    }
}
