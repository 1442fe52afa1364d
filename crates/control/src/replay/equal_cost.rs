//! Policies at equal cost: one that misses less because it has more replicas is no better. The reference is retuned first, and both are
//! compared at the same replica hours, on days that neither was tuned on.

use std::collections::BTreeMap;

use serde::Serialize;

use super::score::Score;

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

/// Which of the tuned points of a policy to follow, by what was learnt: those that are least in the worse of two ratios to the reference
/// at the same cost, under-provisioning and actions. Indices into `points`, by cost.
#[must_use]
pub fn chosen(points: &[At], reference: &Curve) -> Vec<usize> {
    // Between whole tenths of the oracle's cost, the best; a finer choice would be one by luck.
    let mut best: BTreeMap<i64, (f64, usize)> = BTreeMap::new();
    for (at, point) in points.iter().enumerate() {
        if let Some(ratio) = worse_ratio(point, reference) {
            let tenth = (point.cost * 10.0).round() as i64;
            let kept = best.entry(tenth).or_insert((ratio, at));
            if ratio < kept.0 {
                *kept = (ratio, at);
            }
        }
    }
    let mut followed: Vec<usize> = best.into_values().map(|(_, at)| at).collect();
    while let Some(beaten) = beaten(points, &followed, reference) {
        followed.remove(beaten);
    }
    followed
}

fn worse_ratio(point: &At, reference: &Curve) -> Option<f64> {
    let other = reference.at(point.cost)?;
    let under = point.under / other.under.max(f64::MIN_POSITIVE);
    let actions = point.actions_a_day / other.actions_a_day.max(f64::MIN_POSITIVE);
    Some(under.max(actions))
}

/// The first that is worse than the line between its neighbours, which whoever changes between the two has.
fn beaten(points: &[At], followed: &[usize], reference: &Curve) -> Option<usize> {
    let worse = |three: &[usize]| {
        let line = Curve::through(&[points[three[0]], points[three[2]]]);
        let between = worse_ratio(&line.at(points[three[1]].cost)?, reference)?;
        Some(between < worse_ratio(&points[three[1]], reference)?)
    };
    let place = followed
        .windows(3)
        .position(|three| worse(three) == Some(true))?;
    Some(place + 1)
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
    fn what_the_line_between_others_beats_is_not_followed() {
        let reference = Curve::through(&[at(1.0, 8.0, 40.0), at(2.0, 8.0, 40.0)]);
        let points = [
            at(1.8, 2.0, 10.0),
            at(1.5, 8.0, 40.0),
            at(1.2, 4.0, 20.0),
            // In the same tenth, and worse.
            at(1.21, 4.0, 30.0),
        ];
        assert_eq!(chosen(&points, &reference), [2, 0]);
        let curved = [at(1.0, 8.0, 1.0), at(1.5, 2.0, 1.0), at(2.0, 1.0, 1.0)];
        assert_eq!(chosen(&curved, &reference), [0, 1, 2]);
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
