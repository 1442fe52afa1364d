//! What one policy wants for one resource, and why: a value that can be printed, stored, compared and replayed.

use std::fmt;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::Resource;

/// A policy's name as people find it: its kind and the name that its file gives it, such as `hpa/hysio-app-hpa`.
///
/// As with everything that a proposal says: short, or said again and again, so it is shared instead of copied.
pub type PolicyName = SmolStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyKind {
    Hpa,
    Keda,
    TargetTracking,
    Matrix,
    Calendar,
    Emergency,
    Specialty,
    Alerts,
    Forecast,
}

impl PolicyKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hpa => "hpa",
            Self::Keda => "keda",
            Self::TargetTracking => "target_tracking",
            Self::Matrix => "matrix",
            Self::Calendar => "calendar",
            Self::Emergency => "emergency",
            Self::Specialty => "specialty",
            Self::Alerts => "alerts",
            Self::Forecast => "forecast",
        }
    }
}

impl fmt::Display for PolicyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    pub policy: PolicyName,
    pub kind: PolicyKind,
    pub resource: Resource,
    pub wants: Wants,
    /// What it looked at.
    pub evidence: Vec<Evidence>,
    /// What bounded it, as fragments: `at most 4 pods more in 60 s`.
    #[serde(default)]
    pub limits: Vec<String>,
}

/// How the wishes combine: the largest of `Count` and `AtLeast` wins; `Hold` keeps what is there from shrinking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wants {
    /// This many, up or down.
    Count { count: i32 },
    /// No fewer than this: a reason to grow or stay, never one to shrink below what others want.
    AtLeast { count: i32 },
    /// It cannot tell (a signal is missing or stale): what is there must not shrink.
    Hold { why: SmolStr },
    /// It has nothing to say now.
    Nothing { why: SmolStr },
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The signal, such as `cpu utilisation` or `transcription_queue`.
    pub signal: SmolStr,
    /// What it was, as people read it: `63 %`, `120 jobs`; or why there is no value.
    pub value: SmolStr,
    /// What it was held against: `target 70 %`, `tier peak_usage from 100`.
    pub against: SmolStr,
    /// What this alone would want.
    #[serde(default)]
    pub wants: Option<i32>,
}
