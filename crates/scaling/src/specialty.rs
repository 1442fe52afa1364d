//! Models by medical specialty: more for those in demand, the emergency department first.

mod load;
pub mod reallocation;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smol_str::{SmolStr, format_smolstr};

use crate::{
    Evidence, PolicyKind, PolicyName, Proposal, Resource, Snapshot, Wants,
    policy_file::{Error, File, shown, times_rounded_up},
};
use reallocation::{Allocation, Capacity, Claim};

/// The signal of each specialty's demand, with the label `specialty`.
pub const DEMAND: &str = "specialty_demand";

#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    name: PolicyName,
    specialties: BTreeMap<String, Specialty>,
    demand: Demand,
    emergency: Emergency,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Specialty {
    instances: i32,
    gpu_required: bool,
    minimum: i32,
    priority: i32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Demand {
    high_above: f64,
    high_multiplier: f64,
    medium_above: f64,
    medium_multiplier: f64,
    stale_after_seconds: i64,
}

#[derive(Clone, Debug, PartialEq)]
struct Emergency {
    load_signal: String,
    load_above: f64,
    immediate_scaling: BTreeMap<String, i32>,
    resources: BTreeMap<String, Resource>,
    resource_reallocation: bool,
}

impl Default for Emergency {
    fn default() -> Self {
        let works = [
            ("emergency_transcription", 6, Resource::TranscriptionWorkers),
            ("emergency_diagnosis", 4, Resource::DiagnosisWorkers),
            ("triage_ai", 3, Resource::DiagnosecodeInstances),
        ];
        Self {
            load_signal: "emergency_load".to_owned(),
            load_above: 80.0,
            immediate_scaling: works
                .map(|(name, count, _)| (name.to_owned(), count))
                .into(),
            resources: works
                .map(|(name, _, resource)| (name.to_owned(), resource))
                .into(),
            resource_reallocation: true,
        }
    }
}

/// The plan for one specialty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// At everyday demand.
    pub current_instances: i32,
    pub required_instances: i32,
    pub gpu_required: bool,
    pub scaling_action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    ScaleUp,
    Maintain,
}

/// What an emergency department over its load needs now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmergencyPlan {
    pub priority: String,
    pub immediate_scaling: BTreeMap<String, i32>,
    pub resource_reallocation: bool,
}

/// What the snapshot says of the specialties' demand.
struct Seen {
    demand: BTreeMap<String, f64>,
    unreadable: Vec<String>,
}

impl Policy {
    /// `text` is `config/specialties.yaml`.
    ///
    /// # Errors
    /// An unknown key or resource, a minimum over its instances, medium demand over high; with file, line and the way out.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Error> {
        load::policy(File(file_name), text)
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A plan for each specialty that has a demand; one that is not configured counts as one instance without a GPU.
    #[must_use]
    pub fn plan(&self, demand: &BTreeMap<String, f64>) -> BTreeMap<String, Plan> {
        demand
            .iter()
            .map(|(name, demand)| {
                let one = self.specialty(name);
                let factor = match *demand {
                    demand if demand > self.demand.high_above => self.demand.high_multiplier,
                    demand if demand > self.demand.medium_above => self.demand.medium_multiplier,
                    _ => 1.0,
                };
                let required = times_rounded_up(one.instances, factor);
                let plan = Plan {
                    current_instances: one.instances,
                    required_instances: required,
                    gpu_required: one.gpu_required,
                    scaling_action: match required > one.instances {
                        true => Action::ScaleUp,
                        false => Action::Maintain,
                    },
                };
                (name.clone(), plan)
            })
            .collect()
    }

    /// None up to the critical load.
    #[must_use]
    pub fn emergency(&self, load: f64) -> Option<EmergencyPlan> {
        (load > self.emergency.load_above).then(|| EmergencyPlan {
            priority: "critical".to_owned(),
            immediate_scaling: self.emergency.immediate_scaling.clone(),
            resource_reallocation: self.emergency.resource_reallocation,
        })
    }

    /// Shares a budget among the specialties by what the demand asks of each, when it doesn't do for all. `current` has what
    /// each has now; without an entry, its everyday instances.
    ///
    /// # Errors
    /// The minimums together are over the budget.
    pub fn share(
        &self,
        demand: &BTreeMap<String, f64>,
        current: &BTreeMap<String, u32>,
        capacity: Capacity,
    ) -> Result<Allocation, reallocation::Error> {
        let plans = self.plan(demand);
        let count = |count: i32| u32::try_from(count).unwrap_or(0);
        let names = self.specialties.keys().chain(
            plans
                .keys()
                .filter(|name| !self.specialties.contains_key(*name)),
        );
        let claims: Vec<Claim> = names
            .map(|name| {
                let one = self.specialty(name);
                let wanted = plans
                    .get(name)
                    .map_or(one.instances, |plan| plan.required_instances);
                Claim {
                    name: name.clone(),
                    priority: one.priority,
                    minimum: count(one.minimum),
                    current: current.get(name).copied().unwrap_or(count(one.instances)),
                    wanted: count(wanted),
                    gpu: one.gpu_required,
                }
            })
            .collect();
        reallocation::reallocate(&claims, capacity)
    }

    /// `AtLeast` the instances that all specialties together require, and what an emergency load needs at once. `Hold` for a
    /// demand or load that can't be read; `Nothing` where none is measured.
    #[must_use]
    pub fn propose(&self, snapshot: &Snapshot) -> Vec<Proposal> {
        let mut proposals = self.of_demand(snapshot);
        proposals.extend(self.of_emergency(snapshot));
        proposals
    }

    fn of_demand(&self, snapshot: &Snapshot) -> Vec<Proposal> {
        let seen = self.look(snapshot);
        let resource = Resource::TranscriptionInstances;
        let mut proposals = Vec::new();
        if !seen.unreadable.is_empty() {
            let why = seen.unreadable.join("; ").into();
            proposals.push(self.proposal(resource, Wants::Hold { why }, Vec::new()));
        }
        if seen.demand.is_empty() {
            if proposals.is_empty() {
                let why = format_smolstr!("no {DEMAND} is measured");
                proposals.push(self.proposal(resource, Wants::Nothing { why }, Vec::new()));
            }
            return proposals;
        }
        let plans = self.plan(&seen.demand);
        let quiet = self
            .specialties
            .iter()
            .filter(|(name, _)| !plans.contains_key(*name));
        let quiet: i32 = quiet.map(|(_, one)| one.instances).sum();
        let count = plans.values().fold(quiet, |sum, plan| {
            sum.saturating_add(plan.required_instances)
        });
        let steps = self.steps();
        let evidence = plans.iter().map(|(name, plan)| Evidence {
            signal: format_smolstr!("{DEMAND} {name}"),
            value: shown(seen.demand[name]),
            against: format_smolstr!(
                "{steps}; {} at everyday demand{}",
                plan.current_instances,
                if plan.gpu_required {
                    ", each with a GPU"
                } else {
                    ""
                },
            ),
            wants: Some(plan.required_instances),
        });
        let evidence = evidence.collect();
        proposals.push(self.proposal(resource, Wants::AtLeast { count }, evidence));
        proposals
    }

    /// What more demand multiplies, in words.
    fn steps(&self) -> SmolStr {
        let demand = &self.demand;
        format_smolstr!(
            "{} above {}, {} above {}",
            times(demand.medium_multiplier),
            shown(demand.medium_above),
            times(demand.high_multiplier),
            shown(demand.high_above),
        )
    }

    fn of_emergency(&self, snapshot: &Snapshot) -> Vec<Proposal> {
        let signal = &self.emergency.load_signal;
        let Some(reading) = snapshot.signals.get(signal) else {
            return Vec::new();
        };
        let load = reading.fresh(snapshot.at, self.demand.stale_after_seconds);
        let plan = load.as_ref().ok().and_then(|load| self.emergency(*load));
        self.emergency
            .immediate_scaling
            .iter()
            .filter_map(|(work, count)| {
                let resource = *self.emergency.resources.get(work)?;
                let wants = match (&load, &plan) {
                    (Err(why), _) => Wants::Hold {
                        why: format_smolstr!("{signal} {why}"),
                    },
                    (Ok(_), Some(_)) => Wants::AtLeast { count: *count },
                    (Ok(_), None) => Wants::Nothing {
                        why: SmolStr::new_static("the emergency load is not critical"),
                    },
                };
                let evidence = Evidence {
                    signal: signal.into(),
                    value: match &load {
                        Ok(load) => shown(*load),
                        Err(why) => why.into(),
                    },
                    against: format_smolstr!("{work} above {}", shown(self.emergency.load_above)),
                    wants: plan.as_ref().map(|_| *count),
                };
                Some(self.proposal(resource, wants, vec![evidence]))
            })
            .collect()
    }

    fn look(&self, snapshot: &Snapshot) -> Seen {
        let mut seen = Seen {
            demand: BTreeMap::new(),
            unreadable: Vec::new(),
        };
        for (signal, reading) in &snapshot.signals {
            let Some(name) = signal
                .strip_prefix(DEMAND)
                .and_then(|rest| rest.strip_prefix("{specialty=\"")?.strip_suffix("\"}"))
            else {
                continue;
            };
            match reading.fresh(snapshot.at, self.demand.stale_after_seconds) {
                Ok(demand) => drop(seen.demand.insert(name.to_owned(), demand)),
                Err(why) => seen.unreadable.push(format!("{signal} {why}")),
            }
        }
        seen
    }

    fn specialty(&self, name: &str) -> Specialty {
        self.specialties.get(name).copied().unwrap_or(Specialty {
            instances: 1,
            gpu_required: false,
            minimum: 0,
            priority: 0,
        })
    }

    fn proposal(&self, resource: Resource, wants: Wants, evidence: Vec<Evidence>) -> Proposal {
        Proposal {
            policy: self.name.clone(),
            kind: PolicyKind::Specialty,
            resource,
            wants,
            evidence,
            limits: Vec::new(),
        }
    }
}

fn times(factor: f64) -> SmolStr {
    format_smolstr!("× {}", shown(factor))
}

#[cfg(test)]
mod tests;
