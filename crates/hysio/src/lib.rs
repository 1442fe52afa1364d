//! The one binary, as a library, so that tests can call what `main` calls.

pub mod cli;
pub mod cluster;
pub mod commands;
pub mod config;
pub mod http;
pub mod lifecycle;
pub mod maintenance;
pub mod measured;
pub mod metrics;
pub mod pgbouncer;
pub mod presence;
pub mod queue_relay;
pub mod scaler;
pub mod start;
pub mod telemetry;
pub mod worker;
