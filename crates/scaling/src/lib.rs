//! Pure decisions about capacity: metrics, policies and a time in, a plan out. No async, no clock, no I/O.

pub mod alerts;
pub mod capacity;
pub mod conformance;
pub mod decide;
pub mod elasticity;
pub mod emergency;
pub mod forecast;
pub mod gates;
pub mod hpa;
pub mod keda;
pub mod limits;
pub mod manifest;
pub mod matrix;
pub mod metrics;
pub mod policies;
pub mod policy_file;
pub mod proposal;
pub mod resource;
pub mod season;
pub mod series;
pub mod snapshot;
pub mod specialty;
pub mod target_tracking;
pub mod trace;

pub use proposal::{Evidence, PolicyKind, PolicyName, Proposal, Wants};
pub use resource::Resource;
pub use snapshot::{Failing, Pod, Reading, Signal, Snapshot, Workload};
