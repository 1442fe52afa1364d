//! Alerts that scale: an alert with a `scaling_action` asks for a step more for as long as it fires, once a cool-down.
//!
//! Prometheus evaluates the rules. Those of the shape `metric{labels} > number`, with aggregations around the metric, are
//! also evaluated here from the snapshot's signals, so that they work on one machine without Prometheus.

mod expression;
mod load;
mod token;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::{SmolStr, format_smolstr};

use crate::{
    Evidence, PolicyKind, PolicyName, Proposal, Resource, Snapshot, Wants,
    policy_file::{Error, File, Finding, shown, times_rounded_up},
};
use expression::Comparison;

#[derive(Clone, Debug)]
pub struct Policy {
    name: PolicyName,
    file: String,
    rules: Vec<Rule>,
    /// Names that recording rules give.
    recorded: Vec<String>,
    /// Line and text of every rule's expression.
    expressions: Vec<(u64, String)>,
    options: Options,
}

#[derive(Clone, Debug)]
struct Rule {
    alert: String,
    /// The alert as evidence names it, and what it is held against.
    signal: SmolStr,
    against: SmolStr,
    /// What its waiting time is remembered under.
    key: String,
    line: u64,
    expression: String,
    /// None: only Prometheus can evaluate it.
    comparison: Option<Comparison>,
    for_seconds: i64,
    action: Option<Resource>,
}

/// How large a step is, how often it is taken, and up to where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    pub cool_down_seconds: i64,
    pub step: i32,
    /// Of the current connections; `step` if that is more.
    pub step_connections_percent: i32,
    pub stale_after_seconds: i64,
    /// The most that alerts ask for.
    pub max: BTreeMap<Resource, i32>,
}

impl Default for Options {
    /// The maxima are those of the app's autoscaler (20), of the workers' (50), and the connections that the matrix's
    /// server has to give (190).
    fn default() -> Self {
        Self {
            cool_down_seconds: 300,
            step: 1,
            step_connections_percent: 25,
            stale_after_seconds: 60,
            max: [
                (Resource::AppInstances, 20),
                (Resource::TranscriptionInstances, 20),
                (Resource::DiagnosecodeInstances, 20),
                (Resource::TranscriptionWorkers, 50),
                (Resource::DiagnosisWorkers, 50),
                (Resource::QueueWorkers, 50),
                (Resource::DbConnections, 190),
            ]
            .into(),
        }
    }
}

/// One entry for each rule and resource at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// Since when the condition of a rule that is evaluated here has held.
    pub pending: BTreeMap<String, Pending>,
    pub steps: BTreeMap<Resource, Step>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    pub since: Timestamp,
    pub seen: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub at: Timestamp,
    pub to: i32,
}

enum State {
    Firing {
        value: f64,
        since: Timestamp,
    },
    Waiting {
        value: f64,
        since: Timestamp,
    },
    Quiet,
    /// It can't be said now.
    Unknown {
        why: String,
    },
}

impl Policy {
    /// `text` is a file of Prometheus rules.
    ///
    /// # Errors
    /// An unknown key, a duration that is none, an unknown `scaling_action`; with file, line and the way out.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Error> {
        load::policy(File(file_name), text)
    }

    #[must_use]
    pub fn with_options(self, options: Options) -> Self {
        Self { options, ..self }
    }

    #[must_use]
    pub fn name(&self) -> &PolicyName {
        &self.name
    }

    /// The metrics whose series the snapshot should have, so that rules can be evaluated here.
    #[must_use]
    pub fn metrics(&self) -> BTreeSet<&str> {
        let comparisons = self
            .rules
            .iter()
            .filter_map(|rule| rule.comparison.as_ref());
        comparisons.map(Comparison::metric).collect()
    }

    /// The alerts that never fire without Prometheus.
    #[must_use]
    pub fn needs_prometheus(&self) -> Vec<Finding> {
        self.rules
            .iter()
            .filter(|rule| rule.comparison.is_none())
            .map(|rule| {
                let message = format!(
                    "{} fires only with Prometheus: `{}` is not a metric held against a number",
                    rule.alert, rule.expression
                );
                File(&self.file).finding(rule.line, message)
            })
            .collect()
    }

    /// One proposal for each resource that a rule can scale.
    #[must_use]
    pub fn propose(&self, memory: &Memory, snapshot: &Snapshot) -> (Vec<Proposal>, Memory) {
        let mut next = Memory::default();
        let mut states: BTreeMap<Resource, Vec<(&Rule, State)>> = BTreeMap::new();
        for rule in &self.rules {
            let Some(resource) = rule.action else {
                continue;
            };
            let (state, pending) = self.state(rule, memory.pending.get(&rule.key), snapshot);
            next.pending
                .extend(pending.map(|pending| (rule.key.clone(), pending)));
            states.entry(resource).or_default().push((rule, state));
        }
        let proposals = states
            .into_iter()
            .map(|(resource, states)| {
                let last = memory.steps.get(&resource);
                let (wants, limits, step) = self.wish(resource, &states, last, snapshot);
                next.steps.extend(step.map(|step| (resource, step)));
                Proposal {
                    policy: self.name.clone(),
                    kind: PolicyKind::Alerts,
                    resource,
                    evidence: states
                        .iter()
                        .map(|(rule, state)| evidence(rule, state, &wants))
                        .collect(),
                    wants,
                    limits,
                }
            })
            .collect();
        (proposals, next)
    }

    fn state(
        &self,
        rule: &Rule,
        pending: Option<&Pending>,
        snapshot: &Snapshot,
    ) -> (State, Option<Pending>) {
        let now = snapshot.at;
        if let Some(alert) = snapshot.alerts.get(&rule.alert) {
            let (value, since) = (alert.value, alert.since);
            return (State::Firing { value, since }, pending.cloned());
        }
        let Some(comparison) = &rule.comparison else {
            return (State::Quiet, None);
        };
        // After a silence, the time counts anew.
        let pending = pending.filter(|pending| {
            let silence = now.as_second() - pending.seen.as_second();
            (0..=self.options.stale_after_seconds).contains(&silence)
        });
        let readings = match self.readings(comparison, snapshot) {
            Ok(readings) => readings,
            Err(why) => return (State::Unknown { why }, pending.cloned()),
        };
        let Some(value) = comparison.met(readings.into_iter()) else {
            return (State::Quiet, None);
        };
        let since = pending.map_or(now, |pending| pending.since);
        let next = Some(Pending { since, seen: now });
        if now.as_second() - since.as_second() >= rule.for_seconds {
            (State::Firing { value, since }, next)
        } else {
            (State::Waiting { value, since }, next)
        }
    }

    fn readings<'a>(
        &self,
        comparison: &Comparison,
        snapshot: &'a Snapshot,
    ) -> Result<Vec<(&'a str, f64)>, String> {
        snapshot
            .signals
            .iter()
            .filter(|(signal, _)| comparison.selects(signal))
            .map(|(signal, reading)| {
                let value = reading.fresh(snapshot.at, self.options.stale_after_seconds);
                Ok((
                    signal.as_str(),
                    value.map_err(|why| format!("{signal} {why}"))?,
                ))
            })
            .collect()
    }

    fn wish(
        &self,
        resource: Resource,
        states: &[(&Rule, State)],
        last: Option<&Step>,
        snapshot: &Snapshot,
    ) -> (Wants, Vec<String>, Option<Step>) {
        let cool_down = self.options.cool_down_seconds;
        let cooling = last.filter(|step| {
            let passed = snapshot.at.as_second() - step.at.as_second();
            (0..cool_down).contains(&passed)
        });
        let kept = cooling.cloned();
        let fires = states
            .iter()
            .any(|(_, state)| matches!(state, State::Firing { .. }));
        if !fires {
            let unknown = states.iter().find_map(|(rule, state)| match state {
                State::Unknown { why } => Some(format_smolstr!("{}: {why}", rule.alert)),
                _ => None,
            });
            let wants = match unknown {
                Some(why) => Wants::Hold { why },
                None => Wants::Nothing {
                    why: SmolStr::new_static("no alert fires"),
                },
            };
            return (wants, Vec::new(), kept);
        }
        if let Some(step) = cooling {
            let limit = format!("one step in {cool_down} s");
            return (Wants::AtLeast { count: step.to }, vec![limit], kept);
        }
        let Some(workload) = snapshot.workloads.get(&resource) else {
            let why = format_smolstr!("{resource} is not observed");
            return (Wants::Hold { why }, Vec::new(), kept);
        };
        let wanted = workload
            .desired
            .saturating_add(self.step(resource, workload.desired));
        let most = self.options.max.get(&resource).copied().unwrap_or(wanted);
        let count = wanted.min(most);
        let limits = (count < wanted).then(|| format!("alerts ask for at most {most}"));
        let step = Step {
            at: snapshot.at,
            to: count,
        };
        (
            Wants::AtLeast { count },
            limits.into_iter().collect(),
            Some(step),
        )
    }

    fn step(&self, resource: Resource, current: i32) -> i32 {
        let share = f64::from(self.options.step_connections_percent) / 100.0;
        match resource {
            Resource::DbConnections => times_rounded_up(current, share).max(self.options.step),
            _ => self.options.step,
        }
    }
}

/// Metrics of the rules that nobody exports: such a rule never fires. `exported` has the families' names; a histogram's
/// `_bucket`, `_sum` and `_count` belong to it, and what a recording rule of these files gives counts as exported.
#[must_use]
pub fn unknown_metrics(rules: &[&Policy], exported: &BTreeSet<&str>) -> Vec<Finding> {
    let recorded: BTreeSet<&str> = rules
        .iter()
        .flat_map(|policy| policy.recorded.iter().map(String::as_str))
        .collect();
    let known = |name: &str| {
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end));
        exported.contains(name)
            || recorded.contains(name)
            || family.is_some_and(|family| exported.contains(family))
            || ["up", "ALERTS", "ALERTS_FOR_STATE"].contains(&name)
    };
    let mut findings = Vec::new();
    for policy in rules {
        for (line, expression) in &policy.expressions {
            for name in expression::metrics(expression) {
                if !known(&name) {
                    let message =
                        format!("nobody exports the metric {name}: the rule can never fire");
                    findings.push(File(&policy.file).finding(*line, message));
                }
            }
        }
    }
    findings
}

fn evidence(rule: &Rule, state: &State, wants: &Wants) -> Evidence {
    let (value, fires) = match state {
        State::Firing { value, since } => (
            format_smolstr!("{}, fires since {since}", shown(*value)),
            true,
        ),
        State::Waiting { value, since } => (
            format_smolstr!("{}, pending since {since}", shown(*value)),
            false,
        ),
        State::Quiet => (SmolStr::new_static("does not fire"), false),
        State::Unknown { why } => (why.into(), false),
    };
    Evidence {
        signal: rule.signal.clone(),
        value,
        against: rule.against.clone(),
        wants: match wants {
            Wants::AtLeast { count } if fires => Some(*count),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests;
