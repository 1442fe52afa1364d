//! What a scenario asks of people and gates.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a scenario needs that a count can't give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requirement {
    RegionalFailover,
    Isolation,
    SecurityValidation,
    DataVerification,
}

impl Requirement {
    pub const ALL: [Self; 4] = [
        Self::RegionalFailover,
        Self::Isolation,
        Self::SecurityValidation,
        Self::DataVerification,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RegionalFailover => "regional_failover",
            Self::Isolation => "isolation",
            Self::SecurityValidation => "security_validation",
            Self::DataVerification => "data_verification",
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Requirement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|requirement| requirement.as_str() == text)
            .ok_or_else(|| format!("use one of {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}
