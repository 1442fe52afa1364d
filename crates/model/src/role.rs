//! What a signed-in person may do.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Documents care: patients, encounters, records of the own facility.
    Clinician,
    /// Manages the users of the own facility; sees no patient data.
    FacilityAdmin,
    /// Runs the platform: jobs, scaling, health; sees no patient data.
    Operator,
    /// Reads the audit trail; sees no patient data.
    Auditor,
}

impl Role {
    pub const ALL: [Self; 4] = [
        Self::Clinician,
        Self::FacilityAdmin,
        Self::Operator,
        Self::Auditor,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clinician => "clinician",
            Self::FacilityAdmin => "facility_admin",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| {
                format!(
                    "no role is called {text:?}: use clinician, facility_admin, operator or auditor"
                )
            })
    }
}
