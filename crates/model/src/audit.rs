//! Who did what to what, and when: one entry of the audit trail. It holds ids and words from closed lists, never patient data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::id::FacilityId;

/// An entry to be written, in the same transaction as what it records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEvent {
    pub id: Uuid,
    /// Kept to the microsecond, as the database does; later digits are cut off.
    pub at: Timestamp,
    /// None for what concerns the platform as a whole.
    pub facility: Option<FacilityId>,
    /// A user's id, or the service that acted, such as `worker`.
    pub actor: String,
    /// What was done, such as `record.sign` or `patient.read`.
    pub action: String,
    /// Kind of the thing it was done to, such as `record`.
    pub resource: String,
    pub resource_id: String,
    pub outcome: Outcome,
    /// Ids, counts and codes that explain the entry. Never patient data.
    pub details: serde_json::Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Success,
    Refused,
    Failure,
}

impl Outcome {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Refused => "refused",
            Self::Failure => "failure",
        }
    }
}
