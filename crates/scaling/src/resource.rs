//! What can be scaled, under the seed's names.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A thing with a count that can be changed. The order is that of the listing for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Instances of the app; Deployment `hysio-app`.
    AppInstances,
    /// Instances of the transcription service; Deployment `transcription-service`.
    TranscriptionInstances,
    /// Instances of the diagnosis code service; Deployment `diagnosecode-service`.
    DiagnosecodeInstances,
    /// Workers that take from `transcription_queue` alone.
    TranscriptionWorkers,
    /// Workers that take from `diagnosecode_queue` alone.
    DiagnosisWorkers,
    /// Workers of all other queues; on Kubernetes, of every queue: Deployment `queue-workers`.
    QueueWorkers,
    /// Connections to the database that all processes together may hold.
    DbConnections,
    /// Memory of the cache, in MiB.
    CacheMemory,
}

impl Resource {
    pub const ALL: [Self; 8] = [
        Self::AppInstances,
        Self::TranscriptionInstances,
        Self::DiagnosecodeInstances,
        Self::TranscriptionWorkers,
        Self::DiagnosisWorkers,
        Self::QueueWorkers,
        Self::DbConnections,
        Self::CacheMemory,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AppInstances => "app_instances",
            Self::TranscriptionInstances => "transcription_instances",
            Self::DiagnosecodeInstances => "diagnosecode_instances",
            Self::TranscriptionWorkers => "transcription_workers",
            Self::DiagnosisWorkers => "diagnosis_workers",
            Self::QueueWorkers => "queue_workers",
            Self::DbConnections => "db_connections",
            Self::CacheMemory => "cache_memory",
        }
    }

    /// The Kubernetes Deployment that a manifest's `scaleTargetRef` names.
    #[must_use]
    pub fn deployment(self) -> Option<&'static str> {
        match self {
            Self::AppInstances => Some("hysio-app"),
            Self::TranscriptionInstances => Some("transcription-service"),
            Self::DiagnosecodeInstances => Some("diagnosecode-service"),
            Self::TranscriptionWorkers => Some("transcription-workers"),
            Self::DiagnosisWorkers => Some("diagnosis-workers"),
            Self::QueueWorkers => Some("queue-workers"),
            Self::DbConnections | Self::CacheMemory => None,
        }
    }

    #[must_use]
    pub fn of_deployment(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|resource| resource.deployment() == Some(name))
    }

    /// Whether it counts processes, and so whether a multiplier for more patients means more of it.
    #[must_use]
    pub fn is_processes(self) -> bool {
        self.deployment().is_some()
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Resource {
    type Err = String;

    /// The seed's script calls the connections `database_connections`; both names are understood.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = match text.trim() {
            "database_connections" => "db_connections",
            other => other,
        };
        Self::ALL
            .into_iter()
            .find(|resource| resource.as_str() == name)
            .ok_or_else(|| {
                format!(
                    "no resource is called {text:?}: use one of {}",
                    Self::ALL.map(Self::as_str).join(", ")
                )
            })
    }
}
