//! The care side: transcription, diagnosis codes, records, and the pipeline that leads from one to the next.
//!
//! It declares the ports it needs and knows no database, no queue technology and nothing of scaling.

pub mod diagnosecode;
pub mod draft;
pub mod jobs;
pub mod pipeline;
pub mod ports;
pub mod records;

pub mod report;
