//! The forecast as a policy: a floor under what other policies want, raised before demand comes, so that what takes minutes to start is
//! ready when it is needed. It never asks for less than others do, and it is silent while its own recent forecasts were worse than those of
//! the seasonal naive.
//!
//! A miss hurts more where less is there: one of two is half of it. So the chance of one grows with the square root of demand, from what
//! the percentile says at the usual demand: half-way between counting what is missing and counting which share of it is.
//!
//! It moves only when it must: while the floor is neither too low for what is likely to come nor too high even for what is unlikely, it
//! stays. Each change of a count costs a start or a drain, and what changes back within minutes was noise.
//!
//! What it remembers is a bounded value that is passed in and out. All numbers in it are integers, so that it is the same after it was
//! stored and read again, and a decision that is replayed comes out the same to the byte.

mod ahead;
mod file;
mod kept;
mod memory;
mod staffing;

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

pub use self::{kept::Kept, memory::Memory, staffing::Jobs};
use smol_str::{SmolStr, format_smolstr};

use self::{
    ahead::{Forecast, Learnt, Past, Season},
    memory::Band,
};
use super::counts;
use crate::{
    Evidence, PolicyKind, PolicyName, Proposal, Resource, Snapshot, Wants,
    series::{Series, Step},
};

/// A reading that is older is no reading.
const STALE_AFTER_SECONDS: i64 = 120;
/// A season has no finer shape, and its fit takes as long as it has steps.
const SEASON_STEP_SECONDS: i64 = 900;
/// So often is learnt anew.
const LEARNT_SECONDS: i64 = 3600;
/// The longest lead in steps.
const MOST_STEPS: usize = 48;
/// Chances of a miss beyond these are not told apart.
const LEAST_MISS: f64 = 1e-4;
const MOST_MISS: f64 = 0.98;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub name: String,
    pub resource: Resource,
    /// What is forecast, such as `active_sessions`.
    pub signal: String,
    /// How much of the signal one instance carries; with `jobs`, how much of it keeps one busy all the time.
    pub per_instance: f64,
    /// What is to be done when: instances are counted by queueing then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<Jobs>,
    /// How far ahead instances must be asked for: as long as they take to start.
    #[serde(default = "ten_minutes")]
    pub lead_seconds: i64,
    /// Readings are put together to means of so many seconds, and after each the floor may move.
    #[serde(default = "five_minutes")]
    pub step_seconds: i64,
    /// How many steps are remembered.
    #[serde(default = "two_weeks")]
    pub history_steps: usize,
    /// Of a hundred outcomes so many are to be within what is there, at the usual demand: what a miss costs against what an idle instance
    /// does.
    #[serde(default = "ninety_five")]
    pub percentile: f64,
    /// How far what is forecast may wander before the floor follows, in standard deviations of its errors: half of it up, all of it down,
    /// as too little is worse than too much.
    #[serde(default = "one_and_a_half")]
    pub slack: f64,
    /// The most instances it asks for.
    pub most: i32,
}

fn five_minutes() -> i64 {
    300
}

fn ten_minutes() -> i64 {
    600
}

fn two_weeks() -> usize {
    4032
}

fn ninety_five() -> f64 {
    95.0
}

fn one_and_a_half() -> f64 {
    1.5
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
        if !(1.0..=99.9).contains(&self.percentile) {
            return Err(format!(
                "forecast {name}: percentile must be from 1 to 99.9"
            ));
        }
        if !(0.0..=4.0).contains(&self.slack) {
            return Err(format!("forecast {name}: slack must be from 0 to 4"));
        }
        if let Some(jobs) = &self.jobs {
            jobs.check()
                .map_err(|problem| format!("forecast {name}: {problem}"))?;
        }
        if self.most < 1 {
            return Err(format!("forecast {name}: most must be at least 1"));
        }
        Ok(())
    }

    /// How many steps ahead the end of the lead is.
    fn lead_steps(&self) -> usize {
        let steps = (self.lead_seconds + self.step_seconds - 1) / self.step_seconds;
        usize::try_from(steps).unwrap_or(0).clamp(1, MOST_STEPS)
    }

    /// How many steps the season's are.
    fn season_steps(&self) -> usize {
        let steps = SEASON_STEP_SECONDS / self.step_seconds;
        usize::try_from(steps).unwrap_or(0).max(1)
    }

    /// How many steps there are from one learning to the next: whole steps of the season.
    fn learnt_steps(&self) -> usize {
        let each = self.season_steps();
        let steps = usize::try_from(LEARNT_SECONDS / self.step_seconds).unwrap_or(0);
        (steps / each * each).max(each)
    }

    /// The step from which on all is remembered at another one: the first that is learnt from.
    fn first_remembered(&self, now: i64) -> i64 {
        let signed = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let each = signed(self.learnt_steps());
        let history = self.history_steps.next_multiple_of(self.learnt_steps());
        (now - signed(history)).div_euclid(each) * each
    }

    /// The most steps that are remembered.
    fn remembered_steps(&self) -> usize {
        let each = self.learnt_steps();
        self.history_steps.next_multiple_of(each) + each - 1
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

    /// Takes in what is seen now, and says what should be there. The memory that comes back is the one to give the next time. One of another
    /// signal or with other steps is forgotten.
    #[must_use]
    pub fn propose(&self, memory: &Memory, snapshot: &Snapshot) -> (Vec<Proposal>, Memory) {
        let mut memory = if self.remembers(memory) {
            memory.clone()
        } else {
            Memory::of(&self.settings)
        };
        let reading = self.reading(snapshot);
        let step = snapshot
            .at
            .as_second()
            .div_euclid(self.settings.step_seconds);
        if memory.moves_to(step, &self.settings) {
            self.look_ahead(&mut memory, reading.as_ref().copied().unwrap_or(f64::NAN));
        }
        if let Ok(value) = reading {
            memory.sees(value);
        }
        let proposal = self.proposal(&memory, &reading);
        (vec![proposal], memory)
    }

    /// Whether a memory is of what it is about.
    #[must_use]
    pub fn remembers(&self, memory: &Memory) -> bool {
        memory.is_of(&self.settings)
    }

    /// What it is about.
    #[must_use]
    pub fn signal(&self) -> &str {
        &self.settings.signal
    }

    #[must_use]
    pub fn step(&self) -> Step {
        Step::Seconds(self.settings.step_seconds)
    }

    /// How long what it learns from is.
    #[must_use]
    pub fn looks_back(&self) -> Step {
        let steps = i64::try_from(self.settings.remembered_steps() + 1).unwrap_or(i64::MAX);
        Step::Seconds(self.settings.step_seconds.saturating_mul(steps))
    }

    /// The memory of a policy that had seen a history of its signal, up to its end: what it starts with. Nothing was forecast, so
    /// nothing is judged yet.
    #[must_use]
    pub fn remembering(&self, history: &Series) -> Memory {
        let mut memory = Memory::of(&self.settings);
        let step = self.settings.step_seconds;
        let length = (history.step().days() * 86_400.0).round() as i64;
        let begin = history.time(0).as_second();
        let end = begin + length * i64::try_from(history.len()).unwrap_or(0);
        let first = self.settings.first_remembered(end.div_euclid(step)) - 1;
        let first = first.max(begin.div_euclid(step));
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

    /// At the start of each step: what is prepared for until the end of the lead, and the floor that follows from it.
    fn look_ahead(&self, memory: &mut Memory, now: f64) {
        let Some(forecast) = self.forecast(memory, now) else {
            memory.expects_nothing();
            return;
        };
        let slack = self.settings.slack;
        let score = self.score(&forecast);
        let band = Band {
            least: forecast.highest(score - slack / 2.0),
            middle: forecast.highest(score),
            most: forecast.highest(score + slack),
        };
        memory.expects(band, forecast.judged, self.settings.lead_steps());
        let stays = memory
            .floor()
            .filter(|floor| (self.count(band.least)..=self.count(band.most)).contains(floor));
        memory.asks_for(stays.unwrap_or_else(|| self.count(band.middle)));
    }

    /// The percentile's normal score at what is forecast: the chance of a miss grows with the root of demand.
    fn score(&self, forecast: &Forecast) -> f64 {
        let miss = (1.0 - self.settings.percentile / 100.0) * forecast.over_usual.sqrt();
        counts::normal(1.0 - miss.clamp(LEAST_MISS, MOST_MISS))
    }

    fn forecast(&self, memory: &Memory, now: f64) -> Option<Arc<Forecast>> {
        let lead = self.settings.lead_steps();
        let (past, zone) = (Past::of(&self.settings, memory), &self.zone);
        let forecast = || Forecast::make(&*self.learnt(&past)?, &past, zone, now);
        match &self.kept {
            None => forecast().map(Arc::new),
            Some(kept) => kept.forecast(&past, zone, lead, now, forecast),
        }
    }

    fn learnt(&self, past: &Past) -> Option<Arc<Learnt>> {
        let (anew, lead) = (self.settings.learnt_steps(), self.settings.lead_steps());
        let (past, zone) = (past.settled(anew), &self.zone);
        let season = || {
            let each = self.settings.season_steps();
            Season::of(&past, each, MOST_STEPS + anew, zone)
        };
        let learnt = |season| Learnt::of(&past, season, lead);
        match &self.kept {
            None => learnt(Arc::new(season()?)).map(Arc::new),
            Some(kept) => kept.learnt(&past, zone, lead, || {
                learnt(kept.season(&past, zone, season)?)
            }),
        }
    }

    /// How many carry so much.
    fn count(&self, demand: f64) -> i32 {
        let busy = demand / self.settings.per_instance;
        match &self.settings.jobs {
            None => staffing::carrying(busy),
            Some(jobs) => jobs.staff(busy),
        }
        .min(self.settings.most)
    }

    fn proposal(&self, memory: &Memory, reading: &Result<f64, String>) -> Proposal {
        let judgement = memory.judgement(self.settings.lead_steps());
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
        let wants = match memory.expected().zip(memory.floor()) {
            None => Wants::Nothing {
                why: format_smolstr!(
                    "the history is too short to forecast from: {} of {} steps are known",
                    memory.known(),
                    self.settings.history_steps
                ),
            },
            Some(_) if judgement.loses => Wants::Nothing {
                why: format_smolstr!(
                    "switched off: over its last {} forecasts its loss is {:.2} times that of the seasonal naive",
                    judgement.settled,
                    judgement.ratio
                ),
            },
            Some((band, count)) => self.floor(band, count, &mut evidence),
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

    fn floor(&self, band: Band, count: i32, evidence: &mut Vec<Evidence>) -> Wants {
        evidence.push(Evidence {
            signal: format_smolstr!(
                "{}, P{} at the usual demand, of the next {} s",
                self.settings.signal,
                self.settings.percentile,
                self.settings.lead_seconds
            ),
            value: format_smolstr!("{:.1}", band.middle),
            against: format_smolstr!(
                "{} an instance; {} to {} are near enough",
                self.settings.per_instance,
                self.count(band.least),
                self.count(band.most)
            ),
            wants: Some(count),
        });
        Wants::AtLeast { count }
    }
}

#[cfg(test)]
mod tests;
