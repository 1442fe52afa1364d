//! What the policy forecasts from what it remembers: the season from quarters of an hour, and on it the next steps from what was seen
//! lately.

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
/// The longest lead in steps.
pub const MOST_STEPS: usize = 48;

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

    /// Its whole steps of so many of these. They are the same until the next is whole, so that a season need not be fitted more often.
    pub fn whole(&self, each: usize) -> Self {
        let length = i64::try_from(each).unwrap_or(1);
        let skipped = usize::try_from((-self.first).rem_euclid(length)).unwrap_or(0);
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

/// The slow part, which is the same whatever was seen lately.
#[derive(Clone, Debug)]
pub struct Season {
    /// How many steps one of its means is about.
    each: usize,
    /// The step with which its first mean begins.
    first: i64,
    means: Vec<f64>,
}

impl Season {
    /// From whole steps of so many.
    pub fn of(past: &Past, each: usize, zone: &TimeZone) -> Option<Self> {
        let ahead = MOST_STEPS / each + 3;
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
    pub fn make(
        season: &Season,
        past: &Past,
        zone: &TimeZone,
        now: f64,
        lead: usize,
    ) -> Option<Self> {
        let naive = Model::SeasonalNaive.forecast(&past.series(zone), lead + 1, Holidays::NONE);
        let naive = naive.ok()?.last()?.p95();
        let mut values = past.values.clone();
        values.push(now);
        let means = season.of_steps(past.first, values.len() + lead);
        let lately = Lately::new(&values, &means);
        let levels = SCORES.map(counts::below);
        let spreads = (1..=lead).map(|step| lately.ahead(step, &levels));
        let spreads: Vec<_> = spreads.collect::<Option<_>>()?;
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
