//! Rolling origins: the forecast that would have been made then, held against what came.

use serde::Serialize;

use super::{Ahead, Holidays, Model, Unfit};
use crate::series::Series;

/// Where to stand, how far to look back and ahead; in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    pub window: usize,
    pub horizon: usize,
    pub origins: usize,
    /// From one origin to the next.
    pub every: usize,
}

impl Plan {
    /// Origins spread evenly over what the series holds, the last one a horizon before its end. Fewer where it holds fewer; at most one
    /// a horizon's half where it holds many, so that most of what is forecast is forecast afresh.
    ///
    /// # Errors
    /// When window and horizon are longer than the series.
    pub fn fit(
        length: usize,
        window: usize,
        horizon: usize,
        origins: usize,
    ) -> Result<Self, Unfit> {
        let needs = window + horizon;
        if length < needs || horizon == 0 {
            return Err(Unfit::TooShort { needs, has: length });
        }
        let room = length - needs;
        let every = (room / origins.saturating_sub(1).max(1)).max(1);
        let origins = (room / every + 1).min(origins.max(1));
        Ok(Self {
            window,
            horizon,
            origins,
            every,
        })
    }

    /// Where the history of each origin ends.
    pub fn ends(self, length: usize) -> impl Iterator<Item = usize> {
        let last = length - self.horizon;
        (0..self.origins)
            .rev()
            .map(move |back| last - back * self.every)
    }
}

/// How good forecasts were. Amounts are in the unit of the series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// Steps that were forecast and then known.
    pub points: usize,
    /// The mean absolute error of the median.
    pub mae: f64,
    /// The sum of absolute errors of the median over the sum of what came.
    pub wape: f64,
    /// The mean pinball loss of the 95th percentile.
    pub pinball95: f64,
    /// The share of steps that were at or below the 95th percentile.
    pub coverage95: f64,
}

impl Score {
    /// What models are ranked by: the pinball losses of the median and of the 95th percentile together.
    #[must_use]
    pub fn loss(&self) -> f64 {
        0.5 * self.mae + self.pinball95
    }
}

/// Sums from which a score is made, so that origins can be added one by one.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Tally {
    points: usize,
    errors: f64,
    total: f64,
    pinball: f64,
    covered: usize,
}

impl Tally {
    pub fn add(&mut self, ahead: &[Ahead], came: &[f64]) {
        for (ahead, came) in ahead.iter().zip(came).filter(|(_, came)| !came.is_nan()) {
            self.points += 1;
            self.errors += (came - ahead.p50()).abs();
            self.total += came.abs();
            let above = came - ahead.p95();
            self.pinball += if above > 0.0 {
                0.95 * above
            } else {
                -0.05 * above
            };
            self.covered += usize::from(above <= 0.0);
        }
    }

    /// Forecasts from the history that ends at `end`, and adds how that went.
    ///
    /// # Errors
    /// The model's reason, when it can't be used there.
    pub fn add_origin(
        &mut self,
        series: &Series,
        model: Model,
        plan: Plan,
        end: usize,
        holidays: Holidays,
    ) -> Result<(), Unfit> {
        let history = series.part(end - plan.window..end);
        let ahead = model.forecast(&history, plan.horizon, holidays)?;
        self.add(&ahead, &series.values()[end..end + plan.horizon]);
        Ok(())
    }

    #[must_use]
    pub fn score(&self) -> Score {
        let points = self.points.max(1) as f64;
        Score {
            points: self.points,
            mae: self.errors / points,
            wape: self.errors / self.total.max(f64::MIN_POSITIVE),
            pinball95: self.pinball / points,
            coverage95: self.covered as f64 / points,
        }
    }
}

/// Scores one model on every origin of a plan.
///
/// # Errors
/// The model's reason at the first origin where it can't be used.
pub fn backtest(
    series: &Series,
    model: Model,
    plan: Plan,
    holidays: Holidays,
) -> Result<Score, Unfit> {
    let mut tally = Tally::default();
    for end in plan.ends(series.len()) {
        tally.add_origin(series, model, plan, end, holidays)?;
    }
    Ok(tally.score())
}
