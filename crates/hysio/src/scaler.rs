//! The scaler: the one process that decides how much there is of everything, and carries the changes through.

pub mod justification;
mod learn;
pub mod machine;
pub mod observe;
pub mod policy_files;
pub mod probes;
pub mod run;
pub mod store;

pub use run::Scaler;

/// The name of the leader's lease.
pub const LEASE: &str = "scaler";
