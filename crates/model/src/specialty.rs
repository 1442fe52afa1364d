//! Medical specialties, as the seed's model scaler lists them, and physiotherapy, whose codes are the Dutch DCSPH.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Specialty {
    Cardiology,
    Neurology,
    Radiology,
    GeneralPractice,
    Emergency,
    Physiotherapy,
}

impl Specialty {
    pub const ALL: [Self; 6] = [
        Self::Cardiology,
        Self::Neurology,
        Self::Radiology,
        Self::GeneralPractice,
        Self::Emergency,
        Self::Physiotherapy,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cardiology => "cardiology",
            Self::Neurology => "neurology",
            Self::Radiology => "radiology",
            Self::GeneralPractice => "general_practice",
            Self::Emergency => "emergency",
            Self::Physiotherapy => "physiotherapy",
        }
    }
}

impl fmt::Display for Specialty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Specialty {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|specialty| specialty.as_str() == text)
            .ok_or_else(|| format!("no specialty is called {text:?}"))
    }
}
