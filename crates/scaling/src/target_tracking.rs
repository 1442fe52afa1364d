//! Target tracking as CloudWatch and AWS' Auto Scaling do it: keep a metric at its target, out fast, in slowly.
//!
//! Out when three datapoints of a minute are over the target, in when fifteen are more than a tenth under it, in proportion
//! and rounded up. While the scale-out cool-down runs only a larger scale-out adds to the first, and nothing scales in;
//! the scale-in cool-down holds further scale-ins, and a scale-out ends it. Missing data never scales in or out.
//! A cool-down runs only once the count was seen to change: what was refused or rolled back begins none.

mod alarm;
mod group;
mod load;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use alarm::Datapoint;
pub use group::Group;
use smol_str::{SmolStr, format_smolstr};

use crate::{
    Evidence, Pod, PolicyKind, PolicyName, Proposal, Resource, Snapshot, Wants, Workload,
    policy_file::{Error, File, Finding, rounded_up, shown},
};
use alarm::Alarm;

#[derive(Clone, Debug)]
pub struct Policy {
    name: PolicyName,
    resource: Resource,
    group_name: Option<String>,
    group: Option<Group>,
    enabled: bool,
    target: f64,
    metric: Metric,
    disable_scale_in: bool,
    warmup: Option<i64>,
    cooldowns: Cooldowns,
    stale_after_seconds: i64,
    findings: Vec<Finding>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Metric {
    /// Percent of what the pods ask for, averaged over the pods.
    Cpu,
    Memory,
    /// A reading of the snapshot that falls as capacity grows.
    Signal(String),
}

/// Seconds, where the file gives them.
#[derive(Clone, Copy, Debug)]
struct Cooldowns {
    out: Option<i64>,
    r#in: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// At most sixteen.
    pub datapoints: Vec<Datapoint>,
    pub last: Option<Action>,
}

/// The last change that this policy proposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    pub at: Timestamp,
    pub from: i32,
    pub to: i32,
    /// Whether the workload was seen to follow.
    pub seen: bool,
}

/// A policy and a group that do not belong together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{policy} is for the Auto Scaling group {wanted:?}, not {given:?}: give the file of its own group"
)]
pub struct WrongGroup {
    policy: PolicyName,
    wanted: String,
    given: String,
}

/// What is known at this tick.
struct Now<'a> {
    workload: &'a Workload,
    at: Timestamp,
    /// The instances that the metric is an average over.
    in_service: i32,
}

struct Decision {
    wants: Wants,
    wanted: Option<i32>,
    limits: Vec<String>,
    action: Option<Action>,
}

impl Policy {
    /// `text` is the JSON of `put-scaling-policy`. It scales the app.
    ///
    /// # Errors
    /// An unknown key, another type of policy, a metric that isn't known here; with file, line and the way out.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Error> {
        load::policy(File(file_name), text)
    }

    #[must_use]
    pub fn resource(&self) -> Resource {
        self.resource
    }

    /// With the bounds and times of its group.
    ///
    /// # Errors
    /// When the policy is for a group of another name.
    pub fn with_group(self, group: Group) -> Result<Self, WrongGroup> {
        match &self.group_name {
            Some(name) if *name != group.name => Err(WrongGroup {
                policy: self.name,
                wanted: name.clone(),
                given: group.name,
            }),
            _ => Ok(Self {
                group: Some(group),
                ..self
            }),
        }
    }

    #[must_use]
    pub fn name(&self) -> &PolicyName {
        &self.name
    }

    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The snapshot's signal that it follows; none when it looks at the pods.
    #[must_use]
    pub fn signal(&self) -> Option<&str> {
        match &self.metric {
            Metric::Signal(signal) => Some(signal),
            Metric::Cpu | Metric::Memory => None,
        }
    }

    /// One proposal: `Count` up, down or as it is; `Hold` without data.
    #[must_use]
    pub fn propose(&self, memory: &Memory, snapshot: &Snapshot) -> (Vec<Proposal>, Memory) {
        let Some(workload) = snapshot.workloads.get(&self.resource) else {
            let why = format_smolstr!("{} is not observed", self.resource);
            return (
                vec![self.proposal(Wants::Hold { why }, Vec::new(), Vec::new())],
                memory.clone(),
            );
        };
        let reading = self.read(workload, snapshot);
        let milli = reading
            .as_ref()
            .ok()
            .map(|(value, _)| i64::from(rounded_up(value * 1000.0)));
        let datapoints = alarm::record(&memory.datapoints, snapshot.at, milli);
        let target_milli = i64::from(rounded_up(self.target * 1000.0));
        let alarm = alarm::evaluate(&datapoints, snapshot.at, target_milli);
        let now = Now {
            workload,
            at: snapshot.at,
            in_service: reading.as_ref().map_or(0, |(_, count)| *count),
        };
        let last = followed(memory.last.as_ref(), workload);
        let decision = match &reading {
            _ if !self.enabled => still(Wants::Nothing {
                why: SmolStr::new_static("the policy is disabled"),
            }),
            Err(why) => still(Wants::Hold { why: why.into() }),
            Ok(_) => self.decide(alarm, last.as_ref(), &now),
        };
        let evidence = self.evidence(&reading, alarm, decision.wanted);
        let proposal = self.proposal(decision.wants, vec![evidence], decision.limits);
        let last = decision.action.or(last);
        (vec![proposal], Memory { datapoints, last })
    }

    fn decide(&self, alarm: Alarm, last: Option<&Action>, now: &Now<'_>) -> Decision {
        let desired = now.workload.desired;
        match alarm {
            Alarm::High { milli } => self.scale_out(milli, last, now),
            Alarm::Low { milli } => self.scale_in(milli, last, now),
            Alarm::InsufficientData => still(Wants::Hold {
                why: SmolStr::new_static("the last three minutes have no three datapoints"),
            }),
            Alarm::Ok if self.disable_scale_in => still(self.no_scale_in()),
            Alarm::Ok => still(Wants::Count { count: desired }),
        }
    }

    fn scale_out(&self, milli: i64, last: Option<&Action>, now: &Now<'_>) -> Decision {
        let desired = now.workload.desired;
        let proportional = self.proportional(milli, now.in_service);
        let (wanted, mut limits) = self.bounded(proportional.max(desired));
        let cooling = last
            .filter(|last| last.to > last.from && elapsed(last.at, now.at) < self.out_cooldown());
        if let Some(last) = cooling
            && proportional <= last.to
        {
            limits.push(format!(
                "cool-down of {} s after scaling out to {}: only a larger scale-out adds to it",
                self.out_cooldown(),
                last.to
            ));
        }
        Decision {
            action: (wanted > desired).then_some(Action {
                at: now.at,
                from: desired,
                to: wanted,
                seen: false,
            }),
            wants: Wants::Count { count: wanted },
            wanted: Some(proportional),
            limits,
        }
    }

    fn scale_in(&self, milli: i64, last: Option<&Action>, now: &Now<'_>) -> Decision {
        let desired = now.workload.desired;
        if self.disable_scale_in {
            return still(self.no_scale_in());
        }
        let proportional = self.proportional(milli, now.in_service);
        let cooling = last.and_then(|last| {
            let seconds = if last.to > last.from {
                self.out_cooldown()
            } else {
                self.in_cooldown()
            };
            (elapsed(last.at, now.at) < seconds)
                .then(|| format!("cool-down of {seconds} s after scaling to {}", last.to))
        });
        if let Some(limit) = cooling {
            return Decision {
                wanted: Some(proportional),
                limits: vec![limit],
                ..still(Wants::Count { count: desired })
            };
        }
        let (wanted, limits) = self.bounded(proportional.min(desired));
        Decision {
            action: (wanted < desired).then_some(Action {
                at: now.at,
                from: desired,
                to: wanted,
                seen: false,
            }),
            wants: Wants::Count { count: wanted },
            wanted: Some(proportional),
            limits,
        }
    }

    /// As many as bring the metric to its target, rounded up, at least one.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a metric in thousandths is far below 2^52"
    )]
    fn proportional(&self, milli: i64, in_service: i32) -> i32 {
        rounded_up(f64::from(in_service) * (milli as f64 / 1000.0) / self.target).max(1)
    }

    fn bounded(&self, count: i32) -> (i32, Vec<String>) {
        let bounded = self.group.as_ref().map(|group| group.bounded(count));
        bounded.unwrap_or((count, Vec::new()))
    }

    fn read(&self, workload: &Workload, snapshot: &Snapshot) -> Result<(f64, i32), String> {
        let resource = match &self.metric {
            Metric::Signal(signal) => {
                let reading = snapshot
                    .signals
                    .get(signal)
                    .ok_or_else(|| format!("{signal} is not measured"))?;
                let value = reading.fresh(snapshot.at, self.stale_after_seconds);
                return Ok((
                    value.map_err(|why| format!("{signal} {why}"))?,
                    workload.ready,
                ));
            }
            Metric::Cpu => "cpu",
            Metric::Memory => "memory",
        };
        let shares: Vec<f64> = workload
            .pods
            .iter()
            .filter(|pod| self.counts(pod, snapshot.at))
            .filter_map(|pod| utilisation(pod, resource))
            .collect();
        let count = i32::try_from(shares.len()).unwrap_or(i32::MAX);
        match count {
            0 => Err(format!("no instance has a fresh {resource} utilisation")),
            _ => Ok((shares.iter().sum::<f64>() / f64::from(count), count)),
        }
    }

    /// Ready, measured lately, and past its warm-up.
    fn counts(&self, pod: &Pod, now: Timestamp) -> bool {
        let fresh = pod
            .measured_at
            .is_some_and(|at| elapsed(at, now) <= self.stale_after_seconds);
        let warm = pod
            .started_at
            .is_none_or(|at| elapsed(at, now) >= self.warmup_seconds());
        pod.ready && fresh && warm
    }

    /// Only where a warm-up is given: the seed's cool-downs stand for it otherwise.
    fn warmup_seconds(&self) -> i64 {
        let group = self.group.as_ref();
        self.warmup
            .or_else(|| group.and_then(|group| group.default_instance_warmup))
            .unwrap_or(0)
    }

    fn out_cooldown(&self) -> i64 {
        self.cooldowns
            .out
            .or(self.warmup)
            .unwrap_or_else(|| self.default_cooldown())
    }

    fn in_cooldown(&self) -> i64 {
        self.cooldowns
            .r#in
            .unwrap_or_else(|| self.default_cooldown())
    }

    /// 300 s is AWS' own default.
    fn default_cooldown(&self) -> i64 {
        self.group
            .as_ref()
            .map_or(300, |group| group.default_cooldown)
    }

    fn no_scale_in(&self) -> Wants {
        Wants::Nothing {
            why: SmolStr::new_static("DisableScaleIn: this policy only scales out"),
        }
    }

    fn evidence(
        &self,
        reading: &Result<(f64, i32), String>,
        alarm: Alarm,
        wants: Option<i32>,
    ) -> Evidence {
        let state = match alarm {
            Alarm::High { .. } => "ALARM high: 3 minutes over it",
            Alarm::Low { .. } => "ALARM low: 15 minutes under nine tenths of it",
            Alarm::Ok => "OK",
            Alarm::InsufficientData => "INSUFFICIENT_DATA",
        };
        let (signal, unit) = match &self.metric {
            Metric::Cpu => ("cpu utilisation", " %"),
            Metric::Memory => ("memory utilisation", " %"),
            Metric::Signal(signal) => (signal.as_str(), ""),
        };
        Evidence {
            signal: signal.into(),
            value: match reading {
                Ok((value, count)) => {
                    format_smolstr!("{}{unit} over {count} in service", shown(*value))
                }
                Err(why) => why.into(),
            },
            against: format_smolstr!("target {}{unit}, {state}", shown(self.target)),
            wants,
        }
    }

    fn proposal(&self, wants: Wants, evidence: Vec<Evidence>, limits: Vec<String>) -> Proposal {
        Proposal {
            policy: self.name.clone(),
            kind: PolicyKind::TargetTracking,
            resource: self.resource,
            wants,
            evidence,
            limits,
        }
    }
}

/// The last action, if the workload follows it; one that was not carried out is forgotten.
fn followed(last: Option<&Action>, workload: &Workload) -> Option<Action> {
    let last = last?;
    let moved = match last.to > last.from {
        true => workload.desired > last.from,
        false => workload.desired < last.from,
    };
    (last.seen || moved || workload.in_flight).then(|| Action {
        seen: last.seen || moved,
        ..last.clone()
    })
}

fn utilisation(pod: &Pod, resource: &str) -> Option<f64> {
    let (usage, request) = (
        pod.usage_milli.get(resource)?,
        pod.requests_milli.get(resource)?,
    );
    #[expect(
        clippy::cast_precision_loss,
        reason = "a share needs no more than 52 bits"
    )]
    (*request > 0).then(|| 100.0 * *usage as f64 / *request as f64)
}

fn still(wants: Wants) -> Decision {
    Decision {
        wants,
        wanted: None,
        limits: Vec::new(),
        action: None,
    }
}

fn elapsed(since: Timestamp, now: Timestamp) -> i64 {
    now.as_second() - since.as_second()
}

#[cfg(test)]
mod tests;
