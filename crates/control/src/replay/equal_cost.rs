//! Policies at equal cost: one that misses less because it has more replicas is no better. The reference is retuned first, and both are
//! compared at the same replica hours, on days that nothing was tuned on.

use std::collections::BTreeMap;

use hysio_scaling::{
    Resource,
    policies::{
        Policies, Refused,
        knobs::{Knob, find},
    },
};
use serde::Serialize;

use super::{
    score::Score,
    tune::{Contest, Search, each_choice, front, replayed},
};

/// At how many costs two curves are compared.
const COSTS: usize = 9;

/// Costs that are compared, over the oracle's: whoever spends less than it can't have what is needed, and with twice as much nothing is
/// missing anyway.
const LEAST_COST: f64 = 1.0;
const MOST_COST: f64 = 2.0;

/// What one has and does at a cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct At {
    /// Replica hours over those of the oracle.
    pub cost: f64,
    /// θ_U.
    pub under: f64,
    pub actions_a_day: f64,
}

impl From<&Score> for At {
    fn from(score: &Score) -> Self {
        Self {
            cost: score.against_oracle,
            under: score.elasticity.under_accuracy,
            actions_a_day: score.actions_a_day,
        }
    }
}

/// Points by cost; between them, a line.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Curve(Vec<At>);

impl Curve {
    /// The points of which none costs less and has less of `what`.
    #[must_use]
    pub fn lowest(points: &[At], what: impl Fn(&At) -> f64) -> Self {
        let mut by_cost = points.to_vec();
        by_cost.sort_by(|a, b| a.cost.total_cmp(&b.cost).then(what(a).total_cmp(&what(b))));
        let mut least = f64::INFINITY;
        by_cost.retain(|point| {
            let better = what(point) < least;
            least = least.min(what(point));
            better
        });
        Self(by_cost)
    }

    /// All of them.
    #[must_use]
    pub fn through(points: &[At]) -> Self {
        let mut points = points.to_vec();
        points.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        Self(points)
    }

    /// `None` outside of what was measured.
    #[must_use]
    pub fn at(&self, cost: f64) -> Option<At> {
        let after = self.0.iter().position(|point| point.cost >= cost)?;
        let high = self.0[after];
        if high.cost <= cost {
            return Some(high);
        }
        let low = self.0[after.checked_sub(1)?];
        let share = (cost - low.cost) / (high.cost - low.cost);
        let between = |a: f64, b: f64| a + share * (b - a);
        Some(At {
            cost,
            under: between(low.under, high.under),
            actions_a_day: between(low.actions_a_day, high.actions_a_day),
        })
    }

    fn ends(&self) -> Option<(f64, f64)> {
        Some((self.0.first()?.cost, self.0.last()?.cost))
    }
}

/// A set of policies that is to be compared.
pub struct Contender<'a> {
    files: &'a BTreeMap<String, String>,
    knobs: Vec<Knob>,
    /// What is stated, with its forecasts at each percentile.
    along: Vec<Vec<f64>>,
}

impl<'a> Contender<'a> {
    #[must_use]
    pub fn new(files: &'a BTreeMap<String, String>, resource: Resource) -> Self {
        let knobs = find(files, resource);
        let along = each_choice("percentile", &knobs);
        Self {
            files,
            knobs,
            along,
        }
    }

    /// How many replays its curve takes at most.
    #[must_use]
    pub fn replays(&self, search: &Search) -> usize {
        if self.along.is_empty() {
            2 * search.runs
        } else {
            self.along.len()
        }
    }

    /// What it has at each cost on the held-out days. A forecast is followed along its percentile with all else as stated: more numbers
    /// that are fitted to the days before are more that only fitted those. What has no such number is retuned, and has the best of what
    /// was best where it was learnt.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub fn curve(
        &self,
        search: &Search,
        learnt: &Contest,
        held_out: &Contest,
        progress: &(impl Fn() + Sync),
    ) -> Result<Curve, Refused> {
        Policies::read(self.files)?;
        let again = |settings: &[Vec<f64>]| -> Vec<At> {
            let points = replayed(self.files, &self.knobs, held_out, settings, progress);
            points.iter().map(|point| At::from(&point.score)).collect()
        };
        if !self.along.is_empty() {
            return Ok(Curve::through(&again(&self.along)));
        }
        let points = search.points(self.files, &self.knobs, learnt, progress)?;
        let best = front(&points, search.misses);
        let best: Vec<Vec<f64>> = best.iter().map(|point| point.values.clone()).collect();
        Ok(Curve::lowest(&again(&best), |it| it.under))
    }
}

/// Two curves at the same costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The reference and the policy at each cost.
    pub at: Vec<(At, At)>,
    /// The policy's over the reference's, summed over the costs: below 1 the policy is better.
    pub under_ratio: f64,
    pub actions_ratio: f64,
}

impl Comparison {
    /// Compares evenly over the costs that both have, from the oracle's to twice that; `None` when there are none.
    #[must_use]
    pub fn of(reference: &Curve, policy: &Curve) -> Option<Self> {
        let (a, b) = (reference.ends()?, policy.ends()?);
        let (low, high) = (a.0.max(b.0).max(LEAST_COST), a.1.min(b.1).min(MOST_COST));
        if low > high {
            return None;
        }
        let at: Vec<(At, At)> = (0..COSTS)
            .map(|part| low + (high - low) * part as f64 / (COSTS - 1) as f64)
            .filter_map(|cost| Some((reference.at(cost)?, policy.at(cost)?)))
            .collect();
        let ratio = |of: fn(&At) -> f64| {
            let (theirs, ours) = at.iter().fold((0.0, 0.0), |sum, pair| {
                (sum.0 + of(&pair.0), sum.1 + of(&pair.1))
            });
            ours / f64::max(theirs, f64::MIN_POSITIVE)
        };
        Some(Self {
            under_ratio: ratio(|it| it.under),
            actions_ratio: ratio(|it| it.actions_a_day),
            at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(cost: f64, under: f64, actions_a_day: f64) -> At {
        At {
            cost,
            under,
            actions_a_day,
        }
    }

    #[test]
    fn between_points_it_is_a_line_and_outside_nothing_is_known() {
        let curve = Curve::lowest(
            &[at(2.0, 4.0, 20.0), at(1.0, 8.0, 40.0), at(1.5, 9.0, 1.0)],
            |it| it.under,
        );
        assert_eq!(curve.at(1.5), Some(at(1.5, 6.0, 30.0)));
        assert_eq!((curve.at(0.9), curve.at(2.1)), (None, None));
    }

    #[test]
    fn half_of_each_at_the_same_cost_is_half() {
        let reference = Curve::through(&[at(1.0, 8.0, 40.0), at(2.0, 4.0, 20.0)]);
        let policy = Curve::through(&[at(1.0, 4.0, 20.0), at(2.0, 2.0, 10.0)]);
        let got = Comparison::of(&reference, &policy).unwrap();
        assert!((got.under_ratio - 0.5).abs() < 1e-12);
        assert!((got.actions_ratio - 0.5).abs() < 1e-12);
        // What is only better because it costs more is no better.
        let dearer = Curve::through(&[at(2.5, 1.0, 1.0), at(3.0, 0.5, 1.0)]);
        assert_eq!(Comparison::of(&reference, &dearer), None);
    }
}
