//! HTTP, one file a resource.

pub mod diagnosecode;
pub mod transcription;
pub mod ui;
