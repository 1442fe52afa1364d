//! What the audit trail says of each event: the seed's words and fields.

use hysio_model::audit::{AuditEvent, Outcome};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Change, Event};

/// The entries of one event, in their order. A failed check is followed at once by the word that its undoing has begun, so
/// one event may have two.
#[must_use]
pub fn audit_words(change: &Change, event: &Event) -> Vec<AuditEvent> {
    let words: &[(&str, Outcome)] = match event {
        Event::Initiated { .. } => &[("INITIATED", Outcome::Success)],
        Event::GatesPassed { .. } => &[("GATES_PASSED", Outcome::Success)],
        Event::GateRefused { .. } if change.took_over.is_some() => &[
            ("FAILED", Outcome::Refused),
            ("ROLLBACK_INITIATED", Outcome::Success),
        ],
        Event::GateRefused { .. } => &[("FAILED", Outcome::Refused)],
        Event::Applied { .. } => &[("APPLIED", Outcome::Success)],
        Event::Ready { .. } => &[("READY", Outcome::Success)],
        Event::Verified { .. } => &[("COMPLETED", Outcome::Success)],
        Event::NotApplied { .. } | Event::NotReady { .. } => &[
            ("FAILED", Outcome::Failure),
            ("ROLLBACK_INITIATED", Outcome::Success),
        ],
        Event::ComplianceFailed { .. } => &[
            ("COMPLIANCE_FAILURE", Outcome::Failure),
            ("ROLLBACK_INITIATED", Outcome::Success),
        ],
        Event::RolledBack { .. } => &[("ROLLBACK_COMPLETED", Outcome::Success)],
        Event::Stuck { .. } => &[("STUCK", Outcome::Failure)],
        Event::Superseded { .. } => &[("SUPERSEDED", Outcome::Failure)],
    };
    words
        .iter()
        .map(|(word, outcome)| entry(change, event, word, *outcome))
        .collect()
}

fn entry(change: &Change, event: &Event, word: &str, outcome: Outcome) -> AuditEvent {
    AuditEvent {
        id: Uuid::now_v7(),
        at: event.at(),
        facility: None,
        actor: change.user.clone(),
        action: format!("scaling.{word}"),
        resource: change.resource.as_str().to_owned(),
        resource_id: change.id.to_string(),
        outcome,
        details: details(change, event, word),
    }
}

fn details(change: &Change, event: &Event, word: &str) -> Value {
    let (old, new) = if word.starts_with("ROLLBACK") {
        (change.new, change.old)
    } else if word == "FAILED" {
        (change.old, change.old)
    } else {
        (change.old, change.new)
    };
    let mut details = json!({
        "action": word,
        "old": old,
        "new": new,
        "justification": event.trouble().unwrap_or_else(|| change.justification.clone()),
        "user": change.user,
        "pid": change.pid,
        "generation": change.generation,
    });
    if let Some(plan) = change.plan {
        details["plan"] = json!(plan);
    }
    if let Event::GatesPassed { report, .. }
    | Event::GateRefused { report, .. }
    | Event::Verified { report, .. }
    | Event::ComplianceFailed { report, .. } = event
    {
        details["gates"] = json!(report.findings);
    }
    details
}
