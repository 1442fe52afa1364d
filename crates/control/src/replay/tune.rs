//! Looking for better numbers in policies' files: what costs less, is late less often and changes less.
//!
//! A seeded evolutionary search over the knobs (`hysio_scaling::policies::knobs`): the stated numbers first, then a third of the runs at
//! random, then children of the points that nothing beats in cost, misses and actions together. Every point is replayed on days to learn
//! from; what is recommended must also win on days that were held out, and is chosen without looking at them.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZero,
    thread,
};

use hysio_scaling::{
    Resource,
    forecast::policy::Kept,
    policies::{
        Policies, Refused,
        knobs::{Knob, turned},
    },
    series::Series,
};
use serde::{Deserialize, Serialize};

use super::{Decider, Demand, Run, Shows, run, score::Score, world::Settings};

/// Points that are replayed before the next are bred, whatever the number of processors: the search is the same everywhere.
const GENERATION: usize = 16;
/// What is recommended must be better by this share where it was learnt, so that it is more than luck.
const WORTH_IT: f64 = 0.05;
/// The share of what may be missed that may be missed where it was learnt.
const MARGIN: f64 = 0.8;
/// How much more it may cost than what there was, and still count as the same cost.
const SAME_COST: f64 = 1.005;

/// Days of a trace on which policies compete.
pub struct Contest<'a> {
    pub demand: &'a Demand,
    pub needed: &'a [u32],
    pub settings: Settings,
    pub resource: Resource,
    pub signals: &'a BTreeMap<String, Shows>,
    /// What signals were before.
    pub before: &'a BTreeMap<String, Series>,
    /// Forecasts, which are the same in every run on the same days.
    pub forecasts: Kept,
}

impl Contest<'_> {
    /// # Errors
    /// What is wrong with the files.
    pub fn run(&self, files: &BTreeMap<String, String>) -> Result<Run, Refused> {
        let mut policies = Policies::read(files)?;
        policies.keep_forecasts(&self.forecasts);
        let history = policies.remembering(self.before);
        let decider = Decider::Policies {
            policies: &policies,
            resource: self.resource,
            signals: self.signals,
            history: &history,
        };
        Ok(run(
            self.demand,
            self.needed,
            self.settings.clone(),
            &decider,
            |_| {},
        ))
    }
}

/// What a miss is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misses {
    /// Jobs that were late.
    #[default]
    LateJobs,
    /// What was missing of what was needed: θ_U.
    UnderProvisioning,
}

impl Misses {
    #[must_use]
    pub fn of(self, score: &Score) -> f64 {
        match self {
            Self::LateJobs => score.late_jobs,
            Self::UnderProvisioning => score.elasticity.under_accuracy,
        }
    }
}

/// What a policy is to keep to, and how much may be missed. What may be is no reason to pay more.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    pub misses: Misses,
    /// In per cent, such as the 5 of an objective for 95 % of the jobs.
    pub allowed: f64,
}

impl Promise {
    /// What is missed beyond what may be.
    fn broken(self, score: &Score) -> f64 {
        (self.misses.of(score) - self.allowed).max(0.0)
    }

    /// Days to come are not those that were learnt from.
    fn with_a_margin(self) -> Self {
        Self {
            allowed: MARGIN * self.allowed,
            ..self
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Search {
    pub seed: u64,
    pub runs: usize,
    pub misses: Misses,
}

/// One setting of the knobs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    pub values: Vec<f64>,
    pub score: Score,
}

impl Search {
    /// Every point that was tried; the first is what the files state.
    ///
    /// # Errors
    /// What is wrong with the files as they are.
    pub fn points(
        &self,
        files: &BTreeMap<String, String>,
        knobs: &[Knob],
        contest: &Contest,
        progress: &(impl Fn() + Sync),
    ) -> Result<Vec<Point>, Refused> {
        let stated: Vec<f64> = knobs.iter().map(|knob| knob.value).collect();
        let first = contest.run(files)?;
        progress();
        let mut points = vec![Point {
            values: stated.clone(),
            score: first.score,
        }];
        let mut random = fastrand::Rng::with_seed(self.seed);
        let mut known: BTreeSet<Vec<u64>> = BTreeSet::from([bits(&stated)]);
        while known.len() < self.runs && !knobs.is_empty() {
            let wanted = GENERATION.min(self.runs - known.len());
            let parents = self.unbeaten(&points);
            let at_random = known.len() < self.runs / 3;
            let mut children = Vec::new();
            // Few knobs have few settings: who finds nothing new in many tries is done.
            for _ in 0..50 * wanted {
                let child = if at_random {
                    anything(knobs, &mut random)
                } else {
                    bred(&parents, knobs, &mut random)
                };
                if children.len() < wanted && known.insert(bits(&child)) {
                    children.push(child);
                }
            }
            if children.is_empty() {
                break;
            }
            points.extend(replayed(files, knobs, contest, &children, progress));
        }
        Ok(points)
    }

    /// What nothing beats in cost, misses and actions together.
    fn unbeaten<'a>(&self, points: &'a [Point]) -> Vec<&'a Point> {
        let key = |point: &Point| {
            let score = &point.score;
            [
                score.replica_hours,
                self.misses.of(score),
                score.actions_a_day,
            ]
        };
        let beats = |a: &Point, b: &Point| {
            let (a, b) = (key(a), key(b));
            a != b && a.iter().zip(b).all(|(a, b)| *a <= b)
        };
        let is_unbeaten = |point: &&Point| !points.iter().any(|other| beats(other, point));
        points.iter().filter(is_unbeaten).collect()
    }
}

/// The points of which none costs less and misses less, by cost.
#[must_use]
pub fn front(points: &[Point], misses: Misses) -> Vec<&Point> {
    let mut by_cost: Vec<&Point> = points.iter().collect();
    by_cost.sort_by(|a, b| {
        let keys = (a.score.replica_hours, misses.of(&a.score));
        let others = (b.score.replica_hours, misses.of(&b.score));
        keys.partial_cmp(&others)
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let mut least = f64::INFINITY;
    by_cost.retain(|point| {
        let missed = misses.of(&point.score);
        let better = missed < least;
        least = least.min(missed);
        better
    });
    by_cost
}

/// What is stated, with each choice of one key; where several knobs have it, they are turned together.
#[must_use]
pub fn each_choice(key: &str, knobs: &[Knob]) -> Vec<Vec<f64>> {
    let choices = knobs
        .iter()
        .find(|knob| knob.key == key)
        .map_or(&[][..], |knob| &knob.choices);
    let value = |knob: &Knob, choice: f64| if knob.key == key { choice } else { knob.value };
    choices
        .iter()
        .map(|choice| knobs.iter().map(|knob| value(knob, *choice)).collect())
        .collect()
}

/// What came of a search.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// It won where it was learnt and where it was not.
    Take {
        values: Vec<f64>,
        learnt: Box<Score>,
        held_out: Box<Score>,
    },
    Keep {
        why: String,
    },
}

/// The point to take: the least broken promise at no more cost where it was learnt, if it wins on the held-out days too. Where the
/// promise is kept already, the least cost that keeps it.
///
/// # Errors
/// What is wrong with the files as they are.
pub fn advise(
    points: &[Point],
    promise: Promise,
    files: &BTreeMap<String, String>,
    knobs: &[Knob],
    held_out: &Contest,
) -> Result<Advice, Refused> {
    let stated = &points[0].score;
    let Some(best) = best(points, promise.with_a_margin()) else {
        let why = format!(
            "of {} settings none is better by {:.0} % at the same cost, nor as good at {:.0} % less",
            points.len(),
            100.0 * WORTH_IT,
            100.0 * WORTH_IT
        );
        return Ok(Advice::Keep { why });
    };
    let before = held_out.run(files)?.score;
    let after = held_out.run(&turned(files, knobs, &best.values))?.score;
    let costs_no_more = after.replica_hours <= SAME_COST * before.replica_hours;
    let (broken, broken_before) = (promise.broken(&after), promise.broken(&before));
    let wins = costs_no_more
        && broken <= broken_before
        && (broken < broken_before || after.replica_hours < before.replica_hours);
    if wins {
        return Ok(Advice::Take {
            values: best.values.clone(),
            learnt: Box::new(best.score),
            held_out: Box::new(after),
        });
    }
    let misses = promise.misses;
    Ok(Advice::Keep {
        why: format!(
            "the best setting wins only on the days it was learnt on (misses {:.2} % instead of {:.2} %); on the held-out days it misses {:.2} % instead of {:.2} % at {:.3} times the cost",
            misses.of(&best.score),
            misses.of(stated),
            misses.of(&after),
            misses.of(&before),
            after.replica_hours / before.replica_hours.max(f64::MIN_POSITIVE),
        ),
    })
}

fn best(points: &[Point], promise: Promise) -> Option<&Point> {
    let stated = &points[0].score;
    let (cost, broken) = (stated.replica_hours, promise.broken(stated));
    let key = |point: &Point| (promise.broken(&point.score), point.score.replica_hours);
    let least = points[1..]
        .iter()
        .filter(|point| point.score.replica_hours <= cost)
        .min_by(|a, b| {
            let (a, b) = (key(a), key(b));
            a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
        })?;
    let (least_broken, least_cost) = key(least);
    let better = least_broken < (1.0 - WORTH_IT) * broken;
    let cheaper = least_broken <= broken && least_cost < (1.0 - WORTH_IT) * cost;
    (better || cheaper).then_some(least)
}

/// On all processors; the points come in the order of their settings. What the files refuse, such as a least above the most, is none.
pub(super) fn replayed(
    files: &BTreeMap<String, String>,
    knobs: &[Knob],
    contest: &Contest,
    settings: &[Vec<f64>],
    progress: &(impl Fn() + Sync),
) -> Vec<Point> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let each = settings.len().div_ceil(threads).max(1);
    let replay = |values: &Vec<f64>| {
        let run = contest.run(&turned(files, knobs, values)).ok();
        progress();
        run.map(|run| Point {
            values: values.clone(),
            score: run.score,
        })
    };
    thread::scope(|scope| {
        let workers: Vec<_> = settings
            .chunks(each)
            .map(|chunk| scope.spawn(|| chunk.iter().filter_map(replay).collect::<Vec<_>>()))
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| match worker.join() {
                Ok(points) => points,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}

fn anything(knobs: &[Knob], random: &mut fastrand::Rng) -> Vec<f64> {
    knobs
        .iter()
        .map(|knob| knob.choices[random.usize(..knob.choices.len())])
        .collect()
}

/// Each number from one of two parents, and some of them turned: mostly a little, now and then anywhere.
fn bred(parents: &[&Point], knobs: &[Knob], random: &mut fastrand::Rng) -> Vec<f64> {
    let [mother, father] = [(); 2].map(|()| parents[random.usize(..parents.len())]);
    let turned = 1.5 / knobs.len() as f64;
    knobs
        .iter()
        .enumerate()
        .map(|(at, knob)| {
            let parent = if random.bool() { mother } else { father };
            let value = parent.values[at];
            if random.f64() >= turned {
                return value;
            }
            if random.f64() < 0.2 {
                return knob.choices[random.usize(..knob.choices.len())];
            }
            let place = knob.choices.iter().position(|choice| *choice == value);
            let step = random.usize(1..=2);
            let next = if random.bool() {
                place.unwrap_or(0) + step
            } else {
                place.unwrap_or(0).saturating_sub(step)
            };
            knob.choices[next.min(knob.choices.len() - 1)]
        })
        .collect()
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[cfg(test)]
mod tests;
