//! Scaling as it is stored: targets, transactions and their logs, decisions, instances, emergencies, the leader's lease.
//!
//! Nothing here is about a patient, so everything goes through platform transactions.

pub mod decisions;
mod demand;
pub mod emergencies;
pub mod facts;
pub mod instances;
pub mod lease;
pub mod self_check;
pub mod targets;
pub mod transactions;

use hysio_control::ports::Away;

use super::Error;

impl From<Error> for Away {
    fn from(error: Error) -> Self {
        let mut said = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            said = format!("{said}: {cause}");
            source = cause.source();
        }
        Self(said)
    }
}
