//! PostgreSQL, the one source of truth.
//!
//! Everything about patients goes through [`Tx`]: a transaction that acts for one facility (row-level security), holds
//! that facility's keys, and is committed together with the audit entries of what it did.

pub mod accounts;
pub mod audit;
pub mod backups;
mod connection;
pub mod encounters;
mod error;
pub mod idempotency;
pub mod jobs;
mod keys;
pub mod learning;
pub mod migrate;
pub mod notify;
mod outage;
pub mod page;
pub mod partitions;
pub mod patients;
mod pool;
pub mod records;
pub mod replica;
pub mod scaling;
pub mod sessions;
pub mod stages;
pub mod statistics;
pub mod suggestions;
mod tx;
pub mod users;

pub use connection::Connection;
pub use error::Error;
pub use keys::Vault;
pub use pool::{Database, Settings, tls};
pub use tx::Tx;

pub type Result<T> = std::result::Result<T, Error>;
