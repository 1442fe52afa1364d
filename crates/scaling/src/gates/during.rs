//! What is watched while a change takes effect. A refusal here rolls back at once instead of waiting for the end.

use serde::{Deserialize, Serialize};

use super::{
    AuditFacts, Finding, Gate, KeyFacts, Known, MonitoringFacts, Report,
    before::{audit, keys, monitoring},
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DuringFacts {
    pub keys: Known<KeyFacts>,
    pub audit: Known<AuditFacts>,
    pub monitoring: Known<MonitoringFacts>,
}

impl DuringFacts {
    /// Nothing could be collected, for one reason.
    #[must_use]
    pub fn unknown(why: &str) -> Self {
        Self {
            keys: Err(why.to_owned()),
            audit: Err(why.to_owned()),
            monitoring: Err(why.to_owned()),
        }
    }
}

#[must_use]
pub fn during(facts: &DuringFacts) -> Report {
    Report {
        findings: vec![
            Finding::of(Gate::EncryptionKeys, &facts.keys, keys),
            Finding::of(Gate::AuditTrail, &facts.audit, audit),
            Finding::of(Gate::LoadBalancer, &facts.monitoring, monitoring),
        ],
    }
}
