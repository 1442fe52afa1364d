//! The next steps, from where the season goes and what was seen lately. The season alone is late when the level moves, and the last value
//! alone is mostly noise: how much each tells is fitted to the history, for each distance anew.
//!
//! With `S` the season's mean of a step and `Eᵢ` exponentially weighted means of three memories, the logarithm of demand `h` steps ahead is
//! `ln S(t+h) + b + Σ wᵢ·ln(Eᵢx(t) / EᵢS(t))` by least squares. Its errors grow with that demand to a power, from ½ (counts) to 1
//! (relative), that is fitted too; the quantiles are those of the errors over that power (split conformal prediction without a second half: there are
//! five numbers to fit and hundreds of errors).

use super::{linear::Square, quantiles::quantiles};

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

/// What a history teaches of the steps after its last.
#[derive(Clone, Debug)]
pub struct Lately<const N: usize> {
    /// Added to all demand before logarithms are taken.
    least: f64,
    /// What is known of each distance, from one step on.
    distances: Vec<Distance<N>>,
}

#[derive(Clone, Debug)]
struct Distance<const N: usize> {
    weights: Row,
    power: f64,
    /// Quantiles of the errors, over demand to the power.
    errors: [f64; N],
}

impl<const N: usize> Lately<N> {
    /// Learns of so many steps ahead, with quantiles at ascending levels; `season` has the means of the steps of `values`. `None` where too
    /// little is known.
    #[must_use]
    pub fn learn(values: &[f64], season: &[f64], steps: usize, levels: &[f64; N]) -> Option<Self> {
        let past = Past::new(values, season);
        let distances = (1..=steps).map(|step| past.distance(step, levels));
        Some(Self {
            least: past.least,
            distances: distances.collect::<Option<_>>()?,
        })
    }

    /// How many steps ahead it knows of.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.distances.len()
    }

    /// The next steps after the last of `values`, which may be later ones than those that were learnt from. `season` has their means, and
    /// those of the steps ahead.
    #[must_use]
    pub fn ahead(&self, values: &[f64], season: &[f64]) -> Vec<Spread<N>> {
        let (values, season) = latest(values, season);
        let mut means = Means::default();
        for (value, season) in values.iter().zip(season) {
            means.see(*value, *season);
        }
        let (row, least) = (means.row(self.least), self.least);
        let most = MOST * values.iter().copied().fold(0.0, f64::max);
        let bounds = Bounds::new(least, most);
        let ahead = self.distances.iter().zip(&season[values.len()..]);
        let spread = ahead.map(|(it, season)| {
            let log = bounds.log(&row, (season + least).ln(), &it.weights);
            let (mean, unit) = (bounds.mean(log), (it.power * log).exp());
            let quantiles = it.errors.map(|error| (mean + unit * error).max(0.0));
            Spread { mean, quantiles }
        });
        spread.collect()
    }
}

/// The latest steps, as many as are learnt from, with their season's means and those after them.
fn latest<'a>(values: &'a [f64], season: &'a [f64]) -> (&'a [f64], &'a [f64]) {
    let from = values.len().saturating_sub(MOST_ROWS);
    (&values[from..], &season[from..])
}

/// A history that is ready to be learnt from.
struct Past<'a> {
    values: &'a [f64],
    /// Logarithms of the values.
    logs: Vec<f64>,
    /// Logarithms of the season's means.
    season: Vec<f64>,
    rows: Vec<Row>,
    least: f64,
    bounds: Bounds,
}

impl<'a> Past<'a> {
    fn new(values: &'a [f64], season: &'a [f64]) -> Self {
        let (values, season) = latest(values, season);
        let known = values.iter().filter(|value| !value.is_nan());
        let (sum, count) = known
            .clone()
            .fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
        let least = LEAST_SHARE * f64::max(sum / f64::max(count, 1.0), 1e-9);
        let most = MOST * known.copied().fold(0.0, f64::max);
        let logs = |amounts: &[f64]| amounts.iter().map(|it| (it + least).ln()).collect();
        let mut means = Means::default();
        let rows = values.iter().zip(season).map(|(value, season)| {
            means.see(*value, *season);
            means.row(least)
        });
        Self {
            values,
            logs: logs(values),
            season: logs(season),
            rows: rows.collect(),
            least,
            bounds: Bounds::new(least, most),
        }
    }

    fn distance<const N: usize>(&self, steps: usize, levels: &[f64; N]) -> Option<Distance<N>> {
        let weights = self.weights(steps)?;
        let errors = self.pairs(steps).map(|(row, at)| {
            let log = self.bounds.log(row, self.season[at], &weights);
            (log, self.values[at] - self.bounds.mean(log))
        });
        let errors: Vec<_> = errors.collect();
        let power = power(&errors);
        let scaled = errors
            .into_iter()
            .map(|(log, error)| error * (-power * log).exp());
        Some(Distance {
            weights,
            power,
            errors: quantiles(&mut scaled.collect::<Vec<_>>(), levels),
        })
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
}

/// Where demand was of late and where its season was, in exponentially weighted means; nothing before the first known value.
#[derive(Default)]
struct Means(Option<[(f64, f64); SHARES.len()]>);

impl Means {
    fn see(&mut self, value: f64, season: f64) {
        if value.is_nan() {
            return;
        }
        let means = self.0.get_or_insert([(value, season); SHARES.len()]);
        for ((seen, expected), share) in means.iter_mut().zip(SHARES) {
            *seen += share * (value - *seen);
            *expected += share * (season - *expected);
        }
    }

    /// As logarithms of the season's.
    fn row(&self, least: f64) -> Row {
        let mut row = [1.0, 0.0, 0.0, 0.0];
        for (cell, (seen, expected)) in row[1..].iter_mut().zip(self.0.iter().flatten()) {
            *cell = ((seen + least) / (expected + least)).ln();
        }
        row
    }
}

/// Between nothing and the most that a forecast may be.
struct Bounds {
    least: f64,
    most: f64,
    /// Their logarithms, with what is added to all.
    logs: [f64; 2],
}

impl Bounds {
    fn new(least: f64, most: f64) -> Self {
        Self {
            least,
            most,
            logs: [least, most + least].map(f64::ln),
        }
    }

    /// The logarithm of what a row says of a step, from its season's.
    fn log(&self, row: &Row, season: f64, weights: &Row) -> f64 {
        let shift: f64 = row.iter().zip(weights).map(|(a, b)| a * b).sum();
        let [lowest, highest] = self.logs;
        (season + shift).clamp(lowest, highest)
    }

    fn mean(&self, log: f64) -> f64 {
        (log.exp() - self.least).clamp(0.0, self.most)
    }
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

    fn ahead(values: &[f64], season: &[f64], steps: usize, level: f64) -> Option<Spread<1>> {
        let lately = Lately::learn(values, season, steps, &[level])?;
        lately.ahead(values, season).pop()
    }

    /// The share of values that were at or below the forecast of two steps before.
    fn covered(values: &[f64], season: &[f64], level: f64) -> f64 {
        let outcomes = (1500..values.len() - 2).step_by(3).map(|end| {
            let ahead = ahead(&values[..=end], season, 2, level).unwrap();
            values[end + 2] <= ahead.quantiles[0]
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
        let ahead = |values: &[f64]| ahead(values, &season, 2, 0.5);
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
        let third = ahead(&values, &season, 3, 0.5).unwrap();
        assert!((third.mean / season[602] - 1.0).abs() < 0.05);
        assert!(ahead(&values[..40], &season, 1, 0.5).is_none());
        assert!(ahead(&[], &season, 1, 0.5).is_none());
        let nothing = ahead(&[0.0; 200], &[0.0; 210], 2, 0.99);
        assert_eq!(nothing.unwrap().quantiles, [0.0]);
    }
}
