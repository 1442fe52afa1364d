//! The scaling matrix: the highest tier that any signal reaches says how much of everything there is to be.
//!
//! A tier is reached from its lower edge on. It is left only when every signal has been a share below that edge
//! (`leave_below_percent`, 10 by default) for a time (`leave_after_seconds`, 300 by default, as long as the app's
//! HorizontalPodAutoscaler looks back), so that a value on an edge does not flap. A signal that is missing or stale never
//! lowers the tier.

mod adjacency;
pub(crate) mod file;
mod hysteresis;
pub(crate) mod load;
mod range;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use hysteresis::Leaving;
use smol_str::{SmolStr, format_smolstr};

use crate::{
    Evidence, PolicyKind, PolicyName, Proposal, Resource, Signal, Snapshot, Wants,
    policy_file::{Error, File, Finding, shown},
};
use hysteresis::{Observed, Patience};

/// A tier of the matrix and what it wants to be there: counts, connections, MiB of cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tier {
    pub name: String,
    /// Its line in the file.
    pub line: u64,
    pub configuration: BTreeMap<Resource, i32>,
}

#[derive(Clone, Debug)]
pub struct Policy {
    name: PolicyName,
    /// Lowest first.
    tiers: Vec<Tier>,
    /// For each signal of the file: tier and lower edge, ascending.
    edges: BTreeMap<String, Vec<(usize, f64)>>,
    options: Options,
    findings: Vec<Finding>,
}

/// How the matrix is read; the `matrix` section of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// From the file's names to the snapshot's signals.
    pub signals: BTreeMap<String, Signal>,
    pub stale_after_seconds: i64,
    pub leave_below_percent: f64,
    pub leave_after_seconds: i64,
    /// What the database server allows, and what of it is not for pools.
    pub max_connections: i32,
    pub reserved_connections: i32,
}

impl Default for Options {
    fn default() -> Self {
        let names = [
            "active_sessions",
            "cpu_usage",
            "memory_usage",
            "queue_length",
        ];
        Self {
            signals: names.map(|name| (name.to_owned(), name.to_owned())).into(),
            stale_after_seconds: 60,
            leave_below_percent: 10.0,
            leave_after_seconds: 300,
            max_connections: 200,
            reserved_connections: 10,
        }
    }
}

/// What carries over from one decision to the next. A tier that the file has no more is forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    pub tier: Option<String>,
    pub leaving: Option<Leaving>,
}

/// What one signal says.
struct Reached<'a> {
    signal: &'a Signal,
    /// The value, or why there is none.
    value: Result<f64, String>,
    reached: usize,
    held: usize,
    edge: f64,
}

impl Policy {
    /// `text` is `config/scaling-matrix.yaml`.
    ///
    /// # Errors
    /// What it can't be: unknown keys, ranges that are none, percentages over 100, tiers out of order, a higher tier with
    /// less; with file, line and the way out.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Error> {
        let file = File(file_name);
        load::policy(file, &file::read(file, text)?)
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gaps, overlaps and shared edges of the tiers with how they are resolved, and connections that the server can't give.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Lowest first.
    #[must_use]
    pub fn tiers(&self) -> &[Tier] {
        &self.tiers
    }

    /// The snapshot's signals that must be measured for this.
    pub fn signals(&self) -> impl Iterator<Item = &Signal> {
        self.edges.keys().map(|name| self.signal(name))
    }

    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The tier that holds now; the lowest as long as nothing was ever measured.
    #[must_use]
    pub fn tier(&self, memory: &Memory) -> &Tier {
        &self.tiers[self.index(memory.tier.as_deref()).unwrap_or(0)]
    }

    /// A `Count` for each resource of the tier; while a signal is missing, `AtLeast` instead, and a `Hold` that says which.
    #[must_use]
    pub fn propose(&self, memory: &Memory, snapshot: &Snapshot) -> (Vec<Proposal>, Memory) {
        let seen = self.look(snapshot);
        let observed = Observed {
            reached: seen.iter().map(|one| one.reached).max().unwrap_or(0),
            held: seen.iter().map(|one| one.held).max().unwrap_or(0),
            certain: seen.iter().all(|one| one.value.is_ok()),
        };
        let known = seen.iter().any(|one| one.value.is_ok());
        let (tier, leaving) = self.descend(memory, &observed, snapshot);
        let next = Memory {
            tier: (known || memory.tier.is_some()).then(|| self.tiers[tier].name.clone()),
            leaving,
        };
        let why = unreadable(&seen);
        let (evidence, limits) = (self.evidence(&seen), self.limits(tier, &observed));
        let about = |resource: Resource| -> Vec<Evidence> {
            let both = evidence.iter().zip(&seen);
            both.map(|(evidence, one)| Evidence {
                wants: self.wanted(one, resource),
                ..evidence.clone()
            })
            .collect()
        };
        let proposals = self.tiers[tier]
            .configuration
            .iter()
            .flat_map(|(resource, count)| {
                let count = next.tier.is_some().then_some(*count);
                wishes(count, why.as_ref()).map(|wants| Proposal {
                    policy: self.name.clone(),
                    kind: PolicyKind::Matrix,
                    resource: *resource,
                    wants,
                    evidence: about(*resource),
                    limits: limits.clone(),
                })
            })
            .collect();
        (proposals, next)
    }

    fn look<'a>(&'a self, snapshot: &Snapshot) -> Vec<Reached<'a>> {
        let share = 1.0 - self.options.leave_below_percent / 100.0;
        self.edges
            .iter()
            .map(|(name, edges)| {
                let signal = self.signal(name);
                let value = match snapshot.signals.get(signal) {
                    Some(reading) => reading.fresh(snapshot.at, self.options.stale_after_seconds),
                    None => Err("is not measured".to_owned()),
                };
                let highest = |share: f64| {
                    let value = value.as_ref().ok()?;
                    edges.iter().rev().find(|(_, from)| from * share <= *value)
                };
                let (reached, edge) = *highest(1.0).unwrap_or(&(0, f64::NEG_INFINITY));
                let held = highest(share).map_or(0, |(tier, _)| *tier);
                Reached {
                    signal,
                    value,
                    reached,
                    held,
                    edge,
                }
            })
            .collect()
    }

    fn descend(
        &self,
        memory: &Memory,
        observed: &Observed,
        snapshot: &Snapshot,
    ) -> (usize, Option<Leaving>) {
        let current = self.index(memory.tier.as_deref()).unwrap_or(0);
        let begun = memory
            .leaving
            .as_ref()
            .and_then(|leaving| Some((leaving, self.index(Some(&leaving.to))?)));
        let patience = Patience {
            leave_after_seconds: self.options.leave_after_seconds,
            silence_seconds: self.options.stale_after_seconds,
        };
        let (tier, leaving) = hysteresis::step(current, begun, observed, snapshot.at, &patience);
        let leaving = leaving.map(|(since, to)| Leaving {
            since,
            seen: snapshot.at,
            to: self.tiers[to].name.clone(),
        });
        (tier, leaving)
    }

    /// What was seen, without what it asks of one resource: that is [`Self::wanted`].
    fn evidence(&self, seen: &[Reached<'_>]) -> Vec<Evidence> {
        seen.iter()
            .map(|one| {
                let tier = &self.tiers[one.reached];
                let from = match one.edge {
                    edge if edge.is_finite() => format_smolstr!(" from {}", shown(edge)),
                    _ => SmolStr::default(),
                };
                Evidence {
                    signal: SmolStr::from(one.signal),
                    value: match &one.value {
                        Ok(value) => shown(*value),
                        Err(why) => why.into(),
                    },
                    against: match one.value {
                        Ok(_) => format_smolstr!("tier {}{from}", tier.name),
                        Err(_) => SmolStr::new_static("no tier is left without it"),
                    },
                    wants: None,
                }
            })
            .collect()
    }

    fn wanted(&self, one: &Reached<'_>, resource: Resource) -> Option<i32> {
        one.value.as_ref().ok()?;
        let tier = &self.tiers[one.reached];
        tier.configuration.get(&resource).copied()
    }

    fn limits(&self, tier: usize, observed: &Observed) -> Vec<String> {
        if tier <= observed.reached {
            return Vec::new();
        }
        let name = &self.tiers[tier].name;
        let Options {
            leave_below_percent,
            leave_after_seconds,
            ..
        } = self.options;
        vec![format!(
            "{name} is left only after {leave_after_seconds} s of every signal {} % under its edge",
            shown(leave_below_percent)
        )]
    }

    fn signal<'a>(&'a self, name: &'a String) -> &'a Signal {
        self.options.signals.get(name).unwrap_or(name)
    }

    fn index(&self, name: Option<&str>) -> Option<usize> {
        self.tiers
            .iter()
            .position(|tier| Some(tier.name.as_str()) == name)
    }
}

/// `count` is none as long as nothing was ever read; `why` is what can't be read now.
fn wishes(count: Option<i32>, why: Option<&SmolStr>) -> impl Iterator<Item = Wants> {
    let wanted = count.map(|count| match why {
        None => Wants::Count { count },
        Some(_) => Wants::AtLeast { count },
    });
    let unknown = || SmolStr::new_static("the matrix names no signal");
    let why = why.cloned().or_else(|| count.is_none().then(unknown));
    let held = why.map(|why| Wants::Hold { why });
    wanted.into_iter().chain(held)
}

fn unreadable(seen: &[Reached<'_>]) -> Option<SmolStr> {
    let why: Vec<String> = seen
        .iter()
        .filter_map(|one| Some(format!("{} {}", one.signal, one.value.as_ref().err()?)))
        .collect();
    (!why.is_empty()).then(|| why.join("; ").into())
}

#[cfg(test)]
mod tests;
