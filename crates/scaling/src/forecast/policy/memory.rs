//! What the forecast policy remembers: the steps it saw, what it expects of those to come, and how wrong it was.

use std::{collections::VecDeque, sync::Arc};

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::Settings;

/// Forecasts whose outcome counts.
const JUDGED: usize = 96;
/// Forecasts that were settled before any is judged.
const JUDGED_FROM: usize = 24;
/// That ours are no worse would look like more than this in one of twenty cases: the 95th percentile of a standard normal.
const SURELY: f64 = 1.645;
/// Amounts are kept in thousandths.
const SCALE: f64 = 1000.0;
/// The most that is kept: a billion.
const MOST: f64 = 1e12;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// What is remembered, in steps of so many seconds: of nothing else does it tell.
    signal: SmolStr,
    step_seconds: i64,
    /// The step that is now, counted from 1970; `None` before anything was seen.
    now: Option<i64>,
    /// Sum, in thousandths, and count of what was read in it.
    sum: i64,
    count: u32,
    /// Means of the steps before it, the latest last. They change once a step, and memories are copied each time something is read.
    means: Arc<VecDeque<Option<i64>>>,
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

/// How ours did beside the seasonal naive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Judgement {
    pub settled: usize,
    /// Loss over the naive's.
    pub ratio: f64,
    /// By more than luck.
    pub loses: bool,
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
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            signal: SmolStr::from(&settings.signal),
            step_seconds: settings.step_seconds,
            ..Self::default()
        }
    }

    pub(super) fn is_of(&self, settings: &Settings) -> bool {
        self.signal == settings.signal && self.step_seconds == settings.step_seconds
    }

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
        let missed = usize::try_from(step - now - 1).unwrap_or(usize::MAX);
        let missed = missed.min(settings.remembered_steps());
        let means = Arc::make_mut(&mut self.means);
        means.push_back(mean);
        means.extend(std::iter::repeat_n(None, missed));
        self.open.retain(|it| it.step >= step);
        self.now = Some(step);
        (self.sum, self.count) = (0, 0);
        self.forget_before(settings.first_remembered(step));
        true
    }

    fn forget_before(&mut self, step: i64) {
        let beyond = usize::try_from(step - self.first_step()).unwrap_or(0);
        let means = Arc::make_mut(&mut self.means);
        means.drain(..beyond.min(means.len()));
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

    /// Whether ours lose to the naive, by the test of Diebold and Mariano (1995): with equal forecasts, who is ahead is luck.
    pub(super) fn judgement(&self, lead: usize) -> Judgement {
        let sums = self.losses.iter().fold((0.0, 0.0), |sums, loss| {
            (sums.0 + loss.0 as f64, sums.1 + loss.1 as f64)
        });
        let (ours, naive) = sums;
        let settled = self.losses.len();
        let mean = (ours - naive) / settled.max(1) as f64;
        Judgement {
            settled,
            ratio: ours / f64::max(naive, 1.0),
            loses: settled >= JUDGED_FROM
                && mean > 0.0
                && mean >= SURELY * self.error_of_the_mean(mean, lead),
        }
    }

    /// The standard error of the mean difference of losses. Forecasts of neighbouring steps share errors, over as many as the lead has
    /// (weights of Newey and West).
    fn error_of_the_mean(&self, mean: f64, lead: usize) -> f64 {
        let off = self.losses.iter();
        let off: Vec<f64> = off
            .map(|(ours, naive)| (ours - naive) as f64 - mean)
            .collect();
        let count = off.len() as f64;
        let together = |lag: usize| {
            let pairs = off.iter().zip(off.iter().skip(lag));
            pairs.map(|(a, b)| a * b).sum::<f64>() / count
        };
        let lags = (1..lead).map(|lag| 2.0 * (1.0 - lag as f64 / lead as f64) * together(lag));
        let variance = together(0) + lags.sum::<f64>();
        (variance.max(0.0) / count).sqrt()
    }

    pub(super) fn first_step(&self) -> i64 {
        self.now.unwrap_or(0) - i64::try_from(self.means.len()).unwrap_or(0)
    }

    /// What each step was, the latest last; `NaN` where nothing was read.
    pub(super) fn values(&self) -> Vec<f64> {
        self.means
            .iter()
            .map(|mean| mean.map_or(f64::NAN, |mean| mean as f64 / SCALE))
            .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Memories of 96 losses each, made from a seed.
    fn judged(
        lead: usize,
        mut losses: impl FnMut(&mut fastrand::Rng) -> (f64, f64),
    ) -> Vec<Judgement> {
        let memories = (0..200).map(|seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            let losses = (0..JUDGED).map(|_| losses(&mut random));
            let losses = losses.map(|(ours, naive)| (kept(ours), kept(naive)));
            Memory {
                losses: losses.collect(),
                ..Memory::default()
            }
        });
        memories.map(|memory| memory.judgement(lead)).collect()
    }

    fn lost(judgements: &[Judgement]) -> usize {
        judgements.iter().filter(|it| it.loses).count()
    }

    /// Mostly a little too much, and now and then too little, which is far dearer.
    fn loss(random: &mut fastrand::Rng) -> f64 {
        if random.f64() < 0.05 {
            190.0 * random.f64()
        } else {
            10.0 * random.f64()
        }
    }

    #[test]
    fn who_is_ahead_by_luck_has_not_won() {
        let equal = judged(2, |random| (loss(random), loss(random)));
        assert!(equal.iter().filter(|it| it.ratio > 1.0).count() > 80);
        assert!(lost(&equal) < 20, "{}", lost(&equal));
    }

    #[test]
    fn luck_that_lasts_as_long_as_the_lead_is_luck() {
        let lasting = |lead: usize| {
            let mut kept = (0.0, 0.0);
            let mut step = 0;
            judged(lead, move |random| {
                if step % 12 == 0 {
                    kept = (100.0 * random.f64(), 100.0 * random.f64());
                }
                step += 1;
                kept
            })
        };
        let (known, taken_for_many) = (lost(&lasting(12)), lost(&lasting(1)));
        assert!(known * 2 < taken_for_many, "{known} {taken_for_many}");
    }

    #[test]
    fn who_is_worse_each_time_has_lost_and_nobody_has_before_it_was_seen_often() {
        let worse = judged(2, |random| {
            let naive = loss(random);
            (1.1 * naive + 1.0, naive)
        });
        assert_eq!(lost(&worse), 200);
        let memory = Memory {
            losses: vec![(2, 1); JUDGED_FROM - 1].into(),
            ..Memory::default()
        };
        assert!(!memory.judgement(1).loses);
    }
}
