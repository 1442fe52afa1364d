//! Our own model. The logarithm of demand is a sum of waves (`basis`) on the level of its year (`annual`), fitted as a
//! negative-binomial regression (`reweighted`); what stays in one direction for a while is followed by a filtered level (`level`).
//! Its intervals come from the measured dispersion.
//!
//! The variance of a count with mean μ is `μ + αμ²`: α is 0 for plain Poisson arrivals, and dominates where demand is large.

use super::{
    Ahead, LEVELS, Unfit,
    annual::Annual,
    basis::Basis,
    calendar::{Holidays, Moment},
    counts,
    level::{Blocks, Level},
    linear::Factor,
    reweighted::{Data, Solved, excess},
};
use crate::series::Series;

/// A forecast is never more than this many times what was ever seen.
const MOST: f64 = 3.0;
/// Seasons change: one so many years ago counts half.
const HALF_LIFE_YEARS: f64 = 5.0;
/// The fewest values that a fit needs.
const FEWEST: usize = 8;

/// A fitted model; forecasts follow its history.
pub struct Fit<'a> {
    history: &'a Series,
    holidays: Holidays,
    basis: Basis,
    annual: Option<Annual>,
    beta: Vec<f64>,
    factor: Factor,
    level: Level,
    /// Variance beyond Poisson's, relative to the mean's square.
    excess: f64,
    /// Where the residuals' 95th percentile is, over where the distribution has it.
    stretch: f64,
    counts: bool,
    most: f64,
}

impl<'a> Fit<'a> {
    /// # Errors
    /// When there is too little history to learn from.
    pub fn new(history: &'a Series, holidays: Holidays) -> Result<Self, Unfit> {
        let values = without_outages(history.values());
        let known = values.iter().filter(|value| !value.is_nan()).count();
        if known < FEWEST {
            return Err(Unfit::TooShort {
                needs: FEWEST,
                has: known,
            });
        }
        let moments = Moment::of_series(history, 0, history.len(), holidays);
        let basis = Basis::of(history, &moments);
        let annual = if basis.is_yearly() {
            Annual::of(history)
        } else {
            None
        };
        let mut data = Data::new(&values, &moments, basis);
        if let Some(annual) = &annual {
            on_the_level_of_its_year(&mut data, history, annual);
        }
        let solved = Solved::fit(&data, &basis.penalties());
        let blocks = Blocks::of(history, &values, &solved.means);
        let level = Level::fit(&blocks);
        let followed = level.followed(&blocks, &solved.means);
        let counts = values
            .iter()
            .all(|value| value.is_nan() || value.fract() == 0.0);
        let excess = excess(&values, &followed);
        let stretch = stretch(&values, &followed, excess, counts);
        let most = MOST * values.iter().copied().fold(0.0, f64::max);
        let Solved { beta, factor, .. } = solved;
        Ok(Self {
            history,
            holidays,
            basis,
            annual,
            beta,
            factor,
            level,
            excess,
            stretch,
            counts,
            most,
        })
    }

    /// The variance of a count over its mean, at the history's mean: 1 is Poisson's.
    #[must_use]
    pub fn dispersion(&self) -> f64 {
        let values = self.history.values().iter().filter(|value| !value.is_nan());
        1.0 + self.excess * values.sum::<f64>() / self.history.known().max(1) as f64
    }

    /// Growth from year to year as a share, and over how many years it was seen; `None` with less than two years.
    #[must_use]
    pub fn growth(&self) -> Option<(f64, usize)> {
        let annual = self.annual.as_ref().filter(|annual| annual.years() >= 2)?;
        Some((annual.drift.exp_m1(), annual.years()))
    }

    /// Where growth is with 90 % confidence.
    #[must_use]
    pub fn growth_interval(&self) -> Option<[f64; 2]> {
        let annual = self.annual.as_ref().filter(|annual| annual.years() >= 2)?;
        let spread = counts::normal(0.95) * annual.drift_variance.max(0.0).sqrt();
        Some([-spread, spread].map(|off| (annual.drift + off).exp_m1()))
    }

    /// The next steps after the history.
    #[must_use]
    pub fn ahead(&self, horizon: usize) -> Vec<Ahead> {
        let from = self.history.len();
        let moments = Moment::of_series(self.history, from, from + horizon, self.holidays);
        let columns = self.basis.columns(&moments);
        let logs = columns.times(&self.beta);
        let blocks_a_step = 1.0 / Blocks::length(self.history) as f64;
        let mut row = vec![0.0; columns.count];
        logs.iter()
            .enumerate()
            .map(|(at, log)| {
                for (column, cell) in row.iter_mut().enumerate() {
                    *cell = columns.column(column)[at];
                }
                let steps = (at + 1) as f64;
                let (shift, drift) = self.level.after(steps * blocks_a_step);
                let (level, years) = self
                    .annual
                    .as_ref()
                    .map_or((0.0, 0.0), |annual| (annual.after(steps), annual.variance));
                let uncertain = self.factor.forward(&row).iter().map(|x| x * x).sum::<f64>();
                let mean = (log + shift + level)
                    .clamp(-30.0, 300.0)
                    .exp()
                    .min(self.most);
                self.point(mean, drift + years + uncertain.min(1.0))
            })
            .collect()
    }

    /// `relative` is the variance of the mean itself, relative to its square.
    fn point(&self, mean: f64, relative: f64) -> Ahead {
        let beyond = (self.excess + relative) * mean * mean;
        let variance = if self.counts {
            mean + beyond
        } else {
            beyond.max(1e-12)
        };
        let mut quantiles = counts::quantiles(mean, variance, self.counts, LEVELS);
        if (self.stretch - 1.0).abs() > 1e-9 {
            let middle = quantiles[1];
            quantiles =
                quantiles.map(|quantile| (middle + (quantile - middle) * self.stretch).max(0.0));
        }
        Ahead { mean, quantiles }
    }
}

/// What the season alone says of each step of a history, and of so many after it: no level is followed.
///
/// # Errors
/// When there is too little history to learn from.
pub fn seasonal_means(
    history: &Series,
    horizon: usize,
    holidays: Holidays,
) -> Result<Vec<f64>, Unfit> {
    let values = without_outages(history.values());
    let known = values.iter().filter(|value| !value.is_nan()).count();
    if known < FEWEST {
        return Err(Unfit::TooShort {
            needs: FEWEST,
            has: known,
        });
    }
    let moments = Moment::of_series(history, 0, history.len() + horizon, holidays);
    let (seen, ahead) = moments.split_at(history.len());
    let basis = Basis::of(history, seen);
    let solved = Solved::fit(&Data::new(&values, seen, basis), &basis.penalties());
    let most = MOST * values.iter().copied().fold(0.0, f64::max);
    let logs = basis.columns(ahead).times(&solved.beta);
    let ahead = logs.into_iter().map(|log| log.exp().min(most));
    Ok(solved.means.into_iter().chain(ahead).collect())
}

fn on_the_level_of_its_year(data: &mut Data, history: &Series, annual: &Annual) {
    let half_life = HALF_LIFE_YEARS * crate::series::YEAR_DAYS / history.step().days();
    for at in 0..history.len() {
        let back = (history.len() - at) as f64 - 0.5;
        data.offset[at] = annual.within(back);
        data.weight[at] = (-back / half_life).exp2();
    }
}

/// Where demand is otherwise never near zero, zeros are hours in which nothing was measured or nobody could get through.
fn without_outages(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| !value.is_nan())
        .collect();
    let zeros = sorted.iter().filter(|value| **value == 0.0).count();
    let rare = zeros > 0 && zeros * 20 < sorted.len();
    let low = rare.then(|| {
        let at = (zeros + sorted.len() / 100).min(sorted.len() - 1);
        *sorted.select_nth_unstable_by(at, f64::total_cmp).1
    });
    match low {
        // A Poisson count with this mean is zero once in 10¹³.
        Some(low) if low > 30.0 => values
            .iter()
            .map(|value| if *value == 0.0 { f64::NAN } else { *value })
            .collect(),
        _ => values.to_vec(),
    }
}

/// How far the 95th percentile of the residuals is out, compared with what the distribution says; 1 for Poisson-like counts.
fn stretch(values: &[f64], means: &[f64], excess: f64, counts: bool) -> f64 {
    let pairs = values
        .iter()
        .zip(means)
        .filter(|(value, _)| !value.is_nan());
    let scaled = pairs.map(|(value, mean)| (value - mean) / (mean + excess * mean * mean).sqrt());
    let mut residuals: Vec<f64> = scaled.collect();
    if residuals.len() < 60 || (counts && excess < 0.02) {
        return 1.0;
    }
    let at = residuals.len() * 95 / 100;
    let (_, found, _) = residuals.select_nth_unstable_by(at, f64::total_cmp);
    (*found / counts::normal(0.95)).clamp(0.7, 1.6)
}
