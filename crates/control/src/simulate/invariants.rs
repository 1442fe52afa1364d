//! What must hold whatever goes wrong.

use std::{collections::BTreeMap, fmt};

use hysio_scaling::Resource;

use super::{
    ledger::{Entry, Log},
    world::Things,
};
use crate::transaction::{Event, Phase, TransactionId, audit_words};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// What a target has at the end is what the log's last word says: the plan, or the last good state.
    CapacityIsWhatTheLogSays,
    /// Nothing is set without the right to; what is completed has passed its gates and was verified.
    GatesAreNotSkipped,
    /// Each event has its audit entries, once, in their order.
    AuditIsWhole,
    /// What somebody newer has set stays.
    NewerOwnersStay,
    OneLiveTransactionATarget,
    LogsFold,
    /// Once nothing goes wrong any more, everything ends soon.
    EverythingEnds,
}

impl Invariant {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CapacityIsWhatTheLogSays => "capacity_is_what_the_log_says",
            Self::GatesAreNotSkipped => "gates_are_not_skipped",
            Self::AuditIsWhole => "audit_is_whole",
            Self::NewerOwnersStay => "newer_owners_stay",
            Self::OneLiveTransactionATarget => "one_live_transaction_a_target",
            Self::LogsFold => "logs_fold",
            Self::EverythingEnds => "everything_ends",
        }
    }
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    pub invariant: Invariant,
    pub what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant.as_str(), self.what)
    }
}

/// Looks at everything once all is over; what the world saw on its way comes first.
#[must_use]
pub fn check(things: &Things) -> Vec<Breach> {
    let mut breaches = things.breaches.clone();
    let mut say = |invariant, what| breaches.push(Breach { invariant, what });
    for log in &things.ledger.logs {
        match log.state() {
            None => say(Invariant::LogsFold, format!("{:?}", log.names())),
            Some(state) if !state.phase.is_end() => say(
                Invariant::EverythingEnds,
                format!("{} after {:?}", state.phase.as_str(), log.names()),
            ),
            Some(state) if state.phase == Phase::Completed => {
                if let Some(why) = unproven(log, things) {
                    say(Invariant::GatesAreNotSkipped, why);
                }
            }
            Some(_) => {}
        }
    }
    if let Some(what) = audit_differs(things) {
        say(Invariant::AuditIsWhole, what);
    }
    for what in owners_lost(things) {
        say(Invariant::NewerOwnersStay, what);
    }
    for what in two_live(things) {
        say(Invariant::OneLiveTransactionATarget, what);
    }
    for (resource, target) in &things.targets {
        let (generation, count) = last_word(*resource, target.taken[0].count, things);
        if (target.generation, target.desired) != (generation, count) {
            say(
                Invariant::CapacityIsWhatTheLogSays,
                format!(
                    "{resource} is set to {} by {}; the last word is {count} by {generation}",
                    target.desired, target.generation
                ),
            );
        } else if !target.observe(things.now).has_settled_at(count) {
            say(
                Invariant::CapacityIsWhatTheLogSays,
                format!("{resource} has not settled at {count}"),
            );
        }
    }
    breaches
}

fn unproven(log: &Log, things: &Things) -> Option<String> {
    let id = log.change.id;
    let reports = |wanted: fn(&Event) -> bool| {
        log.events
            .iter()
            .filter(move |event| wanted(event))
            .all(|event| match event {
                Event::GatesPassed { report, .. } | Event::Verified { report, .. } => {
                    report.passed()
                }
                _ => false,
            })
    };
    let gated = log.has("gates_passed")
        && reports(|event| matches!(event, Event::GatesPassed { .. }))
        && things.held_before.contains(&id);
    let verified = log.has("verified")
        && reports(|event| matches!(event, Event::Verified { .. }))
        && things.held_after.contains(&id);
    (!gated || !verified).then(|| format!("{:?} without proof", log.names()))
}

/// The generation and the count of the last word about a target.
fn last_word(resource: Resource, first: i32, things: &Things) -> (i64, i32) {
    let ends = things.ledger.logs.iter().filter_map(|log| {
        let change = &log.change;
        if change.resource != resource {
            return None;
        }
        match log.state()?.phase {
            Phase::Completed => Some((change.generation, change.new)),
            Phase::RolledBack => Some((change.rollback_generation(), change.old)),
            _ => None,
        }
    });
    let foreign = things
        .foreign
        .iter()
        .filter_map(|(of, generation, count)| (*of == resource).then_some((*generation, *count)));
    ends.chain(foreign).max().unwrap_or((0, first))
}

fn audit_differs(things: &Things) -> Option<String> {
    let expected: Vec<Entry> = things
        .ledger
        .order
        .iter()
        .flat_map(|(id, seq)| {
            let log = things.ledger.log(*id);
            let words = log.and_then(|log| Some(audit_words(&log.change, log.events.get(*seq)?)));
            words.unwrap_or_default().into_iter().map(|entry| Entry {
                transaction: *id,
                seq: *seq,
                action: entry.action,
            })
        })
        .collect();
    let written: usize = things.ledger.logs.iter().map(|log| log.events.len()).sum();
    if written != things.ledger.order.len() {
        return Some(format!(
            "{written} events, of which {} were written",
            things.ledger.order.len()
        ));
    }
    (expected != things.ledger.audit).then(|| {
        format!(
            "{} entries, {} expected",
            things.ledger.audit.len(),
            expected.len()
        )
    })
}

/// Generations only grow, each is used for one count, and who says that somebody newer owns the target is right.
fn owners_lost(things: &Things) -> Vec<String> {
    let mut lost = Vec::new();
    for (resource, target) in &things.targets {
        for pair in target.taken.windows(2) {
            let grew = pair[0].generation < pair[1].generation || pair[0] == pair[1];
            if !grew {
                lost.push(format!(
                    "{resource}: {:?} was followed by {:?}",
                    pair[0], pair[1]
                ));
            }
        }
    }
    for log in &things.ledger.logs {
        if let Some(Event::Superseded { by, .. }) = log.events.last()
            && *by <= log.change.rollback_generation()
        {
            lost.push(format!("{:?} gave way to {by}", log.change));
        }
    }
    lost
}

fn two_live(things: &Things) -> Vec<String> {
    let mut live: BTreeMap<Resource, TransactionId> = BTreeMap::new();
    let mut broken = Vec::new();
    for (id, seq) in &things.ledger.order {
        let Some(log) = things.ledger.log(*id) else {
            continue;
        };
        let resource = log.change.resource;
        if *seq == 0
            && let Some(other) = live.insert(resource, *id)
        {
            broken.push(format!("{id} began while {other} was live"));
        }
        if seq + 1 == log.events.len() && log.is_over() {
            live.remove(&resource);
        }
    }
    broken
}
