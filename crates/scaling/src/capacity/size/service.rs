//! Service times: measured ones, or a gamma distribution with their mean and spread (which is the exponential distribution at a
//! coefficient of variation of 1, and a constant at 0).

use statrs::function::gamma::gamma_lr;

use super::Objective;

/// Into how many cells service times up to the objective's are divided.
const CELLS: usize = 96;

#[derive(Clone, Debug, PartialEq)]
pub enum Service {
    /// Mean in seconds, and the standard deviation over it.
    Gamma { mean: f64, cv: f64 },
    /// Measured times in seconds, ascending, with their mean and squared coefficient of variation.
    Measured {
        sorted: Vec<f64>,
        mean: f64,
        variability: f64,
    },
}

impl Service {
    /// From measured times in seconds.
    ///
    /// # Errors
    /// When there are none, or one of them is no time.
    pub fn measured(mut times: Vec<f64>) -> Result<Self, String> {
        if times.is_empty() {
            return Err("there are no service times".to_owned());
        }
        if let Some(wrong) = times
            .iter()
            .find(|time| !(time.is_finite() && **time >= 0.0))
        {
            return Err(format!("{wrong} is no service time in seconds"));
        }
        times.sort_unstable_by(f64::total_cmp);
        let count = times.len() as f64;
        let mean = times.iter().sum::<f64>() / count;
        let variance = times
            .iter()
            .map(|time| (time - mean) * (time - mean))
            .sum::<f64>()
            / count;
        let variability = if mean > 0.0 {
            variance / (mean * mean)
        } else {
            0.0
        };
        Ok(Self::Measured {
            sorted: times,
            mean,
            variability,
        })
    }

    #[must_use]
    pub fn mean(&self) -> f64 {
        match self {
            Self::Gamma { mean, .. } | Self::Measured { mean, .. } => *mean,
        }
    }

    /// The squared coefficient of variation.
    #[must_use]
    pub fn variability(&self) -> f64 {
        match self {
            Self::Gamma { cv, .. } => cv * cv,
            Self::Measured { variability, .. } => *variability,
        }
    }

    /// The share of times up to so many seconds.
    #[must_use]
    pub fn within(&self, seconds: f64) -> f64 {
        match self {
            Self::Measured { sorted, .. } => {
                sorted.partition_point(|time| *time <= seconds) as f64 / sorted.len() as f64
            }
            Self::Gamma { mean, cv } if *cv < 0.02 => f64::from(u8::from(seconds >= *mean)),
            Self::Gamma { .. } if seconds <= 0.0 => 0.0,
            Self::Gamma { mean, cv } => {
                let shape = 1.0 / (cv * cv);
                gamma_lr(shape, seconds * shape / mean)
            }
        }
    }

    pub(super) fn cells(&self, seconds: f64) -> Cells {
        let width = seconds / CELLS as f64;
        let mut shares = [0.0; CELLS];
        let mut before = 0.0;
        for (at, share) in shares.iter_mut().enumerate() {
            let up_to = self.within(width * (at + 1) as f64);
            *share = up_to - before;
            before = up_to;
        }
        Cells {
            width,
            shares,
            beyond: 1.0 - before,
        }
    }

    /// The largest mean, at the same shape, whose service alone meets the objective.
    pub(super) fn mean_that_fits(&self, objective: Objective) -> f64 {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..50 {
            let factor = f64::midpoint(low, high);
            // A time s of a service that is faster by the factor is s / factor of this one.
            if self.within(objective.seconds / factor) >= objective.share {
                low = factor;
            } else {
                high = factor;
            }
        }
        low * self.mean()
    }
}

/// The shares of service times in equal cells up to the objective's time, and the share beyond.
pub struct Cells {
    width: f64,
    shares: [f64; CELLS],
    pub beyond: f64,
}

impl Cells {
    /// The share of jobs that waited and are late, though their service alone would not be: `E[exp(−(t−S)/w); S ≤ t]` for a mean
    /// wait `w`. Times are taken in the middle of their cell, so the exponentials are a geometric series.
    pub fn late_after_wait(&self, wait: f64) -> f64 {
        if wait <= 0.0 {
            return 0.0;
        }
        let decay = (-self.width / wait).exp();
        let mut weight = (-0.5 * self.width / wait).exp();
        let mut sum = 0.0;
        for share in self.shares.iter().rev() {
            sum += share * weight;
            weight *= decay;
        }
        sum
    }
}
