//! How one run went, in the numbers by which policies are compared.

use hysio_scaling::elasticity::{Elasticity, elasticity, speedup};
use serde::Serialize;

use super::world::{TICK_SECONDS, Totals};

const DAY_TICKS: f64 = 86_400.0 / TICK_SECONDS;

/// What was needed, offered and there, tick by tick.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// The least replicas that met the objective.
    pub need: Vec<u32>,
    /// Replicas that were ready.
    pub supply: Vec<u32>,
    /// Replicas' worth of work that came, on average.
    pub load: Vec<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Score {
    #[serde(flatten)]
    pub elasticity: Elasticity,
    /// The share of jobs that missed the objective's time, in per cent.
    pub late_jobs: f64,
    /// The share of time in which more work came than could be done, in per cent.
    pub over_capacity_time: f64,
    /// The share of all work that was beyond what could be done when it came, in per cent.
    pub over_capacity_work: f64,
    /// Replicas that were paid for.
    pub replica_hours: f64,
    /// Replica hours over those of an oracle that has at each moment what is needed.
    pub against_oracle: f64,
    pub actions_a_day: f64,
    /// From when something was missing until nothing was: on average, and the longest.
    pub recovery_seconds: f64,
    pub longest_recovery_seconds: f64,
}

impl Score {
    #[must_use]
    pub fn of(course: &Course, totals: &Totals) -> Self {
        let ticks = course.supply.len().max(1) as f64;
        let oracle: f64 = course.need.iter().map(|need| f64::from(*need)).sum();
        let oracle_hours = oracle * TICK_SECONDS / 3600.0;
        let beyond = |at: usize| (course.load[at] - f64::from(course.supply[at])).max(0.0);
        let offered: f64 = course.load.iter().sum();
        let over: Vec<f64> = (0..course.supply.len()).map(beyond).collect();
        let (mean, longest) = recovery(course);
        Self {
            elasticity: elasticity(&course.need, &course.supply, TICK_SECONDS),
            late_jobs: 100.0 * totals.late_share(),
            over_capacity_time: 100.0 * over.iter().filter(|it| **it > 0.0).count() as f64 / ticks,
            over_capacity_work: 100.0 * over.iter().sum::<f64>() / offered.max(f64::MIN_POSITIVE),
            replica_hours: totals.replica_hours,
            against_oracle: totals.replica_hours / oracle_hours.max(f64::MIN_POSITIVE),
            actions_a_day: f64::from(totals.changes) * DAY_TICKS / ticks,
            recovery_seconds: mean,
            longest_recovery_seconds: longest,
        }
    }
}

/// The elastic speed-up over a number that never changes and costs the same. Between whole numbers it is taken along a line.
#[must_use]
pub fn speedup_at_equal_cost(policy: &Elasticity, course: &Course, totals: &Totals) -> f64 {
    let hours = f64::from(totals.ticks) * TICK_SECONDS / 3600.0;
    let same = totals.replica_hours / hours.max(f64::MIN_POSITIVE);
    let fixed = |count: f64| {
        let supply = vec![count as u32; course.need.len()];
        elasticity(&course.need, &supply, TICK_SECONDS)
    };
    let (low, high, share) = (fixed(same.floor()), fixed(same.ceil()), same.fract());
    let between = |of: fn(&Elasticity) -> f64| (1.0 - share) * of(&low) + share * of(&high);
    let none = Elasticity {
        under_accuracy: between(|it| it.under_accuracy),
        under_time: between(|it| it.under_time),
        over_accuracy: between(|it| it.over_accuracy),
        over_time: between(|it| it.over_time),
        ..Elasticity::default()
    };
    speedup(&none, policy)
}

fn recovery(course: &Course) -> (f64, f64) {
    let (mut episodes, mut short, mut longest, mut run) = (0_u32, 0_u32, 0_u32, 0_u32);
    for (need, supply) in course.need.iter().zip(&course.supply) {
        if supply < need {
            episodes += u32::from(run == 0);
            run += 1;
            short += 1;
            longest = longest.max(run);
        } else {
            run = 0;
        }
    }
    let seconds = |ticks: u32| f64::from(ticks) * TICK_SECONDS;
    (
        seconds(short) / f64::from(episodes.max(1)),
        seconds(longest),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_was_worked_out_by_hand() {
        let course = Course {
            need: vec![2, 4, 4, 4, 2, 4, 4, 2],
            supply: vec![2, 2, 2, 4, 4, 2, 4, 4],
            load: vec![1.0, 3.0, 3.0, 3.0, 1.0, 1.5, 3.0, 1.0],
        };
        let totals = Totals {
            ticks: 8,
            arrived: 200.0,
            late: 10.0,
            replica_hours: 26.0 * TICK_SECONDS / 3600.0,
            changes: 2,
            ..Totals::default()
        };
        let score = Score::of(&course, &totals);
        assert_eq!(score.late_jobs, 5.0);
        assert_eq!(score.over_capacity_time, 25.0);
        assert!((score.over_capacity_work - 100.0 * 2.0 / 16.5).abs() < 1e-9);
        assert!((score.against_oracle - 1.0).abs() < 1e-9);
        assert_eq!(score.recovery_seconds, 22.5);
        assert_eq!(score.longest_recovery_seconds, 30.0);
        assert_eq!(score.actions_a_day, 2.0 * 5760.0 / 8.0);
    }

    #[test]
    fn a_number_that_never_changes_is_as_good_as_itself() {
        let course = Course {
            need: vec![2, 4, 4, 2],
            supply: vec![3; 4],
            load: vec![1.0; 4],
        };
        let totals = Totals {
            ticks: 4,
            replica_hours: 12.0 * TICK_SECONDS / 3600.0,
            ..Totals::default()
        };
        let score = Score::of(&course, &totals);
        let speedup = speedup_at_equal_cost(&score.elasticity, &course, &totals);
        assert!((speedup - 1.0).abs() < 1e-9, "{speedup}");
    }
}
