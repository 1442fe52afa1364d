//! One file a subcommand.

pub mod code;
pub mod evaluate;
pub mod transcribe;
