//! The columns of the regression: waves of the day, the week and the year, and holidays. Which of them there are
//! follows from the step and the span of the history: a season that was not seen twice is not estimated.

use super::{calendar::Moment, linear::Columns};
use crate::series::Series;

/// How wavy each part may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basis {
    daily: usize,
    /// Waves of the week that modulate those of the day: weekends have another shape.
    modulated: usize,
    weekly: usize,
    yearly: usize,
    holidays: bool,
}

/// With less history than this many years, growth and season can't be told apart.
pub const YEARS_FOR_A_SEASON: f64 = 1.5;

impl Basis {
    pub fn is_yearly(self) -> bool {
        self.yearly > 0
    }

    /// What `history` can carry.
    pub fn of(history: &Series, moments: &[Moment]) -> Self {
        let (step, span) = (history.step().days(), history.span_days());
        let half = |period: f64| crate::series::Step::count_in(history.step(), period) / 2;
        let daily = if step <= 0.26 && span >= 2.0 {
            half(1.0).min(6)
        } else {
            0
        };
        let weekly = if step <= 1.0 && span >= 14.0 {
            half(7.0).min(3)
        } else {
            0
        };
        let years = span / crate::series::YEAR_DAYS;
        let yearly = if years >= YEARS_FOR_A_SEASON && step < 100.0 {
            half(crate::series::YEAR_DAYS).min(if years >= 4.0 { 6 } else { 3 })
        } else {
            0
        };
        Self {
            daily,
            modulated: if weekly > 0 { daily.min(2) } else { 0 },
            weekly,
            yearly,
            holidays: step <= 1.0 && moments.iter().filter(|moment| moment.holiday).count() >= 2,
        }
    }

    pub fn columns(self, moments: &[Moment]) -> Columns {
        let mut columns = Columns::new(moments.len());
        columns.push(&vec![1.0; moments.len()]);
        let day = Waves::new(moments.iter().map(|moment| moment.day), self.daily);
        let week = Waves::new(moments.iter().map(|moment| moment.week), self.weekly);
        let year = Waves::new(moments.iter().map(|moment| moment.year), self.yearly);
        for waves in [&day, &week, &year] {
            for at in 0..waves.count() {
                columns.push(&waves.cos[at]);
                columns.push(&waves.sin[at]);
            }
        }
        for d in 0..self.modulated {
            for w in 0..self.weekly {
                day.push_products(d, &week, w, &mut columns);
            }
        }
        if self.holidays {
            let holiday = moments
                .iter()
                .map(|moment| f64::from(u8::from(moment.holiday)));
            columns.push(&holiday.collect::<Vec<_>>());
        }
        columns
    }

    /// What holds each coefficient near zero: the inverse of its prior variance at unit scale, on the logarithm of demand. Faster
    /// waves are held more.
    pub fn penalties(self) -> Vec<f64> {
        let mut out = vec![1e-6];
        let mut waves = |count: usize, unit: f64| {
            for at in 1..=count {
                out.extend([unit * (at * at) as f64; 2]);
            }
        };
        waves(self.daily, 1.0);
        waves(self.weekly, 1.0);
        waves(self.yearly, 1.0);
        for d in 1..=self.modulated {
            for w in 1..=self.weekly {
                out.extend([4.0 * (d * d + w * w) as f64; 4]);
            }
        }
        if self.holidays {
            out.push(1.0);
        }
        out
    }
}

/// Cosines and sines of the multiples of phases, each from the one before.
struct Waves {
    cos: Vec<Vec<f64>>,
    sin: Vec<Vec<f64>>,
}

impl Waves {
    fn new(phases: impl Iterator<Item = f64>, count: usize) -> Self {
        let (mut cos, mut sin): (Vec<Vec<f64>>, Vec<Vec<f64>>) = (Vec::new(), Vec::new());
        if count == 0 {
            return Self { cos, sin };
        }
        let angles = phases.map(|phase| (std::f64::consts::TAU * phase).sin_cos());
        let (first_sin, first_cos): (Vec<f64>, Vec<f64>) = angles.unzip();
        cos.push(first_cos);
        sin.push(first_sin);
        for at in 1..count {
            let (mut next_cos, mut next_sin) = (cos[at - 1].clone(), sin[at - 1].clone());
            for row in 0..next_cos.len() {
                let (c, s) = (next_cos[row], next_sin[row]);
                next_cos[row] = c * cos[0][row] - s * sin[0][row];
                next_sin[row] = s * cos[0][row] + c * sin[0][row];
            }
            cos.push(next_cos);
            sin.push(next_sin);
        }
        Self { cos, sin }
    }

    fn count(&self) -> usize {
        self.cos.len()
    }

    fn push_products(&self, at: usize, other: &Self, by: usize, columns: &mut Columns) {
        for mine in [&self.cos[at], &self.sin[at]] {
            for theirs in [&other.cos[by], &other.sin[by]] {
                let product = mine.iter().zip(theirs).map(|(a, b)| a * b);
                columns.push(&product.collect::<Vec<_>>());
            }
        }
    }
}
