//! Redis: transport, cache and shared counts, never the truth. What is not there is found in PostgreSQL, and who cannot reach it
//! goes on without.

pub mod cache;
mod connect;
pub mod limits;
pub mod queues;

pub use connect::{Cluster, Node};

/// Redis did not do as asked. Its message can hold an address with a password and is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Redis cannot be reached or refuses ({kind})")]
pub struct Away {
    kind: &'static str,
}

impl From<::redis::RedisError> for Away {
    fn from(error: ::redis::RedisError) -> Self {
        let kind = if error.is_timeout() {
            "no answer in time"
        } else if error.is_connection_refusal() {
            "connection refused"
        } else if error.is_io_error() {
            "the connection broke"
        } else if error.is_cluster_error() {
            "the cluster is not whole"
        } else {
            "an error"
        };
        Self { kind }
    }
}

pub type Result<T> = std::result::Result<T, Away>;
