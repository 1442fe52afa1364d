//! The shape of the day, the week and the year, and whether it is more than chance.
//!
//! Each cycle (a day, a week, a year) is divided by its own mean, so that busy ones don't count more and growth is no season. The test
//! is a permutation test: every cycle is turned by a random number of slots, which keeps what follows on what within it and destroys what
//! all have in common. A shape is real when the means of its slots differ more than in all but 5 % of the turned ones, after Holm's
//! correction for the three cycles that are looked at. A slot is a peak when its mean is above the given percentile of all slots and, by a
//! one-sided t-test that is Holm-corrected over those slots, above the cycle's mean. So a flat day has no peak.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF as _, StudentsT};

use crate::{
    forecast::quantiles::sorted_quantile,
    series::{Combine, DAY, HOUR, MONTH, Series, Step},
};

/// Random turns: the least p-value is one in 500.
const TURNS: u32 = 499;
/// The chance of taking noise for a shape.
pub const SIGNIFICANCE: f64 = 0.05;
/// Cycles that are looked at, the latest: three years of days.
const MOST_CYCLES: usize = 1_100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cycle {
    Day,
    Week,
    Year,
}

impl Cycle {
    /// The fewest cycles with which a test can find anything.
    #[must_use]
    pub fn fewest(self) -> usize {
        match self {
            Self::Day => 7,
            Self::Week => 4,
            Self::Year => 3,
        }
    }

    fn slot(self, step: Step) -> Option<Step> {
        match self {
            Self::Day if step.days() <= HOUR.days() => Some(HOUR),
            Self::Day if step.days() <= 0.26 => Some(step),
            Self::Week if step.days() <= 1.0 => Some(DAY),
            Self::Year if step.days() <= MONTH.days() + 0.1 => Some(MONTH),
            _ => None,
        }
    }
}

/// A slot of the cycle: an hour, a weekday from Monday, a month from January.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Slot {
    /// The mean demand in it, in the unit of the trace, and the 5th and 95th percentiles.
    pub mean: f64,
    pub p05: f64,
    pub p95: f64,
    /// The mean over that of the whole cycle.
    pub index: f64,
    /// How many were seen.
    pub seen: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pattern {
    pub cycle: Cycle,
    /// How many whole cycles were looked at.
    pub cycles: usize,
    pub slots: Vec<Slot>,
    /// The chance of such a shape by noise alone, after Holm's correction; `None` where it can't be known.
    pub p_value: Option<f64>,
    /// More than noise.
    pub is_real: bool,
    /// Slots that are peaks, by index.
    pub peaks: Vec<usize>,
    /// The highest slot over the mean; 1 where the shape may be noise.
    pub multiplier: f64,
    /// Why nothing can be said, where that is so.
    pub unknown: Option<String>,
}

/// From which percentile of the slots on a slot is a peak: the seed's 0.8 for hours and 0.7 for months.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Thresholds {
    pub hours: f64,
    pub weekdays: f64,
    pub months: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            hours: 0.8,
            weekdays: 0.8,
            months: 0.7,
        }
    }
}

/// The patterns of day, week and year.
#[must_use]
pub fn patterns(series: &Series, thresholds: Thresholds) -> [Pattern; 3] {
    let mut found = [
        (Cycle::Day, thresholds.hours),
        (Cycle::Week, thresholds.weekdays),
        (Cycle::Year, thresholds.months),
    ]
    .map(|(cycle, percentile)| (Table::of(series, cycle), cycle, percentile));
    let raw: Vec<Option<f64>> = found
        .iter_mut()
        .map(|(table, ..)| table.as_ref().ok().map(Table::p_value))
        .collect();
    let corrected = holm(&raw);
    let mut corrected = corrected.into_iter();
    found.map(|(table, cycle, percentile)| {
        let p_value = corrected.next().flatten();
        match table {
            Ok(table) => table.pattern(cycle, percentile, p_value),
            Err(why) => Pattern {
                cycle,
                cycles: 0,
                slots: Vec::new(),
                p_value: None,
                is_real: false,
                peaks: Vec::new(),
                multiplier: 1.0,
                unknown: Some(why),
            },
        }
    })
}

/// Holm's step-down correction; what is not there doesn't count.
#[must_use]
pub fn holm(raw: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<usize> = (0..raw.len()).filter(|at| raw[*at].is_some()).collect();
    order.sort_by(|a, b| raw[*a].unwrap_or(1.0).total_cmp(&raw[*b].unwrap_or(1.0)));
    let mut out = vec![None; raw.len()];
    let mut highest = 0.0_f64;
    for (rank, at) in order.iter().enumerate() {
        let times = (order.len() - rank) as f64;
        highest = highest.max((raw[*at].unwrap_or(1.0) * times).min(1.0));
        out[*at] = Some(highest);
    }
    out
}

/// Cycles in rows, slots in columns.
struct Table {
    slots: usize,
    /// Demand, in the unit of the trace.
    amounts: Vec<Vec<f64>>,
    /// Demand over the mean of its cycle.
    ratios: Vec<Vec<f64>>,
}

impl Table {
    fn of(series: &Series, cycle: Cycle) -> Result<Self, String> {
        let step = cycle
            .slot(series.step())
            .ok_or_else(|| format!("the trace has a step of {}", series.step()))?;
        let slotted = match cycle {
            // Months differ in length: their means are compared, not their sums.
            Cycle::Year => series.clone().with_combine(Combine::Mean).in_steps_of(step),
            Cycle::Day | Cycle::Week => series.in_steps_of(step),
        };
        let slots = match cycle {
            Cycle::Day => step.count_in(1.0),
            Cycle::Week => 7,
            Cycle::Year => 12,
        };
        let place = |index: usize| {
            let time = slotted.local_time(index);
            let slot = match cycle {
                Cycle::Day => {
                    (f64::from(i32::from(time.hour()) * 60 + i32::from(time.minute())) / 1440.0
                        * slots as f64) as usize
                }
                Cycle::Week => {
                    usize::try_from(time.date().weekday().to_monday_zero_offset()).unwrap_or(0)
                }
                Cycle::Year => usize::try_from(time.month() - 1).unwrap_or(0),
            };
            let row = match cycle {
                Cycle::Day => crate::series::day_number(time.date()),
                Cycle::Week => crate::series::day_number(time.date()).div_euclid(7),
                Cycle::Year => i64::from(time.year()),
            };
            (row, slot)
        };
        let mut rows: std::collections::BTreeMap<i64, Vec<f64>> = std::collections::BTreeMap::new();
        for (index, value) in slotted.values().iter().enumerate() {
            let (row, slot) = place(index);
            rows.entry(row).or_insert_with(|| vec![f64::NAN; slots])[slot] = *value;
        }
        let whole =
            |row: &Vec<f64>| row.iter().filter(|value| !value.is_nan()).count() * 10 >= slots * 9;
        let mut amounts: Vec<Vec<f64>> = rows.into_values().filter(whole).collect();
        amounts.drain(..amounts.len().saturating_sub(MOST_CYCLES));
        if amounts.len() < cycle.fewest() {
            let name = format!("{cycle:?}").to_lowercase();
            return Err(format!(
                "it holds {} whole {name}s, and a test needs {}",
                amounts.len(),
                cycle.fewest()
            ));
        }
        let ratios = amounts.iter().map(|row| over_its_mean(row)).collect();
        Ok(Self {
            slots,
            amounts,
            ratios,
        })
    }

    fn p_value(&self) -> f64 {
        let mut random = fastrand::Rng::with_seed(1);
        let found = self.spread(|_| 0);
        let mut turns = vec![0; self.ratios.len()];
        let mut as_much = 0;
        for _ in 0..TURNS {
            turns.fill_with(|| random.usize(0..self.slots));
            as_much += u32::from(self.spread(|row| turns[row]) >= found);
        }
        f64::from(1 + as_much) / f64::from(1 + TURNS)
    }

    /// How much the slots' means differ, with each row turned.
    fn spread(&self, turn: impl Fn(usize) -> usize) -> f64 {
        let (mut sums, mut seen) = (vec![0.0; self.slots], vec![0.0; self.slots]);
        for (at, row) in self.ratios.iter().enumerate() {
            let turn = turn(at);
            for (slot, value) in row.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
                let slot = (slot + turn) % self.slots;
                sums[slot] += value;
                seen[slot] += 1.0;
            }
        }
        let pairs = sums.iter().zip(&seen).filter(|(_, seen)| **seen > 0.0);
        pairs
            .map(|(sum, seen)| seen * (sum / seen - 1.0).powi(2))
            .sum()
    }

    fn pattern(self, cycle: Cycle, percentile: f64, p_value: Option<f64>) -> Pattern {
        let slots: Vec<Slot> = (0..self.slots).map(|slot| self.slot(slot)).collect();
        let is_real = p_value.is_some_and(|p| p < SIGNIFICANCE);
        let peaks = if is_real {
            self.peaks(&slots, percentile)
        } else {
            Vec::new()
        };
        let highest = slots.iter().map(|slot| slot.index).fold(1.0, f64::max);
        Pattern {
            cycle,
            cycles: self.amounts.len(),
            slots,
            p_value,
            is_real,
            peaks,
            multiplier: if is_real { highest } else { 1.0 },
            unknown: None,
        }
    }

    fn slot(&self, slot: usize) -> Slot {
        let column = |rows: &[Vec<f64>]| {
            let mut values: Vec<f64> = rows
                .iter()
                .map(|row| row[slot])
                .filter(|value| !value.is_nan())
                .collect();
            values.sort_unstable_by(f64::total_cmp);
            values
        };
        let (amounts, ratios) = (column(&self.amounts), column(&self.ratios));
        Slot {
            mean: mean(&amounts),
            p05: sorted_quantile(&amounts, 0.05),
            p95: sorted_quantile(&amounts, 0.95),
            index: mean(&ratios),
            seen: amounts.len(),
        }
    }

    fn peaks(&self, slots: &[Slot], percentile: f64) -> Vec<usize> {
        let mut indices: Vec<f64> = slots.iter().map(|slot| slot.index).collect();
        indices.sort_unstable_by(f64::total_cmp);
        let threshold = sorted_quantile(&indices, percentile);
        let high = |slot: usize| slots[slot].index > threshold;
        let raw: Vec<Option<f64>> = (0..slots.len())
            .map(|slot| high(slot).then(|| self.chance_of_average(slot)))
            .collect();
        let corrected = holm(&raw).into_iter().enumerate();
        corrected
            .filter(|(_, p)| p.is_some_and(|p| p < SIGNIFICANCE))
            .map(|(slot, _)| slot)
            .collect()
    }

    /// The p-value of a one-sided t-test that a slot is above its cycles' mean.
    fn chance_of_average(&self, slot: usize) -> f64 {
        let values: Vec<f64> = self
            .ratios
            .iter()
            .map(|row| row[slot])
            .filter(|value| !value.is_nan())
            .collect();
        let (count, mean) = (values.len() as f64, mean(&values));
        let variance = values
            .iter()
            .map(|value| (value - mean).powi(2))
            .sum::<f64>()
            / (count - 1.0).max(1.0);
        if variance == 0.0 {
            return if mean > 1.0 { 0.0 } else { 1.0 };
        }
        let t = (mean - 1.0) / (variance / count).sqrt();
        StudentsT::new(0.0, 1.0, (count - 1.0).max(1.0))
            .map_or(1.0, |distribution| 1.0 - distribution.cdf(t))
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// A row without any demand says nothing about its shape.
fn over_its_mean(row: &[f64]) -> Vec<f64> {
    let known: Vec<f64> = row
        .iter()
        .copied()
        .filter(|value| !value.is_nan())
        .collect();
    let mean = mean(&known);
    row.iter()
        .map(|value| if mean > 0.0 { value / mean } else { f64::NAN })
        .collect()
}

/// A run of months that are busier than the rest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HighSeason {
    /// First and last month, from 1; the run may go over the year's end.
    pub from: usize,
    pub to: usize,
    /// Demand in it over demand in the other months.
    pub multiplier: f64,
    /// Its busiest month is one of October to March, as that of influenza is in the north.
    pub is_winter: bool,
}

/// The run of months above the year's mean around the busiest one; none where the shape may be noise.
#[must_use]
pub fn high_season(year: &Pattern) -> Option<HighSeason> {
    if !year.is_real || year.cycle != Cycle::Year {
        return None;
    }
    let index = |month: usize| year.slots[month % 12].index;
    let peak = (0..12).max_by(|a, b| index(*a).total_cmp(&index(*b)))?;
    let run = |step: usize| {
        (1..12)
            .take_while(|by| index(peak + 12 + by * step) > 1.0)
            .count()
    };
    let (before, after) = (run(11), run(1));
    let months: Vec<usize> = (0..=before + after)
        .map(|by| (peak + 12 - before + by) % 12)
        .collect();
    let mean = |inside: bool| {
        let of: Vec<f64> = (0..12)
            .filter(|month| months.contains(month) == inside)
            .map(index)
            .collect();
        mean(&of)
    };
    Some(HighSeason {
        from: months[0] + 1,
        to: months[months.len() - 1] + 1,
        multiplier: mean(true) / mean(false),
        is_winter: !(3..9).contains(&peak),
    })
}

#[cfg(test)]
mod tests;
