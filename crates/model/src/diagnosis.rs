//! Suggested diagnosis codes and the words that support them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum CodeSystem {
    #[serde(rename = "ICD-10-CM")]
    Icd10Cm,
    /// Diagnosis Code System Paramedical Care: the Dutch body location × pathology codes of physiotherapists.
    #[serde(rename = "DCSPH")]
    Dcsph,
}

impl CodeSystem {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Icd10Cm => "ICD-10-CM",
            Self::Dcsph => "DCSPH",
        }
    }
}

impl fmt::Display for CodeSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CodeSystem {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text
            .to_ascii_uppercase()
            .replace(['-', '_', ' '], "")
            .as_str()
        {
            "ICD10CM" => Ok(Self::Icd10Cm),
            "DCSPH" => Ok(Self::Dcsph),
            _ => Err(format!(
                "code system {text:?} is not known: use ICD-10-CM or DCSPH"
            )),
        }
    }
}

/// One ranked suggestion. Its evidence is never empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Suggestion {
    pub system: CodeSystem,
    pub code: String,
    pub title: String,
    /// Of the suggestions given 0.8, 80 % are right.
    pub probability: f64,
    /// Whether the code is specific enough to be billed.
    pub billable: bool,
    pub evidence: Vec<Evidence>,
}

/// The words of the text that support a suggestion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// Range in the text, counted in Unicode code points: first, and one past the last.
    pub start: usize,
    pub end: usize,
    /// Those words, exactly as they stand in the text.
    pub text: String,
    /// The term of the catalogue that they matched.
    pub term: String,
}
