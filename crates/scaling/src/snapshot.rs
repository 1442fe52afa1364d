//! The world at one moment, as far as decisions need it. Made by observing, never changed by deciding.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Resource;

/// Everything that a decision may look at. Maps are ordered, so that the same world gives the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    pub at: Timestamp,
    pub workloads: BTreeMap<Resource, Workload>,
    /// Readings by signal, such as `active_sessions`, `transcription_queue` or
    /// `hysio_db_connection_pool_usage{pool_name="primary"}`. A signal that was asked for and could not be read is there
    /// with its error; one that is not there was not asked for.
    pub signals: BTreeMap<Signal, Reading>,
    /// Alerts that fire now.
    #[serde(default)]
    pub alerts: BTreeMap<String, FiringAlert>,
    /// The emergency that is declared now, if any.
    #[serde(default)]
    pub emergency: Option<DeclaredEmergency>,
}

/// The name of a signal: a metric's name, with its labels where there is more than one series.
pub type Signal = String;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    Value {
        value: f64,
        /// When it was measured, by the clock that `Snapshot::at` is of.
        at: Timestamp,
    },
    /// It could not be read, and why. Never taken for zero.
    Missing { why: String },
}

impl Reading {
    /// The value, unless it is missing, not a finite number, or older than `stale_after_seconds`; else why there is none.
    ///
    /// # Errors
    /// The reason as a fragment of a sentence, such as `is 95 s old, more than 60 s`.
    pub fn fresh(&self, now: Timestamp, stale_after_seconds: i64) -> Result<f64, String> {
        match self {
            Self::Missing { why } => Err(format!("is missing: {why}")),
            Self::Value { value, .. } if !value.is_finite() => {
                Err(format!("is {value}, no number"))
            }
            Self::Value { value, at } => {
                let age = now.as_second().saturating_sub(at.as_second());
                if age > stale_after_seconds {
                    Err(format!("is {age} s old, more than {stale_after_seconds} s"))
                } else {
                    Ok(*value)
                }
            }
        }
    }
}

/// The state of one resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// What was last asked for (`spec.replicas`).
    pub desired: i32,
    /// What there is (`status.replicas`).
    pub running: i32,
    pub ready: i32,
    /// Its processes, where they are known one by one.
    #[serde(default)]
    pub pods: Vec<Pod>,
    /// The most that quota or hardware allow now, where that is known.
    #[serde(default)]
    pub quota: Option<i32>,
    /// A change of it is in flight: nothing new is begun.
    #[serde(default)]
    pub in_flight: bool,
    /// Its last changes failed: nothing new is begun for a while.
    #[serde(default)]
    pub failing: Option<Failing>,
}

/// Changes of one resource that failed one after another, with nothing that succeeded since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failing {
    pub changes: u32,
    /// When the last of them ended.
    pub at: Timestamp,
}

impl Failing {
    /// Seconds from a failure to the next try: doubled with each, from 2 up to 5 minutes.
    const SECONDS_MAX: i64 = 300;

    /// When the next change may be begun.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        let seconds = 1_i64
            .checked_shl(self.changes.min(16))
            .unwrap_or(Self::SECONDS_MAX)
            .min(Self::SECONDS_MAX);
        self.at
            .saturating_add(SignedDuration::from_secs(seconds))
            .unwrap_or(self.at)
    }
}

/// One process of a workload: a pod on Kubernetes, a child process on one machine. Amounts are in thousandths: 1 core is
/// 1,000; memory is in thousandths of a byte, as Kubernetes' quantities are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pod {
    pub name: String,
    pub ready: bool,
    pub started_at: Option<Timestamp>,
    pub ready_since: Option<Timestamp>,
    /// What it uses now, by resource name (`cpu`, `memory`) or custom metric.
    pub usage_milli: BTreeMap<String, i64>,
    /// When `usage_milli` was measured, and over how many seconds.
    pub measured_at: Option<Timestamp>,
    pub window_seconds: i64,
    /// What it asks for, by resource name.
    pub requests_milli: BTreeMap<String, i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FiringAlert {
    pub since: Timestamp,
    /// The value that made it fire.
    pub value: f64,
}

/// An emergency has an owner, a reason and an end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredEmergency {
    /// A scenario of the matrix, such as `pandemic_response`.
    pub scenario: String,
    pub owner: String,
    pub reason: String,
    pub declared_at: Timestamp,
    pub ends_at: Timestamp,
}
