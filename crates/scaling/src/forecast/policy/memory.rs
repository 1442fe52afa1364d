//! What the forecast policy remembers: the steps it saw, what it expects of those to come, and how wrong it was.

use std::{
    collections::VecDeque,
    hash::{Hash as _, Hasher},
};

use serde::{Deserialize, Serialize};

use super::Settings;

/// Forecasts whose outcome counts.
const JUDGED: usize = 96;
/// Amounts are kept in thousandths.
const SCALE: f64 = 1000.0;
/// The most that is kept: a billion.
const MOST: f64 = 1e12;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// The step that is now, counted from 1970; `None` before anything was seen.
    now: Option<i64>,
    /// Sum, in thousandths, and count of what was read in it.
    sum: i64,
    count: u32,
    /// Means of the steps before it, the latest last.
    means: VecDeque<Option<i64>>,
    /// Demand that is prepared for until the end of the lead, in thousandths: the least that is, what is when something changes, and the
    /// most that is. Empty when nothing was forecast.
    expected: Vec<i64>,
    /// The floor that was asked for.
    floor: Option<i32>,
    /// Forecasts for the end of the lead that wait for their step.
    open: VecDeque<Expectation>,
    /// Losses of ours and of the naive, for the latest forecasts.
    losses: VecDeque<(i64, i64)>,
}

/// Demand between which a floor may stay, and where it goes when it is outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Band {
    pub least: f64,
    pub middle: f64,
    pub most: f64,
}

/// The 95th percentiles for one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    step: i64,
    ours: i64,
    naive: i64,
}

impl Memory {
    /// Goes on to a step; whether it is a new one. A clock that goes back changes nothing.
    pub(super) fn moves_to(&mut self, step: i64, settings: &Settings) -> bool {
        let Some(now) = self.now else {
            self.now = Some(step);
            return true;
        };
        if step <= now {
            return false;
        }
        let mean = (self.count > 0).then(|| self.sum / i64::from(self.count));
        self.settle(now, mean);
        self.means.push_back(mean);
        let missed = usize::try_from(step - now - 1).unwrap_or(usize::MAX);
        self.means.extend(std::iter::repeat_n(
            None,
            missed.min(settings.history_steps),
        ));
        let beyond = self.means.len().saturating_sub(settings.history_steps);
        self.means.drain(..beyond);
        self.open.retain(|it| it.step >= step);
        self.now = Some(step);
        (self.sum, self.count) = (0, 0);
        true
    }

    pub(super) fn sees(&mut self, value: f64) {
        if value >= 0.0 {
            self.sum = self.sum.saturating_add(kept(value));
            self.count += 1;
        }
    }

    /// Takes in a forecast: the demand that is prepared for, and the 95th percentiles at the end of the lead, ours and the naive's.
    pub(super) fn expects(&mut self, band: Band, (ours, naive): (f64, f64), lead: usize) {
        self.expected = [band.least, band.middle, band.most].map(kept).to_vec();
        if let Some(now) = self.now {
            self.open.push_back(Expectation {
                step: now + i64::try_from(lead).unwrap_or(0),
                ours: kept(ours),
                naive: kept(naive),
            });
        }
    }

    pub(super) fn expects_nothing(&mut self) {
        self.expected.clear();
        self.floor = None;
    }

    pub(super) fn expected(&self) -> Option<Band> {
        let [least, middle, most] = *self.expected.as_slice() else {
            return None;
        };
        let [least, middle, most] = [least, middle, most].map(|amount| amount as f64 / SCALE);
        Some(Band {
            least,
            middle,
            most,
        })
    }

    pub(super) fn floor(&self) -> Option<i32> {
        self.floor
    }

    pub(super) fn asks_for(&mut self, count: i32) {
        self.floor = Some(count);
    }

    /// Compares what was expected of a step with what came.
    fn settle(&mut self, step: i64, mean: Option<i64>) {
        let (due, open): (VecDeque<Expectation>, _) =
            self.open.iter().copied().partition(|it| it.step == step);
        self.open = open;
        let Some(mean) = mean else { return };
        for it in due {
            self.losses
                .push_back((loss(it.ours, mean), loss(it.naive, mean)));
        }
        let beyond = self.losses.len().saturating_sub(JUDGED);
        self.losses.drain(..beyond);
    }

    /// Sums of the losses of ours and of the naive, and how many there are.
    pub(super) fn losses(&self) -> (i64, i64, usize) {
        let sums = self
            .losses
            .iter()
            .fold((0_i64, 0_i64), |(ours, naive), loss| {
                (ours.saturating_add(loss.0), naive.saturating_add(loss.1))
            });
        (sums.0, sums.1, self.losses.len())
    }

    pub(super) fn first_step(&self) -> i64 {
        self.now.unwrap_or(0) - i64::try_from(self.means.len()).unwrap_or(0)
    }

    pub(super) fn values(&self) -> Vec<f64> {
        self.means
            .iter()
            .map(|mean| mean.map_or(f64::NAN, |mean| mean as f64 / SCALE))
            .collect()
    }

    /// All that a forecast depends on.
    pub(super) fn hash_history(&self, hasher: &mut impl Hasher) {
        (self.now, &self.means).hash(hasher);
    }

    pub(super) fn known(&self) -> usize {
        self.means.iter().flatten().count()
    }
}

/// `NaN`, which is no amount, becomes 0.
fn kept(value: f64) -> i64 {
    (value.clamp(0.0, MOST) * SCALE).round() as i64
}

/// Twenty times the pinball loss at the 95th percentile.
fn loss(expected: i64, came: i64) -> i64 {
    if came > expected {
        19 * (came - expected)
    } else {
        expected - came
    }
}
