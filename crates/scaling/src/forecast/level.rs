//! What stays in one direction for a while: the logarithm of demand over its seasonal mean, block by block, as an autoregressive
//! level under noise, followed by a Kalman filter. Where there is nothing to follow, it is switched off.

use crate::series::Series;

/// Persistence from block to block, and the level's steps relative to the noise, that are tried.
const PERSISTENCE: [f64; 6] = [0.5, 0.8, 0.9, 0.97, 0.99, 1.0];
const RATIOS: [f64; 7] = [0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 4.0];
/// With fewer blocks there is no level to be seen.
const FEWEST: usize = 24;
/// What a level must gain in log-likelihood over none, for its two parameters.
const WORTH_IT: f64 = 3.0;

/// Logarithms of demand over its mean, and how many values each block knows.
pub struct Blocks {
    length: usize,
    logs: Vec<f64>,
}

impl Blocks {
    /// How many steps a block has: a quarter of a day for hours, an hour for minutes, one step for days and longer, and where the
    /// history has too few blocks.
    pub fn length(history: &Series) -> usize {
        let step = history.step();
        let length = match step.days() {
            days if days >= 0.24 => 1,
            days if days >= 0.04 => step.count_in(0.25),
            _ => step.count_in(1.0 / 24.0),
        };
        if history.len() < FEWEST * length {
            1
        } else {
            length
        }
    }

    pub fn of(history: &Series, values: &[f64], means: &[f64]) -> Self {
        let length = Self::length(history);
        // Blocks end with the history; an incomplete one at the start is left out.
        let skip = history.len() % length;
        let values = values[skip..].chunks_exact(length);
        let logs = values
            .zip(means[skip..].chunks_exact(length))
            .map(|(values, means)| {
                let (mut sum, mut expected) = (0.5, 0.5);
                for (value, mean) in values
                    .iter()
                    .zip(means)
                    .filter(|(value, _)| !value.is_nan())
                {
                    sum += value;
                    expected += mean;
                }
                if expected > 0.5 {
                    f64::ln(sum / expected)
                } else {
                    f64::NAN
                }
            });
        Self {
            length,
            logs: without_outliers(logs.collect()),
        }
    }
}

/// One block without patients, or with thrice as many, is no new level: it is drawn in to four robust deviations.
fn without_outliers(mut logs: Vec<f64>) -> Vec<f64> {
    let mut sizes: Vec<f64> = logs
        .iter()
        .filter(|log| !log.is_nan())
        .map(|log| log.abs())
        .collect();
    if sizes.is_empty() {
        return logs;
    }
    let middle = sizes.len() / 2;
    let (_, median, _) = sizes.select_nth_unstable_by(middle, f64::total_cmp);
    let bound = (4.0 * 1.4826 * *median).max(0.1);
    for log in logs.iter_mut().filter(|log| !log.is_nan()) {
        *log = log.clamp(-bound, bound);
    }
    logs
}

/// The filtered level after the last block.
#[derive(Clone, Copy, Debug, Default)]
pub struct Level {
    persistence: f64,
    /// Variance of one block's step.
    step: f64,
    noise: f64,
    now: f64,
    variance: f64,
}

impl Level {
    pub fn fit(blocks: &Blocks) -> Self {
        let known = blocks.logs.iter().filter(|log| !log.is_nan()).count() as f64;
        if known < FEWEST as f64 {
            return Self::default();
        }
        let square: f64 = blocks
            .logs
            .iter()
            .filter(|log| !log.is_nan())
            .map(|log| log * log)
            .sum();
        let flat = -0.5 * known * (square / known).max(1e-12).ln();
        let mut best = (flat + WORTH_IT, Self::default());
        for persistence in PERSISTENCE {
            for ratio in RATIOS {
                let (likelihood, level) = Self::filter(blocks, persistence, ratio);
                if likelihood > best.0 {
                    best = (likelihood, level);
                }
            }
        }
        best.1
    }

    /// Runs the filter with unit noise; the noise follows from the innovations (concentrated likelihood).
    fn filter(blocks: &Blocks, persistence: f64, ratio: f64) -> (f64, Self) {
        let stationary = ratio / (1.0 - persistence * persistence).max(0.02);
        let (mut now, mut variance) = (0.0, stationary);
        // One logarithm for many factors: they are what takes time.
        let (mut squares, mut logs, mut product, mut known) = (0.0, 0.0, 1.0_f64, 0.0);
        for log in &blocks.logs {
            now *= persistence;
            variance = persistence * persistence * variance + ratio;
            if log.is_nan() {
                continue;
            }
            let total = variance + 1.0;
            let innovation = log - now;
            squares += innovation * innovation / total;
            product *= total;
            if product > 1e200 {
                logs += product.ln();
                product = 1.0;
            }
            known += 1.0;
            now += variance / total * innovation;
            variance /= total;
        }
        let noise = (squares / f64::max(known, 1.0)).max(1e-12);
        let level = Self {
            persistence,
            step: ratio * noise,
            noise,
            now,
            variance: variance * noise,
        };
        (-0.5 * (known * noise.ln() + logs + product.ln()), level)
    }

    /// The means as they would have been forecast a block before.
    pub fn followed(&self, blocks: &Blocks, means: &[f64]) -> Vec<f64> {
        let mut out = means.to_vec();
        if self.noise == 0.0 {
            return out;
        }
        let ratio = self.step / self.noise;
        let (mut now, mut variance) = (
            0.0,
            ratio / (1.0 - self.persistence * self.persistence).max(0.02),
        );
        let skip = means.len() % blocks.length;
        for (chunk, log) in out[skip..]
            .chunks_exact_mut(blocks.length)
            .zip(&blocks.logs)
        {
            now *= self.persistence;
            variance = self.persistence * self.persistence * variance + ratio;
            for mean in chunk {
                *mean *= f64::exp(now);
            }
            if !log.is_nan() {
                let gain = variance / (variance + 1.0);
                now += gain * (log - now);
                variance *= 1.0 - gain;
            }
        }
        out
    }

    /// The level so many blocks after the last, and the variance that it gained since one block after it: what comes before is in
    /// the measured dispersion.
    pub fn after(&self, blocks: f64) -> (f64, f64) {
        if self.noise == 0.0 {
            return (0.0, 0.0);
        }
        let blocks = blocks.max(1.0);
        let decay = self.persistence.powf(blocks);
        let spread = |blocks: f64| {
            let squared = self.persistence * self.persistence;
            let decay = squared.powf(blocks);
            let steps = if squared < 1.0 {
                (1.0 - decay) / (1.0 - squared)
            } else {
                blocks
            };
            decay * self.variance + steps * self.step
        };
        (
            decay * self.now,
            (spread(blocks) - spread(1.0)).clamp(0.0, 1.0),
        )
    }
}
