//! Planning: what patterns demand has, how much will be needed, how many replicas an objective takes, and what that costs.

pub mod analysis;
pub mod burstiness;
pub mod cost;
pub mod outlook;
pub mod pattern;
pub mod size;
