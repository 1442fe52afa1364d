//! Adapters, named by technology.

pub mod embedded_postgres;
