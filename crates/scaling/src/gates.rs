//! Gates: facts in, a report out. What must hold before a change of capacity, and what must hold after it.
//!
//! The gates are the seed's scaling checklist (Appendix A), each a name with the rule that judges its facts. Collecting
//! facts is somebody else's business: a fact that could not be collected comes as the reason why.

mod after;
mod before;
mod during;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use after::{AfterFacts, InstanceFacts, ServiceFacts, after};
pub use before::{
    AuditFacts, BackupFacts, BeforeFacts, CapacityFacts, DatabaseFacts, KeyFacts, MonitoringFacts,
    before,
};
pub use during::{DuringFacts, during};

/// A fact, or why it could not be collected.
pub type Known<T> = Result<T, String>;

/// What is looked at. The wording of [`Gate::question`] follows the checklist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    Utilisation,
    DatabaseIntegrity,
    EncryptionKeys,
    AuditTrail,
    Backup,
    Monitoring,
    CapacityPlan,
    NoOtherChange,
    Readiness,
    InstanceEncryption,
    InstanceAudit,
    AccessControl,
    PatientData,
    LoadBalancer,
    WorkflowPerformance,
}

impl Gate {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utilisation => "utilisation",
            Self::DatabaseIntegrity => "database_integrity",
            Self::EncryptionKeys => "encryption_keys",
            Self::AuditTrail => "audit_trail",
            Self::Backup => "backup",
            Self::Monitoring => "monitoring",
            Self::CapacityPlan => "capacity_plan",
            Self::NoOtherChange => "no_other_change",
            Self::Readiness => "readiness",
            Self::InstanceEncryption => "instance_encryption",
            Self::InstanceAudit => "instance_audit",
            Self::AccessControl => "access_control",
            Self::PatientData => "patient_data",
            Self::LoadBalancer => "load_balancer",
            Self::WorkflowPerformance => "workflow_performance",
        }
    }

    /// What it asks, as an auditor reads it.
    #[must_use]
    pub fn question(self) -> &'static str {
        match self {
            Self::Utilisation => "Is the current use of resources known?",
            Self::DatabaseIntegrity => "Is the database whole, writable and of the right schema?",
            Self::EncryptionKeys => "Do the encryption keys really decrypt?",
            Self::AuditTrail => "Is the audit trail whole, and can it be written?",
            Self::Backup => "Is there a fresh backup?",
            Self::Monitoring => "Do the services answer for their health and metrics?",
            Self::CapacityPlan => "Is the new capacity within bounds, quota and budget?",
            Self::NoOtherChange => "Is no other change to this target in flight?",
            Self::Readiness => "Is what was asked for there and ready?",
            Self::InstanceEncryption => "Can every instance decrypt what it must work with?",
            Self::InstanceAudit => "Can every instance write to the audit trail?",
            Self::AccessControl => "Does every instance keep to one facility at a time?",
            Self::PatientData => "Is patient data unchanged and readable?",
            Self::LoadBalancer => "Do requests reach only instances that are ready?",
            Self::WorkflowPerformance => "Are errors and latency no worse than before?",
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Pass,
    Fail,
    /// The facts could not be collected.
    Error,
    /// The facts do not suffice to say. It never promotes.
    Inconclusive,
}

impl Verdict {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Error => "error",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// One gate's answer with the facts that led to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    pub gate: Gate,
    pub verdict: Verdict,
    pub facts: String,
}

impl Finding {
    fn of<T>(gate: Gate, known: &Known<T>, judge: impl FnOnce(&T) -> (Verdict, String)) -> Self {
        let (verdict, facts) = match known {
            Ok(facts) => judge(facts),
            Err(why) => (Verdict::Error, why.clone()),
        };
        Self {
            gate,
            verdict,
            facts,
        }
    }
}

/// All findings of one look.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether every gate passed. A report without findings proves nothing, and does not pass.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self.findings.is_empty()
            && self
                .findings
                .iter()
                .all(|finding| finding.verdict == Verdict::Pass)
    }

    pub fn refusals(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.verdict != Verdict::Pass)
    }

    /// What did not pass, in one line.
    #[must_use]
    pub fn why_not(&self) -> String {
        let refusals: Vec<String> = self
            .refusals()
            .map(|finding| format!("{}: {}", finding.gate, finding.facts))
            .collect();
        if refusals.is_empty() && self.findings.is_empty() {
            "no gate was asked".to_owned()
        } else {
            refusals.join("; ")
        }
    }
}

fn verdict(holds: bool) -> Verdict {
    if holds { Verdict::Pass } else { Verdict::Fail }
}
