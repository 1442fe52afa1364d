//! What can happen in a scaling transaction.

use std::{collections::BTreeMap, fmt};

use hysio_scaling::{
    Resource,
    gates::{Finding, Gate, Known, Report, ServiceFacts, Verdict},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransactionId(pub Uuid);

impl TransactionId {
    /// A new identifier that sorts by the time it was made.
    #[must_use]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl Default for TransactionId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is to be changed, by whom, and why: the fields of the seed's scaling log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    pub id: TransactionId,
    pub resource: Resource,
    pub old: i32,
    pub new: i32,
    pub justification: String,
    /// The user or service that asked for it.
    pub user: String,
    pub pid: u32,
    /// The fence: a target that has seen a higher one refuses this change.
    pub generation: i64,
    /// The decision that led to it; None for a change by hand.
    #[serde(default)]
    pub plan: Option<Uuid>,
    /// How long what was asked for may take to be ready.
    pub ready_within_seconds: i64,
    /// The unfinished change that ended by this one. It may have set the target, so refusing this one restores `old`.
    #[serde(default)]
    pub took_over: Option<TransactionId>,
}

impl Change {
    /// The fence of going back, one above the change's own: should a slow executor still set the new count, it is refused.
    #[must_use]
    pub fn rollback_generation(&self) -> i64 {
        self.generation + 1
    }
}

/// What was measured before, to compare with afterwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// A digest over a sample of stored records that never change.
    pub records: Known<String>,
    /// Records written later don't belong to the sample.
    pub records_until: Timestamp,
    pub service: Known<ServiceFacts>,
    /// What each instance had counted by then.
    #[serde(default)]
    pub counters: Counters,
}

impl Baseline {
    /// What could not be measured. Without it nothing could be compared afterwards, and the change could never complete.
    pub(crate) fn missing(&self) -> Vec<Finding> {
        let records = (Gate::PatientData, self.records.as_ref().err());
        let service = (Gate::WorkflowPerformance, self.service.as_ref().err());
        [records, service]
            .into_iter()
            .filter_map(|(gate, why)| {
                Some(Finding {
                    gate,
                    verdict: Verdict::Error,
                    facts: why?.clone(),
                })
            })
            .collect()
    }
}

/// Cumulative counts by instance.
pub type Counters = BTreeMap<Uuid, Counter>;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counter {
    pub requests: u64,
    pub errors: u64,
    /// How many took up to each bound of [`hysio_scaling::metrics::QUERY_BUCKETS`], and how many longer.
    pub buckets: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    Initiated {
        at: Timestamp,
        change: Change,
    },
    GatesPassed {
        at: Timestamp,
        report: Report,
        baseline: Baseline,
    },
    GateRefused {
        at: Timestamp,
        report: Report,
    },
    Applied {
        at: Timestamp,
    },
    /// The target could not be reached for too long. Whether it was set is not known, so it is rolled back.
    NotApplied {
        at: Timestamp,
        why: String,
    },
    Ready {
        at: Timestamp,
        ready: i32,
    },
    NotReady {
        at: Timestamp,
        why: String,
    },
    Verified {
        at: Timestamp,
        report: Report,
    },
    ComplianceFailed {
        at: Timestamp,
        report: Report,
    },
    RolledBack {
        at: Timestamp,
        count: i32,
    },
    /// Rolling back takes too long: a person is told, and it goes on.
    Stuck {
        at: Timestamp,
        why: String,
    },
    Superseded {
        at: Timestamp,
        by: i64,
    },
}

impl Event {
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Initiated { .. } => "initiated",
            Self::GatesPassed { .. } => "gates_passed",
            Self::GateRefused { .. } => "gate_refused",
            Self::Applied { .. } => "applied",
            Self::NotApplied { .. } => "not_applied",
            Self::Ready { .. } => "ready",
            Self::NotReady { .. } => "not_ready",
            Self::Verified { .. } => "verified",
            Self::ComplianceFailed { .. } => "compliance_failed",
            Self::RolledBack { .. } => "rolled_back",
            Self::Stuck { .. } => "stuck",
            Self::Superseded { .. } => "superseded",
        }
    }

    #[must_use]
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Initiated { at, .. }
            | Self::GatesPassed { at, .. }
            | Self::GateRefused { at, .. }
            | Self::Applied { at }
            | Self::NotApplied { at, .. }
            | Self::Ready { at, .. }
            | Self::NotReady { at, .. }
            | Self::Verified { at, .. }
            | Self::ComplianceFailed { at, .. }
            | Self::RolledBack { at, .. }
            | Self::Stuck { at, .. }
            | Self::Superseded { at, .. } => *at,
        }
    }

    /// What went wrong, for those that say so.
    pub(super) fn trouble(&self) -> Option<String> {
        match self {
            Self::GateRefused { report, .. } | Self::ComplianceFailed { report, .. } => {
                Some(report.why_not())
            }
            Self::NotApplied { why, .. } | Self::NotReady { why, .. } | Self::Stuck { why, .. } => {
                Some(why.clone())
            }
            Self::Superseded { by, .. } => {
                Some(format!("a newer change (generation {by}) owns it"))
            }
            Self::Initiated { .. }
            | Self::GatesPassed { .. }
            | Self::Applied { .. }
            | Self::Ready { .. }
            | Self::Verified { .. }
            | Self::RolledBack { .. } => None,
        }
    }
}
