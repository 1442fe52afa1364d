//! All proposals together: one outcome a resource, each with what every policy wanted and which limit made it so.
//!
//! A pure function of policies, history and snapshot: any decision of the past can be made again from what was stored, to the
//! byte. The largest of what is wanted wins; who cannot tell keeps things from shrinking; bounds, quota and budget come last.

mod combine;
mod history;
mod shortage;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use history::History;

use crate::{PolicyName, Proposal, Resource, Snapshot, limits::Limits, policies::Policies};

/// What is to be done about one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    pub resource: Resource,
    pub current: i32,
    pub verdict: Verdict,
    /// The policy whose wish was followed, before limits.
    pub chosen: Option<PolicyName>,
    /// What bounded the wish, in the order in which it did.
    pub limits: Vec<String>,
    /// What every policy wanted, the losing ones too.
    pub proposals: Vec<Proposal>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Plan { to: i32, because: String },
    NoPlan { why: String },
}

impl Outcome {
    /// The new count, if there is a plan.
    #[must_use]
    pub fn plan(&self) -> Option<(i32, &str)> {
        match &self.verdict {
            Verdict::Plan { to, because } => Some((*to, because)),
            Verdict::NoPlan { .. } => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    pub at: Timestamp,
    pub outcomes: Vec<Outcome>,
}

impl Decision {
    pub fn plans(&self) -> impl Iterator<Item = (&Outcome, i32, &str)> {
        self.outcomes
            .iter()
            .filter_map(|outcome| outcome.plan().map(|(to, because)| (outcome, to, because)))
    }
}

/// Decides about every resource that has limits and is there. Gives what carries over to the next decision too.
#[must_use]
pub fn decide(policies: &Policies, history: &History, snapshot: &Snapshot) -> (Decision, History) {
    let (proposals, memories) = policies.propose(history, snapshot);
    let mut by_resource = sorted(proposals);
    let mut wishes = BTreeMap::new();
    let mut after = History {
        recommendations: BTreeMap::new(),
        last_at: Some(snapshot.at),
        ..memories
    };
    for (resource, limit) in &policies.limits.resources {
        let Some(workload) = snapshot.workloads.get(resource) else {
            continue;
        };
        let past = combine::Past {
            desired: history.desired.get(resource).copied(),
            recommendations: history.recommendations.get(resource),
        };
        let proposals = by_resource.remove(resource).unwrap_or_default();
        let (wish, recommendations) =
            combine::combine(proposals, workload, limit, &past, snapshot.at);
        after.recommendations.insert(*resource, recommendations);
        wishes.insert(*resource, wish);
    }
    shortage::give_way(&mut wishes, &policies.limits, snapshot);
    let outcomes: Vec<Outcome> = wishes
        .into_iter()
        .map(|(resource, wish)| wish.into_outcome(resource, snapshot.at))
        .collect();
    for outcome in &outcomes {
        let planned = outcome.plan().map_or(outcome.current, |(to, _)| to);
        let changing = snapshot.workloads[&outcome.resource].in_flight;
        let before = history.desired.get(&outcome.resource);
        let desired = before.filter(|_| changing).copied().unwrap_or(planned);
        after.desired.insert(outcome.resource, desired);
    }
    let decision = Decision {
        at: snapshot.at,
        outcomes,
    };
    (decision, after)
}

/// In an order of their own, so that the order of the files does not matter.
fn sorted(proposals: Vec<Proposal>) -> BTreeMap<Resource, Vec<Proposal>> {
    let mut by_resource: BTreeMap<Resource, Vec<Proposal>> = BTreeMap::new();
    for proposal in proposals {
        by_resource
            .entry(proposal.resource)
            .or_insert_with(|| Vec::with_capacity(8))
            .push(proposal);
    }
    for proposals in by_resource.values_mut() {
        proposals.sort_by(|a, b| (a.kind, &a.policy).cmp(&(b.kind, &b.policy)));
    }
    by_resource
}

/// Whether `count` is within what the limits say of the resource.
#[must_use]
pub fn bounds(limits: &Limits, resource: Resource) -> Option<(i32, i32)> {
    limits
        .resources
        .get(&resource)
        .map(|limit| (limit.min, limit.max))
}

#[cfg(test)]
mod tests;
