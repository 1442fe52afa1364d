//! Penalised, iteratively reweighted least squares for a negative-binomial regression with a logarithmic link. Steps at the same
//! place of their day and week have the same row, so the equations are as small as the season.

use std::collections::HashMap;

use super::{
    basis::Basis,
    calendar::Moment,
    linear::{Columns, Factor, Square, dot},
};

/// Rounds of reweighting; a fit that moves less than `SETTLED` on the logarithm ends earlier.
const ROUNDS: usize = 8;
const SETTLED: f64 = 1e-2;
/// Scales of the prior that are tried, as standard deviations on the logarithm of demand.
const SCALES: [f64; 5] = [0.03, 0.1, 0.3, 1.0, 3.0];
/// How many residual standard deviations one value may pull with.
const PULL: f64 = 4.0;

/// What is fitted: values, what is known of the logarithm of their means, and how much each counts.
pub struct Data<'a> {
    pub values: &'a [f64],
    pub offset: Vec<f64>,
    pub weight: Vec<f64>,
    rows: Vec<usize>,
    columns: Columns,
}

impl<'a> Data<'a> {
    pub fn new(values: &'a [f64], moments: &[Moment], basis: Basis) -> Self {
        let mut places = HashMap::new();
        let mut kinds: Vec<Moment> = Vec::new();
        let rows = moments.iter().map(|moment| {
            let key = (
                moment.week.to_bits(),
                basis.is_yearly().then(|| moment.year.to_bits()),
                moment.holiday,
            );
            *places.entry(key).or_insert_with(|| {
                kinds.push(*moment);
                kinds.len() - 1
            })
        });
        let rows = rows.collect();
        Self {
            values,
            offset: vec![0.0; values.len()],
            weight: vec![1.0; values.len()],
            rows,
            columns: basis.columns(&kinds),
        }
    }

    fn average(&self) -> f64 {
        let known = self
            .values
            .iter()
            .zip(&self.offset)
            .filter(|(value, _)| !value.is_nan());
        let (sum, expected) = known.fold((0.0, 0.0), |(sum, expected), (value, offset)| {
            (sum + value, expected + offset.exp())
        });
        (sum / expected.max(f64::MIN_POSITIVE)).max(1e-9)
    }

    fn means(&self, logs: &[f64]) -> Vec<f64> {
        let seasons: Vec<f64> = logs.iter().map(|log| log.exp()).collect();
        let rows = self.rows.iter().zip(&self.offset);
        rows.map(|(row, offset)| {
            let level = if *offset == 0.0 { 1.0 } else { offset.exp() };
            seasons[*row] * level
        })
        .collect()
    }

    /// Weights `μ/(1+αμ)` and working responses, summed over the steps of each row. A value far out pulls no harder than `PULL`
    /// deviations.
    fn working(&self, means: &[f64], logs: &[f64], alpha: f64) -> (Vec<f64>, Vec<f64>, f64) {
        let (mut weights, mut targets) =
            (vec![0.0; self.columns.rows], vec![0.0; self.columns.rows]);
        let mut squares = 0.0;
        for (at, value) in self
            .values
            .iter()
            .enumerate()
            .filter(|(_, value)| !value.is_nan())
        {
            let (mean, row) = (means[at], self.rows[at]);
            let residual = bounded(value - mean, mean, alpha);
            let weight = self.weight[at] * mean / (1.0 + alpha * mean);
            let target = logs[row] + residual / mean;
            weights[row] += weight;
            targets[row] += weight * target;
            squares += weight * target * target;
        }
        for (target, weight) in targets.iter_mut().zip(&weights) {
            *target /= f64::max(*weight, 1e-300);
        }
        (weights, targets, squares)
    }
}

fn bounded(residual: f64, mean: f64, alpha: f64) -> f64 {
    let most = PULL * (mean + alpha * mean * mean).sqrt();
    residual.clamp(-most, most)
}

pub struct Solved {
    pub beta: Vec<f64>,
    pub factor: Factor,
    /// What is expected of each step of the history.
    pub means: Vec<f64>,
}

impl Solved {
    pub fn fit(data: &Data, penalties: &[f64]) -> Self {
        let columns = &data.columns;
        let known: f64 = data
            .weight
            .iter()
            .zip(data.values)
            .filter(|(_, v)| !v.is_nan())
            .map(|(w, _)| w)
            .sum();
        let average = data.average().ln();
        let highest = average + 8.0;
        let mut logs = vec![average; columns.rows];
        let mut means = data.means(&logs);
        let mut scale = SCALES[3];
        let mut solved = None;
        for round in 0..ROUNDS {
            let alpha = if round == 0 {
                0.0
            } else {
                excess(data.values, &means)
            };
            let (weights, targets, squares) = data.working(&means, &logs, alpha);
            let (gram, right) = columns.normal_equations(&weights, &targets);
            if round == 2 {
                scale = choose_scale(&gram, &right, penalties, squares, known);
            }
            let factor = gram.plus_diagonal(&scaled(penalties, scale)).factor();
            let beta = factor.solve(&right);
            let next = columns.times(&beta);
            let moved = next
                .iter()
                .zip(&logs)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f64::max);
            logs = next
                .into_iter()
                .map(|log| log.clamp(average - 20.0, highest))
                .collect();
            means = data.means(&logs);
            solved = Some((beta, factor));
            if round > 2 && moved < SETTLED {
                break;
            }
        }
        let (beta, factor) = solved.expect("there is at least one round");
        Self {
            beta,
            factor,
            means,
        }
    }
}

/// By generalised cross-validation.
fn choose_scale(gram: &Square, right: &[f64], penalties: &[f64], squares: f64, known: f64) -> f64 {
    let mut best = (f64::INFINITY, SCALES[2]);
    for scale in SCALES {
        let factor = gram.plus_diagonal(&scaled(penalties, scale)).factor();
        let beta = factor.solve(right);
        let rest = squares - 2.0 * dot(&beta, right) + gram.quadratic(&beta);
        let free = (known - 1.2 * factor.trace_with(gram)).max(0.05 * known);
        let score = rest.max(0.0) / (free * free);
        if score < best.0 {
            best = (score, scale);
        }
    }
    best.1
}

fn scaled(penalties: &[f64], scale: f64) -> Vec<f64> {
    penalties
        .iter()
        .map(|penalty| penalty / (scale * scale))
        .collect()
}

/// α by moments: what the squared residuals are more than Poisson's, over the squared means. Residuals are bounded as in the fit, and
/// each counts as much as it tells about α.
pub fn excess(values: &[f64], means: &[f64]) -> f64 {
    let estimate = |alpha: f64| {
        let (mut above, mut below) = (0.0, 0.0);
        for (value, mean) in values
            .iter()
            .zip(means)
            .filter(|(value, _)| !value.is_nan())
        {
            let variance = mean + alpha * mean * mean;
            let residual = bounded(value - mean, *mean, alpha);
            let relative = mean * mean / (variance * variance).max(1e-300);
            above += relative * (residual * residual - mean);
            below += relative * mean * mean;
        }
        (above / f64::max(below, 1e-300)).clamp(0.0, 4.0)
    };
    estimate(estimate(estimate(0.3)))
}
