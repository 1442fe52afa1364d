//! Replaying demand against policies: the same `decide` that runs in production, in a world that can be as bad as wanted and is the same
//! each time.

pub mod world;

use std::collections::{BTreeMap, HashMap};

use hysio_scaling::{
    Pod, Reading, Resource, Snapshot, Workload,
    capacity::size::{Arrivals, Infeasible, Margins, Objective, Service, size},
    decide::{History, decide},
    elasticity::{Elasticity, elasticity},
    policies::Policies,
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use self::world::{Seen, Settings, TICK_SECONDS, Totals, World};

/// Demand in equal steps.
#[derive(Clone, Debug)]
pub struct Demand {
    pub start: Timestamp,
    pub step_seconds: f64,
    /// Jobs a second.
    pub rates: Vec<f64>,
    /// What the trace says, for policies that look at it, such as active sessions.
    pub values: Vec<f64>,
}

impl Demand {
    fn ticks(&self) -> u32 {
        (self.rates.len() as f64 * self.step_seconds / TICK_SECONDS) as u32
    }

    fn step(&self, tick: u32) -> usize {
        ((f64::from(tick) * TICK_SECONDS / self.step_seconds) as usize)
            .min(self.rates.len().saturating_sub(1))
    }

    /// The least replicas that meet the objective, step by step.
    ///
    /// # Errors
    /// When no number of them can.
    pub fn needed(&self, service: &Service, objective: Objective) -> Result<Vec<u32>, Infeasible> {
        let mut known: HashMap<u64, u32> = HashMap::new();
        let need = |rate: f64| {
            if rate <= 0.0 {
                return Ok(0);
            }
            // Rates that are equal to a thousandth need the same.
            let rounded = (rate.ln() * 1000.0).round() as i64;
            if let Some(count) = known.get(&rounded.cast_unsigned()) {
                return Ok(*count);
            }
            let rate = (rounded as f64 / 1000.0).exp();
            let count = size(
                Arrivals::poisson(rate),
                service,
                objective,
                Margins::default(),
            )?
            .for_demand;
            known.insert(rounded.cast_unsigned(), count);
            Ok(count)
        };
        self.rates.iter().copied().map(need).collect()
    }
}

/// What a signal shows in the replayed world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// Jobs that wait.
    Queue,
    /// The trace's own value.
    Trace,
    /// How busy replicas are, in per cent.
    Busy,
    /// Nothing of it is simulated: zero.
    Nothing,
}

/// How one run went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    pub totals: Totals,
    pub elasticity: Elasticity,
    /// Ready replicas, in ticks.
    #[serde(skip)]
    pub supply: Vec<u32>,
}

/// Who decides how many there are.
pub enum Decider<'a> {
    Fixed(u32),
    Policies {
        policies: &'a Policies,
        resource: Resource,
        signals: &'a BTreeMap<String, Shows>,
    },
}

/// Runs the whole demand; `progress` hears each tick.
pub fn run(
    demand: &Demand,
    needed: &[u32],
    settings: Settings,
    decider: &Decider,
    mut progress: impl FnMut(u32),
) -> Run {
    let mut world = World::new(settings);
    let mut history = History::default();
    let ticks = demand.ticks();
    let mut supply = Vec::with_capacity(ticks as usize);
    let mut need = Vec::with_capacity(ticks as usize);
    for tick in 0..ticks {
        let step = demand.step(tick);
        world.step(demand.rates[step], |seen| match decider {
            Decider::Fixed(count) => *count,
            Decider::Policies {
                policies,
                resource,
                signals,
            } => {
                let at = moment(demand.start, tick);
                let snapshot = snapshot(seen, at, *resource, signals, demand.values[step]);
                let (decision, next) = decide(policies, &history, &snapshot);
                history = next;
                let plan = decision
                    .plans()
                    .find(|(outcome, ..)| outcome.resource == *resource);
                plan.map_or(seen.desired, |(_, to, _)| u32::try_from(to).unwrap_or(0))
            }
        });
        supply.push(world.ready());
        need.push(needed[step]);
        progress(tick);
    }
    Run {
        totals: world.totals(),
        elasticity: elasticity(&need, &supply, TICK_SECONDS),
        supply,
    }
}

fn moment(start: Timestamp, tick: u32) -> Timestamp {
    let after = SignedDuration::from_secs_f64(f64::from(tick) * TICK_SECONDS);
    start.checked_add(after).unwrap_or(Timestamp::MAX)
}

/// The world as policies see it.
fn snapshot(
    seen: &Seen,
    at: Timestamp,
    resource: Resource,
    signals: &BTreeMap<String, Shows>,
    value: f64,
) -> Snapshot {
    let read = |shows: Shows| match seen.load {
        None => Reading::Missing {
            why: "the metrics are out".to_owned(),
        },
        Some(load) => Reading::Value {
            value: match shows {
                Shows::Queue => load.queue,
                Shows::Trace => value,
                Shows::Busy => 100.0 * load.utilisation,
                Shows::Nothing => 0.0,
            },
            at,
        },
    };
    let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let workload = Workload {
        desired: count(seen.desired),
        running: count(seen.running),
        ready: count(seen.ready),
        pods: (0..seen.running)
            .map(|number| pod(number, seen, at))
            .collect(),
        quota: None,
        in_flight: false,
        failing: None,
    };
    Snapshot {
        at,
        workloads: BTreeMap::from([(resource, workload)]),
        signals: signals
            .iter()
            .map(|(name, shows)| (name.clone(), read(*shows)))
            .collect(),
        alerts: BTreeMap::new(),
        emergency: None,
    }
}

/// Replicas are equally busy: each asks for one core and a gibibyte, and uses its core as far as it is busy.
fn pod(number: u32, seen: &Seen, at: Timestamp) -> Pod {
    const CORE_MILLI: i64 = 1_000;
    const GIBIBYTE_MILLI: i64 = 1_073_741_824_000;
    let ready = number < seen.ready;
    let long_ago = at
        .checked_sub(SignedDuration::from_hours(1))
        .unwrap_or(Timestamp::MIN);
    let usage = match seen.load {
        Some(load) if ready => BTreeMap::from([
            (
                "cpu".to_owned(),
                (load.utilisation * CORE_MILLI as f64).round() as i64,
            ),
            ("memory".to_owned(), GIBIBYTE_MILLI / 4),
            (
                "http_requests_per_second".to_owned(),
                (1000.0 * load.rate / f64::from(seen.ready.max(1))).round() as i64,
            ),
        ]),
        _ => BTreeMap::new(),
    };
    Pod {
        name: format!("replica-{number}"),
        ready,
        started_at: Some(if ready { long_ago } else { at }),
        ready_since: ready.then_some(long_ago),
        measured_at: (!usage.is_empty()).then_some(at),
        usage_milli: usage,
        window_seconds: 15,
        requests_milli: BTreeMap::from([
            ("cpu".to_owned(), CORE_MILLI),
            ("memory".to_owned(), GIBIBYTE_MILLI),
        ]),
    }
}

#[cfg(test)]
mod tests;
