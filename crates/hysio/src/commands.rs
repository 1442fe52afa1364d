//! One file a subcommand.

pub mod code;
pub mod codes;
pub mod codes_evaluation;
pub mod evaluate;
pub mod transcribe;
