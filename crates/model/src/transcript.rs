//! What was said, when, and how sure the engine is of it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A spoken language that the engines are held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum Language {
    #[serde(rename = "en")]
    English,
    #[serde(rename = "nl")]
    Dutch,
}

impl Language {
    /// The ISO 639-1 code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Dutch => "nl",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Language {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "en" | "english" => Ok(Self::English),
            "nl" | "dutch" => Ok(Self::Dutch),
            _ => Err(format!("language {text:?} is not supported: use en or nl")),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Transcript {
    pub language: Language,
    /// Length of the audio, in seconds.
    pub duration_seconds: f64,
    /// In order of time; empty for silence.
    pub segments: Vec<Segment>,
    /// Engine and model that heard it, such as `whisper-base`.
    pub model: String,
}

impl Transcript {
    /// The whole text, the segments joined by spaces.
    #[must_use]
    pub fn text(&self) -> String {
        let parts: Vec<&str> = self
            .segments
            .iter()
            .map(|segment| segment.text.trim())
            .collect();
        parts.join(" ")
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Segment {
    /// Seconds from the start of the audio.
    pub start: f64,
    pub end: f64,
    pub text: String,
    /// Mean probability of the words, 0 to 1.
    pub confidence: f32,
    /// Empty where the engine does not tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<Word>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Word {
    pub text: String,
    /// 0 to 1. A clinician is shown the doubtful ones.
    pub confidence: f32,
}
