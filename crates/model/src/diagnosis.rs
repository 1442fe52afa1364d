//! Suggested diagnosis codes and the words that support them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum CodeSystem {
    #[default]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Suggestion {
    pub system: CodeSystem,
    pub code: String,
    pub title: String,
    /// Of the suggestions given 0.8, 80 % are right.
    pub probability: f64,
    /// Whether the code is specific enough to be billed.
    pub billable: bool,
    pub evidence: Vec<Evidence>,
    /// Reasons to look twice before it is accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cautions: Vec<Caution>,
    /// Where the catalogue asks for this code beside another one that is suggested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub companion: Option<Companion>,
    /// What the facility's own decisions say of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learnt: Option<Learnt>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CautionKind {
    /// A note of the catalogue says that it is not given together with another suggested code.
    Excluded,
    /// A sign that belongs to a diagnosis which is suggested with certainty.
    Explained,
    /// Not for a patient of this sex.
    Sex,
    /// Not for a patient of this age.
    Age,
}

/// A reason to look twice, in words for the clinician.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Caution {
    pub kind: CautionKind,
    pub reason: String,
    /// The suggested code that it stands against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Why a code belongs to another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Companion {
    /// The suggested code that asks for it.
    pub of: String,
    /// `Code first`, `Use additional code` or `Code also`.
    pub relation: String,
    /// What the catalogue says, and where.
    pub instruction: String,
}

/// How often the facility chose a code where it was suggested or said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Learnt {
    pub accepted: u32,
    /// Accepted or rejected.
    pub decided: u32,
    /// The words that a clinician taught it for, where it is suggested because of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phrase: Option<String>,
    /// Whether other facilities' shared counts are in the numbers.
    #[serde(default)]
    pub shared: bool,
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
