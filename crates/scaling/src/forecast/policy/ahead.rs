//! What the policy forecasts from what it remembers: the season from quarters of an hour, and on it the next steps from what was seen
//! lately. Both are learnt from whole hours, as one more changes little of days: replays, which keep what was learnt, learn once an hour.
//! What was seen since is looked at each time.

use std::sync::Arc;

use jiff::{Timestamp, tz::TimeZone};

use super::{Memory, Settings};
use crate::{
    forecast::{Holidays, Model, counts, lately::Lately, regression::seasonal_means},
    series::{Combine, Series, Step},
};

/// Normal scores of the quantiles that are made; others are taken along a line between them.
pub const SCORES: [f64; 12] = [
    -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5,
];
/// Where their median is.
const MEDIAN: usize = 4;

/// Once so much is known, an hour more changes little of what is learnt.
const SETTLED_SECONDS: i64 = 2 * 86_400;

/// Steps that were seen, counted from 1970.
#[derive(Clone, Debug)]
pub struct Past {
    pub first: i64,
    pub step_seconds: i64,
    /// `NaN` where nothing was read.
    pub values: Vec<f64>,
}

impl Past {
    pub fn of(settings: &Settings, memory: &Memory) -> Self {
        Self {
            first: memory.first_step(),
            step_seconds: settings.step_seconds,
            values: memory.values(),
        }
    }

    /// The part of it that is learnt from: whole ones of so many steps, which are the same until the next is whole; all of it while little
    /// is known.
    pub fn settled(&self, each: usize) -> Self {
        let seen = i64::try_from(self.values.len()).unwrap_or(i64::MAX);
        if seen.saturating_mul(self.step_seconds) < SETTLED_SECONDS {
            return self.clone();
        }
        let skipped = to_whole(self.first, each);
        let values = self.values.get(skipped..).unwrap_or_default();
        Self {
            first: self.first + i64::try_from(skipped).unwrap_or(0),
            step_seconds: self.step_seconds,
            values: values[..values.len() / each * each].to_vec(),
        }
    }

    /// Its whole steps of so many of these.
    pub fn whole(&self, each: usize) -> Self {
        let length = i64::try_from(each).unwrap_or(1);
        let skipped = to_whole(self.first, each);
        let values = self.values.get(skipped..).unwrap_or_default();
        Self {
            first: (self.first + length - 1).div_euclid(length),
            step_seconds: self.step_seconds * length,
            values: values.chunks_exact(each).map(mean).collect(),
        }
    }

    fn series(&self, zone: &TimeZone) -> Series {
        let start = Timestamp::from_second(self.first * self.step_seconds).unwrap_or_default();
        let step = Step::Seconds(self.step_seconds);
        Series::new(
            start,
            step,
            zone.clone(),
            Combine::Mean,
            self.values.clone(),
        )
    }
}

/// How many steps there are from one to the next that begins a whole one of so many.
fn to_whole(first: i64, each: usize) -> usize {
    let length = i64::try_from(each).unwrap_or(1);
    usize::try_from((-first).rem_euclid(length)).unwrap_or(0)
}

/// What a past teaches. It takes long to learn, and holds for a while.
#[derive(Clone, Debug)]
pub struct Learnt {
    season: Arc<Season>,
    lately: Lately<{ SCORES.len() }>,
}

impl Learnt {
    /// From a past and its season, for a lead of so many steps.
    pub fn of(past: &Past, season: Arc<Season>, lead: usize) -> Option<Self> {
        let means = season.of_steps(past.first, past.values.len());
        let lately = Lately::learn(&past.values, &means, lead, &SCORES.map(counts::below))?;
        Some(Self { season, lately })
    }
}

/// What is the same every week.
#[derive(Clone, Debug)]
pub struct Season {
    /// How many steps one of its means is about.
    each: usize,
    /// The step with which its first mean begins.
    first: i64,
    means: Vec<f64>,
}

impl Season {
    /// In steps of so many of the past's, to so many of these after it.
    pub fn of(past: &Past, each: usize, ahead: usize, zone: &TimeZone) -> Option<Self> {
        let (past, ahead) = (past.whole(each), ahead / each + 3);
        Some(Self {
            each,
            first: past.first * i64::try_from(each).ok()?,
            means: seasonal_means(&past.series(zone), ahead, Holidays::NONE).ok()?,
        })
    }

    /// For so many steps from one on.
    fn of_steps(&self, first: i64, count: usize) -> Vec<f64> {
        let last = self.means.len() - 1;
        let before = (first - self.first) as f64;
        let at = |step: usize| {
            let middle = before + step as f64 + 0.5;
            let place = (middle / self.each as f64 - 0.5).clamp(0.0, last as f64);
            let (below, share) = (place as usize, place.fract());
            let above = (below + 1).min(last);
            self.means[below] + share * (self.means[above] - self.means[below])
        };
        (0..count).map(at).collect()
    }
}

/// The average, if half of it is known.
fn mean(values: &[f64]) -> f64 {
    let known = values.iter().filter(|value| !value.is_nan()).count();
    if 2 * known < values.len() {
        f64::NAN
    } else {
        average(values)
    }
}

/// Of what is known.
fn average(values: &[f64]) -> f64 {
    let known = values.iter().filter(|value| !value.is_nan());
    let (sum, count) = known.fold((0.0, 0_usize), |(sum, count), value| {
        (sum + value, count + 1)
    });
    sum / count as f64
}

/// Quantiles of the steps after the one that is now, up to the end of the lead.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    steps: Vec<[f64; SCORES.len()]>,
    /// The most that is likely, over what demand is on average.
    pub over_usual: f64,
    /// The 95th percentiles at the end of the lead, ours and the seasonal naive's.
    pub judged: (f64, f64),
}

impl Forecast {
    /// `now` is what is read now: `NaN` when nothing is.
    pub fn make(learnt: &Learnt, past: &Past, zone: &TimeZone, now: f64) -> Option<Self> {
        let lead = learnt.lately.steps();
        let naive = Model::SeasonalNaive.forecast(&past.series(zone), lead + 1, Holidays::NONE);
        let naive = naive.ok()?.last()?.p95();
        let mut values = past.values.clone();
        values.push(now);
        let means = learnt.season.of_steps(past.first, values.len() + lead);
        let spreads = learnt.lately.ahead(&values, &means);
        let ours = quantile(&spreads.last()?.quantiles, NINETY_FIVE);
        let most = spreads.iter().map(|it| it.mean).fold(0.0, f64::max);
        Some(Self {
            steps: spreads.into_iter().map(|it| it.quantiles).collect(),
            over_usual: most / f64::max(average(&values), f64::MIN_POSITIVE),
            judged: (ours, naive),
        })
    }

    /// The most that a score stands for in any of the steps.
    pub fn highest(&self, score: f64) -> f64 {
        let of_steps = self.steps.iter().map(|step| quantile(step, score));
        of_steps.fold(0.0, f64::max)
    }
}

/// The quantile at a score. Beyond what errors were seen, it goes on as it went up to there.
fn quantile(step: &[f64; SCORES.len()], score: f64) -> f64 {
    let last = SCORES.len() - 1;
    let place = ((score - SCORES[0]) / 0.5).clamp(0.0, last as f64);
    let (below, share) = (place as usize, place.fract());
    let above = (below + 1).min(last);
    let beyond = (score - SCORES[last]).max(0.0) / SCORES[last];
    let within = step[below] + share * (step[above] - step[below]);
    within + beyond * (step[last] - step[MEDIAN])
}

/// The normal score of the 95th percentile.
const NINETY_FIVE: f64 = 1.644_853_627;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_what_was_seen_more_is_still_more() {
        let forecast = Forecast {
            // Errors of a standard deviation of 10 around 100, of which none was above 125.
            steps: vec![SCORES.map(|score| (100.0 + 10.0 * score).min(125.0))],
            over_usual: 1.0,
            judged: (0.0, 0.0),
        };
        let of = |score| forecast.highest(score);
        assert_eq!((of(-3.0), of(0.0), of(0.25)), (80.0, 100.0, 102.5));
        assert_eq!((of(3.0), of(3.5)), (125.0, 125.0));
        assert!(of(4.0) > of(3.5) && of(4.5) > of(4.0));
    }
}
