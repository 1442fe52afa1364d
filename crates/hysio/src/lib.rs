//! The one binary, as a library, so that tests can call what `main` calls.

pub mod cli;
pub mod commands;
pub mod http;
