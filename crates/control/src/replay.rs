//! Replaying demand against policies: the same `decide` that runs in production, in a world that can be as bad as wanted and is the same
//! each time.

pub mod equal_cost;
pub mod faults;
mod scene;
pub mod score;
pub mod tune;
pub mod world;

use std::collections::{BTreeMap, HashMap};

use hysio_scaling::{
    Resource,
    capacity::size::{Arrivals, Infeasible, Margins, Objective, Service, size},
    decide::{History, decide},
    policies::Policies,
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use self::{
    scene::Scene,
    score::{Course, Score},
    world::{Chaos, Kind, Seen, Settings, TICK_SECONDS, Totals, World},
};

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
    #[must_use]
    pub fn ticks(&self) -> u32 {
        (self.rates.len() as f64 * self.step_seconds / TICK_SECONDS) as u32
    }

    fn step(&self, tick: u32) -> usize {
        ((f64::from(tick) * TICK_SECONDS / self.step_seconds) as usize)
            .min(self.rates.len().saturating_sub(1))
    }

    /// The demand while faults hold that change it, to whole steps. What is needed then is more, too.
    #[must_use]
    pub fn under(&self, chaos: &[Chaos]) -> Self {
        let mut demand = self.clone();
        for (at, (rate, value)) in demand.rates.iter_mut().zip(&mut demand.values).enumerate() {
            let tick = (at as f64 * self.step_seconds / TICK_SECONDS) as u32;
            for fault in chaos {
                if let Kind::Surge(factor) = fault.kind
                    && fault.holds(tick)
                {
                    *rate *= factor;
                    *value *= factor;
                }
            }
        }
        demand
    }

    /// A part of it, by steps.
    #[must_use]
    pub fn part(&self, steps: std::ops::Range<usize>) -> Self {
        let after = SignedDuration::from_secs_f64(steps.start as f64 * self.step_seconds);
        Self {
            start: self.start.checked_add(after).unwrap_or(Timestamp::MAX),
            step_seconds: self.step_seconds,
            rates: self.rates[steps.clone()].to_vec(),
            values: self.values[steps].to_vec(),
        }
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
    pub score: Score,
    /// In ticks.
    #[serde(skip)]
    pub course: Course,
}

/// Who decides how many there are.
pub enum Decider<'a> {
    Fixed(u32),
    Policies {
        policies: &'a Policies,
        resource: Resource,
        signals: &'a BTreeMap<String, Shows>,
        /// What was before: empty, or what forecasts learnt from earlier days.
        history: &'a History,
    },
}

/// From a tick and what is seen at it to how many are wanted.
type Wanted<'a> = Box<dyn FnMut(u32, &Seen) -> u32 + 'a>;

/// Runs the whole demand; `progress` hears each tick.
pub fn run(
    demand: &Demand,
    needed: &[u32],
    settings: Settings,
    decider: &Decider,
    mut progress: impl FnMut(u32),
) -> Run {
    let service_seconds = settings.service.mean();
    let mut world = World::new(settings);
    let mut decide = deciding(demand, decider);
    let ticks = demand.ticks();
    let mut course = Course::default();
    for tick in 0..ticks {
        let step = demand.step(tick);
        world.step(demand.rates[step], |seen| decide(tick, seen));
        course.supply.push(world.ready());
        course.need.push(needed[step]);
        course.load.push(demand.rates[step] * service_seconds);
        progress(tick);
    }
    let totals = world.totals();
    Run {
        score: Score::of(&course, &totals),
        totals,
        course,
    }
}

fn deciding<'a>(demand: &'a Demand, decider: &'a Decider) -> Wanted<'a> {
    match decider {
        Decider::Fixed(count) => Box::new(move |_, _| *count),
        Decider::Policies {
            policies,
            resource,
            signals,
            history,
        } => {
            let mut scene = Scene::new(demand.start, *resource, signals);
            let mut history = (*history).clone();
            Box::new(move |tick, seen| {
                let value = demand.values[demand.step(tick)];
                let snapshot = scene.at(moment(demand.start, tick), seen, value);
                let (decision, next) = decide(policies, &history, snapshot);
                history = next;
                let plan = decision
                    .plans()
                    .find(|(outcome, ..)| outcome.resource == *resource);
                plan.map_or(seen.desired, |(_, to, _)| u32::try_from(to).unwrap_or(0))
            })
        }
    }
}

fn moment(start: Timestamp, tick: u32) -> Timestamp {
    let after = SignedDuration::from_secs_f64(f64::from(tick) * TICK_SECONDS);
    start.checked_add(after).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
