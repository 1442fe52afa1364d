//! How well supply followed demand: the elasticity metrics of the SPEC research group (Herbst et al., `Ready for Rain? A View from SPEC
//! Research on the Future of Cloud Metrics`, 2016).
//!
//! Demand is the least number of replicas that meets the objective, supply the number that is ready; both at equal steps.

use serde::Serialize;

/// The metrics over one run. Times and accuracies are in per cent, 0 is best.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Elasticity {
    /// θ_U: what was missing, relative to demand, on average.
    pub under_accuracy: f64,
    /// τ_U: the share of time in which something was missing.
    pub under_time: f64,
    /// θ_O: what was too much, relative to demand, on average.
    pub over_accuracy: f64,
    /// τ_O: the share of time in which there was too much.
    pub over_time: f64,
    /// υ: the share of time in which supply and demand did not move in the same direction.
    pub instability: f64,
    /// Changes of supply less changes of demand, an hour: above 0 it is restless, below 0 it is sluggish.
    pub jitter: f64,
}

/// The metrics of a run; all 0 for an empty one. What is longer of the two is cut off.
#[must_use]
pub fn elasticity(demand: &[u32], supply: &[u32], step_seconds: f64) -> Elasticity {
    let steps = demand.len().min(supply.len());
    if steps == 0 {
        return Elasticity::default();
    }
    let (demand, supply) = (&demand[..steps], &supply[..steps]);
    let mut sums = Elasticity::default();
    for (d, s) in demand.iter().zip(supply) {
        // Where nothing is needed, each replica is one too many of one.
        let relative = |amount: u32| f64::from(amount) / f64::from((*d).max(1));
        sums.under_accuracy += relative(d.saturating_sub(*s));
        sums.under_time += f64::from(u8::from(s < d));
        sums.over_accuracy += relative(s.saturating_sub(*d));
        sums.over_time += f64::from(u8::from(s > d));
    }
    let (mut changes_of_demand, mut changes_of_supply) = (0.0, 0.0);
    for (d, s) in demand.windows(2).zip(supply.windows(2)) {
        let (d, s) = (sign(d), sign(s));
        sums.instability += f64::from((s - d).abs().min(1));
        changes_of_demand += f64::from(d.abs());
        changes_of_supply += f64::from(s.abs());
    }
    let percent = 100.0 / steps as f64;
    Elasticity {
        under_accuracy: percent * sums.under_accuracy,
        under_time: percent * sums.under_time,
        over_accuracy: percent * sums.over_accuracy,
        over_time: percent * sums.over_time,
        instability: percent * sums.instability,
        jitter: (changes_of_supply - changes_of_demand) * 3600.0 / (steps as f64 * step_seconds),
    }
}

fn sign(pair: &[u32]) -> i32 {
    i32::from(pair[1] > pair[0]) - i32::from(pair[1] < pair[0])
}

/// A value below is taken for this, so that a perfect run is compared too: a hundredth of a per cent.
const LEAST: f64 = 0.01;

/// How much better a policy was than none (the same number all the time): the geometric mean of the four ratios of accuracies and times.
/// Above 1 it was better.
#[must_use]
pub fn speedup(none: &Elasticity, policy: &Elasticity) -> f64 {
    let ratio = |none: f64, policy: f64| none.max(LEAST) / policy.max(LEAST);
    let product = ratio(none.under_accuracy, policy.under_accuracy)
        * ratio(none.under_time, policy.under_time)
        * ratio(none.over_accuracy, policy.over_accuracy)
        * ratio(none.over_time, policy.over_time);
    product.powf(0.25)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_run_that_was_worked_out_by_hand() {
        let got = elasticity(&[2, 4, 4, 2], &[2, 2, 5, 4], 900.0);
        let expected = Elasticity {
            under_accuracy: 100.0 / 4.0 * 0.5,
            under_time: 25.0,
            over_accuracy: 100.0 / 4.0 * (0.25 + 1.0),
            over_time: 50.0,
            // Demand moves +, 0, −; supply 0, +, −.
            instability: 50.0,
            jitter: 0.0,
        };
        assert_eq!(got, expected);
    }

    #[test]
    fn half_of_each_is_twice_as_good() {
        let none = Elasticity {
            under_accuracy: 20.0,
            under_time: 40.0,
            over_accuracy: 60.0,
            over_time: 50.0,
            ..Elasticity::default()
        };
        let half = Elasticity {
            under_accuracy: 10.0,
            under_time: 20.0,
            over_accuracy: 30.0,
            over_time: 25.0,
            ..Elasticity::default()
        };
        assert!((speedup(&none, &half) - 2.0).abs() < 1e-12);
        assert!(speedup(&none, &Elasticity::default()).is_finite());
    }

    proptest! {
        #[test]
        fn supply_that_is_demand_is_perfect(demand in prop::collection::vec(1..50_u32, 0..60)) {
            let got = elasticity(&demand, &demand, 15.0);
            prop_assert_eq!(got, Elasticity::default());
        }

        #[test]
        fn time_is_either_short_or_over_or_right(demand in prop::collection::vec(0..9_u32, 1..60), supply in prop::collection::vec(0..9_u32, 60)) {
            let got = elasticity(&demand, &supply, 15.0);
            let right = demand.iter().zip(&supply).filter(|(d, s)| d == s).count();
            let right = 100.0 * right as f64 / demand.len() as f64;
            prop_assert!((got.under_time + got.over_time + right - 100.0).abs() < 1e-9);
            prop_assert!((0.0..=100.0).contains(&got.instability));
            prop_assert!(got.under_accuracy <= got.under_time + 1e-9);
        }

        #[test]
        fn one_replica_more_is_never_shorter(demand in prop::collection::vec(1..9_u32, 1..60), supply in prop::collection::vec(0..9_u32, 60)) {
            let more: Vec<u32> = supply.iter().map(|s| s + 1).collect();
            let (less, more) = (elasticity(&demand, &supply, 15.0), elasticity(&demand, &more, 15.0));
            prop_assert!(more.under_accuracy <= less.under_accuracy + 1e-9);
            prop_assert!(more.over_accuracy >= less.over_accuracy - 1e-9);
            prop_assert_eq!(more.jitter, less.jitter);
        }
    }
}
