//! What will be needed: the next two days hour by hour, and the next twelve months.

use serde::Serialize;

use super::cost::Prices;
use crate::{
    forecast::{
        Ahead, Choice, Holidays, LEVELS, Model, counts::normal, quantiles::sorted_quantile,
        regression::Fit,
    },
    series::{Combine, DAY, HOUR, MINUTE, MONTH, Series, Step, YEAR_DAYS},
};

/// How much history a forecast for days looks at: habits of longer ago are others.
pub const SHORT_WINDOW_DAYS: f64 = 56.0;
/// With fewer days, nothing is said about those ahead.
const FEWEST_DAYS: f64 = 3.0;
/// With fewer months, a season was not seen often enough to be told from growth.
const MONTHS_FOR_A_SEASON: usize = 18;
const MONTHS_FOR_GROWTH: usize = 24;
const MOST_MONTHS: usize = 120;
/// Spreads that are assumed, on the logarithm, where history is too short to measure them: of months about the year's mean (half of the
/// seed's flu season, 1.5), and of growth in a year.
const ASSUMED_SEASON: f64 = 0.2;
const ASSUMED_GROWTH: f64 = 0.1;

#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How much demand one instance carries, in the unit of the trace; the seed's 100 sessions.
    pub per_instance: f64,
    /// Instances that always run; the seed's 3.
    pub least: u32,
    /// Which quantile is carried: an index of `LEVELS`.
    pub level: usize,
    pub prices: Prices,
    /// A month's budget, in the currency of the prices.
    pub budget: Option<f64>,
    /// The most instances that the provider or the hardware allows.
    pub quota: Option<u32>,
    pub holidays: Holidays,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            per_instance: 100.0,
            least: 3,
            level: 2,
            prices: Prices::default(),
            budget: None,
            quota: None,
            holidays: Holidays::NONE,
        }
    }
}

impl Settings {
    fn instances(&self, demand: f64) -> u32 {
        let wanted = (demand / self.per_instance - 1e-9)
            .ceil()
            .clamp(0.0, f64::from(u32::MAX));
        (wanted as u32).max(self.least)
    }
}

/// One step of the days ahead.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The local time at which it begins.
    pub at: jiff::civil::DateTime,
    #[serde(flatten)]
    pub demand: Ahead,
    pub instances: u32,
}

/// The days ahead.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Short {
    pub step: String,
    pub choice: Choice,
    pub points: Vec<Point>,
    pub most_instances: u32,
    /// What it costs to run what each step needs, and what it costs to run the most all the time.
    pub cost_followed: f64,
    pub cost_at_peak: f64,
    pub warnings: Vec<String>,
}

/// One month of the year ahead. Demand is the mean of the trace's steps in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Month {
    pub month: jiff::civil::Date,
    #[serde(flatten)]
    pub demand: Ahead,
    /// Demand in its busy hours.
    pub peak: f64,
    pub instances: u32,
    pub cost: f64,
}

/// The months ahead.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Long {
    /// `None` where history is too short for a model: the level of now, with assumed spreads.
    pub choice: Option<Choice>,
    /// Growth from year to year as a share; `None` where it can't be known.
    pub growth: Option<f64>,
    /// Where it is with 90 % confidence.
    pub growth_interval: Option<[f64; 2]>,
    pub years_seen: f64,
    /// Busy hours over the mean: the 95th percentile of the last weeks.
    pub peak_factor: f64,
    pub months: Vec<Month>,
    pub total_cost: f64,
    /// What can't be known from this history, as sentences.
    pub unknown: Vec<String>,
    pub warnings: Vec<String>,
}

/// The next two days by the hour; for daily traces, the next two weeks.
///
/// # Errors
/// Why there is none: the step is too long, or the history too short.
pub fn short(series: &Series, settings: &Settings) -> Result<Short, String> {
    let series = in_planning_steps(series);
    let step = series.step();
    if step.days() > 1.0 {
        return Err(format!("steps of {step} say nothing about the days ahead"));
    }
    if series.span_days() < FEWEST_DAYS {
        return Err(format!(
            "less than {FEWEST_DAYS} days don't show how a day goes"
        ));
    }
    let horizon = if step.days() < 1.0 {
        step.count_in(2.0)
    } else {
        14
    };
    let window = step.count_in(SHORT_WINDOW_DAYS).min(series.len());
    // Origins need room behind the window: with little history, the window is what leaves some.
    let compared = window
        .min(series.len().saturating_sub(horizon) * 3 / 4)
        .max(1);
    let choice = Choice::make(&series, compared, horizon, settings.holidays);
    let history = series.tail(window);
    let ahead = forecast(&history, choice.chosen, horizon, settings.holidays)?;
    let points = ahead.into_iter().enumerate().map(|(at, demand)| Point {
        at: history.local_time(history.len() + at),
        instances: settings.instances(demand.quantiles[settings.level]),
        demand,
    });
    Ok(summed_up(step, choice, points.collect(), settings))
}

fn summed_up(step: Step, choice: Choice, points: Vec<Point>, settings: &Settings) -> Short {
    let share_of_a_month = step.days() / MONTH.days();
    let cost = |instances: u32| settings.prices.month(instances) * share_of_a_month;
    let most_instances = points
        .iter()
        .map(|point| point.instances)
        .max()
        .unwrap_or(settings.least);
    let over = points
        .iter()
        .find(|point| settings.quota.is_some_and(|quota| point.instances > quota));
    let warnings = over.map(|point| {
        let quota = settings.quota.unwrap_or(0);
        format!(
            "at {} {} instances are needed, and the quota is {quota}",
            point.at.strftime("%Y-%m-%d %H:%M"),
            point.instances
        )
    });
    Short {
        step: step.to_string(),
        choice,
        most_instances,
        cost_followed: points.iter().map(|point| cost(point.instances)).sum(),
        cost_at_peak: cost(most_instances) * points.len() as f64,
        warnings: warnings.into_iter().collect(),
        points,
    }
}

/// The next months.
///
/// # Errors
/// When there is no history at all.
pub fn long(series: &Series, months: usize, settings: &Settings) -> Result<Long, String> {
    let series = in_planning_steps(series);
    let monthly = series
        .clone()
        .with_combine(Combine::Mean)
        .in_steps_of(MONTH);
    let peak_factor = peak_factor(&series);
    let (choice, ahead) = if monthly.known() >= MONTHS_FOR_A_SEASON {
        let (choice, ahead) = modelled(&monthly, months, settings.holidays)?;
        (Some(choice), ahead)
    } else {
        (None, level_of_now(&series, months)?)
    };
    let fit = Fit::new(&monthly, settings.holidays).ok();
    let growth = fit.as_ref().and_then(Fit::growth).map(|(growth, _)| growth);
    let growth_interval = fit.as_ref().and_then(Fit::growth_interval);
    let first = month_after(&series, &monthly);
    let months: Vec<Month> = ahead
        .into_iter()
        .enumerate()
        .map(|(at, demand)| {
            let peak = demand.quantiles[settings.level] * peak_factor;
            let instances = settings.instances(peak);
            let month = crate::series::date_of_month(first + i64::try_from(at).unwrap_or(0));
            Month {
                month,
                demand,
                peak,
                instances,
                cost: settings.prices.month(instances),
            }
        })
        .collect();
    Ok(Long {
        choice,
        growth,
        growth_interval,
        years_seen: series.span_days() / YEAR_DAYS,
        peak_factor,
        total_cost: months.iter().map(|month| month.cost).sum(),
        unknown: unknown(&series, &monthly),
        warnings: warnings(&months, settings),
        months,
    })
}

/// Traces in finer steps than hours are planned by the hour; those that span less than two days by the minute.
#[must_use]
pub fn in_planning_steps(series: &Series) -> Series {
    let wanted = if series.span_days() >= 2.0 {
        HOUR
    } else {
        MINUTE
    };
    let finer = series.step().days() < wanted.days();
    series.in_steps_of(if finer { wanted } else { series.step() })
}

fn modelled(
    monthly: &Series,
    months: usize,
    holidays: Holidays,
) -> Result<(Choice, Vec<Ahead>), String> {
    let history = monthly.tail(MOST_MONTHS);
    // Two years, so that growth can be seen; more where that leaves a year of origins.
    let room = monthly.len().saturating_sub(2 * months);
    let window = room.clamp(MONTHS_FOR_GROWTH, MOST_MONTHS);
    let choice = Choice::make(monthly, window, months, holidays);
    let ahead = forecast(&history, choice.chosen, months, holidays)?;
    Ok((choice, ahead))
}

fn forecast(
    history: &Series,
    model: Model,
    horizon: usize,
    holidays: Holidays,
) -> Result<Vec<Ahead>, String> {
    model
        .forecast(history, horizon, holidays)
        .or_else(|_| Model::SeasonalNaive.forecast(history, horizon, holidays))
        .map_err(|why| format!("there is too little history: {why}"))
}

/// The mean of the last four weeks goes on, with a spread that grows as a season and growth that nobody has seen would make it.
fn level_of_now(series: &Series, months: usize) -> Result<Vec<Ahead>, String> {
    let last = series.tail(series.step().count_in(28.0));
    let known: Vec<f64> = last
        .values()
        .iter()
        .copied()
        .filter(|value| !value.is_nan())
        .collect();
    if known.is_empty() {
        return Err("the last four weeks of the history have no value".to_owned());
    }
    let mean = known.iter().sum::<f64>() / known.len() as f64;
    let ahead = (1..=months).map(|month| {
        let growth = ASSUMED_GROWTH * month as f64 / 12.0;
        let spread = ASSUMED_SEASON.hypot(growth);
        Ahead {
            mean,
            quantiles: LEVELS.map(|level| mean * (spread * normal(level)).exp()),
        }
    });
    Ok(ahead.collect())
}

/// The month after the last one that is complete, or after the history's end where none is.
fn month_after(series: &Series, monthly: &Series) -> i64 {
    let next = if monthly.is_empty() {
        series.local_time(series.len())
    } else {
        monthly.local_time(monthly.len())
    };
    crate::series::month_number(next.date())
}

fn peak_factor(series: &Series) -> f64 {
    if series.step().days() > DAY.days() || series.span_days() < 14.0 {
        return 1.0;
    }
    let last = series.tail(series.step().count_in(SHORT_WINDOW_DAYS));
    let mut known: Vec<f64> = last
        .values()
        .iter()
        .copied()
        .filter(|value| !value.is_nan())
        .collect();
    known.sort_unstable_by(f64::total_cmp);
    let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
    if mean > 0.0 {
        (sorted_quantile(&known, 0.95) / mean).max(1.0)
    } else {
        1.0
    }
}

fn unknown(series: &Series, monthly: &Series) -> Vec<String> {
    let span = series.span_days();
    let mut out = Vec::new();
    if monthly.known() < MONTHS_FOR_A_SEASON {
        out.push(format!(
            "{span:.0} days of history show neither the season nor growth: the months ahead stay at the level of the last four weeks, \
             and their spread is assumed ({:.0} % for a season, {:.0} % a year for growth), not measured",
            100.0 * ASSUMED_SEASON,
            100.0 * ASSUMED_GROWTH
        ));
    } else if monthly.known() < MONTHS_FOR_GROWTH {
        out.push(
            "with less than two years, growth can't be told from the season: none is assumed"
                .to_owned(),
        );
    }
    if series.step().days() <= 1.0 && span < 14.0 {
        out.push("less than two weeks don't show how weekdays differ".to_owned());
    }
    if series.step().days() > DAY.days() {
        out.push(format!(
            "steps of {} don't show the busy hours: instances are for the mean, not for the peak",
            series.step()
        ));
    }
    out
}

fn warnings(months: &[Month], settings: &Settings) -> Vec<String> {
    let currency = &settings.prices.currency;
    let name = |month: &Month| format!("{:04}-{:02}", month.month.year(), month.month.month());
    let over_budget: Vec<&Month> = months
        .iter()
        .filter(|month| settings.budget.is_some_and(|budget| month.cost > budget))
        .collect();
    let over_quota: Vec<&Month> = months
        .iter()
        .filter(|month| settings.quota.is_some_and(|quota| month.instances > quota))
        .collect();
    let budget = over_budget.first().map(|first| {
        let most = over_budget.iter().map(|month| month.cost).fold(0.0, f64::max);
        format!(
            "{} months cost more than the budget of {:.0} {currency}, the first is {} (at most {most:.0} {currency})",
            over_budget.len(),
            settings.budget.unwrap_or(0.0),
            name(first),
        )
    });
    let quota = over_quota.first().map(|first| {
        let most = over_quota.iter().map(|month| month.instances).max().unwrap_or(0);
        format!(
            "{} months need more instances than the quota of {}, the first is {} (at most {most}): ask for a higher quota before",
            over_quota.len(),
            settings.quota.unwrap_or(0),
            name(first),
        )
    });
    budget.into_iter().chain(quota).collect()
}

#[cfg(test)]
mod tests;
