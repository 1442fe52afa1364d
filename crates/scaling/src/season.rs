//! What the calendar knows: the flu season and business hours want more than the load asks for yet.
//!
//! Times are those of the configured zone, in daylight saving and out of it. Weekends and holidays have no business hours.

mod holidays;
mod load;

use std::collections::BTreeSet;

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime, Weekday},
    tz::TimeZone,
};

pub use holidays::Country;
use smol_str::{SmolStr, format_smolstr};

use crate::{
    Evidence, PolicyKind, PolicyName, Proposal, Resource, Snapshot, Wants,
    matrix::{Tier, file},
    policy_file::{Error, File, shown, times_rounded_up},
};

/// How far ahead a change is looked for: a year with its holidays.
const DAYS_AHEAD: i32 = 400;

#[derive(Clone, Debug)]
pub struct Policy {
    name: PolicyName,
    zone: TimeZone,
    season: Option<Season>,
    hours: Option<Hours>,
    weekdays: Vec<Weekday>,
    countries: Vec<Country>,
    holidays: BTreeSet<Date>,
    lead_minutes: i32,
}

#[derive(Clone, Debug)]
struct Season {
    multiplier: f64,
    /// Months, both of the season; it may go over the turn of the year.
    first: i8,
    last: i8,
    additional_workers: i32,
    text: String,
}

#[derive(Clone, Debug)]
struct Hours {
    multiplier: f64,
    windows: Vec<Window>,
    text: String,
}

/// Minutes since the day's midnight; `to` is over 1,440 when it ends on the next day.
#[derive(Clone, Copy, Debug)]
struct Window {
    from: i32,
    to: i32,
}

/// What holds at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Active {
    pub flu_season: bool,
    pub business_hours: bool,
}

impl Policy {
    /// `text` is `config/scaling-matrix.yaml`.
    ///
    /// # Errors
    /// An unknown key, month, day, zone or country, hours that are none, a multiplier under 1; with file and line.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Error> {
        let file = File(file_name);
        let raw = file::read(file, text)?;
        let (healthcare, calendar) = (&raw.healthcare_specific_scaling, &raw.calendar);
        let lead_minutes = match &calendar.lead_minutes {
            Some(minutes) => file.count_within("calendar.lead_minutes", minutes, 0, 720)?,
            None => 15,
        };
        let (season, hours) = (&healthcare.flu_season, &healthcare.business_hours);
        Ok(Self {
            name: format_smolstr!("calendar/{}", file.stem()),
            zone: load::time_zone(file, calendar)?,
            season: season
                .as_ref()
                .map(|raw| load::season(file, raw))
                .transpose()?,
            hours: hours
                .as_ref()
                .map(|raw| load::hours(file, raw))
                .transpose()?,
            weekdays: load::weekdays(file, calendar)?,
            countries: load::countries(file, calendar)?,
            holidays: load::holidays(file, calendar)?,
            lead_minutes,
        })
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn active(&self, at: Timestamp) -> Active {
        let day = at.to_zoned(self.zone.clone()).date();
        Active {
            flu_season: self.season.as_ref().is_some_and(|season| season.has(day)),
            business_hours: [day.yesterday(), Ok(day), day.tomorrow()]
                .into_iter()
                .flatten()
                .flat_map(|day| self.spans(day))
                .any(|(from, to)| (from..to).contains(&at)),
        }
    }

    /// Why a day has no business hours; none for a working day.
    #[must_use]
    pub fn day_off(&self, day: Date) -> Option<&'static str> {
        if !self.weekdays.contains(&day.weekday()) {
            return Some("no working day of the week");
        }
        let listed = || self.holidays.contains(&day).then_some("a listed holiday");
        let public = self
            .countries
            .iter()
            .find_map(|country| country.holiday(day));
        public.or_else(listed)
    }

    /// The next moment after this one at which the flu season or business hours begin or end; none if nothing changes within
    /// a year.
    #[must_use]
    pub fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        let now = self.active(after);
        let today = after.to_zoned(self.zone.clone()).date();
        (-1..DAYS_AHEAD).find_map(|ahead| {
            let day = today.checked_add(ahead.days()).ok()?;
            let midnight = self.instant(day, 0);
            let mut moments: Vec<Timestamp> = self
                .spans(day)
                .into_iter()
                .flat_map(|(from, to)| [from, to])
                .chain(midnight)
                .filter(|moment| *moment > after && self.active(*moment) != now)
                .collect();
            moments.sort_unstable();
            moments.first().copied()
        })
    }

    /// `AtLeast` the tier's configuration × what holds now, rounded up, for each kind of process, and in the flu season the
    /// additional workers for each kind of worker.
    #[must_use]
    pub fn propose(&self, tier: &Tier, snapshot: &Snapshot) -> Vec<Proposal> {
        let active = self.active(snapshot.at);
        let moment = self.moment(snapshot.at);
        let factors = self.factors(active);
        tier.configuration
            .iter()
            .filter(|(resource, _)| resource.is_processes())
            .map(|(resource, base)| {
                let (factor, more) = self.factor(active, *resource);
                let count = times_rounded_up(*base, factor).saturating_add(more);
                let wants = if active.flu_season || active.business_hours {
                    Wants::AtLeast { count }
                } else {
                    Wants::Nothing {
                        why: SmolStr::new_static("neither flu season nor business hours"),
                    }
                };
                Proposal {
                    policy: self.name.clone(),
                    kind: PolicyKind::Calendar,
                    resource: *resource,
                    evidence: evidence(&moment, &factors, tier, *base, more, &wants),
                    wants,
                    limits: Vec::new(),
                }
            })
            .collect()
    }

    fn factor(&self, active: Active, resource: Resource) -> (f64, i32) {
        let season = self.season.as_ref().filter(|_| active.flu_season);
        let hours = self.hours.as_ref().filter(|_| active.business_hours);
        let factor = season.map_or(1.0, |season| season.multiplier)
            * hours.map_or(1.0, |hours| hours.multiplier);
        let more = season
            .filter(|_| is_workers(resource))
            .map_or(0, |season| season.additional_workers);
        (factor, more)
    }

    /// The local moment, and what day it is.
    fn moment(&self, at: Timestamp) -> SmolStr {
        let local = at.to_zoned(self.zone.clone());
        let off = self.day_off(local.date()).map(|why| format!(", {why}"));
        format_smolstr!(
            "{}{}",
            local.strftime("%A %Y-%m-%d %H:%M %Z"),
            off.unwrap_or_default()
        )
    }

    /// What multiplies now, in words.
    fn factors(&self, active: Active) -> String {
        let mut words = String::new();
        if let Some(season) = self.season.as_ref().filter(|_| active.flu_season) {
            let factor = shown(season.multiplier);
            words += &format!(" × {factor} in the flu season ({})", season.text);
        }
        if let Some(hours) = self.hours.as_ref().filter(|_| active.business_hours) {
            let (factor, lead) = (shown(hours.multiplier), self.lead_minutes);
            words += &format!(
                " × {factor} in business hours ({}, {lead} min ahead)",
                hours.text
            );
        }
        words
    }

    /// The business hours that begin on this day, from the lead time before them on.
    fn spans(&self, day: Date) -> Vec<(Timestamp, Timestamp)> {
        let Some(hours) = self.hours.as_ref().filter(|_| self.day_off(day).is_none()) else {
            return Vec::new();
        };
        hours
            .windows
            .iter()
            .filter_map(|window| {
                let begins = self.instant(day, window.from)?;
                let from = begins.checked_sub(self.lead_minutes.minutes()).ok()?;
                Some((from, self.instant(day, window.to)?))
            })
            .collect()
    }

    /// A wall clock's time that is skipped when the clocks go forward is taken as an hour later; of one that comes twice, the
    /// first.
    fn instant(&self, day: Date, minute: i32) -> Option<Timestamp> {
        let wall: DateTime = day
            .to_datetime(jiff::civil::Time::midnight())
            .checked_add(minute.minutes())
            .ok()?;
        Some(wall.to_zoned(self.zone.clone()).ok()?.timestamp())
    }
}

impl Season {
    fn has(&self, day: Date) -> bool {
        let month = day.month();
        if self.first <= self.last {
            (self.first..=self.last).contains(&month)
        } else {
            month >= self.first || month <= self.last
        }
    }
}

fn is_workers(resource: Resource) -> bool {
    matches!(
        resource,
        Resource::TranscriptionWorkers | Resource::DiagnosisWorkers | Resource::QueueWorkers
    )
}

fn evidence(
    moment: &SmolStr,
    factors: &str,
    tier: &Tier,
    base: i32,
    more: i32,
    wants: &Wants,
) -> Vec<Evidence> {
    let more = match more {
        1.. => format_smolstr!(" + {more} workers"),
        _ => SmolStr::default(),
    };
    vec![Evidence {
        signal: SmolStr::new_static("calendar"),
        value: moment.clone(),
        against: format_smolstr!("tier {}: {base}{factors}{more}", tier.name),
        wants: match wants {
            Wants::AtLeast { count } => Some(*count),
            _ => None,
        },
    }]
}

#[cfg(test)]
mod tests;
