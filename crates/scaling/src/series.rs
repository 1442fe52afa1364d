//! Demand over time: one value a step, on the clock of the people who cause it.

use std::{fmt, ops::Range, str::FromStr};

use jiff::{Span, Timestamp, civil, tz::TimeZone};
use serde::Serialize;

/// The distance of two values. Days and months follow the calendar, so that a day of 23 hours is a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Seconds(i64),
    Days(i64),
    Months(i64),
}

pub const MINUTE: Step = Step::Seconds(60);
pub const HOUR: Step = Step::Seconds(3600);
pub const DAY: Step = Step::Days(1);
pub const WEEK: Step = Step::Days(7);
pub const MONTH: Step = Step::Months(1);

const DAY_SECONDS: f64 = 86_400.0;
/// The mean length of a Gregorian year, in days.
pub const YEAR_DAYS: f64 = 365.2425;

impl Step {
    /// Its length in days; of months, the mean length.
    #[must_use]
    pub fn days(self) -> f64 {
        match self {
            Self::Seconds(seconds) => seconds as f64 / DAY_SECONDS,
            Self::Days(days) => days as f64,
            Self::Months(months) => months as f64 * YEAR_DAYS / 12.0,
        }
    }

    /// How many of these are in so many days, at least one.
    #[must_use]
    pub fn count_in(self, days: f64) -> usize {
        (days / self.days()).round().max(1.0) as usize
    }

    /// The same length as days or months where it is a whole number of them.
    #[must_use]
    pub fn normal(self) -> Self {
        match self {
            Self::Seconds(seconds) if seconds > 0 && seconds % 86_400 == 0 => {
                Self::Days(seconds / 86_400)
            }
            other => other,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = match *self {
            Self::Months(months) if months % 12 == 0 => (months / 12, "year"),
            Self::Months(months) => (months, "month"),
            Self::Days(days) if days % 7 == 0 => (days / 7, "week"),
            Self::Days(days) => (days, "day"),
            Self::Seconds(seconds) if seconds % 3600 == 0 => (seconds / 3600, "hour"),
            Self::Seconds(seconds) if seconds % 60 == 0 => (seconds / 60, "minute"),
            Self::Seconds(seconds) => (seconds, "second"),
        };
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "{count} {unit}{plural}")
    }
}

impl FromStr for Step {
    type Err = String;

    /// A count with a unit: `15s`, `5m`, `48h`, `1d`, `8w`, `12mo`, `1y`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let digits = text.chars().take_while(char::is_ascii_digit).count();
        let (count, unit) = text.split_at(digits);
        let wrong = || {
            format!(
                "{text:?} is no length of time: use a count with s, m, h, d, w, mo or y, such as 48h"
            )
        };
        let count: i64 = count.parse().map_err(|_| wrong())?;
        if !(1..=1_000_000_000).contains(&count) {
            return Err(wrong());
        }
        match unit.trim() {
            "s" => Ok(Self::Seconds(count)),
            "m" | "min" => Ok(Self::Seconds(count * 60)),
            "h" => Ok(Self::Seconds(count * 3600)),
            "d" => Ok(Self::Days(count)),
            "w" => Ok(Self::Days(count * 7)),
            "mo" => Ok(Self::Months(count)),
            "y" => Ok(Self::Months(count * 12)),
            _ => Err(wrong()),
        }
    }
}

/// What several values become when they are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// Arrivals: 5 in this minute and 3 in the next are 8.
    Sum,
    /// A level, such as active sessions.
    Mean,
}

/// Values at equal steps. A value that is not known is `NaN`, never zero.
#[derive(Clone, Debug)]
pub struct Series {
    /// Where the first step begins: a moment for seconds, local midnight for days and months.
    start: Timestamp,
    local_start: civil::DateTime,
    step: Step,
    zone: TimeZone,
    combine: Combine,
    values: Vec<f64>,
}

impl Series {
    #[must_use]
    pub fn new(
        start: Timestamp,
        step: Step,
        zone: TimeZone,
        combine: Combine,
        values: Vec<f64>,
    ) -> Self {
        Self {
            start,
            local_start: zone.to_datetime(start),
            step: step.normal(),
            zone,
            combine,
            values,
        }
    }

    /// A series without a zone: its times are the clock on the wall.
    #[must_use]
    pub fn local(start: civil::DateTime, step: Step, combine: Combine, values: Vec<f64>) -> Self {
        let start = TimeZone::UTC.to_timestamp(start).unwrap_or_default();
        Self::new(start, step, TimeZone::UTC, combine, values)
    }

    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    #[must_use]
    pub fn step(&self) -> Step {
        self.step
    }

    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    #[must_use]
    pub fn combine(&self) -> Combine {
        self.combine
    }

    /// The same values, to be put together otherwise.
    #[must_use]
    pub fn with_combine(mut self, combine: Combine) -> Self {
        self.combine = combine;
        self
    }

    /// How many values are known.
    #[must_use]
    pub fn known(&self) -> usize {
        self.values.iter().filter(|value| !value.is_nan()).count()
    }

    #[must_use]
    pub fn span_days(&self) -> f64 {
        self.len() as f64 * self.step.days()
    }

    /// The clock on the wall when a step begins; steps after the end are the future.
    #[must_use]
    pub fn local_time(&self, index: usize) -> civil::DateTime {
        let index = i64::try_from(index).unwrap_or(i64::MAX / 2);
        match self.step {
            Step::Seconds(seconds) => {
                let at = self
                    .start
                    .as_second()
                    .saturating_add(index.saturating_mul(seconds));
                self.zone
                    .to_datetime(Timestamp::from_second(at).unwrap_or(Timestamp::MAX))
            }
            Step::Days(days) => self
                .local_start
                .saturating_add(Span::new().try_days(index * days).unwrap_or_default()),
            Step::Months(months) => self
                .local_start
                .saturating_add(Span::new().try_months(index * months).unwrap_or_default()),
        }
    }

    /// The moment at which a step begins.
    #[must_use]
    pub fn time(&self, index: usize) -> Timestamp {
        match self.step {
            Step::Seconds(seconds) => {
                let index = i64::try_from(index).unwrap_or(i64::MAX / 2);
                let at = self
                    .start
                    .as_second()
                    .saturating_add(index.saturating_mul(seconds));
                Timestamp::from_second(at).unwrap_or(Timestamp::MAX)
            }
            Step::Days(_) | Step::Months(_) => self
                .zone
                .to_timestamp(self.local_time(index))
                .unwrap_or(Timestamp::MAX),
        }
    }

    /// A part of it, with its place in time.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        let range = range.start.min(self.len())..range.end.min(self.len());
        Self {
            start: self.time(range.start),
            local_start: self.local_time(range.start),
            step: self.step,
            zone: self.zone.clone(),
            combine: self.combine,
            values: self.values[range].to_vec(),
        }
    }

    /// The last so many values.
    #[must_use]
    pub fn tail(&self, count: usize) -> Self {
        self.part(self.len().saturating_sub(count)..self.len())
    }

    /// The same demand in longer steps. One that is not known to four fifths is not known; one that is known to more is
    /// scaled up to the whole. Those at the ends are left out when they are not covered.
    #[must_use]
    pub fn in_steps_of(&self, step: Step) -> Self {
        let step = step.normal();
        if step == self.step || step.days() < self.step.days() {
            return self.clone();
        }
        if let Step::Days(days @ 2..) = self.step {
            return self.spread_over_days(days).in_steps_of(step);
        }
        let keys: Vec<i64> = (0..self.len()).map(|i| key(self, i, step)).collect();
        let (Some(&first), Some(&last)) = (keys.first(), keys.last()) else {
            return self.clone();
        };
        let count = usize::try_from(last - first + 1).unwrap_or(0);
        let mut parts = vec![Part::default(); count];
        for (value, at) in self.values.iter().zip(&keys) {
            parts[usize::try_from(at - first).unwrap_or(0)].add(*value);
        }
        let values: Vec<f64> = parts.iter().map(|part| part.whole(self.combine)).collect();
        let skip = usize::from(start_of(self, first, step) < self.local_start);
        let covered = start_of(self, last + 1, step) <= self.local_time(self.len());
        let keep = if covered { count } else { count - 1 };
        let start = start_of(self, first + skip as i64, step);
        let start = self.zone.to_timestamp(start).unwrap_or(self.start);
        let values = values.get(skip..keep).unwrap_or_default().to_vec();
        Self::new(start, step, self.zone.clone(), self.combine, values)
    }

    /// Weeks don't fit into months: each is divided evenly over its days.
    fn spread_over_days(&self, days: i64) -> Self {
        let count = usize::try_from(days).unwrap_or(1);
        let share = match self.combine {
            Combine::Sum => 1.0 / Step::Days(days).days(),
            Combine::Mean => 1.0,
        };
        let values = self.values.iter();
        let values = values.flat_map(|value| std::iter::repeat_n(value * share, count));
        Self::new(
            self.start,
            DAY,
            self.zone.clone(),
            self.combine,
            values.collect(),
        )
    }
}

/// What is known of one long step.
#[derive(Clone, Copy, Default)]
struct Part {
    sum: f64,
    known: u32,
    slots: u32,
}

impl Part {
    fn add(&mut self, value: f64) {
        self.slots += 1;
        if !value.is_nan() {
            self.sum += value;
            self.known += 1;
        }
    }

    fn whole(self, combine: Combine) -> f64 {
        let (known, slots) = (f64::from(self.known), f64::from(self.slots));
        match combine {
            _ if known < 0.8 * slots => f64::NAN,
            Combine::Mean => self.sum / known,
            Combine::Sum => self.sum * slots / known,
        }
    }
}

/// Which of the long steps one falls into.
fn key(series: &Series, index: usize, step: Step) -> i64 {
    match step {
        Step::Seconds(seconds) => series.time(index).as_second().div_euclid(seconds),
        Step::Days(days) => day_number(series.local_time(index).date()).div_euclid(days),
        Step::Months(months) => month_number(series.local_time(index).date()).div_euclid(months),
    }
}

fn start_of(series: &Series, key: i64, step: Step) -> civil::DateTime {
    match step {
        Step::Seconds(seconds) => series
            .zone
            .to_datetime(Timestamp::from_second(key * seconds).unwrap_or_default()),
        Step::Days(days) => date_of_day(key * days).at(0, 0, 0, 0),
        Step::Months(months) => date_of_month(key * months).at(0, 0, 0, 0),
    }
}

/// Monday 2001-01-01 is day 0, so that weeks begin on Mondays.
const EPOCH: civil::Date = civil::date(2001, 1, 1);

pub(crate) fn day_number(date: civil::Date) -> i64 {
    i64::from(date.since(EPOCH).map_or(0, |span| span.get_days()))
}

pub(crate) fn date_of_day(number: i64) -> civil::Date {
    EPOCH.saturating_add(Span::new().try_days(number).unwrap_or_default())
}

pub(crate) fn month_number(date: civil::Date) -> i64 {
    i64::from(date.year()) * 12 + i64::from(date.month()) - 1
}

pub(crate) fn date_of_month(number: i64) -> civil::Date {
    let year = i16::try_from(number.div_euclid(12)).unwrap_or(civil::Date::MAX.year());
    let month = i8::try_from(number.rem_euclid(12) + 1).unwrap_or(1);
    civil::Date::new(year, month, 1).unwrap_or(civil::Date::MAX)
}

#[cfg(test)]
mod tests;
