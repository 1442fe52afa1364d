//! The forecast as a policy: a floor under what other policies want, raised before demand comes, so that what takes minutes to start is
//! ready when it is needed. It never asks for less than others do, and it is silent while its own recent forecasts were worse than those of
//! the seasonal naive.
//!
//! What it remembers is a bounded value that is passed in and out. All numbers in it are integers, so that it is the same after it was
//! stored and read again, and a decision that is replayed comes out the same to the byte.

mod file;
mod kept;
mod memory;

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

pub use self::{kept::Kept, memory::Memory};
use smol_str::{SmolStr, format_smolstr};

use super::{Ahead, Holidays, Model};
use crate::{
    Evidence, PolicyKind, PolicyName, Proposal, Resource, Snapshot, Wants,
    series::{Combine, Series, Step},
};

/// A reading that is older is no reading.
const STALE_AFTER_SECONDS: i64 = 120;
/// Forecasts that were settled before it is judged.
const JUDGED_FROM: usize = 24;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub name: String,
    pub resource: Resource,
    /// What is forecast, such as `active_sessions`.
    pub signal: String,
    /// How much of the signal one instance carries.
    pub per_instance: f64,
    /// How far ahead instances must be asked for: start-up, with a margin.
    #[serde(default = "fifteen_minutes")]
    pub lead_seconds: i64,
    /// Readings are put together to means of so many seconds.
    #[serde(default = "fifteen_minutes")]
    pub step_seconds: i64,
    /// How many steps are remembered.
    #[serde(default = "two_weeks")]
    pub history_steps: usize,
    /// The most instances it asks for.
    pub most: i32,
}

fn fifteen_minutes() -> i64 {
    900
}

fn two_weeks() -> usize {
    1344
}

impl Settings {
    /// # Errors
    /// A setting that makes no sense, by its name.
    pub fn check(&self) -> Result<(), String> {
        let name = &self.name;
        if !(self.per_instance > 0.0 && self.per_instance.is_finite()) {
            return Err(format!("forecast {name}: per_instance must be above 0"));
        }
        if !(10..=86_400).contains(&self.step_seconds) {
            return Err(format!(
                "forecast {name}: step_seconds must be from 10 to 86400"
            ));
        }
        if !(0..=48 * self.step_seconds).contains(&self.lead_seconds) {
            return Err(format!(
                "forecast {name}: lead_seconds must be from 0 to 48 steps"
            ));
        }
        if !(48..=20_000).contains(&self.history_steps) {
            return Err(format!(
                "forecast {name}: history_steps must be from 48 to 20000"
            ));
        }
        if self.most < 1 {
            return Err(format!("forecast {name}: most must be at least 1"));
        }
        Ok(())
    }

    /// How many steps ahead the end of the lead is.
    fn lead_steps(&self) -> usize {
        let steps = (self.lead_seconds + self.step_seconds - 1) / self.step_seconds;
        usize::try_from(steps).unwrap_or(0).clamp(1, 48)
    }
}

#[derive(Clone, Debug)]
pub struct Policy {
    settings: Settings,
    /// Where people live who cause the demand: days and weeks are theirs.
    zone: TimeZone,
    /// What was forecast before from the same history; for replays, which see the same days again and again.
    kept: Option<Kept>,
}

impl Policy {
    /// # Errors
    /// As of `Settings::check`.
    pub fn new(settings: Settings, zone: TimeZone) -> Result<Self, String> {
        settings.check()?;
        Ok(Self {
            settings,
            zone,
            kept: None,
        })
    }

    /// Its kind and name, as in proposals.
    #[must_use]
    pub fn name(&self) -> PolicyName {
        format_smolstr!("{}/{}", PolicyKind::Forecast, self.settings.name)
    }

    #[must_use]
    pub fn resource(&self) -> Resource {
        self.settings.resource
    }

    /// Takes in what is seen now, and says what should be there. The memory that comes back is the one to give the next time.
    #[must_use]
    pub fn propose(&self, memory: &Memory, snapshot: &Snapshot) -> (Vec<Proposal>, Memory) {
        let mut memory = memory.clone();
        let reading = self.reading(snapshot);
        let step = snapshot
            .at
            .as_second()
            .div_euclid(self.settings.step_seconds);
        if memory.moves_to(step, &self.settings) {
            self.look_ahead(&mut memory);
        }
        if let Ok(value) = reading {
            memory.sees(value);
        }
        let proposal = self.proposal(&memory, &reading);
        (vec![proposal], memory)
    }

    /// What it is about.
    #[must_use]
    pub fn signal(&self) -> &str {
        &self.settings.signal
    }

    /// The memory of a policy that had seen a history of its signal, up to its end: what a replay starts with. Nothing was forecast, so
    /// nothing is judged yet.
    #[must_use]
    pub fn remembering(&self, history: &Series) -> Memory {
        let mut memory = Memory::default();
        let step = self.settings.step_seconds;
        let length = (history.step().days() * 86_400.0).round() as i64;
        let begin = history.time(0).as_second();
        let end = begin + length * i64::try_from(history.len()).unwrap_or(0);
        let steps = i64::try_from(self.settings.history_steps).unwrap_or(0);
        let first = (end.div_euclid(step) - steps - 1).max(begin.div_euclid(step));
        for now in first..end.div_euclid(step) {
            memory.moves_to(now, &self.settings);
            let from = (now * step - begin).max(0);
            let values = history.values().iter();
            let to = (from + step - 1) / length - from / length + 1;
            let values = values
                .skip(usize::try_from(from / length).unwrap_or(0))
                .take(usize::try_from(to).unwrap_or(0));
            values
                .filter(|value| !value.is_nan())
                .for_each(|value| memory.sees(*value));
        }
        memory
    }

    fn reading(&self, snapshot: &Snapshot) -> Result<f64, String> {
        match snapshot.signals.get(&self.settings.signal) {
            None => Err("was not read".to_owned()),
            Some(reading) => reading.fresh(snapshot.at, STALE_AFTER_SECONDS),
        }
    }

    /// Forecasts are kept, and taken from there where they were made before. They are the same as they would be.
    pub fn keep(&mut self, kept: &Kept) {
        self.kept = Some(kept.clone());
    }

    /// Forecasts the steps up to the lead, ours and the naive's, at the start of each step.
    fn look_ahead(&self, memory: &mut Memory) {
        let steps = self.settings.lead_steps() + 1;
        let made = match &self.kept {
            None => self.forecasts(memory, steps),
            Some(kept) => {
                let longest = kept::MOST_STEPS;
                let made = kept.or_make(&self.settings, memory, || self.forecasts(memory, longest));
                made.map(|(ours, naive)| (ours[..steps].to_vec(), naive[..steps].to_vec()))
            }
        };
        match made {
            Some((ours, naive)) => memory.expects(&ours, &naive),
            None => memory.expects_nothing(),
        }
    }

    /// The 95th percentiles of the steps from now, ours and the naive's.
    fn forecasts(&self, memory: &Memory, steps: usize) -> Option<(Vec<f64>, Vec<f64>)> {
        let history = self.series(memory);
        let high = |model: Model| {
            let ahead = model.forecast(&history, steps, Holidays::NONE).ok()?;
            Some(ahead.iter().map(Ahead::p95).collect::<Vec<f64>>())
        };
        high(Model::FourierRegression).zip(high(Model::SeasonalNaive))
    }

    fn series(&self, memory: &Memory) -> Series {
        let step = Step::Seconds(self.settings.step_seconds);
        let start = Timestamp::from_second(memory.first_step() * self.settings.step_seconds);
        let start = start.unwrap_or_default();
        Series::new(
            start,
            step,
            self.zone.clone(),
            Combine::Mean,
            memory.values(),
        )
    }

    fn proposal(&self, memory: &Memory, reading: &Result<f64, String>) -> Proposal {
        let (ours, naive, settled) = memory.losses();
        let now = match reading {
            Ok(value) => format_smolstr!("{value:.1}"),
            Err(why) => why.into(),
        };
        let mut evidence = vec![Evidence {
            signal: SmolStr::from(&self.settings.signal),
            value: now,
            against: format_smolstr!("{} an instance", self.settings.per_instance),
            wants: None,
        }];
        let wants = match memory.highest_expected() {
            None => Wants::Nothing {
                why: format_smolstr!(
                    "the history is too short to forecast from: {} of {} steps are known",
                    memory.known(),
                    self.settings.history_steps
                ),
            },
            Some(_) if settled >= JUDGED_FROM && ours > naive => Wants::Nothing {
                why: format_smolstr!(
                    "switched off: over its last {settled} forecasts its loss is {:.2} times that of the seasonal naive",
                    ours as f64 / naive.max(1) as f64
                ),
            },
            Some(demand) => self.floor(demand, &mut evidence),
        };
        Proposal {
            policy: self.name(),
            kind: PolicyKind::Forecast,
            resource: self.settings.resource,
            wants,
            evidence,
            limits: Vec::new(),
        }
    }

    fn floor(&self, demand: f64, evidence: &mut Vec<Evidence>) -> Wants {
        let needed = (demand / self.settings.per_instance - 1e-9).ceil();
        let count = (needed.clamp(0.0, f64::from(i32::MAX)) as i32).min(self.settings.most);
        evidence.push(Evidence {
            signal: format_smolstr!(
                "{}, P95 of the next {} s",
                self.settings.signal,
                self.settings.lead_seconds
            ),
            value: format_smolstr!("{demand:.1}"),
            against: format_smolstr!("{} an instance", self.settings.per_instance),
            wants: Some(count),
        });
        Wants::AtLeast { count }
    }
}

#[cfg(test)]
mod tests;
