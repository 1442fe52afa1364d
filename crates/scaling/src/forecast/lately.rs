//! The next steps, from where the season goes and what was seen lately. The season alone is late when the level moves, and the last value
//! alone is mostly noise: how much each tells is fitted to the history, for each distance anew.
//!
//! With `S` the season's mean of a step and `Eᵢ` exponentially weighted means of three memories, the logarithm of demand `h` steps ahead is
//! `ln S(t+h) + b + Σ wᵢ·ln(Eᵢx(t) / EᵢS(t))` by least squares. Its errors grow with that demand to a power, from ½ (counts) to 1
//! (relative), that is fitted too; the quantiles are those of the errors over that power (split conformal prediction without a second half: there are
//! five numbers to fit and hundreds of errors).

use super::{linear::Square, naive::sorted_quantile};

/// The newest value's share in each of the means: they remember about two, five and fourteen steps.
const SHARES: [f64; 3] = [0.5, 0.2, 0.07];
/// Steps at the start of which the slowest mean knows too little.
const SKIPPED: usize = 14;
/// The fewest errors that quantiles are taken from.
const FEWEST: usize = 48;
/// The most: a week of five minutes.
const MOST_ROWS: usize = 2016;
/// Demand is taken to be at least this share of its mean, so that zeros have a logarithm.
const LEAST_SHARE: f64 = 0.02;
/// What pulls the weights to a third each, as a sum of squared logarithms: a few hours outweigh it.
const PRIOR: f64 = 0.1;
/// A forecast is never more than this many times what was ever seen.
const MOST: f64 = 3.0;

/// A constant and a logarithm for each mean.
type Row = [f64; 1 + SHARES.len()];

/// A history that is ready to be looked ahead from.
pub struct Lately<'a> {
    values: &'a [f64],
    /// Logarithms of the values.
    logs: Vec<f64>,
    /// Logarithms of the season's means, of the steps ahead too.
    season: Vec<f64>,
    rows: Vec<Row>,
    /// Added to all demand before logarithms are taken.
    least: f64,
    most: f64,
    /// Logarithms of the two: of nothing, and of the most.
    bounds: [f64; 2],
}

impl<'a> Lately<'a> {
    /// `season` has the means of the steps of `values`, and of those that will be forecast.
    #[must_use]
    pub fn new(values: &'a [f64], season: &[f64]) -> Self {
        let from = values.len().saturating_sub(MOST_ROWS);
        let (values, season) = (&values[from..], &season[from..]);
        let known = values.iter().filter(|value| !value.is_nan());
        let (sum, count) = known
            .clone()
            .fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
        let least = LEAST_SHARE * f64::max(sum / f64::max(count, 1.0), 1e-9);
        let most = MOST * known.copied().fold(0.0, f64::max);
        let logs = |amounts: &[f64]| amounts.iter().map(|it| (it + least).ln()).collect();
        Self {
            values,
            logs: logs(values),
            season: logs(season),
            rows: rows(values, season, least),
            least,
            most,
            bounds: [least, most + least].map(f64::ln),
        }
    }

    /// What will be so many steps after the last value, at least one, with its quantiles at ascending levels; `None` where too little is
    /// known.
    #[must_use]
    pub fn ahead<const N: usize>(&self, steps: usize, levels: &[f64; N]) -> Option<Spread<N>> {
        let last = self.values.len().checked_sub(1)?;
        let weights = self.weights(steps)?;
        let errors = self.pairs(steps).map(|(row, at)| {
            let log = self.log(row, at, &weights);
            (log, self.values[at] - self.mean(log))
        });
        let errors: Vec<_> = errors.collect();
        let power = power(&errors);
        let scaled = errors
            .into_iter()
            .map(|(log, error)| error * (-power * log).exp());
        let errors = quantiles(&mut scaled.collect::<Vec<_>>(), levels);
        let log = self.log(&self.rows[last], last + steps, &weights);
        let (mean, unit) = (self.mean(log), (power * log).exp());
        let quantiles = errors.map(|error| (mean + unit * error).max(0.0));
        Some(Spread { mean, quantiles })
    }

    /// Rows with the place so many steps after them, where it is known.
    fn pairs(&self, steps: usize) -> impl Iterator<Item = (&Row, usize)> {
        let rows = self.rows.iter().enumerate().skip(SKIPPED);
        rows.map(move |(at, row)| (row, at + steps))
            .take_while(|(_, at)| *at < self.values.len())
            .filter(|(_, at)| !self.values[*at].is_nan())
    }

    fn weights(&self, steps: usize) -> Option<Row> {
        let count = SHARES.len() + 1;
        let mut gram = Square::zero(count);
        let mut right = vec![PRIOR / SHARES.len() as f64; count];
        right[0] = 0.0;
        let mut pairs = 0;
        for (row, at) in self.pairs(steps) {
            pairs += 1;
            let target = self.logs[at] - self.season[at];
            for i in 0..count {
                for j in 0..=i {
                    gram.cells[i * count + j] += row[i] * row[j];
                }
                right[i] += row[i] * target;
            }
        }
        let factor = gram.plus_diagonal(&vec![PRIOR; count]).factor();
        let solved = factor.solve(&right);
        (pairs >= FEWEST).then(|| std::array::from_fn(|at| solved[at]))
    }

    /// The logarithm of what a row says of a step.
    fn log(&self, row: &Row, at: usize, weights: &Row) -> f64 {
        let shift: f64 = row.iter().zip(weights).map(|(a, b)| a * b).sum();
        let [lowest, highest] = self.bounds;
        (self.season[at] + shift).clamp(lowest, highest)
    }

    fn mean(&self, log: f64) -> f64 {
        (log.exp() - self.least).clamp(0.0, self.most)
    }
}

/// Where demand was of late, as logarithms of the season's.
fn rows(values: &[f64], season: &[f64], least: f64) -> Vec<Row> {
    let mut means: Option<[(f64, f64); SHARES.len()]> = None;
    let steps = values.iter().zip(season);
    let row = steps.map(|(value, season)| {
        if !value.is_nan() {
            let means = means.get_or_insert([(*value, *season); SHARES.len()]);
            for ((seen, expected), share) in means.iter_mut().zip(SHARES) {
                *seen += share * (value - *seen);
                *expected += share * (season - *expected);
            }
        }
        let mut row = [1.0, 0.0, 0.0, 0.0];
        for (cell, (seen, expected)) in row[1..].iter_mut().zip(means.iter().flatten()) {
            *cell = ((seen + least) / (expected + least)).ln();
        }
        row
    });
    row.collect()
}

/// To which power of demand errors grow, from logarithms of it: the slope of theirs.
fn power(errors: &[(f64, f64)]) -> f64 {
    let count = errors.len().max(1) as f64;
    let size = errors.iter().map(|(_, error)| error.abs()).sum::<f64>() / count;
    // An error that happens to be zero says little of how large errors are there.
    let least = 0.02 * size + f64::MIN_POSITIVE;
    let logs = errors
        .iter()
        .map(|(log, error)| (*log, (error.abs() + least).ln()));
    let logs: Vec<_> = logs.collect();
    let (x, y) = logs.iter().fold((0.0, 0.0), |sum, (x, y)| {
        (sum.0 + x / count, sum.1 + y / count)
    });
    let (mut both, mut alone) = (0.0, 0.0);
    for (mean, error) in logs {
        both += (mean - x) * (error - y);
        alone += (mean - x) * (mean - x);
    }
    (both / f64::max(alone, 1e-12)).clamp(0.5, 1.0)
}

/// Quantiles at ascending levels, each by linear interpolation between the two values beside it: only these are put in their places.
fn quantiles<const N: usize>(values: &mut [f64], levels: &[f64; N]) -> [f64; N] {
    let last = values.len() - 1;
    let ranks = levels.map(|level| {
        let below = (level * last as f64) as usize;
        [below, (below + 1).min(last)]
    });
    let mut ranks = ranks.concat();
    ranks.sort_unstable();
    ranks.dedup();
    put_in_place(values, 0, &ranks);
    levels.map(|level| sorted_quantile(values, level))
}

/// Where all of what is before a rank is no more, and after it no less. Ranks are ascending and counted from the first of all, which is so
/// many before these.
fn put_in_place(values: &mut [f64], first: usize, ranks: &[usize]) {
    let Some(rank) = ranks.get(ranks.len() / 2) else {
        return;
    };
    let (before, _, after) = values.select_nth_unstable_by(rank - first, f64::total_cmp);
    put_in_place(before, first, &ranks[..ranks.len() / 2]);
    put_in_place(after, rank + 1, &ranks[ranks.len() / 2 + 1..]);
}

/// What one step may bring.
#[derive(Clone, Debug)]
pub struct Spread<const N: usize> {
    pub mean: f64,
    pub quantiles: [f64; N],
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(random: &mut fastrand::Rng) -> f64 {
        (0..4).map(|_| random.f64() - 0.5).sum::<f64>() * 1.732
    }

    fn day(at: usize) -> f64 {
        100.0 - 60.0 * (std::f64::consts::TAU * at as f64 / 288.0).cos()
    }

    const MEDIAN: [f64; 1] = [0.5];

    /// The share of values that were at or below the forecast of two steps before.
    fn covered(values: &[f64], season: &[f64], level: f64) -> f64 {
        let outcomes = (1500..values.len() - 2).step_by(3).map(|end| {
            let lately = Lately::new(&values[..=end], season);
            values[end + 2] <= lately.ahead(2, &[level]).unwrap().quantiles[0]
        });
        let outcomes: Vec<bool> = outcomes.collect();
        outcomes.iter().filter(|within| **within).count() as f64 / outcomes.len() as f64
    }

    #[test]
    fn quantiles_hold_what_they_say_whatever_the_noise_grows_with() {
        let mut random = fastrand::Rng::with_seed(1);
        let season: Vec<f64> = (0..2600).map(day).collect();
        for power in [0.5, 1.0] {
            let unit = if power < 1.0 { 2.0 } else { 0.2 };
            let noisy = season
                .iter()
                .map(|mean| f64::max(mean + unit * mean.powf(power) * noise(&mut random), 0.0));
            let values: Vec<f64> = noisy.collect();
            for level in [0.5, 0.9, 0.95] {
                let share = covered(&values, &season, level);
                assert!((share - level).abs() < 0.05, "{power} {level}: {share}");
            }
        }
    }

    #[test]
    fn noise_is_averaged_and_a_new_level_is_followed() {
        let mut random = fastrand::Rng::with_seed(2);
        let season: Vec<f64> = (0..1300).map(day).collect();
        let mut values: Vec<f64> = season
            .iter()
            .map(|mean| mean * (1.0 + 0.1 * noise(&mut random)))
            .collect();
        values.truncate(1200);
        let ahead = |values: &[f64]| Lately::new(values, &season).ahead(2, &MEDIAN);
        let calm = ahead(&values).unwrap().mean;
        assert!((calm / season[1201] - 1.0).abs() < 0.1, "{calm}");
        *values.last_mut().unwrap() *= 1.5;
        let spike = ahead(&values).unwrap().mean;
        assert!(spike < 1.25 * season[1201], "{spike}");
        for value in &mut values[1170..] {
            *value *= 2.0;
        }
        let shifted = ahead(&values).unwrap().mean;
        assert!(shifted > 1.4 * season[1201], "{shifted}");
    }

    #[test]
    fn what_is_not_known_is_left_out_and_too_little_says_nothing() {
        let season: Vec<f64> = (0..700).map(day).collect();
        let mut values = season[..600].to_vec();
        values[500..530].fill(f64::NAN);
        values[599] = f64::NAN;
        let ahead = Lately::new(&values, &season).ahead(3, &MEDIAN).unwrap();
        assert!((ahead.mean / season[602] - 1.0).abs() < 0.05);
        let few = Lately::new(&values[..40], &season).ahead(1, &MEDIAN);
        assert!(few.is_none());
        assert!(Lately::new(&[], &season).ahead(1, &MEDIAN).is_none());
        let nothing = Lately::new(&[0.0; 200], &[0.0; 210]).ahead(2, &[0.99]);
        assert_eq!(nothing.unwrap().quantiles, [0.0]);
    }

    #[test]
    fn quantiles_are_those_of_all_values_in_order() {
        let mut random = fastrand::Rng::with_seed(3);
        for count in [1, 2, 3, 48, 1000] {
            let mut values: Vec<f64> = (0..count)
                .map(|_| random.f64().round() + noise(&mut random))
                .collect();
            let levels = [0.0, 0.001, 0.3, 0.5, 0.501, 0.95, 0.999, 1.0];
            let mut sorted = values.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            let expected = levels.map(|level| sorted_quantile(&sorted, level));
            assert_eq!(quantiles(&mut values, &levels), expected);
        }
    }
}
