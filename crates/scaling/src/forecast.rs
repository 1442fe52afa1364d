//! Forecasts of demand with intervals, from models that are scored on the same history before one of them is believed.

mod annual;
pub mod backtest;
mod basis;
pub mod calendar;
mod choose;
pub mod counts;
pub mod lately;
mod level;
mod linear;
pub mod naive;
pub mod policy;
pub mod quantiles;
pub mod regression;
mod reweighted;

use std::fmt;

use serde::Serialize;

pub use self::{
    backtest::{Score, backtest},
    calendar::Holidays,
    choose::{Candidate, Choice},
};
use crate::series::Series;

/// The quantiles that a forecast has.
pub const LEVELS: [f64; 4] = [0.05, 0.50, 0.95, 0.99];

/// One step of a forecast, in the unit of the series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ahead {
    pub mean: f64,
    /// At `LEVELS`, ascending.
    pub quantiles: [f64; 4],
}

impl Ahead {
    #[must_use]
    pub fn p05(&self) -> f64 {
        self.quantiles[0]
    }
    #[must_use]
    pub fn p50(&self) -> f64 {
        self.quantiles[1]
    }
    #[must_use]
    pub fn p95(&self) -> f64 {
        self.quantiles[2]
    }
    #[must_use]
    pub fn p99(&self) -> f64 {
        self.quantiles[3]
    }
}

/// Why a model can't be used on a history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unfit {
    #[error("it needs {needs} values and the history has {has}")]
    TooShort { needs: usize, has: usize },
    #[error("{0}")]
    Failed(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Model {
    /// Waves of day, week and year with a followed level: `regression`.
    FourierRegression,
    /// The mean of the same moment of all seasons.
    SeasonalMean,
    /// The same moment of the last season.
    SeasonalNaive,
}

impl Model {
    pub const ALL: [Self; 3] = [
        Self::FourierRegression,
        Self::SeasonalMean,
        Self::SeasonalNaive,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FourierRegression => "fourier_regression",
            Self::SeasonalMean => "seasonal_mean",
            Self::SeasonalNaive => "seasonal_naive",
        }
    }

    /// The steps after the history.
    ///
    /// # Errors
    /// When the history is too short for it.
    pub fn forecast(
        self,
        history: &Series,
        horizon: usize,
        holidays: Holidays,
    ) -> Result<Vec<Ahead>, Unfit> {
        match self {
            Self::FourierRegression => {
                regression::Fit::new(history, holidays).map(|fit| fit.ahead(horizon))
            }
            Self::SeasonalMean => naive::seasonal_mean(history, horizon),
            Self::SeasonalNaive => naive::seasonal_naive(history, horizon),
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests;
