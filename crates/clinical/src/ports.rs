//! What the pipeline needs from outside. Each port has more than one implementation: embedded, remote, and a test's.

use async_trait::async_trait;
use hysio_model::{
    Specialty,
    diagnosis::{CodeSystem, Suggestion},
    transcript::{Language, Transcript},
};

use crate::{diagnosecode::Patient, jobs::JobError};

/// Turns speech into text.
#[async_trait]
pub trait Transcriber: Send + Sync {
    /// `audio` is a whole file as it was uploaded. `progress` is told shares from 0 to 1, where the engine knows them.
    async fn transcribe(
        &self,
        audio: Vec<u8>,
        media_type: &str,
        language: Option<Language>,
        progress: &(dyn Fn(f32) + Send + Sync),
    ) -> Result<Transcript, JobError>;
}

/// What a coder is asked.
#[derive(Clone, Debug)]
pub struct CodeQuery {
    pub system: CodeSystem,
    pub language: Option<Language>,
    pub specialty: Option<Specialty>,
    pub limit: usize,
    /// What is known of the patient; codes that don't suit them are marked and fall far down.
    pub patient: Patient,
}

/// Suggestions, best first, and the model that made them.
#[derive(Clone, Debug, Default)]
pub struct Coding {
    pub suggestions: Vec<Suggestion>,
    pub model: String,
}

/// Suggests diagnosis codes for a text.
#[async_trait]
pub trait Coder: Send + Sync {
    async fn suggest(&self, text: &str, query: &CodeQuery) -> Result<Coding, JobError>;
}
