//! The parts that run, and the queues between them, under the names the seed gives them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceName {
    App,
    Transcription,
    Diagnosecode,
    Worker,
    Scaler,
}

impl ServiceName {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Transcription => "transcription",
            Self::Diagnosecode => "diagnosecode",
            Self::Worker => "worker",
            Self::Scaler => "scaler",
        }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A queue of work, as `QUEUE_NAMES` lists it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum QueueName {
    Transcription,
    Diagnosecode,
    Email,
    Reports,
}

impl QueueName {
    pub const ALL: [Self; 4] = [
        Self::Transcription,
        Self::Diagnosecode,
        Self::Email,
        Self::Reports,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transcription => "transcription",
            Self::Diagnosecode => "diagnosecode",
            Self::Email => "email",
            Self::Reports => "reports",
        }
    }

    /// The Redis list that carries this queue's job ids, as KEDA's triggers name it.
    #[must_use]
    pub fn list_name(self) -> String {
        format!("{self}_queue")
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for QueueName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|queue| queue.as_str() == text.trim())
            .ok_or_else(|| {
                format!(
                    "no queue is called {text:?}: use transcription, diagnosecode, email or reports"
                )
            })
    }
}
