//! Growth from year to year, kept apart from the season: each year before the history's end is one level, so that every level covers
//! every month once. The levels are followed as a local level with a constant drift (a Kalman filter with two states); how much of a
//! year's change stays is estimated, and so is the drift, which is held near zero until years speak for it.

use crate::series::{Series, YEAR_DAYS};

/// The spread of yearly growth that is expected before anything was seen.
const DRIFT_PRIOR: f64 = 0.1;
/// Standard deviations of a year about its level, and shares of it that stay (variance of the level's step to that of the rest), that
/// are tried.
const SPREADS: [f64; 8] = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28];
const RATIOS: [f64; 5] = [0.1, 0.3, 1.0, 3.0, 10.0];

#[derive(Clone, Debug, Default)]
pub struct Annual {
    /// Logarithms of the mean demand of the years before the end, the latest first.
    levels: Vec<f64>,
    /// The level in the middle of the latest year, and growth a year, both on the logarithm.
    now: f64,
    pub drift: f64,
    pub drift_variance: f64,
    /// The variance of a year's mean one year ahead.
    pub variance: f64,
    steps_a_year: f64,
}

impl Annual {
    /// `None` with less than a year.
    pub fn of(history: &Series) -> Option<Self> {
        let year = history.step().count_in(YEAR_DAYS);
        let levels: Vec<f64> = history
            .values()
            .rchunks_exact(year)
            .map_while(log_mean)
            .collect();
        if levels.is_empty() {
            return None;
        }
        let oldest_first: Vec<f64> = levels.iter().rev().copied().collect();
        let state = State::follow(&oldest_first);
        Some(Self {
            now: state.level,
            drift: state.drift,
            drift_variance: state.drift_variance,
            variance: state.variance,
            levels,
            steps_a_year: YEAR_DAYS / history.step().days(),
        })
    }

    pub fn years(&self) -> usize {
        self.levels.len()
    }

    /// The logarithm of the level in a step of the history: between the middles of years along a line.
    pub fn within(&self, back: f64) -> f64 {
        let place = (back / self.steps_a_year - 0.5).clamp(0.0, (self.levels.len() - 1) as f64);
        let later = place.floor() as usize;
        let earlier = (later + 1).min(self.levels.len() - 1);
        self.levels[later] + (place - place.floor()) * (self.levels[earlier] - self.levels[later])
    }

    /// The logarithm of the level so many steps after the history.
    pub fn after(&self, steps: f64) -> f64 {
        self.now + self.drift * (steps / self.steps_a_year + 0.5)
    }
}

fn log_mean(values: &[f64]) -> Option<f64> {
    let known = values.iter().filter(|value| !value.is_nan()).count();
    let sum: f64 = values.iter().filter(|value| !value.is_nan()).sum();
    (known * 5 >= values.len() * 4 && sum > 0.0).then(|| (sum / known as f64).ln())
}

struct State {
    level: f64,
    drift: f64,
    drift_variance: f64,
    variance: f64,
}

impl State {
    fn follow(levels: &[f64]) -> Self {
        let mut best = (f64::NEG_INFINITY, None);
        for spread in SPREADS {
            for ratio in RATIOS {
                let (likelihood, state) = Self::filter(levels, spread * spread, ratio);
                // Weak priors: a spread of about a twentieth, and about half of a change stays.
                let prior = 0.5 * (spread / 0.05).ln().powi(2) + 0.35 * ratio.ln().powi(2);
                if likelihood - prior > best.0 {
                    best = (likelihood - prior, Some(state));
                }
            }
        }
        best.1.unwrap_or(Self {
            level: levels[0],
            drift: 0.0,
            drift_variance: DRIFT_PRIOR * DRIFT_PRIOR,
            variance: DRIFT_PRIOR * DRIFT_PRIOR,
        })
    }

    /// The covariance is `[[p, c], [c, d]]`.
    fn filter(levels: &[f64], noise: f64, ratio: f64) -> (f64, Self) {
        let step = noise * ratio;
        let (mut level, mut drift) = (levels[0], 0.0);
        let (mut p, mut c, mut d) = (noise, 0.0, DRIFT_PRIOR * DRIFT_PRIOR);
        let mut likelihood = 0.0;
        for seen in &levels[1..] {
            level += drift;
            p += 2.0 * c + d + step;
            c += d;
            let total = p + noise;
            let innovation = seen - level;
            likelihood -= 0.5 * (total.ln() + innovation * innovation / total);
            level += p / total * innovation;
            drift += c / total * innovation;
            d -= c * c / total;
            c -= p * c / total;
            p -= p * p / total;
        }
        let variance = p + 2.0 * c + d + step + noise;
        (
            likelihood,
            Self {
                level,
                drift,
                drift_variance: d,
                variance,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steady_growth_is_found_and_a_single_odd_year_is_not_taken_for_it() {
        let steady: Vec<f64> = (0..6).map(|year| 3.0 + 0.05 * f64::from(year)).collect();
        let state = State::follow(&steady);
        assert!((state.drift - 0.05).abs() < 0.01, "{}", state.drift);
        let odd = [3.0, 3.0, 3.0, 3.0, 3.0, 3.5];
        let state = State::follow(&odd);
        assert!(
            state.drift < 0.1 && state.level < 3.5,
            "{} {}",
            state.drift,
            state.level
        );
    }
}
