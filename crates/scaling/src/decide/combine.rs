//! The proposals for one resource become one wish.

use jiff::{SignedDuration, Timestamp};

use super::{Outcome, Verdict, history::Recommendation};
use crate::{Failing, PolicyName, Proposal, Resource, Wants, Workload, limits::Limit};

/// What is wanted of one resource after its own limits, before all resources are looked at together.
pub(super) struct Wish {
    pub current: i32,
    pub to: i32,
    pub because: String,
    pub chosen: Option<PolicyName>,
    pub limits: Vec<String>,
    proposals: Vec<Proposal>,
    in_flight: bool,
    failing: Option<Failing>,
}

/// What the last decision left of one resource.
pub(super) struct Past<'a> {
    pub desired: Option<i32>,
    pub recommendations: Option<&'a Vec<Recommendation>>,
}

/// Recommendations kept at most, whatever the window: one a second for ten minutes.
const KEPT_MAX: usize = 600;

pub(super) fn combine(
    proposals: Vec<Proposal>,
    workload: &Workload,
    limit: &Limit,
    past: &Past<'_>,
    now: Timestamp,
) -> (Wish, Vec<Recommendation>) {
    let current = workload.desired;
    let (wanted, chosen, because) = largest(&proposals, current);
    let mut limits = Vec::new();
    let bounded = within_bounds(wanted, limit, workload.quota, &mut limits);
    let held = if bounded < current || chosen.is_none() {
        hold(bounded, current, &proposals, &mut limits)
    } else {
        bounded
    };
    let (to, recommendations) = stabilised(held, workload, limit, past, now, &mut limits);
    let wish = Wish {
        current,
        to,
        because,
        chosen,
        limits,
        proposals,
        in_flight: workload.in_flight,
        failing: workload.failing.clone(),
    };
    (wish, recommendations)
}

/// The largest wish. What is only a floor never makes anything shrink.
fn largest(proposals: &[Proposal], current: i32) -> (i32, Option<PolicyName>, String) {
    let mut best: Option<(i32, &Proposal)> = None;
    let mut anybody_counts = false;
    for proposal in proposals {
        let count = match proposal.wants {
            Wants::Count { count } => {
                anybody_counts = true;
                count
            }
            Wants::AtLeast { count } => count,
            Wants::Hold { .. } | Wants::Nothing { .. } => continue,
        };
        if best.is_none_or(|(most, _)| count > most) {
            best = Some((count, proposal));
        }
    }
    match best {
        Some((count, proposal)) if anybody_counts || count > current => {
            (count, Some(proposal.policy.clone()), said(proposal))
        }
        Some((count, proposal)) => {
            let why = format!("{} only wants at least {count}", proposal.policy);
            (current, None, why)
        }
        None => (current, None, "no policy wants anything".to_owned()),
    }
}

/// The policy's reason: the evidence that wanted the most.
fn said(proposal: &Proposal) -> String {
    let strongest = proposal
        .evidence
        .iter()
        .reduce(|best, next| if next.wants > best.wants { next } else { best });
    match strongest {
        Some(evidence) => [
            &proposal.policy,
            ": ",
            &evidence.signal,
            " is ",
            &evidence.value,
            ", ",
            &evidence.against,
        ]
        .concat(),
        None => proposal.policy.to_string(),
    }
}

fn within_bounds(wanted: i32, limit: &Limit, quota: Option<i32>, limits: &mut Vec<String>) -> i32 {
    let most = quota.map_or(limit.max, |quota| quota.min(limit.max)).max(0);
    if wanted > most {
        let name = if most < limit.max { "quota" } else { "max" };
        limits.push(format!("{name} {most}: {wanted} was wanted"));
    } else if wanted < limit.min {
        limits.push(format!("min {}: {wanted} was wanted", limit.min));
    }
    wanted.max(limit.min).min(most)
}

/// Who cannot tell keeps what is there.
fn hold(wanted: i32, current: i32, proposals: &[Proposal], limits: &mut Vec<String>) -> i32 {
    let holding = proposals.iter().find_map(|proposal| match &proposal.wants {
        Wants::Hold { why } => Some(format!("{} cannot tell: {why}", proposal.policy)),
        Wants::Count { .. } | Wants::AtLeast { .. } | Wants::Nothing { .. } => None,
    });
    match holding {
        Some(why) => {
            limits.push(format!("{why}, so nothing shrinks"));
            wanted.max(current)
        }
        None => wanted,
    }
}

/// Less is only asked for when less was enough for the whole window.
fn stabilised(
    wanted: i32,
    workload: &Workload,
    limit: &Limit,
    past: &Past<'_>,
    now: Timestamp,
    limits: &mut Vec<String>,
) -> (i32, Vec<Recommendation>) {
    let window = SignedDuration::from_secs(limit.scale_in_after_seconds);
    let current = workload.desired;
    let mut kept: Vec<Recommendation> = past
        .recommendations
        .into_iter()
        .flatten()
        // A clock that went back would make the window look into the future: what was noted is taken as of now.
        .map(|it| Recommendation {
            at: it.at.min(now),
            ..*it
        })
        .filter(|it| now.duration_since(it.at) < window)
        .collect();
    // What somebody else has asked for was needed when it was asked. So was, without a past, what is there.
    if past.desired != Some(current) && !workload.in_flight {
        kept.push(Recommendation {
            at: now,
            count: current,
        });
    }
    let highest = kept.iter().map(|it| it.count).max().unwrap_or(wanted);
    let to = if wanted < current {
        wanted.max(highest.min(current))
    } else {
        wanted
    };
    if to > wanted {
        limits.push(format!(
            "scale-in window of {} s: {to} was needed or asked for within it",
            limit.scale_in_after_seconds
        ));
    }
    note(
        &mut kept,
        Recommendation {
            at: now,
            count: wanted,
        },
    );
    (to, kept)
}

/// Keeps only what can still be the highest: an earlier recommendation that is no higher than a later one never is.
fn note(kept: &mut Vec<Recommendation>, new: Recommendation) {
    kept.retain(|it| it.count > new.count);
    kept.push(new);
    if kept.len() > KEPT_MAX {
        kept.remove(0);
    }
}

impl Wish {
    pub fn into_outcome(self, resource: Resource, now: Timestamp) -> Outcome {
        let waits = self.failing.as_ref().filter(|it| now < it.until());
        let verdict = if self.in_flight {
            Verdict::NoPlan {
                why: "a change of it is in flight".to_owned(),
            }
        } else if let Some(failing) = waits
            && self.to != self.current
        {
            Verdict::NoPlan {
                why: format!(
                    "{} is wanted, but {} failed: tried again from {} on",
                    self.to,
                    changes(failing.changes),
                    failing.until().strftime("%H:%M:%S")
                ),
            }
        } else if self.to == self.current {
            Verdict::NoPlan {
                why: self.why_nothing(),
            }
        } else {
            Verdict::Plan {
                to: self.to,
                because: self.because,
            }
        };
        Outcome {
            resource,
            current: self.current,
            verdict,
            chosen: self.chosen,
            limits: self.limits,
            proposals: self.proposals,
        }
    }

    fn why_nothing(&self) -> String {
        match self.limits.last() {
            Some(limit) => format!("{}; {limit}", self.because),
            None => format!("{} is enough: {}", self.current, self.because),
        }
    }
}

fn changes(count: u32) -> String {
    match count {
        1 => "the last change".to_owned(),
        many => format!("the last {many} changes"),
    }
}
