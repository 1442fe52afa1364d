//! Declared emergencies: for as long as one lasts, no fewer processes than its scenario asks for.

mod requirement;

use std::collections::BTreeMap;

use hysio_model::QueueName;
use jiff::Timestamp;
use serde_saphyr::Spanned;

pub use requirement::Requirement;
use smol_str::{SmolStr, format_smolstr};

use crate::{
    Evidence, PolicyKind, PolicyName, Proposal, Snapshot, Wants,
    matrix::{
        Tier,
        file::{self, Ordered, RawScenario},
        load,
    },
    policy_file::{Error, File, Finding, shown, times_rounded_up},
    snapshot::DeclaredEmergency,
};

/// One kind of emergency and what it asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    pub multiplier: f64,
    /// The most of each kind of process that it asks for.
    pub max_instances: i32,
    pub priority_queues: bool,
    /// How soon the capacity must be there.
    pub within_minutes: Option<i32>,
    /// What must be done or verified besides.
    pub requires: Vec<Requirement>,
}

#[derive(Clone, Debug)]
pub struct Policy {
    name: PolicyName,
    scenarios: BTreeMap<String, Scenario>,
    days_max: i32,
    reason_characters_min: i32,
    queues: Vec<QueueName>,
    findings: Vec<Finding>,
}

/// Why a declaration is turned away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("no scenario is called {scenario:?}: use one of {known}")]
    UnknownScenario { scenario: String, known: String },
    #[error("an emergency needs an owner: name the person who answers for it")]
    NoOwner,
    #[error("the reason {reason:?} is too short: say in at least {least} characters what happened")]
    ReasonTooShort { reason: String, least: i32 },
    #[error("the end {ends_at} is not after now ({now}): give a time in the future")]
    EndsInThePast { ends_at: Timestamp, now: Timestamp },
    #[error(
        "the end {ends_at} is more than {days} days ahead: end it by then; it can be declared again"
    )]
    TooLong { ends_at: Timestamp, days: i32 },
}

/// Whether a declared emergency counts now.
enum Standing<'p, 's> {
    Active(&'s DeclaredEmergency, &'p Scenario),
    Unknown(&'s DeclaredEmergency),
    Idle(SmolStr),
}

impl Policy {
    /// `text` is `config/scaling-matrix.yaml`.
    ///
    /// # Errors
    /// An unknown key, requirement or queue, a scenario that is there twice, or a number out of range; with file and line.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Error> {
        let file = File(file_name);
        let raw = file::read(file, text)?;
        let mut scenarios = BTreeMap::new();
        let seed = &raw.healthcare_specific_scaling.emergency_scenarios;
        add(file, seed, &mut scenarios)?;
        add(file, &raw.emergencies.scenarios, &mut scenarios)?;
        let given = &raw.emergencies;
        let days_max = optional(file, "emergencies.days_max", &given.days_max, 365, 30)?;
        let least = &given.reason_characters_min;
        let reason_characters_min =
            optional(file, "emergencies.reason_characters_min", least, 1_000, 10)?;
        let tiers = load::tiers(file, &raw.scaling_thresholds)?;
        Ok(Self {
            name: format_smolstr!("emergency/{}", file.stem()),
            findings: [seed, &given.scenarios]
                .into_iter()
                .flat_map(|raw| capped(file, raw, &scenarios, tiers.last()))
                .collect(),
            scenarios,
            days_max,
            reason_characters_min,
            queues: queues(file, given.priority_queues.as_deref())?,
        })
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn scenarios(&self) -> &BTreeMap<String, Scenario> {
        &self.scenarios
    }

    /// Scenarios that want more in the highest tier than their own cap allows.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// # Errors
    /// The first thing that is wrong with the declaration.
    pub fn validate(&self, declared: &DeclaredEmergency, now: Timestamp) -> Result<(), Invalid> {
        let DeclaredEmergency {
            scenario,
            owner,
            reason,
            ends_at,
            ..
        } = declared;
        if !self.scenarios.contains_key(scenario) {
            return Err(Invalid::UnknownScenario {
                scenario: scenario.clone(),
                known: self
                    .scenarios
                    .keys()
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(", "),
            });
        }
        if owner.trim().is_empty() {
            return Err(Invalid::NoOwner);
        }
        let length = i32::try_from(reason.trim().chars().count()).unwrap_or(i32::MAX);
        if length < self.reason_characters_min {
            return Err(Invalid::ReasonTooShort {
                reason: reason.clone(),
                least: self.reason_characters_min,
            });
        }
        let seconds = ends_at.as_second() - now.as_second();
        if *ends_at <= now {
            return Err(Invalid::EndsInThePast {
                ends_at: *ends_at,
                now,
            });
        }
        if seconds > i64::from(self.days_max) * 86_400 {
            return Err(Invalid::TooLong {
                ends_at: *ends_at,
                days: self.days_max,
            });
        }
        Ok(())
    }

    /// The scenario that holds now; none before an emergency is declared and from its end on.
    #[must_use]
    pub fn active(&self, snapshot: &Snapshot) -> Option<&Scenario> {
        match self.standing(snapshot) {
            Standing::Active(_, scenario) => Some(scenario),
            Standing::Unknown(_) | Standing::Idle(_) => None,
        }
    }

    /// The queues whose jobs go first in a scenario, the most urgent first; empty when there is no order to keep.
    #[must_use]
    pub fn priority_queues(&self, scenario: &str) -> &[QueueName] {
        match self.scenarios.get(scenario) {
            Some(scenario) if scenario.priority_queues => &self.queues,
            _ => &[],
        }
    }

    /// `AtLeast` the tier's configuration × the scenario's multiplier, capped, for each kind of process. An emergency whose
    /// scenario the file has no more holds what is there.
    #[must_use]
    pub fn propose(&self, tier: &Tier, snapshot: &Snapshot) -> Vec<Proposal> {
        let standing = self.standing(snapshot);
        tier.configuration
            .iter()
            .filter(|(resource, _)| resource.is_processes())
            .map(|(resource, base)| {
                let (wants, evidence, limits) = wish(&standing, tier, *base);
                Proposal {
                    policy: self.name.clone(),
                    kind: PolicyKind::Emergency,
                    resource: *resource,
                    wants,
                    evidence,
                    limits,
                }
            })
            .collect()
    }

    fn standing<'p, 's>(&'p self, snapshot: &'s Snapshot) -> Standing<'p, 's> {
        let Some(declared) = &snapshot.emergency else {
            return Standing::Idle(SmolStr::new_static("no emergency is declared"));
        };
        let who = format!("{}, declared by {},", declared.scenario, declared.owner);
        if snapshot.at >= declared.ends_at {
            return Standing::Idle(format_smolstr!("{who} ended at {}", declared.ends_at));
        }
        if snapshot.at < declared.declared_at {
            return Standing::Idle(format_smolstr!("{who} begins at {}", declared.declared_at));
        }
        match self.scenarios.get(&declared.scenario) {
            Some(scenario) => Standing::Active(declared, scenario),
            None => Standing::Unknown(declared),
        }
    }
}

fn wish(
    standing: &Standing<'_, '_>,
    tier: &Tier,
    base: i32,
) -> (Wants, Vec<Evidence>, Vec<String>) {
    let (declared, scenario) = match standing {
        Standing::Active(declared, scenario) => (declared, scenario),
        Standing::Unknown(declared) => {
            let why = format_smolstr!(
                "the declared scenario {:?} is in no configuration",
                declared.scenario
            );
            return (Wants::Hold { why }, Vec::new(), Vec::new());
        }
        Standing::Idle(why) => {
            let why = why.clone();
            return (Wants::Nothing { why }, Vec::new(), Vec::new());
        }
    };
    let wanted = times_rounded_up(base, scenario.multiplier);
    let count = wanted.min(scenario.max_instances);
    let factor = shown(scenario.multiplier);
    let evidence = Evidence {
        signal: format_smolstr!("emergency {}", declared.scenario),
        value: format_smolstr!(
            "declared by {} until {}: {}",
            declared.owner,
            declared.ends_at,
            declared.reason
        ),
        against: format_smolstr!("tier {}: {base} × {factor}", tier.name),
        wants: Some(wanted),
    };
    let limits = (count < wanted)
        .then(|| {
            format!(
                "{wanted} ({base} × {factor}) is over max_instances of {}: at most {count}",
                declared.scenario
            )
        })
        .into_iter()
        .collect();
    (Wants::AtLeast { count }, vec![evidence], limits)
}

fn add(
    file: File<'_>,
    raw: &Ordered<RawScenario>,
    scenarios: &mut BTreeMap<String, Scenario>,
) -> Result<(), Error> {
    for (name, raw) in &raw.0 {
        let key = |field: &str| format!("{}.{field}", name.value);
        let requires = raw
            .requires
            .iter()
            .map(|text| {
                text.value.parse().map_err(|way_out: String| {
                    let key = key("requires");
                    file.refuse(
                        text.referenced,
                        &key,
                        &text.value,
                        "is no requirement",
                        &way_out,
                    )
                })
            })
            .collect::<Result<_, _>>()?;
        let within_minutes = match &raw.within_minutes {
            Some(minutes) => Some(file.count_within(&key("within_minutes"), minutes, 1, 10_080)?),
            None => None,
        };
        let scenario = Scenario {
            multiplier: file.number_within(&key("multiplier"), &raw.multiplier, 1.0, 100.0)?,
            max_instances: file.count_within(
                &key("max_instances"),
                &raw.max_instances,
                1,
                10_000,
            )?,
            priority_queues: raw.priority_queues,
            within_minutes,
            requires,
        };
        if scenarios.insert(name.value.clone(), scenario).is_some() {
            return Err(file.refuse(
                name.referenced,
                "emergencies.scenarios",
                &name.value,
                "is there already",
                "leave one of the two out",
            ));
        }
    }
    Ok(())
}

fn capped(
    file: File<'_>,
    raw: &Ordered<RawScenario>,
    scenarios: &BTreeMap<String, Scenario>,
    highest: Option<&Tier>,
) -> Vec<Finding> {
    let most = highest.and_then(|tier| {
        let processes = tier.configuration.iter().filter(|(r, _)| r.is_processes());
        processes.max_by_key(|(_, count)| **count)
    });
    let Some((resource, most)) = most else {
        return Vec::new();
    };
    raw.0
        .iter()
        .filter_map(|(name, _)| {
            let scenario = scenarios.get(&name.value)?;
            let wanted = times_rounded_up(*most, scenario.multiplier);
            let cap = scenario.max_instances;
            (wanted > cap).then(|| {
                let message = format!(
                    "{}: in the highest tier it wants {wanted} {resource} ({} × {most}), over its max_instances: capped at {cap}",
                    name.value,
                    shown(scenario.multiplier)
                );
                file.finding(name.referenced.line(), message)
            })
        })
        .collect()
}

fn optional(
    file: File<'_>,
    key: &str,
    given: &Option<Spanned<i64>>,
    most: i32,
    default: i32,
) -> Result<i32, Error> {
    given.as_ref().map_or(Ok(default), |number| {
        file.count_within(key, number, 1, most)
    })
}

/// By default what care waits for goes before mail and reports.
fn queues(file: File<'_>, given: Option<&[Spanned<String>]>) -> Result<Vec<QueueName>, Error> {
    let Some(given) = given else {
        return Ok(vec![QueueName::Transcription, QueueName::Diagnosecode]);
    };
    given
        .iter()
        .map(|text| {
            QueueName::ALL
                .into_iter()
                .find(|queue| queue.as_str() == text.value)
                .ok_or_else(|| {
                    let names = QueueName::ALL.map(QueueName::as_str).join(", ");
                    let key = "emergencies.priority_queues";
                    let way_out = format!("use one of {names}");
                    file.refuse(text.referenced, key, &text.value, "is no queue", &way_out)
                })
        })
        .collect()
}

#[cfg(test)]
mod tests;
