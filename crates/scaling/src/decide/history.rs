//! What carries over from one decision to the next. Bounded, and stored with each decision.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{PolicyName, Resource, alerts, forecast, hpa, keda, matrix, target_tracking};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct History {
    pub last_at: Option<Timestamp>,
    pub hpa: BTreeMap<PolicyName, hpa::Memory>,
    pub keda: BTreeMap<PolicyName, keda::Memory>,
    pub matrix: matrix::Memory,
    pub forecast: BTreeMap<PolicyName, forecast::policy::Memory>,
    pub target_tracking: BTreeMap<PolicyName, target_tracking::Memory>,
    pub alerts: BTreeMap<PolicyName, alerts::Memory>,
    /// The count that each resource was to have after the last decision. Another one is a person's.
    pub desired: BTreeMap<Resource, i32>,
    /// What was wanted of each resource, within the window in which less is not yet asked for.
    pub recommendations: BTreeMap<Resource, Vec<Recommendation>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recommendation {
    pub at: Timestamp,
    pub count: i32,
}
