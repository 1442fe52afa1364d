//! Adapters, named by technology.

pub mod diagnosecode_client;
