//! What every model must beat: the same moment of the last season, and the mean of the same moment over all seasons.

use super::{Ahead, LEVELS, Unfit, quantiles::quantiles};
use crate::series::{Series, YEAR_DAYS};

/// The season, in steps, whose repetition is the simplest forecast: a week for minutes, hours and days, a year for weeks and months;
/// a day or one step where the history is too short.
#[must_use]
pub fn season(history: &Series) -> usize {
    let step = history.step();
    let seen = |days: f64| history.span_days() >= 1.25 * days;
    match step.days() {
        days if days <= 1.0 && seen(7.0) => step.count_in(7.0),
        days if days <= 0.5 && seen(1.0) => step.count_in(1.0),
        days if days > 1.0 && seen(YEAR_DAYS) => step.count_in(YEAR_DAYS),
        _ => 1,
    }
}

/// The value one season before, with the spread that such a forecast had.
pub fn seasonal_naive(history: &Series, horizon: usize) -> Result<Vec<Ahead>, Unfit> {
    let (values, season) = (history.values(), season(history));
    let mut changes: Vec<f64> = values
        .iter()
        .skip(season)
        .zip(values)
        .map(|(now, before)| now - before)
        .filter(|change| !change.is_nan())
        .collect();
    if changes.is_empty() {
        return Err(Unfit::TooShort {
            needs: season + 1,
            has: history.known(),
        });
    }
    let spread = quantiles(&mut changes, &LEVELS);
    (0..horizon)
        .map(|at| {
            let mean = same_moment(values, season, at).ok_or(Unfit::TooShort {
                needs: season,
                has: history.known(),
            })?;
            let mut quantiles = spread.map(|change| (mean + change).max(0.0));
            quantiles[1] = mean;
            quantiles[0] = quantiles[0].min(mean);
            quantiles[2] = quantiles[2].max(mean);
            quantiles[3] = quantiles[3].max(quantiles[2]);
            Ok(Ahead { mean, quantiles })
        })
        .collect()
}

/// The mean of the same moment over all seasons of the history, with the quantiles of all that deviated from it.
pub fn seasonal_mean(history: &Series, horizon: usize) -> Result<Vec<Ahead>, Unfit> {
    let (values, season) = (history.values(), season(history));
    let (mut sums, mut known) = (vec![0.0; season], vec![0_u32; season]);
    for (back, value) in values
        .iter()
        .rev()
        .enumerate()
        .filter(|(_, value)| !value.is_nan())
    {
        sums[back % season] += value;
        known[back % season] += 1;
    }
    let means: Vec<f64> = sums
        .iter()
        .zip(&known)
        .map(|(sum, known)| sum / f64::from(*known))
        .collect();
    let deviations = values
        .iter()
        .rev()
        .enumerate()
        .map(|(back, value)| value - means[back % season]);
    let mut deviations: Vec<f64> = deviations.filter(|deviation| !deviation.is_nan()).collect();
    if deviations.is_empty() || means.iter().any(|mean| mean.is_nan()) {
        return Err(Unfit::TooShort {
            needs: season,
            has: history.known(),
        });
    }
    let spread = quantiles(&mut deviations, &LEVELS);
    let point = |at: usize| {
        let mean = means[season - 1 - at % season];
        Ahead {
            mean,
            quantiles: spread.map(|deviation| (mean + deviation).max(0.0)),
        }
    };
    Ok((0..horizon).map(point).collect())
}

/// The last known value at the same moment of the season.
fn same_moment(values: &[f64], season: usize, at: usize) -> Option<f64> {
    let mut back = season - at % season;
    while back <= values.len() {
        let value = values[values.len() - back];
        if !value.is_nan() {
            return Some(value);
        }
        back += season;
    }
    None
}
